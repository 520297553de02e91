// SPDX-License-Identifier: Apache-2.0
// __cuda_array_interface__ (versions 2 and 3) and __array_interface__ (version 3): dictionaries.
//
// Neither has an owner field: the object that showed the dictionary is held. The CUDA one has no
// device either: the driver finds the GPU of the pointer.

#include <string.h>

#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "cuda/device.h"
#include "descriptor/image_init.h"
#include "descriptor/overlap.h"
#include "frameworks/imported.h"
#include "frameworks/protocols/protocols.h"
#include "frameworks/table.h"

typedef struct {
    PyObject *shape, *typestr, *data, *strides, *stream, *mask, *offset; // borrowed; None: absent
} entries;

static const char *interface_name(bool cuda)
{
    return cuda ? "__cuda_array_interface__" : "__array_interface__";
}

static PyObject *entry(PyObject *dict, PyObject *key)
{
    PyObject *value = PyDict_GetItemWithError(dict, key); // borrowed
    return value == Py_None ? NULL : value;
}

static int read_entries(pv_state *st, PyObject *x, PyObject *interface, bool cuda, entries *out)
{
    const char *what = interface_name(cuda);
    if (!PyDict_Check(interface)) {
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED, "%s is a %s object instead of a dictionary", what,
                  Py_TYPE(interface)->tp_name);
        return -1;
    }
    *out = (entries){entry(interface, st->s_shape),  entry(interface, st->s_typestr),
                     entry(interface, st->s_data),   entry(interface, st->s_strides),
                     entry(interface, st->s_stream), entry(interface, st->s_mask),
                     entry(interface, st->s_offset)};
    if (PyErr_Occurred()) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "%s has keys that cannot be looked up", what);
        return -1;
    }
    if (out->mask) {
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
                  "%s has a mask, which pixview does not support; fill it first", what);
        return -1;
    }
    if (!out->data && !cuda && PyObject_CheckBuffer(x)) // as NumPy's protocol says
        out->data = x;
    if (out->shape && out->typestr && out->data)
        return 0;
    pv_raisef(st, PIXVIEW_E_UNSUPPORTED, "%s has no '%s'", what,
              !out->shape     ? "shape"
              : !out->typestr ? "typestr"
                              : "data");
    return -1;
}

static int parse_typestr(pv_state *st, PyObject *x, PyObject *typestr, pixview_dtype *out)
{
    Py_ssize_t length = 0;
    const char *text = PyUnicode_Check(typestr) ? PyUnicode_AsUTF8AndSize(typestr, &length) : NULL;
    if (!text || strlen(text) != (size_t)length) {
        pv_raise_from(st, PIXVIEW_E_DTYPE, "typestr is %R instead of a string", typestr);
        return -1;
    }
    if (pixview_typestr_parse(text, out, &st->error) == PIXVIEW_OK)
        return 0;
    // ml_dtypes' bfloat16 has the typestr of two raw bytes; only its dtype tells.
    PyObject *dtype = PyObject_GetAttr(x, st->s_dtype);
    bool bfloat = dtype && pv_parse_dtype(st, dtype, out) == 0 && out->code == PIXVIEW_DTYPE_BFLOAT;
    Py_XDECREF(dtype);
    PyErr_Clear();
    if (bfloat)
        return 0;
    return pv_fail(st);
}

// data is (pointer, read-only); in __array_interface__ it may be a buffer instead, whose memory a
// memoryview then keeps.
static int interface_buffer(pv_state *st, const entries *e, pv_imported *in, void **pointer,
                            bool *readonly)
{
    in->keep = PyMemoryView_FromObject(e->data);
    if (!in->keep) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "data is %R, whose buffer cannot be read",
                      e->data);
        return -1;
    }
    const Py_buffer *buffer = PyMemoryView_GET_BUFFER(in->keep);
    PyObject *index = e->offset ? pv_index(e->offset) : NULL;
    long long offset = index ? PyLong_AsLongLong(index) : 0;
    Py_XDECREF(index);
    if (PyErr_Occurred()) {
        pv_raise_from(st, PIXVIEW_E_LAYOUT, "offset=%R is not an integer of 64 bits", e->offset);
        return -1;
    }
    if (offset < 0 || offset > buffer->len || !PyBuffer_IsContiguous(buffer, 'C')) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "offset %lld into a buffer of %zd bytes%s", offset,
                  buffer->len,
                  PyBuffer_IsContiguous(buffer, 'C') ? "" : ", which is not contiguous");
        return -1;
    }
    *pointer = (char *)buffer->buf + offset;
    *readonly = buffer->readonly;
    return 0;
}

// The elements of an interface over a buffer have to lie in it.
static int check_inside(pv_state *st, const pv_imported *in)
{
    const pixview_image *image = &in->image;
    if (!in->keep || pixview_image_is_empty(image))
        return 0;
    const Py_buffer *buffer = PyMemoryView_GET_BUFFER(in->keep);
    uintptr_t begin = (uintptr_t)buffer->buf;
    pixviewi_range range = pixviewi_image_range(image);
    if (range.low >= begin && range.beyond <= begin + (uintptr_t)buffer->len)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT, "shape and strides reach bytes %zd to %zu of a buffer of %zd",
              (Py_ssize_t)(range.low - begin), (size_t)(range.beyond - begin), buffer->len);
    return -1;
}

