// float16 and bfloat16 to and from float, by exact integer code: to nearest even on every compiler.
#ifndef PIXVIEWI_HALF_H
#define PIXVIEWI_HALF_H

#include <math.h>
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
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31,
             mantissa = half & 0x3ff;
    if (exponent == 31)
        return pixviewi_float_from_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent == 0) // subnormal: a multiple of 2^-24
        return copysignf((float)mantissa * 0x1p-24f, pixviewi_float_from_bits(sign));
    return pixviewi_float_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
}

// `bits` without its lowest `drop` bits, to nearest even. A carry into the exponent is right.
static inline uint32_t pixviewi_drop_to_even(uint32_t bits, int drop)
{
    uint32_t kept = bits >> drop, rest = bits & ((1u << drop) - 1), half = 1u << (drop - 1);
    return kept + (rest > half || (rest == half && (kept & 1)));
}

static inline uint16_t pixviewi_f16_from_float(float value)
{
    uint32_t bits = pixviewi_float_to_bits(value), sign = bits >> 16 & 0x8000,
             magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x47800000) // 65536 and more; what rounds up to it carries into infinity below
        return (uint16_t)(sign | 0x7c00);
    if (magnitude >= 0x38800000) // 2^-14: normal
        return (uint16_t)(sign | pixviewi_drop_to_even(magnitude - (112u << 23), 13));
    // A multiple of 2^-24: scaling by a power of two is exact, and lrintf rounds to nearest even.
    return (uint16_t)(sign | (uint32_t)lrintf(fabsf(value) * 0x1p24f));
}

static inline float pixviewi_bf16_to_float(uint16_t half)
{
    return pixviewi_float_from_bits((uint32_t)half << 16);
}

static inline uint16_t pixviewi_bf16_from_float(float value)
{
    uint32_t bits = pixviewi_float_to_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)pixviewi_drop_to_even(bits, 16);
}

#endif
