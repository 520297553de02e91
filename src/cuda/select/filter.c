// Lists of images of any size, resized by tables of weights. What the kernel reads of images and tables does not fit
// a launch's argument, so it lies in the GPU's memory.
#include "cuda/select/filter.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/select/resize.h"

_Static_assert(sizeof(pixviewi_filter_item) % 8 == 0, "the tables behind are aligned");

static bool is_area(const pixviewi_copy_op *op)
{
    return op->resize.interpolation == PIXVIEWI_AREA;
}

static const pixviewi_filter *rows_of(const pixviewi_copy_op *op, int64_t n)
{
    return &op->filters->items[op->filters->of_image[n][0]];
}
static const pixviewi_filter *columns_of(const pixviewi_copy_op *op, int64_t n)
{
    return &op->filters->items[op->filters->of_image[n][1]];
}

static bool is_turned(const pixviewi_copy_op *op, int64_t n)
{
    return pixviewi_filters_turned(op, op->filters, n);
}

static int32_t pieces(int64_t length, int64_t piece) { return (int32_t)((length - 1) / piece + 1); }

// ---- Tables -------------------------------------------------------------------------------------

// Across, of Pillow: groups of four pixels from the one on that has the first.
static int32_t first_group(const pixviewi_filter *f, int64_t entry) { return f->first[entry] / 4; }
static int32_t groups(const pixviewi_filter *f, int64_t entry)
{
    return (f->first[entry] + f->count[entry] + 3) / 4 - first_group(f, entry);
}

static int64_t most_groups(const pixviewi_filter *f) { return ((int64_t)f->most + 6) / 4; }

// Numbers of 32 bits; none if no image needs them.
static int64_t across_size(const pixviewi_filter *f, bool area)
{
    int64_t weights = area ? f->most : 3 * most_groups(f);
    return f->first_pass ? f->length * (2 + weights) : 0;
}
static int64_t down_size(const pixviewi_filter *f)
{
    return f->second_pass ? f->length * (2 + (int64_t)f->most) : 0;
}

// first, count, weights, one after another.
static pixviewi_filter_table table_at(const pixviewi_filter *f, int64_t at, int64_t step)
{
    return (pixviewi_filter_table){at, at + 4 * f->length, at + 8 * f->length, step};
}

static void fill_area(const pixviewi_filter *f, int32_t *out)
{
    memcpy(out, f->first, 8 * (size_t)f->length); // and count
    out += 2 * f->length;
    for (int64_t entry = 0; entry < f->length; entry++)
        for (int64_t k = 0; k < f->count[entry]; k++)
            memcpy(&out[k * f->length + entry], &f->weights.floats[entry * f->most + k], 4);
}

static void fill_groups(const pixviewi_filter *f, int32_t *out)
{
    uint32_t *words = (uint32_t *)out + 2 * f->length;
    memset(words, 0, (size_t)(3 * most_groups(f) * f->length) * sizeof *words);
    for (int64_t entry = 0; entry < f->length; entry++) {
        out[entry] = first_group(f, entry);
        out[f->length + entry] = groups(f, entry);
        assert(groups(f, entry) <= most_groups(f));
        for (int64_t k = 0; k < f->count[entry]; k++) {
            int32_t weight = f->weights.fixed[entry * f->most + k], place = f->first[entry] % 4;
            int64_t group = (place + k) / 4;
            assert(weight >= -(1 << 23) && weight < 1 << 23); // three bytes
            for (int byte = 0; byte < 3; byte++)
                words[(3 * group + byte) * f->length + entry] |=
                    ((uint32_t)weight >> 8 * byte & 255) << 8 * ((place + k) % 4);
        }
    }
}

// `tables`: across and down, of each filter.
static void fill_tables(const pixviewi_copy_op *op, pixviewi_filter_table (*tables)[2], char *out)
{
    int64_t at = 0;
    for (int64_t i = 0; i < op->filters->count; i++) {
        const pixviewi_filter *f = &op->filters->items[i];
        tables[i][0] = table_at(f, at, f->length);
        if (f->first_pass && is_area(op))
            fill_area(f, (int32_t *)(void *)(out + at));
        else if (f->first_pass)
            fill_groups(f, (int32_t *)(void *)(out + at));
        at += 4 * across_size(f, is_area(op));
        tables[i][1] = table_at(f, at, f->most);
        memcpy(out + at, f->first, 4 * (size_t)down_size(f)); // its arrays lie in one block
        at += 4 * down_size(f);
    }
}

