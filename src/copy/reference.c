// SPDX-License-Identifier: Apache-2.0
// A copy operation in plain C, one element at a time: what every kernel and every fast host loop has to equal,
// bit by bit (a NaN: any NaN). Slow on purpose; nothing here is clever.
#include "copy/reference.h"

#include <math.h>
#include <string.h>

#include "copy/filter.h"
#include "descriptor/half.h"

static uint8_t u8_of_float(float value)
{
    if (isnan(value) || value <= 0)
        return 0;
    return value >= 255 ? 255 : (uint8_t)lrintf(value);
}

// ---- one element ------------------------------------------------------------------------------

#define LOAD(T)                             \
    {                                       \
        T value;                            \
        memcpy(&value, from, sizeof value); \
        return (float)value;                \
    }

static float load_element(pixview_dtype dtype, const char *from)
{
    uint16_t half;
    switch (dtype.code << 8 | dtype.bits) {
    case PIXVIEW_DTYPE_UINT << 8 | 8:
        LOAD(uint8_t)
    case PIXVIEW_DTYPE_INT << 8 | 8:
        LOAD(int8_t)
    case PIXVIEW_DTYPE_UINT << 8 | 16:
        LOAD(uint16_t)
    case PIXVIEW_DTYPE_INT << 8 | 16:
        LOAD(int16_t)
    case PIXVIEW_DTYPE_INT << 8 | 32:
        LOAD(int32_t)
    case PIXVIEW_DTYPE_FLOAT << 8 | 16:
        memcpy(&half, from, sizeof half);
        return pixviewi_f16_to_float(half);
    case PIXVIEW_DTYPE_BFLOAT << 8 | 16:
        memcpy(&half, from, sizeof half);
        return pixviewi_bf16_to_float(half);
    default:
        LOAD(float)
    }
}

static uint16_t u16_of_float(float value)
{
    if (isnan(value) || value <= 0)
        return 0;
    return value >= 65535 ? 65535 : (uint16_t)lrintf(value);
}

static void store_element(pixview_dtype dtype, char *to, float value)
{
    uint16_t half;
    if (dtype.bits == 8) {
        *(uint8_t *)to = u8_of_float(value);
    } else if (dtype.bits == 16 &&
               dtype.code == PIXVIEW_DTYPE_UINT) { // resized, and no value changed
        half = u16_of_float(value);
        memcpy(to, &half, sizeof half);
    } else if (dtype.bits == 16) {
        half = dtype.code == PIXVIEW_DTYPE_BFLOAT ? pixviewi_bf16_from_float(value)
                                                  : pixviewi_f16_from_float(value);
        memcpy(to, &half, sizeof half);
    } else {
        memcpy(to, &value, sizeof value);
    }
}

// Where element (at[0], at[1], at[2], channel) of an end lies; NULL beyond a smaller image.
static char *locate_element(const pixviewi_copy_op *op, const pixviewi_operand *end,
                            const int64_t at[4], int64_t channel)
{
    if (!end->images && (at[1] >= op->shape[PIXVIEW_AXIS_H] - end->pad_rows ||
                         at[2] >= op->shape[PIXVIEW_AXIS_W] - end->pad_cols))
        return NULL;
    if (!end->images)
        return end->data + at[0] * end->strides[0] + at[1] * end->strides[1] +
               at[2] * end->strides[2] + channel * end->strides[3];
    const pixview_image *image = &end->images[at[0]];
    if (at[1] >= image->shape[PIXVIEW_AXIS_H] || at[2] >= image->shape[PIXVIEW_AXIS_W])
        return NULL;
    return (char *)image->data + at[1] * image->strides[PIXVIEW_AXIS_H] +
           at[2] * image->strides[PIXVIEW_AXIS_W] + channel * image->strides[PIXVIEW_AXIS_C];
}

// ---- resized ----------------------------------------------------------------------------------

// A source on the canvas.
typedef struct placed {
    pixviewi_axis rows, columns;
    double row_scale, column_scale;
    bool as_is; // it keeps its size: its pixels are copied
} placed;

