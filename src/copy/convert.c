// SPDX-License-Identifier: Apache-2.0
// pixview_convert: every check that the header promises, then one operation.
#include <string.h>

#include "copy/affine.h"
#include "copy/batch.h"
#include "copy/checks.h"
#include "copy/run.h"

static pixview_status check_smaller(const pixview_image *src, const pixview_image *dst,
                                    pixview_error *err)
{
    static const char *const name[] = {"images", "rows", "columns", "channels"};
    for (int axis = 0; axis < 4; axis++) {
        bool fixed = axis == PIXVIEW_AXIS_N || axis == PIXVIEW_AXIS_C;
        int64_t got = src->shape[axis], want = dst->shape[axis];
        if (got > want || (fixed && got != want))
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "the source has %lld %s, but the destination has %lld; padding "
                                 "cannot shrink an image",
                                 (long long)got, name[axis], (long long)want);
    }
    return PIXVIEW_OK;
}

// All checks but whether both are in one place.
static pixview_status make_pair_op(const pixview_image *src, const pixview_image *dst,
                                   const pixview_convert_params *params, pixviewi_copy_op *op,
                                   pixview_error *err)
{
    pixview_status status = pixviewi_check_convert_params(params, err);
    if (status == PIXVIEW_OK && params->geometry)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "params->geometry: pixview_stack resizes, also one image alone");
    if (status ||
        (status =
             params->pad ? check_smaller(src, dst, err) : pixviewi_check_extents(src, dst, err)) ||
        (status = pixviewi_check_destination(dst, err)))
        return status;
    if (pixview_image_overlaps(src, dst))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "source and destination share memory; convert into a third image");
    op->src = pixviewi_operand_padded(src, dst);
    op->dst = pixviewi_operand_of(dst);
    return pixviewi_op_finish(op, dst, params, err);
}

pixview_status pixviewi_convert_op(const pixview_image *src, const pixview_image *dst,
                                   const pixview_convert_params *params, pixviewi_copy_op *op,
                                   pixview_error *err)
{
    pixview_status status = make_pair_op(src, dst, params, op, err);
    if (status || pixviewi_same_place(src->device, dst->device))
        return status;
    return pixviewi_fail_places("the source", src->device, "the destination", dst->device, err);
}

// What pixview_copy can do, between host and GPU too, it does.
pixview_status pixview_convert(const pixview_image *src, const pixview_image *dst,
                               const pixview_convert_params *params, pixview_error *err)
{
    static const pixview_convert_params defaults = {.struct_size = sizeof defaults};
    pixviewi_copy_op op;
    if (!src || !dst)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "src or dst is NULL");
    if (!params)
        params = &defaults;
    pixview_status status;
    if ((status = pixviewi_check_image(src, err)) || (status = pixviewi_check_image(dst, err)) ||
        (status = make_pair_op(src, dst, params, &op, err)) || pixview_image_is_empty(dst))
        return status;
    if (pixviewi_same_place(src->device, dst->device))
        return pixviewi_run(&op, dst->device, params->stream, err);
    pixview_copy_params plain = {sizeof plain, params->stream};
    if (op.affine.is_identity && !op.affine.swap_rb && !pixviewi_is_padded(&op))
        return pixview_copy(src, dst, &plain, err);
    return pixviewi_fail_places("the source", src->device, "the destination", dst->device, err);
}
