// SPDX-License-Identifier: Apache-2.0
// What the kernels need of CUDA. As plain C++ the same kernels run on the CPU, lane by lane, in the
// tests' driver, which has every access looked at.
#ifndef PIXVIEWI_DEVICE_H
#define PIXVIEWI_DEVICE_H

#include "args.h"

// 16 bytes that are only aligned to 8.
struct pair_of_8 {
    uint64_t low, high;
};

#ifdef __CUDACC__

#define DEVICE __device__ __forceinline__

namespace
{

// Never through the non-coherent path, since source and destination may share memory in ways that
// cannot be told beforehand.
template <typename T> DEVICE T load(const char *from)
{
    __builtin_assume(__isGlobal(from)); // nobody could tell, of an address from shared memory
    return *(const T *)from;
}
template <typename T> DEVICE void store(char *to, T value) { *(T *)to = value; }

// Streamed past the cache, which helps where more is written than read.
template <typename T> DEVICE void stream(char *to, T value) { __stcs((T *)to, value); }

// A run of BYTES into the cache, and what shares 16 bytes with its ends; where one instruction does it.
DEVICE void fetch_run(const char *from, int bytes)
{
#if __CUDA_ARCH__ >= 900
    const uint64_t at = (uint64_t)from & ~(uint64_t)15;
    const uint32_t size = ((uint32_t)((uint64_t)from - at) + bytes + 15) & ~15u;
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(at), "r"(size));
#endif
}

// Into the cache.
DEVICE void fetch(const char *at) { asm volatile("prefetch.global.L2 [%0];" ::"l"(at)); }

// Byte i of the result is byte (select >> 4 * i & 7) of the eight that low and high make.
DEVICE uint32_t permute(uint32_t low, uint32_t high, uint32_t select)
{
    return __byte_perm(low, high, select);
}

DEVICE float float_of_bits(uint32_t bits) { return __uint_as_float(bits); }
DEVICE uint32_t bits_of_float(float value) { return __float_as_uint(value); }
DEVICE float multiply_add(float x, float a, float b) { return __fmaf_rn(x, a, b); }
DEVICE float multiply_add_down(float x, float a, float b) { return __fmaf_rd(x, a, b); }

DEVICE float float_of_half(uint16_t half)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
    return value;
}

DEVICE uint16_t half_of_float(float value)
{
    uint16_t half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
}

DEVICE uint16_t bfloat_of_float(float value)
{
#if __CUDA_ARCH__ >= 800
    uint16_t half;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
#else
    uint32_t bits = bits_of_float(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
#endif
}

// Four of the eight bytes that low and high make, from bit `shift` < 32 on.
DEVICE uint32_t shift_right(uint32_t low, uint32_t high, int shift)
{
    return __funnelshift_r(low, high, shift);
}

// sum + two bytes, of the low or the high half, times the halves of `weights`.
DEVICE uint32_t dot_pair(uint32_t weights, uint32_t bytes, bool high, uint32_t sum)
{
    return high ? __dp2a_hi(weights, bytes, sum) : __dp2a_lo(weights, bytes, sum);
}

// NaN becomes 0, what does not fit an int its nearest end.
DEVICE int int_of_float(float value) { return __float2int_rn(value); }

// What does not fit a byte becomes its nearest end.
DEVICE uint32_t bytes_of_ints(int a, int b, int c, int d)
{
    uint32_t high, all;
    asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, 0;" : "=r"(high) : "r"(d), "r"(c));
    asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, %3;" : "=r"(all) : "r"(b), "r"(a), "r"(high));
    return all;
}

// sum + the products of four bytes with four others, which have no sign, or have one.
DEVICE uint32_t add_products(uint32_t bytes, uint32_t others, uint32_t sum)
{
    uint32_t out;
    asm("dp4a.u32.u32 %0, %1, %2, %3;" : "=r"(out) : "r"(bytes), "r"(others), "r"(sum));
    return out;
}
DEVICE uint32_t add_signed_products(uint32_t bytes, uint32_t others, uint32_t sum)
{
    uint32_t out;
    asm("dp4a.u32.s32 %0, %1, %2, %3;" : "=r"(out) : "r"(bytes), "r"(others), "r"(sum));
    return out;
}

DEVICE uint32_t halves_of_floats(float low, float high)
{
#if __CUDA_ARCH__ >= 800
    uint32_t both;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
#else
    return half_of_float(low) | (uint32_t)half_of_float(high) << 16;
#endif
}

DEVICE uint32_t bfloats_of_floats(float low, float high)
{
#if __CUDA_ARCH__ >= 800
    uint32_t both;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(high), "f"(low));
    return both;
#else
    return bfloat_of_float(low) | (uint32_t)bfloat_of_float(high) << 16;
#endif
}

} // namespace

