// SPDX-License-Identifier: Apache-2.0
// What the kernels get as their one parameter, and which kernels there are: shared by the kernels
// (C++), the launcher (C), and the tests' driver.
#ifndef PIXVIEWI_ARGS_H
#define PIXVIEWI_ARGS_H

#include "geometry.h"
#include "video.h"

// ---- Division ---------------------------------------------------------------------------------

typedef struct pixviewi_divisor {
    uint32_t magic, shift;
} pixviewi_divisor;

// Division of n < 2^31 by d without dividing: magic = ceil(2^(32 + shift) / d), and
// shift = ceil(log2(d)) - 1. The error of magic, below 1, times n stays below 2^(32 + shift) / d.
// d = 1 has magic 0; so has 0, by which nothing is divided.
PIXVIEWI_DEVICE uint32_t pixviewi_divide(uint32_t n, pixviewi_divisor by)
{
    return by.magic ? (uint32_t)(((uint64_t)n * by.magic) >> 32) >> by.shift : n;
}

static inline pixviewi_divisor pixviewi_divisor_of(uint32_t d)
{
    pixviewi_divisor by = {0, 0};
    uint32_t bits = 0;
    if (d <= 1)
        return by;
    while (bits < 31 && (1u << bits) < d)
        bits++;
    by.shift = bits - 1;
    by.magic = (uint32_t)((((uint64_t)1 << (31 + bits)) + d - 1) / d);
    return by;
}

// ---- Bits, any strides --------------------------------------------------------------------------

typedef struct pixviewi_copy_args {
    const void *src;
    void *dst;
    int64_t shape[4];       // outermost first
    int64_t src_strides[4]; // BYTES
    int64_t dst_strides[4];
    int64_t count;
    pixviewi_divisor by[4]; // shape[i]; only if narrow
    uint32_t narrow;        // count < 2^31: 32-bit index arithmetic
    int32_t first;          // the outermost axis of more than one element, or 3
    // Rows: axis 3 counts vectors of a run, which is a row, or rows of `columns` elements that are
    // `row` BYTES apart in the source and lie one after another in the destination.
    uint32_t run, columns; // elements
    pixviewi_divisor by_columns;
    int64_t row;
    int64_t step;   // BYTES between elements of a row in the source
    uint32_t back;  // rows that the first vector may begin before its run
    uint32_t apart; // rows, in the destination: memory reads the sectors that they end in
} pixviewi_copy_args;

enum { PIXVIEWI_SECTOR = 32 }; // BYTES: memory reads one that is written in part

// BYTES of a row that a thread moves.
#define PIXVIEWI_ROW_BYTES(size) ((size) <= 2 ? 8 : 16)

// ---- Tiles --------------------------------------------------------------------------------------
//
// A row of an image is cut into tiles of some pixels, all channels of them; a warp moves one through
// shared memory, or a block one of many channels. Where all rows of an image lie side by side, they are
// one row.

enum {
    PIXVIEWI_THREADS = 128,
    PIXVIEWI_LANES = 32,
    PIXVIEWI_WARPS = PIXVIEWI_THREADS / PIXVIEWI_LANES,
    PIXVIEWI_SCRATCH = 3072, // bytes of shared memory for each warp
    PIXVIEWI_TILE_CHANNELS = 32
};

// Elements that gather.h writes at a time.
#define PIXVIEWI_VECTOR(size) ((size) == 1 ? 8 : (size) == 8 ? 2 : 4)

typedef struct pixviewi_pixels {
    int64_t row, pixel, channel; // strides, BYTES
    int64_t rows, columns;       // a listed source may have fewer than the destination
} pixviewi_pixels;

