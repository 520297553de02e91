// SPDX-License-Identifier: Apache-2.0
// Rows of a chunk by tables of weights: area, and Pillow's filters.
//
//     rows of the source -> each between its columns, kept in a ring -> between rows -> a row of planes
//
// Or, where Pillow sums between rows first, the other way round, piece by piece.
#include <assert.h>
#include <math.h>

#include "host/resize.h"

static bool is_area(const chunk *c) { return c->op->resize.interpolation == PIXVIEWI_AREA; }

static int64_t pairs_of(const pixviewi_filter *f) { return (f->most + 1) / 2; }

static int64_t ring_of(const chunk *c) { return is_area(c) ? RING : 4 * RING; }

// Entries of the column filter begin at the image's first column on the canvas.
static int64_t first_entry(const chunk *c) { return c->x - pixviewi_axis_begin(&c->p->columns); }

// Of pixels of three bytes: each weight is read once.
static void filter_pixels(const chunk *c, int64_t y, uint8_t *out)
{
    const pixviewi_filter *f = c->p->column_filter;
    const uint8_t *row = (const uint8_t *)source_row(c, y, 0);
    int64_t entry = first_entry(c), plane = c->columns;
    for (int64_t i = c->fast; i < plane; i++) {
        const int32_t *weights = f->weights.fixed + (entry + i) * f->most;
        const uint8_t *from = row + f->first[entry + i] * 3;
        int32_t a = PIXVIEWI_FILTER_HALF, b = a, d = a;
        for (int64_t k = 0; k < f->count[entry + i]; k++, from += 3) {
            a += weights[k] * from[0];
            b += weights[k] * from[1];
            d += weights[k] * from[2];
        }
        out[i] = pixviewi_filter_byte(a);
        out[plane + i] = pixviewi_filter_byte(b);
        out[2 * plane + i] = pixviewi_filter_byte(d);
    }
}

static float sum_piece(const chunk *c, const char *from, const float *weights, int64_t count,
                       float sum)
{
    for (int64_t k = 0; k < count; k++)
        sum = fmaf(weights[k], load_float(c->from, from + k * c->step), sum);
    return sum;
}

static int32_t sum_piece_of_bytes(const char *from, const int32_t *weights, int64_t count,
                                  int32_t sum)
{
    for (int64_t k = 0; k < count; k++)
        sum += weights[k] * ((const uint8_t *)from)[k];
    return sum;
}

// The only column of a chunk of a frame, which takes more than a window.
static void filter_wide(const chunk *c, int64_t y, uint8_t *bytes, float *floats)
{
    const pixviewi_filter *f = c->p->column_filter;
    int64_t entry = first_entry(c), first = f->first[entry], end = first + f->count[entry], piece;
    assert(c->columns == 1);
    for (int64_t channel = 0; channel < c->channels; channel++) {
        int32_t fixed = PIXVIEWI_FILTER_HALF;
        float sum = 0;
        for (int64_t x = first; x < end; x += piece) {
            int64_t weight = entry * f->most + x - first;
            piece = end - x < PIXVIEWI_WINDOW ? end - x : PIXVIEWI_WINDOW;
            const char *from = source_at(c, y, channel, x, piece);
            if (bytes)
                fixed = sum_piece_of_bytes(from, f->weights.fixed + weight, piece, fixed);
            else
                sum = sum_piece(c, from, f->weights.floats + weight, piece, sum);
        }
        if (bytes)
            bytes[channel] = pixviewi_filter_byte(fixed);
        else
            floats[channel] = sum;
    }
}

// Of a frame: to one of the two.
static void filter_window(const chunk *c, int64_t y, uint8_t *bytes, float *floats)
{
    const pixviewi_filter *f = c->p->column_filter;
    int64_t entry = first_entry(c), skipped = entry * f->most;
    if (c->end - c->origin > PIXVIEWI_WINDOW) {
        filter_wide(c, y, bytes, floats);
        return;
    }
    const char *const rows[] = {source_row(c, y, 0), source_row(c, y, 1), source_row(c, y, 2)};
    pixviewi_taps taps = {f->first + entry, f->count + entry, f->weights.fixed + skipped, f->most};
    if (bytes)
        c->loops->video->pillow(bytes, rows, &taps, c->origin, c->columns);
    else
        c->loops->video->area[!c->window->bytes](floats, rows, &taps, c->origin, c->columns);
}

