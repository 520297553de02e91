// SPDX-License-Identifier: Apache-2.0
// Images into video frames. A frame is cut into bands for threads, and those into strips of some columns:
//
//     a row of the image -> planes of floats, 0 to 255 -> Y
//                                                      -> means of columns -> means of rows -> U and V
//
// Means of columns are kept by row, as rows of U and V may share one.
#include <assert.h>
#include <string.h>

#include "host/host.h"

// Pixels of a strip, an even number; and rows that are kept: a mean takes three at most.
enum { STRIP = 1024, KEPT = 4 };

typedef struct strip {
    pixviewi_copy_op op; // to planes of floats; of bytes whose values stay, of bytes
    bool bytes;
    const pixviewi_loops *loops;
    const pixviewi_video_target *target;
    int64_t n, x, width;                                    // of the image; pixels
    _Alignas(64) char rgb[3][(STRIP + 16) * sizeof(float)]; // see pixels_of
    _Alignas(64) float lines[KEPT][3][STRIP]; // means of columns of a row, in slot row % KEPT
    int64_t in_slot[KEPT];                    // -1: nothing
    _Alignas(64) float means[3][STRIP];
    _Alignas(64) uint16_t samples[3][STRIP];
} strip;

enum { LEAD = 8 }; // elements before column x

static int64_t size_of(const strip *s) { return s->bytes ? 1 : sizeof(float); }

static char *pixels_of(strip *s, int channel) { return s->rgb[channel] + LEAD * size_of(s); }

// Row y, and a column more on each side: that of the image, or the edge once more.
static void load_row(strip *s, int64_t y)
{
    const pixviewi_operand *src = &s->op.src;
    int64_t end = s->x + s->width, left = s->x > 0, right = end < s->op.shape[PIXVIEW_AXIS_W];
    int64_t size = size_of(s);
    pixviewi_box box = {
        .dst = pixels_of(s, 0) - left * size,
        .src = src->data + s->n * src->strides[0] + y * src->strides[1] +
               (s->x - left) * src->strides[2],
        .shape = {1, 1, left + s->width + right, 3},
        .dst_strides = {0, 0, size, sizeof s->rgb[0]},
        .src_strides = {0, 0, src->strides[2], src->strides[3]},
    };
    pixviewi_host_move(s->loops, &s->op, &box);
    for (int c = 0; c < 3; c++) {
        char *row = pixels_of(s, c), *beyond = row + s->width * size;
        if (!left)
            memcpy(row - size, row, (size_t)size);
        if (!right)
            memcpy(beyond, beyond - size, (size_t)size);
    }
}

static void encode(strip *s, int part, const char *const rgb[3], bool bytes, int64_t count)
{
    const pixviewi_samples *samples = &s->target->samples;
    s->loops->video->encode[bytes](s->samples[part], rgb, &s->target->weights[part], samples->most,
                                   samples->down, count);
}

static void store(const strip *s, int part, int64_t y, int64_t count)
{
    const pixviewi_samples *samples = &s->target->samples;
    s->loops->video->store[samples->bytes - 1](pixviewi_sample_at(samples, part, y, s->x),
                                               samples->of[part].step, s->samples[part], count);
}

static void write_luma(strip *s, int64_t y)
{
    const char *const rgb[] = {pixels_of(s, 0), pixels_of(s, 1), pixels_of(s, 2)};
    encode(s, PIXVIEWI_Y, rgb, s->bytes, s->width);
    store(s, PIXVIEWI_Y, y, s->width);
}

// ---- U and V ----------------------------------------------------------------------------------

static int64_t chroma_width(const strip *s)
{
    int32_t shift = s->target->samples.shift_x;
    return (s->width + (1 << shift) - 1) >> shift;
}

// Row y, which is loaded, between its columns. Every format with fewer rows has fewer columns.
static void keep_line(strip *s, int64_t y)
{
    assert(s->target->samples.shift_x == 1);
    s->in_slot[y % KEPT] = y;
    for (int c = 0; c < 3; c++)
        s->loops->video->halve[s->bytes][s->target->on_column](s->lines[y % KEPT][c],
                                                               pixels_of(s, c), chroma_width(s));
}

static void store_chroma(const strip *s, int64_t y)
{
    const pixviewi_samples *samples = &s->target->samples;
    int first = pixviewi_first_of_pairs(samples), second = PIXVIEWI_U + PIXVIEWI_V - first;
    if (first == 0) {
        store(s, PIXVIEWI_U, y, chroma_width(s));
        store(s, PIXVIEWI_V, y, chroma_width(s));
        return;
    }
    s->loops->video->store_pairs[samples->bytes - 1](pixviewi_sample_at(samples, first, y, s->x),
                                                     s->samples[first], s->samples[second],
                                                     chroma_width(s));
}

