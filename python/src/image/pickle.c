// SPDX-License-Identifier: Apache-2.0
// Copies of an Image as a Python object: tobytes, copy.copy, copy.deepcopy and pickle.
//
// A pickle of host memory has the pixels dense in the Image's layout, as bytes: every element type has a buffer
// then. One of device memory is a share (share.c).

#include <stdint.h>
#include <string.h>

#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "base/plain_memory.h"
#include "base/pyref.h"
#include "convert/convert.h"
#include "convert/copy.h"
#include "frameworks/table.h"
#include "image/image.h"

static int check_host(PyObject *self)
{
    if (pv_image_on_host(self))
        return 0;
    pv_raisef(
        pv_image_state(self), PIXVIEW_E_DEVICE,
        "the Image is in device memory: call tobytes() of pixview.as_numpy(image, copy=True), "
        "which downloads it");
    return -1;
}

PyObject *pv_image_tobytes(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    pv_state *st = pv_image_state(self);
    const pixview_image *image = &pv_image_of(self)->image;
    pixview_image packed = {.stream = PIXVIEW_STREAM_NONE};
    if (check_host(self))
        return NULL;
    PyObject *out = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)pixview_image_nbytes(image));
    if (!out)
        return PyErr_Format(PyExc_MemoryError, "no memory for the %lld bytes of an Image",
                            (long long)pixview_image_nbytes(image));
    if (pv_describe_packed(st, image, pv_image_of(self)->layout, PyBytes_AS_STRING(out),
                           (pixview_device){PIXVIEW_DEVICE_CPU, 0}, &packed) ||
        pv_copy_on_streams(st, image, &packed, PIXVIEW_STREAM_NONE, false, NULL))
        Py_CLEAR(out);
    return out;
}

PyObject *pv_image_copy(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    const pv_image *image = pv_image_of(self);
    return pv_image_new(pv_image_state(self), &image->image, image->layout, image->stream_object);
}

PyObject *pv_image_deepcopy(PyObject *self, PyObject *memo)
{
    (void)memo; // copy.deepcopy adds the result
    pv_options options = {.to = &pv_framework_image, .copy = 1};
    return pv_convert(pv_image_state(self), self, &options);
}

// ---- pickle -----------------------------------------------------------------------------------

// The memory of a dense Image as one row of bytes, which keeps it alive.
static PyObject *row_of_bytes(pv_state *st, const pv_image *dense)
{
    const pixview_image *image = &dense->image;
    int64_t shape[] = {1, pixview_image_nbytes(image)};
    pixview_image row;
    if (pixview_image_init(&row, image->data, 2, shape, NULL,
                           (pixview_dtype){PIXVIEW_DTYPE_UINT, 8, 1}, image->device,
                           PIXVIEW_LAYOUT_HW, &st->error)) {
        pv_fail(st);
        return NULL;
    }
    row.owner = image->owner;
    row.flags = image->flags;
    row.stream = image->stream;
    return pv_image_new(st, &row, PIXVIEW_LAYOUT_HW, NULL);
}

// Protocol 5 hands out the memory itself, unless a copy has to make it dense.
static PyObject *pickle_buffer(pv_state *st, PyObject *self)
{
    pv_options options = {.to = &pv_framework_image, .copy = -1, .contiguous = true};
    PyObject *dense = pv_convert(st, self, &options);
    PyObject *row = dense ? row_of_bytes(st, pv_image_of(dense)) : NULL;
    PyObject *buffer = row ? PyPickleBuffer_FromObject(row) : NULL;
    Py_XDECREF(row);
    Py_XDECREF(dense);
    return buffer;
}