typedef struct pixviewi_tile_args {
    char *src, *dst;              // of image 0; a list has its own, also instead of the next four
    int64_t src_image, dst_image; // BYTES between images
    pixviewi_pixels from, to;
    int64_t rows, columns;    // of the destination
    int64_t row_tiles, tiles; // tiles < 2^31; one element at a time: elements, any number
    pixviewi_divisor by_row_tiles, by_rows, by_channels, by_vectors;
    int32_t channels;
    int32_t tile;               // pixels
    int32_t halo;               // pixels before a tile that its first vector may need
    int32_t vectors;            // of 16 bytes that a plane may take in the scratch
    int32_t wide;               // a tile is a block's, not a warp's
    int32_t swap;               // channels 0 and 2 change places
    int32_t changed;            // values are converted
    int32_t src_code, dst_code; // as in pixview_dtype
    int32_t src_size, dst_size; // BYTES of an element
    int32_t channels_inside;    // one element at a time: those of a pixel are side by side
    float pad;                  // of a smaller source, as in pixviewi_affine
    float a[PIXVIEWI_TILE_CHANNELS], b[PIXVIEWI_TILE_CHANNELS];
    uint64_t pad_bits[2];
} pixviewi_tile_args;

// The same with a list of images on one end. The table holds `kinds` pixviewi_pixels, an address for
// each image, and a byte for each image that says of which kind it is. All of it is 4096 bytes, which
// every driver takes.
enum { PIXVIEWI_TABLE = 4096 - sizeof(pixviewi_tile_args) - 16 };
enum { PIXVIEWI_NO_LIST, PIXVIEWI_SRC_LIST, PIXVIEWI_DST_LIST };

typedef struct pixviewi_list_args {
    pixviewi_tile_args tile;
    int32_t list; // which end is one
    int32_t kinds, images;
    int32_t unused;
    uint64_t table[PIXVIEWI_TABLE / 8];
} pixviewi_list_args;

// ---- Resizing -----------------------------------------------------------------------------------
//
// A canvas is cut into tiles of so many columns and some rows, one for each block. A lane makes four pixels of a
// row at a time.

enum { PIXVIEWI_QUAD = 4, PIXVIEWI_RESIZE_COLUMNS = 128, PIXVIEWI_RESIZE_ROWS = 64 };

// How pixels are stored: in any steps, planes of elements that are neighbours, or pixels in aligned vectors.
enum { PIXVIEWI_BY_ELEMENTS, PIXVIEWI_BY_PLANES, PIXVIEWI_BY_PIXELS };

// What values become. U16: of 16-bit sources that keep their type.
enum { PIXVIEWI_TO_U8, PIXVIEWI_TO_F16, PIXVIEWI_TO_BF16, PIXVIEWI_TO_F32, PIXVIEWI_TO_U16 };

typedef struct pixviewi_steps {
    int64_t row, pixel, channel; // BYTES
} pixviewi_steps;

// In place of a row's or a channel's step: as if there were no gap.
#define PIXVIEWI_PACKED ((int64_t)1 << 62)

enum { PIXVIEWI_RESIZE_TABLE = 3552 };

// The table holds `kinds` pixviewi_steps; for each image an address, its rows and columns, if `sized` also those
// that it is resized to (of 16 bits, or of 32 if `large`); and a byte for each that says of which kind it is. All
// of it is less than 4096 bytes.
typedef struct pixviewi_resize_args {
    char *dst; // of the first image here
    int64_t dst_image;
    pixviewi_steps to;
    int64_t planes[4];               // BYTES to where the source's first channels go
    int32_t rows, columns, channels; // of a canvas
    int32_t tile_rows;
    int32_t across, down; // tiles of a canvas
    pixviewi_divisor by_across, by_down;
    pixviewi_fit_args fit;
    int32_t nearest;
    int32_t is_identity; // a is 1 and b is -0
    int32_t form;        // BY_
    int32_t aligned;     // four elements of a plane, or of rows of pixels, may be a vector
    int32_t fills;       // planes' tiles of padding alone are filled by vectors
    int32_t out;         // TO_
    int32_t swap;        // channels 0 and 2 change places
    int32_t src_code;    // as in pixview_dtype
    int32_t sized, large, kinds, images;
    float pad;                                                  // in place of a value
    float a[PIXVIEWI_TILE_CHANNELS], b[PIXVIEWI_TILE_CHANNELS]; // by the source's channels
    uint64_t pad_bits[2];
    uint64_t table[PIXVIEWI_RESIZE_TABLE / 8];
} pixviewi_resize_args;
// ---- Video frames -------------------------------------------------------------------------------
//
// As a source that is resized: pixviewi_resize_args, whose table holds `kinds` pixviewi_video (its addresses mean nothing) in place
// of the steps, and three addresses for each image.

