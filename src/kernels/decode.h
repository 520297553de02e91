// SPDX-License-Identifier: Apache-2.0
// Video frames into images of their size: those whose U and V lie side by side (NV12, NV21, NV16, P010 ...), all of one
// kind. Others go through frames.h.
//
// Grid:       flat in x, a thread for four columns of some rows. Neighbours take neighbouring columns.
// Alignment:  four samples, and four elements of a plane or of a row of pixels.
// Traffic:    each sample once, each element once.
#include "colour.h"

namespace
{

// What becomes of four pixels of a channel: values, of the types of device.h, or the sums' own bytes.
template <typename T, typename To> struct decoded {
    using held = float;
    using out = typename To::type;
    DEVICE static float make(int32_t sum, float a, float b)
    {
        const float value = sizeof(T) == 1 ? float_of_rounded(sum) : pixviewi_colour_float(sum);
        return multiply_add(value, a, b);
    }
    DEVICE static uint32_t word(const float *values) { return To::word(values); }
};
struct decoded_bytes {
    using held = int32_t;
    using out = uint8_t;
    DEVICE static int32_t make(int32_t sum, float, float) { return sum; }
    DEVICE static uint32_t word(const int32_t *sums)
    {
        return bytes_of_sums(sums[0], sums[1], sums[2], sums[3]);
    }
};

// T: of a sample. ROWS: that share U and V.
template <typename T, typename Made, int ROWS> struct decode {
    using held = typename Made::held;
    static constexpr int QUAD = PIXVIEWI_QUAD, SIZE = sizeof(typename Made::out);
    struct words {
        uint32_t of[sizeof(T)];
    };

    const pixviewi_decode_args &args;

    DEVICE static words load_words(const char *at)
    {
        if constexpr (sizeof(T) == 1)
            return {{load<uint32_t>(at)}};
        else {
            const uint2 both = load<uint2>(at);
            return {{both.x, both.y}};
        }
    }
    DEVICE int32_t sample(const words &from, int k) const
    {
        if constexpr (sizeof(T) == 1)
            return (int32_t)permute(from.of[0], 0, 0x4440 + k);
        else
            return (int32_t)permute(from.of[k / 2], 0, k % 2 ? 0x4432 : 0x4410) >> args.down &
                   args.most;
    }

    struct group {
        words y[ROWS], uv;
    };

    // Of these the image has `rows`.
    DEVICE group load_group(const char *ys, const char *uvs, int rows) const
    {
        group out;
        out.uv = load_words(uvs);
#pragma unroll
        for (int i = 0; i < ROWS; i++)
            out.y[i] = load_words(i < rows ? ys + i * args.y_row : ys);
        return out;
    }
    DEVICE void make_group(const group &from, char *to, int rows) const
    {
        int32_t begun[QUAD / 2][3];
#pragma unroll
        for (int k = 0; k < QUAD; k += 2)
            begin_sums(args.matrix, sample(from.uv, k), sample(from.uv, k + 1), begun[k / 2]);
#pragma unroll
        for (int i = 0; i < ROWS; i++)
            if (i < rows)
                make_row(from.y[i], begun, to + i * args.row);
    }

    DEVICE void make_row(const words &y, const int32_t (*begun)[3], char *to) const
    {
        held all[3][QUAD];
#pragma unroll
        for (int k = 0; k < QUAD; k++) {
            int32_t sums[3];
            end_sums(args.matrix, sample(y, k), begun[k / 2], sums);
#pragma unroll
            for (int c = 0; c < 3; c++)
                all[c][k] = Made::make(sums[c], args.a[c], args.b[c]);
        }
        if (args.planar)
            store_planes(to, all);
        else
            store_pixels(to, all);
    }

    DEVICE void store_planes(char *to, const held (*all)[QUAD]) const
    {
#pragma unroll
        for (int c = 0; c < 3; c++)
            stream_quad(to + c * args.channel, all[c]);
    }
    DEVICE static void store_pixels(char *to, const held (*all)[QUAD])
    {
        held mixed[3][QUAD];
#pragma unroll
        for (int i = 0; i < 3 * QUAD; i++)
            mixed[i / QUAD][i % QUAD] = all[i % 3][i / 3];
#pragma unroll
        for (int c = 0; c < 3; c++)
            stream_quad(to + c * QUAD * SIZE, mixed[c]);
    }
    DEVICE static void stream_quad(char *to, const held *quad)
    {
        uint32_t words[SIZE];
#pragma unroll
        for (int i = 0; i < SIZE; i++)
            words[i] = Made::word(quad + 4 / SIZE * i);
        if constexpr (SIZE == 1)
            stream(to, words[0]);
        else
            stream_words<QUAD * SIZE>(to, words);
    }
};

template <typename T, typename Made, int ROWS>
DEVICE void decode_quads(const pixviewi_decode_args &args, int n, int y, int x)
{
    const decode<T, Made, ROWS> kernel = {args};
    const char *ys = (const char *)(uintptr_t)args.table[2 * n] + y * args.y_row;
    const char *uvs = (const char *)(uintptr_t)args.table[2 * n + 1] + y / ROWS * args.uv_row;
    char *to = args.dst + n * args.dst_image + y * args.row + x * args.pixel;
    ys += x * (int)sizeof(T), uvs += x * (int)sizeof(T);
    int left = args.rows - y;
    typename decode<T, Made, ROWS>::group next = kernel.load_group(ys, uvs, left);
#pragma unroll 1
    for (int i = 1; left > 0 && i <= PIXVIEWI_DECODE_STEPS; i++, left -= ROWS) {
        const auto now = next;
        ys += ROWS * args.y_row, uvs += args.uv_row;
        if (i < PIXVIEWI_DECODE_STEPS && left > ROWS)
            next = kernel.load_group(ys, uvs, left - ROWS);
        kernel.make_group(now, to, left);
        to += ROWS * args.row;
    }
}

template <typename T, int ROWS>
DEVICE void decode_as_told(const pixviewi_decode_args &args, int n, int y, int x)
{
    if (args.direct)
        decode_quads<T, decoded_bytes, ROWS>(args, n, y, x);
    else if (args.out == PIXVIEWI_TO_F32)
        decode_quads<T, decoded<T, to_float>, ROWS>(args, n, y, x);
    else if (args.out == PIXVIEWI_TO_F16)
        decode_quads<T, decoded<T, to_half>, ROWS>(args, n, y, x);
    else if (args.out == PIXVIEWI_TO_BF16)
        decode_quads<T, decoded<T, to_bfloat>, ROWS>(args, n, y, x);
    else
        decode_quads<T, decoded<T, to_byte>, ROWS>(args, n, y, x);
}

template <typename T> DEVICE void decode_thread(const pixviewi_decode_args &args, uint32_t thread)
{
    if (thread >= (uint32_t)args.threads)
        return;
    const uint32_t line = pixviewi_divide(thread, args.by_quads);
    const uint32_t n = pixviewi_divide(line, args.by_groups);
    const int x = (int)(thread - line * (uint32_t)args.quads) * PIXVIEWI_QUAD;
    const int group = (int)(line - n * (uint32_t)args.groups) * PIXVIEWI_DECODE_STEPS;
    if (args.shared_rows > 1)
        decode_as_told<T, 2>(args, (int)n, group * 2, x);
    else
        decode_as_told<T, 1>(args, (int)n, group, x);
}

} // namespace
