// SPDX-License-Identifier: Apache-2.0
// pixview_video_from_images: every check that the header promises, then one operation.
#include <stdlib.h>

#include "copy/affine.h"
#include "copy/checks.h"
#include "copy/run.h"
#include "copy/video.h"
#include "descriptor/overlap.h"

enum { N = PIXVIEW_AXIS_N, H = PIXVIEW_AXIS_H, W = PIXVIEW_AXIS_W, C = PIXVIEW_AXIS_C };

// The frames, and all their planes as one list.
typedef struct frames {
    const pixview_video_frame *frames;
    int64_t count, plane_count;
    pixview_image *faces, *planes;
    int64_t *frame_of; // of each plane
    pixviewi_video_target *targets;
} frames;

static void end(frames *all)
{
    free(all->faces);
    free(all->planes);
    free(all->frame_of);
    free(all->targets);
}

static pixview_status begin(frames *all, pixview_error *err)
{
    size_t bytes, count = (size_t)all->count;
    if (!__builtin_mul_overflow(count, 4 * sizeof(pixviewi_video_target), &bytes)) { // the largest
        all->faces = malloc(count * sizeof *all->faces);
        all->planes = malloc(3 * count * sizeof *all->planes);
        all->frame_of = malloc(3 * count * sizeof *all->frame_of);
        all->targets = malloc(count * sizeof *all->targets);
    }
    if (all->faces && all->planes && all->frame_of && all->targets)
        return PIXVIEW_OK;
    return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for %lld frames", (long long)all->count);
}

// ---- checks -----------------------------------------------------------------------------------

static pixview_status check_size(const pixview_video_frame *frame, int64_t index,
                                 const pixview_image *src, pixview_error *err)
{
    if (frame->height != src->shape[H] || frame->width != src->shape[W])
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "dsts[%lld] has height %lld, width %lld, but the images have H,W = "
                             "%lld,%lld; resize them first",
                             (long long)index, (long long)frame->height, (long long)frame->width,
                             (long long)src->shape[H], (long long)src->shape[W]);
    if (!pixviewi_same_place(frame->planes[0].device, src->device))
        return pixviewi_fail_places("src", src->device, "the frame", frame->planes[0].device, err);
    return PIXVIEW_OK;
}

// Can be written, and is not a part of src. It joins the list of planes.
static pixview_status check_plane(frames *all, int64_t index, int32_t plane,
                                  const pixview_image *src, pixview_error *err)
{
    const pixview_image *image = &all->frames[index].planes[plane];
    pixview_error why = {0};
    pixview_status status = pixviewi_check_destination(image, &why);
    if (status != PIXVIEW_OK)
        return pixviewi_fail(err, status, "plane %d of dsts[%lld]: %.180s", (int)plane,
                             (long long)index, why.message);
    if (pixview_image_overlaps(image, src))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "plane %d of dsts[%lld] and src share memory; use memory of its own",
                             (int)plane, (long long)index);
    all->frame_of[all->plane_count] = index;
    all->planes[all->plane_count++] = *image;
    return PIXVIEW_OK;
}

static pixview_status check_frame(frames *all, int64_t index, const pixview_image *src,
                                  pixview_error *err)
{
    const pixview_video_frame *frame = &all->frames[index];
    pixview_error why = {0};
    pixview_status status = pixview_video_frame_validate(frame, &why);
    if (status != PIXVIEW_OK)
        return pixviewi_fail(err, status, "dsts[%lld]: %.200s", (long long)index, why.message);
    status = check_size(frame, index, src, err);
    for (int32_t i = 0; i < frame->plane_count && status == PIXVIEW_OK; i++)
        status = check_plane(all, index, i, src, err);
    return status;
}

static pixview_status check_apart(const frames *all, pixview_error *err)
{
    int64_t pair[2];
    if (!pixviewi_find_shared(all->planes, all->plane_count, pair))
        return PIXVIEW_OK;
    if (pair[0] < 0)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory to compare %lld planes",
                             (long long)all->plane_count);
    return pixviewi_fail(
        err, PIXVIEW_E_LAYOUT,
        "planes of dsts[%lld] and dsts[%lld] share memory; check pitch and offsets",
        (long long)all->frame_of[pair[0]], (long long)all->frame_of[pair[1]]);
}

static pixview_status check_source(const pixview_image *src, int64_t count,
                                   const pixview_convert_params *params,
                                   pixview_video_siting siting, pixview_error *err)
{
    pixview_status status;
    if ((status = pixviewi_check_convert_params(params, err)) ||
        (status = pixviewi_check_image(src, err)))
        return status;
    if (params->pad || params->geometry)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "params->pad and geometry: a frame has the size of its image");
    if ((int)siting < 0 || siting > PIXVIEW_VIDEO_SITING_TOP_LEFT)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "siting=%d is none of left (0), center (1) and top-left (2)",
                             (int)siting);
    if (count < 1)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "count=%lld frames; at least 1 is needed",
                             (long long)count);
    if (src->shape[N] != count || src->shape[C] != 3)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "src has N = %lld, C = %lld, but %lld frames need as many images of 3 "
                             "channels",
                             (long long)src->shape[N], (long long)src->shape[C], (long long)count);
    return PIXVIEW_OK;
}

// ---- entry ------------------------------------------------------------------------------------

static pixview_status write_frames(frames *all, const pixview_image *src,
                                   const pixview_convert_params *params,
                                   pixview_video_siting siting, pixview_error *err)
{
    pixviewi_copy_op op;
    pixview_status status = PIXVIEW_OK;
    for (int64_t i = 0; i < all->count && status == PIXVIEW_OK; i++)
        status = check_frame(all, i, src, err);
    if (status || (status = check_apart(all, err)))
        return status;
    for (int64_t i = 0; i < all->count; i++)
        pixviewi_video_write(&all->frames[i], siting, &all->faces[i], &all->targets[i]);
    op.src = pixviewi_operand_of(src);
    op.dst = (pixviewi_operand){.dtype = {PIXVIEW_DTYPE_FLOAT, 32, 1}, .images = all->faces};
    if ((status = pixviewi_op_finish(&op, src, params, err)))
        return status;
    op.targets = all->targets;
    return pixviewi_run(&op, src->device, params->stream, err);
}

pixview_status pixview_video_from_images(const pixview_image *src, const pixview_video_frame *dsts,
                                         int64_t count, const pixview_convert_params *params,
                                         pixview_video_siting siting, pixview_error *err)
{
    static const pixview_convert_params defaults = {.struct_size = sizeof defaults};
    frames all = {.frames = dsts, .count = count};
    if (!src || !dsts)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "%s is NULL", src ? "dsts" : "src");
    if (!params)
        params = &defaults;
    pixview_status status = check_source(src, count, params, siting, err);
    if (status != PIXVIEW_OK)
        return status;
    status = begin(&all, err);
    if (status == PIXVIEW_OK)
        status = write_frames(&all, src, params, siting, err);
    end(&all);
    return status;
}
