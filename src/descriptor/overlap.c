// SPDX-License-Identifier: Apache-2.0
// Do two images share a byte? Exact for crops and slices of one buffer, however nested.
//
// An image is a set of bytes {base + sum i_k * s_k + [0, e)}. Two such sets with the levels s_k in
// common meet iff some differences d_k of their indices bring the offset below the element size;
// per level only a few d_k are worth trying, because what lies inside a level has a limited span.
// Where that search grows large (unrelated strides), or its numbers do, the answer is a safe "yes".
#include "descriptor/overlap.h"

#include <assert.h>

static const int64_t FARTHEST = INT64_MAX / 4; // BYTES of a span: sums of four fit int64

typedef struct span_level {
    int64_t stride; // > 0
    int64_t a, b;   // extents in the two images
} span_level;

typedef struct span_search {
    span_level levels[8];
    int count;
    int64_t size_a, size_b; // bytes of an innermost run
    int budget;
} span_search;

// The image's lowest address and its axes longer than 1, strides made positive and descending.
// Stride 0 repeats bytes and is dropped. Dense inner axes melt into `run`.
static int fold(const pixview_image *image, uintptr_t *base, int64_t strides[4], int64_t extents[4],
                int64_t *run)
{
    int count = 0;
    *base = (uintptr_t)image->data;
    *run = pixview_dtype_size(image->dtype);
    for (int axis = 0; axis < 4; axis++) {
        int64_t stride = image->strides[axis], extent = image->shape[axis];
        if (extent <= 1 || stride == 0)
            continue;
        if (stride < 0) {
            *base += (uintptr_t)((extent - 1) * stride);
            stride = -stride;
        }
        int at = count++;
        for (; at > 0 && strides[at - 1] < stride; at--) {
            strides[at] = strides[at - 1];
            extents[at] = extents[at - 1];
        }
        strides[at] = stride;
        extents[at] = extent;
    }
    assert(*run > 0);
    while (count > 0 && strides[count - 1] <= *run) {
        *run += (extents[count - 1] - 1) * strides[count - 1];
        count--;
    }
    return count;
}

static int64_t inner_span(const span_search *search, int level, bool of_a)
{
    int64_t span = of_a ? search->size_a : search->size_b;
    for (int k = level; k < search->count; k++)
        span += ((of_a ? search->levels[k].a : search->levels[k].b) - 1) * search->levels[k].stride;
    return span;
}

static int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// `delta` is b's address minus a's, and the two spans meet. Is there a choice of indices from
// `level` inwards that does?
static bool meet(span_search *search, int level, int64_t delta)
{
    if (level == search->count)
        return true; // whoever came here checked delta against the spans
    if (--search->budget < 0)
        return true;
    const span_level *at = &search->levels[level];
    int64_t inner_a = inner_span(search, level + 1, true);
    int64_t inner_b = inner_span(search, level + 1, false);
    // -inner_b < delta + d * stride < inner_a, and -(a - 1) <= d <= b - 1
    int64_t first = floor_divide(-inner_b - delta, at->stride) + 1;
    int64_t last = -floor_divide(delta - inner_a, at->stride) - 1;
    first = first > 1 - at->a ? first : 1 - at->a;
    last = last < at->b - 1 ? last : at->b - 1;
    for (int64_t d = first; d <= last; d++)
        if (meet(search, level + 1, delta + d * at->stride))
            return true;
    return false;
}

static bool same_memory(pixview_device a, pixview_device b)
{
    bool host_a = a.type == PIXVIEW_DEVICE_CPU || a.type == PIXVIEW_DEVICE_CUDA_HOST;
    bool host_b = b.type == PIXVIEW_DEVICE_CPU || b.type == PIXVIEW_DEVICE_CUDA_HOST;
    // Managed memory may be described as any of the others.
    if (a.type == PIXVIEW_DEVICE_CUDA_MANAGED || b.type == PIXVIEW_DEVICE_CUDA_MANAGED)
        return true;
    return host_a == host_b && (host_a || a.id == b.id);
}

bool pixview_image_overlaps(const pixview_image *a, const pixview_image *b)
{
    if (!a || !b || !same_memory(a->device, b->device) || pixview_image_is_empty(a) ||
        pixview_image_is_empty(b) ||
        !pixviewi_ranges_meet(pixviewi_image_range(a), pixviewi_image_range(b)))
        return false;
    uintptr_t base_a, base_b;
    int64_t strides_a[4], strides_b[4], extents_a[4], extents_b[4];
    span_search search = {.budget = 256};
    int count_a = fold(a, &base_a, strides_a, extents_a, &search.size_a);
    int count_b = fold(b, &base_b, strides_b, extents_b, &search.size_b);
    for (int i = 0, j = 0; i < count_a || j < count_b;) {
        span_level *level = &search.levels[search.count++];
        *level = (span_level){0, 1, 1};
        assert(search.count <= 8);
        bool take_a = j >= count_b || (i < count_a && strides_a[i] >= strides_b[j]);
        bool take_b = i >= count_a || (j < count_b && strides_b[j] >= strides_a[i]);
        level->stride = take_a ? strides_a[i] : strides_b[j];
        if (take_a)
            level->a = extents_a[i++];
        if (take_b)
            level->b = extents_b[j++];
    }

    int64_t span_a = inner_span(&search, 0, true), span_b = inner_span(&search, 0, false);
    if (base_a >= base_b ? base_a - base_b >= (uintptr_t)span_b
                         : base_b - base_a >= (uintptr_t)span_a)
        return false;
    if (span_a > FARTHEST || span_b > FARTHEST)
        return true;
    return meet(&search, 0, (int64_t)(base_b - base_a));
}
