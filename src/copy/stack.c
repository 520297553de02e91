// SPDX-License-Identifier: Apache-2.0
// pixview_stack and pixview_unstack: every check that the header promises, then one operation.
//
// A batch of 10 000 images should cost little more on the host than the reading of its list, so the
// loop over it does only what each image needs: extents, type and device, and whether its addresses
// come near the batch at all.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copy/affine.h"
#include "copy/batch.h"
#include "copy/checks.h"
#include "copy/geometry.h"
#include "copy/run.h"
#include "copy/video.h"
#include "descriptor/overlap.h"

static const pixview_convert_params stack_defaults = {.struct_size = sizeof stack_defaults};

// ---- lists ------------------------------------------------------------------------------------

typedef struct list {
    const char *name;
    const pixview_image *images;
    int64_t count;
} list;

__attribute__((cold)) static pixview_status fail_size(const list *of, int64_t i,
                                                      const pixview_image *batch, bool pad,
                                                      pixview_error *err)
{
    const int64_t *got = of->images[i].shape, *want = batch->shape;
    if (got[PIXVIEW_AXIS_N] != 1)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "%s[%lld] is a batch of %lld images; pass its images, or the batch "
                             "alone",
                             of->name, (long long)i, (long long)got[PIXVIEW_AXIS_N]);
    bool sized = got[PIXVIEW_AXIS_C] == want[PIXVIEW_AXIS_C];
    return pixviewi_fail(
        err, PIXVIEW_E_LAYOUT,
        "%s[%lld] has H,W,C = %lld,%lld,%lld, but the batch needs %lld,%lld,%lld%s", of->name,
        (long long)i, (long long)got[1], (long long)got[2], (long long)got[3], (long long)want[1],
        (long long)want[2], (long long)want[3],
        !sized ? "; all images need the same channels: stack slices of those with more, or convert "
                 "their colours first"
        : pad  ? "; padding cannot shrink an image: crop or resize it first, or pass a larger size"
               : "; to pad images of different sizes, set pad (in Python pass size=(H, W))");
}

__attribute__((cold)) static pixview_status fail_type(const list *of, int64_t i, pixview_error *err)
{
    return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                         "%s[%lld] is %s, but %s[0] is %s; a batch needs images of one type: "
                         "convert them first",
                         of->name, (long long)i, pixview_dtype_name(of->images[i].dtype), of->name,
                         pixview_dtype_name(of->images[0].dtype));
}

__attribute__((cold)) static pixview_status fail_device(const list *of, int64_t i,
                                                        const pixview_image *batch,
                                                        pixview_error *err)
{
    char name[64];
    snprintf(name, sizeof name, "%.32s[%lld]", of->name, (long long)i);
    return pixviewi_fail_places(name, of->images[i].device, "the batch", batch->device, err);
}

// Names the image of a list by its index.
__attribute__((cold)) static pixview_status name_image(const char *name, int64_t index,
                                                       pixview_status status, pixview_error *err)
{
    if (!err)
        return status;
    pixview_error inner = *err;
    return pixviewi_fail(err, status, "%s[%lld]: %.200s", name, (long long)index, inner.message);
}

// What pixview_image_validate sees to, of each image.
static pixview_status check_images(const list *of, pixview_error *err)
{
    for (int64_t i = 0; i < of->count; i++) {
        pixview_status status = pixviewi_check_image(&of->images[i], err);
        if (status != PIXVIEW_OK)
            return name_image(of->name, i, status, err);
    }
    return PIXVIEW_OK;
}

static inline bool size_fits(const pixview_image *image, const pixview_image *batch, bool pad)
{
    const int64_t *got = image->shape, *want = batch->shape;
    if (got[PIXVIEW_AXIS_N] != 1 || got[PIXVIEW_AXIS_C] != want[PIXVIEW_AXIS_C])
        return false;
    if (got[PIXVIEW_AXIS_H] == want[PIXVIEW_AXIS_H] && got[PIXVIEW_AXIS_W] == want[PIXVIEW_AXIS_W])
        return true;
    return pad && got[PIXVIEW_AXIS_H] <= want[PIXVIEW_AXIS_H] &&
           got[PIXVIEW_AXIS_W] <= want[PIXVIEW_AXIS_W];
}

