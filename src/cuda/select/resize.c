// SPDX-License-Identifier: Apache-2.0
// Lists of images of any size, resized onto a batch. The launch's argument has room for some 270 images, or 200 if
// the ratio is kept, which takes divisions that the host does; a list that does not fit one takes several.
#include "cuda/select/resize.h"

#include <assert.h>
#include <string.h>

#include "cuda/select/frames.h"
#include "descriptor/half.h"

_Static_assert(sizeof(pixviewi_resize_args) <= 4096, "every driver takes 4096 bytes of parameters");
enum { MAX_KINDS = 100, MAX_IMAGES = PIXVIEWI_RESIZE_TABLE / 13 };

// ---- Values -------------------------------------------------------------------------------------

// The padding of an image whose values do not change.
static float float_of_element(pixview_dtype dtype, const uint8_t *bits)
{
    uint16_t half;
    float value;
    memcpy(&half, bits, sizeof half);
    memcpy(&value, bits, sizeof value);
    if (dtype.bits == 8)
        return bits[0];
    if (dtype.bits == 32)
        return value;
    return dtype.code == PIXVIEW_DTYPE_UINT     ? half
           : dtype.code == PIXVIEW_DTYPE_BFLOAT ? pixviewi_bf16_to_float(half)
                                                : pixviewi_f16_to_float(half);
}

int pixviewi_result_of(pixview_dtype dtype)
{
    if (dtype.bits == 8)
        return PIXVIEWI_TO_U8;
    if (dtype.bits == 32)
        return PIXVIEWI_TO_F32;
    return dtype.code == PIXVIEW_DTYPE_UINT     ? PIXVIEWI_TO_U16
           : dtype.code == PIXVIEW_DTYPE_BFLOAT ? PIXVIEWI_TO_BF16
                                                : PIXVIEWI_TO_F16;
}

// Where a channel of the source goes.
static int partner(const pixviewi_affine *affine, int channel)
{
    return affine->swap_rb && channel <= 2 ? 2 - channel : channel;
}

static void set_values(pixviewi_resize_args *args, const pixviewi_copy_op *op, bool values)
{
    const pixviewi_affine *affine = &op->affine;
    args->swap = affine->swap_rb;
    args->is_identity = affine->is_identity;
    memcpy(args->pad_bits, affine->pad_bits, sizeof affine->pad_bits);
    if (!values)
        return;
    args->src_code = op->src.dtype.code;
    args->out = pixviewi_result_of(op->dst.dtype);
    args->pad =
        affine->is_identity ? float_of_element(op->dst.dtype, affine->pad_bits) : affine->pad;
    for (int i = 0; i < PIXVIEWI_TILE_CHANNELS; i++) {
        int entry = affine->channels == 1 ? 0 : partner(affine, i);
        args->a[i] = affine->is_identity ? 1 : affine->scale[entry];
        args->b[i] = affine->is_identity ? -0.0f : affine->bias[entry];
    }
}

// ---- The batch ----------------------------------------------------------------------------------

static void set_batch(pixviewi_resize_args *args, const pixviewi_copy_op *op)
{
    int64_t size = pixview_dtype_size(op->dst.dtype);
    const int64_t *strides = op->dst.strides;
    pixviewi_pixels pixels;
    pixviewi_channel_order order = pixviewi_channel_order_of(op->shape, strides, size, &pixels);
    args->dst = op->dst.data;
    args->dst_image = op->shape[PIXVIEW_AXIS_N] > 1 ? strides[PIXVIEW_AXIS_N] : 0;
    int64_t bits = (int64_t)(uintptr_t)args->dst | args->dst_image | pixels.row;
    if (order == PIXVIEWI_PLANAR)
        bits |= pixels.channel;
    args->aligned = size <= 8 && bits % (size < 4 ? PIXVIEWI_QUAD * size : 16) == 0;
    args->form = order == PIXVIEWI_PLANAR                       ? PIXVIEWI_BY_PLANES
                 : order != PIXVIEWI_IRREGULAR && args->aligned ? PIXVIEWI_BY_PIXELS
                                                                : PIXVIEWI_BY_ELEMENTS;
    // Of larger elements it is no gain: more tiles are under way than fit the cache.
    args->fills = args->form == PIXVIEWI_BY_PLANES && args->aligned && size < 4;
    args->to = (pixviewi_steps){pixels.row, pixels.pixel, pixels.channel};
    if (order == PIXVIEWI_IRREGULAR)
        args->to = (pixviewi_steps){strides[PIXVIEW_AXIS_H], strides[PIXVIEW_AXIS_W],
                                    strides[PIXVIEW_AXIS_C]};
    for (int i = 0; i < 4; i++)
        args->planes[i] = partner(&op->affine, i) * args->to.channel;
    args->rows = (int32_t)op->shape[PIXVIEW_AXIS_H];
    args->columns = (int32_t)op->shape[PIXVIEW_AXIS_W];
    args->channels = (int32_t)op->shape[PIXVIEW_AXIS_C];
}

