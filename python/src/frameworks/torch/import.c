// SPDX-License-Identifier: Apache-2.0
// torch tensors: through the DLPack C exchange table (torch 2.10 and later), or by attributes before.
//
// The table checks nothing: a conj() or neg tensor is exported with its raw, unresolved bytes, so the
// bits are asked for here. requires_grad does not matter for reading (it is a detach()).

#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "descriptor/dlpack.h"
#include "descriptor/dlpack_abi.h"
#include "frameworks/imported.h"
#include "frameworks/torch/torch.h"

// 0: the bit is clear. Only complex tensors can be conjugated.
static int check_bit(pv_state *st, PyObject *x, PyObject *method, const char *cure)
{
    PyObject *args[] = {x};
    PyObject *set = PyObject_VectorcallMethod(method, args, 1, NULL);
    if (!set) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "%U() of a %s object fails", method,
                      Py_TYPE(x)->tp_name);
        return -1;
    }
    Py_DECREF(set); // True and False live on
    if (set == Py_False)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              "%U() is true: the tensor's memory does not hold its values; call `.%s()` first",
              method, cure);
    return -1;
}

// Lazy conjugation needs a complex tensor, lazy negation its imaginary part: a float one. Asking costs
// as much as a third of a view, so integers are not asked.
static int check_bits(pv_state *st, PyObject *x, pixview_dtype dtype)
{
    if (dtype.code != PIXVIEW_DTYPE_COMPLEX && dtype.code != PIXVIEW_DTYPE_FLOAT)
        return 0;
    if (dtype.code == PIXVIEW_DTYPE_COMPLEX && check_bit(st, x, st->s_is_conj, "resolve_conj"))
        return -1;
    return check_bit(st, x, st->s_is_neg, "resolve_neg");
}

// Of a FakeTensor, and after storage.resize_(0).
__attribute__((cold)) static int check_has_memory(pv_state *st, PyObject *x, int ndim,
                                                  const int64_t *shape)
{
    for (int i = 0; i < ndim; i++)
        if (shape[i] == 0)
            return 0;
    pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
              "this %s has no memory: either its storage was freed, or torch.compile or "
              "torch.export traces with it; call pixview outside of the traced function, or in a "
              "torch.library.custom_op with register_fake",
              Py_TYPE(x)->tp_name);
    return -1;
}

static inline int read_stream(pv_state *st, pv_imported *in)
{
    pv_stream stream = {0, NULL};
    int rc = pv_torch_current_stream(st, in->image.device.id, &stream);
    in->image.stream = stream.handle;
    in->stream_object = stream.object;
    return rc;
}

static int import_by_table(pv_state *st, PyObject *x, const DlExchange *table,
                           const pv_options *options, pv_imported *in)
{
    DlTensor t;
    if (table->dltensor_from_py(x, &t) != 0) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                      "this %s has no plain memory to view (sparse, fake or wrapped?): densify or "
                      "copy it first",
                      Py_TYPE(x)->tp_name);
        return -1;
    }
    pixviewi_tensor read;
    if (pixviewi_dltensor_read(&t, &read, &st->error)) {
        return pv_fail(st);
    }
    // A read that fails never returns 0, but does so in another file.
    // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Branch)
    if (!read.data && check_has_memory(st, x, read.ndim, read.shape))
        return -1;
    if (pv_imported_init(st, in, options, read.data, read.ndim, read.shape,
                         read.packed ? NULL : read.strides, read.dtype, read.device) ||
        (!options->again && check_bits(st, x, read.dtype))) {
        return -1;
    }
    if (t.device.type != PIXVIEW_DEVICE_CUDA)
        return 0;
    return read_stream(st, in);
}

