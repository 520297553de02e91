// SPDX-License-Identifier: Apache-2.0
// Ranges of bytes, to compare two images quickly before pixview_image_overlaps does it exactly.
#ifndef PIXVIEWI_OVERLAP_H
#define PIXVIEWI_OVERLAP_H

#include "pixview/pixview.h"

// The bytes from the lowest to the highest element of an image; nothing when it is empty.
typedef struct pixviewi_range {
    uintptr_t low, beyond;
} pixviewi_range;

static inline pixviewi_range pixviewi_image_range(const pixview_image *image)
{
    pixviewi_range range = {(uintptr_t)image->data, (uintptr_t)image->data};
    bool empty = false;
    for (int axis = 0; axis < 4; axis++) {
        // Unsigned, because strides mean nothing where an extent is 1 or 0.
        uint64_t steps = (uint64_t)image->shape[axis] - 1;
        int64_t reach = (int64_t)(steps * (uint64_t)image->strides[axis]);
        range.low += reach < 0 ? (uintptr_t)reach : 0;
        range.beyond += reach > 0 ? (uintptr_t)reach : 0;
        empty |= image->shape[axis] == 0;
    }
    if (empty)
        return (pixviewi_range){0, 0};
    range.beyond += (uintptr_t)pixview_dtype_size(image->dtype);
    return range;
}

static inline bool pixviewi_ranges_meet(pixviewi_range a, pixviewi_range b)
{
    return a.low < b.beyond && b.low < a.beyond;
}

// Is pixview_image_overlaps true for two of the images, which all lie in one memory? `pair` gets their
// indices; both are -1, and the answer is true, where there is no memory to find out.
bool pixviewi_find_shared(const pixview_image *images, int64_t count, int64_t pair[2]);

#endif
