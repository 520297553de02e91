// From two images to a copy plan: every check that pixview_copy promises, then the axes sorted and
// merged so that the copy is as few and as wide moves as the strides allow. No CUDA, no allocation.
#include <string.h>

#include "copy/operation.h"

typedef struct copy_axis {
    int64_t extent, src, dst; // dst > 0
} copy_axis;

static pixview_status check_copied_pair(const pixview_image *src, const pixview_image *dst,
                                        pixview_error *err)
{
    pixview_status status = pixview_image_validate(src, err);
    if (status == PIXVIEW_OK)
        status = pixview_image_validate(dst, err);
    if (status != PIXVIEW_OK)
        return status;
    if (dst->flags & PIXVIEW_FLAG_READ_ONLY)
        return pixviewi_fail(err, PIXVIEW_E_READONLY,
                             "the destination is read-only; copy into writable memory");
    if (!pixview_dtype_equal(src->dtype, dst->dtype))
        return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                             "the source is %s and the destination %s; a copy converts no values: "
                             "pixview_convert does, in Python stack",
                             pixview_dtype_name(src->dtype), pixview_dtype_name(dst->dtype));
    return pixviewi_check_extents(src, dst, err);
}

pixview_status pixviewi_check_extents(const pixview_image *src, const pixview_image *dst,
                                      pixview_error *err)
{
    for (int axis = 0; axis < 4; axis++)
        if (src->shape[axis] != dst->shape[axis])
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "the source has %lld along %c and the destination %lld; equal "
                                 "extents are needed",
                                 (long long)src->shape[axis], "NHWC"[axis],
                                 (long long)dst->shape[axis]);
    return PIXVIEW_OK;
}

// Axes longer than 1, dst strides made positive (both ends walk the other way then), outermost
// first. Returns their number.
static int plan_sort_axes(const int64_t shape[4], const int64_t src_strides[4],
                          const int64_t dst_strides[4], pixviewi_copy_plan *plan, copy_axis axes[4])
{
    const char *from = plan->src;
    char *to = plan->dst;
    int count = 0;
    for (int axis = 0; axis < 4; axis++) {
        copy_axis next = {shape[axis], src_strides[axis], dst_strides[axis]};
        if (next.extent <= 1)
            continue;
        if (next.dst < 0) {
            from += (next.extent - 1) * next.src;
            to += (next.extent - 1) * next.dst;
            next.src = -next.src;
            next.dst = -next.dst;
        }
        int at = count++;
        for (; at > 0 && axes[at - 1].dst < next.dst; at--)
            axes[at] = axes[at - 1];
        axes[at] = next;
    }
    plan->src = from;
    plan->dst = to;
    return count;
}

// Elements of the destination stay apart if each stride steps over all that lies inside it. Strides
// that interlock without meeting exist ({3,2} over 2x3), are of no use, and are refused too.
static pixview_status check_axes_self_overlap(const copy_axis *axes, int count, int64_t itemsize,
                                              pixview_error *err)
{
    int64_t inside = itemsize;
    for (int i = count - 1; i >= 0; i--) {
        if (axes[i].dst < inside)
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "the destination overlaps itself: a stride of %lld over elements "
                                 "that take %lld bytes; copy into memory of its own",
                                 (long long)axes[i].dst, (long long)inside);
        inside += (axes[i].extent - 1) * axes[i].dst;
    }
    return PIXVIEW_OK;
}

pixview_status pixviewi_check_self_overlap(const pixview_image *dst, pixview_error *err)
{
    copy_axis axes[4];
    pixviewi_copy_plan ignored = {.src = dst->data, .dst = dst->data};
    if (pixview_image_is_empty(dst))
        return PIXVIEW_OK;
    int count = plan_sort_axes(dst->shape, dst->strides, dst->strides, &ignored, axes);
    return check_axes_self_overlap(axes, count, pixview_dtype_size(dst->dtype), err);
}

static int plan_merge_axes(copy_axis *axes, int count)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        copy_axis *outer = kept > 0 ? &axes[kept - 1] : NULL;
        int64_t dst, src;
        if (outer && !__builtin_mul_overflow(axes[i].dst, axes[i].extent, &dst) &&
            !__builtin_mul_overflow(axes[i].src, axes[i].extent, &src) && outer->dst == dst &&
            outer->src == src)
            *outer = (copy_axis){outer->extent * axes[i].extent, axes[i].src, axes[i].dst};
        else
            axes[kept++] = axes[i];
    }
    return kept;
}

// Elements that lie side by side on both ends move as one wider element, if everything is aligned.
static void widen(copy_axis *axes, int count, pixviewi_copy_plan *plan)
{
    copy_axis *inner = &axes[count - 1];
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

static void plan_finish(copy_axis *axes, int count, pixviewi_copy_plan *plan)
{
    count = plan_merge_axes(axes, count);
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
}

pixview_status pixviewi_check_copy(const pixview_image *src, const pixview_image *dst,
                                   pixview_error *err)
{
    pixview_status status = check_copied_pair(src, dst, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_check_self_overlap(dst, err);
    if (status == PIXVIEW_OK && pixview_image_overlaps(src, dst))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "source and destination share memory; copy through a third image");
    return status;
}

pixview_status pixviewi_copy_plan_checked(const pixview_image *src, const pixview_image *dst,
                                          pixviewi_copy_plan *plan, pixview_error *err)
{
    pixviewi_copy_op op = {.src = pixviewi_operand_of(src), .dst = pixviewi_operand_of(dst)};
    pixview_status status = pixviewi_check_copy(src, dst, err);
    *plan = (pixviewi_copy_plan){.shape = {1, 1, 1, 1}}; // count 0
    if (status != PIXVIEW_OK || pixview_image_is_empty(dst))
        return status;
    memcpy(op.shape, dst->shape, sizeof op.shape);
    pixviewi_copy_plan_of(&op, plan);
    return PIXVIEW_OK;
}

void pixviewi_copy_plan_of(const pixviewi_copy_op *op, pixviewi_copy_plan *plan)
{
    copy_axis axes[4];
    *plan = (pixviewi_copy_plan){.src = op->src.data, .dst = op->dst.data, .shape = {1, 1, 1, 1}};
    plan->itemsize = pixview_dtype_size(op->dst.dtype);
    int count = plan_sort_axes(op->shape, op->src.strides, op->dst.strides, plan, axes);
    plan_finish(axes, count, plan);
}
