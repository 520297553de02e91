// What a copy kernel gets as its one parameter: shared by the kernel (C++), the launcher (C), and
// the tests' driver.
#ifndef PIXVIEWI_COPY_ARGS_H
#define PIXVIEWI_COPY_ARGS_H

#include <stdint.h>

#ifdef __CUDACC__
#define PIXVIEWI_DEVICE __host__ __device__ static inline
#else
#define PIXVIEWI_DEVICE static inline
#endif

typedef struct pixviewi_copy_args {
    const void *src;
    void *dst;
    int64_t shape[4];
    int64_t src_strides[4]; // BYTES
    int64_t dst_strides[4];
    int64_t count;
    uint32_t magic[4]; // for pixviewi_divide by shape[i]; only if count < 2^31
    uint32_t shift[4];
    uint32_t narrow; // count < 2^31: 32-bit index arithmetic
} pixviewi_copy_args;

// Division of n < 2^31 by d without dividing: magic = ceil(2^(32 + shift) / d), and
// shift = ceil(log2(d)) - 1. The error of magic, below 1, times n stays below 2^(32 + shift) / d.
// d = 1 has magic 0.
PIXVIEWI_DEVICE uint32_t pixviewi_divide(uint32_t n, uint32_t magic, uint32_t shift)
{
    return magic ? (uint32_t)(((uint64_t)n * magic) >> 32) >> shift : n;
}

static inline void pixviewi_divide_prepare(uint32_t d, uint32_t *magic, uint32_t *shift)
{
    *magic = *shift = 0;
    if (d == 1)
        return;
    uint32_t bits = 0;
    while (bits < 31 && (1u << bits) < d)
        bits++;
    *shift = bits - 1;
    *magic = (uint32_t)((((uint64_t)1 << (31 + bits)) + d - 1) / d);
}

#endif
