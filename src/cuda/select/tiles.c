// SPDX-License-Identifier: Apache-2.0
// Which kernel moves the pixels between two batches, and how rows are cut for it. No driver call.
//
// A copy of bits whose axes merge to rows that are dense on both ends is a copy of rows; between
// interleaved pixels and planes it is a repack; what neither can do, or what changes values, is a
// gather. Of bits, what has short rows or is not rows of pixels or planes at all is one for rows.c.
#include <assert.h>
#include <string.h>

#include "cuda/select/select.h"

enum { VECTOR = 16 };

// ---- Forms ------------------------------------------------------------------------------------

pixviewi_channel_order pixviewi_channel_order_of(const int64_t shape[4], const int64_t strides[4],
                                                 int64_t itemsize, pixviewi_pixels *out)
{
    int64_t channels = shape[PIXVIEW_AXIS_C], columns = shape[PIXVIEW_AXIS_W],
            rows = shape[PIXVIEW_AXIS_H];
    *out = (pixviewi_pixels){rows > 1 ? strides[PIXVIEW_AXIS_H] : 0, itemsize, 0, rows, columns};
    if (channels > 1 && strides[PIXVIEW_AXIS_C] == itemsize &&
        (columns == 1 || strides[PIXVIEW_AXIS_W] == channels * itemsize)) {
        out->pixel = channels * itemsize;
        out->channel = itemsize;
        return PIXVIEWI_INTERLEAVED;
    }
    if (columns > 1 && strides[PIXVIEW_AXIS_W] != itemsize)
        return PIXVIEWI_IRREGULAR;
    out->channel = channels > 1 ? strides[PIXVIEW_AXIS_C] : 0;
    return PIXVIEWI_PLANAR;
}

// Rows that lie one after another on both ends are one row.
static void merge_rows(pixviewi_tile_args *args)
{
    pixviewi_pixels *from = &args->from, *to = &args->to;
    if (args->rows > 1 && from->row == args->columns * from->pixel &&
        to->row == args->columns * to->pixel) {
        args->columns *= args->rows;
        args->rows = 1;
        from->row = to->row = 0;
    }
    from->rows = to->rows = args->rows;
    from->columns = to->columns = args->columns;
}

// Pixels that stay interleaved and get no values of their channels' own are elements.
static void merge_tile_channels(pixviewi_tile_args *args, const pixviewi_affine *affine)
{
    if (args->channels == 1 || args->swap || (!affine->is_identity && affine->channels != 1))
        return;
    args->columns *= args->channels;
    args->channels = 1;
    args->from.pixel = args->src_size;
    args->to.pixel = args->dst_size;
    args->from.channel = args->to.channel = 0;
}

// Images one after another on both ends are one too, unless they have planes. Returns how many are left.
static int64_t merge_images(pixviewi_tile_args *args, int64_t images, bool planes)
{
    if (images > 1 && args->rows == 1 && !planes &&
        args->src_image == args->columns * args->from.pixel &&
        args->dst_image == args->columns * args->to.pixel) {
        args->columns *= images;
        args->from.columns = args->to.columns = args->columns;
        images = 1;
    }
    if (images == 1)
        args->src_image = args->dst_image = 0;
    return images;
}

// ---- Tiles ------------------------------------------------------------------------------------

static int64_t bits_of(const char *data, int64_t image, const pixviewi_pixels *pixels, bool planes)
{
    return (int64_t)(uintptr_t)data | image | pixels->row | (planes ? pixels->channel : 0);
}

// How many pixels the shared memory of so many warps holds.
static int64_t pixels_that_fit(pixviewi_tile_args *args, int warps, int64_t step, int streams,
                               bool loose)
{
    args->vectors = warps * PIXVIEWI_SCRATCH / VECTOR / streams;
    if (streams > 4)
        args->vectors -= args->vectors % 2 == 0; // planes begin in different banks
    int64_t bytes = args->vectors * VECTOR - args->halo * step - (loose ? VECTOR - 1 : 0);
    return bytes / step;
}