// Frames of one kind into images of their size. The table holds of each the address of Y and of U and V.
enum {
    PIXVIEWI_DECODE_STEPS = 2,
    PIXVIEWI_DECODE_TABLE = 3712
}; // of a thread, each one or two rows
typedef struct pixviewi_decode_args {
    char *dst; // of the first image here
    int64_t dst_image;
    int64_t row, pixel, channel; // BYTES, of an image
    int64_t y_row, uv_row;       // of a frame
    int32_t rows, columns;
    int32_t quads, groups; // across an image, and down it; a thread for each of both
    int32_t threads;
    pixviewi_divisor by_quads, by_groups;
    int32_t shared_rows; // that have one row of U and V
    int32_t planar;
    int32_t direct;     // the sums are bytes as they are
    int32_t out;        // TO_
    int32_t down, most; // as in pixviewi_samples
    pixviewi_matrix
        matrix; // its columns: Y, what comes first of U and V, the other; its rows: as they are stored
    float a[3], b[3]; // of channels as they are stored
    uint64_t table[PIXVIEWI_DECODE_TABLE / 8];
} pixviewi_decode_args;

// Images into frames that differ in their addresses alone.

// Pixels that a thread takes of a row: vectors of 8 or 16 bytes.
#define PIXVIEWI_ENCODE_PIECE(size) ((size) == 1 ? 8 : 4)

enum { PIXVIEWI_ENCODE_FRAMES = 144 };
typedef struct pixviewi_encode_args {
    const char *src; // of the first image here
    int64_t src_image;
    pixviewi_steps steps;
    int64_t channels[3]; // BYTES to those of the result
    int32_t rows, columns;
    int32_t across, blocks; // pieces of a row; blocks of an image
    pixviewi_divisor by_across, by_blocks;
    int32_t piece;    // pixels of a row that a thread takes: 2 by elements
    int32_t groups;   // that a thread makes, one below the other
    int32_t code;     // as in pixview_dtype
    int32_t changed;  // else values are bytes
    float a[3], b[3]; // by the result's channels
    int32_t
        form; // BY_: how pixels lie; other than by elements a piece, and what it becomes, is vectors
    int32_t chroma;               // BY_: how U and V lie, then
    pixviewi_video_target target; // weights of U and V: of sums. By pixels, U is what comes first
    uint64_t frames[PIXVIEWI_ENCODE_FRAMES][3];
} pixviewi_encode_args;

// ---- Filters ------------------------------------------------------------------------------------
//
// A canvas is cut into tiles of 32 columns and some rows, one for each block. The source is summed in two passes:
// along each of its lines, which are rows, and then between lines. Where Pillow sums between rows first, lines are
// columns: everything is turned, steps, canvas and tables.

enum {
    PIXVIEWI_FILTER_COLUMNS = 32,
    PIXVIEWI_FILTER_ROWS = 32, // at most
    PIXVIEWI_FILTER_SPAN =
        256, // BYTES of a line of one channel that lie in shared memory at a time
    PIXVIEWI_FILTER_PLANES = 12,    // such lines that a warp has there, all channels
    PIXVIEWI_FILTER_BETWEEN = 12288 // BYTES of what the first pass leaves to the second
};

// How a source lies in memory, for loads of several elements: pixels of a line side by side, or lines; with all
// their channels, or those of one.
enum {
    PIXVIEWI_LIES_APART,
    PIXVIEWI_PIXELS_MIXED,
    PIXVIEWI_PIXELS_PLANAR,
    PIXVIEWI_LINES_MIXED,
    PIXVIEWI_LINES_PLANAR
};

// A table of weights in the GPU's memory: `entries` numbers of 32 bits each for `first` and for `count`, then the
// weights.
// Across, of Pillow: `first` and `count` are of groups of four pixels. The four weights' lowest bytes are a word,
// the next bytes another, the highest a third. Word i of entry e is at i * step + e.
// Across, of area: of pixels; weight k of entry e is at k * step + e.
// Down: of lines; weight k of entry e is at e * step + k.
typedef struct pixviewi_filter_table {
    const char *data;
    int32_t entries;
    int32_t step; // elements
} pixviewi_filter_table;