// ---- Images -------------------------------------------------------------------------------------

static int lies_as(const pixviewi_filter_item *item, int64_t channels, int64_t size)
{
    bool mixed = (channels == 3 || channels == 4) && item->from.channel == size;
    if (mixed && item->from.pixel == channels * size)
        return PIXVIEWI_PIXELS_MIXED;
    if (item->from.pixel == size)
        return PIXVIEWI_PIXELS_PLANAR;
    if (mixed && item->from.row == channels * size)
        return PIXVIEWI_LINES_MIXED;
    return item->from.row == size ? PIXVIEWI_LINES_PLANAR : PIXVIEWI_LIES_APART;
}

static void set_axes(pixviewi_filter_item *item, const pixviewi_axis *rows,
                     const pixviewi_axis *columns)
{
    item->lines = (int32_t)rows->source;
    item->pixels = (int32_t)columns->source;
    item->height = (int32_t)rows->canvas;
    item->width = (int32_t)columns->canvas;
    item->top = (int32_t)pixviewi_axis_begin(rows);
    item->left = (int32_t)pixviewi_axis_begin(columns);
    item->rows = (int32_t)pixviewi_axis_length(rows);
    item->columns = (int32_t)pixviewi_axis_length(columns);
    item->skip_rows = (int32_t)(rows->skip > 0 ? rows->skip : 0);
    item->skip_left = (int32_t)(columns->skip > 0 ? columns->skip : 0);
    item->as_is = rows->source == rows->resized && columns->source == columns->resized;
}

static pixviewi_steps turn(pixviewi_steps s) { return (pixviewi_steps){s.pixel, s.row, s.channel}; }

// `batch` describes the canvases.
static pixviewi_filter_item item_of(const pixviewi_copy_op *op, const pixviewi_resize_args *batch,
                                    int32_t tile_rows, int64_t n)
{
    const pixview_image *image = &op->src.images[n];
    const int64_t *strides = image->strides;
    const pixviewi_axis *rows = &rows_of(op, n)->axis, *columns = &columns_of(op, n)->axis;
    bool turned = is_turned(op, n);
    pixviewi_filter_item item;
    memset(&item, 0, sizeof item);
    item.src = image->data;
    item.dst = batch->dst + n * batch->dst_image;
    item.from =
        (pixviewi_steps){strides[PIXVIEW_AXIS_H], strides[PIXVIEW_AXIS_W], strides[PIXVIEW_AXIS_C]};
    item.to = batch->to;
    item.form = batch->aligned ? batch->form : PIXVIEWI_BY_ELEMENTS;
    if (turned) {
        item.from = turn(item.from);
        item.to = turn(item.to);
        item.form = PIXVIEWI_BY_ELEMENTS;
    }
    set_axes(&item, turned ? columns : rows, turned ? rows : columns);
    item.lies = lies_as(&item, op->shape[PIXVIEW_AXIS_C], pixview_dtype_size(op->src.dtype));
    item.across = pieces(item.width, PIXVIEWI_FILTER_COLUMNS);
    item.tiles = item.across * pieces(item.height, tile_rows);
    item.by_across = pixviewi_divisor_of((uint32_t)item.across);
    return item;
}

int64_t pixviewi_filter_bytes(const pixviewi_copy_op *op)
{
    int64_t bytes = op->shape[PIXVIEW_AXIS_N] * (int64_t)sizeof(pixviewi_filter_item);
    for (int64_t i = 0; i < op->filters->count; i++)
        bytes += 4 * (across_size(&op->filters->items[i], is_area(op)) +
                      down_size(&op->filters->items[i]));
    return bytes;
}