bool pixviewi_cut_tiles(pixviewi_tile_args *args, int64_t images, int64_t step, int streams,
                        int64_t src_bits, int64_t dst_bits)
{
    enum { MANY_CHANNELS = 8 };
    int vector = PIXVIEWI_VECTOR(args->dst_size), many = vector * PIXVIEWI_LANES;
    args->halo = dst_bits % (vector * args->dst_size) == 0 ? 0 : vector - 1;
    int64_t columns = args->columns + args->halo;
    bool loose = src_bits % VECTOR != 0 || args->halo > 0;
    int64_t tile = pixels_that_fit(args, 1, step, streams, loose);
    args->wide = args->channels >= MANY_CHANNELS && tile < columns;
    if (args->wide)
        tile = pixels_that_fit(args, PIXVIEWI_WARPS, step, streams, loose);
    if (tile < vector)
        return false;
    if (columns <= tile / vector * vector)
        tile = (columns + vector - 1) / vector * vector; // a row at once
    else if (tile % many <= tile / 4)
        tile -= tile % many; // a whole number of steps of a warp
    else
        tile -= tile % (tile >= VECTOR ? VECTOR : vector); // or of vectors
    args->tile = (int32_t)tile;
    args->row_tiles = (columns - 1) / tile + 1;
    assert(args->channels >= 1 && args->channels <= PIXVIEWI_TILE_CHANNELS && images > 0);
    assert((tile + args->halo) * step <= (int64_t)args->vectors * VECTOR); // a plane's scratch
    assert(streams * args->vectors * VECTOR <=
           (args->wide ? PIXVIEWI_WARPS : 1) * PIXVIEWI_SCRATCH);
    args->by_vectors = pixviewi_divisor_of((uint32_t)args->vectors);
    args->by_channels = pixviewi_divisor_of((uint32_t)args->channels);
    return !__builtin_mul_overflow(images * args->rows, args->row_tiles, &args->tiles) &&
           args->tiles <= INT32_MAX;
}

int64_t pixviewi_finish_tiles(pixviewi_tile_args *args)
{
    assert(args->tiles > 0 && args->tiles <= INT32_MAX); // pixviewi_divide takes 31 bits
    assert(args->row_tiles * args->tile >= args->columns && args->tiles % args->rows == 0);
    args->by_row_tiles = pixviewi_divisor_of((uint32_t)args->row_tiles);
    args->by_rows = pixviewi_divisor_of((uint32_t)args->rows);
    return (args->tiles - 1) / (args->wide ? 1 : PIXVIEWI_WARPS) + 1;
}

// ---- Kernels ----------------------------------------------------------------------------------

void pixviewi_set_affine(pixviewi_tile_args *args, const pixviewi_copy_op *op)
{
    const pixviewi_affine *affine = &op->affine;
    args->src_code = op->src.dtype.code;
    args->dst_code = op->dst.dtype.code;
    args->src_size = (int32_t)pixview_dtype_size(op->src.dtype);
    args->dst_size = (int32_t)pixview_dtype_size(op->dst.dtype);
    args->swap = affine->swap_rb;
    args->changed = !affine->is_identity;
    args->pad = affine->pad;
    memcpy(args->pad_bits, affine->pad_bits, sizeof affine->pad_bits);
    for (int i = 0; !affine->is_identity && i < PIXVIEWI_TILE_CHANNELS; i++) {
        int entry = affine->channels == 1 ? 0 : i;
        args->a[i] = affine->scale[entry];
        args->b[i] = affine->bias[entry];
    }
}

