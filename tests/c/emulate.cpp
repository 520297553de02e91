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
        for (int lane = 0; lane < PIXVIEWI_THREADS; lane++)
            kernel.fill_taps(&scratch, lane);
        for (int lane = 0; lane < PIXVIEWI_THREADS; lane++)
            kernel.store_tile(&scratch, lane);
    }
}

#define RESIZE(name, Source, values, filtered)                                                     \
    void run_##name(const void *args, unsigned blocks)                                             \
    {                                                                                              \
        run_resize<resize<Source, values, filtered>>(*(const pixviewi_resize_args *)args, blocks); \
    }
PIXVIEWI_RESIZE_KERNELS(RESIZE)

struct entry {
    const char *name;
    void (*run)(const void *args, unsigned blocks);
};

#define ENTRY(name, ...) {#name, run_##name},
const entry entries[] = {PIXVIEWI_KERNELS(ENTRY)};

} // namespace

extern "C" int emulate_find(const char *name)
{
    for (int i = 0; i < (int)(sizeof entries / sizeof *entries); i++)
        if (strcmp(entries[i].name, name) == 0)
            return i;
    return -1;
}

extern "C" void emulate_run(int kernel, const void *args, unsigned blocks)
{
    entries[kernel].run(args, blocks);
}