static int interface_data(pv_state *st, const entries *e, bool cuda, pv_imported *in,
                          void **pointer, bool *readonly)
{
    PyObject *data = e->data;
    if (PyTuple_Check(data) && PyTuple_GET_SIZE(data) == 2) {
        // Not PyLong_AsVoidPtr, which takes negative numbers as well.
        PyObject *address = pv_index(PyTuple_GET_ITEM(data, 0));
        if (address)
            *pointer = (void *)(uintptr_t)PyLong_AsUnsignedLongLong(address);
        Py_XDECREF(address);
        int flag = PyErr_Occurred() ? -1 : PyObject_IsTrue(PyTuple_GET_ITEM(data, 1));
        *readonly = flag > 0;
        if (flag >= 0)
            return 0;
    } else if (!cuda && PyObject_CheckBuffer(data)) {
        return interface_buffer(st, e, in, pointer, readonly);
    }
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "data is %R instead of (address, read-only flag)",
                  data);
    return -1;
}

// 0 is not allowed (ambiguous, CUDA array interface 3), but NVIDIA's decoders write it for the legacy stream.
// Absent: nothing to wait for.
static int interface_stream(pv_state *st, PyObject *stream, pixview_stream *out)
{
    *out = PIXVIEW_STREAM_NONE;
    if (!stream)
        return 0;
    PyObject *number = pv_index(stream);
    unsigned long long handle = number ? PyLong_AsUnsignedLongLong(number) : 0;
    Py_XDECREF(number);
    if ((pixview_stream)handle != PIXVIEW_STREAM_NONE && !PyErr_Occurred()) {
        *out = (pixview_stream)handle;
        return 0;
    }
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                  "stream is %R; the CUDA array interface allows None, 1, 2 or a handle", stream);
    return -1;
}

static int interface_device(pv_state *st, bool cuda, void *data, const int64_t *shape, int ndim,
                            pixview_device *out)
{
    *out = (pixview_device){cuda ? PIXVIEW_DEVICE_CUDA : PIXVIEW_DEVICE_CPU, 0};
    bool empty = !data;
    for (int i = 0; i < ndim; i++)
        empty |= shape[i] == 0;
    if (!cuda || empty || pixviewi_cuda_pointer_device(data, &out->id, &st->error) == PIXVIEW_OK)
        return 0;
    return pv_fail(st);
}

// Strides in elements where the protocol counts bytes would show the pixels of somewhere else.
static int check_strides(pv_state *st, const char *what, int ndim, const int64_t *shape,
                         const int64_t *strides, pixview_dtype dtype)
{
    int64_t size = pixview_dtype_size(dtype), alignment = pixviewi_alignment(size);
    for (int i = 0; i < ndim; i++) {
        bool small = strides[i] > -size && strides[i] < size && strides[i] % alignment != 0;
        if (shape[i] <= 1 || !small)
            continue;
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "strides[%d]=%lld of %s is less than the %lld bytes of an element: strides count "
                  "bytes there, and these seem to count elements; pixview.from_pointer takes the "
                  "address, with strides x %lld",
                  i, (long long)strides[i], what, (long long)size, (long long)size);
        return -1;
    }
    return 0;
}

static int import_dict(pv_state *st, PyObject *x, PyObject *interface, bool cuda,
                       const pv_options *options, pv_imported *in)
{
    const char *what = interface_name(cuda);
    entries e;
    pixview_dtype dtype;
    pixview_device device;
    pixview_stream stream;
    void *data = NULL;
    bool readonly = false;
    int ndim, same = -1;
    int64_t shape[4], strides[4];
    if (read_entries(st, x, interface, cuda, &e) || parse_typestr(st, x, e.typestr, &dtype) ||
        pv_parse_dims(st, "shape", e.shape, 4, &ndim, shape) ||
        (e.strides && pv_parse_dims(st, "strides", e.strides, 4, &same, strides)) ||
        interface_data(st, &e, cuda, in, &data, &readonly) ||
        interface_stream(st, cuda ? e.stream : NULL, &stream) ||
        interface_device(st, cuda, data, shape, ndim, &device)) {
        return -1;
    }
    if (e.strides && same != ndim) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "%s has %d extents but %d strides", what, ndim, same);
        return -1;
    }
    if ((e.strides && check_strides(st, what, ndim, shape, strides, dtype)) ||
        pv_imported_init(st, in, options, data, ndim, shape, e.strides ? strides : NULL, dtype,
                         device)) {
        return -1;
    }
    in->image.stream = stream;
    if (stream != PIXVIEW_STREAM_NONE)
        in->stream_object = Py_NewRef(PV_UNKEPT); // a handle is all that the interface has
    if (readonly)
        in->image.flags |= PIXVIEW_FLAG_READ_ONLY;
    return check_inside(st, in);
}

// Of a copy: its entries must not go away when reading one of them runs code of the object's.
int pv_import_interface(pv_state *st, PyObject *x, PyObject *interface, bool cuda,
                        const pv_options *options, pv_imported *in)
{
    PyObject *copy = PyDict_Check(interface) ? PyDict_Copy(interface) : Py_NewRef(interface);
    if (!copy) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "the interface of a %s object cannot be read",
                      Py_TYPE(x)->tp_name);
        return -1;
    }
    int rc = import_dict(st, x, copy, cuda, options, in);
    Py_DECREF(copy);
    return rc;
}