PyObject *pv_image_reduce_ex(PyObject *self, PyObject *protocol)
{
    pv_state *st = pv_image_state(self);
    const pv_image *image = pv_image_of(self);
    long number = PyLong_AsLong(protocol);
    if (number == -1 && PyErr_Occurred())
        return NULL;
    if (!pv_image_on_host(self))
        return pv_image_reduce_by_share(self);
    int64_t shape[4], strides[4];
    int ndim = pv_image_axes(self, shape, strides);
    bool by_buffer = number >= 5 && !pixview_image_is_empty(&image->image);
    PyObject *memory = by_buffer ? pickle_buffer(st, self) : pv_image_tobytes(self, NULL);
    PyObject *make =
        memory ? PyObject_GetAttrString(PyType_GetModule(Py_TYPE(self)), "_image_from_pickle")
               : NULL;
    PyObject *out = NULL;
    if (make)
        out = Py_BuildValue("O(ONssO)", make, memory, pv_dims(ndim, shape),
                            pixview_dtype_name(image->image.dtype),
                            pixview_layout_name(image->layout),
                            image->image.flags & PIXVIEW_FLAG_READ_ONLY ? Py_True : Py_False);
    Py_XDECREF(make);
    Py_XDECREF(memory);
    return out;
}

typedef struct pickled {
    int ndim;
    int64_t shape[4];
    pixview_dtype dtype;
    pixview_layout layout;
    bool readonly;
} pickled;

static int parse_pickled(pv_state *st, PyObject *const *args, Py_ssize_t nargs, pickled *out)
{
    if (nargs != 5) {
        PyErr_SetString(PyExc_TypeError, "_image_from_pickle takes 5 arguments");
        return -1;
    }
    if (pv_parse_dims(st, "shape", args[1], 4, &out->ndim, out->shape) ||
        pv_parse_dtype(st, args[2], &out->dtype) ||
        pv_parse_layout(st, "layout", args[3], &out->layout) ||
        pv_parse_bool("readonly", args[4], &out->readonly))
        return -1;
    if (out->layout != PIXVIEW_LAYOUT_NONE)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT, "the pickle has no layout");
    return -1;
}

// Its own memory where the buffer may not be written, or lies where no element may.
static int own_memory(pv_state *st, const pickled *p, const Py_buffer *buffer, void **data,
                      pixview_owner **owner)
{
    *data = buffer->buf;
    bool aligned = (uintptr_t)buffer->buf % (uintptr_t)pixview_dtype_size(p->dtype) == 0;
    if (aligned && (p->readonly || !buffer->readonly))
        return 0;
    if (pv_allocate_bytes(st, buffer->len, (pixview_device){PIXVIEW_DEVICE_CPU, 0},
                          PIXVIEW_STREAM_NONE, owner, data))
        return -1;
    memcpy(*data, buffer->buf, (size_t)buffer->len);
    return 0;
}

static PyObject *image_over(pv_state *st, const pickled *p, PyObject *view)
{
    const Py_buffer *buffer = PyMemoryView_GET_BUFFER(view);
    pixview_owner *owner = NULL;
    pixview_image image;
    void *data;
    PyObject *out = NULL;
    if (own_memory(st, p, buffer, &data, &owner) || (!owner && !(owner = pv_pyref_owner(view)))) {
        pixview_owner_unref(owner);
        return NULL;
    }
    if (pixview_image_init(&image, data, p->ndim, p->shape, NULL, p->dtype,
                           (pixview_device){PIXVIEW_DEVICE_CPU, 0}, p->layout, &st->error)) {
        pv_fail(st);
    } else if (pixview_image_nbytes(&image) != buffer->len) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "the pickle has %zd bytes of pixels, but its shape %lld",
                  buffer->len, (long long)pixview_image_nbytes(&image));
    } else {
        image.owner = owner;
        image.flags = p->readonly ? PIXVIEW_FLAG_READ_ONLY : 0;
        image.stream = PIXVIEW_STREAM_NONE;
        out = pv_image_new(st, &image, p->layout, NULL);
    }
    pixview_owner_unref(owner);
    return out;
}

// _image_from_pickle(memory, shape, dtype, layout, readonly): what pickles call.
PyObject *pv_image_from_pickle(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    pv_state *st = pv_get_state(module);
    pickled p;
    if (parse_pickled(st, args, nargs, &p))
        return NULL;
    PyObject *view = PyMemoryView_GetContiguous(args[0], PyBUF_READ, 'C');
    PyObject *out = view ? image_over(st, &p, view) : NULL;
    Py_XDECREF(view);
    return out;
}
