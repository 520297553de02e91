// SPDX-License-Identifier: Apache-2.0
// The buffer protocol of Images in host memory (PEP 3118).

#include "base/dtypes.h"
#include "image/image.h"

typedef struct buffer_dims {
    Py_ssize_t shape[4], strides[4];
} buffer_dims;

static bool meets_order(const Py_buffer *view, int flags)
{
    static const struct {
        int flag;
        char order;
    } orders[] = {
        {PyBUF_C_CONTIGUOUS, 'C'}, {PyBUF_F_CONTIGUOUS, 'F'}, {PyBUF_ANY_CONTIGUOUS, 'A'}};
    for (int i = 0; i < 3; i++) {
        if ((flags & orders[i].flag) == orders[i].flag &&
            !PyBuffer_IsContiguous(view, orders[i].order))
            return false;
    }
    return true;
}

int pv_image_getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    const pixview_image *image = &pv_image_of(self)->image;
    const char *format = pv_dtype_format(image->dtype);
    view->obj = NULL;
    if (!pv_image_on_host(self) || !format) {
        PyErr_Format(PyExc_BufferError, !format
                                            ? "bfloat16 has no buffer format; use DLPack"
                                            : "the Image is in device memory: "
                                              "pixview.as_numpy(image, copy=True) downloads it");
        return -1;
    }
    bool readonly = image->flags & PIXVIEW_FLAG_READ_ONLY;
    bool packed = pixview_image_is_packed(image, pv_image_of(self)->layout);
    if ((flags & PyBUF_WRITABLE) && readonly) {
        PyErr_SetString(PyExc_BufferError, "the Image is read-only");
        return -1;
    }
    if (!packed && (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
        PyErr_SetString(PyExc_BufferError,
                        "the Image has strides, which this consumer does not accept; copy it "
                        "first");
        return -1;
    }
    buffer_dims *dims = PyMem_Malloc(sizeof *dims);
    if (!dims) {
        PyErr_Format(PyExc_MemoryError, "no memory for a buffer's shape (%zu bytes)", sizeof *dims);
        return -1;
    }
    int64_t shape[4], strides[4];
    int ndim = pv_image_axes(self, shape, strides);
    for (int i = 0; i < ndim; i++) {
        dims->shape[i] = shape[i];
        dims->strides[i] = strides[i];
    }
    *view = (Py_buffer){.buf = image->data,
                        .obj = NULL,
                        .len = pixview_image_nbytes(image),
                        .itemsize = pixview_dtype_size(image->dtype),
                        .readonly = readonly,
                        .ndim = ndim,
                        .format = (char *)format,
                        .shape = dims->shape,
                        .strides = dims->strides,
                        .internal = dims};
    if (!meets_order(view, flags)) {
        PyMem_Free(dims);
        PyErr_SetString(PyExc_BufferError, "the Image is not contiguous in the requested order; "
                                           "copy it first");
        return -1;
    }
    if ((flags & PyBUF_FORMAT) != PyBUF_FORMAT)
        view->format = NULL;
    if ((flags & PyBUF_ND) != PyBUF_ND) { // plain bytes, one after the other
        view->shape = NULL;
        view->ndim = 1;
    }
    if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES)
        view->strides = NULL;
    view->obj = Py_NewRef(self);
    return 0;
}

void pv_image_releasebuffer(PyObject *self, Py_buffer *view)
{
    (void)self;
    PyMem_Free(view->internal);
}
