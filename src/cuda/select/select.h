// SPDX-License-Identifier: Apache-2.0
// Kernels by number, and what is launched.
#ifndef PIXVIEWI_SELECT_H
#define PIXVIEWI_SELECT_H

#include "copy/copy_plan.h"
#include "kernels/args.h"

// The order of PIXVIEWI_KERNELS.
enum {
    PIXVIEWI_KERNEL_COPY = 0, // + log2 of the element size; 5: 16 bytes, aligned to 8
    PIXVIEWI_KERNEL_ROWS = 6, // + log2 of the element size
    PIXVIEWI_KERNEL_STEPS = 10,
    // + 16 * (list) + 4 * log2 of the size + 2 * (4 channels) + (splits)
    PIXVIEWI_KERNEL_REPACK = 14,
    PIXVIEWI_KERNEL_GATHER = 46, // + 4 * log2 of the size + 2 * (list) + (planar)
    // + 16 * log2 from + 4 * (u8, f16, bf16, f32) + 2 * (list) + (planar)
    PIXVIEWI_KERNEL_CONVERT = 62,
    PIXVIEWI_KERNEL_ELEMENTS = 110,
    PIXVIEWI_KERNEL_RESIZE = 111, // + log2 of the size
    PIXVIEWI_KERNEL_PICK = 114,
    PIXVIEWI_KERNEL_COLUMNS = 119,
    PIXVIEWI_KERNEL_FRAMES = 120, // + (by columns)
    PIXVIEWI_KERNEL_AREA = 122,   // + log2 of the size
    PIXVIEWI_KERNEL_PILLOW = 125,
    PIXVIEWI_KERNEL_ENCODE = 126, // + log2 of the size
    PIXVIEWI_KERNEL_DECODE = 129, // + (two bytes)
    PIXVIEWI_KERNEL_COUNT = 131
};

static inline int pixviewi_log2(int64_t size) { return __builtin_ctzll((unsigned long long)size); }

// The launch of an operation between two batches.
typedef struct pixviewi_launch {
    int kernel;
    int64_t blocks;
    union {
        pixviewi_copy_args copy;
        pixviewi_tile_args tile;
    } args;
} pixviewi_launch;

// One end of an operation as rows of interleaved pixels or of planes.
typedef enum pixviewi_channel_order {
    PIXVIEWI_IRREGULAR, // neither
    PIXVIEWI_INTERLEAVED,
    PIXVIEWI_PLANAR
} pixviewi_channel_order;

// *out gets the strides that count: those of axes of size 1 are what they would be in a packed image.
pixviewi_channel_order pixviewi_channel_order_of(const int64_t shape[4], const int64_t strides[4],
                                                 int64_t itemsize, pixviewi_pixels *out);

// Fills a launch for an operation between two batches of one size, if rows of pixels or planes are all there
// is to it. False: it is one for list.h.
bool pixviewi_select_launch(const pixviewi_copy_op *op, pixviewi_launch *launch);

// Copies of bits without tiles: any there are, the better way if rows are short.
bool pixviewi_has_short_rows(const pixviewi_copy_op *op, const pixviewi_copy_plan *plan);
void pixviewi_select_untiled(const pixviewi_copy_plan *plan, pixviewi_launch *launch);

// What the tile kernels need beside the ends: tiles of rows. args->rows, columns, channels, from and to
// (or `step`, the source's bytes from pixel to pixel, at most) are set. False: too many tiles.
bool pixviewi_cut_tiles(pixviewi_tile_args *args, int64_t images, int64_t step, int streams,
                        int64_t src_bits, int64_t dst_bits);

// Sets the divisors. Returns how many blocks the tiles take.
int64_t pixviewi_finish_tiles(pixviewi_tile_args *args);

// The kernel for bits of 3 or 4 channels between pixels and planes, everything aligned to 16 bytes, with
// its tiles. False: it is something else.
bool pixviewi_cut_repack(pixviewi_tile_args *args, int64_t images, int64_t bits);
int pixviewi_repack_kernel(const pixviewi_tile_args *args, bool list, bool split);

void pixviewi_set_affine(pixviewi_tile_args *args, const pixviewi_copy_op *op);
int pixviewi_gather_kernel(const pixviewi_copy_op *op, bool list, bool planar);

#endif
