// SPDX-License-Identifier: Apache-2.0
// Copies in host memory: the parts and what passes between them. Everything here works on memory that
// the caller has checked: extents, types, overlap.
//
//     run.c       an operation -> pieces for threads -> boxes: one image, or a whole batch
//     box.c       a box as its operation says, or its padding
//     repack.c    a box of equal types: axes sorted and merged, the loop chosen
//     resize.c    a list of images of any size onto canvases: rows between rows, then boxes
//     filter.c    such rows by tables of weights: area, and Pillow's filters
//     affine.c    a box of unequal types: runs of pixels through small buffers
//     video.c     rows of video frames as planes of RGB, for resize.c and for boxes
//     video_write.c   images into video frames
//     loops.c, loops_video.c   the loops; compiled once for every instruction set, chosen in dispatch.c
//     threads.c   the threads
#ifndef PIXVIEWI_HOST_H
#define PIXVIEWI_HOST_H

#include <stdatomic.h>

#include "copy/copy_plan.h"

// ---- Loops (loops.c) --------------------------------------------------------------------------

// Sizes of an element that the loops know: 1, 2, 4, 8, 16; and whole pixels of 3 elements.
enum { PIXVIEWI_SIZES = 5, PIXVIEWI_UNITS = 8 };

// Four planes each, as many as there are; pixels are the first.
typedef void pixviewi_channels(char *const *dst, const char *const *src, int64_t count);

// Of video frames (loops_video.c). Y, U and V are rows of uint16 values; RGB is three planes. By bytes - 1 of a
// sample.
typedef struct pixviewi_taps {
    const int32_t *first, *count; // of each sum: the columns that it takes
    const void *weights;          // `most` for each; 22 bits behind the point, or floats
    int64_t most;
} pixviewi_taps;

typedef struct pixviewi_video_loops {
    // out[i] = in[i * step] >> down & most; steps in BYTES, of any sign.
    void (*load[2])(uint16_t *out, const char *in, int64_t step, int32_t down, int32_t most,
                    int64_t count);
    void (*store[2])(char *out, int64_t step, const uint16_t *in, int64_t count);
    // First and second take turns.
    void (*load_pairs[2])(uint16_t *first, uint16_t *second, const char *in, int32_t down,
                          int32_t most, int64_t count);
    void (*store_pairs[2])(char *out, const uint16_t *first, const uint16_t *second, int64_t count);
    // Bytes, and floats of 0 to 255. [1]: pixels 2 * i and 2 * i + 1 share one U and V.
    void (*bytes[2])(char *const rgb[3], const uint16_t *const yuv[3],
                     const pixviewi_colour *colour, int64_t count);
    void (*floats[2])(char *const rgb[3], const uint16_t *const yuv[3],
                      const pixviewi_colour *colour, int64_t count);
    // Floats between elements places[i] and places[i] + 1 of a row.
    void (*mix_columns)(float *out, const char *row, const int32_t *places, const float *weights,
                        int64_t count);
    // Sums of columns (copy/filter.h), rows[] beginning with column `origin`: Pillow's of bytes to bytes; area of
    // bytes or floats to floats. Planes of `out` are `count` elements apart.
    void (*pillow)(uint8_t *out, const char *const rows[3], const pixviewi_taps *taps,
                   int64_t origin, int64_t count);
    void (*area[2])(float *out, const char *const rows[3], const pixviewi_taps *taps,
                    int64_t origin, int64_t count);
    // And back, of planes of floats, which are clipped to 0 to 255 first, or [1] of bytes: samples of them; means
    // of two columns, or [..][1] of three around 2 * i, for which the one before `in` is read. And sums[i] =
    // fma(weight, line[i], sums[i]).
    void (*encode[2])(uint16_t *out, const char *const rgb[3], const pixviewi_weights *weights,
                      int32_t most, int32_t down, int64_t count);
    void (*halve[2][2])(float *out, const char *in, int64_t count);
    void (*add_line)(float *sums, const float *line, float weight, int64_t count);
} pixviewi_video_loops;

// Two weights of 32 bits for products of 16: each is (high << 16) + low, both signed. Sums of such products are the
// same modulo 2^32.
static inline int32_t pixviewi_low_halves(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)b << 16 | ((uint32_t)a & 0xffff));
}
static inline int32_t pixviewi_high_halves(int32_t a, int32_t b)
{
    return (int32_t)((((uint32_t)b + 0x8000) & 0xffff0000) | ((uint32_t)a + 0x8000) >> 16);
}

