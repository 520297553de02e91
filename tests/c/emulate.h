// SPDX-License-Identifier: Apache-2.0
// CUDA as plain C++, as far as src/kernels/device.h needs it. Every access to global memory is
// looked at by the fake driver.
#ifndef EMULATE_H
#define EMULATE_H

#include <math.h>
#include <string.h>

#include "fake_driver.h"

#define DEVICE inline

struct alignas(8) uint2 {
    uint32_t x, y;
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};

namespace
{

template <typename T> inline T load(const char *from)
{
    T value;
    fake_touch(from, sizeof value, alignof(T));
    memcpy(&value, from, sizeof value);
    return value;
}

template <typename T> inline void store(char *to, T value)
{
    fake_touch(to, sizeof value, alignof(T));
    memcpy(to, &value, sizeof value);
}

template <typename T> inline void stream(char *to, T value) { store(to, value); }
inline void fetch_run(const char *, int) {} // loads nothing
inline void fetch(const char *at) { fake_touch(at, 1, 1); }

inline uint32_t permute(uint32_t low, uint32_t high, uint32_t select)
{
    uint64_t bytes = (uint64_t)high << 32 | low;
    uint32_t result = 0;
    for (int i = 0; i < 4; i++)
        result |= (uint32_t)(bytes >> 8 * (select >> 4 * i & 7) & 255) << 8 * i;
    return result;
}

inline float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}
inline uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
inline float multiply_add(float x, float a, float b) { return fmaf(x, a, b); }

// Rounded down; of numbers that a double holds exactly.
inline float multiply_add_down(float x, float a, float b)
{
    double exact = (double)x * a + b;
    float near = (float)exact;
    return (double)near > exact ? nextafterf(near, -INFINITY) : near;
}

inline int int_of_float(float value)
{
    return isnan(value)    ? 0
           : value > 1e9f  ? 1000000000
           : value < -1e9f ? -1000000000
                           : (int)lrintf(value);
}

inline uint32_t bytes_of_ints(int a, int b, int c, int d)
{
    int all[] = {a, b, c, d};
    uint32_t bytes = 0;
    for (int i = 0; i < 4; i++)
        bytes |= (uint32_t)(all[i] < 0 ? 0 : all[i] > 255 ? 255 : all[i]) << 8 * i;
    return bytes;
}

inline uint32_t add_products(uint32_t bytes, uint32_t others, uint32_t sum)
{
    for (int i = 0; i < 32; i += 8)
        sum += (bytes >> i & 255) * (others >> i & 255);
    return sum;
}
inline uint32_t add_signed_products(uint32_t bytes, uint32_t others, uint32_t sum)
{
    for (int i = 0; i < 32; i += 8)
        sum += (bytes >> i & 255) * (uint32_t)(int8_t)(others >> i);
    return sum;
}

inline float float_of_half(uint16_t half)
{
    float magnitude = (half & 0x3ff) * 0x1p-24f; // of a subnormal one
    int exponent = half >> 10 & 31;
    if (exponent == 31)
        magnitude = half & 0x3ff ? NAN : INFINITY;
    else if (exponent > 0)
        magnitude = ldexpf((float)((half & 0x3ff) | 0x400), exponent - 25);
    return half & 0x8000 ? -magnitude : magnitude;
}

inline uint16_t half_of_float(float value)
{
    uint16_t sign = bits_of_float(value) >> 16 & 0x8000u;
    int exponent;
    if (isnan(value))
        return sign | 0x7fff;
    if (isinf(value) || fabsf(value) >= 65520)
        return sign | 0x7c00;
    frexpf(value, &exponent); // fabsf(value) is in [2^(exponent - 1), 2^exponent)
    if (value == 0 || exponent < -13)
        exponent = -13;
    // In units of the last place, of which a carry may make one more; then it is the next exponent.
    long units = lrintf(ldexpf(fabsf(value), 11 - exponent));
    return sign | (uint16_t)(units + ((long)(exponent + 13) << 10));
}

inline uint16_t bfloat_of_float(float value)
{
    uint32_t bits = bits_of_float(value);
    if (isnan(value))
        return 0x7fff;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline uint32_t halves_of_floats(float low, float high)
{
    return half_of_float(low) | (uint32_t)half_of_float(high) << 16;
}
inline uint32_t bfloats_of_floats(float low, float high)
{
    return bfloat_of_float(low) | (uint32_t)bfloat_of_float(high) << 16;
}

inline uint32_t dot_pair(uint32_t weights, uint32_t bytes, bool high, uint32_t sum)
{
    bytes >>= high ? 16 : 0;
    return sum + (weights & 0xffff) * (bytes & 255) + (weights >> 16) * (bytes >> 8 & 255);
}

inline uint32_t shift_right(uint32_t low, uint32_t high, int shift)
{
    return (uint32_t)(((uint64_t)high << 32 | low) >> (shift & 31));
}

} // namespace

#endif
