// SPDX-License-Identifier: Apache-2.0
// Checks that copies, conversions and batches share.
#include "copy/checks.h"

#include "copy/copy_plan.h"

pixview_status pixviewi_check_image(const pixview_image *image, pixview_error *err)
{
    pixview_status status = pixview_image_validate(image, err);
    if (status != PIXVIEW_OK || pixviewi_on_device(image->device) || pixview_image_on_host(image))
        return status;
    return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                         "device type %d is none of CPU (1), CUDA (2), pinned (3), managed (13)",
                         (int)image->device.type);
}

pixview_status pixviewi_check_extents(const pixview_image *src, const pixview_image *dst,
                                      pixview_error *err)
{
    for (int axis = 0; axis < 4; axis++)
        if (src->shape[axis] != dst->shape[axis])
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "the source has %lld along %c, but the destination has %lld; "
                                 "the extents must be equal",
                                 (long long)src->shape[axis], "NHWC"[axis],
                                 (long long)dst->shape[axis]);
    return PIXVIEW_OK;
}

pixview_status pixviewi_check_destination(const pixview_image *dst, pixview_error *err)
{
    if (dst->flags & PIXVIEW_FLAG_READ_ONLY)
        return pixviewi_fail(err, PIXVIEW_E_READONLY,
                             "the destination is read-only; write into other memory");
    return pixviewi_check_self_overlap(dst, err);
}

pixview_status pixviewi_check_params_size(size_t size, size_t own, pixview_error *err)
{
    if (size == own)
        return PIXVIEW_OK;
    return pixviewi_fail(err, PIXVIEW_E_INVALID,
                         "params->struct_size=%zu, but this library's is %zu", size, own);
}

static const char *place_name(pixview_device device)
{
    return pixviewi_on_device(device) ? "in device memory" : "in host memory";
}

pixview_status pixviewi_fail_places(const char *src_name, pixview_device src, const char *dst_name,
                                    pixview_device dst, pixview_error *err)
{
    if (pixviewi_on_device(src) && pixviewi_on_device(dst))
        return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                             "%s is on GPU %d and %s on GPU %d; copy to the other GPU through host "
                             "memory",
                             src_name, (int)src.id, dst_name, (int)dst.id);
    return pixviewi_fail(err, PIXVIEW_E_DEVICE, "%s is %s, but %s is %s; copy it there first",
                         src_name, place_name(src), dst_name, place_name(dst));
}
