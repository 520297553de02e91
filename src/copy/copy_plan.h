// A copy of bits as few and wide moves: the only thing that is called a plan.
#ifndef PIXVIEWI_COPY_PLAN_H
#define PIXVIEWI_COPY_PLAN_H

#include "copy/operation.h"

// Axes sorted and merged, extents 1 dropped, padded with extent 1 in front. Axis 3 moves fastest in dst.
// Strides in BYTES.
typedef struct pixviewi_copy_plan {
    const void *src;
    void *dst;
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
