// SPDX-License-Identifier: Apache-2.0
// Memory for a GpuMat: of the source's framework, of OpenCV's allocator, or of the driver.

#include "base/errors.h"
#include "base/plain_memory.h"
#include "cuda/device.h"
#include "frameworks/imported.h"
#include "frameworks/opencv/opencv.h"
#include "frameworks/stream_life.h"
#include "frameworks/streams.h"

typedef struct gpumat_call {
    pv_state *st;
    int rows, cols, type;
    PyObject *out;
} gpumat_call;

static void call_gpumat(void *arg)
{
    gpumat_call *c = arg;
    c->out = PyObject_CallFunction((PyObject *)c->st->framework_type[PV_GPUMAT], "iii", c->rows,
                                   c->cols, c->type);
}

// By OpenCV's own allocator, on the source's GPU, or for an upload on the current one.
static int allocate_by_opencv(pv_state *st, const pv_imported *in, int type, pv_allocation *out)
{
    gpumat_call call = {st, (int)in->image.shape[PIXVIEW_AXIS_H],
                        (int)in->image.shape[PIXVIEW_AXIS_W], type, NULL};
    if (pixview_image_on_host(&in->image)) {
        call_gpumat(&call);
    } else {
        pixviewi_cuda_with_device(in->image.device.id, call_gpumat, &call);
    }
    out->object = call.out;
    if (!out->object) {
        pv_raise_from(st, PIXVIEW_E_DEVICE, "OpenCV cannot allocate a GpuMat of %d x %d", call.rows,
                      call.cols);
        return -1;
    }
    pv_options as_is = {.copy = -1};
    pv_imported made;
    pv_imported_begin(&made, out->object);
    if (pv_gpumat_import(st, out->object, &as_is, &made))
        return -1;
    out->image = made.image;
    out->stream_object = made.stream_object;
    return 0;
}

// Rows padded to the pitch that textures want: 32 bytes (measured on OpenCV 5, docs/guide.md).
static int texture_pitch(pv_state *st, const pixview_image *image, int64_t *pitch, int64_t *total)
{
    const int64_t *n = image->shape;
    int64_t row;
    bool large =
        __builtin_mul_overflow(n[PIXVIEW_AXIS_W],
                               n[PIXVIEW_AXIS_C] * pixview_dtype_size(image->dtype), &row) ||
        row > INT64_MAX - 31;
    *pitch = n[PIXVIEW_AXIS_H] > 1 ? (row + 31) / 32 * 32 : row;
    if (!large && !__builtin_mul_overflow(*pitch, n[PIXVIEW_AXIS_H], total))
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT, "a copy of %lld x %lld pixels does not fit 64 bits of bytes",
              (long long)n[PIXVIEW_AXIS_H], (long long)n[PIXVIEW_AXIS_W]);
    return -1;
}

// Address, owner and stream of the bytes: of the source's framework, else of the driver. NULL data, and no
// error: OpenCV's own allocator is next.
static int gpumat_bytes(pv_state *st, const pv_imported *like, int64_t nbytes, pv_allocation *out,
                        void **data)
{
    int device = like->image.device.id;
    if (pixview_image_on_host(&like->image))
        device = 0;
    else if (like->from->allocate_bytes &&
             like->from->allocate_bytes(st, device, nbytes, out, data))
        return -1;
    if (*data || pv_gpumat_abi_of(st)->cuda)
        return 0;
    return pv_allocate_bytes(st, nbytes, (pixview_device){PIXVIEW_DEVICE_CUDA, device},
                             out->image.stream, &out->image.owner, data);
}

int pv_gpumat_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                       const pv_plan *plan, pv_allocation *out)
{
    const pixview_image *image = &like->image;
    const int64_t *n = image->shape;
    int64_t pitch, total, size = pixview_dtype_size(image->dtype);
    bool host = pixview_image_on_host(image), empty = pixview_image_is_empty(image);
    void *data = NULL;
    pv_stream stream = pv_end_stream(options, host ? -1 : image->device.id);
    out->image.stream = pv_stream_stored(stream.handle, stream.object); // that memory goes back to
    if (texture_pitch(st, image, &pitch, &total) ||
        (!empty && gpumat_bytes(st, like, total, out, &data)))
        return -1;
    if (!empty && !data)
        return allocate_by_opencv(st, like, plan->type, out);
    pixview_owner *owner = out->image.owner;
    pixview_stream home = out->image.stream;
    int64_t shape[] = {n[PIXVIEW_AXIS_H], n[PIXVIEW_AXIS_W], n[PIXVIEW_AXIS_C]};
    int64_t strides[] = {pitch, n[PIXVIEW_AXIS_C] * size, size};
    pixview_device device = {PIXVIEW_DEVICE_CUDA, host ? 0 : image->device.id};
    pixview_status status = pixview_image_init(&out->image, data, 3, shape, strides, image->dtype,
                                               device, PIXVIEW_LAYOUT_HWC, &st->error);
    out->image.owner = owner;
    out->image.stream = home;
    if (status == PIXVIEW_OK)
        return 0;
    return pv_fail(st);
}