// What images have in common that lie alike and are resized alike: turned, if Pillow sums their rows first.
typedef struct pixviewi_filter_kind {
    pixviewi_steps from; // of lines, pixels and channels
    pixviewi_filter_table columns_of,
        rows_of;           // across and down, of what is seen of the image on its canvas
    int32_t lines, pixels; // of the source
    int32_t top, left;     // of the canvas, where the image begins
    int32_t skip_rows,
        skip_left; // of an image that keeps its size: first row and column that is seen
    uint8_t as_is; // it does
    uint8_t lies;  // as above
    uint8_t turned;
    uint8_t unused[5];
} pixviewi_filter_kind;

// A canvas, as it is or turned.
typedef struct pixviewi_filter_canvas {
    pixviewi_steps to; // of lines, pixels and channels
    int32_t height, width;
    int32_t form;          // BY_
    int32_t across, tiles; // tiles side by side, and all
    pixviewi_divisor by_across;
} pixviewi_filter_canvas;

enum { PIXVIEWI_FILTER_TABLE = 3632 };

// The table holds `kinds` pixviewi_filter_kind, an address for each image, and a byte for each that says of which
// kind it is. All of it is less than 4096 bytes.
typedef struct pixviewi_filter_args {
    char *dst; // of the first image here
    int64_t dst_image;
    pixviewi_filter_canvas canvases[2]; // the second: turned
    int32_t tiles;                      // of an image, at most
    pixviewi_divisor by_tiles;
    int32_t tile_rows;
    int32_t channels;
    int32_t out;      // TO_
    int32_t swap;     // channels 0 and 2 change places
    int32_t src_code; // as in pixview_dtype
    int32_t kinds, images;
    float pad; // in place of a value
    float a[PIXVIEWI_TILE_CHANNELS], b[PIXVIEWI_TILE_CHANNELS];
    uint64_t table[PIXVIEWI_FILTER_TABLE / 8];
} pixviewi_filter_args;

// ---- Which kernels ------------------------------------------------------------------------------
//
// X(name, parameters of the template). The launcher computes an index from the order here.

// By the size of the element; the last is 16 bytes that are only aligned to 8.
#define PIXVIEWI_COPY_KERNELS(X) \
    X(pixview_copy_1, uint8_t)   \
    X(pixview_copy_2, uint16_t)  \
    X(pixview_copy_4, uint32_t)  \
    X(pixview_copy_8, uint64_t)  \
    X(pixview_copy_16, uint4)    \
    X(pixview_copy_16_by_8, pair_of_8)

// Rows that are dense in the destination, by the size of the element, with any step in the source? Those
// may also be runs of rows, one after another in the destination.
#define PIXVIEWI_ROWS_KERNELS(X)       \
    X(pixview_rows_1, uint8_t, false)  \
    X(pixview_rows_2, uint16_t, false) \
    X(pixview_rows_4, uint32_t, false) \
    X(pixview_rows_8, uint64_t, false) \
    X(pixview_steps_1, uint8_t, true)  \
    X(pixview_steps_2, uint16_t, true) \
    X(pixview_steps_4, uint32_t, true) \
    X(pixview_steps_8, uint64_t, true)

