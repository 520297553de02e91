// SPDX-License-Identifier: Apache-2.0
// Interleaved pixels to planes and back, 3 or 4 channels, bits only; from or to one batch or a list.
//
// Grid:       flat in x, a warp for each tile of 32 * 16 bytes of every plane.
// Alignment:  addresses and strides of both ends to 16 bytes.
// Traffic:    each byte read once and written once, 16 at a time; the pixels of a row that fill no
//             16 bytes one element at a time.
// Fallback:   gather.h.
#include "device.h"

namespace
{

template <typename T, int CHANNELS, bool SPLIT, typename Args> struct repack {
    static constexpr int SIZE = sizeof(T), LANE_PIXELS = 16 / SIZE,
                         TILE = PIXVIEWI_LANES * LANE_PIXELS;
    static constexpr int WORDS = 4 * CHANNELS; // of a lane

    struct scratch {
        uint4 vectors[PIXVIEWI_LANES * CHANNELS];
    };

    const pixviewi_tile_args &args;
    image src, dst; // the row of the tile
    int64_t column;
    int vectors; // lanes that have a whole one for each plane

    DEVICE repack(const Args &all, int64_t tile) : args(tile_of(all))
    {
        place at = locate(args, tile);
        int64_t whole = args.columns / LANE_PIXELS - at.column / LANE_PIXELS;
        src = source(all, at.n);
        dst = target(all, at.n);
        src.data += at.row * src.pixels.row;
        dst.data += at.row * dst.pixels.row;
        column = at.column;
        vectors = whole < PIXVIEWI_LANES ? (int)whole : PIXVIEWI_LANES;
    }

    // Where a vector lies in the scratch: 4 channels would meet in the same banks.
    DEVICE static int slot(int i) { return CHANNELS == 4 ? i ^ (i >> 3 & 3) : i; }

    // Byte i of the interleaved bytes is this byte of the planes, which lie one after another.
    DEVICE static constexpr int planar_byte(int i)
    {
        int element = i / SIZE;
        return element % CHANNELS * 16 + element / CHANNELS * SIZE + i % SIZE;
    }
    DEVICE static constexpr int interleaved_byte(int i)
    {
        return (i % 16 / SIZE * CHANNELS + i / 16) * SIZE + i % SIZE;
    }

    // The word of four bytes from anywhere in `from`; pairs or fours of them lie together.
    DEVICE static uint32_t join(const uint32_t *from, int b0, int b1, int b2, int b3)
    {
        if (SIZE >= 4)
            return from[b0 / 4];
        if (SIZE == 2)
            return permute(from[b0 / 4], from[b2 / 4],
                           b0 % 4 | (b0 % 4 + 1) << 4 | (b2 % 4 + 4) << 8 | (b2 % 4 + 5) << 12);
        uint32_t low = permute(from[b0 / 4], from[b1 / 4], b0 % 4 | (b1 % 4 + 4) << 4);
        uint32_t high = permute(from[b2 / 4], from[b3 / 4], b2 % 4 | (b3 % 4 + 4) << 4);
        return permute(low, high, 0x5410);
    }

    DEVICE static void to_words(uint4 vector, uint32_t *words)
    {
        words[0] = vector.x, words[1] = vector.y, words[2] = vector.z, words[3] = vector.w;
    }

    // Where vectors of the tile lie in a plane.
    DEVICE char *plane(const image &end, int channel) const
    {
        return end.data + channel * end.pixels.channel + column * SIZE;
    }

    DEVICE void load_tile(scratch *mine, int lane) const
    {
        if (SPLIT)
            load_interleaved(mine, lane);
        else if (lane < vectors)
            load_planes(mine, lane);
    }
    DEVICE void store_tile(const scratch *mine, int lane) const
    {
        if (!SPLIT)
            store_interleaved(mine, lane);
        else if (lane < vectors)
            store_planes(mine, lane);
        if (column + TILE >= args.columns)
            move_rest(lane);
    }

    DEVICE void load_interleaved(scratch *mine, int lane) const
    {
        const char *from = src.data + column * (CHANNELS * SIZE);
        uint4 held[CHANNELS];
#pragma unroll
        for (int k = 0; k < CHANNELS; k++) {
            int i = lane + k * PIXVIEWI_LANES;
            if (i < vectors * CHANNELS)
                held[k] = load<uint4>(from + 16 * i);
        }
#pragma unroll
        for (int k = 0; k < CHANNELS; k++) {
            int i = lane + k * PIXVIEWI_LANES;
            if (i < vectors * CHANNELS)
                mine->vectors[slot(i)] = held[k];
        }
    }
    DEVICE void store_interleaved(const scratch *mine, int lane) const
    {
        char *to = dst.data + column * (CHANNELS * SIZE);
#pragma unroll
        for (int k = 0; k < CHANNELS; k++) {
            int i = lane + k * PIXVIEWI_LANES;
            if (i < vectors * CHANNELS)
                store(to + 16 * i, mine->vectors[slot(i)]);
        }
    }

    DEVICE void load_planes(scratch *mine, int lane) const
    {
        uint32_t from[WORDS], to[WORDS];
        uint4 held[CHANNELS];
#pragma unroll
        for (int k = 0; k < CHANNELS; k++)
            held[k] = load<uint4>(plane(src, partner(args, k)) + 16 * lane);
#pragma unroll
        for (int k = 0; k < CHANNELS; k++)
            to_words(held[k], from + 4 * k);
#pragma unroll
        for (int i = 0; i < WORDS; i++)
            to[i] = join(from, planar_byte(4 * i), planar_byte(4 * i + 1), planar_byte(4 * i + 2),
                         planar_byte(4 * i + 3));
#pragma unroll
        for (int k = 0; k < CHANNELS; k++)
            mine->vectors[slot(lane * CHANNELS + k)] = {to[4 * k], to[4 * k + 1], to[4 * k + 2],
                                                        to[4 * k + 3]};
    }
    DEVICE void store_planes(const scratch *mine, int lane) const
    {
        uint32_t from[WORDS], to[WORDS];
#pragma unroll
        for (int k = 0; k < CHANNELS; k++)
            to_words(mine->vectors[slot(lane * CHANNELS + k)], from + 4 * k);
#pragma unroll
        for (int i = 0; i < WORDS; i++)
            to[i] = join(from, interleaved_byte(4 * i), interleaved_byte(4 * i + 1),
                         interleaved_byte(4 * i + 2), interleaved_byte(4 * i + 3));
#pragma unroll
        for (int k = 0; k < CHANNELS; k++)
            store(plane(dst, partner(args, k)) + 16 * lane,
                  uint4{to[4 * k], to[4 * k + 1], to[4 * k + 2], to[4 * k + 3]});
    }

    // The pixels at the end of a row that fill no vector.
    DEVICE void move_rest(int lane) const
    {
        int64_t first = args.columns / LANE_PIXELS * LANE_PIXELS;
        int count = (int)(args.columns - first) * CHANNELS;
#pragma unroll 1
        for (int i = lane; i < count; i += PIXVIEWI_LANES) {
            int64_t x = first + i / CHANNELS;
            int c = i % CHANNELS, other = partner(args, c);
            store(dst.data + x * dst.pixels.pixel + c * dst.pixels.channel,
                  load<T>(src.data + x * src.pixels.pixel + other * src.pixels.channel));
        }
    }
};

} // namespace