static placed place(const pixviewi_copy_op *op, int64_t n)
{
    placed p;
    pixviewi_place_source(op, n, &p.rows, &p.columns);
    p.row_scale = pixviewi_tap_scale(p.rows.source, p.rows.resized);
    p.column_scale = pixviewi_tap_scale(p.columns.source, p.columns.resized);
    p.as_is = p.rows.source == p.rows.resized && p.columns.source == p.columns.resized;
    return p;
}

static bool covers(const pixviewi_axis *axis, int64_t at)
{
    int64_t begin = pixviewi_axis_begin(axis);
    return at >= begin && at < begin + pixviewi_axis_length(axis);
}

static char *pixel_of(const pixview_image *image, int64_t y, int64_t x, int64_t channel)
{
    return (char *)image->data + y * image->strides[PIXVIEW_AXIS_H] +
           x * image->strides[PIXVIEW_AXIS_W] + channel * image->strides[PIXVIEW_AXIS_C];
}

// An image or a frame, whose pixels become RGB before anything else happens to them.
typedef struct source {
    const pixview_image *image;
    const pixviewi_video *video; // NULL: an image
    bool bytes;                  // its pixels are bytes, and so is what lies between them
} source;

static source source_of(const pixviewi_copy_op *op, int64_t n)
{
    const pixview_image *image = &op->src.images[n];
    const pixviewi_video *video = pixviewi_video_at(op, n);
    return (source){image, video, video ? !video->colour.deep : image->dtype.bits == 8};
}

static int32_t video_sum(const pixviewi_video *video, int64_t y, int64_t x, int64_t channel)
{
    int32_t sums[3];
    pixviewi_video_sums(video, y, x, sums);
    return sums[channel];
}

static float load_pixel(const source *from, int64_t y, int64_t x, int64_t channel)
{
    if (!from->video)
        return load_element(from->image->dtype, pixel_of(from->image, y, x, channel));
    int32_t sum = video_sum(from->video, y, x, channel);
    return from->bytes ? (float)pixviewi_colour_byte(sum) : pixviewi_colour_float(sum);
}

// Between four pixels of a source, at row y and column x of the resized image.
static float sample_linear(const source *image, const placed *p, int64_t y, int64_t x,
                           int64_t channel)
{
    bool bytes = image->bytes;
    int64_t rows = p->rows.source, columns = p->columns.source;
    pixviewi_tap v = bytes ? pixviewi_byte_tap(y, rows, p->row_scale, true)
                           : pixviewi_float_tap(y, rows, p->row_scale);
    pixviewi_tap h = bytes ? pixviewi_byte_tap(x, columns, p->column_scale, false)
                           : pixviewi_float_tap(x, columns, p->column_scale);
    float a = load_pixel(image, v.first, h.first, channel);
    float b = load_pixel(image, v.first, h.second, channel);
    float c = load_pixel(image, v.second, h.first, channel);
    float d = load_pixel(image, v.second, h.second, channel);
    if (bytes)
        return (float)pixviewi_mix_rows(pixviewi_mix_columns((int)a, (int)b, &h),
                                        pixviewi_mix_columns((int)c, (int)d, &h), &v);
    return pixviewi_mix(pixviewi_mix(a, b, h.weight), pixviewi_mix(c, d, h.weight), v.weight);
}

// Of row y of the source, what column x of the result is made of; or of column x, row y.
static int32_t filter_line_fixed(const source *image, const pixviewi_filter *f, int64_t y,
                                 int64_t x, bool along_rows, int64_t channel)
{
    int32_t sum = PIXVIEWI_FILTER_HALF;
    int64_t entry = along_rows ? y : x;
    for (int64_t k = 0; k < f->count[entry]; k++) {
        int64_t at = f->first[entry] + k;
        sum += f->weights.fixed[entry * f->most + k] *
               (int32_t)load_pixel(image, along_rows ? at : y, along_rows ? x : at, channel);
    }
    return pixviewi_filter_byte(sum);
}

