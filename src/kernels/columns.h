// SPDX-License-Identifier: Apache-2.0
// Images of any size, as in resize.h, where there is more to compute than to read: bytes that are not made much smaller,
// and video frames. Comes after both.
//
// Grid:       as in resize.h. But a lane goes down a column, and keeps what its two columns make of two rows of the
//             image for the next pixel. A row that no other has used is waited for on the spot, so this needs many
//             warps, few registers, and little code.
// Alignment:  the elements'. Of bytes, the words around a pixel are read, if all of them lies in the row.
// Traffic:    of the source, what has a weight, in whole sectors.
namespace
{

// ---- What a lane loads --------------------------------------------------------------------------
//
// Where a lane's column is, and types that load of a row a pixel, or the column's two neighbours. T: of a sample.

template <typename Source> struct column_of;

template <> struct column_of<plain<uint8_t>> {
    static constexpr bool HAS_WORDS = true;
    using source = plain<uint8_t>;
    int64_t first, second; // BYTES from the row

    DEVICE column_of(const source &from, const resize_tap &tap, int channel)
        : first(tap.first + channel * from.steps.channel),
          second(first + (tap.next ? from.steps.pixel : 0))
    {
    }

    template <typename T, int CHANNELS> struct pixel {
        T of[CHANNELS];

        DEVICE void load_from(const source &from, source::line row, const column_of &at)
        {
            from.load_pixel<CHANNELS>(row, at.first, of);
        }
        DEVICE void to_values(const source &from, float *out) const
        {
            from.to_nearest<CHANNELS>(of, out);
        }
    };

    template <typename T, int CHANNELS> struct pair {
        T p[CHANNELS], q[CHANNELS];

        DEVICE void load_from(const source &from, source::line row, const column_of &at)
        {
            from.load_pixel<CHANNELS>(row, at.first, p);
            from.load_pixel<CHANNELS>(row, at.second, q);
        }
        // Of channels (0, 0, 1, 1) and (2, 2, 3, 3).
        DEVICE void to_words(const source &, uint32_t *out) const
        {
            uint32_t both[4] = {};
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
                both[c] = permute(p[c], q[c], 0x40);
            out[0] = permute(both[0], both[1], 0x5410);
            out[1] = permute(both[2], both[3], 0x5410);
        }
        DEVICE void to_values(const source &from, float *first, float *second) const
        {
            from.to_values<CHANNELS>(p, first);
            from.to_values<CHANNELS>(q, second);
        }
    };

    // A pair of a dense row.
    template <int CHANNELS> struct words {
        uint32_t of[3], at;

        DEVICE void load_from(const source &, source::line row, const column_of &column)
        {
            const char *pixel = row + column.first;
            const char *word = (const char *)((uintptr_t)pixel & ~(uintptr_t)3);
            at = (uint32_t)(uintptr_t)pixel;
#pragma unroll
            for (int j = 0; j < 3; j++)
                of[j] = load<uint32_t>(word + 4 * j);
        }
        DEVICE void to_words(const source &, uint32_t *out) const
        {
            source::words_of_pair<CHANNELS>(of, at, out);
        }
    };
};

template <> struct column_of<frames> {
    static constexpr bool HAS_WORDS = false;
    int64_t first[3], second[3]; // of Y, U and V: BYTES from the row

    DEVICE column_of(const frames &from, const resize_tap &tap, int)
    {
#pragma unroll
        for (int part = 0; part < 3; part++) {
            first[part] = from.offset(part, tap.first);
            second[part] = from.offset(part, tap.first + tap.next);
        }
    }

    template <typename T> struct samples {
        int32_t of[3];

        DEVICE void load_from(const frames::line &row, const int64_t *at)
        {
#pragma unroll
            for (int part = 0; part < 3; part++)
                of[part] = load<T>(row.of[part] + at[part]);
        }
    };

    template <typename T, int CHANNELS> struct pixel {
        samples<T> only;

        DEVICE void load_from(const frames &, const frames::line &row, const column_of &at)
        {
            only.load_from(row, at.first);
        }
        DEVICE void to_values(const frames &source, float *out) const
        {
            int32_t sums[3];
            source.make_sums<T>(only.of, sums);
            source.to_nearest<3>(sums, out);
        }
    };

    template <typename T, int CHANNELS> struct pair {
        samples<T> one, two;

        DEVICE void load_from(const frames &, const frames::line &row, const column_of &at)
        {
            one.load_from(row, at.first);
            two.load_from(row, at.second);
        }
        DEVICE void to_words(const frames &source, uint32_t *out) const
        {
            int32_t p[3], q[3];
            source.make_sums<T>(one.of, p);
            source.make_sums<T>(two.of, q);
            out[0] = bytes_of_sums(p[0], q[0], p[1], q[1]);
            out[1] = bytes_of_sums(p[2], q[2], 0, 0);
        }
        DEVICE void to_values(const frames &source, float *first, float *second) const
        {
            int32_t p[3], q[3];
            source.make_sums<T>(one.of, p);
            source.make_sums<T>(two.of, q);
            source.to_values<3>(p, first);
            source.to_values<3>(q, second);
        }
    };
};

// ---- Tiles --------------------------------------------------------------------------------------

// What a row of the canvas needs that the one above it has not left.
enum {
    ROW_LOADS_FIRST = 1,
    ROW_MOVES = 2, // its first is the second of the one above
    ROW_LOADS_SECOND = 4,
    ROW_LOADS = ROW_LOADS_FIRST | ROW_LOADS_SECOND
};

template <typename Source> struct resize_columns : resize<Source, true> {
    using base = resize<Source, true>;
    using column = column_of<Source>;
    using base::args, base::columns, base::rows, base::to, base::top;
    using base::LANES, base::QUAD;

    // Its rows are of the image also where they have no weight.
    struct alignas(16) row {
        typename Source::line first, second;
        uint32_t weight, does; // ROW_
    };
    struct scratch : base::scratch {
        row lines[PIXVIEWI_RESIZE_ROWS + PIXVIEWI_QUAD]; // some more, which a quad may reach
    };

    DEVICE resize_columns(const pixviewi_resize_args &args, uint32_t tile) : base(args, tile) {}

    DEVICE void fill_taps(scratch *mine, int lane) const
    {
        const Source source(args, mine->source, mine->image.bytes);
        this->fill_column(source, mine, lane);
        const int y = PIXVIEWI_THREADS - 1 - lane; // the last warp has the fewest columns
        if (y < rows + QUAD - 1)
            fill_line(source, mine, y);
    }

    DEVICE void fill_line(const Source &source, scratch *mine, int y) const
    {
        resize_tap before = {0, 0, TAP_PADDED, 0};
        if (y > 0)
            before = this->tap_of(mine->image, (int64_t)top + y - 1, true);
        const resize_tap tap = this->tap_of(mine->image, (int64_t)top + y, true);
        const int64_t above = before.kind == TAP_PADDED ? -1 : before.first;
        const int64_t below = before.kind == TAP_TWO ? before.first + before.next : -1;
        const int64_t second = tap.first + tap.next;
        uint32_t does = 0;
        if (tap.kind >= TAP_ONE && tap.first != above)
            does = tap.first == below ? ROW_MOVES : ROW_LOADS_FIRST;
        if (tap.kind == TAP_TWO) {
            does |= second != below ? ROW_LOADS_SECOND : 0;
            mine->image.mixes = true;
        }
        mine->lines[y] = {source.find_row(tap.first, 0), source.find_row(second, 0), tap.weights,
                          does};
    }

    DEVICE void store_tile(const scratch *mine, int lane) const
    {
        const Source source(args, mine->source, mine->image.bytes);
        if constexpr (Source::THREE) {
            store_rows<3>(source, mine, lane, 0);
        } else {
            if (args.channels == 3 && source.is_mixed())
                return store_rows<3>(source, mine, lane, 0);
#pragma unroll 1
            for (int c = 0; c < args.channels; c++)
                store_rows<1>(source, mine, lane, c);
        }
    }

    // What the rows are made of is on its way before they are.
    DEVICE void fetch_lines(const Source &source, const scratch *mine, int lane, int channel) const
    {
        const resize_image &image = mine->image;
        const row &row = mine->lines[lane / 2];
        if (lane / 2 < rows && image.first <= image.last &&
            row.does & (lane % 2 ? ROW_LOADS_SECOND : ROW_LOADS_FIRST))
            source.fetch(source.channel_of(lane % 2 ? row.second : row.first, channel), image.first,
                         image.last);
    }

    // ---- out ----

    // A lane's pixels, on their way out.
    template <int CHANNELS> struct writer {
        const resize_columns &by;
        char *to; // of the tile's first row
        int channel;

        DEVICE void pad_rows(int y, int end) const
        {
            float all[CHANNELS][QUAD];
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
#pragma unroll
                for (int k = 0; k < QUAD; k++)
                    all[c][k] = by.pad_of(channel + c);
            char *at = row_of(y);
#pragma unroll 1
            for (; y < end; y += QUAD, at += QUAD * by.args.to.row)
                store_all<QUAD>(at, end - y, all);
        }
        DEVICE char *row_of(int y) const { return to + y * by.args.to.row; }

        // Before they are scaled: `count` of them, of rows from that at `at` on.
        template <int MOST> DEVICE void put(char *at, int count, float (*all)[MOST]) const
        {
#pragma unroll
            for (int c = 0; c < CHANNELS; c++) {
                const int entry = base::entry_of(channel + c);
#pragma unroll
                for (int k = 0; k < MOST; k++)
                    all[c][k] = multiply_add(all[c][k], by.args.a[entry], by.args.b[entry]);
            }
            store_all(at, count, all);
        }

        template <int MOST>
        DEVICE void store_all(char *at, int count, const float (*all)[MOST]) const
        {
            if (by.args.out == PIXVIEWI_TO_F32)
                store_as<to_float>(at, count, all);
            else if (by.args.out == PIXVIEWI_TO_F16)
                store_as<to_half>(at, count, all);
            else if (by.args.out == PIXVIEWI_TO_BF16)
                store_as<to_bfloat>(at, count, all);
            else
                store_as<to_byte>(at, count, all);
        }
        template <typename To, int MOST>
        DEVICE void store_as(char *at, int count, const float (*all)[MOST]) const
        {
#pragma unroll
            for (int c = 0; c < CHANNELS; c++) {
                char *to = at + by.plane_of(channel + c);
#pragma unroll
                for (int k = 0; k < MOST; k++, to += by.args.to.row)
                    if (MOST == 1 || k < count)
                        store(to, To::bits(all[c][k]));
            }
        }
    };

    // ---- rows ----

    // Channels from `channel` on.
    template <int CHANNELS>
    DEVICE void store_rows(const Source &source, const scratch *mine, int lane, int channel) const
    {
        const resize_image &image = mine->image;
        fetch_lines(source, mine, lane, channel);
        if (lane >= columns)
            return;
        const resize_tap &tap = mine->columns[lane];
        int begin = most(image.axes[0].begin - top, 0), end = least(image.axes[0].end - top, rows);
        if (tap.kind == TAP_PADDED)
            end = begin = 0;
        const writer<CHANNELS> out = {*this, to + lane * args.to.pixel, channel};
        out.pad_rows(0, least(begin, rows));
        if (begin < end) {
            const column at(source, tap, channel);
            const bool inside = !image.edge_of[lane / LANES];
            if constexpr (!Source::THREE)
                make_rows<uint8_t>(source, mine, at, tap.weights, inside, begin, end, out);
            else if (source.from.wide)
                make_rows<uint16_t>(source, mine, at, tap.weights, inside, begin, end, out);
            else
                make_rows<uint8_t>(source, mine, at, tap.weights, inside, begin, end, out);
        }
        out.pad_rows(most(end, 0), rows);
    }
    DEVICE static int least(int64_t a, int b) { return a < b ? (int)a : b; }
    DEVICE static int most(int64_t a, int b) { return a > b ? (int)a : b; }

    // `inside`: words may be read around each of the warp's columns.
    template <typename T, int CHANNELS>
    DEVICE static void make_rows(const Source &source, const scratch *mine, const column &at,
                                 uint32_t weights, bool inside, int y, int end,
                                 const writer<CHANNELS> &out)
    {
        using pair = typename column::template pair<T, CHANNELS>;
        if (mine->image.picks || !mine->image.mixes)
            return pick_rows<typename column::template pixel<T, CHANNELS>>(source, mine, at, y, end,
                                                                           out);
        if (!source.has_bytes())
            return mix_rows<pair, false>(source, mine, at, weights, y, end, out);
        if constexpr (column::HAS_WORDS && CHANNELS > 1)
            if (inside && source.template is_dense<CHANNELS>())
                return mix_rows<typename column::template words<CHANNELS>, true>(
                    source, mine, at, weights, y, end, out);
        mix_rows<pair, true>(source, mine, at, weights, y, end, out);
    }

    template <typename Pixel, int CHANNELS>
    DEVICE static void pick_rows(const Source &source, const scratch *mine, const column &at, int y,
                                 int end, const writer<CHANNELS> &out)
    {
        char *to = out.row_of(y);
#pragma unroll 1
        for (; y < end; y += QUAD, to += QUAD * out.by.args.to.row) {
            Pixel pixels[QUAD];
#pragma unroll
            for (int k = 0; k < QUAD; k++)
                pixels[k].load_from(source, mine->lines[y + k].first, at);
            float all[CHANNELS][QUAD];
#pragma unroll
            for (int k = 0; k < QUAD; k++) {
                float values[CHANNELS];
                pixels[k].to_values(source, values);
#pragma unroll
                for (int c = 0; c < CHANNELS; c++)
                    all[c][k] = values[c];
            }
            out.template put<QUAD>(to, end - y, all);
        }
    }

    template <typename Pair, bool BYTES, int CHANNELS>
    DEVICE static void mix_rows(const Source &source, const scratch *mine, const column &at,
                                uint32_t weights, int y, int end, const writer<CHANNELS> &out)
    {
        float kept[2][CHANNELS] = {}; // what the columns make of the two rows
        char *to = out.row_of(y);
#pragma unroll 1
        for (; y < end; y++, to += out.by.args.to.row) {
            float all[CHANNELS][1];
            const row &row = mine->lines[y];
            keep_rows<Pair, BYTES>(source, row, at, weights, kept);
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
                all[c][0] = BYTES ? ::mix_rows(kept[0][c], kept[1][c], row.weight)
                                  : pixviewi_mix(kept[0][c], kept[1][c], float_of_bits(row.weight));
            out.template put<1>(to, 1, all);
        }
    }

    // All lanes go the same way. What a branch loads is used up in it: else its registers were taken in all others.
    template <typename Pair, bool BYTES, int CHANNELS>
    DEVICE static void keep_rows(const Source &source, const row &row, const column &at,
                                 uint32_t weights, float (*kept)[CHANNELS])
    {
        if ((row.does & ROW_LOADS) == ROW_LOADS) {
            Pair first, second;
            first.load_from(source, row.first, at);
            second.load_from(source, row.second, at);
            mix_columns<BYTES>(source, first, weights, kept[0]);
            mix_columns<BYTES>(source, second, weights, kept[1]);
            return;
        }
        if (row.does & ROW_MOVES)
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
                kept[0][c] = kept[1][c];
        if (row.does & ROW_LOADS_SECOND) {
            Pair second;
            second.load_from(source, row.second, at);
            mix_columns<BYTES>(source, second, weights, kept[1]);
        } else if (row.does & ROW_LOADS_FIRST) {
            Pair first;
            first.load_from(source, row.first, at);
            mix_columns<BYTES>(source, first, weights, kept[0]);
        }
    }

    template <bool BYTES, typename Pair, int CHANNELS>
    DEVICE static void mix_columns(const Source &source, const Pair &pair, uint32_t weights,
                                   float (&out)[CHANNELS])
    {
        if constexpr (BYTES) {
            uint32_t words[2];
            pair.to_words(source, words);
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
                out[c] = mix_pair(weights, words[c / 2], c % 2);
        } else {
            float p[CHANNELS], q[CHANNELS];
            pair.to_values(source, p, q);
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
                out[c] = pixviewi_mix(p[c], q[c], float_of_bits(weights));
        }
    }
};

} // namespace
