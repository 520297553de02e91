// CuPy's streams.

#include "frameworks/cupy/cupy.h"
#include "frameworks/streams.h"

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
    return rc;
}

int pv_cupy_stream_handle(pv_state *st, PyObject *value, pixview_stream *out)
{
    return pv_stream_from_attribute(value, st->s_ptr, out);
}
