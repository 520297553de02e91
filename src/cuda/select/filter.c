// SPDX-License-Identifier: Apache-2.0
// Lists of images of any size, resized by tables of weights. These do not fit a launch's argument, so they lie in
// the GPU's memory. The argument has room for some 390 images that lie alike, or 37 that differ; a list that does not
// fit one takes several launches.
#include "cuda/select/filter.h"

#include <assert.h>
#include <string.h>

#include "cuda/select/resize.h"

_Static_assert(sizeof(pixviewi_filter_args) <= 4096, "every driver takes 4096 bytes of parameters");
enum {
    MAX_IMAGES = PIXVIEWI_FILTER_TABLE / 9,
    MAX_KINDS = PIXVIEWI_FILTER_TABLE / sizeof(pixviewi_filter_kind)
};

static bool is_area(const pixviewi_copy_op *op)
{
    return op->resize.interpolation == PIXVIEWI_AREA;
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

int64_t pixviewi_filter_bytes(const pixviewi_filter *f, int interpolation, bool down)
{
    int64_t weights = down || interpolation == PIXVIEWI_AREA ? f->most : 3 * most_groups(f);
    return 4 * f->length * (2 + weights);
}

pixviewi_filter_table pixviewi_filter_fill(const pixviewi_filter *f, int interpolation, bool down,
                                           char *out, const char *data)
{
    if (down) // its arrays lie in one block
        memcpy(out, f->first, (size_t)pixviewi_filter_bytes(f, interpolation, down));
    else if (interpolation == PIXVIEWI_AREA)
        fill_area(f, (int32_t *)(void *)out);
    else
        fill_groups(f, (int32_t *)(void *)out);
    return (pixviewi_filter_table){data, (int32_t)f->length, down ? f->most : (int32_t)f->length};
}

// ---- Images -------------------------------------------------------------------------------------

static int lies_as(const pixviewi_steps *from, int64_t channels, int64_t size)
{
    bool mixed = (channels == 3 || channels == 4) && from->channel == size;
    if (mixed && from->pixel == channels * size)
        return PIXVIEWI_PIXELS_MIXED;
    if (from->pixel == size)
        return PIXVIEWI_PIXELS_PLANAR;
    if (mixed && from->row == channels * size)
        return PIXVIEWI_LINES_MIXED;
    return from->row == size ? PIXVIEWI_LINES_PLANAR : PIXVIEWI_LIES_APART;
}

static pixviewi_steps turn(pixviewi_steps s) { return (pixviewi_steps){s.pixel, s.row, s.channel}; }

static pixviewi_filter_kind kind_of(const pixviewi_copy_op *op, int64_t n,
                                    const pixviewi_filter_table (*tables)[2])
{
    const int64_t *strides = op->src.images[n].strides, *of = op->filters->of_image[n];
    bool turned = is_turned(op, n);
    int64_t across = of[!turned], down = of[turned];
    const pixviewi_filter *items = op->filters->items;
    const pixviewi_axis *columns = &items[across].axis, *rows = &items[down].axis;
    pixviewi_filter_kind kind;
    memset(&kind, 0, sizeof kind);
    kind.from =
        (pixviewi_steps){strides[PIXVIEW_AXIS_H], strides[PIXVIEW_AXIS_W], strides[PIXVIEW_AXIS_C]};
    if (turned)
        kind.from = turn(kind.from);
    kind.columns_of = tables[across][0];
    kind.rows_of = tables[down][1];
    kind.lines = (int32_t)rows->source;
    kind.pixels = (int32_t)columns->source;
    kind.top = (int32_t)pixviewi_axis_begin(rows);
    kind.left = (int32_t)pixviewi_axis_begin(columns);
    kind.skip_rows = (int32_t)(rows->skip > 0 ? rows->skip : 0);
    kind.skip_left = (int32_t)(columns->skip > 0 ? columns->skip : 0);
    kind.as_is = rows->source == rows->resized && columns->source == columns->resized;
    kind.lies =
        (uint8_t)lies_as(&kind.from, op->shape[PIXVIEW_AXIS_C], pixview_dtype_size(op->src.dtype));
    kind.turned = turned;
    return kind;
}

// Images after one another are often of one kind.
static bool of_one_kind(const pixviewi_copy_op *op, int64_t a, int64_t b)
{
    const int64_t (*of)[2] = op->filters->of_image;
    const pixview_image *images = op->src.images;
    return of[a][0] == of[b][0] && of[a][1] == of[b][1] &&
           memcmp(images[a].strides, images[b].strides, sizeof images->strides) == 0;
}

typedef struct table {
    pixviewi_filter_kind kinds[MAX_KINDS];
    uint8_t kind_of[MAX_IMAGES];
    int kinds_used, images;
} table;

// The number of image n's kind, which is one more if it is new.
static int find_kind(table *t, const pixviewi_filter_kind *wanted)
{
    int kind = 0;
    while (kind < t->kinds_used && memcmp(&t->kinds[kind], wanted, sizeof *wanted) != 0)
        kind++;
    return kind;
}

// How many of the next `most` images fit.
static void choose_images(table *t, const pixviewi_copy_op *op, int64_t first, int64_t most,
                          const pixviewi_filter_table (*tables)[2])
{
    int kind = 0;
    t->kinds_used = 0;
    for (t->images = 0; t->images < most && t->images < MAX_IMAGES; t->images++) {
        int64_t n = first + t->images;
        pixviewi_filter_kind wanted;
        if (t->images == 0 || !of_one_kind(op, n - 1, n)) {
            wanted = kind_of(op, n, tables);
            kind = find_kind(t, &wanted);
        }
        int used = kind < t->kinds_used ? t->kinds_used : kind + 1;
        if (used * sizeof wanted + (size_t)(t->images + 1) * 9 > PIXVIEWI_FILTER_TABLE)
            return;
        if (kind == t->kinds_used)
            t->kinds[t->kinds_used++] = wanted;
        t->kind_of[t->images] = (uint8_t)kind;
    }
}

static void fill_table(pixviewi_filter_args *args, const pixviewi_copy_op *op, int64_t first,
                       int64_t most, const pixviewi_filter_table (*tables)[2])
{
    table t;
    choose_images(&t, op, first, most, tables);
    assert(t.images > 0);
    args->kinds = t.kinds_used;
    args->images = t.images;
    memcpy(args->table, t.kinds, (size_t)t.kinds_used * sizeof *t.kinds);
    uint64_t *data = args->table + (size_t)t.kinds_used * sizeof *t.kinds / sizeof *args->table;
    for (int i = 0; i < t.images; i++)
        data[i] = (uint64_t)(uintptr_t)op->src.images[first + i].data;
    memcpy(data + t.images, t.kind_of, (size_t)t.images);
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

static pixviewi_filter_canvas canvas_of(const pixviewi_resize_args *batch, int32_t tile_rows,
                                        bool turned)
{
    pixviewi_filter_canvas canvas = {.to = turned ? turn(batch->to) : batch->to,
                                     .height = turned ? batch->columns : batch->rows,
                                     .width = turned ? batch->rows : batch->columns,
                                     .form = batch->aligned && !turned ? batch->form
                                                                       : PIXVIEWI_BY_ELEMENTS};
    canvas.across = pieces(canvas.width, PIXVIEWI_FILTER_COLUMNS);
    canvas.tiles = canvas.across * pieces(canvas.height, tile_rows);
    canvas.by_across = pixviewi_divisor_of((uint32_t)canvas.across);
    return canvas;
}

void pixviewi_filter_begin(pixviewi_filter_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_filter_args *args = &launch->args;
    pixviewi_resize_launch values; // the same as of the other interpolations
    assert(op->filters && op->src.images);
    pixviewi_resize_begin(&values, op);
    memset(args, 0, sizeof *args);
    args->dst_image = values.args.dst_image;
    args->channels = values.args.channels;
    args->out = values.args.out;
    args->swap = values.args.swap;
    args->src_code = values.args.src_code;
    args->pad = values.args.pad;
    memcpy(args->a, values.args.a, sizeof args->a);
    memcpy(args->b, values.args.b, sizeof args->b);
    cut_rows(args, op);
    for (int turned = 0; turned < 2; turned++)
        args->canvases[turned] = canvas_of(&values.args, args->tile_rows, turned);
    launch->kernel = is_area(op)
                         ? PIXVIEWI_KERNEL_AREA + pixviewi_log2(pixview_dtype_size(op->src.dtype))
                         : PIXVIEWI_KERNEL_PILLOW;
    launch->done = 0;
}

bool pixviewi_filter_next(pixviewi_filter_launch *launch, const pixviewi_copy_op *op,
                          const pixviewi_filter_table (*tables)[2])
{
    pixviewi_filter_args *args = &launch->args;
    int64_t rest = op->shape[PIXVIEW_AXIS_N] - launch->done, most = INT32_MAX / args->tiles;
    if (rest == 0)
        return false;
    args->dst = op->dst.data + launch->done * args->dst_image;
    fill_table(args, op, launch->done, rest < most ? rest : most, tables);
    launch->blocks = (int64_t)args->images * args->tiles;
    launch->done += args->images;
    return true;
}
