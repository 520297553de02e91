// SPDX-License-Identifier: Apache-2.0
// The table of layouts: which canonical axis (N,H,W,C) each axis of a layout is.
#ifndef PIXVIEWI_LAYOUT_H
#define PIXVIEWI_LAYOUT_H

#include "descriptor/status.h"

typedef struct pixviewi_axes {
    const char *name;
    int rank;
    uint8_t axis[4];   // canonical axis of each of the layout's axes
    uint8_t absent[4]; // the canonical axes that the layout lacks, 4 - rank of them
} pixviewi_axes;

extern const pixviewi_axes pixviewi_layouts[PIXVIEW_LAYOUT_NHWC + 1]
    __attribute__((visibility("hidden")));

// HW 2, CHW and HWC 3, NCHW and NHWC 4.
static inline int pixviewi_rank(pixview_layout layout) { return 2 + (int)((unsigned)layout >> 1); }

// NULL for NONE and for what is not in the enum.
static inline const pixviewi_axes *pixviewi_layout_axes(pixview_layout layout)
{
    unsigned index = (unsigned)layout;
    return index - 1u < (unsigned)PIXVIEW_LAYOUT_NHWC ? &pixviewi_layouts[index] : NULL;
}

// The axes that `axes` lacks must have extent 1.
pixview_status pixviewi_fail_absent(const pixview_image *image, const pixviewi_axes *axes,
                                    pixview_error *err);
static inline bool pixviewi_has_absent(const pixview_image *image, const pixviewi_axes *axes)
{
    bool has = false;
#pragma GCC unroll 1 // one or two, and the way of every view is long enough
    for (int i = 0; i < 4 - axes->rank; i++)
        has |= image->shape[axes->absent[i]] != 1;
    return has;
}

// Extents and strides >> shift in the order of `axes`; returns all strides, before the shift, or'ed.
//
// An axis of extent 1 gets the stride it would have if its inner neighbour were packed: some consumers
// compare the strides of such axes as well.
static inline int64_t pixviewi_order_axes(const pixview_image *image, const pixviewi_axes *axes,
                                          int64_t itemsize, int shift, int64_t *restrict shape,
                                          int64_t *restrict strides)
{
    int64_t step = itemsize, all = 0;
#pragma GCC unroll 1
    for (int i = axes->rank - 1; i >= 0; i--) {
        int64_t extent = image->shape[axes->axis[i]];
        int64_t stride = step;
        if (extent > 1) {
            stride = image->strides[axes->axis[i]];
            if (__builtin_mul_overflow(stride, extent, &step))
                step = stride; // any value would do
        }
        shape[i] = extent;
        strides[i] = stride >> shift;
        all |= stride;
    }
    return all;
}

#endif
