// The stream of an end that has none of its own, where the caller does not pass one: the legacy default
// stream, or that of the using_stream block that this thread is in.

#include <stdlib.h>

#include "base/state.h"

typedef struct block {
    pixview_stream handle;
    int device; // that the stream belongs to; -1: any, a default stream
    PyObject *object;
    struct block *outer;
} block;

// Blocks of all threads: while there is none, nobody looks at the thread's own.
atomic_int pv_stream_blocks;

static _Thread_local block *innermost;

pv_stream pv_block_stream(int device)
{
    const block *mine = innermost;
    bool fits = mine && (device < 0 || mine->device < 0 || mine->device == device);
    return fits ? (pv_stream){mine->handle, mine->object}
                : (pv_stream){PIXVIEW_STREAM_LEGACY, NULL};
}

static bool is_default(pixview_stream stream) { return stream <= 2; }

// (handle, device): device is None for a default stream, which is there on every GPU.
PyObject *pv_stream_facts(PyObject *module, PyObject *value)
{
    pv_state *st = pv_get_state(module);
    pixview_stream stream = PIXVIEW_STREAM_LEGACY;
    pixview_error err;
    int device = -1;
    if (value != Py_None && pv_parse_stream(st, value, &stream))
        return NULL;
    if (stream == PIXVIEW_STREAM_NONE) {
        PyErr_SetString(PyExc_ValueError,
                        "stream=-1 means no ordering; it is no stream to work on (0 is the legacy "
                        "default stream)");
        return NULL;
    }
    if (is_default(stream))
        return Py_BuildValue("Ks", (unsigned long long)(stream == 1 ? 0 : stream), NULL);
    if (pixviewi_cuda_stream_device(stream, &device, &err))
        return pv_raise(st, &err);
    return Py_BuildValue("Ki", (unsigned long long)stream, device);
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
    block *made = malloc(sizeof *made);
    if (!made)
        return PyErr_NoMemory();
    bool keep = object != Py_None && !PyLong_Check(object); // an int is the caller's to keep
    *made = (block){(pixview_stream)handle, id, keep ? Py_NewRef(object) : NULL, innermost};
    innermost = made;
    atomic_fetch_add_explicit(&pv_stream_blocks, 1, memory_order_relaxed);
    Py_RETURN_NONE;
}

PyObject *pv_pop_stream(PyObject *module, PyObject *ignored)
{
    (void)module, (void)ignored;
    block *mine = innermost;
    if (!mine) {
        PyErr_SetString(PyExc_RuntimeError,
                        "using_stream is left on a thread that did not enter it");
        return NULL;
    }
    innermost = mine->outer;
    atomic_fetch_sub_explicit(&pv_stream_blocks, 1, memory_order_relaxed);
    Py_XDECREF(mine->object);
    free(mine);
    Py_RETURN_NONE;
}

// ---- stream_of ------------------------------------------------------------------------------------

static int not_on_host(pv_state *st, pixview_device device, int *out)
{
    *out = device.id;
    if (device.type == PIXVIEW_DEVICE_CUDA || device.type == PIXVIEW_DEVICE_CUDA_MANAGED)
        return 0;
    pv_raisef(st, PIXVIEW_E_DEVICE, "x is in host memory, on which no stream works");
    return -1;
}

// By the import adapters, which read images only.
static int import(pv_state *st, PyObject *x, pixview_image *out)
{
    pv_request req = {.to = PV_IMAGE, .copy = -1, .planning = true};
    pv_source src;
    pv_source_begin(&src, x);
    int rc = pv_import(st, x, &req, &src);
    *out = src.image;
    pv_source_clear(&src);
    return rc;
}

int pv_gpu_of(pv_state *st, pv_kind kind, PyObject *x, int *out)
{
    pixview_device device = {PIXVIEW_DEVICE_CUDA, 0};
    if (kind == PV_TORCH)
        return pv_tensor_device(st, x, &device) ? -1 : not_on_host(st, device, out);
    if (kind == PV_CUPY) {
        PyObject *pointer = PyObject_GetAttr(x, st->s_data);
        PyObject *id = pointer ? PyObject_GetAttr(pointer, st->s_device_id) : NULL;
        *out = id ? (int)PyLong_AsLong(id) : 0;
        Py_XDECREF(pointer);
        Py_XDECREF(id);
        return PyErr_Occurred() ? -1 : 0;
    }
    pixview_image image;
    return import(st, x, &image) ? -1 : not_on_host(st, image.device, out);
}

static int stream_of(pv_state *st, PyObject *x, pixview_stream *out)
{
    pv_kind kind = pv_kind_of(st, x);
    pixview_image image;
    int device;
    if (kind != PV_TORCH && kind != PV_CUPY) {
        if (import(st, x, &image) || not_on_host(st, image.device, &device))
            return -1;
        *out = image.stream;
        return 0;
    }
    if (pv_gpu_of(st, kind, x, &device))
        return -1;
    if (kind == PV_TORCH)
        return pv_torch_stream(st, device, out);
    pv_stream stream = {0, NULL};
    int rc = pv_cupy_stream(st, device, &stream);
    *out = stream.handle;
    Py_XDECREF(stream.object);
    return rc;
}

PyObject *pv_stream_of(PyObject *module, PyObject *x)
{
    pv_state *st = pv_get_state(module);
    pixview_stream stream;
    if (stream_of(st, x, &stream))
        return NULL;
    if (stream == PIXVIEW_STREAM_NONE)
        return PyLong_FromLong(-1);
    return PyLong_FromUnsignedLongLong(stream == 1 ? 0 : stream);
}

// ---- warm_up --------------------------------------------------------------------------------------

PyObject *pv_warm_up(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    pv_state *st = pv_get_state(module);
    PyObject *value = NULL;
    const pv_keyword keywords[] = {{"device", &value}};
    pixview_device device = {PIXVIEW_DEVICE_CUDA, 0};
    pixview_error err;
    pixview_status status;
    if (nargs == 0 && !kwnames)
        value = Py_None;
    if (pv_parse_args("warm_up", args, nargs, kwnames, 1, keywords, 1) ||
        (value != Py_None && pv_parse_device(value, &device))) {
        return NULL;
    }
    if (device.type != PIXVIEW_DEVICE_CUDA)
        return pv_raisef(st, PIXVIEW_E_DEVICE, "device=%R: only a GPU can be warmed up", value);
    pv_frameworks_find(st);
    if (st->gpumat_type && pv_gpumat_check(st))
        return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = pixviewi_cuda_warm_up(device.id, &err);
    Py_END_ALLOW_THREADS;
    if (status)
        return pv_raise(st, &err);
    Py_RETURN_NONE;
}