pixview_status pixviewi_filter_fill(const pixviewi_filter_launch *launch,
                                    const pixviewi_copy_op *op, char *out, pixview_error *err)
{
    pixviewi_resize_launch batch;
    int64_t images = op->shape[PIXVIEW_AXIS_N];
    pixviewi_filter_table(*tables)[2] = malloc((size_t)op->filters->count * sizeof *tables);
    if (!tables)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for the weights of %lld images",
                             (long long)images);
    pixviewi_resize_begin(&batch, op);
    fill_tables(op, tables, out + images * (int64_t)sizeof(pixviewi_filter_item));
    for (int64_t n = 0; n < images; n++) {
        pixviewi_filter_item item = item_of(op, &batch.args, launch->args.tile_rows, n);
        bool turned = is_turned(op, n);
        item.columns_of = tables[op->filters->of_image[n][!turned]][0];
        item.rows_of = tables[op->filters->of_image[n][turned]][1];
        memcpy(out + n * (int64_t)sizeof item, &item, sizeof item);
    }
    free(tables);
    return PIXVIEW_OK;
}

// ---- Launches -----------------------------------------------------------------------------------

static int64_t tiles_of(int64_t height, int64_t width, int64_t tile_rows)
{
    return (int64_t)pieces(width, PIXVIEWI_FILTER_COLUMNS) * pieces(height, tile_rows);
}

// The most of any image: turned ones may have other tiles.
static int64_t most_tiles(const pixviewi_copy_op *op, int64_t tile_rows)
{
    int64_t height = op->shape[PIXVIEW_AXIS_H], width = op->shape[PIXVIEW_AXIS_W], most = 0;
    for (int64_t n = 0; n < op->shape[PIXVIEW_AXIS_N]; n++) {
        bool turned = is_turned(op, n);
        int64_t tiles = tiles_of(turned ? width : height, turned ? height : width, tile_rows);
        most = tiles > most ? tiles : most;
    }
    return most;
}

// High tiles, so that few lines of the source are needed by two of them; lower ones if there are too few for a GPU.
static void cut_rows(pixviewi_filter_args *args, const pixviewi_copy_op *op)
{
    enum { LEAST = PIXVIEWI_FILTER_ROWS / 4, ENOUGH = 1024 };
    int64_t rows = PIXVIEWI_FILTER_ROWS, tiles = most_tiles(op, rows);
    while (rows > LEAST && op->shape[PIXVIEW_AXIS_N] * tiles < ENOUGH)
        tiles = most_tiles(op, rows /= 2);
    assert(tiles <= INT32_MAX);
    args->tile_rows = (int32_t)rows;
    args->tiles = (int32_t)tiles;
    args->by_tiles = pixviewi_divisor_of((uint32_t)tiles);
}

void pixviewi_filter_begin(pixviewi_filter_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_filter_args *args = &launch->args;
    pixviewi_resize_launch values; // the same as of the other interpolations
    assert(op->filters && op->src.images);
    pixviewi_resize_begin(&values, op);
    memset(args, 0, sizeof *args);
    args->channels = values.args.channels;
    args->out = values.args.out;
    args->swap = values.args.swap;
    args->src_code = values.args.src_code;
    args->pad = values.args.pad;
    memcpy(args->a, values.args.a, sizeof args->a);
    memcpy(args->b, values.args.b, sizeof args->b);
    cut_rows(args, op);
    launch->kernel = is_area(op)
                         ? PIXVIEWI_KERNEL_AREA + pixviewi_log2(pixview_dtype_size(op->src.dtype))
                         : PIXVIEWI_KERNEL_PILLOW;
    launch->done = 0;
}

bool pixviewi_filter_next(pixviewi_filter_launch *launch, const pixviewi_copy_op *op,
                          const char *memory)
{
    pixviewi_filter_args *args = &launch->args;
    int64_t images = op->shape[PIXVIEW_AXIS_N], rest = images - launch->done;
    if (rest == 0)
        return false;
    int64_t most = INT32_MAX / args->tiles, count = rest < most ? rest : most;
    args->items = (const pixviewi_filter_item *)(const void *)memory + launch->done;
    args->tables = memory + images * (int64_t)sizeof(pixviewi_filter_item);
    launch->blocks = count * args->tiles;
    launch->done += count;
    return true;
}