typedef struct pixviewi_loops {
    const char *name; // of the instruction set
    const pixviewi_video_loops *video;
    // Planes of `count` elements to interleaved ones and back. By channels - 2, log2 of the size.
    pixviewi_channels *interleave[3][PIXVIEWI_SIZES], *split[3][PIXVIEWI_SIZES];
    // The first three of four interleaved channels: to planes, and to pixels.
    pixviewi_channels *split3of4[PIXVIEWI_SIZES], *drop4[PIXVIEWI_SIZES];
    // Interleaved pixels of 3 or 4 elements, the first and the third exchanged.
    pixviewi_channels *swap[2][PIXVIEWI_SIZES];
    // dst[x * dst_step + y * size] = src[y * src_step + x * size], steps in bytes. Sizes of 1 to 8.
    void (*transpose[4])(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t xs,
                         int64_t ys);
    // dst[i * dst_step] = src[i * src_step]. Sizes 1, 2, 4, 8, 16, 3, 6, 12.
    void (*strided[PIXVIEWI_UNITS])(char *dst, int64_t dst_step, const char *src, int64_t src_step,
                                    int64_t count);
    // A row that memcpy would take longer for; NULL: none.
    void (*row)(char *dst, const char *src, int64_t size);
    // Whole cache lines of memory that begins with one, past the cache; NULL: no such stores. `store_fence`
    // comes last: such stores are in no order with others.
    void (*stream)(char *dst, const char *src, int64_t size);
    void (*store_fence)(void);
    // out = fma(float(in), a, b): u8, i8, u16, i16, i32, f16, bf16, f32; and float to u8, f16, bf16.
    void (*to_float[8])(float *out, const char *in, float a, float b, int64_t count);
    void (*from_float[3])(char *out, const float *in, int64_t count);
    // Bytes between two columns of pixels of 1, 3 or 4 interleaved channels that are neighbours: planes of 16
    // bits, `plane` apart. `places`: BYTES to the first; `weights`: the second's << 16 | the first's. All of
    // `count` is a multiple of 8. One or three channels read two bytes more. Row `next` comes into the cache
    // meanwhile. NULL: no such loop.
    void (*mix_columns[3])(int16_t *out, int64_t plane, const char *row, const char *next,
                           const int32_t *places, const int32_t *weights, int64_t count);
    // Bytes between two rows of those.
    void (*mix_rows)(char *out, const int16_t *above, const int16_t *below, int a, int b,
                     int64_t count);
    // Pillow's sums of columns of such pixels of 3 or 4 channels: two neighbours for each of `pairs`, from `places`
    // on. Of eight places and one pair: the low halves of eight pairs of weights, then the high ones.
    void (*filter_columns[2])(uint8_t *out, int64_t plane, const char *row, const int32_t *places,
                              const int32_t *weights, int64_t pairs, int64_t count);
    // And of rows: sums[i] += weights[k] * rows[k][i], and the byte of each at the end.
    void (*add_rows)(int32_t *sums, const char *const *rows, const int32_t *weights, int64_t taps,
                     int64_t count);
    void (*clip_sums)(char *out, const int32_t *sums, int64_t count);
} pixviewi_loops;

extern const pixviewi_loops pixviewi_loops_base;
extern const pixviewi_loops pixviewi_loops_avx2;
extern const pixviewi_loops pixviewi_loops_avx512;
extern const pixviewi_video_loops pixviewi_video_loops_base;
extern const pixviewi_video_loops pixviewi_video_loops_avx2;
extern const pixviewi_video_loops pixviewi_video_loops_avx512;

// Those that this processor and operating system run, the widest first; NULL at the end.
const pixviewi_loops *pixviewi_host_known_loops(int index);

// The widest.
const pixviewi_loops *pixviewi_host_loops(void);

// ---- Boxes ------------------------------------------------------------------------------------

// Up to four axes of one image or batch, in any order.
typedef struct pixviewi_box {
    char *dst;
    const char *src;
    int64_t shape[4]; // N,H,W,C
    int64_t dst_strides[4], src_strides[4];
    bool nontemporal; // stores may go past the cache
} pixviewi_box;

// Bits move. `swap`: channels 0 and 2 of axis 3 exchange.
void pixviewi_host_repack(const pixviewi_loops *loops, const pixviewi_box *box, int64_t itemsize,
                          bool swap);

