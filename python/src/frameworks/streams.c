// Streams: what the caller passes as stream=, and what the frameworks' current streams are.

#include <string.h>

#include "base/state.h"

static int handle_from_int(PyObject *value, pixview_stream *out)
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

// The protocol of CuPy, cuda.core and newer torch: __cuda_stream__() -> (version, handle).
static int handle_from_protocol(PyObject *method, pixview_stream *out)
{
    PyObject *pair = PyObject_CallNoArgs(method);
    int rc = -1;
    if (pair && PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2) {
        rc = handle_from_int(PyTuple_GET_ITEM(pair, 1), out);
    } else if (pair) {
        pv_raise_python(PyExc_TypeError, "__cuda_stream__() gave %R instead of (version, handle)",
                        pair);
    }
    Py_XDECREF(pair);
    return rc;
}

// A stock cv2 aborts the process in Stream.cudaPtr(), so nothing of it is called there.
static int handle_from_cv2(pv_state *st, PyObject *value, PyObject *method, pixview_stream *out)
{
    pv_frameworks_find(st);
    if (st->gpumat_type && pv_gpumat_check(st))
        return -1;
    if (st->gpumat_type && !st->gpumat.cuda) {
        pv_raisef(st, PIXVIEW_E_DEVICE,
                  "stream=%R: this cv2 was built without CUDA and has no streams", value);
        return -1;
    }
    PyObject *handle = PyObject_CallNoArgs(method);
    int rc = handle ? handle_from_int(handle, out) : -1;
    Py_XDECREF(handle);
    return rc;
}

// An attribute that is not there is no error; a Ctrl-C while it is looked up is.
static PyObject *optional(PyObject *value, PyObject *name)
{
    PyObject *found = PyObject_GetAttr(value, name);
    if (!found && PyErr_ExceptionMatches(PyExc_AttributeError))
        PyErr_Clear();
    return found;
}

static int parse_stream(pv_state *st, PyObject *value, pixview_stream *out)
{
    if (PyLong_CheckExact(value))
        return handle_from_int(value, out);
    PyObject *found = optional(value, st->s___cuda_stream__);
    if (found) {
        int rc = handle_from_protocol(found, out);
        Py_DECREF(found);
        return rc;
    }
    if (PyErr_Occurred())
        return -1;
    PyObject *names[] = {st->s_cuda_stream, st->s_ptr}; // torch's and CuPy's streams
    for (int i = 0; i < 2; i++) {
        found = optional(value, names[i]);
        if (found) {
            int rc = handle_from_int(found, out);
            Py_DECREF(found);
            return rc;
        }
        if (PyErr_Occurred())
            return -1;
    }
    found = optional(value, st->s_cudaPtr);
    if (found) {
        int rc = handle_from_cv2(st, value, found, out);
        Py_DECREF(found);
        return rc;
    }
    if (PyErr_Occurred())
        return -1;
    if (PyIndex_Check(value) && !PyBool_Check(value))
        return handle_from_int(value, out);
    pv_raise_python(
        PyExc_TypeError,
        "stream=%R is not None, an integer handle, a cv2.cuda.Stream, a torch or CuPy stream, or "
        "an object with __cuda_stream__",
        value);
    return -1;
}

int pv_parse_stream(pv_state *st, PyObject *value, pixview_stream *out)
{
    if (parse_stream(st, value, out) == 0)
        return 0;
    if (!PyErr_ExceptionMatches(st->Error) && !PyErr_ExceptionMatches(PyExc_TypeError) &&
        !PyErr_ExceptionMatches(PyExc_ValueError)) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "stream=%R cannot tell its handle", value);
    }
    return -1;
}

// torch before 2.10
int pv_torch_stream_by_name(pv_state *st, int device, pixview_stream *out)
{
    PyObject *cuda = PyObject_GetAttr(st->torch, st->s_cuda);
    PyObject *stream = cuda ? PyObject_CallMethod(cuda, "current_stream", "i", device) : NULL;
    PyObject *handle = stream ? PyObject_GetAttr(stream, st->s_cuda_stream) : NULL;
    int rc = handle ? handle_from_int(handle, out) : -1;
    Py_XDECREF(handle);
    Py_XDECREF(stream);
    Py_XDECREF(cuda);
    return rc;
}

// The object is only needed to keep a stream other than the default one alive, and costs far more.
PIXVIEWI_HOT int pv_cupy_stream(pv_state *st, int device, pv_stream *out)
{
    if (PIXVIEWI_LIKELY(st->cupy_stream_handle && !st->cupy_shortcuts_off)) {
        intptr_t handle = st->cupy_stream_handle(device);
        if (PIXVIEWI_LIKELY(handle == 0 && !PyErr_Occurred())) {
            *out = (pv_stream){PIXVIEW_STREAM_LEGACY, NULL};
            return 0;
        }
        PyErr_Clear(); // get_current_stream says it in better words
    }
    PyObject *id = PyLong_FromLong(device);
    if (!id)
        return -1;
    PyObject *args[] = {st->cupy_cuda, id};
    out->object = PyObject_VectorcallMethod(st->s_get_current_stream, args, 2, NULL);
    Py_DECREF(id);
    PyObject *handle = out->object ? PyObject_GetAttr(out->object, st->s_ptr) : NULL;
    int rc = handle ? handle_from_int(handle, &out->handle) : -1;
    Py_XDECREF(handle);
    return rc;
}

int pv_work_stream(pv_state *st, pixview_device device, pv_stream *out)
{
    (void)st;
    *out = pv_default_stream(device.id);
    Py_XINCREF(out->object);
    return 0;
}

PIXVIEWI_HOT int pv_consumer_stream(pv_state *st, const pv_request *req, pixview_device device,
                                    pv_stream *out)
{
    *out = (pv_stream){PIXVIEW_STREAM_NONE, NULL};
    bool host = device.type != PIXVIEW_DEVICE_CUDA && device.type != PIXVIEW_DEVICE_CUDA_MANAGED;
    if (PIXVIEWI_UNLIKELY(host || req->planning))
        return 0;
    if (req->to == PV_TORCH)
        return pv_torch_stream(st, device.id, &out->handle);
    if (req->to == PV_CUPY)
        return pv_cupy_stream(st, device.id, out);
    *out = pv_end_stream(req, device.id);
    Py_XINCREF(out->object);
    return 0;
}
