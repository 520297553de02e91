// SPDX-License-Identifier: Apache-2.0
// CuPy's streams.

#include "frameworks/cupy/cupy.h"
#include "frameworks/streams.h"

static int is_external(pv_state *st, PyObject *stream)
{
    PyObject *type = PyObject_GetAttrString(pv_cupy_of(st)->cuda, "ExternalStream");
    int rc = type ? PyObject_IsInstance(stream, type) : 0; // one day it will be gone
    Py_XDECREF(type);
    if (rc <= 0)
        PyErr_Clear();
    return rc > 0;
}

// An ExternalStream holds a handle only; Stream.from_external (CuPy 14) holds the object it was given.
int pv_cupy_only_names_stream(pv_state *st, PyObject *value, pixview_stream handle)
{
    PyObject *foreign;
    if (!st->framework_type[PV_CUPY])
        return 0;
    if (is_external(st, value))
        return 1;
    if (pv_find_attribute(value, st->s__foreign_stream_ref, &foreign))
        return -1;
    int rc = foreign && foreign != Py_None
                 ? is_external(st, foreign) || pv_stream_named_by_id(st, foreign, handle)
                 : 0;
    Py_XDECREF(foreign);
    return rc;
}

// The object is only needed to keep a stream other than the default one alive, and costs far more.
int pv_cupy_current_stream(pv_state *st, int device, pv_stream *out)
{
    const pv_cupy *cupy = pv_cupy_of(st);
    if (cupy->stream_handle && !st->hooks.cupy_public) {
        intptr_t handle = cupy->stream_handle(device);
        if (handle == 0 && !PyErr_Occurred()) {
            *out = (pv_stream){PIXVIEW_STREAM_LEGACY, NULL};
            return 0;
        }
        PyErr_Clear(); // get_current_stream says it in better words
    }
    PyObject *id = PyLong_FromLong(device);
    if (!id)
        return -1;
    PyObject *args[] = {cupy->cuda, id};
    out->object = PyObject_VectorcallMethod(st->s_get_current_stream, args, 2, NULL);
    Py_DECREF(id);
    PyObject *handle = out->object ? PyObject_GetAttr(out->object, st->s_ptr) : NULL;
    int rc = handle ? pv_stream_from_int(handle, &out->handle) : -1;
    Py_XDECREF(handle);
    if (rc || out->handle <= 2 || pv_scope_keeps(device, out))
        return rc;
    rc = pv_cupy_only_names_stream(st, out->object, out->handle);
    if (rc > 0)
        Py_SETREF(out->object, Py_NewRef(PV_UNKEPT));
    return rc < 0 ? -1 : 0;
}

int pv_cupy_stream_handle(pv_state *st, PyObject *value, pixview_stream *out)
{
    return pv_stream_from_attribute(value, st->s_ptr, out);
}