// The same by a plan.
void pixviewi_host_repack_plan(const pixviewi_loops *loops, const pixviewi_copy_plan *plan,
                               bool nontemporal);

// Values change. a and b by the channel of the box.
void pixviewi_host_affine(const pixviewi_loops *loops, const pixviewi_box *box,
                          const pixviewi_copy_op *op);

// Bits move or values change, as the operation says.
void pixviewi_host_move(const pixviewi_loops *loops, const pixviewi_copy_op *op,
                        const pixviewi_box *box);

// The destination's part of a box gets the padding.
void pixviewi_host_pad(const pixviewi_loops *loops, const pixviewi_copy_op *op, pixviewi_box box);

// ---- Resizing (resize.c) ----------------------------------------------------------------------

// An operation that resizes.
void pixviewi_host_resize(const pixviewi_copy_op *op);

// ---- Video frames (video.c, video_write.c) ----------------------------------------------------

enum { PIXVIEWI_WINDOW = 2048, PIXVIEWI_WINDOW_ROOM = PIXVIEWI_WINDOW + 8 };

// A part of one row of a frame as planes of RGB: what an image's row would be in memory. A loop may read some
// bytes behind what is there.
typedef struct pixviewi_window {
    int64_t y, first, end; // of the columns that it holds; y = -1: none
    bool bytes;            // else floats
    char *rgb[3];          // column `first`
    _Alignas(64) char planes[3][PIXVIEWI_WINDOW_ROOM * 4];
    uint16_t yuv[3][PIXVIEWI_WINDOW_ROOM];
} pixviewi_window;

// Whether U and V take turns, and which of the two is first; else 0.
static inline int pixviewi_first_of_pairs(const pixviewi_samples *s)
{
    const pixviewi_component *u = &s->of[PIXVIEWI_U], *v = &s->of[PIXVIEWI_V];
    if (u->step != 2 * s->bytes || v->step != u->step || v->row_step != u->row_step)
        return 0;
    return v->data == u->data + s->bytes   ? PIXVIEWI_U
           : u->data == v->data + s->bytes ? PIXVIEWI_V
                                           : 0;
}

// Columns first .. end - 1 of row y, at most PIXVIEWI_WINDOW.
void pixviewi_host_load_window(const pixviewi_loops *loops, const pixviewi_video *video,
                               pixviewi_window *window, int64_t y, int64_t first, int64_t end);
// `count` columns, any: they become columns 0 .. count - 1 of the window.
void pixviewi_host_pick_window(const pixviewi_loops *loops, const pixviewi_video *video,
                               pixviewi_window *window, int64_t y, const int64_t *columns,
                               int64_t count);

// Columns x .. of the axis onto a box, whose src means nothing: pixels as they are, or the nearest.
typedef struct pixviewi_picked_axis {
    const pixviewi_axis *axis;
    double scale;
    int64_t begin; // on the canvas, of the box
} pixviewi_picked_axis;
void pixviewi_host_pick_frame(const pixviewi_loops *loops, const pixviewi_copy_op *op,
                              const pixviewi_video *video, const pixviewi_picked_axis *rows,
                              const pixviewi_picked_axis *columns, pixviewi_box box);

// An operation with targets.
void pixviewi_host_write_frames(const pixviewi_copy_op *op);

// ---- Threads (threads.c) ----------------------------------------------------------------------

// how many threads a copy of that many bytes, read and written, may use, this one included: one for
// every 3 MB, but no more than PIXVIEW_NUM_THREADS, else OMP_NUM_THREADS, else the cores that this
// process may use.
int pixviewi_host_threads(int64_t bytes);

// Calls work(context, i) for i = 0 .. pieces - 1, each once, on up to `threads` threads; returns when
// all are done. Also in the child of a fork.
void pixviewi_host_parallel(int threads, int64_t pieces, void (*work)(void *, int64_t),
                            void *context);

// ---- Hooks ------------------------------------------------------------------------------------

// What tests and benches set; 0: as usual.
extern struct pixviewi_host_hooks {
    const pixviewi_loops *_Atomic loops; // instead of the widest
    _Atomic int64_t cache;               // bytes
    atomic_int threads;
    _Atomic int64_t share; // bytes that are worth a thread
} pixviewi_host_hooks;

#endif
