// pixview_copy: the checks, and one plan that they share with whoever carries it out.
#include "copy/backend.h"
#include "copy/checks.h"
#include "copy/copy_plan.h"
#include "copy/run.h"
#include "descriptor/owner.h"

static pixview_status check_copy_params(const pixview_image *src, const pixview_image *dst,
                                        const pixview_copy_params *params, pixview_error *err)
{
    if (!src || !dst)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "src or dst is NULL");
    if (params && params->struct_size != sizeof *params)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "params->struct_size=%zu, but this library's is %zu",
                             params->struct_size, sizeof *params);
    return PIXVIEW_OK;
}

// What pixview_copy promises to check of its two images, and their plan.
static pixview_status check_copied_pair(const pixview_image *src, const pixview_image *dst,
                                        pixviewi_copy_plan *plan, pixview_error *err)
{
    pixview_status status = pixviewi_check_image(src, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_check_image(dst, err);
    if (status != PIXVIEW_OK)
        return status;
    if (dst->flags & PIXVIEW_FLAG_READ_ONLY)
        return pixviewi_fail(err, PIXVIEW_E_READONLY,
                             "the destination is read-only; copy into writable memory");
    if (!pixview_dtype_equal(src->dtype, dst->dtype))
        return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                             "the source is %s, but the destination is %s; a copy cannot convert "
                             "values: use pixview_convert, in Python stack",
                             pixview_dtype_name(src->dtype), pixview_dtype_name(dst->dtype));
    status = pixviewi_check_extents(src, dst, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_copy_plan_checked(src, dst, plan, err);
    if (status == PIXVIEW_OK && pixview_image_overlaps(src, dst))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "source and destination share memory; copy through a third image");
    return status;
}

pixview_status pixview_copy(const pixview_image *src, const pixview_image *dst,
                            const pixview_copy_params *params, pixview_error *err)
{
    pixviewi_copy_plan plan;
    pixviewi_poll_deferred_owners();
    pixview_status status = check_copy_params(src, dst, params, err);
    if (status == PIXVIEW_OK)
        status = check_copied_pair(src, dst, &plan, err);
    if (status != PIXVIEW_OK || plan.count == 0)
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
