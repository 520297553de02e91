// SPDX-License-Identifier: Apache-2.0
// Images of any size onto canvases. A canvas is cut into bands of rows for threads; of a band, a chunk of some
// columns is made row by row:
//
//     two rows of the source -> each between its columns -> between the two -> a row of planes -> a box
//
// The two are kept for the next row, which mostly needs one of them again.
#include <assert.h>
#include <math.h>
#include <string.h>

#include "host/resize.h"

static placed place(const pixviewi_copy_op *op, int64_t n)
{
    placed p = {.image = &op->src.images[n], .video = pixviewi_video_at(op, n)};
    pixviewi_place_source(op, n, &p.rows, &p.columns);
    p.row_scale = pixviewi_tap_scale(p.rows.source, p.rows.resized);
    p.column_scale = pixviewi_tap_scale(p.columns.source, p.columns.resized);
    p.as_is = p.rows.source == p.rows.resized && p.columns.source == p.columns.resized;
    if (op->filters) {
        p.row_filter = &op->filters->items[op->filters->of_image[n][0]];
        p.column_filter = &op->filters->items[op->filters->of_image[n][1]];
        p.rows_first = pixviewi_filters_turned(op, op->filters, n);
    }
    return p;
}

// ---- columns ----------------------------------------------------------------------------------

static bool is_nearest(const chunk *c) { return c->op->resize.interpolation == PIXVIEWI_NEAREST; }

static void set_columns(chunk *c)
{
    const pixviewi_axis *axis = &c->p->columns;
    bool bytes = c->from.bits == 8;
    c->origin = 0;
    for (int64_t i = 0; i < c->columns; i++) {
        int64_t d = c->x + i + axis->skip;
        if (is_nearest(c)) {
            c->first[i] = pixviewi_nearest_tap(d, axis->source, c->p->column_scale) * c->step;
            continue;
        }
        pixviewi_tap tap = bytes ? pixviewi_byte_tap(d, axis->source, c->p->column_scale, false)
                                 : pixviewi_float_tap(d, axis->source, c->p->column_scale);
        if (c->window && i == 0)
            c->origin = tap.first;
        if (c->window && tap.second - c->origin >= PIXVIEWI_WINDOW) {
            c->columns = i; // the rest is another chunk
            return;
        }
        c->end = tap.second + 1;
        c->first[i] = (tap.first - c->origin) * c->step;
        if (c->window)
            c->places[i] = (int32_t)(tap.first - c->origin);
        c->second[i] = (tap.second - c->origin) * c->step;
        c->a[i] = (int16_t)tap.a;
        c->b[i] = (int16_t)tap.b;
        c->weight[i] = tap.weight;
    }
}

// Which loop makes bytes between columns, and of how many: those whose two pixels are neighbours, and all that it
// reads inside the row.
static void choose_loop(chunk *c)
{
    const int64_t *steps = c->p->image->strides;
    int64_t step = c->step, row = c->p->columns.source * step;
    bool interleaved = !c->window && (step == 3 || step == 4) && c->channels == step &&
                       c->channel == 0 && steps[PIXVIEW_AXIS_C] == 1;
    c->mixed = interleaved ? (int)step : step == 1 ? 1 : 0;
    c->fast = 0;
    if (!c->loops->mix_columns[0] || !c->mixed || row > INT32_MAX || c->from.bits != 8)
        return;
    int64_t reads = c->window ? 0 : c->mixed == 1 ? 4 : 8; // a window has room behind
    for (; c->fast < c->columns && c->first[c->fast] + reads <= row; c->fast++) {
        c->places[c->fast] = (int32_t)c->first[c->fast];
        c->weights[c->fast] = (int32_t)((uint32_t)c->b[c->fast] << 16 | (uint16_t)c->a[c->fast]);
    }
    c->fast -= c->fast % 8;
}

// ---- bytes ------------------------------------------------------------------------------------

static void mix_fast_columns(chunk *c, int16_t *out, int64_t y)
{
    int loop = c->mixed == 1 ? 0 : c->mixed - 2;
    int64_t next = y + c->ahead < c->p->rows.source ? y + c->ahead : y;
    for (int64_t channel = 0; channel < c->channels; channel += c->mixed) {
        const char *row = source_row(c, y, channel);
        c->loops->mix_columns[loop](out + channel * c->columns, c->columns, row,
                                    c->window ? row : source_row(c, next, channel), c->places,
                                    c->weights, c->fast);
    }
}

