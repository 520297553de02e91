// SPDX-License-Identifier: Apache-2.0
// Interleaved pixels or planes to either, any number of channels up to 32, any alignment, values
// changed or not, from or to one batch or a list.
//
// Grid:       flat in x, a warp for each tile, whose pixels are chosen so that their bytes fit
//             the warp's shared memory; from 8 channels on a block, with that of all its warps.
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
    DEVICE static T change(const pixviewi_tile_args &, T bits, float, float) { return bits; }
    DEVICE static T pad(const pixviewi_tile_args &args, float, float)
    {
        return *(const T *)args.pad_bits;
    }
};

// Or its value times a plus b, as one of to_byte, to_half, to_bfloat, to_float.
template <typename In, typename To> struct changed {
    using in = In;
    using out = typename To::type;
    static constexpr bool CHANGED = true;
    DEVICE static out change(const pixviewi_tile_args &args, In bits, float a, float b)
    {
        return To::bits(multiply_add(float_of(bits, args.src_code), a, b));
    }
    DEVICE static out pad(const pixviewi_tile_args &args, float a, float b)
    {
        return To::bits(multiply_add(args.pad, a, b));
    }
    template <int VECTOR> DEVICE static void pack(const float *values, uint32_t *words)
    {
        constexpr int EACH = 4 / sizeof(out);
#pragma unroll
        for (int i = 0; i < VECTOR / EACH; i++)
            words[i] = To::word(values + EACH * i);
    }
};

