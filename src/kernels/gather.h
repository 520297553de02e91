// Interleaved pixels or planes to either, any number of channels up to 32, any alignment, values
// changed or not, from or to one batch or a list.
//
// Grid:       flat in x, a warp for each tile, whose pixels are chosen so that their bytes fit
//             the warp's shared memory.
// Alignment:  the elements'. Vectors begin where the memory is aligned for them: a row's first and
//             last ones are partial, and planes need not agree.
// Traffic:    each byte read once, 16 at a time, and written once, 8 or 16 at a time.
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

// Or its value times a plus b, as one of to_byte, to_half, to_bfloat, to_float.
template <typename In, typename To> struct changed {
    using in = In;
    using out = typename To::type;
    static constexpr bool CHANGED = true;
    DEVICE static out change(const pixviewi_tile_args &, float value, float a, float b)
    {
        return To::bits(multiply_add(value, a, b));
    }
    DEVICE static out change(const pixviewi_tile_args &args, In bits, float a, float b)
    {
        return To::bits(multiply_add(float_of(bits, args.src_code), a, b));
    }
};

template <typename Change, bool PLANAR, typename Args> struct gather {
    using In = typename Change::in;
    using Out = typename Change::out;
    static constexpr int SIZE = sizeof(In), VECTOR = PIXVIEWI_VECTOR(sizeof(Out));
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

    // Vectors of the scratch change places where lanes that step over pixels of 4 and more channels
    // would meet in the same banks.
    DEVICE bool swizzled() const { return PLANAR && step != SIZE && step != 3 * SIZE; }
    DEVICE static int swizzle(int offset) { return offset ^ (offset >> 3 & 0x70); }
    template <bool SWIZZLED> DEVICE static const In *find(const scratch &mine, int offset)
    {
        return (const In *)((const char *)mine.vectors + (SWIZZLED ? swizzle(offset) : offset));
    }
    DEVICE uint4 *slot(scratch &mine, int i) const
    {
        return &mine.vectors[swizzled() ? swizzle(16 * i) / 16 : i];
    }

    // ---- in ----

    // Of 16 bytes, aligned: where in the source, as an offset from `from`.
    struct piece {
        int stream, offset;
        bool wanted, whole; // whole: no byte of it is outside of the row
    };
    template <bool PLANES> DEVICE piece find_piece(int i) const
    {
        piece found = {0, 16 * i, true, true};
        uint32_t address = (uint32_t)(uintptr_t)from;
        if (PLANES) {
            found.stream = (int)pixviewi_divide((uint32_t)i, args.by_vectors);
            found.offset -= found.stream * args.vectors * 16;
            address += (uint32_t)found.stream * (uint32_t)from_channel;
        }
        found.offset -= (int)(address & 15);
        found.wanted = found.offset < have * step && found.stream < streams;
        found.whole = found.offset >= -before && found.offset + 16 <= have * step + after;
        return found;
    }
    template <bool PLANES> DEVICE const char *address_of(piece found) const
    {
        return PLANES ? from + found.offset + found.stream * from_channel : from + found.offset;
    }

    DEVICE void load_tile(scratch &mine, int lane) const
    {
        if (!PLANAR)
            mine.channels[lane] = {offset_of(lane), args.a[lane], args.b[lane]};
        if (streams > 1)
            load_pieces<true>(mine, lane);
        else
            load_pieces<false>(mine, lane);
    }

    template <bool PLANES> DEVICE void load_pieces(scratch &mine, int lane) const
    {
        uint4 held[LOADS];
        bool whole[LOADS], parts = false;
        if (have == 0)
            return;
#pragma unroll
        for (int u = 0; u < LOADS; u++) {
            piece found = find_piece<PLANES>(lane + u * PIXVIEWI_LANES);
            whole[u] = found.wanted && found.whole;
            parts |= found.wanted && !found.whole;
            if (whole[u])
                held[u] = load<uint4>(address_of<PLANES>(found));
        }
#pragma unroll
        for (int u = 0; u < LOADS; u++)
            if (whole[u])
                *slot(mine, lane + u * PIXVIEWI_LANES) = held[u];
        if (parts)
            load_parts<PLANES>(mine, lane);
    }

    // The pieces that reach over an end of the row, element by element.
    template <bool PLANES> DEVICE void load_parts(scratch &mine, int lane) const
    {
#pragma unroll 1
        for (int i = lane; i < LOADS * PIXVIEWI_LANES; i += PIXVIEWI_LANES) {
            piece found = find_piece<PLANES>(i);
            if (!found.wanted || found.whole)
                continue;
            const char *at = address_of<PLANES>(found);
#pragma unroll 1
            for (int j = 0; j < 16; j += SIZE)
                if (found.offset + j >= -before && found.offset + j < have * step + after)
                    *(In *)((char *)slot(mine, i) + j) = load<In>(at + j);
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

    DEVICE Out element(const In *in, int x, float a, float b) const
    {
        if (PADS && x >= have)
            return pad(a, b);
        return Change::change(args, *in, a, b);
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

    // Elements [begin, end) of the scratch are whole vectors, aligned in the destination; those of
    // [low, begin) and [end, high) are left over, less than a vector each.
    struct span {
        int low, begin, end, high;
    };
    // `own`: of the tile's first element, which is a multiple of VECTOR from the row's. `tile` and
    // `size`: elements of the tile, and in the scratch.
    DEVICE static span find_span(const char *out, int own, int tile, int size)
    {
        int shift = own - (int)(((uint32_t)(uintptr_t)out / sizeof(Out) + (uint32_t)own) % VECTOR);
        int high = size < shift + tile ? size : shift + tile;
        int begin = shift < 0 ? shift + VECTOR : shift;
        int end = high > begin ? high - (high - begin) % VECTOR : begin;
        return {shift < 0 ? 0 : shift, begin, end, high};
    }
    // The left-over element of this lane, or -1.
    DEVICE static int left_over(span span, int lane)
    {
        int e = lane < VECTOR ? span.low + lane : span.end + lane - VECTOR;
        bool is_one = lane < VECTOR ? e < span.begin : lane < 2 * VECTOR;
        return is_one && e < span.high ? e : -1;
    }

    // ---- planes ----

    DEVICE void store_plane(const scratch &mine, int c, int lane) const
    {
        char *out = to + c * to_channel;
        int in = offset_of(c);
        float a = args.a[c], b = args.b[c];
        span span = find_span(out, skip, args.tile, count);
        if (step == SIZE)
            store_vectors<SIZE, false>(mine, out, in, span, lane, a, b);
        else if (step == 3 * SIZE)
            store_vectors<3 * SIZE, false>(mine, out, in, span, lane, a, b);
        else
            store_vectors<0, true>(mine, out, in, span, lane, a, b);
        int x = left_over(span, lane);
        if (x >= 0) {
            int offset = in + x * step;
            const In *at = swizzled() ? find<true>(mine, offset) : find<false>(mine, offset);
            store(out + x * (int)sizeof(Out), element(at, x, a, b));
        }
    }

    // STEP: bytes from pixel to pixel, where the compiler can know.
    template <int STEP, bool SWIZZLED>
    DEVICE void store_vectors(const scratch &mine, char *out, int in, span span, int lane, float a,
                              float b) const
    {
        const int stride = STEP ? STEP : step;
        int x = span.begin + lane * VECTOR;
        in += x * stride;
        out += x * (int)sizeof(Out);
#pragma unroll 1
        for (; x < span.end; x += PIXVIEWI_LANES * VECTOR) {
            if (STEP == SIZE && SIZE < 4 && !Change::CHANGED && (!PADS || x + VECTOR <= have)) {
                store_words(out, (const char *)mine.vectors + in);
            } else {
                vector all;
#pragma unroll
                for (int j = 0; j < VECTOR; j++)
                    all.elements[j] = element(find<SWIZZLED>(mine, in + j * stride), x + j, a, b);
                store_vector(out, all);
            }
            in += PIXVIEWI_LANES * VECTOR * stride;
            out += PIXVIEWI_LANES * VECTOR * (int)sizeof(Out);
        }
    }

    // A vector of 8 bytes that lie together, on any address.
    DEVICE static void store_words(char *out, const char *in)
    {
        int shift = (int)((uintptr_t)in & 3);
        const uint32_t *words = (const uint32_t *)(in - shift);
        stream(out, uint2{shift_right(words[0], words[1], 8 * shift),
                          shift_right(words[1], words[2], 8 * shift)});
    }

    // ---- interleaved pixels ----

    DEVICE void store_pixels(const scratch &mine, int lane) const
    {
        int channels = args.channels;
        span span = find_span(to, skip * channels, args.tile * channels, count * channels);
        if (channels == 3 && step == SIZE)
            store_rounds<3, SIZE>(mine, span, lane);
        else if (channels == 3)
            store_rounds<3, 3 * SIZE>(mine, span, lane);
        else if (channels == 4 && step == SIZE)
            store_rounds<4, SIZE>(mine, span, lane);
        else if (channels == 4)
            store_rounds<4, 4 * SIZE>(mine, span, lane);
        else
            store_any(mine, span, lane);
        int e = left_over(span, lane);
        if (e >= 0) {
            int x = (int)pixviewi_divide((uint32_t)e, args.by_channels);
            channel by = mine.channels[e - x * channels];
            store(to + e * (int)sizeof(Out),
                  element(find<false>(mine, by.offset + x * step), x, by.a, by.b));
        }
    }

    // So many steps of a warp that every lane begins the next round with the channel of this one.
    template <int CHANNELS, int STEP>
    DEVICE void store_rounds(const scratch &mine, span span, int lane) const
    {
        constexpr int ALL = PIXVIEWI_LANES * VECTOR, STEPS = CHANNELS == 3 ? 3 : 1;
        int e = span.begin + lane * VECTOR, x = e / CHANNELS, c = e - x * CHANNELS;
        channel of[CHANNELS]; // from c on
        int wraps[CHANNELS];
#pragma unroll
        for (int k = 0; k < CHANNELS; k++) {
            wraps[k] = c + k >= CHANNELS;
            of[k] = mine.channels[c + k - wraps[k] * CHANNELS];
            of[k].offset += (x + wraps[k]) * STEP;
        }
#pragma unroll 1
        for (; e < span.end; e += STEPS * ALL) {
#pragma unroll
            for (int s = 0; s < STEPS; s++) {
                vector all;
                if (e + s * ALL >= span.end)
                    break;
#pragma unroll
                for (int j = 0; j < VECTOR; j++) {
                    int m = s * ALL + j, k = m % CHANNELS, pixels = m / CHANNELS;
                    all.elements[j] = element(find<false>(mine, of[k].offset + pixels * STEP),
                                              x + wraps[k] + pixels, of[k].a, of[k].b);
                }
                store_vector(to + (e + s * ALL) * (int)sizeof(Out), all);
            }
            x += STEPS * ALL / CHANNELS;
#pragma unroll
            for (int k = 0; k < CHANNELS; k++)
                of[k].offset += STEPS * ALL / CHANNELS * STEP;
        }
    }

    DEVICE void store_any(const scratch &mine, span span, int lane) const
    {
#pragma unroll 1
        for (int e = span.begin + lane * VECTOR; e < span.end; e += PIXVIEWI_LANES * VECTOR) {
            int x = (int)pixviewi_divide((uint32_t)e, args.by_channels);
            int c = e - x * args.channels;
            vector all;
#pragma unroll
            for (int j = 0; j < VECTOR; j++) {
                channel by = mine.channels[c];
                all.elements[j] = element(find<false>(mine, by.offset + x * step), x, by.a, by.b);
                if (++c == args.channels)
                    c = 0, x++;
            }
            store_vector(to + e * (int)sizeof(Out), all);
        }
    }

    DEVICE static uint32_t join(const Out *bytes)
    {
        return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
               (uint32_t)bytes[3] << 24;
    }
    DEVICE static void store_vector(char *out, const vector &all)
    {
        const Out *bits = all.elements;
        if constexpr (sizeof(Out) == 1)
            stream(out, uint2{join(bits), join(bits + 4)});
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
