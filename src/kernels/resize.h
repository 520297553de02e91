// SPDX-License-Identifier: Apache-2.0
// Images of any size onto the canvases of a batch, between pixels or the nearest one, values changed or not.
//
// Grid:       flat in x, a block for each tile of a canvas. One lane for each axis places the image, all lanes
//             compute the taps of the tile's columns and rows, then each warp makes row after row, a lane four
//             pixels of it.
// Alignment:  the elements'. Lanes take neighbouring pixels, so that loads and stores lie side by side; where
//             pixels are interleaved and aligned, four neighbours each, which are stored as vectors. Of bytes,
//             the words around a pixel are read, if all of them lies in the row.
// Traffic:    of the source, what has a weight, in whole sectors.
#include "device.h"

namespace
{

// ---- Taps in shared memory ----------------------------------------------------------------------

enum { TAP_PADDED = -1, TAP_ONE, TAP_TWO };

struct alignas(16) resize_tap {
    int64_t first; // row; of a column, what the source makes of it
    // Of a column of bytes: the second's << 16 | the first's; else the second's, of a float.
    uint32_t weights;
    int16_t kind; // TAP_: how many have a weight
    int16_t next; // the second is the next, or at an edge the first again
};

struct resize_axis {
    int64_t begin, end; // of the canvas that the image covers
    int64_t skip, source;
    double scale;
};

struct resize_image {
    bool picks; // pixels are pixels of the image
    bool bytes; // what lies between bytes is made as cv2 does it
    // Of the tile:
    bool misses[2];               // no row of the image is on it, no column
    bool mixes;                   // two columns have a weight, somewhere
    bool edges;                   // words must not be read around all of its columns
    bool edge_of[PIXVIEWI_WARPS]; // around those of the columns that a warp computes
    int64_t first, last;          // columns of the image, as a source has them; none: first > last
    resize_axis axes[2];
};

// Between four: first row, then second.
DEVICE float mix_four(float p, float q, float r, float s, uint32_t columns, uint32_t rows)
{
    float weight = float_of_bits(columns);
    return pixviewi_mix(pixviewi_mix(p, q, weight), pixviewi_mix(r, s, weight),
                        float_of_bits(rows));
}

// Between two rows of what the columns make of bytes, as cv2 does it (pixviewi_mix_rows), in floats, of which a
// GPU does twice as many. From LIFT to twice that a float is whole: rounding down cuts off what cv2's shifts do.
constexpr float LIFT = 0x800000;
constexpr uint32_t LIFT_BITS = 0x4b000000;
constexpr float ROW_UNIT = 1.0f / 65536; // of 2048 parts
DEVICE float without_four_bits(uint32_t lifted)
{
    return multiply_add_down(float_of_bits(lifted), 1.0f / 16, LIFT - LIFT / 16);
}
// Between two columns, of the low or the high half.
DEVICE float mix_pair(uint32_t weights, uint32_t bytes, bool high)
{
    return without_four_bits(dot_pair(weights, bytes, high, LIFT_BITS));
}
DEVICE float mix_rows(float above, float below, uint32_t rows)
{
    const float b = float_of_bits(rows), a = 2048 * ROW_UNIT - b;
    float sum = multiply_add_down(above, a, LIFT + 2);
    sum = multiply_add_down(below, b, sum);
    constexpr float LIFTED = LIFT + LIFT * 2048 * ROW_UNIT; // what the sum is lifted by
    return multiply_add_down(sum, 0.25f, LIFT - LIFTED / 4) - LIFT;
}

// ---- Where a tap comes from ---------------------------------------------------------------------
//
// A source reads what the table says of an image, and loads pixels of a row: elements, or of bytes pairs of
// neighbours, channel by channel. `channel` is the first of the pixel's that is wanted.

// Elements with three steps.
template <typename T> struct plain {
    using element = T;
    using line = const char *;           // a row of the image
    using kind = pixviewi_steps;         // of the table
    static constexpr int PLANES = 1;     // addresses there
    static constexpr bool THREE = false; // are there always three channels, to be loaded together?
    struct image {
        const char *data;
        pixviewi_steps steps;
    };

    const char *data;
    pixviewi_steps steps;
    int code;

    DEVICE plain(const pixviewi_resize_args &args, const image &from, bool)
        : data(from.data), steps(from.steps), code(args.src_code)
    {
    }

    // Does it make bytes of them? The last: values are to be the nearest bytes.
    DEVICE static bool read(image &out, const kind &kind, const uint64_t *data, int64_t rows,
                            int64_t columns, bool)
    {
        out.data = (const char *)(uintptr_t)data[0];
        out.steps = kind;
        if (kind.row == PIXVIEWI_PACKED)
            out.steps.row = columns * kind.pixel;
        if (kind.channel == PIXVIEWI_PACKED)
            out.steps.channel = rows * out.steps.row;
        return has_bytes();
    }
    DEVICE static bool has_bytes() { return sizeof(T) == 1; }

    // Can all channels be loaded together?
    DEVICE bool is_mixed() const { return steps.channel == sizeof(T); }
    DEVICE line find_row(int64_t y, int channel) const
    {
        return data + y * steps.row + channel * steps.channel;
    }
    DEVICE line channel_of(line row, int channel) const { return row + channel * steps.channel; }
    template <int CHANNELS> DEVICE bool is_dense() const
    {
        return CHANNELS > 1 && steps.pixel == CHANNELS * (int)sizeof(T);
    }
    // May the three words from it on be read?
    DEVICE bool is_inside(int64_t first, int64_t columns) const
    {
        return first >= 1 && first + 4 <= columns;
    }
    // BYTES from the row.
    DEVICE int64_t find_column(int64_t x) const { return x * steps.pixel; }
    DEVICE int64_t next_column() const { return steps.pixel; }
    template <int CHANNELS> DEVICE void load_pixel(line row, int64_t column, T *out) const
    {
        const char *at = row + column;
#pragma unroll
        for (int c = 0; c < CHANNELS; c++)
            out[c] = load<T>(at + c * (int)sizeof(T));
    }

    template <int CHANNELS, typename Quad>
    DEVICE void load_quad(line row, const Quad &of, T (*out)[CHANNELS]) const
    {
#pragma unroll
        for (int k = 0; k < PIXVIEWI_QUAD; k++)
            load_pixel<CHANNELS>(row, of.first(k), out[k]);
    }

    // Of four columns each two neighbours, in ROWS rows: a word of channels (0, 0, 1, 1) and one of (2, 2, 3, 3).
    template <int CHANNELS, int ROWS, typename Quad>
    DEVICE void load_pairs(const line *rows, const Quad &of,
                           uint32_t (*out)[PIXVIEWI_QUAD][2]) const
    {
        if constexpr (CHANNELS > 1)
            if (of.inside && is_dense<CHANNELS>())
                return load_words<CHANNELS, ROWS>(rows, of, out);
#pragma unroll
        for (int i = 0; i < ROWS; i++)
#pragma unroll
            for (int k = 0; k < PIXVIEWI_QUAD; k++) {
                T p[4] = {}, q[4] = {};
                load_pixel<CHANNELS>(rows[i], of.first(k), p);
                load_pixel<CHANNELS>(rows[i], of.second(k, next_column()), q);
                out[i][k][0] =
                    permute(permute(p[0], q[0], 0x40), permute(p[1], q[1], 0x40), 0x5410);
                out[i][k][1] =
                    permute(permute(p[2], q[2], 0x40), permute(p[3], q[3], 0x40), 0x5410);
            }
    }
    template <int CHANNELS, int ROWS, typename Quad>
    DEVICE void load_words(const line *rows, const Quad &of,
                           uint32_t (*out)[PIXVIEWI_QUAD][2]) const
    {
        uint32_t words[ROWS][PIXVIEWI_QUAD][3], at[ROWS][PIXVIEWI_QUAD];
#pragma unroll
        for (int i = 0; i < ROWS; i++)
#pragma unroll
            for (int k = 0; k < PIXVIEWI_QUAD; k++) {
                const char *pixel = rows[i] + of.first(k);
                const char *word = (const char *)((uintptr_t)pixel & ~(uintptr_t)3);
                at[i][k] = (uint32_t)(uintptr_t)pixel;
#pragma unroll
                for (int j = 0; j < 3; j++)
                    words[i][k][j] = load<uint32_t>(word + 4 * j);
            }
#pragma unroll
        for (int i = 0; i < ROWS; i++)
#pragma unroll
            for (int k = 0; k < PIXVIEWI_QUAD; k++) {
                words_of_pair<CHANNELS>(words[i][k], at[i][k], out[i][k]);
            }
    }
    // Of the words around address `at`.
    template <int CHANNELS>
    DEVICE static void words_of_pair(const uint32_t *words, uint32_t at, uint32_t *out)
    {
        const int shift = (int)(at * 8);
        const uint32_t low = shift_right(words[0], words[1], shift);
        const uint32_t high = shift_right(words[1], words[2], shift);
        out[0] = permute(low, high, CHANNELS == 3 ? 0x4130 : 0x5140);
        out[1] = permute(low, high, CHANNELS == 3 ? 0x5252 : 0x7362);
    }

    // What lies between two columns of a row into the cache, if a tile wants nearly every sector of it.
    DEVICE void fetch(line row, int64_t first, int64_t last) const
    {
        const int64_t bytes = last - first + steps.pixel,
                      most = PIXVIEWI_SECTOR * PIXVIEWI_RESIZE_COLUMNS;
        if (steps.pixel > 0 && bytes <= most)
            fetch_run(row + first, (int)bytes);
    }

    template <int COUNT> DEVICE void to_values(const T *bits, float *out) const
    {
        to_floats<COUNT>(bits, sizeof(T) == 4 ? CODE_FLOAT : code, out);
    }
    // Of all types; or the bits themselves.
    template <int COUNT> DEVICE void to_nearest(const T *bits, float *out) const
    {
        to_floats<COUNT>(bits, code, out);
    }
    template <int COUNT> DEVICE void to_nearest(const T *bits, T *out) const
    {
#pragma unroll
        for (int i = 0; i < COUNT; i++)
            out[i] = bits[i];
    }
};

// ---- What becomes of a quad ---------------------------------------------------------------------

// Values, as one of to_byte and the others.
template <typename To> struct value_as {
    using out = typename To::type;
    DEVICE static out bits(float value) { return To::bits(value); }
    DEVICE static void pack_quad(const float *values, uint32_t *words)
    {
        constexpr int EACH = 4 / sizeof(out);
#pragma unroll
        for (int i = 0; i < PIXVIEWI_QUAD / EACH; i++)
            words[i] = To::word(values + EACH * i);
    }
};

// Bits.
template <typename T> struct same_bits {
    using out = T;
    DEVICE static T bits(T element) { return element; }
    DEVICE static void pack_quad(const T *elements, uint32_t *words)
    {
        pack<PIXVIEWI_QUAD>(elements, words);
    }
};

template <bool VALUES, typename T> struct held_as {
    using type = float;
};
template <typename T> struct held_as<false, T> {
    using type = T;
};

template <int CHANNELS, typename Held> DEVICE void swap_channels(Held (*all)[PIXVIEWI_QUAD])
{
    static_assert(CHANNELS > 2, "it has a third");
#pragma unroll
    for (int k = 0; k < PIXVIEWI_QUAD; k++) {
        Held first = all[0][k];
        all[0][k] = all[2][k], all[2][k] = first;
    }
}

// ---- Tiles --------------------------------------------------------------------------------------

// VALUES: pixels are values, times a plus b, of the type args.out; or bits.
template <typename Source, bool VALUES> struct resize {
    using In = typename Source::element;
    using Held = typename held_as<VALUES, In>::type;
    static constexpr int QUAD = PIXVIEWI_QUAD, LANES = PIXVIEWI_LANES;

    struct scratch {
        typename Source::image source;
        resize_image image;
        resize_tap columns[PIXVIEWI_RESIZE_COLUMNS], rows[PIXVIEWI_RESIZE_ROWS];
    };

    // The same for all lanes.
    const pixviewi_resize_args &args;
    int n;
    int32_t top, left; // of the tile
    int rows, columns; // that it has
    char *to;          // its first pixel

    DEVICE resize(const pixviewi_resize_args &args, uint32_t tile) : args(args)
    {
        uint32_t line = pixviewi_divide(tile, args.by_across);
        n = (int)pixviewi_divide(line, args.by_down);
        top = (int32_t)(line - (uint32_t)n * (uint32_t)args.down) * args.tile_rows;
        left = (int32_t)(tile - line * (uint32_t)args.across) * PIXVIEWI_RESIZE_COLUMNS;
        rows = least(args.rows - top, args.tile_rows);
        columns = least(args.columns - left, PIXVIEWI_RESIZE_COLUMNS);
        to = args.dst + n * args.dst_image + top * args.to.row + left * args.to.pixel;
    }

    DEVICE static int least(int a, int b) { return a < b ? a : b; }

    // A lane's columns.
    struct quad {
        const resize_tap *taps; // `step` apart
        int step;
        uint32_t weights[QUAD];
        uint32_t padded, two; // a bit for each
        bool inside;          // words may be read around each column of the tile

        DEVICE int64_t first(int k) const { return taps[k * step].first; }
        DEVICE int64_t second(int k, int64_t next) const
        {
            return first(k) + (two >> k & 1 ? next : 0);
        }
    };
    DEVICE static quad quad_of(const resize_tap *taps, int step, bool inside)
    {
        quad of = {taps, step, {}, 0, 0, inside};
#pragma unroll
        for (int k = 0; k < QUAD; k++) {
            const resize_tap &tap = taps[k * step];
            of.weights[k] = tap.weights;
            of.padded |= (uint32_t)(tap.kind == TAP_PADDED) << k;
            of.two |= (uint32_t)tap.next << k;
        }
        return of;
    }

    // ---- the image ----

    // An extent of image n: [0] and [1] of the image, [2] and [3] of what it is resized to, if the host says so.
    DEVICE int64_t extent(const void *extents, int which) const
    {
        const int at = n * (args.sized ? 4 : 2) + which;
        return args.large ? ((const uint32_t *)extents)[at] : ((const uint16_t *)extents)[at];
    }

    // A lane for each axis, and at the same time one of another warp for what the source makes of the table.
    DEVICE void place_image(scratch *mine, int lane) const
    {
        if (lane > 1 && lane != LANES)
            return;
        const typename Source::kind *kinds = (const typename Source::kind *)args.table;
        const uint64_t *data = (const uint64_t *)(kinds + args.kinds);
        const uint64_t *extents = data + Source::PLANES * args.images;
        const uint8_t *kind =
            (const uint8_t *)extents + args.images * (args.sized ? 4 : 2) * (args.large ? 4 : 2);
        pixviewi_axis h = {extent(extents, 0), args.rows, 0, 0};
        pixviewi_axis w = {extent(extents, 1), args.columns, 0, 0};
        h.resized = args.sized ? extent(extents, 2) : h.source;
        w.resized = args.sized ? extent(extents, 3) : w.source;
        if (args.fit.fit == PIXVIEWI_FIT_STRETCH) {
            pixviewi_stretch(&h, args.fit.no_scaleup);
            pixviewi_stretch(&w, args.fit.no_scaleup);
        }
        const bool as_is = h.resized == h.source && w.resized == w.source;
        const bool picks = !VALUES || args.nearest || as_is;
        if (lane == LANES) {
            mine->image.bytes =
                Source::read(mine->source, kinds[kind[n]], data + Source::PLANES * n, h.source,
                             w.source, picks && args.is_identity);
            return;
        }
        pixviewi_axis own = lane ? w : h;
        pixviewi_align(&own, args.fit.center);
        int64_t begin = pixviewi_axis_begin(&own);
        const int64_t end = begin + pixviewi_axis_length(&own), from = lane ? left : top;
        mine->image.misses[lane] = end <= from || begin - from >= (lane ? columns : rows);
        mine->image.axes[lane] = {begin, end, own.skip, own.source,
                                  pixviewi_tap_scale(own.source, own.resized)};
        if (lane)
            return;
        mine->image.picks = picks;
        mine->image.mixes = false;
        mine->image.edges = false;
        for (int i = 0; i < PIXVIEWI_WARPS; i++)
            mine->image.edge_of[i] = false;
        mine->image.first = 0;
        mine->image.last = -1;
    }

    // ---- taps ----

    DEVICE static resize_tap tap_of(const resize_image &image, int64_t at, bool is_row)
    {
        const resize_axis axis = image.axes[!is_row];
        const int64_t d = at + axis.skip;
        if (at < axis.begin || at >= axis.end)
            return {0, 0, TAP_PADDED, 0};
        if (image.picks)
            return {pixviewi_nearest_tap(d, axis.source, axis.scale), 0, TAP_ONE, 0};
        if (image.bytes)
            return byte_tap(pixviewi_byte_tap(d, axis.source, axis.scale, is_row), is_row);
        return float_tap(pixviewi_float_tap(d, axis.source, axis.scale));
    }

    // What has no weight is not read. Twice the same row is not the same as once: each is rounded.
    DEVICE static resize_tap byte_tap(const pixviewi_tap &tap, bool is_row)
    {
        const bool one = tap.b == 0 || tap.a == 0;
        const uint32_t b = one ? 0 : (uint32_t)tap.b;
        return {tap.a == 0 ? tap.second : tap.first,
                is_row ? bits_of_float((float)b * ROW_UNIT) : b << 16 | (2048 - b),
                (int16_t)(one ? TAP_ONE : TAP_TWO), (int16_t)(!one && tap.second > tap.first)};
    }
    DEVICE static resize_tap float_tap(const pixviewi_tap &tap)
    {
        const bool one = tap.weight == 0;
        return {tap.first, bits_of_float(tap.weight), (int16_t)(one ? TAP_ONE : TAP_TWO),
                (int16_t)(!one && tap.second > tap.first)};
    }

    DEVICE void fill_taps(scratch *mine, int lane) const
    {
        fill_column(Source(args, mine->source, mine->image.bytes), mine, lane);
        if (lane < rows)
            mine->rows[lane] = tap_of(mine->image, (int64_t)top + lane, true);
    }

    DEVICE void fill_column(const Source &source, scratch *mine, int lane) const
    {
        static_assert((int)PIXVIEWI_RESIZE_COLUMNS == (int)PIXVIEWI_THREADS,
                      "a column for each lane");
        const int64_t x = (int64_t)left + lane;
        resize_tap column = tap_of(mine->image, x, false);
        if (column.kind == TAP_TWO)
            mine->image.mixes = true;
        if (column.kind == TAP_PADDED)
            column.first = source.is_inside(1, mine->image.axes[1].source); // it is loaded, too
        if (!source.is_inside(column.first, mine->image.axes[1].source))
            mine->image.edges = mine->image.edge_of[lane / LANES] = true;
        column.first = source.find_column(column.first);
        mine->columns[lane] = column;
        const resize_axis &axis = mine->image.axes[1];
        const int64_t begin = axis.begin > left ? axis.begin : left;
        const int64_t end = axis.end < left + columns ? axis.end : left + columns;
        if (x == begin)
            mine->image.first = column.first;
        if (x == end - 1)
            mine->image.last = column.first + column.next * source.next_column();
    }

    // ---- padding ----

    // Is the tile's padding all that it has, and filled by vectors?
    DEVICE bool is_filled(const scratch *mine) const
    {
        return args.fills && (mine->image.misses[0] || mine->image.misses[1]);
    }

    DEVICE void fill_tile(int lane) const
    {
        if constexpr (!VALUES)
            fill_planes<same_bits<In>>(lane);
        else if (args.out == PIXVIEWI_TO_F16)
            fill_planes<value_as<to_half>>(lane);
        else if (args.out == PIXVIEWI_TO_BF16)
            fill_planes<value_as<to_bfloat>>(lane);
        else if (sizeof(In) == 2 && args.out == PIXVIEWI_TO_U16)
            fill_planes<value_as<to_short>>(lane);
        else
            fill_planes<value_as<to_byte>>(lane);
    }
    template <typename To> DEVICE void fill_planes(int lane) const
    {
        constexpr int SIZE = sizeof(typename To::out);
        const int x = lane % LANES * QUAD, first = lane / LANES;
        if constexpr (SIZE < 4)
#pragma unroll 1
            for (int c = 0; c < args.channels; c++) {
                const Held pad = pad_of(c), quad[QUAD] = {pad, pad, pad, pad};
                char *at = to + plane_of(c) + first * args.to.row + x * SIZE;
#pragma unroll 1
                for (int y = first; y < rows;
                     y += PIXVIEWI_WARPS, at += PIXVIEWI_WARPS * args.to.row)
                    if (x + QUAD <= columns)
                        stream_quad<To>(at, quad);
                    else
                        for (int k = 0; k < columns - x; k++)
                            store(at + k * SIZE, To::bits(pad));
            }
    }

    // ---- pixels ----

    DEVICE void store_tile(const scratch *mine, int lane) const
    {
        const Source source(args, mine->source, mine->image.bytes);
        if constexpr (Source::THREE) {
            store_rows<3>(source, mine, lane, 0);
        } else {
            if constexpr (sizeof(In) <= 4) { // as many registers as there are
                if (args.channels == 3 && source.is_mixed())
                    return store_rows<3>(source, mine, lane, 0);
                if (args.channels == 4 && source.is_mixed())
                    return store_rows<4>(source, mine, lane, 0);
            }
#pragma unroll 1
            for (int c = 0; c < args.channels; c++)
                store_rows<1>(source, mine, lane, c);
        }
    }

    // What a warp's rows are made of is on its way before they are.
    DEVICE void fetch_rows(const Source &source, const scratch *mine, int lane, int channel) const
    {
        const int y = lane / LANES + lane % LANES / 2 * PIXVIEWI_WARPS, second = lane % 2;
        const resize_image &image = mine->image;
        if (y < rows && mine->rows[y].kind >= TAP_ONE && mine->rows[y].next >= second &&
            image.first <= image.last)
            source.fetch(source.find_row(mine->rows[y].first + second, channel), image.first,
                         image.last);
    }

    // Channels from `channel` on.
    template <int CHANNELS>
    DEVICE void store_rows(const Source &source, const scratch *mine, int lane, int channel) const
    {
        const bool vectors = args.form == PIXVIEWI_BY_PIXELS && CHANNELS > 1;
        const int x = vectors ? lane % LANES * QUAD : lane % LANES, step = vectors ? 1 : LANES;
        if (x >= columns)
            return;
        const quad of = quad_of(&mine->columns[x], step, !mine->image.edges);
        const bool whole = vectors && x + QUAD <= columns;
        const bool picks = mine->image.picks, mixes = mine->image.mixes;
        int y = lane / LANES;
        char *at = to + y * args.to.row + x * args.to.pixel;
        fetch_rows(source, mine, lane, channel);
#pragma unroll 1
        for (; y < rows; y += PIXVIEWI_WARPS, at += PIXVIEWI_WARPS * args.to.row) {
            Held all[CHANNELS][QUAD];
            const resize_tap row = mine->rows[y];
            if (row.kind != TAP_PADDED)
                make_quad<CHANNELS>(source, row, of, channel,
                                    picks || (!mixes && row.kind == TAP_ONE), all);
            if (row.kind == TAP_PADDED || of.padded)
                put_padding<CHANNELS>(row.kind == TAP_PADDED ? 15 : of.padded, channel, all);
            store_as_told<CHANNELS>(at, channel, all, whole, step, columns - x);
        }
    }

    // ---- values ----

    DEVICE static int entry_of(int channel)
    {
        return channel < PIXVIEWI_TILE_CHANNELS ? channel : 0; // more have one a and b
    }

    DEVICE int64_t plane_of(int channel) const
    {
        return channel < 4 ? args.planes[channel] : channel * args.to.channel;
    }

    DEVICE Held pad_of(int channel) const
    {
        if constexpr (VALUES)
            return multiply_add(args.pad, args.a[entry_of(channel)], args.b[entry_of(channel)]);
        else
            return *(const In *)args.pad_bits;
    }

    template <int CHANNELS>
    DEVICE void put_padding(uint32_t padded, int channel, Held (*all)[QUAD]) const
    {
#pragma unroll
        for (int c = 0; c < CHANNELS; c++) {
            Held pad = pad_of(channel + c);
#pragma unroll
            for (int k = 0; k < QUAD; k++)
                if (padded >> k & 1)
                    all[c][k] = pad;
        }
    }

    // What is padded is loaded from the first column.
    template <int CHANNELS>
    DEVICE void make_quad(const Source &source, const resize_tap &row, const quad &of, int channel,
                          bool picks, Held (*all)[QUAD]) const
    {
        if constexpr (VALUES && sizeof(In) <= 4) {
            if (picks)
                pick_quad<CHANNELS>(source, row, of, channel, all);
            else if (source.has_bytes())
                mix_quad<CHANNELS>(source, row, of, channel, all);
            else
                mix_floats<CHANNELS>(source, row, of, channel, all);
        } else {
            pick_quad<CHANNELS>(source, row, of, channel, all);
        }
        if constexpr (VALUES)
#pragma unroll
            for (int c = 0; c < CHANNELS; c++) {
                const float a = args.a[entry_of(channel + c)], b = args.b[entry_of(channel + c)];
#pragma unroll
                for (int k = 0; k < QUAD; k++)
                    all[c][k] = multiply_add(all[c][k], a, b);
            }
    }

    template <int CHANNELS>
    DEVICE void pick_quad(const Source &source, const resize_tap &row, const quad &of, int channel,
                          Held (*all)[QUAD]) const
    {
        In bits[QUAD][CHANNELS];
        Held values[QUAD][CHANNELS];
        source.template load_quad<CHANNELS>(source.find_row(row.first, channel), of, bits);
        source.template to_nearest<QUAD * CHANNELS>(bits[0], values[0]);
#pragma unroll
        for (int i = 0; i < QUAD * CHANNELS; i++)
            all[i % CHANNELS][i / CHANNELS] = values[i / CHANNELS][i % CHANNELS];
    }

    template <int CHANNELS>
    DEVICE void mix_quad(const Source &source, const resize_tap &row, const quad &of, int channel,
                         float (*all)[QUAD]) const
    {
        uint32_t pairs[2][QUAD][2];
        const typename Source::line lines[] = {source.find_row(row.first, channel),
                                               source.find_row(row.first + row.next, channel)};
        if (row.kind == TAP_ONE) {
            source.template load_pairs<CHANNELS, 1>(lines, of, pairs);
#pragma unroll
            for (int k = 0; k < QUAD; k++)
                pairs[1][k][0] = pairs[0][k][0], pairs[1][k][1] = pairs[0][k][1];
        } else
            source.template load_pairs<CHANNELS, 2>(lines, of, pairs);
#pragma unroll
        for (int c = 0; c < CHANNELS; c++)
#pragma unroll
            for (int k = 0; k < QUAD; k++)
                all[c][k] =
                    mix_rows(mix_pair(of.weights[k], pairs[0][k][c / 2], c % 2),
                             mix_pair(of.weights[k], pairs[1][k][c / 2], c % 2), row.weights);
    }

    template <int CHANNELS>
    DEVICE void mix_floats(const Source &source, const resize_tap &row, const quad &of, int channel,
                           float (*all)[QUAD]) const
    {
        // Pixels whose loads are under way together: as many as there are registers for.
        constexpr int MANY = CHANNELS == 1 ? QUAD : QUAD / 2;
        typename Source::line above = source.find_row(row.first, channel),
                              below = source.find_row(row.first + row.next, channel);
#pragma unroll
        for (int k = 0; k < QUAD; k += MANY) {
            In bits[MANY][4][CHANNELS];
            float v[MANY][4][CHANNELS];
#pragma unroll
            for (int j = 0; j < MANY; j++) {
                const int64_t first = of.first(k + j),
                              second = of.second(k + j, source.next_column());
                source.template load_pixel<CHANNELS>(above, first, bits[j][0]);
                source.template load_pixel<CHANNELS>(above, second, bits[j][1]);
                source.template load_pixel<CHANNELS>(below, first, bits[j][2]);
                source.template load_pixel<CHANNELS>(below, second, bits[j][3]);
            }
            source.template to_values<MANY * 4 * CHANNELS>(bits[0][0], v[0][0]);
#pragma unroll
            for (int j = 0; j < MANY; j++)
#pragma unroll
                for (int c = 0; c < CHANNELS; c++)
                    all[c][k + j] = mix_four(v[j][0][c], v[j][1][c], v[j][2][c], v[j][3][c],
                                             of.weights[k + j], row.weights);
        }
    }

    // ---- out ----

    // `whole`: as vectors. Else pixels are `step` apart, and those from `count` on are outside.
    template <int CHANNELS>
    DEVICE void store_as_told(char *at, int channel, Held (*all)[QUAD], bool whole, int step,
                              int count) const
    {
        if constexpr (!VALUES)
            store_as<same_bits<In>, CHANNELS>(at, channel, all, whole, step, count);
        else if (args.out == PIXVIEWI_TO_F32)
            store_as<value_as<to_float>, CHANNELS>(at, channel, all, whole, step, count);
        else if (args.out == PIXVIEWI_TO_F16)
            store_as<value_as<to_half>, CHANNELS>(at, channel, all, whole, step, count);
        else if (args.out == PIXVIEWI_TO_BF16)
            store_as<value_as<to_bfloat>, CHANNELS>(at, channel, all, whole, step, count);
        else if (sizeof(In) == 2 && args.out == PIXVIEWI_TO_U16)
            store_as<value_as<to_short>, CHANNELS>(at, channel, all, whole, step, count);
        else
            store_as<value_as<to_byte>, CHANNELS>(at, channel, all, whole, step, count);
    }

    template <typename To, int CHANNELS>
    DEVICE void store_as(char *at, int channel, Held (*all)[QUAD], bool whole, int step,
                         int count) const
    {
        if constexpr (CHANNELS > 1) {
            if (whole && args.swap)
                swap_channels<CHANNELS>(all);
            if (whole)
                return store_pixels<To, CHANNELS>(at, all);
        }
        if (args.form == PIXVIEWI_BY_PLANES)
            store_elements<To, CHANNELS>(at, channel, all, LANES, sizeof(typename To::out), count);
        else
            store_elements<To, CHANNELS>(at, channel, all, step, args.to.pixel, count);
    }

    template <typename To> DEVICE static void stream_quad(char *at, const Held *quad)
    {
        constexpr int SIZE = sizeof(typename To::out);
        uint32_t words[QUAD * SIZE / 4];
        To::pack_quad(quad, words);
        if constexpr (SIZE == 1)
            stream(at, words[0]);
        else
            stream_words<SIZE == 2 ? 8 : 16>(at, words);
        if constexpr (SIZE == 8)
            stream_words<16>(at + 16, words + 4);
    }

    template <typename To, int CHANNELS>
    DEVICE static void store_pixels(char *at, const Held (*all)[QUAD])
    {
        Held mixed[QUAD * CHANNELS];
#pragma unroll
        for (int i = 0; i < QUAD * CHANNELS; i++)
            mixed[i] = all[i % CHANNELS][i / CHANNELS];
#pragma unroll
        for (int c = 0; c < CHANNELS; c++)
            stream_quad<To>(at + c * QUAD * (int)sizeof(typename To::out), mixed + c * QUAD);
    }

    template <typename To, int CHANNELS>
    DEVICE void store_elements(char *at, int channel, const Held (*all)[QUAD], int step,
                               int64_t pixel, int count) const
    {
#pragma unroll
        for (int c = 0; c < CHANNELS; c++) {
            char *to = at + plane_of(channel + c);
#pragma unroll
            for (int k = 0; k < QUAD; k++)
                if (k * step < count)
                    store(to + k * step * pixel, To::bits(all[c][k]));
        }
    }
};

// A block makes a tile.
#ifdef __CUDACC__
template <typename Kernel> DEVICE void resize_tiles(const pixviewi_resize_args &args)
{
    __shared__ typename Kernel::scratch scratch;
    Kernel kernel(args, blockIdx.x);
    kernel.place_image(&scratch, threadIdx.x);
    __syncthreads();
    if (kernel.is_filled(&scratch))
        return kernel.fill_tile(threadIdx.x);
    kernel.fill_taps(&scratch, threadIdx.x);
    __syncthreads();
    kernel.store_tile(&scratch, threadIdx.x);
}
#endif

} // namespace
