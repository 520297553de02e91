// SPDX-License-Identifier: Apache-2.0
// Video frames that filters resize: kernels sum images, so these are made of them first.
#include <stdlib.h>
#include <string.h>

#include "copy/backend.h"
#include "copy/filter.h"
#include "cuda/context.h"
#include "cuda/memory.h"
#include "cuda/stream.h"
#include "descriptor/owner.h"

enum { N = PIXVIEW_AXIS_N, H = PIXVIEW_AXIS_H, W = PIXVIEW_AXIS_W, C = PIXVIEW_AXIS_C };

// After a failure the caller may free what the work so far reads.
static void wait_for_work(int device, pixview_stream stream)
{
    pixviewi_scope scope;
    if (pixviewi_scope_enter(&scope, device, NULL) != PIXVIEW_OK)
        return;
    scope.driver->stream_synchronize(pixviewi_stream_handle(stream));
    pixviewi_scope_leave(&scope);
}

static pixview_status refuse_captures(int device, pixview_stream stream, pixview_error *err)
{
    pixviewi_scope scope;
    bool captures = false;
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    status = pixviewi_cuda_captures(&scope, stream, &captures, err);
    pixviewi_scope_leave(&scope);
    if (status != PIXVIEW_OK || !captures)
        return status;
    pixviewi_fail(
        err, PIXVIEW_E_CUDA,
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900): interpolation 'area' and 'pil-*' of "
        "video frames takes memory that cannot live as long as the graph; use 'linear' or "
        "'nearest' there, or make RGB images of the frames first");
    if (err)
        err->driver_code = CU_CAPTURE_UNSUPPORTED;
    return PIXVIEW_E_CUDA;
}

// ---- Images -------------------------------------------------------------------------------------

// What a frame becomes: all the bits that it has.
static pixview_dtype dtype_of(const pixviewi_copy_op *op, int64_t n)
{
    const pixviewi_video *video = pixviewi_video_at(op, n);
    return video && video->colour.deep ? (pixview_dtype){PIXVIEW_DTYPE_FLOAT, 32, 1}
                                       : op->src.images[n].dtype;
}

static int64_t aligned(int64_t bytes) { return (bytes + 255) / 256 * 256; }

// Packed. Returns how many BYTES it takes of the memory that is to come: none of an image that was there.
static int64_t shape_image(const pixviewi_copy_op *op, int64_t n, pixview_image *image)
{
    *image = op->src.images[n];
    if (!pixviewi_video_at(op, n))
        return 0;
    image->dtype = dtype_of(op, n);
    int64_t size = pixview_dtype_size(image->dtype);
    image->strides[C] = size;
    image->strides[W] = size * image->shape[C];
    image->strides[H] = image->strides[W] * image->shape[W];
    image->strides[N] = aligned(image->strides[H] * image->shape[H]);
    return image->strides[N];
}

// May n follow n - 1 in the batch that a launch makes?
static bool continues(const pixviewi_copy_op *op, const pixview_image *images, int64_t n)
{
    const pixview_image *a = &images[n - 1], *b = &images[n];
    return pixviewi_video_at(op, n) && a->shape[H] == b->shape[H] && a->shape[W] == b->shape[W] &&
           pixview_dtype_equal(a->dtype, b->dtype) &&
           (char *)b->data - (char *)a->data == a->strides[N];
}

static pixview_status make_images(int device, const pixviewi_copy_op *op,
                                  const pixview_image *images, pixview_stream stream,
                                  pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    for (int64_t first = 0, end; first < op->shape[N] && status == PIXVIEW_OK; first = end) {
        end = first + 1;
        if (!pixviewi_video_at(op, first))
            continue;
        while (end < op->shape[N] && continues(op, images, end))
            end++;
        const pixview_image *image = &images[first];
        pixviewi_copy_op make = {.shape = {end - first, image->shape[H], image->shape[W], 3},
                                 .src = op->src,
                                 .dst = pixviewi_operand_of(image),
                                 .resizes = true,
                                 .resize = {{PIXVIEWI_FIT_NONE, 0, 0}, PIXVIEWI_NEAREST}};
        make.src.images += first;
        make.src.videos += first;
        make.affine.is_identity = pixview_dtype_equal(image->dtype, op->src.dtype);
        make.affine.channels = 1;
        make.affine.scale[0] = 1, make.affine.bias[0] = -0.0f;
        status = pixviewi_cuda_run(device, &make, stream, err);
    }
    return status;
}

// ---- Resizing -----------------------------------------------------------------------------------

static pixview_status resize_images(int device, const pixviewi_copy_op *op,
                                    const pixview_image *images, pixview_stream stream,
                                    pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    for (int64_t first = 0, end; first < op->shape[N] && status == PIXVIEW_OK; first = end) {
        end = first + 1;
        while (end < op->shape[N] && pixview_dtype_equal(images[end].dtype, images[first].dtype))
            end++;
        pixviewi_filters filters = *op->filters;
        pixviewi_copy_op resize = *op;
        filters.of_image += first;
        resize.filters = &filters;
        resize.shape[N] = end - first;
        resize.src.dtype = images[first].dtype;
        resize.src.images = &images[first];
        resize.src.videos = NULL;
        resize.dst.data += first * op->dst.strides[N];
        status = pixviewi_cuda_run(device, &resize, stream, err);
    }
    return status;
}

pixview_status pixviewi_cuda_run_frames(int device, const pixviewi_copy_op *op,
                                        pixview_stream stream, pixview_error *err)
{
    void *memory = NULL;
    pixview_owner *owner = NULL;
    int64_t bytes = 0;
    pixview_status status = refuse_captures(device, stream, err);
    if (status != PIXVIEW_OK)
        return status;
    pixview_image *images = malloc((size_t)op->shape[N] * sizeof *images);
    if (!images)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for %lld images",
                             (long long)op->shape[N]);
    for (int64_t n = 0; n < op->shape[N]; n++)
        bytes += shape_image(op, n, &images[n]);
    status = pixviewi_cuda_alloc(device, bytes, stream, &memory, &owner, err);
    for (int64_t n = 0, at = 0; n < op->shape[N] && status == PIXVIEW_OK; n++)
        if (pixviewi_video_at(op, n)) {
            images[n].data = (char *)memory + at;
            at += images[n].strides[N];
        }
    if (status == PIXVIEW_OK) {
        status = make_images(device, op, images, stream, err);
        if (status == PIXVIEW_OK)
            status = resize_images(device, op, images, stream, err);
        if (status != PIXVIEW_OK)
            wait_for_work(device, stream);
    }
    pixview_owner_unref(owner);
    free(images);
    return status;
}