#else

#include "emulate.h" // of the tests' driver

#endif

namespace
{

DEVICE uint8_t byte_of_float(float value)
{
    int whole = int_of_float(value);
    return (uint8_t)(whole < 0 ? 0 : whole > 255 ? 255 : whole);
}

enum { CODE_INT = 0, CODE_UINT = 1, CODE_FLOAT = 2, CODE_BFLOAT = 4 }; // as in pixview_dtype

// Bits of a float between 2^23 and 2^24, less that much: cheaper than a conversion.
template <typename T> DEVICE float float_of_int(T bits, int code)
{
    const uint32_t base = 0x800000, sign = code == CODE_INT ? 1u << (8 * sizeof(T) - 1) : 0;
    return float_of_bits(bits ^ (0x4b000000 ^ sign)) - (float)(base + sign);
}
DEVICE float float_of_int(uint32_t bits, int) { return (float)(int32_t)bits; }

DEVICE float float_of(uint8_t bits, int code) { return float_of_int(bits, code); }

DEVICE float float_of(uint16_t bits, int code)
{
    if (code == CODE_FLOAT)
        return float_of_half(bits);
    if (code == CODE_BFLOAT)
        return float_of_bits((uint32_t)bits << 16);
    return float_of_int(bits, code);
}

DEVICE float float_of(uint32_t bits, int code)
{
    return code == CODE_FLOAT ? float_of_bits(bits) : float_of_int(bits, code);
}

// The code is asked for once, not for each element.
template <int COUNT, typename T> DEVICE void to_floats(const T *bits, int code, float *values)
{
    if (sizeof(T) > 1 && code == CODE_FLOAT)
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            values[j] = float_of(bits[j], CODE_FLOAT);
    else if (sizeof(T) == 2 && code == CODE_BFLOAT)
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            values[j] = float_of(bits[j], CODE_BFLOAT);
    else
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            values[j] = float_of_int(bits[j], code);
}

// The types that values become, one by one and in words.
struct to_byte {
    using type = uint8_t;
    DEVICE static type bits(float value) { return byte_of_float(value); }
    DEVICE static uint32_t word(const float *v)
    {
        return bytes_of_ints(int_of_float(v[0]), int_of_float(v[1]), int_of_float(v[2]),
                             int_of_float(v[3]));
    }
};
struct to_short {
    using type = uint16_t;
    DEVICE static type bits(float value)
    {
        int whole = int_of_float(value);
        return (uint16_t)(whole < 0 ? 0 : whole > 0xffff ? 0xffff : whole);
    }
    DEVICE static uint32_t word(const float *v) { return bits(v[0]) | (uint32_t)bits(v[1]) << 16; }
};
struct to_half {
    using type = uint16_t;
    DEVICE static type bits(float value) { return half_of_float(value); }
    DEVICE static uint32_t word(const float *v) { return halves_of_floats(v[0], v[1]); }
};
struct to_bfloat {
    using type = uint16_t;
    DEVICE static type bits(float value) { return bfloat_of_float(value); }
    DEVICE static uint32_t word(const float *v) { return bfloats_of_floats(v[0], v[1]); }
};
struct to_float {
    using type = uint32_t;
    DEVICE static type bits(float value) { return bits_of_float(value); }
    DEVICE static uint32_t word(const float *v) { return bits_of_float(v[0]); }
};

// ---- Words --------------------------------------------------------------------------------------

DEVICE uint32_t join(const uint8_t *bits)
{
    return permute(permute(bits[0], bits[1], 0x40), permute(bits[2], bits[3], 0x40), 0x5410);
}
DEVICE uint32_t join(const uint16_t *bits) { return permute(bits[0], bits[1], 0x5410); }
DEVICE uint32_t join(const uint32_t *bits) { return *bits; }

// COUNT elements as words.
template <int COUNT, typename T> DEVICE void pack(const T *bits, uint32_t *words)
{
    if constexpr (sizeof(T) == 8)
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            words[2 * j] = (uint32_t)bits[j], words[2 * j + 1] = (uint32_t)(bits[j] >> 32);
    else
#pragma unroll
        for (int i = 0; i < COUNT * (int)sizeof(T) / 4; i++)
            words[i] = join(bits + 4 / sizeof(T) * i);
}

template <int BYTES> DEVICE void stream_words(char *out, const uint32_t *words)
{
    if constexpr (BYTES == 8)
        stream(out, uint2{words[0], words[1]});
    else
        stream(out, uint4{words[0], words[1], words[2], words[3]});
}

// ---- Images -------------------------------------------------------------------------------------

struct image {
    char *data;
    pixviewi_pixels pixels;
};

DEVICE image source(const pixviewi_tile_args &args, int64_t n)
{
    return {args.src + n * args.src_image, args.from};
}
DEVICE image target(const pixviewi_tile_args &args, int64_t n)
{
    return {args.dst + n * args.dst_image, args.to};
}

DEVICE image listed(const pixviewi_list_args &args, int64_t n)
{
    const pixviewi_pixels *kinds = (const pixviewi_pixels *)args.table;
    const uint64_t *data = (const uint64_t *)(kinds + args.kinds);
    const uint8_t *kind = (const uint8_t *)(data + args.images);
    return {(char *)(uintptr_t)data[n], kinds[kind[n]]};
}
DEVICE image source(const pixviewi_list_args &args, int64_t n)
{
    return args.list == PIXVIEWI_SRC_LIST ? listed(args, n) : source(args.tile, n);
}
DEVICE image target(const pixviewi_list_args &args, int64_t n)
{
    return args.list == PIXVIEWI_DST_LIST ? listed(args, n) : target(args.tile, n);
}

DEVICE const pixviewi_tile_args &tile_of(const pixviewi_tile_args &args) { return args; }
DEVICE const pixviewi_tile_args &tile_of(const pixviewi_list_args &args) { return args.tile; }

// Which channel of the source goes to channel c, and the reverse.
DEVICE int partner(const pixviewi_tile_args &args, int c)
{
    return args.swap && c <= 2 ? 2 - c : c;
}

struct place {
    int64_t n, row, column;
};

DEVICE place locate(const pixviewi_tile_args &args, int64_t tile)
{
    uint32_t line = pixviewi_divide((uint32_t)tile, args.by_row_tiles);
    uint32_t n = pixviewi_divide(line, args.by_rows);
    uint32_t in_row = (uint32_t)tile - line * (uint32_t)args.row_tiles;
    return {n, line - n * (uint32_t)args.rows, (int64_t)in_row * args.tile};
}

// How many lanes move a tile together.
DEVICE int lanes_of(const pixviewi_tile_args &args)
{
    return args.wide ? PIXVIEWI_THREADS : PIXVIEWI_LANES;
}

// Runs the two halves of a tile's way, which meet in shared memory.
#ifdef __CUDACC__
template <typename Kernel, typename Args> DEVICE void move_tiles(const Args &args)
{
    __shared__ typename Kernel::scratch scratch[PIXVIEWI_WARPS];
    int lanes = lanes_of(tile_of(args)), lane = threadIdx.x % lanes;
    int64_t tile = (int64_t)blockIdx.x * (PIXVIEWI_THREADS / lanes) + threadIdx.x / lanes;
    typename Kernel::scratch *mine = &scratch[(threadIdx.x - lane) / PIXVIEWI_LANES];
    if (tile >= tile_of(args).tiles)
        return;
    Kernel kernel(args, tile);
    kernel.load_tile(mine, lane);
    if (tile_of(args).wide)
        __syncthreads();
    else
        __syncwarp();
    kernel.store_tile(mine, lane);
}
#endif

} // namespace

#endif