// Element, channels, does it split pixels into planes, is there a list.
#define PIXVIEWI_REPACK_SIZE(X, list, Args, size, T)     \
    X(pixview_merge_##size##x3##list, T, 3, false, Args) \
    X(pixview_split_##size##x3##list, T, 3, true, Args)  \
    X(pixview_merge_##size##x4##list, T, 4, false, Args) \
    X(pixview_split_##size##x4##list, T, 4, true, Args)
#define PIXVIEWI_REPACK_FORM(X, list, Args)          \
    PIXVIEWI_REPACK_SIZE(X, list, Args, 1, uint8_t)  \
    PIXVIEWI_REPACK_SIZE(X, list, Args, 2, uint16_t) \
    PIXVIEWI_REPACK_SIZE(X, list, Args, 4, uint32_t) \
    PIXVIEWI_REPACK_SIZE(X, list, Args, 8, uint64_t)
#define PIXVIEWI_REPACK_KERNELS(X)                \
    PIXVIEWI_REPACK_FORM(X, , pixviewi_tile_args) \
    PIXVIEWI_REPACK_FORM(X, _list, pixviewi_list_args)

// What happens to an element, is the destination planar, is there a list.
#define PIXVIEWI_GATHER_FORMS(X, name, ...)                                \
    X(pixview_##name##_mixed, false, pixviewi_tile_args, __VA_ARGS__)      \
    X(pixview_##name##_planar, true, pixviewi_tile_args, __VA_ARGS__)      \
    X(pixview_##name##_mixed_list, false, pixviewi_list_args, __VA_ARGS__) \
    X(pixview_##name##_planar_list, true, pixviewi_list_args, __VA_ARGS__)
#define PIXVIEWI_GATHER_KERNELS(X)                     \
    PIXVIEWI_GATHER_FORMS(X, gather_1, same<uint8_t>)  \
    PIXVIEWI_GATHER_FORMS(X, gather_2, same<uint16_t>) \
    PIXVIEWI_GATHER_FORMS(X, gather_4, same<uint32_t>) \
    PIXVIEWI_GATHER_FORMS(X, gather_8, same<uint64_t>)
#define PIXVIEWI_CONVERT_SIZE(X, size, T)                                  \
    PIXVIEWI_GATHER_FORMS(X, convert_##size##_u8, changed<T, to_byte>)     \
    PIXVIEWI_GATHER_FORMS(X, convert_##size##_f16, changed<T, to_half>)    \
    PIXVIEWI_GATHER_FORMS(X, convert_##size##_bf16, changed<T, to_bfloat>) \
    PIXVIEWI_GATHER_FORMS(X, convert_##size##_f32, changed<T, to_float>)
#define PIXVIEWI_CONVERT_KERNELS(X)       \
    PIXVIEWI_CONVERT_SIZE(X, 1, uint8_t)  \
    PIXVIEWI_CONVERT_SIZE(X, 2, uint16_t) \
    PIXVIEWI_CONVERT_SIZE(X, 4, uint32_t)

// What makes tiles, and threads of a multiprocessor.
#define PIXVIEWI_RESIZE_KERNELS(X)                             \
    X(pixview_resize_1, 896, resize<plain<uint8_t>, true>)     \
    X(pixview_resize_2, 896, resize<plain<uint16_t>, true>)    \
    X(pixview_resize_4, 896, resize<plain<uint32_t>, true>)    \
    X(pixview_pick_1, 896, resize<plain<uint8_t>, false>)      \
    X(pixview_pick_2, 896, resize<plain<uint16_t>, false>)     \
    X(pixview_pick_4, 896, resize<plain<uint32_t>, false>)     \
    X(pixview_pick_8, 896, resize<plain<uint64_t>, false>)     \
    X(pixview_pick_16, 896, resize<plain<pair_of_8>, false>)   \
    X(pixview_columns_1, 1536, resize_columns<plain<uint8_t>>) \
    X(pixview_frames, 640, resize<frames, true>)               \
    X(pixview_frames_columns, 896, resize_columns<frames>)

// The sample.
#define PIXVIEWI_DECODE_KERNELS(X) \
    X(pixview_decode_1, uint8_t)   \
    X(pixview_decode_2, uint16_t)

// The source's element.
#define PIXVIEWI_ENCODE_KERNELS(X) \
    X(pixview_encode_1, uint8_t)   \
    X(pixview_encode_2, uint16_t)  \
    X(pixview_encode_4, uint32_t)

// How it sums.
#define PIXVIEWI_FILTER_KERNELS(X)    \
    X(pixview_area_1, area<uint8_t>)  \
    X(pixview_area_2, area<uint16_t>) \
    X(pixview_area_4, area<uint32_t>) \
    X(pixview_pillow, pillow)

#define PIXVIEWI_KERNELS(X)     \
    PIXVIEWI_COPY_KERNELS(X)    \
    PIXVIEWI_ROWS_KERNELS(X)    \
    PIXVIEWI_REPACK_KERNELS(X)  \
    PIXVIEWI_GATHER_KERNELS(X)  \
    PIXVIEWI_CONVERT_KERNELS(X) \
    X(pixview_elements, )       \
    PIXVIEWI_RESIZE_KERNELS(X)  \
    PIXVIEWI_FILTER_KERNELS(X)  \
    PIXVIEWI_ENCODE_KERNELS(X)  \
    PIXVIEWI_DECODE_KERNELS(X)

#endif
