// SPDX-License-Identifier: Apache-2.0
// Do any two of many images share a byte? In about n log n where the images lie side by side in one
// buffer, although their address ranges meet: columns, tiles, channels.
//
// Images whose ranges do not meet are told apart by sorting. Of those that meet, the addresses are
// taken modulo their largest stride: two that share a byte also do so there, if each lies within one
// period. So columns and channels become ranges that do not meet, and are told apart in their turn.
// What remains together after some turns is compared in pairs.
#include <stdlib.h>

#include "descriptor/image.h"
#include "descriptor/overlap.h"

enum { MOST_TURNS = 4, FEW = 8 };

typedef struct placed {
    pixviewi_range range; // of addresses, or of what is left of them
    int64_t index;
} placed;

typedef struct shared_search {
    const pixview_image *images;
    int64_t *pair;
} shared_search;

static int by_address(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    return x->range.low < y->range.low ? -1 : x->range.low > y->range.low;
}

// The largest stride below `limit` that takes a step, or 0.
static int64_t largest_stride(const pixview_image *image, int64_t limit)
{
    int64_t largest = 0;
    for (int axis = 0; axis < 4; axis++) {
        int64_t stride = pixviewi_magnitude(image->strides[axis]);
        if (image->shape[axis] > 1 && stride < limit && stride > largest)
            largest = stride;
    }
    return largest;
}

// The bytes from the lowest to the highest element of what lies within one step of `period`.
static int64_t inner_span(const pixview_image *image, int64_t period)
{
    int64_t span = pixview_dtype_size(image->dtype);
    for (int axis = 0; axis < 4; axis++)
        if (image->shape[axis] > 1 && pixviewi_magnitude(image->strides[axis]) < period)
            span += (image->shape[axis] - 1) * pixviewi_magnitude(image->strides[axis]);
    return span;
}

static pixviewi_range inner_range(const pixview_image *image, uintptr_t offset, int64_t period)
{
    uintptr_t low = offset % (uintptr_t)period;
    return (pixviewi_range){low, low + (uintptr_t)inner_span(image, period)};
}

// False, with nothing changed, where an image does not lie within one period.
static bool take_modulo(const pixview_image *images, placed *all, int64_t count, int64_t period)
{
    uintptr_t origin = all[0].range.low;
    for (int64_t i = 0; i < count; i++)
        if (inner_range(&images[all[i].index], all[i].range.low - origin, period).beyond >
            (uintptr_t)period)
            return false;
    for (int64_t i = 0; i < count; i++)
        all[i].range = inner_range(&images[all[i].index], all[i].range.low - origin, period);
    return true;
}

static bool compare_pairs(const shared_search *search, const placed *all, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = i + 1; k < count && all[k].range.low < all[i].range.beyond; k++) {
            search->pair[0] = all[i].index, search->pair[1] = all[k].index;
            if (pixview_image_overlaps(&search->images[all[i].index],
                                       &search->images[all[k].index]))
                return true;
        }
    return false;
}

static bool find_shared(const shared_search *search, placed *all, int64_t count, int64_t limit,
                        int turns);

// Of images whose ranges meet, directly or by way of others. `limit`: strides from there on are done.
static bool find_in_group(const shared_search *search, placed *all, int64_t count, int64_t limit,
                          int turns)
{
    int64_t period = 0;
    for (int64_t i = 0; i < count && count > FEW && turns > 0; i++) {
        int64_t stride = largest_stride(&search->images[all[i].index], limit);
        period = stride > period ? stride : period;
    }
    if (period > 0 && take_modulo(search->images, all, count, period))
        return find_shared(search, all, count, period, turns - 1);
    return compare_pairs(search, all, count);
}

static bool find_shared(const shared_search *search, placed *all, int64_t count, int64_t limit,
                        int turns)
{
    qsort(all, (size_t)count, sizeof *all, by_address);
    for (int64_t first = 0, end; first < count; first = end) {
        uintptr_t beyond = all[first].range.beyond;
        for (end = first + 1; end < count && all[end].range.low < beyond; end++)
            beyond = all[end].range.beyond > beyond ? all[end].range.beyond : beyond;
        if (end - first > 1 && find_in_group(search, all + first, end - first, limit, turns))
            return true;
    }
    return false;
}

bool pixviewi_find_shared(const pixview_image *images, int64_t count, int64_t pair[2])
{
    const shared_search search = {images, pair};
    placed *all = malloc((size_t)count * sizeof *all);
    pair[0] = pair[1] = -1;
    if (!all)
        return true;
    for (int64_t i = 0; i < count; i++)
        all[i] = (placed){pixviewi_image_range(&images[i]), i};
    bool found = find_shared(&search, all, count, INT64_MAX, MOST_TURNS);
    free(all);
    if (!found)
        pair[0] = pair[1] = -1;
    return found;
}
