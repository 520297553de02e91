// SPDX-License-Identifier: Apache-2.0
// Y, U and V as R, G and B: the same sums as of pixviewi_colour_sums, the cheapest way.
#ifndef PIXVIEWI_COLOUR_H
#define PIXVIEWI_COLOUR_H

#include "device.h"
#include "video.h"

namespace
{

// What U and V give to the sums, then Y.
DEVICE void begin_sums(const pixviewi_matrix &by, int32_t u, int32_t v, int32_t *sums)
{
#pragma unroll
    for (int c = 0; c < 3; c++)
        sums[c] = u * by.of[c][1] + (v * by.of[c][2] + by.more[c]);
}
DEVICE void end_sums(const pixviewi_matrix &by, int32_t y, const int32_t *begun, int32_t *sums)
{
    y = y > by.least ? y : by.least;
#pragma unroll
    for (int c = 0; c < 3; c++)
        sums[c] = y * by.of[c][0] + begun[c];
}

// Of sums that have the half that rounds.
DEVICE uint32_t bytes_of_sums(int32_t a, int32_t b, int32_t c, int32_t d)
{
    constexpr int BITS = PIXVIEWI_COLOUR_BITS;
    return bytes_of_ints(a >> BITS, b >> BITS, c >> BITS, d >> BITS);
}
// Bits of a float between 2^23 and 2^24, less that: cheaper than a conversion.
DEVICE float float_of_rounded(int32_t sum)
{
    constexpr int32_t MOST = (256 << PIXVIEWI_COLOUR_BITS) - 1;
    const int32_t clipped = sum < 0 ? 0 : sum > MOST ? MOST : sum;
    return float_of_bits((uint32_t)(clipped >> PIXVIEWI_COLOUR_BITS) + 0x4b000000) - 0x800000;
}

} // namespace

#endif