static void mix_columns_of_bytes(chunk *c, int slot, int64_t y)
{
    if (c->fast > 0)
        mix_fast_columns(c, c->between.bytes[slot], y);
    for (int64_t channel = 0; channel < c->channels; channel++) {
        const uint8_t *row = (const uint8_t *)source_row(c, y, channel);
        int16_t *out = c->between.bytes[slot] + channel * c->columns;
        for (int64_t i = c->fast; i < c->columns; i++)
            out[i] = (int16_t)((row[c->first[i]] * c->a[i] + row[c->second[i]] * c->b[i]) >> 4);
    }
}

static void mix_rows_of_bytes(chunk *c, const int16_t *above, const int16_t *below,
                              const pixviewi_tap *tap)
{
    c->loops->mix_rows(c->row, above, below, tap->a, tap->b, c->channels * c->columns);
}

// ---- floats -----------------------------------------------------------------------------------

static void mix_columns_of_floats(chunk *c, int slot, int64_t y)
{
    for (int64_t channel = 0; channel < c->channels; channel++) {
        const char *row = source_row(c, y, channel);
        float *out = c->between.floats[slot] + channel * c->columns;
        if (c->window) {
            c->loops->video->mix_columns(out, row, c->places, c->weight, c->columns);
            continue;
        }
        for (int64_t i = 0; i < c->columns; i++)
            out[i] = pixviewi_mix(load_float(c->from, row + c->first[i]),
                                  load_float(c->from, row + c->second[i]), c->weight[i]);
    }
}

static void mix_rows_of_floats(chunk *c, const float *above, const float *below, float weight)
{
    float *out = (float *)(void *)c->row;
    int64_t count = c->channels * c->columns;
    for (int64_t i = 0; i < count; i++)
        out[i] = pixviewi_mix(above[i], below[i], weight);
}

static uint16_t round_to(float value, uint16_t most)
{
    return value >= most ? most : value > 0 ? (uint16_t)lrintf(value) : 0;
}

// In place, to the type of the destination, where no other value changes. Bytes are those of frames.
static void narrow_row(chunk *c)
{
    pixview_dtype dtype = c->op->dst.dtype;
    int64_t count = c->channels * c->columns;
    for (int64_t i = 0; dtype.bits <= 16 && i < count; i++) {
        float in;
        memcpy(&in, c->row + i * (int64_t)sizeof in, sizeof in);
        if (dtype.bits == 8) {
            c->row[i] = (char)round_to(in, 255);
            continue;
        }
        uint16_t out = dtype.code == PIXVIEW_DTYPE_UINT     ? round_to(in, 65535)
                       : dtype.code == PIXVIEW_DTYPE_BFLOAT ? pixviewi_bf16_from_float(in)
                                                            : pixviewi_f16_from_float(in);
        memcpy(c->row + i * (int64_t)sizeof out, &out, sizeof out);
    }
}

// ---- rows -------------------------------------------------------------------------------------

#define PICK(T)                                                             \
    for (int64_t i = 0; i < c->columns; i++)                                \
        memcpy(out + i * (int64_t)sizeof(T), row + c->first[i], sizeof(T)); \
    break

static void pick_row(chunk *c, int64_t y, int64_t size)
{
    for (int64_t channel = 0; channel < c->channels; channel++) {
        const char *row = source_row(c, y, channel);
        char *out = c->row + channel * c->columns * size;
        switch (size) {
        case 1:
            PICK(uint8_t);
        case 2:
            PICK(uint16_t);
        case 4:
            PICK(uint32_t);
        case 8:
            PICK(uint64_t);
        default:
            PICK(uint64_t[2]);
        }
    }
}

// The slot of row y between its columns.
static int keep_row(chunk *c, int64_t y, int other)
{
    bool bytes = c->from.bits == 8;
    int slot = c->kept[0] == y ? 0 : c->kept[1] == y ? 1 : other == 0 ? 1 : 0;
    if (c->kept[slot] == y)
        return slot;
    c->kept[slot] = y;
    if (bytes)
        mix_columns_of_bytes(c, slot, y);
    else
        mix_columns_of_floats(c, slot, y);
    return slot;
}

static pixviewi_tap row_tap(const chunk *c, int64_t d)
{
    const placed *p = c->p;
    pixviewi_tap tap = c->from.bits == 8 ? pixviewi_byte_tap(d, p->rows.source, p->row_scale, true)
                                         : pixviewi_float_tap(d, p->rows.source, p->row_scale);
    if (tap.b == 0 && tap.weight == 0) // where a scale is odd: half of the work
        tap.second = tap.first;
    return tap;
}