template <typename Change, bool PLANAR, typename Args> struct gather {
    using In = typename Change::in;
    using Out = typename Change::out;
    static constexpr int SIZE = sizeof(In), VECTOR = PIXVIEWI_VECTOR(sizeof(Out));
    static constexpr int LOADS = PIXVIEWI_SCRATCH / 16 / PIXVIEWI_LANES;
    static constexpr int PIECE = 16 / SIZE; // elements that are read at a time
    static constexpr bool PADS = sizeof(Args) == sizeof(pixviewi_list_args);

    // Where lanes step over 16 bytes or more they would meet in the same banks: every ROW bytes of
    // the scratch are followed by a gap. Not for pixels of one and three elements, if a vector of
    // them is less: their addresses would cost more.
    static constexpr bool SPREAD = VECTOR * SIZE % 16 == 0;
    static constexpr int ROW = 128, GAP = SIZE == 8 ? 8 : 4;
    static constexpr int BYTES = PIXVIEWI_SCRATCH / ROW * (ROW + GAP);

    struct channel {
        int offset; // of pixel `first`, in the scratch
        float a, b;
    };
    // A warp's part of the memory of the tile; behind all parts is the table of the channels, and of
    // some of the next pixel's.
    static constexpr int TABLE = PLANAR ? 0 : PIXVIEWI_TILE_CHANNELS + VECTOR;
    struct alignas(16) scratch {
        char bytes[BYTES + TABLE * sizeof(channel)];
    };

    // The same for all lanes. The scratch begins with pixel `first`, some pixels before the tile's
    // if its first vectors may reach back to them.
    const pixviewi_tile_args &args;
    const char *from; // pixel `first` in the source, channel 0
    char *to;         // and in the destination
    int64_t from_channel, to_channel;
    int lanes;         // of a warp or of a block
    int step;          // BYTES from pixel to pixel in the source
    int streams;       // of the source: one, or one for each plane
    int skip;          // pixels from `first` to the tile's
    int count, have;   // pixels in the scratch: of the destination, of the source
    int before, after; // BYTES that the row of the source has around them, 16 or more: enough

    DEVICE gather(const Args &all, int64_t tile) : args(tile_of(all))
    {
        place at = locate(args, tile);
        image src = source(all, at.n), dst = target(all, at.n);
        int64_t first = at.column > args.halo ? at.column - args.halo : 0;
        lanes = lanes_of(args);
        skip = (int)(at.column - first);
        step = (int)src.pixels.pixel;
        streams = step == SIZE ? args.channels : 1;
        from = src.data + at.row * src.pixels.row + first * step;
        to = dst.data + at.row * dst.pixels.row + first * dst.pixels.pixel;
        from_channel = src.pixels.channel;
        to_channel = dst.pixels.channel;
        count = clamp(args.columns - first, skip + args.tile);
        have = count;
        int64_t rest = src.pixels.columns - first;
        if (PADS)
            have = at.row < src.pixels.rows ? clamp(rest, count) : 0;
        before = clamp(first, 16) * step;
        after = clamp(rest - have, 16) * step;
    }

    DEVICE static int clamp(int64_t n, int most) { return n < most ? n < 0 ? 0 : (int)n : most; }

    // ---- the scratch ----

    DEVICE bool spreads() const { return SPREAD || (PLANAR && step != SIZE && step != 3 * SIZE); }
    template <bool SPREADS, typename T = In> DEVICE static T *find(scratch *mine, int offset)
    {
        return (T *)((char *)mine + (SPREADS ? offset + (uint32_t)offset / ROW * GAP : offset));
    }
    DEVICE In *find_any(scratch *mine, int offset) const
    {
        return spreads() ? find<true>(mine, offset) : find<false>(mine, offset);
    }
    DEVICE channel *table(scratch *mine) const
    {
        return (channel *)((char *)mine + lanes / PIXVIEWI_LANES * BYTES);
    }

    // ---- in ----

    // BYTES that `from` is behind 16-aligned memory in this stream.
    DEVICE int lead(int stream) const
    {
        return (int)(((uint32_t)(uintptr_t)from + (uint32_t)stream * (uint32_t)from_channel) & 15);
    }
    // Does the row have all 16 bytes from this offset on?
    DEVICE bool is_whole(int offset) const
    {
        return offset >= -before && offset + 16 <= have * step + after;
    }
    DEVICE const char *address(int stream, int offset) const
    {
        return from + offset + stream * from_channel;
    }

    DEVICE void load_tile(scratch *mine, int lane) const
    {
        if (!PLANAR)
            fill_table(table(mine), lane);
        if (have > 0)
            load_pieces(mine, lane);
    }

    DEVICE void fill_table(channel *table, int lane) const
    {
#pragma unroll 1
        for (int i = lane; i < args.channels + VECTOR; i += lanes) {
            int x = (int)pixviewi_divide((uint32_t)i, args.by_channels), c = i - x * args.channels;
            table[i] = {offset_of(c) + x * step, args.a[c], args.b[c]};
        }
    }

    DEVICE void load_pieces(scratch *mine, int lane) const
    {
        uint4 held[LOADS];
        bool whole[LOADS];
        if (streams == 1)
            load_row(held, whole, lane);
        else
            load_planes(held, whole, lane);
        if (has_edges())
            load_edges(mine, lane);
        if (spreads())
            put_pieces<true>(mine, lane, held, whole);
        else
            put_pieces<false>(mine, lane, held, whole);
    }

    template <bool SPREADS>
    DEVICE void put_pieces(scratch *mine, int lane, const uint4 *held, const bool *whole) const
    {
        constexpr int PART = !SPREADS ? 16 : GAP == 8 ? 8 : 4; // that may lie on its own
        char *at = find<SPREADS, char>(mine, 16 * lane);
        const int next = lanes * 16 / ROW * (SPREADS ? ROW + GAP : ROW);
#pragma unroll
        for (int u = 0; u < LOADS; u++)
            if (whole[u])
                put<PART>(at + u * next, held[u]);
    }
    template <int PART> DEVICE static void put(char *to, uint4 bytes)
    {
        uint32_t *words = (uint32_t *)to;
        if constexpr (PART == 16)
            *(uint4 *)to = bytes;
        else if constexpr (PART == 8)
            *(uint2 *)to = {bytes.x, bytes.y}, *(uint2 *)(to + 8) = {bytes.z, bytes.w};
        else
            words[0] = bytes.x, words[1] = bytes.y, words[2] = bytes.z, words[3] = bytes.w;
    }

    DEVICE void load_row(uint4 *held, bool *whole, int lane) const
    {
        int size = lead(0) + have * step; // with what is before it
        int begin = lead(0) > before, end = (size + (after < 16 ? after : 15)) / 16;
        const char *at = from - lead(0) + 16 * lane;
#pragma unroll
        for (int u = 0; u < LOADS; u++) {
            int i = lane + u * lanes;
            whole[u] = i >= begin && i < end;
            if (whole[u])
                held[u] = load<uint4>(at + 16 * u * lanes);
        }
    }

    DEVICE void load_planes(uint4 *held, bool *whole, int lane) const
    {
        const int most = have * step + (after < 16 ? after - 16 : -1); // where the last may begin
#pragma unroll
        for (int u = 0; u < LOADS; u++) {
            int i = lane + u * lanes, stream = (int)pixviewi_divide((uint32_t)i, args.by_vectors);
            int offset = 16 * (i - stream * args.vectors) - lead(stream);
            whole[u] = stream < streams && offset >= -before && offset <= most;
            if (whole[u])
                held[u] = load<uint4>(address(stream, offset));
        }
    }

    // Does a piece reach over an end of the row, maybe?
    DEVICE bool has_edges() const
    {
        int odd = lead(0) | (streams > 1 ? (int)from_channel & 15 : 0);
        return (before < 16 && odd) || (after < 16 && (odd | (have * step & 15)));
    }
    // The first and last pieces of each stream, where they do: every lane has an element of them.
    DEVICE void load_edges(scratch *mine, int lane) const
    {
#pragma unroll 1
        for (int i = lane; i < streams * 2 * PIECE; i += lanes) {
            int stream = (int)((uint32_t)i / (2 * PIECE)), size = lead(stream) + have * step;
            int piece = (uint32_t)i / PIECE % 2 ? (size - 1) & ~15 : 0;
            int inside = piece + (int)((uint32_t)i % PIECE) * SIZE, offset = inside - lead(stream);
            bool again = piece == 0 && (uint32_t)i / PIECE % 2; // both ends are in the first
            if (!again && !is_whole(piece - lead(stream)) && offset >= -before &&
                inside < size + after)
                *find_any(mine, stream * args.vectors * 16 + inside) =
                    load<In>(address(stream, offset));
        }
    }

    // ---- out ----

    // Where channel c of the destination begins in the scratch.
    DEVICE int offset_of(int c) const
    {
        c = partner(args, c);
        return streams == 1 ? lead(0) + c * SIZE : c * args.vectors * 16 + lead(c);
    }

    DEVICE void store_tile(scratch *mine, int lane) const
    {
        if constexpr (PLANAR) {
#pragma unroll 1
            for (int c = lane / PIXVIEWI_LANES; c < args.channels; c += lanes / PIXVIEWI_LANES)
                store_plane(mine, c, lane % PIXVIEWI_LANES);
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
        int end = high > begin ? high - (int)((uint32_t)(high - begin) % VECTOR) : begin;
        return {shift < 0 ? 0 : shift, begin, end, high};
    }
    // The left-over element of this lane, or -1.
    DEVICE static int left_over(span span, int lane)
    {
        int e = lane < VECTOR ? span.low + lane : span.end + lane - VECTOR;
        bool is_one = lane < VECTOR ? e < span.begin : lane < 2 * VECTOR;
        return is_one && e < span.high ? e : -1;
    }
    // Pixel x, whose bits lie at `offset`.
    DEVICE Out element(scratch *mine, int offset, int x, float a, float b) const
    {
        if (PADS && x >= have)
            return Change::pad(args, a, b);
        return Change::change(args, *find_any(mine, offset), a, b);
    }
    // Element j of the vector goes with a[j] and b[j].
    DEVICE void store_vector(char *out, const In *bits, const float *a, const float *b) const
    {
        uint32_t words[VECTOR * sizeof(Out) / 4];
        if constexpr (Change::CHANGED) {
            float values[VECTOR];
            to_floats<VECTOR>(bits, args.src_code, values);
#pragma unroll
            for (int j = 0; j < VECTOR; j++)
                values[j] = multiply_add(values[j], a[j], b[j]);
            Change::template pack<VECTOR>(values, words);
        } else {
            pack<VECTOR>(bits, words);
        }
        stream_words<VECTOR * sizeof(Out)>(out, words);
    }
    // The vectors from the first that the source has not all of.
    DEVICE static int first_padded(span span, int real)
    {
        int whole = span.begin + clamp(real - span.begin, span.end) / VECTOR * VECTOR;
        return PADS && whole < span.end ? whole : span.end;
    }

    // ---- planes ----

    DEVICE void store_plane(scratch *mine, int c, int lane) const
    {
        char *out = to + c * to_channel;
        int in = offset_of(c);
        float a = args.a[c], b = args.b[c];
        span span = find_span(out, skip, args.tile, count);
        int end = first_padded(span, have), x = span.begin + lane * VECTOR;
        if (step == SIZE)
            store_vectors<SIZE, SPREAD>(mine, out, in, x, end, a, b);
        else if (step == 3 * SIZE)
            store_vectors<3 * SIZE, SPREAD>(mine, out, in, x, end, a, b);
        else
            store_vectors<0, true>(mine, out, in, x, end, a, b);
        if (PADS)
            store_padded(mine, out, in, end + lane * VECTOR, span.end, a, b);
        x = left_over(span, lane);
        if (x >= 0)
            store(out + x * (int)sizeof(Out), element(mine, in + x * step, x, a, b));
    }

    // STEP: bytes from pixel to pixel, where the compiler can know.
    template <int STEP, bool SPREADS>
    DEVICE void store_vectors(scratch *mine, char *out, int in, int x, int end, float a,
                              float b) const
    {
        constexpr bool WORDS = STEP == SIZE && SIZE < 4 && !Change::CHANGED;
        const int stride = STEP ? STEP : step;
        float all_a[VECTOR], all_b[VECTOR];
#pragma unroll
        for (int j = 0; j < VECTOR; j++)
            all_a[j] = a, all_b[j] = b;
        in += x * stride;
        out += x * (int)sizeof(Out);
#pragma unroll 1
        for (; x < end; x += PIXVIEWI_LANES * VECTOR) {
            if constexpr (WORDS) {
                store_words<SPREADS>(out, mine, in);
            } else {
                In bits[VECTOR];
#pragma unroll
                for (int j = 0; j < VECTOR; j++)
                    bits[j] = *find<SPREADS>(mine, in + j * stride);
                store_vector(out, bits, all_a, all_b);
            }
            in += PIXVIEWI_LANES * VECTOR * stride;
            out += PIXVIEWI_LANES * VECTOR * (int)sizeof(Out);
        }
    }

    DEVICE void store_padded(scratch *mine, char *out, int in, int x, int end, float a,
                             float b) const
    {
#pragma unroll 1
        for (; x < end; x += PIXVIEWI_LANES * VECTOR) {
            Out all[VECTOR];
#pragma unroll
            for (int j = 0; j < VECTOR; j++)
                all[j] = element(mine, in + (x + j) * step, x + j, a, b);
            store_elements(out + x * (int)sizeof(Out), all);
        }
    }
    DEVICE static void store_elements(char *out, const Out *all)
    {
        uint32_t words[VECTOR * sizeof(Out) / 4];
        pack<VECTOR>(all, words);
        stream_words<VECTOR * sizeof(Out)>(out, words);
    }

    // A vector of 8 bytes that lie together, on any address.
    template <bool SPREADS> DEVICE static void store_words(char *out, scratch *mine, int in)
    {
        int shift = in & 3;
        uint32_t words[3];
#pragma unroll
        for (int i = 0; i < 3; i++)
            words[i] = *find<SPREADS, uint32_t>(mine, in - shift + 4 * i);
        stream(out, uint2{shift_right(words[0], words[1], 8 * shift),
                          shift_right(words[1], words[2], 8 * shift)});
    }

    // ---- interleaved pixels ----

    DEVICE void store_pixels(scratch *mine, int lane) const
    {
        int channels = args.channels;
        span span = find_span(to, skip * channels, args.tile * channels, count * channels);
        int end = first_padded(span, have * channels), e = span.begin + lane * VECTOR;
        if (channels == 3 && step == SIZE)
            store_rounds<3, SIZE>(mine, e, end);
        else if (channels == 3)
            store_rounds<3, 3 * SIZE>(mine, e, end);
        else if (channels == 4 && step == SIZE)
            store_rounds<4, SIZE>(mine, e, end);
        else if (channels == 4)
            store_rounds<4, 4 * SIZE>(mine, e, end);
        else
            store_any(mine, e, end);
        if (PADS)
            store_padded(mine, end + lane * VECTOR, span.end);
        e = left_over(span, lane);
        if (e >= 0)
            store(to + e * (int)sizeof(Out), element(mine, e));
    }

    // Three or four channels, by a warp: in so many steps of it every lane comes back to the channel
    // that it began with.
    template <int CHANNELS, int STEP> DEVICE void store_rounds(scratch *mine, int e, int end) const
    {
        constexpr int ALL = PIXVIEWI_LANES * VECTOR, STEPS = CHANNELS == 3 ? 3 : 1;
        int x = (int)((uint32_t)e / CHANNELS), c = e - x * CHANNELS;
        channel of[CHANNELS]; // from c on
#pragma unroll
        for (int k = 0; k < CHANNELS; k++) {
            of[k] = table(mine)[c + k];
            of[k].offset += x * STEP;
        }
#pragma unroll 1
        for (; e < end; e += STEPS * ALL) {
#pragma unroll
            for (int s = 0; s < STEPS; s++) {
                In bits[VECTOR];
                float a[VECTOR], b[VECTOR];
                if (e + s * ALL >= end)
                    break;
#pragma unroll
                for (int j = 0; j < VECTOR; j++) {
                    int m = s * ALL + j, k = m % CHANNELS;
                    bits[j] = *find<SPREAD>(mine, of[k].offset + m / CHANNELS * STEP);
                    a[j] = of[k].a, b[j] = of[k].b;
                }
                store_vector(to + (e + s * ALL) * (int)sizeof(Out), bits, a, b);
            }
#pragma unroll
            for (int k = 0; k < CHANNELS; k++)
                of[k].offset += STEPS * ALL / CHANNELS * STEP;
        }
    }

    DEVICE void store_any(scratch *mine, int e, int end) const
    {
#pragma unroll 1
        for (; e < end; e += lanes * VECTOR) {
            int x = (int)pixviewi_divide((uint32_t)e, args.by_channels);
            const channel *by = table(mine) + (e - x * args.channels);
            In bits[VECTOR];
            float a[VECTOR], b[VECTOR];
#pragma unroll
            for (int j = 0; j < VECTOR; j++) {
                bits[j] = *find<SPREAD>(mine, by[j].offset + x * step);
                a[j] = by[j].a, b[j] = by[j].b;
            }
            store_vector(to + e * (int)sizeof(Out), bits, a, b);
        }
    }

    DEVICE Out element(scratch *mine, int e) const
    {
        int x = (int)pixviewi_divide((uint32_t)e, args.by_channels);
        channel by = table(mine)[e - x * args.channels];
        return element(mine, by.offset + x * step, x, by.a, by.b);
    }
    DEVICE void store_padded(scratch *mine, int e, int end) const
    {
#pragma unroll 1
        for (; e < end; e += lanes * VECTOR) {
            Out all[VECTOR];
#pragma unroll
            for (int j = 0; j < VECTOR; j++)
                all[j] = element(mine, e + j);
            store_elements(to + e * (int)sizeof(Out), all);
        }
    }
};

} // namespace
