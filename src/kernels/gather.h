// Interleaved pixels or planes to either, any number of channels up to 32, any alignment, values
// changed or not, from or to one batch or a list.
//
// Grid:       flat in x, a warp for each tile, whose pixels are chosen so that their bytes fit
//             the warp's shared memory.
// Alignment:  the elements'. Vectors begin where the memory is aligned for them: a row's first and
//             last ones are partial, and planes need not agree.
// Traffic:    each byte read once, 16 at a time, and written once, 4 elements at a time (8-byte
//             elements: 2).
// Fallback:   elements.h.
#include "device.h"

namespace
{

// What becomes of an element: nothing.
template <typename T> struct same {
    using in = T;
    using out = T;
    static constexpr bool CHANGED = false;
    DEVICE static T in_place_of_none(const pixviewi_tile_args &args)
    {
        return *(const T *)args.pad_bits;
    }
    DEVICE static T change(const pixviewi_tile_args &, T bits, float, float) { return bits; }
};

// Or its value times a plus b, in another type.
template <typename In, typename Out> struct changed {
    using in = In;
    using out = Out;
    static constexpr bool CHANGED = true;
    DEVICE static Out change(const pixviewi_tile_args &args, float value, float a, float b)
    {
        Out bits;
        set_float(&bits, multiply_add(value, a, b), args.dst_code);
        return bits;
    }
    DEVICE static Out change(const pixviewi_tile_args &args, In bits, float a, float b)
    {
        return change(args, float_of(bits, args.src_code), a, b);
    }
};

template <typename Change, bool PLANAR, typename Args> struct gather {
    using In = typename Change::in;
    using Out = typename Change::out;
    static constexpr int SIZE = sizeof(In), VECTOR = sizeof(Out) == 8 ? 2 : 4;
    static constexpr int LOADS = PIXVIEWI_SCRATCH / 16 / PIXVIEWI_LANES;
    static constexpr bool PADS = is_list<Args>::value;

    struct vector {
        Out elements[VECTOR];
    };
    struct channel {
        int offset; // of pixel `first`, in the scratch
        float a, b;
    };
    struct scratch {
        uint4 vectors[PIXVIEWI_SCRATCH / 16];
        channel channels[PLANAR ? 1 : PIXVIEWI_TILE_CHANNELS];
    };

    // The same for all lanes. The scratch begins with pixel `first`, some pixels before the tile's
    // if its first vectors may reach back to them.
    const pixviewi_tile_args &args;
    const char *from; // pixel `first` in the source, channel 0
    char *to;         // and in the destination
    int64_t from_channel, to_channel;
    int step;          // BYTES from pixel to pixel in the source
    int streams;       // of the source: one, or one for each plane
    int skip;          // pixels from `first` to the tile's
    int count, have;   // pixels in the scratch: of the destination, of the source
    int before, after; // BYTES that the row of the source has around them, 16 at most

    DEVICE gather(const Args &all, int64_t tile) : args(tile_of(all))
    {
        place at = locate(args, tile);
        image src = source(all, at.n), dst = target(all, at.n);
        int64_t first = at.column > args.halo ? at.column - args.halo : 0;
        skip = (int)(at.column - first);
        step = (int)src.pixels->pixel;
        streams = step == SIZE ? args.channels : 1;
        from = src.data + at.row * src.pixels->row + first * step;
        to = dst.data + at.row * dst.pixels->row + first * dst.pixels->pixel;
        from_channel = src.pixels->channel;
        to_channel = dst.pixels->channel;
        count = clamp(args.columns - first, skip + args.tile);
        have = count;
        int64_t rest = src.pixels->columns - first;
        if (PADS)
            have = at.row < src.pixels->rows ? clamp(rest, count) : 0;
        before = clamp(first, 16) * step;
        after = clamp(rest - have, 16) * step;
    }

    DEVICE static int clamp(int64_t n, int most) { return n < most ? n < 0 ? 0 : (int)n : most; }

    // ---- in ----

    // Of 16 bytes, aligned: where in the source, as an offset from `from`.
    struct piece {
        int stream, offset;
        bool wanted, whole; // whole: no byte of it is outside of the row
    };
    DEVICE piece find_piece(int i) const
    {
        piece found = {0, 16 * i, true, true};
        uint32_t address = (uint32_t)(uintptr_t)from;
        if (streams > 1) {
            found.stream = (int)pixviewi_divide((uint32_t)i, args.by_vectors);
            found.offset -= found.stream * args.vectors * 16;
            address += (uint32_t)found.stream * (uint32_t)from_channel;
        }
        found.offset -= (int)(address & 15);
        found.wanted = found.offset < have * step && found.stream < streams;
        found.whole = found.offset >= -before && found.offset + 16 <= have * step + after;
        return found;
    }
    DEVICE const char *address_of(piece found) const
    {
        return from + found.offset + found.stream * from_channel;
    }

    DEVICE void load_tile(scratch &mine, int lane) const
    {
        uint4 held[LOADS];
        bool whole[LOADS], parts = false;
        if (!PLANAR)
            mine.channels[lane] = {offset_of(lane), args.a[lane], args.b[lane]};
        if (have == 0)
            return;
#pragma unroll
        for (int u = 0; u < LOADS; u++) {
            piece found = find_piece(lane + u * PIXVIEWI_LANES);
            whole[u] = found.wanted && found.whole;
            parts |= found.wanted && !found.whole;
            if (whole[u])
                held[u] = load<uint4>(address_of(found));
        }
#pragma unroll
        for (int u = 0; u < LOADS; u++)
            if (whole[u])
                mine.vectors[lane + u * PIXVIEWI_LANES] = held[u];
        if (parts)
            load_parts(mine, lane);
    }

    // The pieces that reach over an end of the row, element by element.
    DEVICE void load_parts(scratch &mine, int lane) const
    {
#pragma unroll 1
        for (int i = lane; i < LOADS * PIXVIEWI_LANES; i += PIXVIEWI_LANES) {
            piece found = find_piece(i);
            if (!found.wanted || found.whole)
                continue;
            const char *at = address_of(found);
#pragma unroll 1
            for (int j = 0; j < 16; j += SIZE)
                if (found.offset + j >= -before && found.offset + j < have * step + after)
                    *(In *)((char *)&mine.vectors[i] + j) = load<In>(at + j);
        }
    }

    // ---- out ----

    // Where channel c of the destination begins in the scratch.
    DEVICE int offset_of(int c) const
    {
        uint32_t address = (uint32_t)(uintptr_t)from;
        c = partner(args, c);
        if (streams == 1)
            return (int)(address & 15) + c * SIZE;
        return c * args.vectors * 16 + (int)((address + (uint32_t)c * (uint32_t)from_channel) & 15);
    }

    DEVICE Out element(const scratch &mine, int offset, int x, float a, float b) const
    {
        if (PADS && x >= have)
            return pad(a, b);
        return Change::change(args, *(const In *)((const char *)mine.vectors + offset), a, b);
    }
    DEVICE Out pad(float a, float b) const
    {
        if constexpr (Change::CHANGED)
            return Change::change(args, args.pad, a, b);
        else
            return Change::in_place_of_none(args);
    }

    DEVICE void store_tile(const scratch &mine, int lane) const
    {
        if constexpr (PLANAR) {
#pragma unroll 1
            for (int c = 0; c < args.channels; c++)
                store_plane(mine, c, lane);
        } else {
            store_pixels(mine, lane);
        }
    }

    // From the first element in the scratch to that of the tile's first aligned vector. The tile's
    // own first element is a multiple of VECTOR from the row's.
    DEVICE static int first_vector(const char *stream, int own)
    {
        return own - (int)(((uint32_t)(uintptr_t)stream / sizeof(Out) + (uint32_t)own) % VECTOR);
    }

    DEVICE void store_plane(const scratch &mine, int c, int lane) const
    {
        char *out = to + c * to_channel;
        int offset = offset_of(c), shift = first_vector(out, skip);
        float a = args.a[c], b = args.b[c];
#pragma unroll 1
        for (int i = lane * VECTOR; i < args.tile; i += PIXVIEWI_LANES * VECTOR) {
            int x = i + shift;
            vector all;
            if (x >= 0 && x + VECTOR <= count) {
#pragma unroll
                for (int j = 0; j < VECTOR; j++)
                    all.elements[j] = element(mine, offset + (x + j) * step, x + j, a, b);
                store_vector(out + x * (int)sizeof(Out), all);
                continue;
            }
#pragma unroll 1
            for (int j = x < 0 ? -x : 0; j < VECTOR && x + j < count; j++)
                store(out + (x + j) * (int)sizeof(Out),
                      element(mine, offset + (x + j) * step, x + j, a, b));
        }
    }

    DEVICE void store_pixels(const scratch &mine, int lane) const
    {
        int channels = args.channels, size = count * channels;
        int shift = first_vector(to, skip * channels);
#pragma unroll 1
        for (int i = lane * VECTOR; i < args.tile * channels; i += PIXVIEWI_LANES * VECTOR) {
            int e = i + shift, begin = e < 0 ? -e : 0; // the vector's elements that are in the row
            int x = (int)pixviewi_divide((uint32_t)(e + begin), args.by_channels);
            int c = e + begin - x * channels;
            vector all;
#pragma unroll
            for (int j = 0; j < VECTOR; j++)
                if (j >= begin && e + j < size) {
                    channel in = mine.channels[c];
                    all.elements[j] = element(mine, in.offset + x * step, x, in.a, in.b);
                    if (++c == channels)
                        c = 0, x++;
                }
            if (begin == 0 && e + VECTOR <= size) {
                store_vector(to + e * (int)sizeof(Out), all);
                continue;
            }
#pragma unroll
            for (int j = 0; j < VECTOR; j++)
                if (j >= begin && e + j < size)
                    store(to + (e + j) * (int)sizeof(Out), all.elements[j]);
        }
    }

    DEVICE static void store_vector(char *out, const vector &all)
    {
        const Out *bits = all.elements;
        if constexpr (sizeof(Out) == 1)
            stream(out, bits[0] | (uint32_t)bits[1] << 8 | (uint32_t)bits[2] << 16 |
                            (uint32_t)bits[3] << 24);
        else if constexpr (sizeof(Out) == 2)
            stream(out,
                   uint2{bits[0] | (uint32_t)bits[1] << 16, bits[2] | (uint32_t)bits[3] << 16});
        else if constexpr (sizeof(Out) == 4)
            stream(out, uint4{bits[0], bits[1], bits[2], bits[3]});
        else
            stream(out, ulonglong2{bits[0], bits[1]});
    }
};

} // namespace
