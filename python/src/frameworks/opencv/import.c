// SPDX-License-Identifier: Apache-2.0
// cv2.cuda.GpuMat: read in place after the self-check, by cv2's public calls otherwise.

#include "base/errors.h"
#include "cuda/device.h"
#include "descriptor/image.h"
#include "descriptor/image_init.h"
#include "frameworks/opencv/opencv.h"
#include "frameworks/streams.h"

typedef struct {
    int rows, cols, type;
    int64_t step; // bytes
    void *data;
} fields;

static inline int read_gpumat_struct(pv_state *st, PyObject *x, fields *out, pv_imported *in)
{
    const pv_gpumat *g = pv_gpumat_header(x);
    if (!g) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "the GpuMat was made without __init__ and has no header");
        return -1;
    }
    *out = (fields){g->rows, g->cols, g->flags & PV_GPUMAT_TYPE_MASK, (int64_t)g->step, g->data};
    if (g->allocator != pv_gpumat_abi_of(st)->default_allocator && g->refcount &&
        g->allocator != &pv_gpumat_our_allocator) {
        in->copy_reason =
            "the GpuMat's memory belongs to a BufferPool, which takes it back with its stream";
    }
    return 0;
}

static int call_for_int(PyObject *x, const char *method, int *out)
{
    PyObject *value = PyObject_CallMethod(x, method, NULL);
    *out = value ? (int)PyLong_AsLong(value) : -1;
    Py_XDECREF(value);
    return PyErr_Occurred() ? -1 : 0;
}

static int read_public(pv_state *st, PyObject *x, fields *out)
{
    PyObject *size = PyObject_CallMethodNoArgs(x, st->s_size);
    int rc = size && PyArg_ParseTuple(size, "ii", &out->cols, &out->rows) ? 0 : -1;
    Py_XDECREF(size);
    PyObject *step = rc ? NULL : PyObject_GetAttr(x, st->s_step);
    PyObject *data = rc ? NULL : PyObject_CallMethodNoArgs(x, st->s_cudaPtr);
    if (step && data) {
        out->step = PyLong_AsLongLong(step);
        out->data = PyLong_AsVoidPtr(data);
    }
    Py_XDECREF(step);
    Py_XDECREF(data);
    if (PyErr_Occurred() || call_for_int(x, "type", &out->type)) {
        pv_raise_from(st, PIXVIEW_E_LAYOUT, "the GpuMat cannot be read by cv2's public calls");
        return -1;
    }
    return 0;
}

// A GpuMat cannot be mistaken: it is H,W,C, or H,W with one channel.
static int resolve_gpumat_layout(pv_state *st, const pv_options *options, int channels,
                                 pixview_layout *out)
{
    *out = options->src_layout;
    if (*out == PIXVIEW_LAYOUT_NONE)
        *out = channels == 1 ? PIXVIEW_LAYOUT_HW : PIXVIEW_LAYOUT_HWC;
    if (*out == PIXVIEW_LAYOUT_HWC || (*out == PIXVIEW_LAYOUT_HW && channels == 1))
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT, "src_layout='%s', but a GpuMat of %d channels is HWC%s",
              pixview_layout_name(*out), channels, channels == 1 ? " or HW" : "");
    return -1;
}

__attribute__((noinline, cold)) static int raise_empty(pv_state *st)
{
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              "the GpuMat is empty (0 x 0, no memory): it was released, or not filled yet; %s",
              pv_gpumat_abi_of(st)->cuda
                  ? "upload() or create() fills it"
                  : "this OpenCV is built without CUDA and cannot fill it; docs/opencv-cuda.md "
                    "of pixview builds one that can");
    return -1;
}

// -1: raised.
static inline int gpumat_device(pv_state *st, const fields *f)
{
    int device = 0;
    bool empty = f->rows == 0 || f->cols == 0;
    if (empty && !f->data && f->rows == f->cols)
        return raise_empty(st);
    if (empty || !pixviewi_cuda_pointer_device(f->data, &device, &st->error)) {
        return device;
    }
    return pv_fail(st);
}

// By value, so that the usual path has none of it in memory.
__attribute__((noinline, cold)) static int init_unusual(pv_state *st, fields f, pixview_dtype dtype,
                                                        int device, int channels, pv_imported *in)
{
    int64_t size = dtype.bits / 8;
    int64_t shape[3] = {f.rows, f.cols, channels};
    int64_t strides[3] = {f.step, channels * size, size};
    if (pixviewi_image_init_unaligned(&in->image, f.data, 3, shape, strides, dtype,
                                      (pixview_device){PIXVIEW_DEVICE_CUDA, device},
                                      PIXVIEW_LAYOUT_HWC, &st->error))
        return pv_fail(st);
    in->unaligned =
        pixviewi_image_check_aligned(&in->image, PIXVIEW_LAYOUT_HWC, NULL) != PIXVIEW_OK;
    return 0;
}

