// SPDX-License-Identifier: Apache-2.0
// The kernels by name: each is a template of a header here, which also says what it needs.
#include "copy.h"
#include "elements.h"
#include "gather.h"
#include "repack.h"
#include "resize.h"

#include "decode.h"
#include "encode.h"
#include "frames.h" // after the last

#include "columns.h" // after the last

#include "filter.h" // after the last

// `resident`: threads of a multiprocessor, which bounds the registers of each.
#define KERNEL(name, Args, resident)                                                              \
    extern "C" __global__ void __launch_bounds__(PIXVIEWI_THREADS, (resident) / PIXVIEWI_THREADS) \
        name(const __grid_constant__ Args args)

#define COPY(name, T) \
    KERNEL(name, pixviewi_copy_args, 1024) { copy<T>(args, blockIdx.x, gridDim.x, threadIdx.x); }
PIXVIEWI_COPY_KERNELS(COPY)

#define ROWS(name, T, steps) \
    KERNEL(name, pixviewi_copy_args, 1024) { copy_rows<T, steps>(args, blockIdx.x, threadIdx.x); }
PIXVIEWI_ROWS_KERNELS(ROWS)

#define REPACK(name, T, channels, split, Args) \
    KERNEL(name, Args, 1024) { move_tiles<repack<T, channels, split, Args>>(args); }
PIXVIEWI_REPACK_KERNELS(REPACK)

#define GATHER(name, planar, Args, ...) \
    KERNEL(name, Args, 768) { move_tiles<gather<__VA_ARGS__, planar, Args>>(args); }
PIXVIEWI_GATHER_KERNELS(GATHER)
PIXVIEWI_CONVERT_KERNELS(GATHER)

KERNEL(pixview_elements, pixviewi_list_args, 1024)
{
    int64_t step = (int64_t)gridDim.x * PIXVIEWI_THREADS;
    int64_t first = (int64_t)blockIdx.x * PIXVIEWI_THREADS + threadIdx.x;
    for (int64_t i = first; i < args.tile.tiles; i += step)
        move_element(args, i);
}

#define RESIZE(name, resident, ...) \
    KERNEL(name, pixviewi_resize_args, resident) { resize_tiles<__VA_ARGS__>(args); }
PIXVIEWI_RESIZE_KERNELS(RESIZE)

#define FILTER(name, Way) \
    KERNEL(name, pixviewi_filter_args, 512) { filter_tiles<Way>(args); }
PIXVIEWI_FILTER_KERNELS(FILTER)

#define ENCODE(name, T) \
    KERNEL(name, pixviewi_encode_args, 896) { encode_block<T>(args, blockIdx.x, threadIdx.x); }
PIXVIEWI_ENCODE_KERNELS(ENCODE)

#define DECODE(name, T)                                                      \
    KERNEL(name, pixviewi_decode_args, 1024)                                 \
    {                                                                        \
        decode_thread<T>(args, blockIdx.x * PIXVIEWI_THREADS + threadIdx.x); \
    }
PIXVIEWI_DECODE_KERNELS(DECODE)
