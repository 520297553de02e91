// SPDX-License-Identifier: Apache-2.0
// Operations from or to a list of images, of a padded batch, and copies one element at a time: the launches
// whose argument has room for a table. A list that does not fit one takes several.
#include <assert.h>
#include <string.h>

#include "cuda/select/list.h"

_Static_assert(sizeof(pixviewi_list_args) <= 4096, "every driver takes 4096 bytes of parameters");
enum { MAX_KINDS = 64, MAX_IMAGES = PIXVIEWI_TABLE / 9 };

// ---- The whole list -----------------------------------------------------------------------------

static bool has_list(const pixviewi_copy_op *op) { return op->src.images || op->dst.images; }

static const pixviewi_operand *listed_end(const pixviewi_copy_op *op)
{
    return op->src.images ? &op->src : &op->dst;
}

// The images of most lists lie alike, but for the address: the first is looked at for all of them.
static bool alike(const pixview_image *a, const pixview_image *b)
{
    return memcmp(a->strides, b->strides, sizeof a->strides) == 0 &&
           memcmp(a->shape, b->shape, sizeof a->shape) == 0;
}

// What all images have in common, or the worst of it.
typedef struct summary {
    bool mixed, planar; // some are
    bool none;          // some are neither
    bool equal;         // all are of the batch's size
    bool dense;         // and the rows of every image are one
    int64_t bits;       // all addresses and strides that count, or-ed
} summary;

static void add_to_summary(summary *all, const pixviewi_copy_op *op, const pixview_image *image,
                           int64_t itemsize)
{
    pixviewi_pixels pixels;
    pixviewi_channel_order form =
        pixviewi_channel_order_of(image->shape, image->strides, itemsize, &pixels);
    all->mixed |= form == PIXVIEWI_INTERLEAVED;
    all->planar |= form == PIXVIEWI_PLANAR;
    all->none |= form == PIXVIEWI_IRREGULAR;
    all->equal &=
        pixels.rows == op->shape[PIXVIEW_AXIS_H] && pixels.columns == op->shape[PIXVIEW_AXIS_W];
    all->dense &= all->equal && (pixels.rows == 1 || pixels.row == pixels.columns * pixels.pixel);
    all->bits |= (int64_t)(uintptr_t)image->data | pixels.row;
    if (form == PIXVIEWI_PLANAR)
        all->bits |= pixels.channel;
}

// A padded batch is as its first image is.
static summary summarize_batch(const pixviewi_copy_op *op, pixviewi_tile_args *args)
{
    summary all = {.equal = true, .dense = true};
    const pixviewi_operand *src = &op->src;
    const int64_t *shape = op->shape, *strides = src->strides;
    pixview_image first = {.data = src->data,
                           .shape = {1, shape[PIXVIEW_AXIS_H] - src->pad_rows,
                                     shape[PIXVIEW_AXIS_W] - src->pad_cols, shape[PIXVIEW_AXIS_C]}};
    memcpy(first.strides, strides, sizeof first.strides);
    add_to_summary(&all, op, &first, args->src_size);
    pixviewi_channel_order_of(first.shape, strides, args->src_size, &args->from);
    args->src = src->data;
    args->src_image = shape[PIXVIEW_AXIS_N] > 1 ? strides[PIXVIEW_AXIS_N] : 0;
    all.bits |= args->src_image;
    return all;
}

static summary summarize(const pixviewi_copy_op *op, pixviewi_tile_args *args)
{
    summary all = {.equal = true, .dense = true};
    const pixviewi_operand *end = listed_end(op);
    if (!end->images)
        return summarize_batch(op, args);
    int64_t itemsize = pixview_dtype_size(end->dtype);
    for (int64_t i = 0; i < op->shape[PIXVIEW_AXIS_N]; i++)
        if (i > 0 && alike(&end->images[i - 1], &end->images[i]))
            all.bits |= (int64_t)(uintptr_t)end->images[i].data;
        else
            add_to_summary(&all, op, &end->images[i], itemsize);
    return all;
}

// ---- Tiles --------------------------------------------------------------------------------------

// The end that is no list: its form and what counts of it.
static pixviewi_channel_order set_regular(const pixviewi_copy_op *op, pixviewi_tile_args *args,
                                          int64_t *bits)
{
    bool src = op->dst.images != NULL;
    const pixviewi_operand *end = src ? &op->src : &op->dst;
    pixviewi_pixels *pixels = src ? &args->from : &args->to;
    pixviewi_channel_order form = pixviewi_channel_order_of(
        op->shape, end->strides, src ? args->src_size : args->dst_size, pixels);
    int64_t image = op->shape[PIXVIEW_AXIS_N] > 1 ? end->strides[PIXVIEW_AXIS_N] : 0;
    *(src ? &args->src : &args->dst) = end->data;
    *(src ? &args->src_image : &args->dst_image) = image;
    *bits = (int64_t)(uintptr_t)end->data | image | pixels->row;
    if (form == PIXVIEWI_PLANAR)
        *bits |= pixels->channel;
    return form;
}

