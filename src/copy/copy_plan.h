// SPDX-License-Identifier: Apache-2.0
// A copy of bits as few and wide moves: the only thing that is called a plan.
#ifndef PIXVIEWI_COPY_PLAN_H
#define PIXVIEWI_COPY_PLAN_H

#include "copy/operation.h"

typedef struct pixviewi_copy_axis {
    int64_t extent, src, dst; // strides in BYTES
} pixviewi_copy_axis;

// The other way on both ends.
static inline void pixviewi_reverse_axis(pixviewi_copy_axis *axis, const char **src, char **dst)
{
    *src += (axis->extent - 1) * axis->src;
    *dst += (axis->extent - 1) * axis->dst;
    axis->src = -axis->src;
    axis->dst = -axis->dst;
}

// Axes longer than 1, the last one fastest in dst, whose strides are made positive: *src and *dst are then
// those of the lowest element there. Returns their number.
int pixviewi_sort_axes(const int64_t shape[4], const int64_t src_strides[4],
                       const int64_t dst_strides[4], const char **src, char **dst,
                       pixviewi_copy_axis axes[4]);
// Axes that are one on both ends become one. Returns how many are left.
int pixviewi_merge_axes(pixviewi_copy_axis *axes, int count);

// Axes sorted and merged, extents 1 dropped, padded with extent 1 in front. Axis 3 moves fastest in dst.
// Strides in BYTES.
typedef struct pixviewi_copy_plan {
    const char *src;
    char *dst;
    int64_t shape[4];
    int64_t src_strides[4];
    int64_t dst_strides[4];
    int64_t itemsize; // 1, 2, 4, 8, 16
    int64_t count;    // elements in all; 0: nothing to do
} pixviewi_copy_plan;

// Of bits between two batches that are not empty. Checked before.
void pixviewi_copy_plan_of(const pixviewi_copy_op *op, pixviewi_copy_plan *plan);

// The same of two images of one type and size. PIXVIEW_E_LAYOUT: the destination overlaps itself.
pixview_status pixviewi_copy_plan_checked(const pixview_image *src, const pixview_image *dst,
                                          pixviewi_copy_plan *plan, pixview_error *err);

// PIXVIEW_E_LAYOUT unless the elements of `dst` lie apart from each other.
pixview_status pixviewi_check_self_overlap(const pixview_image *dst, pixview_error *err);

#endif