static void mix_row(chunk *c, int64_t d)
{
    pixviewi_tap tap = row_tap(c, d);
    c->ahead = row_tap(c, d + 1).first - tap.first;
    // What is there already must not make room for the other.
    int held = c->kept[0] == tap.second ? 0 : c->kept[1] == tap.second ? 1 : -1;
    int above = keep_row(c, tap.first, held), below = keep_row(c, tap.second, above);
    if (c->from.bits == 8)
        mix_rows_of_bytes(c, c->between.bytes[above], c->between.bytes[below], &tap);
    else
        mix_rows_of_floats(c, c->between.floats[above], c->between.floats[below], tap.weight);
}

// ---- one row ----------------------------------------------------------------------------------

// c->row, whose elements have that type, onto the canvas.
static void emit_row(chunk *c, char *dst, pixview_dtype dtype)
{
    const int64_t *steps = c->op->dst.strides;
    int64_t size = pixview_dtype_size(dtype);
    pixviewi_copy_op op = *c->op;
    pixviewi_box box = {.dst = dst,
                        .src = c->row,
                        .shape = {1, 1, c->columns, c->channels},
                        .dst_strides = {0, 0, steps[2], steps[3]},
                        .src_strides = {0, 0, size, c->columns * size}};
    op.src.dtype = dtype;
    pixviewi_host_move(c->loops, &op, &box);
}

static void resize_row(chunk *c, int64_t y, char *dst)
{
    static const pixview_dtype f32 = {PIXVIEW_DTYPE_FLOAT, 32, 1};
    const pixviewi_axis *axis = &c->p->rows;
    pixview_dtype from = c->from;
    int64_t d = y + axis->skip;
    assert(!is_nearest(c) || !c->op->filters);
    if (is_nearest(c)) {
        pick_row(c, pixviewi_nearest_tap(d, axis->source, c->p->row_scale),
                 pixview_dtype_size(from));
        emit_row(c, dst, from);
        return;
    }
    if (c->op->filters)
        pixviewi_host_filter_row(c, y);
    else
        mix_row(c, d);
    bool narrows = from.bits != 8 && c->op->affine.is_identity;
    if (narrows)
        narrow_row(c);
    emit_row(c, dst, narrows ? c->op->dst.dtype : from.bits == 8 ? from : f32);
}

// ---- canvases ---------------------------------------------------------------------------------

typedef struct resize_job {
    const pixviewi_copy_op *op;
    const pixviewi_loops *loops;
    int64_t bands;
} resize_job;

static pixviewi_box canvas_box(const pixviewi_copy_op *op, int64_t n, int64_t y, int64_t x,
                               int64_t rows, int64_t columns)
{
    const int64_t *steps = op->dst.strides;
    return (pixviewi_box){.dst = op->dst.data + n * steps[0] + y * steps[1] + x * steps[2],
                          .shape = {1, rows, columns, op->shape[3]},
                          .dst_strides = {0, steps[1], steps[2], steps[3]}};
}

static void pad_box(const resize_job *job, const pixviewi_box *box)
{
    if (box->shape[1] > 0 && box->shape[2] > 0)
        pixviewi_host_pad(job->loops, job->op, *box);
}

// Around what the image covers of rows `from` to `to`: above, below, left, right.
static void pad_band(const resize_job *job, int64_t n, const placed *p, int64_t from, int64_t to,
                     int64_t top, int64_t bottom)
{
    const pixviewi_copy_op *op = job->op;
    int64_t width = op->shape[2], left = pixviewi_axis_begin(&p->columns);
    int64_t right = left + pixviewi_axis_length(&p->columns);
    pixviewi_box boxes[] = {canvas_box(op, n, from, 0, top - from, width),
                            canvas_box(op, n, bottom, 0, to - bottom, width),
                            canvas_box(op, n, top, 0, bottom - top, left),
                            canvas_box(op, n, top, right, bottom - top, width - right)};
    for (int i = 0; i < 4; i++)
        pad_box(job, &boxes[i]);
}

static void move_band(const resize_job *job, int64_t n, const placed *p, int64_t top,
                      int64_t bottom)
{
    const int64_t *steps = p->image->strides;
    int64_t x = pixviewi_axis_begin(&p->columns), width = pixviewi_axis_length(&p->columns);
    pixviewi_box box = canvas_box(job->op, n, top, x, bottom - top, width);
    box.src = (const char *)p->image->data + (top + p->rows.skip) * steps[1] +
              (x + p->columns.skip) * steps[2];
    memcpy(box.src_strides, steps, sizeof box.src_strides);
    pixviewi_host_move(job->loops, job->op, &box);
}