// ---- Tiles --------------------------------------------------------------------------------------

static int32_t pieces(int32_t length, int32_t piece) { return (length - 1) / piece + 1; }

static int64_t tiles_of(const pixviewi_resize_args *args, int32_t tile_rows)
{
    return (int64_t)args->across * pieces(args->rows, tile_rows);
}

static void cut_columns(pixviewi_resize_args *args)
{
    args->across = pieces(args->columns, PIXVIEWI_RESIZE_COLUMNS);
    args->by_across = pixviewi_divisor_of((uint32_t)args->across);
}

// Some rows a warp, so that taps serve several: but the tiles under way, with what they read, have to fit the L2
// cache. Fewer if there are too few tiles for a GPU, more if there are very many.
static void cut_rows(pixviewi_resize_args *args, int64_t images, int64_t size, int kernel)
{
    enum { ENOUGH = 1024, PLENTY = 16 * ENOUGH, LARGE = 2 * PIXVIEWI_RESIZE_COLUMNS };
    const bool by_columns = kernel >= PIXVIEWI_KERNEL_COLUMNS; // they take longer to begin a tile
    const bool frames = kernel >= PIXVIEWI_KERNEL_FRAMES;      // half as large
    int32_t each = 4;                                          // rows of a warp
    if (size < 4 && by_columns)
        each = 6;
    else if (size >= 4 && args->columns > LARGE && !frames)
        each = 3;
    int32_t rows = each * PIXVIEWI_WARPS;
    while (rows > PIXVIEWI_WARPS && images * tiles_of(args, rows) < ENOUGH)
        rows -= PIXVIEWI_WARPS;
    while (2 * rows <= PIXVIEWI_RESIZE_ROWS && images * tiles_of(args, rows) > PLENTY)
        rows *= 2;
    args->tile_rows = rows;
    args->down = pieces(args->rows, rows);
    args->by_down = pixviewi_divisor_of((uint32_t)args->down);
}

// ---- The list -----------------------------------------------------------------------------------

static pixviewi_steps steps_of(const pixview_image *image)
{
    const int64_t *strides = image->strides, *shape = image->shape;
    int64_t row = strides[PIXVIEW_AXIS_H], pixel = strides[PIXVIEW_AXIS_W],
            channel = strides[PIXVIEW_AXIS_C];
    bool one = shape[PIXVIEW_AXIS_H] == 1, packed = row == shape[PIXVIEW_AXIS_W] * pixel;
    if (shape[PIXVIEW_AXIS_C] == 1)
        channel = 0;
    else if (packed && channel == shape[PIXVIEW_AXIS_H] * row)
        channel = PIXVIEWI_PACKED;
    return (pixviewi_steps){one || packed ? PIXVIEWI_PACKED : row, pixel, channel};
}

// Of an image: its own, then what it is resized to.
static void find_extents(const pixviewi_copy_op *op, int64_t n, int64_t *extents)
{
    pixviewi_axis h, w;
    pixviewi_place_source(op, n, &h, &w);
    extents[0] = h.source, extents[1] = w.source;
    extents[2] = h.resized, extents[3] = w.resized;
}

