// SPDX-License-Identifier: Apache-2.0
// Memory of torch's allocator: tensors, and bytes for the results of others.

#include "base/args.h"
#include "base/errors.h"
#include "base/plain_memory.h"
#include "descriptor/dlpack_abi.h"
#include "descriptor/status.h"
#include "frameworks/torch/torch.h"

static void set_torch_error(void *ctx, const char *kind, const char *message)
{
    (void)kind;
    pixviewi_fail(ctx, PIXVIEW_E_MEMORY, "%s", message ? message : "torch cannot allocate");
}

static int allocate_managed(pv_state *st, int ndim, const int64_t *shape, pixview_dtype dtype,
                            pixview_device device, DlManaged **out)
{
    DlTensor prototype = {.device = {device.type, device.id},
                          .ndim = ndim,
                          .dtype = {dtype.code, dtype.bits, dtype.lanes},
                          .shape = (int64_t *)shape};
    pixview_error err = {.code = PIXVIEW_OK};
    if (pv_torch_table(st)->allocator(&prototype, out, &err, set_torch_error) == 0)
        return 0;
    if (PyErr_Occurred())
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "torch cannot allocate this result");
    else
        PyErr_SetString(PyExc_MemoryError, err.code ? err.message : "torch cannot allocate");
    return -1;
}

// Inside FakeTensorMode, as torch.compile and torch.export use it.
__attribute__((cold)) static int refuse_without_memory(pv_state *st)
{
    pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
              "torch made a tensor without memory for this result, as it does where torch.compile "
              "or torch.export traces; call pixview outside of the traced function, or in a "
              "torch.library.custom_op with register_fake");
    return -1;
}

// torch before 2.10: torch.empty, read back by its attributes.
static int torch_empty(pv_state *st, int ndim, const int64_t *shape, pixview_dtype dtype,
                       pixview_device device, PyObject **object, void **data)
{
    PyObject *size = pv_dims(ndim, shape);
    PyObject *type = PyObject_GetAttrString(pv_torch_of(st)->module, pixview_dtype_name(dtype));
    PyObject *where = device.type == PIXVIEW_DEVICE_CPU
                          ? PyUnicode_FromString("cpu")
                          : PyUnicode_FromFormat("cuda:%d", device.id);
    PyObject *kwargs =
        type && where ? Py_BuildValue("{sOsO}", "dtype", type, "device", where) : NULL;
    PyObject *empty = PyObject_GetAttr(pv_torch_of(st)->module, st->s_empty);
    PyObject *args = size ? PyTuple_Pack(1, size) : NULL;
    *object = kwargs && empty && args ? PyObject_Call(empty, args, kwargs) : NULL;
    PyObject *pointer = *object ? PyObject_CallMethodNoArgs(*object, st->s_data_ptr) : NULL;
    if (pointer)
        *data = PyLong_AsVoidPtr(pointer);
    if (args && empty && !*object)
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "torch cannot allocate this result");
    Py_XDECREF(pointer);
    Py_XDECREF(args);
    Py_XDECREF(empty);
    Py_XDECREF(kwargs);
    Py_XDECREF(where);
    Py_XDECREF(type);
    Py_XDECREF(size);
    return pointer ? 0 : -1;
}

// A finished tensor, and the address of its memory.
static int new_tensor(pv_state *st, int ndim, const int64_t *shape, pixview_dtype dtype,
                      pixview_device device, PyObject **object, void **data)
{
    DlManaged *managed;
    if (!pv_torch_table(st))
        return torch_empty(st, ndim, shape, dtype, device, object, data);
    if (allocate_managed(st, ndim, shape, dtype, device, &managed))
        return -1;
    *data = managed->tensor.data;
    *object = pv_torch_tensor_take(st, managed);
    return *object ? 0 : -1;
}

// Memory goes back to the stream that is torch's current one now.
static int stream_of_memory(pv_state *st, int device, pv_allocation *out)
{
    pv_stream stream = {0, NULL};
    int rc = pv_torch_current_stream(st, device, &stream);
    out->image.stream = stream.handle;
    Py_XSETREF(out->stream_object, stream.object);
    return rc;
}

int pv_torch_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                      const pv_plan *plan, pv_allocation *out)
{
    (void)options;
    int ndim;
    int64_t shape[4], strides[4];
    pixview_device device = like->image.device;
    void *data;
    if (pixview_image_on_host(&like->image))
        device = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
    if (device.type == PIXVIEW_DEVICE_CUDA_MANAGED)
        device.type = PIXVIEW_DEVICE_CUDA;
    if (pixview_image_axes(&like->image, plan->layout, &ndim, shape, strides, &st->error)) {
        return pv_fail(st);
    }
    if (new_tensor(st, ndim, shape, like->image.dtype, device, &out->object, &data) ||
        (!data && !pixview_image_is_empty(&like->image) && refuse_without_memory(st)) ||
        pv_describe_packed(st, &like->image, plan->layout, data, device, &out->image))
        return -1;
    if (device.type == PIXVIEW_DEVICE_CPU)
        return 0;
    return stream_of_memory(st, device.id, out);
}

// The bytes of a tensor, which is what the table allocates.
static int tensor_bytes(pv_state *st, int64_t nbytes, pixview_device device, pixview_owner **owner,
                        void **data)
{
    int64_t shape[] = {nbytes, 1};
    DlManaged *managed;
    pixview_image bytes;
    if (allocate_managed(st, 2, shape, (pixview_dtype){PIXVIEW_DTYPE_UINT, 8, 1}, device, &managed))
        return -1;
    if (pixview_image_from_dlpack_take(managed, PIXVIEW_LAYOUT_HW, &bytes, &st->error)) {
        pv_fail(st); // first: the deleter may run Python, which overwrites st->error
        if (managed->deleter)
            managed->deleter(managed);
        return -1;
    }
    pv_torch_of(st)->shim.ready = true;
    *owner = bytes.owner;
    *data = bytes.data;
    return 0;
}

int pv_torch_allocate_bytes(pv_state *st, int device, int64_t nbytes, pv_allocation *out,
                            void **data)
{
    pixview_owner **owner = &out->image.owner;
    if (!pv_torch_table(st))
        return 0;
    if (!pv_torch_shim_allocate(st, device, nbytes, owner, data) &&
        tensor_bytes(st, nbytes, (pixview_device){PIXVIEW_DEVICE_CUDA, device}, owner, data)) {
        return -1;
    }
    return stream_of_memory(st, device, out);
}
