// SPDX-License-Identifier: Apache-2.0
// Tables of weights: of how many elements of a source row or column, and how much of each, one of the resized
// image is made. For interpolations that take more than two: area and Pillow's. Made once for each pair of
// lengths in a call.
#ifndef PIXVIEWI_FILTER_H
#define PIXVIEWI_FILTER_H

#include "copy/operation.h"

// The visible part of one resized axis. Entry i takes count[i] elements from first[i] on; its weights begin at
// i * most.
typedef struct pixviewi_filter {
    pixviewi_axis axis;
    int64_t length;
    bool first_pass, second_pass; // of which it is, of some image
    int32_t most;                 // the largest count
    int32_t *first, *count;       // NULL: not made yet
    union {
        int32_t *fixed; // Pillow's: 22 bits behind the point
        float *floats;  // area
    } weights;
} pixviewi_filter;

typedef struct pixviewi_filters {
    int64_t count; // of items
    pixviewi_filter *items;
    int64_t (*of_image)[2]; // of the rows and of the columns of each image: indices of items
    int64_t compared;       // axes, to find those that were there: what tests look at
} pixviewi_filters;

// Does Pillow sum between the rows of image n first?
static inline bool pixviewi_filters_turned(const pixviewi_copy_op *op,
                                           const pixviewi_filters *filters, int64_t n)
{
    const int64_t *of = filters->of_image[n];
    return op->resize.interpolation != PIXVIEWI_AREA &&
           pixviewi_pil_rows_first(&filters->items[of[0]].axis, &filters->items[of[1]].axis);
}

static inline bool pixviewi_has_filters(const pixviewi_copy_op *op)
{
    return op->resizes && op->resize.interpolation >= PIXVIEWI_AREA;
}

// Of all images of the operation: which there are; and with their weights. PIXVIEW_E_MEMORY.
pixview_status pixviewi_filters_find(const pixviewi_copy_op *op, pixviewi_filters *out,
                                     pixview_error *err);
pixview_status pixviewi_filters_make(const pixviewi_copy_op *op, pixviewi_filters *out,
                                     pixview_error *err);
void pixviewi_filters_free(pixviewi_filters *filters);

// The weights of one, unless it has them; `first` is freed with free(). PIXVIEW_E_MEMORY.
pixview_status pixviewi_filter_make(pixviewi_filter *f, int interpolation, pixview_error *err);

static inline bool pixviewi_same_axis(const pixviewi_axis *a, const pixviewi_axis *b)
{
    return a->source == b->source && a->resized == b->resized && a->skip == b->skip &&
           a->canvas == b->canvas;
}
uint64_t pixviewi_hash_axis(const pixviewi_axis *axis);

// Pillow's sum of products, as a byte.
static inline uint8_t pixviewi_filter_byte(int32_t sum)
{
    int32_t value = sum >> 22;
    return value < 0 ? 0 : value > 255 ? 255 : (uint8_t)value;
}
enum { PIXVIEWI_FILTER_HALF = 1 << 21 }; // what its sums begin with

#endif