// Only "cover" resizes beyond a canvas.
static bool is_large(const pixviewi_resize_args *args, const pixviewi_copy_op *op)
{
    bool large = args->rows > UINT16_MAX || args->columns > UINT16_MAX;
    for (int64_t i = 0; i < op->shape[PIXVIEW_AXIS_N] && !large; i++) {
        const int64_t *shape = op->src.images[i].shape;
        int64_t extents[4] = {shape[PIXVIEW_AXIS_H], shape[PIXVIEW_AXIS_W]};
        if (args->fit.fit == PIXVIEWI_FIT_COVER)
            find_extents(op, i, extents);
        for (int k = 0; k < 4; k++)
            large |= extents[k] > UINT16_MAX;
    }
    return large;
}

// The number of the kind; *count: one more, if it is new. MAX_KINDS: there is no room.
static int find_kind(pixviewi_steps *kinds, int *count, pixviewi_steps steps, int guess)
{
    if (guess < *count && memcmp(&kinds[guess], &steps, sizeof steps) == 0)
        return guess;
    int kind = 0;
    while (kind < *count && memcmp(&kinds[kind], &steps, sizeof steps) != 0)
        kind++;
    if (kind == *count && kind < MAX_KINDS)
        kinds[(*count)++] = steps;
    return kind;
}

typedef struct table {
    pixviewi_steps kinds[MAX_KINDS];
    uint8_t kind_of[MAX_IMAGES];
    int kinds_used, images;
} table;

// How many of the next `most` images fit.
static void choose_images(table *t, const pixview_image *images, int64_t most, size_t each)
{
    int kind = 0;
    t->kinds_used = t->images = 0;
    for (int i = 0; i < most && i < MAX_IMAGES; i++) {
        int before = t->kinds_used;
        kind = find_kind(t->kinds, &t->kinds_used, steps_of(&images[i]), kind);
        size_t bytes = (size_t)t->kinds_used * sizeof *t->kinds + (size_t)(i + 1) * each;
        if (kind == MAX_KINDS || bytes > PIXVIEWI_RESIZE_TABLE) {
            t->kinds_used = before;
            return;
        }
        t->kind_of[i] = (uint8_t)kind;
        t->images = i + 1;
    }
}

// Images after one another are often of one size.
static void fill_extents(pixviewi_resize_args *args, const pixviewi_copy_op *op, int64_t first,
                         char *to)
{
    int each = args->sized ? 4 : 2;
    int64_t extents[4] = {0};
    for (int i = 0; i < args->images; i++) {
        const int64_t *shape = op->src.images[first + i].shape;
        bool same = shape[PIXVIEW_AXIS_H] == extents[0] && shape[PIXVIEW_AXIS_W] == extents[1];
        extents[0] = shape[PIXVIEW_AXIS_H], extents[1] = shape[PIXVIEW_AXIS_W];
        if (args->sized && !same)
            find_extents(op, first + i, extents);
        for (int k = 0; k < each; k++)
            if (args->large)
                ((uint32_t *)(void *)to)[i * each + k] = (uint32_t)extents[k];
            else
                ((uint16_t *)(void *)to)[i * each + k] = (uint16_t)extents[k];
    }
}

static char *fill_images(pixviewi_resize_args *args, const pixviewi_copy_op *op, int64_t first,
                         int64_t most, size_t extents)
{
    table t;
    const pixview_image *images = op->src.images + first;
    choose_images(&t, images, most, sizeof *args->table + extents + 1);
    assert(t.images > 0);
    args->kinds = t.kinds_used;
    args->images = t.images;
    memcpy(args->table, t.kinds, (size_t)t.kinds_used * sizeof *t.kinds);
    uint64_t *data = args->table + (size_t)t.kinds_used * sizeof *t.kinds / sizeof *args->table;
    for (int i = 0; i < t.images; i++)
        data[i] = (uint64_t)(uintptr_t)images[i].data;
    char *sizes = (char *)(data + t.images);
    memcpy(sizes + (size_t)t.images * extents, t.kind_of, (size_t)t.images);
    return sizes;
}