static void encode_chroma(strip *s, const char *const rgb[3], bool bytes, int64_t y)
{
    encode(s, PIXVIEWI_U, rgb, bytes, chroma_width(s));
    encode(s, PIXVIEWI_V, rgb, bytes, chroma_width(s));
    store_chroma(s, y);
}

// Rows of `mean` are kept. y: the first row of the group.
static void write_chroma(strip *s, int64_t y, const pixviewi_mean *mean)
{
    const char *rgb[3];
    for (int c = 0; c < 3; c++) {
        float *sums = mean->count == 1 ? s->lines[y % KEPT][c] : s->means[c];
        rgb[c] = (const char *)sums;
        if (mean->count == 1)
            continue;
        memset(sums, 0, (size_t)chroma_width(s) * sizeof *sums);
        for (int k = 0; k < mean->count; k++)
            s->loops->video->add_line(sums, s->lines[mean->at[k] % KEPT][c], mean->weight[k],
                                      chroma_width(s));
    }
    encode_chroma(s, rgb, false, y);
}

// ---- strips -----------------------------------------------------------------------------------

// Rows y .. of one group of pixels that share U and V.
static void write_group(strip *s, int64_t y, int64_t end)
{
    const pixviewi_samples *samples = &s->target->samples;
    bool halves = samples->has_chroma && samples->shift_x == 1;
    pixviewi_mean mean = pixviewi_mean_of(y >> samples->shift_y, samples->shift_y,
                                          s->target->on_row, s->op.shape[PIXVIEW_AXIS_H]);
    int64_t before = mean.at[0];
    if (halves && before < y && s->in_slot[before % KEPT] != before) {
        load_row(s, before); // of another band
        keep_line(s, before);
    }
    for (int64_t row = y; row < end; row++) {
        load_row(s, row);
        write_luma(s, row);
        if (halves)
            keep_line(s, row);
    }
    const char *const rgb[] = {pixels_of(s, 0), pixels_of(s, 1), pixels_of(s, 2)};
    if (halves)
        write_chroma(s, y, &mean);
    else if (samples->has_chroma)
        encode_chroma(s, rgb, s->bytes, y);
}

static void write_strip(strip *s, int64_t top, int64_t bottom)
{
    int64_t group = 1 << s->target->samples.shift_y;
    assert(top % group == 0 && s->width > 0 && s->width <= STRIP);
    for (int k = 0; k < KEPT; k++)
        s->in_slot[k] = -1;
    for (int64_t y = top; y < bottom; y += group)
        write_group(s, y, bottom - y < group ? bottom : y + group);
}

// ---- frames -----------------------------------------------------------------------------------

typedef struct write_job {
    const pixviewi_copy_op *op;
    const pixviewi_loops *loops;
    int64_t bands;
} write_job;

// Bytes that stay need no floats.
static void set_values(strip *s, const pixviewi_copy_op *op)
{
    const pixviewi_affine *affine = &op->affine;
    s->op = *op;
    s->bytes = op->src.dtype.code == PIXVIEW_DTYPE_UINT && op->src.dtype.bits == 8;
    for (int c = 0; c < affine->channels; c++)
        s->bytes &= affine->scale[c] == 1 && affine->bias[c] == 0;
    if (s->bytes) {
        s->op.dst.dtype = op->src.dtype;
        s->op.affine.is_identity = true;
    }
}

static void write_piece(void *context, int64_t piece)
{
    const write_job *job = context;
    int64_t height = job->op->shape[PIXVIEW_AXIS_H], width = job->op->shape[PIXVIEW_AXIS_W];
    int64_t groups = (height + 1) / 2, band = piece % job->bands; // of two rows, for every format
    int64_t top = groups * band / job->bands * 2, bottom = groups * (band + 1) / job->bands * 2;
    strip s;
    set_values(&s, job->op);
    s.loops = job->loops;
    s.n = piece / job->bands;
    s.target = &job->op->targets[s.n];
    for (s.x = 0; s.x < width; s.x += STRIP) {
        s.width = width - s.x < STRIP ? width - s.x : STRIP;
        write_strip(&s, top, bottom < height ? bottom : height);
    }
}

void pixviewi_host_write_frames(const pixviewi_copy_op *op)
{
    write_job job = {op, pixviewi_host_loops(), 1};
    int64_t count = op->shape[0], pixels = count * op->shape[1] * op->shape[2];
    int64_t groups = (op->shape[PIXVIEW_AXIS_H] + 1) / 2;
    int threads = pixviewi_host_threads(pixels * (3 * pixview_dtype_size(op->src.dtype) + 2));
    if (threads == 1) {
        for (int64_t n = 0; n < count; n++)
            write_piece(&job, n);
        return;
    }
    job.bands = (4 * threads - 1) / count + 1;
    job.bands = job.bands < groups ? job.bands : groups;
    pixviewi_host_parallel(threads, count * job.bands, write_piece, &job);
}