// Any size that its geometry can place.
static pixview_status check_placed(const list *of, int64_t i, const pixview_image *batch,
                                   const pixview_placement_params *params, pixview_error *err)
{
    const int64_t *got = of->images[i].shape;
    if (got[PIXVIEW_AXIS_N] != 1 || got[PIXVIEW_AXIS_C] != batch->shape[PIXVIEW_AXIS_C])
        return fail_size(of, i, batch, true, err);
    pixview_status status =
        pixviewi_check_placed(got[PIXVIEW_AXIS_H], got[PIXVIEW_AXIS_W], params, err);
    return status == PIXVIEW_OK ? status : name_image(of->name, i, status, err);
}

pixview_status pixviewi_check_alike(const pixview_image *images, int64_t count,
                                    const pixview_image *batch,
                                    const pixview_convert_params *params, const char *name,
                                    pixview_error *err)
{
    const list of = {name, images, count};
    const pixview_geometry *geometry = params ? params->geometry : NULL;
    bool pad = params && params->pad;
    pixview_placement_params placing;
    pixview_status status = PIXVIEW_OK;
    if (geometry && count > 0) {
        placing = pixviewi_geometry_params(geometry, batch);
        if ((status = pixviewi_check_geometry(geometry, images[0].dtype, err)) ||
            (status = pixviewi_check_placing(&placing, err)))
            return status;
    }
    for (int64_t i = 0; i < count; i++) {
        const pixview_image *image = &images[i];
        if (!pixview_dtype_equal(image->dtype, images[0].dtype))
            return fail_type(&of, i, err);
        if (geometry && (status = check_placed(&of, i, batch, &placing, err)))
            return status;
        if (!geometry && !size_fits(image, batch, pad))
            return fail_size(&of, i, batch, pad, err);
        if (!pixviewi_same_place(image->device, batch->device))
            return fail_device(&of, i, batch, err);
    }
    return PIXVIEW_OK;
}

// Sorted out by address ranges first, which most lists pass.
static pixview_status check_no_overlap(const list *of, const pixview_image *batch,
                                       pixview_error *err)
{
    pixviewi_range whole = pixviewi_image_range(batch);
    for (int64_t i = 0; i < of->count; i++)
        if (pixviewi_ranges_meet(pixviewi_image_range(&of->images[i]), whole) &&
            pixview_image_overlaps(&of->images[i], batch))
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "%s[%lld] and the batch share memory; use memory of its own",
                                 of->name, (long long)i);
    return PIXVIEW_OK;
}

pixview_status pixviewi_check_count(int64_t count, pixview_error *err)
{
    if (count > 0)
        return PIXVIEW_OK;
    return pixviewi_fail(err, PIXVIEW_E_INVALID, "count=%lld: %s; at least 1 image is needed",
                         (long long)count,
                         count ? "a list cannot be so short" : "the list of images is empty");
}

static pixview_status check_batch(const pixview_image *batch, const char *name, int64_t count,
                                  pixview_error *err)
{
    pixview_status status = pixviewi_check_count(count, err);
    if (status)
        return status;
    if (batch->shape[PIXVIEW_AXIS_N] != count)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "%s has N = %lld, but there are %lld images",
                             name, (long long)batch->shape[PIXVIEW_AXIS_N], (long long)count);
    return PIXVIEW_OK;
}

// ---- destinations that are many ---------------------------------------------------------------

static pixview_status check_list_self_overlap(const pixview_image *dsts, int64_t count,
                                              pixview_error *err)
{
    int64_t pair[2];
    for (int64_t i = 0; i < count; i++) {
        pixview_status status = pixviewi_check_destination(&dsts[i], err);
        if (status != PIXVIEW_OK)
            return name_image("dsts", i, status, err);
    }
    if (!pixviewi_find_shared(dsts, count, pair))
        return PIXVIEW_OK;
    if (pair[0] < 0)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory to compare %lld images",
                             (long long)count);
    return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "dsts[%lld] and dsts[%lld] share memory",
                         (long long)pair[0], (long long)pair[1]);
}

// ---- entry ------------------------------------------------------------------------------------

// A list of one is a batch, whose launch takes an eighth of the parameters.
static pixviewi_operand list_end(const pixview_image *images, int64_t count, bool resizes)
{
    if (count == 1 && !resizes)
        return pixviewi_operand_of(images);
    return (pixviewi_operand){.dtype = images[0].dtype, .images = images};
}