int pixviewi_gather_kernel(const pixviewi_copy_op *op, bool list, bool planar)
{
    int from = pixviewi_log2(pixview_dtype_size(op->src.dtype));
    int form = 2 * list + planar, to = 0;
    assert(from <= (op->affine.is_identity ? 3 : 2));
    if (op->affine.is_identity)
        return PIXVIEWI_KERNEL_GATHER + 4 * from + form;
    if (op->dst.dtype.bits == 16)
        to = op->dst.dtype.code == PIXVIEW_DTYPE_BFLOAT ? 2 : 1;
    else if (op->dst.dtype.bits == 32)
        to = 3;
    return PIXVIEWI_KERNEL_CONVERT + 16 * from + 4 * to + form;
}

int pixviewi_repack_kernel(const pixviewi_tile_args *args, bool list, bool split)
{
    assert((args->channels == 3 || args->channels == 4) && args->src_size <= 8);
    assert(args->src_size == args->dst_size && !args->changed);
    return PIXVIEWI_KERNEL_REPACK + 16 * list + 4 * pixviewi_log2(args->src_size) +
           2 * (args->channels == 4) + split;
}

static bool finish_tiles(pixviewi_launch *launch, int kernel)
{
    launch->kernel = kernel;
    launch->blocks = pixviewi_finish_tiles(&launch->args.tile);
    assert(kernel >= PIXVIEWI_KERNEL_REPACK && kernel < PIXVIEWI_KERNEL_ELEMENTS);
    return true;
}

// ---- Operations ---------------------------------------------------------------------------------

// Rows that are dense on both ends, in any order of the axes outside.
static bool select_row_tiles(const pixviewi_copy_op *op, const pixviewi_copy_plan *plan,
                             pixviewi_launch *launch)
{
    const int64_t *shape = plan->shape, *src = plan->src_strides, *dst = plan->dst_strides;
    pixviewi_tile_args *args = &launch->args.tile;
    int planes = shape[0] == 1 ? 0 : 1; // the axis that goes as planes, or none
    if (plan->itemsize == 16 || (planes && shape[1] > PIXVIEWI_TILE_CHANNELS))
        return false;
    int64_t images = planes ? shape[0] : shape[1], size = plan->itemsize;
    assert(src[3] == size && dst[3] == size);
    memset(args, 0, sizeof *args);
    pixviewi_set_affine(args, op);
    args->src_size = args->dst_size = (int32_t)size;
    args->src = (char *)(uintptr_t)plan->src;
    args->dst = plan->dst;
    args->src_image = planes ? src[0] : src[1];
    args->dst_image = planes ? dst[0] : dst[1];
    args->channels = planes ? (int32_t)shape[1] : 1;
    args->rows = shape[2];
    args->columns = shape[3];
    args->from = (pixviewi_pixels){src[2], size, planes ? src[1] : 0, args->rows, args->columns};
    args->to = (pixviewi_pixels){dst[2], size, planes ? dst[1] : 0, args->rows, args->columns};
    return pixviewi_cut_tiles(args, images, size, args->channels,
                              bits_of(args->src, args->src_image, &args->from, planes),
                              bits_of(args->dst, args->dst_image, &args->to, planes)) &&
           finish_tiles(launch, PIXVIEWI_KERNEL_GATHER + 4 * pixviewi_log2(size) + 1);
}

bool pixviewi_cut_repack(pixviewi_tile_args *args, int64_t images, int64_t bits)
{
    if (args->changed || args->src_size > 8 || args->channels < 3 || args->channels > 4 ||
        bits % VECTOR != 0)
        return false;
    args->wide = 0;
    args->tile = PIXVIEWI_LANES * VECTOR / args->src_size;
    args->row_tiles = (args->columns - 1) / args->tile + 1;
    return !__builtin_mul_overflow(images * args->rows, args->row_tiles, &args->tiles) &&
           args->tiles <= INT32_MAX;
}