static void fill_table(pixviewi_resize_args *args, const pixviewi_copy_op *op, int64_t first,
                       int64_t most)
{
    size_t extents = (size_t)(args->sized ? 4 : 2) * (args->large ? 4 : 2);
    fill_extents(args, op, first,
                 op->src.videos ? pixviewi_frames_fill(args, op, first, most, extents)
                                : fill_images(args, op, first, most, extents));
}

// ---- Launches -----------------------------------------------------------------------------------

bool pixviewi_resize_suits(const pixviewi_copy_op *op)
{
    enum { FEW = 32 };
    int64_t changes = 0, rows = 0, columns = 0;
    if (!op->src.images || pixview_dtype_size(op->src.dtype) > (op->affine.is_identity ? 16 : 4))
        return false;
    for (int64_t i = 0; i < op->shape[PIXVIEW_AXIS_N]; i++) {
        const int64_t *shape = op->src.images[i].shape;
        changes += shape[PIXVIEW_AXIS_H] != rows || shape[PIXVIEW_AXIS_W] != columns;
        rows = shape[PIXVIEW_AXIS_H], columns = shape[PIXVIEW_AXIS_W];
        if (rows == 0 || columns == 0) // nothing can be resized
            return false;
    }
    return changes > FEW;
}

// Images that are not much larger than what is made of them are little to read, or are in the cache for the others'
// sake: bytes of them are limited by what there is to compute. In doubles, which no extent is too large for.
static bool computes_most(const pixviewi_resize_args *args, const pixviewi_copy_op *op)
{
    double read = 0, made = (double)op->shape[PIXVIEW_AXIS_N] * args->rows * args->columns;
    if (op->src.dtype.bits != 8 || args->nearest || args->fit.fit == PIXVIEWI_FIT_NONE ||
        args->form == PIXVIEWI_BY_PIXELS || args->channels > 3 || op->src.videos)
        return false;
    for (int64_t i = 0; i < op->shape[PIXVIEW_AXIS_N]; i++) {
        const int64_t *shape = op->src.images[i].shape;
        read += (double)shape[PIXVIEW_AXIS_H] * (double)shape[PIXVIEW_AXIS_W];
    }
    return read < 4 * made;
}

void pixviewi_resize_begin(pixviewi_resize_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_resize_args *args = &launch->args;
    bool nearest = op->resize.interpolation == PIXVIEWI_NEAREST;
    bool values = !nearest || !op->affine.is_identity || op->src.videos;
    assert(op->resizes && op->src.images);
    memset(args, 0, sizeof *args);
    set_values(args, op, values);
    set_batch(args, op);
    cut_columns(args);
    int fit = op->resize.fit.fit;
    args->fit = op->resize.fit;
    args->fit.center = op->resize.fit.center && fit != PIXVIEWI_FIT_NONE;
    args->nearest = nearest;
    args->sized = fit == PIXVIEWI_FIT_LETTERBOX || fit == PIXVIEWI_FIT_COVER; // divides
    args->large = is_large(args, op);
    launch->kernel = (values ? PIXVIEWI_KERNEL_RESIZE : PIXVIEWI_KERNEL_PICK) +
                     pixviewi_log2(pixview_dtype_size(op->src.dtype));
    if (computes_most(args, op))
        launch->kernel = PIXVIEWI_KERNEL_COLUMNS;
    if (op->src.videos)
        launch->kernel = PIXVIEWI_KERNEL_FRAMES + (args->form != PIXVIEWI_BY_PIXELS);
    launch->done = 0;
}

bool pixviewi_resize_next(pixviewi_resize_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_resize_args *args = &launch->args;
    int64_t rest = op->shape[PIXVIEW_AXIS_N] - launch->done;
    if (rest == 0)
        return false;
    cut_rows(args, rest < MAX_IMAGES ? rest : MAX_IMAGES, pixview_dtype_size(op->dst.dtype),
             launch->kernel);
    int64_t tiles = (int64_t)args->across * args->down;
    assert(tiles <= INT32_MAX);
    args->dst = op->dst.data + launch->done * args->dst_image;
    fill_table(args, op, launch->done, rest < INT32_MAX / tiles ? rest : INT32_MAX / tiles);
    launch->blocks = args->images * tiles;
    launch->done += args->images;
    return true;
}