// Interleaved pixels that stay so, with no values of their channels' own, are elements.
static void merge_pixel_channels(pixviewi_pixels *pixels, int64_t channels)
{
    pixels->columns *= channels;
    pixels->pixel /= channels;
    pixels->channel = 0;
}

static void merge_row(pixviewi_pixels *pixels)
{
    pixels->columns *= pixels->rows;
    pixels->rows = 1;
    pixels->row = 0;
}

// False: one element at a time.
static bool cut_list(const pixviewi_copy_op *op, pixviewi_list_launch *launch)
{
    pixviewi_tile_args *args = &launch->args.tile;
    int64_t bits;
    summary all = summarize(op, args);
    pixviewi_channel_order form = set_regular(op, args, &bits);
    bool to_list = op->dst.images != NULL, mixed = form == PIXVIEWI_INTERLEAVED && !all.planar;
    if (all.none || form == PIXVIEWI_IRREGULAR || args->channels > PIXVIEWI_TILE_CHANNELS ||
        args->src_size > 8 || (to_list && all.mixed && all.planar))
        return false;
    pixviewi_pixels *regular = to_list ? &args->from : &args->to;
    launch->elements = mixed && !args->swap && (!args->changed || op->affine.channels == 1);
    if (launch->elements) {
        merge_pixel_channels(regular, args->channels);
        if (!has_list(op))
            merge_pixel_channels(&args->from, args->channels);
        args->columns *= args->channels;
        args->channels = 1;
    }
    launch->dense =
        all.dense && (args->rows == 1 || regular->row == args->columns * regular->pixel);
    if (launch->dense) {
        merge_row(regular);
        args->columns *= args->rows;
        args->rows = 1;
    }
    bool dst_planar = launch->elements || (to_list ? all.planar : form == PIXVIEWI_PLANAR);
    bool src_mixed = !launch->elements && (to_list ? form == PIXVIEWI_INTERLEAVED : all.mixed);
    bool src_planar = launch->elements || (to_list ? form == PIXVIEWI_PLANAR : all.planar);
    int64_t src_bits = to_list ? bits : all.bits, dst_bits = to_list ? all.bits : bits;
    if (all.equal && src_planar != src_mixed && dst_planar == src_mixed &&
        pixviewi_cut_repack(args, MAX_IMAGES, src_bits | dst_bits)) {
        launch->kernel = pixviewi_repack_kernel(args, true, dst_planar);
        return true;
    }
    int64_t step = src_mixed ? args->channels * (int64_t)args->src_size : args->src_size;
    if (src_mixed && src_planar) { // what fits as planes of any alignment fits as pixels
        step = args->src_size;
        src_bits = 1;
    }
    launch->kernel = pixviewi_gather_kernel(op, true, dst_planar);
    return pixviewi_cut_tiles(args, has_list(op) ? MAX_IMAGES : op->shape[PIXVIEW_AXIS_N], step,
                              src_planar ? args->channels : 1, src_bits, dst_bits);
}

// ---- One element at a time ----------------------------------------------------------------------

static void set_extents(const pixviewi_copy_op *op, pixviewi_tile_args *args)
{
    args->rows = op->shape[PIXVIEW_AXIS_H];
    args->columns = op->shape[PIXVIEW_AXIS_W];
    args->channels = (int32_t)op->shape[PIXVIEW_AXIS_C];
}

static void set_elements(const pixviewi_copy_op *op, pixviewi_list_launch *launch)
{
    pixviewi_tile_args *args = &launch->args.tile;
    const pixviewi_operand *ends[] = {&op->src, &op->dst};
    set_extents(op, args); // cut_list may have merged some
    for (int i = 0; i < 2; i++) {
        pixviewi_pixels *pixels = i ? &args->to : &args->from;
        const int64_t *strides = ends[i]->strides;
        if (ends[i]->images)
            continue;
        *pixels = (pixviewi_pixels){strides[PIXVIEW_AXIS_H], strides[PIXVIEW_AXIS_W],
                                    strides[PIXVIEW_AXIS_C], args->rows - ends[i]->pad_rows,
                                    args->columns - ends[i]->pad_cols};
        *(i ? &args->dst : &args->src) = ends[i]->data;
        *(i ? &args->dst_image : &args->src_image) = strides[PIXVIEW_AXIS_N];
    }
    const int64_t *strides = op->dst.images ? op->dst.images[0].strides : op->dst.strides;
    args->channels_inside =
        pixviewi_magnitude(strides[PIXVIEW_AXIS_C]) < pixviewi_magnitude(strides[PIXVIEW_AXIS_W]);
    launch->kernel = PIXVIEWI_KERNEL_ELEMENTS;
    launch->dense = launch->elements = false;
}

