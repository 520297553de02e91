// SPDX-License-Identifier: Apache-2.0
// pixview_copy: the checks, and one plan that they share with whoever carries it out.
#include "copy/backend.h"
#include "copy/checks.h"
#include "copy/copy_plan.h"
#include "copy/run.h"
#include "descriptor/owner.h"

// What pixview_copy promises to check of its two images, and their plan.
static pixview_status check_copied_pair(const pixview_image *src, const pixview_image *dst,
                                        pixviewi_copy_plan *plan, pixview_error *err)
{
    pixview_status status;
    if ((status = pixviewi_check_image(src, err)) || (status = pixviewi_check_image(dst, err)))
        return status;
    if (dst->flags & PIXVIEW_FLAG_READ_ONLY)
        return pixviewi_fail(err, PIXVIEW_E_READONLY,
                             "the destination is read-only; copy into writable memory");
    if (!pixview_dtype_equal(src->dtype, dst->dtype))
        return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                             "the source is %s, but the destination is %s; a copy cannot convert "
                             "values: pixview.stack does in Python, pixview_convert in C",
                             pixview_dtype_name(src->dtype), pixview_dtype_name(dst->dtype));
    if ((status = pixviewi_check_extents(src, dst, err)) ||
        (status = pixviewi_copy_plan_checked(src, dst, plan, err)) ||
        !pixview_image_overlaps(src, dst))
        return status;
    return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                         "source and destination share memory; copy through a third image");
}

pixview_status pixview_copy(const pixview_image *src, const pixview_image *dst,
                            const pixview_copy_params *params, pixview_error *err)
{
    pixviewi_copy_plan plan;
    pixview_status status;
    pixviewi_poll_deferred_owners();
    if (!src || !dst)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "src or dst is NULL");
    if ((params &&
         (status = pixviewi_check_params_size(params->struct_size, sizeof *params, err))) ||
        (status = check_copied_pair(src, dst, &plan, err)) || plan.count == 0)
        return status;
    pixview_stream stream = params ? params->stream : PIXVIEW_STREAM_LEGACY;
    if (stream == PIXVIEW_STREAM_NONE)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "params->stream is PIXVIEW_STREAM_NONE; a copy needs a stream");
    bool from_gpu = pixviewi_on_device(src->device), to_gpu = pixviewi_on_device(dst->device);
    if (from_gpu != to_gpu)
        return pixviewi_cuda_transfer(src, dst, &plan, stream, err);
    if (!pixviewi_same_place(src->device, dst->device))
        return pixviewi_fail_places("the source", src->device, "the destination", dst->device, err);
    pixviewi_copy_op op = pixviewi_bits_op(src, dst);
    op.plan = &plan;
    return pixviewi_run(&op, dst->device, stream, err);
}
