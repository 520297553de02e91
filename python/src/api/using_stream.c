// SPDX-License-Identifier: Apache-2.0
// using_stream, whose Python half is python/pixview/_using.py.

#include "api/api.h"
#include "base/errors.h"
#include "cuda/device.h"
#include "descriptor/stream.h"
#include "frameworks/stream_argument.h"
#include "frameworks/stream_life.h"

static bool is_default_stream(pixview_stream stream) { return stream <= 2; }

// (handle, device, keeper): device is None for a default stream, which is there on every GPU, and keeper
// if nothing is known to keep it.
PyObject *pv_stream_facts(PyObject *module, PyObject *value)
{
    pv_state *st = pv_get_state(module);
    pv_stream stream = {PIXVIEW_STREAM_LEGACY, NULL};
    int device = -1;
    if (value != Py_None && pv_parse_stream(st, value, &stream))
        return NULL;
    if (stream.handle == PIXVIEW_STREAM_NONE) {
        PyErr_SetString(PyExc_ValueError,
                        "stream=-1 means no ordering and is not a stream; pass 0 for the legacy "
                        "default stream");
        return NULL;
    }
    if (is_default_stream(stream.handle))
        return Py_BuildValue("Kss", (unsigned long long)pixviewi_stream_normalize(stream.handle),
                             NULL, NULL);
    if (pixviewi_cuda_stream_device(stream.handle, &device, &st->error))
        return pv_raise(st, &st->error);
    Py_XINCREF(stream.object);
    pv_stream_find_keeper(st, device, &stream);
    // Of an int that is torch's nothing has to be kept.
    return Py_BuildValue("KiN", (unsigned long long)stream.handle, device,
                         stream.object ? stream.object : Py_NewRef(value));
}

PyObject *pv_push_stream(PyObject *module, PyObject *args)
{
    PyObject *object, *device;
    unsigned long long handle;
    (void)module;
    if (!PyArg_ParseTuple(args, "KOO:_push_stream", &handle, &device, &object))
        return NULL;
    int id = device == Py_None ? -1 : (int)PyLong_AsLong(device);
    if (PyErr_Occurred())
        return NULL;
    if (pv_scope_push((pixview_stream)handle, id, object))
        return NULL;
    Py_RETURN_NONE;
}

PyObject *pv_pop_stream(PyObject *module, PyObject *ignored)
{
    (void)module, (void)ignored;
    if (pv_scope_pop())
        return NULL;
    Py_RETURN_NONE;
}