// Pillow's two passes, of bytes each. `outer` is the filter of the second one.
static float sample_pillow(const source *image, const pixviewi_filter *rows,
                           const pixviewi_filter *columns, int64_t y, int64_t x, int64_t channel)
{
    bool rows_first = pixviewi_pil_rows_first(&rows->axis, &columns->axis);
    const pixviewi_filter *outer = rows_first ? columns : rows;
    int64_t entry = rows_first ? x : y;
    int32_t sum = PIXVIEWI_FILTER_HALF;
    for (int64_t k = 0; k < outer->count[entry]; k++) {
        int64_t at = outer->first[entry] + k;
        int32_t line = rows_first ? filter_line_fixed(image, rows, y, at, true, channel)
                                  : filter_line_fixed(image, columns, at, x, false, channel);
        sum += outer->weights.fixed[entry * outer->most + k] * line;
    }
    return pixviewi_filter_byte(sum);
}

static float sample_area(const source *image, const pixviewi_filter *rows,
                         const pixviewi_filter *columns, int64_t y, int64_t x, int64_t channel)
{
    float sum = 0;
    for (int64_t k = 0; k < rows->count[y]; k++) {
        float line = 0;
        for (int64_t j = 0; j < columns->count[x]; j++)
            line =
                fmaf(columns->weights.floats[x * columns->most + j],
                     load_pixel(image, rows->first[y] + k, columns->first[x] + j, channel), line);
        sum = fmaf(rows->weights.floats[y * rows->most + k], line, sum);
    }
    return image->bytes ? u8_of_float(sum) : sum;
}

// At row y and column x of the visible part.
static float sample_filtered(const pixviewi_copy_op *op, int64_t n, int64_t y, int64_t x,
                             int64_t channel)
{
    const pixviewi_filters *filters = op->filters;
    const pixviewi_filter *rows = &filters->items[filters->of_image[n][0]];
    const pixviewi_filter *columns = &filters->items[filters->of_image[n][1]];
    source from = source_of(op, n);
    return op->resize.interpolation == PIXVIEWI_AREA
               ? sample_area(&from, rows, columns, y, x, channel)
               : sample_pillow(&from, rows, columns, y, x, channel);
}

// ---- all of it --------------------------------------------------------------------------------

static void store_value(const pixviewi_copy_op *op, char *to, float in, int64_t channel)
{
    const pixviewi_affine *affine = &op->affine;
    int64_t entry = affine->channels == 1 ? 0 : channel;
    float out = affine->is_identity ? in : fmaf(in, affine->scale[entry], affine->bias[entry]);
    store_element(op->dst.dtype, to, out);
}

// `from`: NULL beyond a smaller image.
static void move_from(const pixviewi_copy_op *op, char *to, const char *from, int64_t channel)
{
    const pixviewi_affine *affine = &op->affine;
    if (affine->is_identity)
        memcpy(to, from ? from : (const char *)affine->pad_bits,
               (size_t)pixview_dtype_size(op->dst.dtype));
    else
        store_value(op, to, from ? load_element(op->src.dtype, from) : affine->pad, channel);
}

static int64_t partner_of(const pixviewi_copy_op *op, int64_t channel)
{
    return op->affine.swap_rb && (channel == 0 || channel == 2) ? 2 - channel : channel;
}

static void move_element(const pixviewi_copy_op *op, const int64_t at[4])
{
    move_from(op, locate_element(op, &op->dst, at, at[3]),
              locate_element(op, &op->src, at, partner_of(op, at[3])), at[3]);
}

// Pixel (y, x) of a source, as it is.
static void move_pixel(const pixviewi_copy_op *op, char *to, const source *from, int64_t y,
                       int64_t x, const int64_t channels[2])
{
    if (!from->video)
        move_from(op, to, pixel_of(from->image, y, x, channels[0]), channels[1]);
    else if (op->affine.is_identity)
        *(uint8_t *)to = (uint8_t)pixviewi_colour_byte(video_sum(from->video, y, x, channels[0]));
    else
        store_value(op, to, load_pixel(from, y, x, channels[0]), channels[1]);
}