// ---- Chunks of the list -------------------------------------------------------------------------

static pixviewi_pixels pixels_of(const pixviewi_list_launch *launch, const pixview_image *image,
                                 int64_t itemsize)
{
    pixviewi_pixels pixels;
    if (launch->kernel == PIXVIEWI_KERNEL_ELEMENTS) {
        pixels = (pixviewi_pixels){image->strides[PIXVIEW_AXIS_H], image->strides[PIXVIEW_AXIS_W],
                                   image->strides[PIXVIEW_AXIS_C], image->shape[PIXVIEW_AXIS_H],
                                   image->shape[PIXVIEW_AXIS_W]};
    } else {
        pixviewi_channel_order_of(image->shape, image->strides, itemsize, &pixels);
        if (launch->elements)
            merge_pixel_channels(&pixels, image->shape[PIXVIEW_AXIS_C]);
        if (launch->dense)
            merge_row(&pixels);
    }
    return pixels;
}

// Fills the table with images from `first` on. Returns how many fitted.
static int64_t fill_table(pixviewi_list_launch *launch, const pixviewi_copy_op *op, int64_t first)
{
    pixviewi_list_args *args = &launch->args;
    const pixviewi_operand *end = listed_end(op);
    const pixview_image *images = end->images + first;
    int64_t itemsize = pixview_dtype_size(end->dtype), rest = op->shape[PIXVIEW_AXIS_N] - first;
    pixviewi_pixels kinds[MAX_KINDS + 1];
    uint8_t kind_of[MAX_IMAGES];
    int kind_count = 0, count = 0, kind = 0;
    for (; count < rest && count < MAX_IMAGES; count++) {
        if (count == 0 || !alike(&images[count - 1], &images[count])) {
            kinds[kind_count] = pixels_of(launch, &images[count], itemsize); // there is room for it
            for (kind = 0; memcmp(&kinds[kind], &kinds[kind_count], sizeof *kinds) != 0;)
                kind++;
        }
        int used = kind < kind_count ? kind_count : kind + 1;
        if (kind == MAX_KINDS ||
            used * sizeof *kinds + (size_t)(count + 1) * 9 > sizeof args->table)
            break;
        kind_count = used;
        kind_of[count] = (uint8_t)kind;
    }
    assert(count > 0 && kind_count > 0 && kind_count <= MAX_KINDS);
    assert((size_t)kind_count * sizeof *kinds + (size_t)count * 9 <= sizeof args->table);
    args->list = op->src.images ? PIXVIEWI_SRC_LIST : PIXVIEWI_DST_LIST;
    args->kinds = kind_count;
    args->images = count;
    memcpy(args->table, kinds, (size_t)kind_count * sizeof *kinds);
    uint64_t *data = args->table + (size_t)kind_count * sizeof *kinds / sizeof *args->table;
    for (int i = 0; i < count; i++)
        data[i] = (uint64_t)(uintptr_t)images[i].data;
    memcpy(data + count, kind_of, (size_t)count);
    return count;
}

// ---- Launches -----------------------------------------------------------------------------------

void pixviewi_list_begin(pixviewi_list_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_tile_args *args = &launch->args.tile;
    memset(args, 0, sizeof *args);
    assert(!op->src.images || !op->dst.images);
    launch->args.list = PIXVIEWI_NO_LIST;
    launch->args.kinds = launch->args.images = 0;
    launch->done = 0;
    pixviewi_set_affine(args, op);
    set_extents(op, args);
    if (!(has_list(op) || pixviewi_is_padded(op)) || !cut_list(op, launch))
        set_elements(op, launch);
}

bool pixviewi_list_next(pixviewi_list_launch *launch, const pixviewi_copy_op *op)
{
    enum { MAX_BLOCKS = 1 << 20 };
    pixviewi_tile_args *args = &launch->args.tile;
    int64_t count = op->shape[PIXVIEW_AXIS_N] - launch->done;
    if (count == 0)
        return false;
    assert(count > 0);
    if (launch->done > 0) {
        args->src += launch->args.images * args->src_image;
        args->dst += launch->args.images * args->dst_image;
    }
    if (has_list(op))
        count = fill_table(launch, op, launch->done);
    launch->done += count;
    if (launch->kernel == PIXVIEWI_KERNEL_ELEMENTS) {
        args->tiles = count * args->rows * args->columns * args->channels;
        launch->blocks = (args->tiles - 1) / PIXVIEWI_THREADS + 1;
        launch->blocks = launch->blocks < MAX_BLOCKS ? launch->blocks : MAX_BLOCKS;
        return true;
    }
    args->tiles = count * args->rows * args->row_tiles;
    launch->blocks = pixviewi_finish_tiles(args);
    return true;
}