static void filter_columns_of_bytes(const chunk *c, int64_t y, uint8_t *out)
{
    const pixviewi_filter *f = c->p->column_filter;
    int64_t step = c->step, entry = first_entry(c);
    if (c->window) {
        filter_window(c, y, out, NULL);
        return;
    }
    if (c->fast > 0)
        c->loops->filter_columns[step - 3](out, c->columns, source_row(c, y, 0), c->places,
                                           c->pair_weights, c->pairs, c->fast);
    if (step == 3 && c->channels == 3 && c->p->image->strides[PIXVIEW_AXIS_C] == 1) {
        filter_pixels(c, y, out);
        return;
    }
    for (int64_t channel = 0; channel < c->channels; channel++) {
        const uint8_t *row = (const uint8_t *)source_row(c, y, channel);
        for (int64_t i = c->fast; i < c->columns; i++) {
            const int32_t *weights = f->weights.fixed + (entry + i) * f->most;
            const uint8_t *from = row + f->first[entry + i] * step;
            int32_t sum = PIXVIEWI_FILTER_HALF;
            for (int64_t k = 0; k < f->count[entry + i]; k++)
                sum += weights[k] * from[k * step];
            out[channel * c->columns + i] = pixviewi_filter_byte(sum);
        }
    }
}

static void filter_columns_of_floats(const chunk *c, int64_t y, float *out)
{
    const pixviewi_filter *f = c->p->column_filter;
    int64_t entry = first_entry(c);
    if (c->window) {
        filter_window(c, y, NULL, out);
        return;
    }
    for (int64_t channel = 0; channel < c->channels; channel++) {
        const char *row = source_row(c, y, channel);
        for (int64_t i = 0; i < c->columns; i++)
            *out++ = sum_piece(c, row + f->first[entry + i] * c->step,
                               f->weights.floats + (entry + i) * f->most, f->count[entry + i], 0);
    }
}

// Row y between its columns, where it is kept.
static int64_t keep_filtered(chunk *c, int64_t y)
{
    int64_t slot = y % c->slots, at = slot * c->channels * c->columns;
    if (c->in_slot[slot] == y)
        return at;
    c->in_slot[slot] = y;
    if (is_area(c))
        filter_columns_of_floats(c, y, c->between.ring_floats + at);
    else
        filter_columns_of_bytes(c, y, c->between.ring_bytes + at);
    return at;
}

static void filter_rows_of_bytes(chunk *c, int64_t entry)
{
    enum { TOGETHER = 32 }; // rows: there are slots for as many
    const pixviewi_filter *f = c->p->row_filter;
    int64_t count = c->channels * c->columns;
    for (int64_t i = 0; i < count; i++)
        c->sums[i] = PIXVIEWI_FILTER_HALF;
    for (int64_t k = 0, some; k < f->count[entry]; k += some) {
        const char *rows[TOGETHER];
        some = f->count[entry] - k < TOGETHER ? f->count[entry] - k : TOGETHER;
        assert(some <= c->slots);
        for (int64_t i = 0; i < some; i++)
            rows[i] =
                (const char *)c->between.ring_bytes + keep_filtered(c, f->first[entry] + k + i);
        c->loops->add_rows(c->sums, rows, f->weights.fixed + entry * f->most + k, some, count);
    }
    c->loops->clip_sums(c->row, c->sums, count);
}

static void filter_rows_of_floats(chunk *c, int64_t entry)
{
    const pixviewi_filter *f = c->p->row_filter;
    int64_t count = c->channels * c->columns;
    float *out = (float *)(void *)c->row;
    for (int64_t i = 0; i < count; i++)
        out[i] = 0;
    for (int64_t k = 0; k < f->count[entry]; k++) {
        const float *row = c->between.ring_floats + keep_filtered(c, f->first[entry] + k);
        c->loops->video->add_line(out, row, f->weights.floats[entry * f->most + k], count);
    }
}

// Floats to bytes in place.
static void round_row(chunk *c)
{
    int64_t count = c->channels * c->columns;
    for (int64_t i = 0; i < count; i++) {
        float in;
        memcpy(&in, c->row + i * (int64_t)sizeof in, sizeof in);
        ((uint8_t *)c->row)[i] = in >= 255 ? 255 : in > 0 ? (uint8_t)lrintf(in) : 0;
    }
}

// Bytes of `count` columns of the source from `first` on, between rows.
static void between_rows(chunk *c, int64_t entry, int64_t channel, int64_t first, int64_t count,
                         uint8_t *out)
{
    const pixviewi_filter *f = c->p->row_filter;
    assert(count <= RUN);
    for (int64_t i = 0; i < count; i++)
        c->sums[i] = PIXVIEWI_FILTER_HALF;
    for (int64_t k = 0; k < f->count[entry]; k++) {
        const uint8_t *row =
            (const uint8_t *)source_at(c, f->first[entry] + k, channel, first, count);
        int32_t weight = f->weights.fixed[entry * f->most + k];
        for (int64_t i = 0; i < count; i++)
            c->sums[i] += weight * row[i * c->step];
    }
    for (int64_t i = 0; i < count; i++)
        out[i] = pixviewi_filter_byte(c->sums[i]);
}

