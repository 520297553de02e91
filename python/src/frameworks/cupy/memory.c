// SPDX-License-Identifier: Apache-2.0
// Memory of CuPy's pool: arrays, and bytes for the results of others.

#include "base/errors.h"
#include "base/pyref.h"
#include "cuda/device.h"
#include "frameworks/array.h"
#include "frameworks/cupy/cupy.h"

// CuPy allocates on its current device, so that is switched for the call.
static PyObject *empty_on_device(pv_state *st, const pixview_device *device, int ndim,
                                 const int64_t *shape, pixview_dtype dtype)
{
    if (!device)
        return pv_array_empty(st, pv_cupy_of(st)->module, ndim, shape, dtype);
    PyObject *scope = PyObject_CallMethod(pv_cupy_of(st)->cuda, "Device", "i", device->id);
    PyObject *entered = scope ? PyObject_CallMethodNoArgs(scope, st->s___enter__) : NULL;
    PyObject *array =
        entered ? pv_array_empty(st, pv_cupy_of(st)->module, ndim, shape, dtype) : NULL;
    if (entered) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyObject *left = PyObject_CallMethod(scope, "__exit__", "OOO", Py_None, Py_None, Py_None);
        Py_XDECREF(left);
        if (type || left)
            PyErr_Restore(type, value, traceback);
    }
    Py_XDECREF(entered);
    Py_XDECREF(scope);
    return array;
}

typedef struct empty_call {
    pv_state *st;
    const pixview_device *device;
    int ndim;
    const int64_t *shape;
    pixview_dtype dtype;
    PyObject *array;
} empty_call;

static void call_empty(void *arg)
{
    empty_call *c = arg;
    c->array = empty_on_device(c->st, c->device, c->ndim, c->shape, c->dtype);
}

// CuPy's pool may call cudaMalloc, which breaks a graph capture of torch's outside of relaxed mode.
static PyObject *cupy_empty(pv_state *st, const pixview_device *device, int ndim,
                            const int64_t *shape, pixview_dtype dtype)
{
    empty_call call = {st, device, ndim, shape, dtype, NULL};
    if (device)
        pixviewi_cuda_with_device(device->id, call_empty, &call);
    else
        call_empty(&call);
    return call.array;
}

int pv_cupy_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                     const pv_plan *plan, pv_allocation *out)
{
    (void)options;
    int ndim;
    int64_t shape[4], strides[4];
    if (pixview_image_axes(&like->image, plan->layout, &ndim, shape, strides, &st->error))
        return pv_fail(st);
    bool upload = pixview_image_on_host(&like->image);
    out->object =
        cupy_empty(st, upload ? NULL : &like->image.device, ndim, shape, like->image.dtype);
    return out->object ? pv_array_describe(st, pv_cupy_import, like, plan, ndim, out) : -1;
}

int pv_cupy_allocate_bytes(pv_state *st, int device, int64_t nbytes, pv_allocation *out,
                           void **data)
{
    const pixview_device gpu = {PIXVIEW_DEVICE_CUDA, device};
    const int64_t shape[] = {nbytes, 1};
    pixview_image bytes;
    PyObject *array = cupy_empty(st, &gpu, 2, shape, (pixview_dtype){PIXVIEW_DTYPE_UINT, 8, 1});
    if (array && pv_array_memory(st, pv_cupy_import, array, 2, &bytes, &out->stream_object) == 0) {
        out->image.owner = pv_pyref_owner(array);
        *data = bytes.data;
        out->image.stream = bytes.stream;
    }
    Py_XDECREF(array);
    return out->image.owner ? 0 : -1;
}
