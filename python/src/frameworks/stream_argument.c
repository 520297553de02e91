// SPDX-License-Identifier: Apache-2.0
#include "frameworks/stream_argument.h"

#include "base/args.h"
#include "base/errors.h"
#include "frameworks/stream_life.h"
#include "frameworks/streams.h"
#include "frameworks/table.h"

// The protocol of CuPy, cuda.core and newer torch: __cuda_stream__() -> (version, handle).
static int handle_from_protocol(PyObject *method, pixview_stream *out)
{
    if (!PyCallable_Check(method)) {
        pv_raise_python(PyExc_TypeError, "__cuda_stream__ is %R instead of a method", method);
        return -1;
    }
    PyObject *pair = PyObject_CallNoArgs(method);
    int rc = -1;
    if (pair && PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2 &&
        PyIndex_Check(PyTuple_GET_ITEM(pair, 1))) {
        rc = pv_stream_from_int(PyTuple_GET_ITEM(pair, 1), out);
    } else if (pair) {
        pv_raise_python(PyExc_TypeError,
                        "__cuda_stream__() gave %R instead of (version, handle), two integers",
                        pair);
    }
    Py_XDECREF(pair);
    return rc;
}

// Of a framework's own stream type. 1: it is none of theirs.
static int handle_from_framework(pv_state *st, PyObject *value, pixview_stream *out)
{
    int rc = 1;
    pv_frameworks_find(st);
    for (int i = 0; i < PV_FRAMEWORK_COUNT && rc == 1; i++)
        if (pv_frameworks[i]->stream_handle)
            rc = pv_frameworks[i]->stream_handle(st, value, out);
    return rc;
}

static int stream_handle(pv_state *st, PyObject *value, pixview_stream *out, bool *is_object)
{
    *is_object = false;
    if (PyLong_CheckExact(value))
        return pv_stream_from_int(value, out);
    PyObject *method;
    if (pv_find_attribute(value, st->s___cuda_stream__, &method))
        return -1;
    int rc = method ? handle_from_protocol(method, out) : handle_from_framework(st, value, out);
    Py_XDECREF(method);
    *is_object = rc != 1;
    if (rc != 1)
        return rc;
    if (PyIndex_Check(value) && !PyBool_Check(value))
        return pv_stream_from_int(value, out);
    pv_raise_python(
        PyExc_TypeError,
        "stream=%R is not None, an integer handle, a cv2.cuda.Stream, a torch or CuPy stream, or "
        "an object with __cuda_stream__",
        value);
    return -1;
}

int pv_parse_stream(pv_state *st, PyObject *value, pv_stream *out)
{
    bool is_object;
    int rc = stream_handle(st, value, &out->handle, &is_object), named = !is_object;
    if (rc == 0 && is_object)
        rc = named = pv_stream_only_named(st, value, out->handle);
    if (rc >= 0) {
        out->object = named ? PV_UNKEPT : value;
        return 0;
    }
    if (!PyErr_ExceptionMatches(st->Error) && !PyErr_ExceptionMatches(PyExc_TypeError) &&
        !PyErr_ExceptionMatches(PyExc_ValueError)) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "stream=%R has a handle that cannot be read",
                      value);
    }
    return -1;
}

int pv_parse_stream_option(pv_state *st, PyObject *value, pv_options *options)
{
    options->has_stream = pv_given(value);
    pv_stream stream = {PIXVIEW_STREAM_LEGACY, NULL};
    int rc = options->has_stream ? pv_parse_stream(st, value, &stream) : 0;
    options->stream = stream.handle;
    options->stream_object = stream.object;
    return rc;
}
