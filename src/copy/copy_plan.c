// SPDX-License-Identifier: Apache-2.0
// A copy of bits as few and wide moves as the strides allow: its axes sorted and merged. No allocation.
#include "copy/copy_plan.h"

#include <assert.h>

int pixviewi_sort_axes(const int64_t shape[4], const int64_t src_strides[4],
                       const int64_t dst_strides[4], const char **src, char **dst,
                       pixviewi_copy_axis axes[4])
{
    int count = 0;
    for (int axis = 0; axis < 4; axis++) {
        pixviewi_copy_axis next = {shape[axis], src_strides[axis], dst_strides[axis]};
        if (next.extent <= 1)
            continue;
        if (next.dst < 0)
            pixviewi_reverse_axis(&next, src, dst);
        int at = count++;
        for (; at > 0 && axes[at - 1].dst < next.dst; at--)
            axes[at] = axes[at - 1];
        axes[at] = next;
    }
    return count;
}

// Elements of the destination stay apart if each stride steps over all that lies inside it. Strides
// that interlock without meeting exist ({3,2} over 2x3), are of no use, and are refused too.
static pixview_status check_axes_self_overlap(const pixviewi_copy_axis *axes, int count,
                                              int64_t itemsize, pixview_error *err)
{
    int64_t inside = itemsize;
    for (int i = count - 1; i >= 0; i--) {
        if (axes[i].dst < inside)
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "the destination overlaps itself: a stride of %lld bytes steps "
                                 "over %lld bytes of elements; use a destination without overlap",
                                 (long long)axes[i].dst, (long long)inside);
        inside += (axes[i].extent - 1) * axes[i].dst;
    }
    return PIXVIEW_OK;
}

int pixviewi_merge_axes(pixviewi_copy_axis *axes, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        pixviewi_copy_axis *outer = kept > 0 ? &axes[kept - 1] : NULL;
        int64_t dst, src;
        if (outer && !__builtin_mul_overflow(axes[i].dst, axes[i].extent, &dst) &&
            !__builtin_mul_overflow(axes[i].src, axes[i].extent, &src) && outer->dst == dst &&
            outer->src == src)
            *outer = (pixviewi_copy_axis){outer->extent * axes[i].extent, axes[i].src, axes[i].dst};
        else
            axes[kept++] = axes[i];
    }
    return kept;
}

// Elements that lie side by side on both ends move as one wider element, if everything is aligned.
static void widen(pixviewi_copy_axis *axes, int count, pixviewi_copy_plan *plan)
{
    pixviewi_copy_axis *inner = &axes[count - 1];
    if (inner->src != plan->itemsize || inner->dst != plan->itemsize)
        return;
    uint64_t bits = (uint64_t)(uintptr_t)plan->src | (uint64_t)(uintptr_t)plan->dst;
    for (int i = 0; i < count - 1; i++)
        bits |= (uint64_t)axes[i].src | (uint64_t)axes[i].dst;
    while (plan->itemsize < 16 && inner->extent % 2 == 0 &&
           (bits & (uint64_t)(2 * plan->itemsize - 1)) == 0) {
        plan->itemsize *= 2;
        inner->extent /= 2;
    }
    inner->src = inner->dst = plan->itemsize;
}

static void plan_finish(pixviewi_copy_axis *axes, int count, pixviewi_copy_plan *plan)
{
    count = pixviewi_merge_axes(axes, count);
    if (count > 0)
        widen(axes, count, plan);
    plan->count = 1;
    for (int i = 0; i < count; i++) {
        int at = 4 - count + i;
        plan->shape[at] = axes[i].extent;
        plan->src_strides[at] = axes[i].src;
        plan->dst_strides[at] = axes[i].dst;
        plan->count *= axes[i].extent;
    }
    assert(plan->count > 0 && ((uintptr_t)plan->dst & (uintptr_t)(plan->itemsize - 1) & 7) == 0);
}

static int begin(const int64_t shape[4], const void *src, const int64_t src_strides[4], void *dst,
                 const int64_t dst_strides[4], pixview_dtype dtype, pixviewi_copy_plan *plan,
                 pixviewi_copy_axis axes[4])
{
    *plan = (pixviewi_copy_plan){.src = src, .dst = dst, .shape = {1, 1, 1, 1}};
    plan->itemsize = pixview_dtype_size(dtype);
    assert(plan->itemsize > 0);
    return pixviewi_sort_axes(shape, src_strides, dst_strides, &plan->src, &plan->dst, axes);
}

pixview_status pixviewi_check_self_overlap(const pixview_image *dst, pixview_error *err)
{
    pixviewi_copy_axis axes[4];
    pixviewi_copy_plan unused;
    if (pixview_image_is_empty(dst))
        return PIXVIEW_OK;
    int count = begin(dst->shape, dst->data, dst->strides, dst->data, dst->strides, dst->dtype,
                      &unused, axes);
    return check_axes_self_overlap(axes, count, unused.itemsize, err);
}

pixview_status pixviewi_copy_plan_checked(const pixview_image *src, const pixview_image *dst,
                                          pixviewi_copy_plan *plan, pixview_error *err)
{
    pixviewi_copy_axis axes[4];
    *plan = (pixviewi_copy_plan){.shape = {1, 1, 1, 1}};
    if (pixview_image_is_empty(dst))
        return PIXVIEW_OK;
    int count =
        begin(dst->shape, src->data, src->strides, dst->data, dst->strides, dst->dtype, plan, axes);
    pixview_status status = check_axes_self_overlap(axes, count, plan->itemsize, err);
    if (status == PIXVIEW_OK)
        plan_finish(axes, count, plan);
    return status;
}

void pixviewi_copy_plan_of(const pixviewi_copy_op *op, pixviewi_copy_plan *plan)
{
    pixviewi_copy_axis axes[4];
    assert(!op->src.images && !op->dst.images && pixview_dtype_equal(op->src.dtype, op->dst.dtype));
    int count = begin(op->shape, op->src.data, op->src.strides, op->dst.data, op->dst.strides,
                      op->dst.dtype, plan, axes);
    plan_finish(axes, count, plan);
}
