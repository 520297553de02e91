// SPDX-License-Identifier: Apache-2.0
// The kernels' own code on the CPU: what the fake driver launches.
//
// The lanes of a tile take turns, first all with the way into shared memory, then all with the way
// out of it. That finds wrong indices, addresses, alignments and arguments; a missing barrier or a
// bank conflict it cannot find.
#include "emulate.h"

#include "kernels/copy.h"
#include "kernels/elements.h"
#include "kernels/gather.h"
#include "kernels/repack.h"
#include "kernels/resize.h"

#include "kernels/decode.h"
#include "kernels/encode.h"
#include "kernels/frames.h"

#include "kernels/columns.h" // after the last

#include "kernels/filter.h" // after the last

namespace
{

template <typename Kernel, typename Args> void run_tiles(const Args &args, unsigned blocks)
{
    int64_t tiles = tile_of(args).tiles;
    int lanes = lanes_of(tile_of(args));
    for (int64_t tile = 0; tile < tiles && tile < (int64_t)blocks * (PIXVIEWI_THREADS / lanes);
         tile++) {
        typename Kernel::scratch scratch[PIXVIEWI_WARPS];
        memset((void *)scratch, 0xa5, sizeof scratch);
        Kernel kernel(args, tile);
        for (int lane = 0; lane < lanes; lane++)
            kernel.load_tile(scratch, lane);
        for (int lane = 0; lane < lanes; lane++)
            kernel.store_tile(scratch, lane);
    }
}

#define COPY(name, T)                                                                \
    void run_##name(const void *args, unsigned blocks)                               \
    {                                                                                \
        for (unsigned i = 0; i < blocks * PIXVIEWI_THREADS; i++)                     \
            copy<T>(*(const pixviewi_copy_args *)args, i / PIXVIEWI_THREADS, blocks, \
                    i % PIXVIEWI_THREADS);                                           \
    }
PIXVIEWI_COPY_KERNELS(COPY)

#define ROWS(name, T, steps)                                                                    \
    void run_##name(const void *args, unsigned blocks)                                          \
    {                                                                                           \
        for (unsigned i = 0; i < blocks * PIXVIEWI_THREADS; i++)                                \
            copy_rows<T, steps>(*(const pixviewi_copy_args *)args, (int)(i / PIXVIEWI_THREADS), \
                                (int)(i % PIXVIEWI_THREADS));                                   \
    }
PIXVIEWI_ROWS_KERNELS(ROWS)

#define REPACK(name, T, channels, split, Args)                                    \
    void run_##name(const void *args, unsigned blocks)                            \
    {                                                                             \
        run_tiles<repack<T, channels, split, Args>>(*(const Args *)args, blocks); \
    }
PIXVIEWI_REPACK_KERNELS(REPACK)

#define GATHER(name, planar, Args, ...)                                            \
    void run_##name(const void *args, unsigned blocks)                             \
    {                                                                              \
        run_tiles<gather<__VA_ARGS__, planar, Args>>(*(const Args *)args, blocks); \
    }
PIXVIEWI_GATHER_KERNELS(GATHER)
PIXVIEWI_CONVERT_KERNELS(GATHER)

void run_pixview_elements(const void *args, unsigned)
{
    const pixviewi_list_args &all = *(const pixviewi_list_args *)args;
    for (int64_t i = 0; i < all.tile.tiles; i++)
        move_element(all, i);
}

// Three steps instead of two.
template <typename Kernel> void run_resize(const pixviewi_resize_args &args, unsigned blocks)
{
    for (unsigned tile = 0; tile < blocks; tile++) {
        typename Kernel::scratch scratch;
        memset((void *)&scratch, 0xa5, sizeof scratch);
        Kernel kernel(args, tile);
        for (int lane = 0; lane < PIXVIEWI_THREADS; lane++)
            kernel.place_image(&scratch, lane);
        if (kernel.is_filled(&scratch)) {
            for (int lane = 0; lane < PIXVIEWI_THREADS; lane++)
                kernel.fill_tile(lane);
            continue;
        }
        for (int lane = 0; lane < PIXVIEWI_THREADS; lane++)
            kernel.fill_taps(&scratch, lane);
        for (int lane = 0; lane < PIXVIEWI_THREADS; lane++)
            kernel.store_tile(&scratch, lane);
    }
}

#define RESIZE(name, resident, ...)                                           \
    void run_##name(const void *args, unsigned blocks)                        \
    {                                                                         \
        run_resize<__VA_ARGS__>(*(const pixviewi_resize_args *)args, blocks); \
    }
PIXVIEWI_RESIZE_KERNELS(RESIZE)

// What a block does, in the order in which its threads wait for each other.
template <typename Kernel>
void filter_tile(const pixviewi_filter_args &args, const filtered_image &image, uint32_t tile,
                 int channel)
{
    typename Kernel::scratch scratch;
    typename Kernel::sums sums[PIXVIEWI_THREADS];
    typename Kernel::line_sums across[PIXVIEWI_LANES];
    memset((void *)&scratch, 0xa5, sizeof scratch);
    const Kernel kernel(args, image, tile, channel);
    for (auto &each : sums)
        Kernel::clear(each);
    for (int32_t begin = kernel.lines.begin; begin < kernel.lines.end; begin += kernel.chunk) {
        int32_t end = Kernel::least(begin + kernel.chunk, kernel.lines.end);
        for (int32_t line = begin; line < end; line += Kernel::LINES) {
            int warp = (line - begin) / Kernel::LINES % PIXVIEWI_WARPS;
            for (auto &each : across)
                Kernel::clear(each);
            for (int32_t at = kernel.pixels.begin; at < kernel.pixels.end; at += Kernel::SPAN) {
                for (int lane = 0; lane < PIXVIEWI_LANES; lane++)
                    kernel.copy_span(&scratch, warp, lane, line, end, at);
                for (int lane = 0; lane < PIXVIEWI_LANES; lane++)
                    kernel.add_span(&scratch, warp, kernel.column_of(lane), at, across[lane]);
            }
            for (int lane = 0; lane < PIXVIEWI_LANES; lane++)
                Kernel::keep_lines(&scratch, lane, line - begin, across[lane]);
        }
        for (int thread = 0; thread < PIXVIEWI_THREADS; thread++)
            kernel.add_lines(&scratch, thread, begin, end, sums[thread]);
    }
    for (int thread = 0; thread < PIXVIEWI_THREADS; thread++)
        kernel.store_tile(thread, sums[thread]);
}

template <typename Way> void filter_block(const pixviewi_filter_args &args, uint32_t block)
{
    uint32_t n = block / (uint32_t)args.tiles, tile = block % (uint32_t)args.tiles;
    const filtered_image image(args, n);
    if (tile >= (uint32_t)args.canvases[image.kind.turned].tiles)
        return;
    if (args.channels == 3)
        return filter_tile<filter<Way, 3>>(args, image, tile, 0);
    if (args.channels == 4)
        return filter_tile<filter<Way, 4>>(args, image, tile, 0);
    for (int c = 0; c < args.channels; c++)
        filter_tile<filter<Way, 1>>(args, image, tile, c);
}

#define FILTER(name, Way)                                              \
    void run_##name(const void *args, unsigned blocks)                 \
    {                                                                  \
        for (unsigned i = 0; i < blocks; i++)                          \
            filter_block<Way>(*(const pixviewi_filter_args *)args, i); \
    }
PIXVIEWI_FILTER_KERNELS(FILTER)

#define ENCODE(name, T)                                                                \
    void run_##name(const void *args, unsigned blocks)                                 \
    {                                                                                  \
        for (unsigned i = 0; i < blocks * PIXVIEWI_THREADS; i++)                       \
            encode_block<T>(*(const pixviewi_encode_args *)args, i / PIXVIEWI_THREADS, \
                            (int)(i % PIXVIEWI_THREADS));                              \
    }
PIXVIEWI_ENCODE_KERNELS(ENCODE)

#define DECODE(name, T)                                               \
    void run_##name(const void *args, unsigned blocks)                \
    {                                                                 \
        for (unsigned i = 0; i < blocks * PIXVIEWI_THREADS; i++)      \
            decode_thread<T>(*(const pixviewi_decode_args *)args, i); \
    }
PIXVIEWI_DECODE_KERNELS(DECODE)

struct entry {
    const char *name;
    void (*run)(const void *args, unsigned blocks);
    size_t args_size;
};

#define COPY_ENTRY(name, ...)                     {#name, run_##name, sizeof(pixviewi_copy_args)},
#define REPACK_ENTRY(name, T, count, split, Args) {#name, run_##name, sizeof(Args)},
#define GATHER_ENTRY(name, planar, Args, ...)     {#name, run_##name, sizeof(Args)},
#define LIST_ENTRY(name, ...)                     {#name, run_##name, sizeof(pixviewi_list_args)},
#define RESIZE_ENTRY(name, ...)                   {#name, run_##name, sizeof(pixviewi_resize_args)},
#define ENCODE_ENTRY(name, ...)                   {#name, run_##name, sizeof(pixviewi_encode_args)},
#define DECODE_ENTRY(name, ...)                   {#name, run_##name, sizeof(pixviewi_decode_args)},
#define FILTER_ENTRY(name, ...)                   {#name, run_##name, sizeof(pixviewi_filter_args)},
const entry entries[] = {
    PIXVIEWI_COPY_KERNELS(COPY_ENTRY) PIXVIEWI_ROWS_KERNELS(COPY_ENTRY)
        PIXVIEWI_REPACK_KERNELS(REPACK_ENTRY) PIXVIEWI_GATHER_KERNELS(GATHER_ENTRY)
            PIXVIEWI_CONVERT_KERNELS(GATHER_ENTRY) LIST_ENTRY(pixview_elements, )
                PIXVIEWI_RESIZE_KERNELS(RESIZE_ENTRY) PIXVIEWI_FILTER_KERNELS(FILTER_ENTRY)
                    PIXVIEWI_ENCODE_KERNELS(ENCODE_ENTRY) PIXVIEWI_DECODE_KERNELS(DECODE_ENTRY)};

} // namespace

extern "C" int emulate_find(const char *name)
{
    for (int i = 0; i < (int)(sizeof entries / sizeof *entries); i++)
        if (strcmp(entries[i].name, name) == 0)
            return i;
    return -1;
}

extern "C" size_t emulate_args_size(int kernel) { return entries[kernel].args_size; }

extern "C" void emulate_run(int kernel, const void *args, unsigned blocks)
{
    entries[kernel].run(args, blocks);
}
