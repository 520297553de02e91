// SPDX-License-Identifier: Apache-2.0
// float16 and bfloat16 to and from float, to nearest even on every compiler. Without a branch, so that
// loops over them become vectors.
#ifndef PIXVIEWI_HALF_H
#define PIXVIEWI_HALF_H

#include <stdint.h>
#include <string.h>

static inline float pixviewi_float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t pixviewi_float_to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float pixviewi_f16_to_float(uint16_t half)
{
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13, exponent = bits & 0x0f800000;
    bits += 112u << 23;
    bits += exponent == 0x0f800000 ? 112u << 23 : 0; // infinite, NaN
    // Subnormal: a 1 in front of the mantissa, taken off again.
    float small = pixviewi_float_from_bits(bits + (1u << 23)) - 0x1p-14f;
    bits = exponent == 0 ? pixviewi_float_to_bits(small) : bits;
    return pixviewi_float_from_bits(bits | (uint32_t)(half & 0x8000) << 16);
}

static inline uint16_t pixviewi_f16_from_float(float value)
{
    uint32_t bits = pixviewi_float_to_bits(value), sign = bits >> 16 & 0x8000,
             magnitude = bits & 0x7fffffff;
    // What rounds up to 65536 carries into infinity.
    uint32_t normal = (magnitude - (112u << 23) + 0xfff + (magnitude >> 13 & 1)) >> 13;
    // Below 2^-14 the sum with 0.5 has 2^-24 as its last bit: the processor rounds.
    uint32_t small = pixviewi_float_to_bits(pixviewi_float_from_bits(magnitude) + 0.5f) -
                     pixviewi_float_to_bits(0.5f);
    uint32_t large = magnitude > 0x7f800000 ? 0x7e00 : 0x7c00;
    uint32_t half = magnitude < 0x38800000 ? small : normal;
    return (uint16_t)(sign | (magnitude >= 0x47800000 ? large : half));
}

static inline float pixviewi_bf16_to_float(uint16_t half)
{
    return pixviewi_float_from_bits((uint32_t)half << 16);
}

static inline uint16_t pixviewi_bf16_from_float(float value)
{
    uint32_t bits = pixviewi_float_to_bits(value), rounded = bits + 0x7fff + (bits >> 16 & 1);
    return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : rounded >> 16);
}

#endif
