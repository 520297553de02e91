// SPDX-License-Identifier: Apache-2.0
// Handles of streams, and the stream that a result will be used on.

#include "frameworks/streams.h"

#include "base/errors.h"

int pv_stream_from_int(PyObject *value, pixview_stream *out)
{
    PyObject *index = PyNumber_Index(value);
    if (!index)
        return -1;
    int overflow;
    long long small = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (!overflow && small == -1 && !PyErr_Occurred()) {
        *out = PIXVIEW_STREAM_NONE;
    } else if (overflow < 0 || (!overflow && small < 0)) {
        pv_raise_python(PyExc_ValueError, "stream=%R: a handle is 0 or more; -1 means no ordering",
                        value);
    } else {
        *out = (pixview_stream)PyLong_AsUnsignedLongLong(index);
        if (*out == PIXVIEW_STREAM_NONE) { // all ones means none, and so does an overflow
            PyErr_Clear();
            pv_raise_python(PyExc_ValueError, "stream=%R is no handle of 64 bits", value);
        }
    }
    Py_DECREF(index);
    return PyErr_Occurred() ? -1 : 0;
}

// An attribute that is not there is no error; a Ctrl-C while it is looked up is.
int pv_find_attribute(PyObject *value, PyObject *name, PyObject **out)
{
    *out = PyObject_GetAttr(value, name);
    if (*out || !PyErr_ExceptionMatches(PyExc_AttributeError))
        return *out ? 0 : -1;
    PyErr_Clear();
    return 0;
}

// For a framework's stream_handle: the handle is that attribute.
int pv_stream_from_attribute(PyObject *value, PyObject *name, pixview_stream *out)
{
    PyObject *found;
    if (pv_find_attribute(value, name, &found))
        return -1;
    int rc = found ? pv_stream_from_int(found, out) : 1;
    Py_XDECREF(found);
    return rc;
}

int pv_stream_named_by_id(pv_state *st, PyObject *value, pixview_stream handle)
{
    pixview_stream id = 0;
    int rc = handle <= 2 ? 1 : pv_stream_from_attribute(value, st->s_stream_id, &id);
    return rc ? rc < 0 ? -1 : 0 : id == handle;
}

int pv_consumer_stream(pv_state *st, const pv_options *options, pixview_device device,
                       pv_stream *out)
{
    *out = (pv_stream){PIXVIEW_STREAM_NONE, NULL};
    bool host = device.type != PIXVIEW_DEVICE_CUDA && device.type != PIXVIEW_DEVICE_CUDA_MANAGED;
    if (host || options->planning)
        return 0;
    if (options->to->current_stream)
        return options->to->current_stream(st, device.id, out);
    *out = pv_end_stream(options, device.id);
    Py_XINCREF(out->object);
    return 0;
}