pixview_status pixviewi_stack_op(const pixview_image *srcs, const pixviewi_video *videos,
                                 int64_t count, const pixview_image *dst,
                                 const pixview_convert_params *params, const char *name,
                                 pixviewi_copy_op *op, pixview_error *err)
{
    list sources = {name, srcs, count};
    pixview_status status;
    if ((status = pixviewi_check_convert_params(params, err)) ||
        (status = check_batch(dst, "dst", count, err)) ||
        (status = pixviewi_check_destination(dst, err)))
        return status;
    if (!pixviewi_same_place(srcs[0].device, dst->device))
        return fail_device(&sources, 0, dst, err);
    if ((status = check_no_overlap(&sources, dst, err)) ||
        (videos && (status = pixviewi_check_videos(srcs, videos, count, dst, params, name, err))))
        return status;
    bool listed = params->geometry || videos;
    op->src =
        count == 1 && !listed ? pixviewi_operand_padded(srcs, dst) : list_end(srcs, count, listed);
    op->src.videos = videos;
    op->dst = pixviewi_operand_of(dst);
    return pixviewi_op_finish(op, dst, params, err);
}

static pixview_status stack_checked(const pixview_image *srcs, const pixviewi_video *videos,
                                    int64_t count, const pixview_image *dst,
                                    const pixview_convert_params *params, pixview_error *err)
{
    pixviewi_copy_op op;
    pixview_status status;
    if ((status = pixviewi_check_alike(srcs, count, dst, params, "srcs", err)) ||
        (status = pixviewi_stack_op(srcs, videos, count, dst, params, "srcs", &op, err)))
        return status;
    return pixviewi_run(&op, dst->device, params->stream, err);
}

pixview_status pixviewi_stack_list(const pixview_image *srcs, pixviewi_video *videos, int64_t count,
                                   const pixview_image *dst, const pixview_convert_params *params,
                                   pixview_error *err)
{
    list sources = {"srcs", srcs, count};
    if (!params)
        params = &stack_defaults;
    pixview_status status;
    if ((status = pixviewi_check_convert_params(params, err)) ||
        (status = pixviewi_check_image(dst, err)) || (status = check_images(&sources, err)))
        return status;
    const pixview_geometry *geometry = params->geometry;
    pixview_image *regions = NULL;
    if (geometry && count > 0 &&
        ((status = pixviewi_check_geometry(geometry, srcs[0].dtype, err)) ||
         (geometry->rois &&
          (status = pixviewi_geometry_crop(srcs, geometry->rois, count, "srcs", &regions, err)))))
        return status;
    if (regions)
        srcs = regions;
    for (int64_t i = 0; regions && videos && i < count; i++)
        pixviewi_video_move(&videos[i].samples, geometry->rois[i].y, geometry->rois[i].x);
    status = stack_checked(srcs, videos, count, dst, params, err);
    if (status == PIXVIEW_OK && geometry && geometry->placements)
        pixviewi_write_placements(srcs, count, dst, geometry);
    free(regions);
    return status;
}

pixview_status pixview_stack(const pixview_image *srcs, int64_t count, const pixview_image *dst,
                             const pixview_convert_params *params, pixview_error *err)
{
    if ((!srcs && count) || !dst)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "srcs or dst is NULL");
    return pixviewi_stack_list(srcs, NULL, count, dst, params, err);
}

pixview_status pixview_unstack(const pixview_image *src, const pixview_image *dsts, int64_t count,
                               const pixview_convert_params *params, pixview_error *err)
{
    pixviewi_copy_op op;
    list results = {"dsts", dsts, count};
    if (!src || (!dsts && count))
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "src or dsts is NULL");
    if (!params)
        params = &stack_defaults;
    pixview_status status = pixviewi_check_convert_params(params, err);
    if (status == PIXVIEW_OK && (params->pad || params->geometry))
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "params->pad and geometry: a split has nothing to pad or resize");
    if (status || (status = pixviewi_check_image(src, err)) ||
        (status = check_images(&results, err)) || (status = check_batch(src, "src", count, err)) ||
        (status = pixviewi_check_alike(dsts, count, src, NULL, results.name, err)) ||
        (status = check_no_overlap(&results, src, err)) ||
        (status = check_list_self_overlap(dsts, count, err)))
        return status;
    op.src = pixviewi_operand_of(src);
    op.dst = list_end(dsts, count, false);
    status = pixviewi_op_finish(&op, src, params, err);
    return status ? status : pixviewi_run(&op, src->device, params->stream, err);
}