static void pick_band(const resize_job *job, int64_t n, const placed *p, int64_t top,
                      int64_t bottom)
{
    int64_t x = pixviewi_axis_begin(&p->columns), width = pixviewi_axis_length(&p->columns);
    const pixviewi_picked_axis rows = {&p->rows, p->row_scale, top};
    const pixviewi_picked_axis columns = {&p->columns, p->column_scale, x};
    pixviewi_host_pick_frame(job->loops, job->op, p->video, &rows, &columns,
                             canvas_box(job->op, n, top, x, bottom - top, width));
}

// Of a frame it may leave columns for another chunk.
static void resize_chunk(const resize_job *job, chunk *c, int64_t n, int64_t top, int64_t bottom)
{
    const int64_t *steps = job->op->dst.strides;
    c->kept[0] = c->kept[1] = -1;
    if (c->window)
        c->window->y = -1;
    if (c->op->filters)
        pixviewi_host_begin_filters(c);
    else {
        set_columns(c);
        choose_loop(c);
    }
    for (int64_t y = top; y < bottom; y++)
        resize_row(c, y,
                   job->op->dst.data + n * steps[0] + y * steps[1] + c->x * steps[2] +
                       c->channel * steps[3]);
}

static void set_source(chunk *c, const placed *p, pixviewi_window *window)
{
    bool floats = p->video && p->video->colour.deep;
    c->p = p;
    c->from = c->op->src.dtype;
    c->step = p->image->strides[PIXVIEW_AXIS_W];
    c->window = p->video ? window : NULL;
    if (!p->video)
        return;
    window->bytes = !floats;
    c->from = floats ? (pixview_dtype){PIXVIEW_DTYPE_FLOAT, 32, 1} : c->from;
    c->step = floats ? 4 : 1;
}

static void resize_band(const resize_job *job, int64_t n, const placed *p, int64_t top,
                        int64_t bottom)
{
    chunk c;
    pixviewi_window window;
    int64_t x = pixviewi_axis_begin(&p->columns), end = x + pixviewi_axis_length(&p->columns);
    int64_t channels = job->op->shape[3];
    c.op = job->op;
    c.loops = job->loops;
    set_source(&c, p, &window);
    // More channels than have values of their own have one for all.
    int64_t group = channels < PIXVIEWI_MAX_CHANNELS ? channels : PIXVIEWI_MAX_CHANNELS;
    int64_t most = job->op->filters ? pixviewi_host_filtered_columns(&c, group) : RUN / group;
    for (c.channel = 0; c.channel < channels; c.channel += group)
        for (c.x = x; c.x < end; c.x += c.columns) {
            c.channels = channels - c.channel < group ? channels - c.channel : group;
            c.columns = end - c.x < most ? end - c.x : most;
            resize_chunk(job, &c, n, top, bottom);
        }
}

static int64_t within(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

static void resize_piece(void *context, int64_t piece)
{
    const resize_job *job = context;
    int64_t n = piece / job->bands, band = piece % job->bands, rows = job->op->shape[1];
    int64_t from = rows * band / job->bands, to = rows * (band + 1) / job->bands;
    placed p = place(job->op, n);
    int64_t begin = pixviewi_axis_begin(&p.rows), end = begin + pixviewi_axis_length(&p.rows);
    int64_t top = within(begin, from, to), bottom = within(end, top, to);
    pad_band(job, n, &p, from, to, top, bottom);
    bool picked = p.as_is || job->op->resize.interpolation == PIXVIEWI_NEAREST;
    if (top < bottom && p.video && picked)
        pick_band(job, n, &p, top, bottom);
    else if (top < bottom && p.as_is)
        move_band(job, n, &p, top, bottom);
    else if (top < bottom)
        resize_band(job, n, &p, top, bottom);
}

void pixviewi_host_resize(const pixviewi_copy_op *op)
{
    resize_job job = {op, pixviewi_host_loops(), 1};
    int64_t pixels = 0, count = op->shape[0], channels = op->shape[3];
    assert(op->src.images);
    for (int64_t n = 0; n < count; n++)
        pixels += op->src.images[n].shape[1] * op->src.images[n].shape[2];
    int64_t bytes =
        channels * (pixels * pixview_dtype_size(op->src.dtype) +
                    count * op->shape[1] * op->shape[2] * pixview_dtype_size(op->dst.dtype));
    int threads = pixviewi_host_threads(bytes);
    if (threads > 1)
        job.bands = within((4 * threads - 1) / count + 1, 1, op->shape[1]);
    if (threads > 1)
        pixviewi_host_parallel(threads, count * job.bands, resize_piece, &job);
    else
        for (int64_t n = 0; n < count; n++)
            resize_piece(&job, n);
}