static int tensor_dims(pv_state *st, PyObject *x, int *ndim, int64_t *shape, int64_t *strides)
{
    PyObject *sizes = PyObject_GetAttr(x, st->s_shape);
    PyObject *steps = PyObject_CallMethodNoArgs(x, st->s_stride);
    int rc = -1, same = 0;
    if (sizes && steps) {
        rc = pv_parse_dims(st, "shape", sizes, 4, ndim, shape) ||
                     pv_parse_dims(st, "stride()", steps, 4, &same, strides)
                 ? -1
                 : 0;
        if (rc == 0 && same != *ndim) { // a subclass that lies
            pv_raisef(st, PIXVIEW_E_LAYOUT, "shape has %d axes, but stride() %d", *ndim, same);
            rc = -1;
        }
    } else {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                      "this %s has no strides (sparse or wrapped?): densify or copy it first",
                      Py_TYPE(x)->tp_name);
    }
    Py_XDECREF(sizes);
    Py_XDECREF(steps);
    return rc;
}

int pv_torch_device_of(pv_state *st, PyObject *x, pixview_device *out)
{
    PyObject *device = PyObject_GetAttr(x, st->s_device);
    PyObject *type = device ? PyObject_GetAttr(device, st->s_type) : NULL;
    PyObject *index = device ? PyObject_GetAttr(device, st->s_index) : NULL;
    int rc = -1;
    if (type && index && PyUnicode_CompareWithASCIIString(type, "cpu") == 0) {
        *out = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
        rc = 0;
    } else if (type && index && PyUnicode_CompareWithASCIIString(type, "cuda") == 0) {
        *out =
            (pixview_device){PIXVIEW_DEVICE_CUDA, index == Py_None ? 0 : (int)PyLong_AsLong(index)};
        rc = 0;
    } else if (type && index) {
        pv_raisef(st, PIXVIEW_E_DEVICE, "the tensor is on %S; pixview knows cpu and cuda", device);
    }
    Py_XDECREF(device);
    Py_XDECREF(type);
    Py_XDECREF(index);
    return rc;
}

static int tensor_pointer(pv_state *st, PyObject *x, void **out)
{
    PyObject *pointer = PyObject_CallMethodNoArgs(x, st->s_data_ptr);
    if (!pointer) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                      "this %s has no plain memory to view (sparse, fake or wrapped?): densify or "
                      "copy it first",
                      Py_TYPE(x)->tp_name);
        return -1;
    }
    *out = PyLong_AsVoidPtr(pointer);
    Py_DECREF(pointer);
    return *out == NULL && PyErr_Occurred() ? -1 : 0;
}

static int read_attributes(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    int ndim;
    int64_t shape[4], strides[4];
    pixview_device device;
    pixview_dtype dtype;
    void *data;
    PyObject *type = PyObject_GetAttr(x, st->s_dtype);
    int rc = type ? pv_parse_dtype(st, type, &dtype) : -1;
    Py_XDECREF(type);
    if (rc || tensor_dims(st, x, &ndim, shape, strides) || pv_torch_device_of(st, x, &device) ||
        tensor_pointer(st, x, &data) || (!data && check_has_memory(st, x, ndim, shape))) {
        return -1;
    }
    for (int i = 0; i < ndim; i++) {
        if (shape[i] <= 1)
            strides[i] = 0;
        if (__builtin_mul_overflow(strides[i], pixview_dtype_size(dtype), &strides[i])) {
            pv_raisef(st, PIXVIEW_E_LAYOUT, "a stride of axis %d does not fit 64 bits in bytes", i);
            return -1;
        }
    }
    if (pv_imported_init(st, in, options, data, ndim, shape, strides, dtype, device) ||
        (!options->again && check_bits(st, x, dtype))) {
        return -1;
    }
    if (device.type != PIXVIEW_DEVICE_CUDA)
        return 0;
    return read_stream(st, in);
}

static int import_by_attributes(pv_state *st, PyObject *x, const pv_options *options,
                                pv_imported *in)
{
    int rc = read_attributes(st, x, options, in);
    if (rc && !PyErr_ExceptionMatches(st->Error))
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "the attributes of a %s object cannot be read",
                      Py_TYPE(x)->tp_name);
    return rc;
}

PIXVIEWI_HOT int pv_torch_import(pv_state *st, PyObject *x, const pv_options *options,
                                 pv_imported *in)
{
    const DlExchange *table = pv_torch_table(st);
    return table ? import_by_table(st, x, table, options, in)
                 : import_by_attributes(st, x, options, in);
}
