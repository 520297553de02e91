// Copies between any two layouts, one element at a time: bits only, axes sorted and merged. The
// fallback of every faster one that moves bits between two batches.
//
// Grid:       flat in x, a 64-bit grid-stride loop; each block takes THREADS * UNROLL consecutive
//             elements of the destination, so that writes coalesce.
// Alignment:  both ends and all strides to the element size; 16 bytes come in an 8-aligned form.
// Traffic:    one read and one write of the element.
#include "device.h"

namespace
{

enum { COPY_UNROLL = 4 };

struct offsets {
    int64_t src, dst;
};

template <typename Index> DEVICE offsets locate(const pixviewi_copy_args &args, Index index)
{
    offsets at = {0, 0};
#pragma unroll
    for (int axis = 3; axis > 0; axis--) {
        Index next;
        if constexpr (sizeof(Index) == 4)
            next = pixviewi_divide(index, args.by[axis]);
        else
            next = index / args.shape[axis];
        int64_t here = index - next * (Index)args.shape[axis];
        at.src += here * args.src_strides[axis];
        at.dst += here * args.dst_strides[axis];
        index = next;
    }
    return {at.src + (int64_t)index * args.src_strides[0],
            at.dst + (int64_t)index * args.dst_strides[0]};
}

// The elements base + i * THREADS + thread.
template <typename T, typename Index>
DEVICE void copy_few(const pixviewi_copy_args &args, int64_t base, int thread)
{
    T element[COPY_UNROLL];
    int64_t to[COPY_UNROLL];
#pragma unroll
    for (int i = 0; i < COPY_UNROLL; i++) {
        int64_t index = base + i * PIXVIEWI_THREADS + thread;
        if (index < args.count) {
            offsets at = locate(args, (Index)index);
            element[i] = load<T>((const char *)args.src + at.src);
            to[i] = at.dst;
        }
    }
#pragma unroll
    for (int i = 0; i < COPY_UNROLL; i++)
        if (base + i * PIXVIEWI_THREADS + thread < args.count)
            store((char *)args.dst + to[i], element[i]);
}

template <typename T>
DEVICE void copy(const pixviewi_copy_args &args, int block, int blocks, int thread)
{
    const int64_t tile = PIXVIEWI_THREADS * COPY_UNROLL;
    for (int64_t base = block * tile; base < args.count; base += blocks * tile)
        if (args.narrow)
            copy_few<T, uint32_t>(args, base, thread);
        else
            copy_few<T, int64_t>(args, base, thread);
}

} // namespace