static void move_resized(const pixviewi_copy_op *op, const int64_t at[4], const placed *p)
{
    source image = source_of(op, at[0]);
    char *to = locate_element(op, &op->dst, at, at[3]);
    int64_t y = at[1] + p->rows.skip, x = at[2] + p->columns.skip, from = partner_of(op, at[3]);
    if (!covers(&p->rows, at[1]) || !covers(&p->columns, at[2]))
        move_from(op, to, NULL, at[3]);
    else if (op->resize.interpolation == PIXVIEWI_NEAREST || p->as_is)
        move_pixel(op, to, &image, pixviewi_nearest_tap(y, p->rows.source, p->row_scale),
                   pixviewi_nearest_tap(x, p->columns.source, p->column_scale),
                   (const int64_t[]){from, at[3]});
    else if (!op->filters)
        store_value(op, to, sample_linear(&image, p, y, x, from), at[3]);
    else
        store_value(op, to,
                    sample_filtered(op, at[0], at[1] - pixviewi_axis_begin(&p->rows),
                                    at[2] - pixviewi_axis_begin(&p->columns), from),
                    at[3]);
}

// ---- into frames ------------------------------------------------------------------------------

// Channel by channel what a pixel of the source becomes by the affine, clipped.
static float load_value(const pixviewi_copy_op *op, const int64_t at[4])
{
    const pixviewi_affine *affine = &op->affine;
    int64_t entry = affine->channels == 1 ? 0 : at[3];
    float in = load_element(op->src.dtype, locate_element(op, &op->src, at, partner_of(op, at[3])));
    return pixviewi_clip_value(
        affine->is_identity ? in : fmaf(in, affine->scale[entry], affine->bias[entry]));
}

// Of the pixels that one U and V stand for: along the columns of each row, then along the rows.
static float mean_value(const pixviewi_copy_op *op, int64_t n, const pixviewi_mean *rows,
                        const pixviewi_mean *columns, int64_t channel)
{
    float sum = 0;
    for (int k = 0; k < rows->count; k++) {
        float line = 0;
        for (int j = 0; j < columns->count; j++)
            line = fmaf(columns->weight[j],
                        load_value(op, (const int64_t[]){n, rows->at[k], columns->at[j], channel}),
                        line);
        sum = fmaf(rows->weight[k], line, sum);
    }
    return sum;
}

static void write_part(const pixviewi_copy_op *op, int64_t n, int part)
{
    const pixviewi_video_target *target = &op->targets[n];
    const pixviewi_samples *s = &target->samples;
    bool chroma = part != PIXVIEWI_Y;
    int32_t shift_y = chroma ? s->shift_y : 0, shift_x = chroma ? s->shift_x : 0;
    int64_t height = op->shape[PIXVIEW_AXIS_H], width = op->shape[PIXVIEW_AXIS_W];
    for (int64_t y = 0; y << shift_y < height; y++)
        for (int64_t x = 0; x << shift_x < width; x++) {
            pixviewi_mean rows = pixviewi_mean_of(y, shift_y, target->on_row, height);
            pixviewi_mean columns = pixviewi_mean_of(x, shift_x, target->on_column, width);
            float rgb[3];
            for (int c = 0; c < 3; c++)
                rgb[c] = mean_value(op, n, &rows, &columns, c);
            pixviewi_sample_store(s, pixviewi_sample_at(s, part, y << shift_y, x << shift_x),
                                  pixviewi_encode(&target->weights[part], rgb, s->most));
        }
}

static void write_frames(const pixviewi_copy_op *op)
{
    for (int64_t n = 0; n < op->shape[0]; n++)
        for (int part = 0; part < (op->targets[n].samples.has_chroma ? 3 : 1); part++)
            write_part(op, n, part);
}

void pixviewi_run_reference(const pixviewi_copy_op *op)
{
    int64_t at[4];
    if (op->targets) {
        write_frames(op);
        return;
    }
    placed p = {.row_scale = 0};
    for (at[0] = 0; at[0] < op->shape[0]; at[0]++) {
        if (op->resizes)
            p = place(op, at[0]);
        for (at[1] = 0; at[1] < op->shape[1]; at[1]++)
            for (at[2] = 0; at[2] < op->shape[2]; at[2]++)
                for (at[3] = 0; at[3] < op->shape[3]; at[3]++) {
                    if (op->resizes)
                        move_resized(op, at, &p);
                    else
                        move_element(op, at);
                }
    }
}
