// SPDX-License-Identifier: Apache-2.0
// Questions to a descriptor that other files ask.
#ifndef PIXVIEWI_IMAGE_H
#define PIXVIEWI_IMAGE_H

#include "pixview/pixview.h"

// Bytes of an element of an image made by pixview_image_init, whose dtype is a known one.
static inline int64_t pixviewi_itemsize(const pixview_image *image)
{
    return image->dtype.bits >> 3;
}

static inline bool pixviewi_on_device(pixview_device device)
{
    return device.type == PIXVIEW_DEVICE_CUDA || device.type == PIXVIEW_DEVICE_CUDA_MANAGED;
}

static inline int64_t pixviewi_magnitude(int64_t stride)
{
    return stride < 0 ? (int64_t)(0 - (uint64_t)stride) : stride; // of -2^63 too: it means nothing
}

#endif
