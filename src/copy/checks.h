// SPDX-License-Identifier: Apache-2.0
// Checks that copies, conversions and batches share.
#ifndef PIXVIEWI_CHECKS_H
#define PIXVIEWI_CHECKS_H

#include "copy/operation.h"

// pixview_image_validate, and a device that pixview copies on.
pixview_status pixviewi_check_image(const pixview_image *image, pixview_error *err);

// PIXVIEW_E_LAYOUT unless both have the same extents.
pixview_status pixviewi_check_extents(const pixview_image *src, const pixview_image *dst,
                                      pixview_error *err);

// PIXVIEW_E_READONLY, or PIXVIEW_E_LAYOUT where the destination overlaps itself.
pixview_status pixviewi_check_destination(const pixview_image *dst, pixview_error *err);

// The struct_size of the caller's params, and this library's.
pixview_status pixviewi_check_params_size(size_t size, size_t own, pixview_error *err);

static inline pixview_status pixviewi_check_convert_params(const pixview_convert_params *params,
                                                           pixview_error *err)
{
    return pixviewi_check_params_size(params->struct_size, sizeof *params, err);
}

// Both in host memory (pinned, managed and plain memory are no difference), or on one GPU.
static inline bool pixviewi_same_place(pixview_device a, pixview_device b)
{
    bool gpu = pixviewi_on_device(a);
    return gpu == pixviewi_on_device(b) && (!gpu || a.id == b.id);
}

// PIXVIEW_E_DEVICE for two images that are not. The names are those of the ends, for the message.
__attribute__((cold)) pixview_status pixviewi_fail_places(const char *src_name, pixview_device src,
                                                          const char *dst_name, pixview_device dst,
                                                          pixview_error *err);

#endif
