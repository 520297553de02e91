// SPDX-License-Identifier: Apache-2.0
// Images of any size onto the canvases of a batch by tables of weights: area and Pillow's filters. Comes after
// resize.h, whose vectors it stores.
//
// Grid:       flat in x, a block for each tile of 32 columns and up to 32 rows of a canvas; images that have fewer
//             tiles than others leave blocks without work. A block goes over the lines of the source that its tile
//             needs, as many at a time as its shared memory holds between the passes. Each warp takes some of them,
//             copies a span of each, split into channels, to shared memory, and sums for a column a lane. Then
//             all threads add these lines to their pixels, which stay in registers.
// Alignment:  the elements'. Where four pixels (or some lines) lie side by side, they are loaded as words, shifted
//             if they are not aligned to them. Stores are as of the kernels that resize.
// Traffic:    each byte of the source once, and once more what two tiles need; the result once.
#include "device.h"

namespace
{

// ---- How a way sums -----------------------------------------------------------------------------

// Bytes, each pass rounded to bytes.
struct pillow {
    using element = uint8_t;
    using kept = uint8_t;           // of a line, between the passes
    static constexpr int GROUP = 4; // pixels of an entry's `first` and `count`
    using sum = uint32_t;

    DEVICE static sum nothing() { return 1 << 21; }
    DEVICE static uint32_t clip(uint32_t sum)
    {
        int32_t value = (int32_t)sum >> 22;
        return (uint32_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    DEVICE static kept keep(sum s) { return (kept)clip(s); }
    DEVICE static float value(sum s) { return (float)clip(s); }

    // Four elements of a line.
    DEVICE static void add_line(const char *line, uint32_t weight, sum *sums)
    {
        uint32_t bytes = *(const uint32_t *)line;
#pragma unroll
        for (int k = 0; k < 4; k++)
            sums[k] += weight * (bytes >> 8 * k & 255);
    }
};

// Floats, in the order of the specification.
template <typename T> struct area {
    using element = T;
    using kept = float;
    static constexpr int GROUP = 1;
    using sum = float;

    DEVICE static sum nothing() { return 0; }
    DEVICE static kept keep(sum s) { return s; }
    DEVICE static float value(sum s) { return sizeof(T) == 1 ? (float)to_byte::bits(s) : s; }

    DEVICE static void add_line(const char *line, uint32_t weight, sum *sums)
    {
        const uint4 words = *(const uint4 *)line;
        const uint32_t bits[] = {words.x, words.y, words.z, words.w};
#pragma unroll
        for (int k = 0; k < 4; k++)
            sums[k] = multiply_add(float_of_bits(weight), float_of_bits(bits[k]), sums[k]);
    }
};

// ---- Words of a source --------------------------------------------------------------------------

// COUNT words of memory that need not be aligned to them. First all loads of several runs, then what comes of them, so
// that they are under way together.
template <int COUNT> struct run_of_words {
    const char *aligned;
    int beyond; // BYTES of the first word that are not wanted
    uint32_t words[COUNT + 1];

    DEVICE void begin(const char *at)
    {
        beyond = (int)((uintptr_t)at & 3);
        aligned = at - beyond;
    }
    DEVICE void load_all(int64_t offset) // BYTES, a multiple of 4
    {
#pragma unroll
        for (int i = 0; i < COUNT; i++)
            words[i] = load<uint32_t>(aligned + offset + 4 * i);
        words[COUNT] = beyond > 0 ? load<uint32_t>(aligned + offset + 4 * COUNT) : 0;
    }
    DEVICE void shift(uint32_t *out) const
    {
#pragma unroll
        for (int i = 0; i < COUNT; i++)
            out[i] = shift_right(words[i], words[i + 1], 8 * beyond);
    }
};

// Words of four pixels with all channels, to words of each channel.
template <int CHANNELS, typename T>
DEVICE void split_words(const uint32_t *words, uint32_t (*out)[sizeof(T)])
{
#pragma unroll
    for (int c = 0; c < CHANNELS; c++) {
        if constexpr (sizeof(T) == 4)
#pragma unroll
            for (int k = 0; k < 4; k++)
                out[c][k] = words[c + CHANNELS * k];
        else if constexpr (sizeof(T) == 2)
#pragma unroll
            for (int i = 0; i < 2; i++) {
                int first = c + CHANNELS * 2 * i, second = first + CHANNELS;
                out[c][i] = permute(words[first / 2], words[second / 2],
                                    (first % 2 ? 0x32 : 0x10) | (second % 2 ? 0x7600 : 0x5400));
            }
        else {
            out[c][0] = words[0];
#pragma unroll
            for (int w = 1; w < CHANNELS;
                 w++) { // each puts its bytes among those of the words before
                uint32_t select = 0;
#pragma unroll
                for (int k = 0; k < 4; k++) {
                    int at = c + CHANNELS * k, mine = at / 4 == w;
                    int before = w == 1 ? at % 4 : k;
                    select |= (uint32_t)(mine ? 4 + at % 4 : before) << 4 * k;
                }
                out[c][0] = permute(out[c][0], words[w], select);
            }
        }
    }
}

// ---- Tiles --------------------------------------------------------------------------------------

// What the table says of image n.
struct filtered_image {
    const pixviewi_filter_kind &kind;
    const char *src;
    char *dst;

    DEVICE filtered_image(const pixviewi_filter_args &args, uint32_t n)
        : kind(kinds(args)[((const uint8_t *)(sources(args) + args.images))[n]]),
          src((const char *)sources(args)[n]), dst(args.dst + n * args.dst_image)
    {
    }
    DEVICE static const pixviewi_filter_kind *kinds(const pixviewi_filter_args &args)
    {
        return (const pixviewi_filter_kind *)args.table;
    }
    DEVICE static const uint64_t *sources(const pixviewi_filter_args &args)
    {
        return (const uint64_t *)(kinds(args) + args.kinds);
    }
};

template <typename Way, int CHANNELS> struct filter {
    using T = typename Way::element;
    using Kept = typename Way::kept;
    static constexpr int QUAD = PIXVIEWI_QUAD, COLUMNS = PIXVIEWI_FILTER_COLUMNS,
                         QUADS = COLUMNS / QUAD, // of a row of a tile
        WORDS = sizeof(T),                       // of four elements
        SPAN = PIXVIEWI_FILTER_SPAN / (int)sizeof(T),
                         LINES = CHANNELS > 3 ? 2 : 4, // that a warp sums together
        ROUND = LINES * PIXVIEWI_WARPS,                // that a block does
        MOST = PIXVIEWI_FILTER_BETWEEN / (CHANNELS * COLUMNS * (int)sizeof(Kept)) / ROUND * ROUND,
                         QUADS_EACH = PIXVIEWI_FILTER_ROWS * QUADS / PIXVIEWI_THREADS;
    static_assert(LINES * CHANNELS <= PIXVIEWI_FILTER_PLANES && MOST > 0, "they fit");

    struct scratch {
        uint32_t lines[PIXVIEWI_WARPS][LINES][CHANNELS][PIXVIEWI_FILTER_SPAN / 4];
        alignas(16) Kept between[MOST][CHANNELS][COLUMNS];
    };
    // Of a lane, and of a thread.
    struct line_sums {
        typename Way::sum of[LINES][CHANNELS];
    };
    struct sums {
        typename Way::sum of[QUADS_EACH][CHANNELS][QUAD];
    };
    struct range {
        int32_t begin, end;
    };

    // The same for all threads.
    const pixviewi_filter_args &args;
    const pixviewi_filter_kind &item;
    const pixviewi_filter_canvas &canvas;
    const char *src;
    char *dst;
    int channel;         // the first
    int32_t top, left;   // of the tile
    range rows, columns; // entries of the tables that are in it
    range lines, pixels; // of the source, that these need
    int32_t chunk;       // lines at a time

    DEVICE filter(const pixviewi_filter_args &args, const filtered_image &image, uint32_t tile,
                  int channel)
        : args(args), item(image.kind), canvas(args.canvases[image.kind.turned]), src(image.src),
          dst(image.dst), channel(channel), lines{0, 0}, pixels{0, 0}, chunk(MOST)
    {
        uint32_t down = pixviewi_divide(tile, canvas.by_across);
        top = (int32_t)down * args.tile_rows;
        left = (int32_t)(tile - down * (uint32_t)canvas.across) * COLUMNS;
        rows = clip_to(top - item.top, args.tile_rows, item.rows_of.entries);
        columns = clip_to(left - item.left, COLUMNS, item.columns_of.entries);
        if (rows.begin >= rows.end || columns.begin >= columns.end || item.as_is)
            return;
        lines = needed_by(item.rows_of, rows);
        pixels = needed_by(item.columns_of, columns);
        pixels.begin = pixels.begin * Way::GROUP & ~3;
        pixels.end *= Way::GROUP;
        int32_t chunks = (lines.end - lines.begin - 1) / MOST + 1; // equal ones
        chunk = ((lines.end - lines.begin - 1) / chunks / ROUND + 1) * ROUND;
    }

    DEVICE static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }
    DEVICE static int32_t largest(int32_t a, int32_t b) { return a > b ? a : b; }

    DEVICE static range clip_to(int32_t begin, int32_t length, int32_t end)
    {
        return {largest(begin, 0), least(begin + length, end)};
    }

    DEVICE static uint32_t number(const pixviewi_filter_table &t, int64_t index)
    {
        return load<uint32_t>(t.data + index * 4);
    }
    DEVICE static range reach(const pixviewi_filter_table &t, int32_t entry)
    {
        int32_t first = (int32_t)number(t, entry);
        return {first, first + (int32_t)number(t, (int64_t)t.entries + entry)};
    }
    DEVICE static int64_t weights_of(const pixviewi_filter_table &t) // where they begin
    {
        return 2 * (int64_t)t.entries;
    }
    DEVICE range needed_by(const pixviewi_filter_table &t, range entries) const
    {
        return {reach(t, entries.begin).begin, reach(t, entries.end - 1).end};
    }

    // ---- into shared memory ----

    DEVICE T element(int64_t line, int64_t pixel, int c) const
    {
        return load<T>(src + line * item.from.row + pixel * item.from.pixel +
                       (channel + c) * item.from.channel);
    }

    using planes = uint32_t (*)[CHANNELS][PIXVIEWI_FILTER_SPAN / 4]; // of a warp

    DEVICE static void put_quad(uint32_t (*to)[PIXVIEWI_FILTER_SPAN / 4], int32_t q,
                                const uint32_t (*words)[WORDS])
    {
#pragma unroll
        for (int i = 0; i < CHANNELS * WORDS; i++)
            to[i / WORDS][q * WORDS + i % WORDS] = words[i / WORDS][i % WORDS];
    }

    // A span of the lines from `line` on, before `end`, four pixels of each at a time. The last line stands for
    // those after it. A line is RUNS runs of memory, all channels mixed or each by itself.
    template <int RUNS>
    DEVICE void copy_pixels(planes to, int lane, int32_t line, int32_t end, int32_t at) const
    {
        // Lines whose loads are under way together: as many as there are registers for.
        constexpr int MANY = (sizeof(T) == 1 ? LINES : 2) / (RUNS > 1 ? 2 : 1);
        constexpr int PIXEL = CHANNELS / RUNS * (int)sizeof(T); // BYTES, and words of four
        const int32_t count = least(pixels.end - at, SPAN);
#pragma unroll 1
        for (int r = 0; r < LINES; r += MANY) {
            run_of_words<PIXEL> runs[MANY * RUNS];
            bool shifts = false;
#pragma unroll
            for (int i = 0; i < MANY * RUNS; i++) {
                runs[i].begin(src + least(line + r + i / RUNS, end - 1) * item.from.row +
                              (channel + i % RUNS) * item.from.channel);
                shifts |= runs[i].beyond > 0;
            }
            // Where all that is loaded is inside of the line.
            const int32_t first = shifts ? QUAD : 0, last = item.pixels - (shifts ? 2 : 1) * QUAD;
#pragma unroll 1
            for (int32_t q = lane; q * QUAD < count; q += PIXVIEWI_LANES) {
                const int32_t x = at + q * QUAD;
                if (x < first || x > last)
                    copy_elements<MANY>(to + r, line + r, end, q, x);
                else
                    copy_runs<RUNS, MANY>(to + r, runs, q, (int64_t)x * PIXEL);
            }
        }
    }

    template <int RUNS, int MANY, typename Run>
    DEVICE static void copy_runs(planes to, Run *runs, int32_t q, int64_t offset)
    {
#pragma unroll
        for (int i = 0; i < MANY * RUNS; i++)
            runs[i].load_all(offset);
#pragma unroll
        for (int i = 0; i < MANY; i++) {
            uint32_t words[CHANNELS][WORDS];
            if constexpr (RUNS == 1 && CHANNELS > 1) {
                uint32_t mixed[CHANNELS * WORDS];
                runs[i].shift(mixed);
                split_words<CHANNELS, T>(mixed, words);
            } else {
#pragma unroll
                for (int c = 0; c < CHANNELS; c++)
                    runs[i * RUNS + c].shift(words[c]);
            }
            put_quad(to[i], q, words);
        }
    }

    // The same of pixels that lie apart.
    DEVICE void copy_apart(planes to, int lane, int32_t line, int32_t end, int32_t at) const
    {
        const int32_t count = least(pixels.end - at, SPAN);
#pragma unroll 1
        for (int32_t q = lane; q * QUAD < count; q += PIXVIEWI_LANES)
            copy_elements<LINES>(to, line, end, q, at + q * QUAD);
    }

    // One by one. Beyond the image: 0.
    template <int MANY>
    DEVICE void copy_elements(planes to, int32_t line, int32_t end, int32_t q, int32_t x) const
    {
#pragma unroll 1
        for (int i = 0; i < MANY * CHANNELS; i++) {
            T bits[QUAD];
#pragma unroll
            for (int k = 0; k < QUAD; k++)
                bits[k] = x + k < item.pixels
                              ? element(least(line + i / CHANNELS, end - 1), x + k, i % CHANNELS)
                              : (T)0;
            pack<QUAD>(bits, &to[i / CHANNELS][i % CHANNELS][q * WORDS]);
        }
    }

    // The same of bytes whose lines lie side by side, RUNS times so: all of them for a pixel at a time.
    template <int RUNS> DEVICE void copy_across(planes to, int lane, int32_t line, int32_t at) const
    {
        constexpr int BYTES = LINES * CHANNELS / RUNS;
        const int32_t count = least(pixels.end - at, SPAN);
#pragma unroll 1
        for (int32_t x = lane; x < count; x += PIXVIEWI_LANES) {
            uint32_t words[RUNS][BYTES / 4] = {{0}};
            run_of_words<BYTES / 4> runs[RUNS];
            if (at + x < item.pixels) {
                const char *from = src + (at + x) * item.from.pixel + line * item.from.row;
#pragma unroll
                for (int i = 0; i < RUNS; i++) {
                    runs[i].begin(from + (channel + i) * item.from.channel);
                    runs[i].load_all(0);
                }
#pragma unroll
                for (int i = 0; i < RUNS; i++)
                    runs[i].shift(words[i]);
            }
#pragma unroll
            for (int i = 0; i < LINES * CHANNELS; i++) {
                int r = i / CHANNELS, c = i % CHANNELS, byte = RUNS > 1 ? r : i;
                ((uint8_t *)to[r][c])[x] =
                    (uint8_t)(words[RUNS > 1 ? c : 0][byte / 4] >> 8 * (byte % 4));
            }
        }
    }

    // Is all that is loaded inside of the runs, wherever they begin?
    DEVICE bool lies_inside(int32_t line) const
    {
        return line >= 3 && item.lines - line >= LINES + 3;
    }

    DEVICE void copy_span(scratch *mine, int warp, int lane, int32_t line, int32_t end,
                          int32_t at) const
    {
        planes to = mine->lines[warp];
        const int lies = item.lies;
        if (lies == PIXVIEWI_PIXELS_MIXED)
            return copy_pixels<1>(to, lane, line, end, at);
        if (lies == PIXVIEWI_PIXELS_PLANAR)
            return copy_pixels<CHANNELS>(to, lane, line, end, at);
        if constexpr (sizeof(T) == 1) {
            if (lies == PIXVIEWI_LINES_MIXED && lies_inside(line))
                return copy_across<1>(to, lane, line, at);
            if constexpr (LINES % 4 == 0)
                if (lies == PIXVIEWI_LINES_PLANAR && lies_inside(line))
                    return copy_across<CHANNELS>(to, lane, line, at);
        }
        copy_apart(to, lane, line, end, at);
    }

    // ---- along lines ----

    DEVICE static void clear(line_sums &out)
    {
#pragma unroll
        for (int i = 0; i < LINES * CHANNELS; i++)
            out.of[i / CHANNELS][i % CHANNELS] = Way::nothing();
    }

    // A lane's, of the canvas.
    struct column {
        range reach; // nothing if it is padded
        const char *weights;
        int64_t step; // BYTES
    };
    DEVICE column column_of(int lane) const
    {
        const pixviewi_filter_table &table = item.columns_of;
        int32_t entry = left - item.left + lane;
        range pixels = {0, 0};
        if (entry >= columns.begin && entry < columns.end)
            pixels = reach(table, entry);
        return {pixels, table.data + (weights_of(table) + entry) * 4, (int64_t)table.step * 4};
    }

    // What it needs of the pixels in shared memory, which begin at `at`.
    DEVICE void add_span(const scratch *mine, int warp, const column &of, int32_t at,
                         line_sums &out) const
    {
        const range here = {largest(of.reach.begin, at / Way::GROUP),
                            least(of.reach.end, (at + SPAN) / Way::GROUP)};
        if constexpr (Way::GROUP == 4)
            add_groups(mine->lines[warp], of, here, at / 4, out);
        else
            add_pixels(mine->lines[warp], of, here, at, out);
    }

    DEVICE static void add_groups(const uint32_t (*from)[CHANNELS][PIXVIEWI_FILTER_SPAN / 4],
                                  const column &of, range here, int32_t at, line_sums &out)
    {
        uint32_t low[LINES][CHANNELS] = {{0}}, middle[LINES][CHANNELS] = {{0}},
                 high[LINES][CHANNELS] = {{0}}; // by the bytes of the weights
        const char *weights = of.weights + (here.begin - of.reach.begin) * 3 * of.step;
#pragma unroll 1
        for (int32_t i = here.begin; i < here.end; i++, weights += 3 * of.step) {
            uint32_t a = load<uint32_t>(weights), b = load<uint32_t>(weights + of.step),
                     c = load<uint32_t>(weights + 2 * of.step);
#pragma unroll
            for (int k = 0; k < LINES * CHANNELS; k++) {
                int r = k / CHANNELS, channel = k % CHANNELS;
                uint32_t bytes = from[r][channel][i - at];
                low[r][channel] = add_products(bytes, a, low[r][channel]);
                middle[r][channel] = add_products(bytes, b, middle[r][channel]);
                high[r][channel] = add_signed_products(bytes, c, high[r][channel]);
            }
        }
#pragma unroll
        for (int k = 0; k < LINES * CHANNELS; k++) {
            int r = k / CHANNELS, channel = k % CHANNELS;
            out.of[r][channel] +=
                low[r][channel] + (middle[r][channel] << 8) + (high[r][channel] << 16);
        }
    }

    DEVICE void add_pixels(const uint32_t (*from)[CHANNELS][PIXVIEWI_FILTER_SPAN / 4],
                           const column &of, range here, int32_t at, line_sums &out) const
    {
        const char *weights = of.weights + (here.begin - of.reach.begin) * of.step;
#pragma unroll 1
        for (int32_t i = here.begin; i < here.end; i++, weights += of.step) {
            float weight = float_of_bits(load<uint32_t>(weights)), values[LINES * CHANNELS];
            T bits[LINES * CHANNELS];
#pragma unroll
            for (int k = 0; k < LINES * CHANNELS; k++)
                bits[k] = ((const T *)from[k / CHANNELS][k % CHANNELS])[i - at];
            to_floats<LINES * CHANNELS>(bits, sizeof(T) == 4 ? CODE_FLOAT : args.src_code, values);
#pragma unroll
            for (int k = 0; k < LINES * CHANNELS; k++)
                out.of[k / CHANNELS][k % CHANNELS] =
                    multiply_add(weight, values[k], out.of[k / CHANNELS][k % CHANNELS]);
        }
    }

    // `line` is counted from the first of the chunk.
    DEVICE static void keep_lines(scratch *mine, int lane, int32_t line, const line_sums &in)
    {
#pragma unroll
        for (int r = 0; r < LINES; r++)
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
                mine->between[line + r][c][lane] = Way::keep(in.of[r][c]);
    }

    // ---- between lines ----

    DEVICE static void clear(sums &out)
    {
#pragma unroll
        for (int i = 0; i < QUADS_EACH * CHANNELS * QUAD; i++)
            out.of[i / QUAD / CHANNELS][i / QUAD % CHANNELS][i % QUAD] = Way::nothing();
    }

    // Row and quad of a thread's unit of the tile.
    DEVICE static int row_of(int thread, int unit)
    {
        return (thread + unit * PIXVIEWI_THREADS) / QUADS;
    }

    // Lines from `begin` up to `end`, which lie between the passes.
    DEVICE void add_lines(const scratch *mine, int thread, int32_t begin, int32_t end,
                          sums &out) const
    {
#pragma unroll
        for (int unit = 0; unit < QUADS_EACH; unit++) {
            int32_t entry = top - item.top + row_of(thread, unit);
            if (entry < rows.begin || entry >= rows.end)
                continue;
            const range all = reach(item.rows_of, entry);
            const int64_t weights =
                weights_of(item.rows_of) + (int64_t)entry * item.rows_of.step - all.begin;
#pragma unroll 1
            for (int32_t i = largest(all.begin, begin); i < least(all.end, end); i++) {
                uint32_t weight = number(item.rows_of, weights + i);
#pragma unroll
                for (int c = 0; c < CHANNELS; c++)
                    Way::add_line((const char *)&mine->between[i - begin][c][thread % QUADS * QUAD],
                                  weight, out.of[unit][c]);
            }
        }
    }

    // ---- out ----

    DEVICE int entry_of(int c) const
    {
        return channel + c < PIXVIEWI_TILE_CHANNELS ? channel + c : 0; // more have one a and b
    }

    DEVICE bool is_inside(int32_t row, int32_t x) const
    {
        return row < args.tile_rows && top + row < canvas.height && x < canvas.width;
    }

    // Its code is long, so all ways come to one place.
    DEVICE void store_tile(int thread, const sums &in) const
    {
        int32_t x = left + thread % QUADS * QUAD;
#pragma unroll 1
        for (int unit = 0; unit < QUADS_EACH; unit++) {
            float all[CHANNELS][QUAD];
            int32_t row = row_of(thread, unit);
            if (!is_inside(row, x))
                continue;
            if (item.as_is)
                pick_quad(top + row, x, all);
            else
                make_values(in, unit, all);
            store_quad(top + row, x, all);
        }
    }

    // The unit is chosen by comparison: registers have no index.
    DEVICE static void make_values(const sums &in, int unit, float (*all)[QUAD])
    {
#pragma unroll
        for (int i = 0; i < CHANNELS * QUAD; i++) {
            typename Way::sum chosen = in.of[0][i / QUAD][i % QUAD];
#pragma unroll
            for (int j = 1; j < QUADS_EACH; j++)
                chosen = unit == j ? in.of[j][i / QUAD][i % QUAD] : chosen;
            all[i / QUAD][i % QUAD] = Way::value(chosen);
        }
    }

    DEVICE void store_quad(int32_t y, int32_t x, float (*all)[QUAD]) const
    {
#pragma unroll
        for (int k = 0; k < QUAD; k++) {
            bool seen = is_seen(y, x + k);
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
                all[c][k] = multiply_add(seen ? all[c][k] : args.pad, args.a[entry_of(c)],
                                         args.b[entry_of(c)]);
        }
        if constexpr (CHANNELS > 1) {
            if (args.swap)
                swap_channels<CHANNELS>(all);
        }
        store_as_told(dst + y * canvas.to.row + x * canvas.to.pixel + channel * canvas.to.channel,
                      all, canvas.width - x);
    }

    DEVICE bool is_seen(int32_t y, int32_t x) const
    {
        return y - item.top >= rows.begin && y - item.top < rows.end &&
               x - item.left >= columns.begin && x - item.left < columns.end;
    }

    // Of an image that keeps its size.
    DEVICE void pick_quad(int32_t y, int32_t x, float (*all)[QUAD]) const
    {
#pragma unroll
        for (int c = 0; c < CHANNELS; c++) {
            T bits[QUAD];
#pragma unroll
            for (int k = 0; k < QUAD; k++)
                bits[k] = is_seen(y, x + k) ? element(y - item.top + item.skip_rows,
                                                      x + k - item.left + item.skip_left, c)
                                            : (T)0;
            to_floats<QUAD>(bits, sizeof(T) == 4 ? CODE_FLOAT : args.src_code, all[c]);
        }
    }

    DEVICE void store_as_told(char *at, const float (*all)[QUAD], int32_t count) const
    {
        if (args.out == PIXVIEWI_TO_F32)
            store_as<to_float>(at, all, count);
        else if (args.out == PIXVIEWI_TO_F16)
            store_as<to_half>(at, all, count);
        else if (args.out == PIXVIEWI_TO_BF16)
            store_as<to_bfloat>(at, all, count);
        else if (sizeof(T) == 2 && args.out == PIXVIEWI_TO_U16)
            store_as<to_short>(at, all, count);
        else
            store_as<to_byte>(at, all, count);
    }

    template <typename To>
    DEVICE void store_as(char *at, const float (*all)[QUAD], int32_t count) const
    {
        using vectors = resize<plain<uint8_t>, true>;
        if (count >= QUAD && canvas.form == PIXVIEWI_BY_PLANES) {
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
                vectors::stream_quad<value_as<To>>(at + c * canvas.to.channel, all[c]);
            return;
        }
        if constexpr (CHANNELS > 1)
            if (count >= QUAD && canvas.form == PIXVIEWI_BY_PIXELS)
                return vectors::store_pixels<value_as<To>, CHANNELS>(at, all);
#pragma unroll
        for (int k = 0; k < QUAD; k++)
#pragma unroll
            for (int c = 0; c < CHANNELS; c++)
                if (k < count)
                    store(at + k * canvas.to.pixel + c * canvas.to.channel, To::bits(all[c][k]));
    }
};

// ---- A block ------------------------------------------------------------------------------------

#ifdef __CUDACC__
// The tile's channels from `channel` on.
template <typename Kernel>
DEVICE void filter_tile(const pixviewi_filter_args &args, const filtered_image &image,
                        uint32_t tile, int channel, char *shared)
{
    typename Kernel::scratch *mine = (typename Kernel::scratch *)shared;
    const Kernel kernel(args, image, tile, channel);
    const int warp = threadIdx.x / PIXVIEWI_LANES, lane = threadIdx.x % PIXVIEWI_LANES;
    const typename Kernel::column column = kernel.column_of(lane);
    typename Kernel::sums sums;
    Kernel::clear(sums);
#pragma unroll 1
    for (int32_t begin = kernel.lines.begin; begin < kernel.lines.end; begin += kernel.chunk) {
        int32_t end = Kernel::least(begin + kernel.chunk, kernel.lines.end);
        __syncthreads(); // those before have been added
#pragma unroll 1
        for (int32_t line = begin + warp * Kernel::LINES; line < end; line += Kernel::ROUND) {
            typename Kernel::line_sums across;
            Kernel::clear(across);
#pragma unroll 1
            for (int32_t at = kernel.pixels.begin; at < kernel.pixels.end; at += Kernel::SPAN) {
                __syncwarp();
                kernel.copy_span(mine, warp, lane, line, end, at);
                __syncwarp();
                kernel.add_span(mine, warp, column, at, across);
            }
            Kernel::keep_lines(mine, lane, line - begin, across);
        }
        __syncthreads();
        kernel.add_lines(mine, threadIdx.x, begin, end, sums);
    }
    kernel.store_tile(threadIdx.x, sums);
}

template <typename Way> DEVICE void filter_tiles(const pixviewi_filter_args &args)
{
    using three = filter<Way, 3>;
    using four = filter<Way, 4>;
    using one = filter<Way, 1>;
    constexpr int BYTES =
        PIXVIEWI_WARPS * PIXVIEWI_FILTER_PLANES * PIXVIEWI_FILTER_SPAN + PIXVIEWI_FILTER_BETWEEN;
    static_assert(sizeof(typename three::scratch) <= BYTES &&
                      sizeof(typename four::scratch) <= BYTES &&
                      sizeof(typename one::scratch) <= BYTES,
                  "they share it");
    __shared__ alignas(16) char shared[BYTES];
    uint32_t n = pixviewi_divide(blockIdx.x, args.by_tiles);
    uint32_t tile = blockIdx.x - n * (uint32_t)args.tiles;
    const filtered_image image(args, n);
    if (tile >= (uint32_t)args.canvases[image.kind.turned].tiles)
        return;
    if (args.channels == 3)
        return filter_tile<three>(args, image, tile, 0, shared);
    if (args.channels == 4)
        return filter_tile<four>(args, image, tile, 0, shared);
#pragma unroll 1
    for (int c = 0; c < args.channels; c++)
        filter_tile<one>(args, image, tile, c, shared);
}
#endif

} // namespace