// Rows of pixels or of planes on both ends.
static bool select_pixel_tiles(const pixviewi_copy_op *op, pixviewi_launch *launch)
{
    pixviewi_tile_args *args = &launch->args.tile;
    const int64_t *shape = op->shape;
    memset(args, 0, sizeof *args);
    pixviewi_set_affine(args, op);
    pixviewi_channel_order src =
        pixviewi_channel_order_of(shape, op->src.strides, args->src_size, &args->from);
    pixviewi_channel_order dst =
        pixviewi_channel_order_of(shape, op->dst.strides, args->dst_size, &args->to);
    if (src == PIXVIEWI_IRREGULAR || dst == PIXVIEWI_IRREGULAR || args->src_size > 8 ||
        shape[PIXVIEW_AXIS_C] > PIXVIEWI_TILE_CHANNELS)
        return false;
    args->src = op->src.data;
    args->dst = op->dst.data;
    args->src_image = op->src.strides[PIXVIEW_AXIS_N];
    args->dst_image = op->dst.strides[PIXVIEW_AXIS_N];
    args->channels = (int32_t)shape[PIXVIEW_AXIS_C];
    args->rows = shape[PIXVIEW_AXIS_H];
    args->columns = shape[PIXVIEW_AXIS_W];
    bool mixed = src == PIXVIEWI_INTERLEAVED && dst == PIXVIEWI_INTERLEAVED;
    if (mixed)
        merge_tile_channels(args, &op->affine);
    if (args->channels == 1)
        src = dst = PIXVIEWI_PLANAR;
    bool planes = args->channels > 1 && !mixed;
    merge_rows(args);
    int64_t images = merge_images(args, shape[PIXVIEW_AXIS_N], planes);
    int64_t src_bits = bits_of(args->src, args->src_image, &args->from, src == PIXVIEWI_PLANAR);
    int64_t dst_bits = bits_of(args->dst, args->dst_image, &args->to, dst == PIXVIEWI_PLANAR);
    if (src != dst && pixviewi_cut_repack(args, images, src_bits | dst_bits))
        return finish_tiles(launch,
                            pixviewi_repack_kernel(args, false, src == PIXVIEWI_INTERLEAVED));
    return pixviewi_cut_tiles(args, images, args->from.pixel,
                              src == PIXVIEWI_PLANAR ? args->channels : 1, src_bits, dst_bits) &&
           finish_tiles(launch, pixviewi_gather_kernel(op, false, dst == PIXVIEWI_PLANAR));
}

// A tile of a repack is 200 instructions of a warp, for up to 512 bytes of each plane. Planes whose rows
// end inside a vector it writes no better than rows.c.
static bool is_worth_repacking(const pixviewi_launch *launch)
{
    enum { ROW_BYTES = 128 };
    const pixviewi_tile_args *args = &launch->args.tile;
    int64_t row = args->columns * args->src_size;
    bool repacks =
        launch->kernel >= PIXVIEWI_KERNEL_REPACK && launch->kernel < PIXVIEWI_KERNEL_GATHER;
    bool splits = args->to.pixel == args->dst_size;
    return repacks && row >= ROW_BYTES && (!splits || row % VECTOR == 0);
}

bool pixviewi_select_launch(const pixviewi_copy_op *op, pixviewi_launch *launch)
{
    pixviewi_copy_plan made;
    const pixviewi_copy_plan *plan = op->plan;
    if (op->src.images || op->dst.images || pixviewi_is_padded(op))
        return false;
    if (!op->affine.is_identity || op->affine.swap_rb)
        return select_pixel_tiles(op, launch); // or elements
    if (!plan) {
        pixviewi_copy_plan_of(op, &made);
        plan = &made;
    }
    bool dense = plan->src_strides[3] == plan->itemsize && plan->dst_strides[3] == plan->itemsize;
    bool pixels = !dense && select_pixel_tiles(op, launch);
    bool brief = pixviewi_has_short_rows(op, plan);
    if (pixels && (!brief || is_worth_repacking(launch)))
        return true;
    if (!dense || brief || !select_row_tiles(op, plan, launch))
        pixviewi_select_untiled(plan, launch);
    return true;
}