// Pillow's other order: what the chunk needs of the source between its rows, then between the columns of that.
// Columns come in pieces, each added to the sums of all that take part of it.
static void filter_rows_first(chunk *c, int64_t row_entry)
{
    const pixviewi_filter *f = c->p->column_filter;
    int64_t begin = first_entry(c), last = begin + c->columns - 1;
    int64_t end = f->first[last] + f->count[last];
    int32_t *sums = c->column_sums;
    for (int64_t channel = 0; channel < c->channels; channel++) {
        for (int64_t i = 0; i < c->columns; i++)
            sums[i] = PIXVIEWI_FILTER_HALF;
        int64_t first_open = 0; // columns before are complete
        for (int64_t x = f->first[begin]; x < end; x += RUN) {
            uint8_t *piece = c->between.ring_bytes;
            int64_t beyond = end - x < RUN ? end : x + RUN;
            between_rows(c, row_entry, channel, x, beyond - x, piece);
            for (int64_t i = first_open; i < c->columns && f->first[begin + i] < beyond; i++) {
                int64_t entry = begin + i, low = f->first[entry];
                int64_t high = low + f->count[entry];
                const int32_t *weights = f->weights.fixed + entry * f->most;
                first_open += high <= beyond && i == first_open;
                for (int64_t k = low < x ? x : low; k < (high < beyond ? high : beyond); k++)
                    sums[i] += weights[k - low] * piece[k - x];
            }
        }
        for (int64_t i = 0; i < c->columns; i++)
            ((uint8_t *)c->row)[channel * c->columns + i] = pixviewi_filter_byte(sums[i]);
    }
}

void pixviewi_host_filter_row(chunk *c, int64_t y)
{
    int64_t entry = y - pixviewi_axis_begin(&c->p->rows);
    if (c->p->rows_first) {
        filter_rows_first(c, entry);
        return;
    }
    if (!is_area(c)) {
        filter_rows_of_bytes(c, entry);
        return;
    }
    filter_rows_of_floats(c, entry);
    if (c->from.bits == 8)
        round_row(c);
}

// As many columns as there is room for the weights of, eight at a time.
static int64_t paired_columns(const pixviewi_filter *f) { return WEIGHTS / (16 * pairs_of(f)) * 8; }

int64_t pixviewi_host_filtered_columns(const chunk *c, int64_t group)
{
    int64_t fits = ring_of(c) / c->p->row_filter->most / group;
    int64_t paired = paired_columns(c->p->column_filter);
    fits = paired > 0 && paired < fits ? paired : fits;
    return fits < 1 ? 1 : fits < RUN / group ? fits : RUN / group;
}

// The source's columns that all columns of the chunk take.
static void set_span(chunk *c)
{
    const pixviewi_filter *f = c->p->column_filter;
    int64_t begin = first_entry(c), last = begin + c->columns - 1;
    c->origin = c->window ? f->first[begin] : 0;
    c->end = f->first[last] + f->count[last];
}

// For which columns there is a loop, and what it takes: all that it reads is inside the row.
static void choose_filter_loop(chunk *c)
{
    const pixviewi_filter *f = c->p->column_filter;
    int64_t step = c->step, size = c->p->columns.source * step, entry = first_entry(c);
    bool pixels = !c->window && (step == 3 || step == 4) && c->channels == step &&
                  c->p->image->strides[PIXVIEW_AXIS_C] == 1;
    c->pairs = pairs_of(f);
    c->fast = 0;
    if (is_area(c) || c->p->rows_first || !pixels || !c->loops->filter_columns[0] ||
        size > INT32_MAX)
        return;
    int64_t reads = (c->pairs - 1) * 2 * step + 8, most = paired_columns(f);
    for (; c->fast < c->columns && c->fast < most; c->fast++) {
        int64_t i = c->fast, count = f->count[entry + i];
        const int32_t *weights = f->weights.fixed + (entry + i) * f->most;
        int32_t *pairs = c->pair_weights + i / 8 * c->pairs * 16 + i % 8;
        if (f->first[entry + i] * step + reads > size)
            break;
        c->places[i] = (int32_t)(f->first[entry + i] * step);
        for (int64_t k = 0; k < 2 * c->pairs; k += 2) {
            int32_t a = k < count ? weights[k] : 0, b = k + 1 < count ? weights[k + 1] : 0;
            pairs[8 * k] = pixviewi_low_halves(a, b);
            pairs[8 * k + 8] = pixviewi_high_halves(a, b);
        }
    }
    c->fast -= c->fast % 8;
}

void pixviewi_host_begin_filters(chunk *c)
{
    set_span(c);
    for (; c->window && c->columns > 1 && c->end - c->origin > PIXVIEWI_WINDOW; set_span(c))
        c->columns--;
    c->slots = ring_of(c) / (c->channels * c->columns);
    c->slots = c->slots < SLOTS ? c->slots : SLOTS;
    for (int64_t i = 0; i < c->slots; i++)
        c->in_slot[i] = -1;
    choose_filter_loop(c);
}