static inline int init_from_header(pv_state *st, const fields *f, const pv_options *options,
                                   pv_imported *in)
{
    const pv_gpumat_abi *abi = pv_gpumat_abi_of(st);
    pixview_dtype dtype;
    int depth = f->type & ((1 << abi->cn_shift) - 1), channels = (f->type >> abi->cn_shift) + 1;
    if (!pv_gpumat_dtype(abi, depth, &dtype)) {
        pv_raisef(st, PIXVIEW_E_DTYPE,
                  "the GpuMat's type %d has depth %d, which pixview does not know", f->type, depth);
        return -1;
    }
    int device = gpumat_device(st, f);
    if (device < 0 || resolve_gpumat_layout(st, options, channels, &in->layout))
        return -1;
    int64_t size = dtype.bits / 8;
    int64_t shape[3] = {f->rows, f->cols, channels};
    int64_t strides[3] = {f->step, channels * size, size};
    // HW is HWC with one channel.
    if (!pixviewi_init_common(&in->image, f->data, shape, strides, dtype, size,
                              (pixview_device){PIXVIEW_DEVICE_CUDA, device}, PIXVIEW_LAYOUT_HWC) &&
        init_unusual(st, *f, dtype, device, channels, in)) {
        return -1;
    }
    pv_stream stream = pv_end_stream(options, in->image.device.id);
    in->image.stream = stream.handle;
    in->stream_object = Py_XNewRef(stream.object);
    in->stream_from_caller = true;
    return 0;
}

__attribute__((noinline)) static int import_public(pv_state *st, PyObject *x,
                                                   const pv_options *options, pv_imported *in)
{
    fields f;
    return read_public(st, x, &f) || init_from_header(st, &f, options, in) ? -1 : 0;
}

PIXVIEWI_HOT int pv_gpumat_import(pv_state *st, PyObject *x, const pv_options *options,
                                  pv_imported *in)
{
    fields f;
    if (!pv_gpumat_abi_of(st)->checked && pv_gpumat_check(st))
        return -1;
    if (!pv_gpumat_in_place(st))
        return import_public(st, x, options, in);
    return read_gpumat_struct(st, x, &f, in) || init_from_header(st, &f, options, in) ? -1 : 0;
}

int pv_gpumat_batch_key(pv_state *st, PyObject *x, const pixview_image *image)
{
    const int64_t most = 1 << 16; // with which no offset can overflow below
    bool usual = Py_TYPE(x) == st->framework_type[PV_GPUMAT] && pv_gpumat_in_place(st) &&
                 !pixview_image_is_empty(image) && image->shape[PIXVIEW_AXIS_H] <= most &&
                 image->shape[PIXVIEW_AXIS_W] <= most;
    return usual ? pv_gpumat_header(x)->flags & PV_GPUMAT_TYPE_MASK : -1;
}

static bool import_one_alike(pv_state *st, PyObject *x, int key, const pixview_image *like,
                             pixview_image *out)
{
    if (Py_TYPE(x) != st->framework_type[PV_GPUMAT])
        return false;
    const pv_gpumat *g = pv_gpumat_header(x);
    if (!g || (g->flags & PV_GPUMAT_TYPE_MASK) != key || g->rows != like->shape[PIXVIEW_AXIS_H] ||
        g->cols != like->shape[PIXVIEW_AXIS_W])
        return false;
    uint64_t step = g->step, address = (uintptr_t)g->data;
    uint64_t odd = (uint64_t)pixviewi_alignment(pixviewi_itemsize(like)) - 1;
    int device;
    if ((step >> 40 | (address - 1) >> 62 | ((step | address) & odd)) != 0 ||
        pixviewi_cuda_pointer_device(g->data, &device, NULL) || device != like->device.id)
        return false;
    *out = *like;
    out->data = g->data;
    if (g->rows > 1)
        out->strides[PIXVIEW_AXIS_H] = (int64_t)step;
    return true;
}

Py_ssize_t pv_gpumat_import_alike(pv_state *st, PyObject *const *items, Py_ssize_t count, int key,
                                  const pixview_image *like, pixview_image *out)
{
    Py_ssize_t n = 0;
    while (n < count && import_one_alike(st, items[n], key, like, &out[n]))
        n++;
    return n;
}
