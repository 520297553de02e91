// Copies between any two layouts, one element at a time: the general kernel, and the fallback of
// every faster one.
//
// Grid:       flat in x, THREADS threads a block, a 64-bit grid-stride loop; each block takes
//             THREADS * UNROLL consecutive elements of the destination, so that writes coalesce.
// Alignment:  both ends and all strides to the element size; 16 bytes come in an 8-aligned form.
// Traffic:    one read and one write of the element.
#include "copy_args.h"

namespace
{

constexpr int THREADS = 256; // launch.c launches as many
constexpr int UNROLL = 4;

struct pair_of_8 {
    uint64_t low, high;
};

struct offsets {
    int64_t src, dst;
};

__device__ __forceinline__ offsets locate(const pixviewi_copy_args &args, uint32_t index)
{
    offsets at = {0, 0};
#pragma unroll
    for (int axis = 3; axis > 0; axis--) {
        uint32_t next = pixviewi_divide(index, args.magic[axis], args.shift[axis]);
        int64_t here = index - next * (uint32_t)args.shape[axis];
        at.src += here * args.src_strides[axis];
        at.dst += here * args.dst_strides[axis];
        index = next;
    }
    return {at.src + (int64_t)index * args.src_strides[0],
            at.dst + (int64_t)index * args.dst_strides[0]};
}

__device__ __forceinline__ offsets locate(const pixviewi_copy_args &args, int64_t index)
{
    offsets at = {0, 0};
#pragma unroll
    for (int axis = 3; axis > 0; axis--) {
        int64_t next = index / args.shape[axis];
        int64_t here = index - next * args.shape[axis];
        at.src += here * args.src_strides[axis];
        at.dst += here * args.dst_strides[axis];
        index = next;
    }
    return {at.src + index * args.src_strides[0], at.dst + index * args.dst_strides[0]};
}

template <typename T, typename Index>
__device__ __forceinline__ void copy(const pixviewi_copy_args &args)
{
    const int64_t tile = THREADS * UNROLL;
    for (int64_t base = blockIdx.x * tile; base < args.count; base += gridDim.x * tile) {
        T element[UNROLL];
        int64_t to[UNROLL];
#pragma unroll
        for (int i = 0; i < UNROLL; i++) {
            int64_t index = base + i * THREADS + threadIdx.x;
            if (index < args.count) {
                offsets at = locate(args, (Index)index);
                element[i] = *(const T *)((const char *)args.src + at.src);
                to[i] = at.dst;
            }
        }
#pragma unroll
        for (int i = 0; i < UNROLL; i++)
            if (base + i * THREADS + threadIdx.x < args.count)
                *(T *)((char *)args.dst + to[i]) = element[i];
    }
}

template <typename T> __device__ __forceinline__ void copy(const pixviewi_copy_args &args)
{
    if (args.narrow)
        copy<T, uint32_t>(args);
    else
        copy<T, int64_t>(args);
}

} // namespace

#define KERNEL(name, T)                                       \
    extern "C" __global__ void __launch_bounds__(THREADS)     \
        name(const __grid_constant__ pixviewi_copy_args args) \
    {                                                         \
        copy<T>(args);                                        \
    }

KERNEL(pixview_copy_1, uint8_t)
KERNEL(pixview_copy_2, uint16_t)
KERNEL(pixview_copy_4, uint32_t)
KERNEL(pixview_copy_8, uint64_t)
KERNEL(pixview_copy_16, uint4)
KERNEL(pixview_copy_16_by_8, pair_of_8)
