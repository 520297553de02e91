// Elements out of aligned words of 8 bytes, which lie closer together or further apart afterwards:
// what a row of pixels and rows of planes are to each other. Sizes of 1 and 2 bytes.
#ifndef PIXVIEWI_WORDS_H
#define PIXVIEWI_WORDS_H

#include "device.h"

namespace
{

enum { WORD = 8 };

// OUT halves of words, from byte `shift` < WORD of IN ones on.
template <int OUT, int IN> DEVICE void shift_halves(const uint32_t *in, int shift, uint32_t *out)
{
    uint32_t even[OUT + 1];
#pragma unroll
    for (int i = 0; i <= OUT; i++) {
        uint32_t low = i < IN ? in[i] : 0, high = i + 1 < IN ? in[i + 1] : 0;
        even[i] = shift & 4 ? high : low;
    }
#pragma unroll
    for (int i = 0; i < OUT; i++)
        out[i] = shift_right(even[i], even[i + 1], 8 * (shift & 3));
}

// Byte `low` of one and byte `high` of another, in the lower half.
DEVICE uint32_t pair(const uint32_t *a, int low, const uint32_t *b, int high)
{
    return permute(a[low / 4], b[high / 4], (uint32_t)(low % 4 | (4 + high % 4) << 4));
}

// The same of elements of 2 bytes, whole.
DEVICE uint32_t pair_of_2(const uint32_t *a, int low, const uint32_t *b, int high)
{
    return permute(a[low / 2], b[high / 2],
                   low % 2    ? high % 2 ? 0x7632 : 0x5432
                   : high % 2 ? 0x7610
                              : 0x5410);
}

// Every STEP-th of the elements.
template <int SIZE, int STEP, int HALVES> DEVICE void pick(const uint32_t *in, uint32_t *out)
{
#pragma unroll
    for (int i = 0; i < HALVES; i++) {
        if constexpr (SIZE == 1) {
            int at = 4 * i * STEP;
            out[i] = permute(pair(in, at, in, at + STEP),
                             pair(in, at + 2 * STEP, in, at + 3 * STEP), 0x5410);
        } else {
            out[i] = pair_of_2(in, 2 * i * STEP, in, (2 * i + 1) * STEP);
        }
    }
}

// The elements of STREAMS in turn.
template <int SIZE, int STREAMS, int HALVES, int IN>
DEVICE void interleave(const uint32_t (*in)[IN], uint32_t *out)
{
#pragma unroll
    for (int i = 0; i < HALVES; i++) {
        const int a = 4 / SIZE * i, b = a + 1, c = a + 2, d = a + 3; // elements
        if constexpr (SIZE == 1)
            out[i] =
                permute(pair(in[a % STREAMS], a / STREAMS, in[b % STREAMS], b / STREAMS),
                        pair(in[c % STREAMS], c / STREAMS, in[d % STREAMS], d / STREAMS), 0x5410);
        else
            out[i] = pair_of_2(in[a % STREAMS], a / STREAMS, in[b % STREAMS], b / STREAMS);
    }
}

} // namespace

#endif
