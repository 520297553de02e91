// SPDX-License-Identifier: Apache-2.0
// What resize.c and filter.c share: a chunk of a canvas.
#ifndef PIXVIEWI_HOST_RESIZE_H
#define PIXVIEWI_HOST_RESIZE_H

#include <string.h>

#include "copy/filter.h"
#include "descriptor/half.h"
#include "host/host.h"

// Elements of a chunk, all channels; of the rows that filters keep; and halves of weights.
enum { RUN = 2048, RING = 12288, SLOTS = 1024, WEIGHTS = 12288 };

typedef struct placed {
    const pixview_image *image;
    const pixviewi_video *video; // what the image stands for; NULL: itself
    pixviewi_axis rows, columns;
    double row_scale, column_scale;
    bool as_is; // not scaled
    const pixviewi_filter *row_filter, *column_filter;
    bool rows_first; // of Pillow's two passes
} placed;

// One chunk of one image. Rows are planes, `columns` apart from channel to channel.
typedef struct chunk {
    const pixviewi_copy_op *op;
    const pixviewi_loops *loops;
    const placed *p;
    int64_t channel, channels; // first, and how many
    int64_t x, columns;        // of the canvas
    pixview_dtype from;        // the source's
    int64_t step;              // BYTES between its columns
    pixviewi_window *window;   // of a frame, whose rows come through it; NULL
    int64_t origin, end;       // the source's columns that it takes; origin is 0 in an image
    int64_t kept[2];           // the source's rows in `between`; -1: none
    int64_t ahead;             // rows of the source to those that come next
    int mixed;                 // channels that loops->mix_columns takes together; 0: none
    int64_t fast;              // columns that it, or loops->filter_columns, makes
    int32_t places[RUN];       // BYTES from `origin` to what those take
    int64_t pairs;             // of neighbours, for loops->filter_columns
    int64_t slots;             // rows that the ring holds; row y is in slot y % slots
    union {                    // a caller's stack may be small
        struct {
            int64_t first[RUN], second[RUN]; // BYTES from `origin` to the two columns
            int16_t a[RUN], b[RUN];
            float weight[RUN];
            int32_t weights[RUN]; // a and b, for loops->mix_columns
        };
        struct { // of filters
            int32_t pair_weights[WEIGHTS];
            int64_t in_slot[SLOTS];
            int32_t sums[RUN], column_sums[RUN];
        };
    };
    union {
        int16_t bytes[2][RUN];
        float floats[2][RUN];
        uint8_t ring_bytes[4 * RING]; // rows between their columns, of filters
        float ring_floats[RING];
    } between;
    _Alignas(64) char row[RUN * 16]; // the result
} chunk;

// Column `first` of row y of the source, and `count` of them behind each other, of a frame at most a window's.
static inline const char *source_at(const chunk *c, int64_t y, int64_t channel, int64_t first,
                                    int64_t count)
{
    const int64_t *strides = c->p->image->strides;
    pixviewi_window *w = c->window;
    if (!w)
        return (const char *)c->p->image->data + y * strides[PIXVIEW_AXIS_H] +
               (c->channel + channel) * strides[PIXVIEW_AXIS_C] + first * c->step;
    if (w->y != y || first < w->first || first + count > w->end)
        pixviewi_host_load_window(c->loops, c->p->video, w, y, first,
                                  c->end - first < PIXVIEWI_WINDOW ? c->end
                                                                   : first + PIXVIEWI_WINDOW);
    return w->rgb[channel] + (first - w->first) * c->step;
}

// All columns that the chunk takes, if they fit a window.
static inline const char *source_row(const chunk *c, int64_t y, int64_t channel)
{
    return source_at(c, y, channel, c->origin, c->window ? c->end - c->origin : 0);
}

static inline float load_float(pixview_dtype dtype, const char *at)
{
    uint16_t half;
    float value;
    if (dtype.bits == 8)
        return *(const uint8_t *)at;
    if (dtype.bits == 32) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    memcpy(&half, at, sizeof half);
    return dtype.code == PIXVIEW_DTYPE_UINT     ? half
           : dtype.code == PIXVIEW_DTYPE_BFLOAT ? pixviewi_bf16_to_float(half)
                                                : pixviewi_f16_to_float(half);
}

// ---- Filters (filter.c) -----------------------------------------------------------------------

// As many columns of `group` channels as leave room in the ring for all rows of a sum.
int64_t pixviewi_host_filtered_columns(const chunk *c, int64_t group);
// Before the first row of a chunk. Of a frame it may get fewer columns.
void pixviewi_host_begin_filters(chunk *c);
// Row y of the canvas to c->row: bytes, or of area floats; of area of bytes, bytes.
void pixviewi_host_filter_row(chunk *c, int64_t y);

#endif
