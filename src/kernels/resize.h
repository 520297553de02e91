// Images of any size onto the canvases of a batch, between pixels or the nearest one, values changed or not.
//
// Grid:       flat in x, a block for each tile of a canvas. One lane for each axis places the image, all lanes
//             compute the taps of the tile's columns and rows, then each thread makes quads of pixels.
// Alignment:  the elements'. Quads are stored as vectors if the destination is planar or interleaved and
//             aligned to them; else threads take pixels in turns, so that neighbours write side by side.
// Traffic:    four elements of the source for each of the destination, which the caches hold.
#include "device.h"

namespace
{

// ---- Taps in shared memory ----------------------------------------------------------------------

// The first is below 0 where the canvas is padded.
struct alignas(16) resize_tap {
    int32_t first, second; // rows or columns
    int32_t a, b;          // of bytes: both weights; else a has the bits of the second's
};

struct resize_axis {
    int64_t begin, end; // of the canvas that the image covers
    int64_t skip, source;
    double scale;
};

struct resize_image {
    const char *data;
    pixviewi_steps steps;
    bool picks; // pixels are pixels of the image
    resize_axis axes[2];
};

// Between four: first row, then second; or the same of bytes, as cv2 does it.
DEVICE float mix_quad(float p, float q, float r, float s, const resize_tap &x, const resize_tap &y)
{
    float weight = float_of_bits((uint32_t)x.a);
    return pixviewi_mix(pixviewi_mix(p, q, weight), pixviewi_mix(r, s, weight),
                        float_of_bits((uint32_t)y.a));
}
DEVICE float mix_quad(int p, int q, int r, int s, const resize_tap &x, const resize_tap &y)
{
    const pixviewi_tap columns = {0, 0, x.a, x.b, 0}, rows = {0, 0, y.a, y.b, 0};
    uint32_t mixed = (uint32_t)pixviewi_mix_rows(pixviewi_mix_columns(p, q, &columns),
                                                 pixviewi_mix_columns(r, s, &columns), &rows);
    return float_of_bits(0x4b000000 + mixed) - 0x800000; // cheaper than a conversion
}

// ---- Where a tap comes from ---------------------------------------------------------------------
//
// A source loads what it has of a pixel into elements, and makes values of them: ints that are bytes, or
// floats. `channel` is the first of the pixel's that is wanted.

template <typename T> struct between {
    using type = float;
};
template <> struct between<uint8_t> {
    using type = int;
};

// Elements with three steps.
template <typename T> struct plain {
    using element = T;
    using value = typename between<T>::type; // of which a mixed pixel is made
    using line = const char *;               // a row of the image
    static constexpr bool BYTES = sizeof(T) == 1;

    const resize_image &image;
    int code;

    DEVICE plain(const pixviewi_resize_args &args, const resize_image &image)
        : image(image), code(args.src_code)
    {
    }

    // Can all channels be loaded together?
    DEVICE bool is_mixed() const { return image.steps.channel == sizeof(T); }
    DEVICE line find_row(int32_t y, int channel) const
    {
        return image.data + y * image.steps.row + channel * image.steps.channel;
    }
    template <int CHANNELS> DEVICE void load_pixel(line row, int32_t x, T *out) const
    {
        const char *at = row + x * image.steps.pixel;
#pragma unroll
        for (int c = 0; c < CHANNELS; c++)
            out[c] = load<T>(at + c * (int)sizeof(T));
    }
    template <int COUNT> DEVICE void to_values(const T *bits, int *out) const
    {
#pragma unroll
        for (int i = 0; i < COUNT; i++)
            out[i] = bits[i];
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

// ---- Tiles --------------------------------------------------------------------------------------

// VALUES: pixels are values, times a plus b, of the type args.out; or bits.
template <typename Source, bool VALUES> struct resize {
    using In = typename Source::element;
    using Held = typename held_as<VALUES, In>::type;
    static constexpr int QUAD = PIXVIEWI_QUAD;

    struct scratch {
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
        left = (int32_t)(tile - line * (uint32_t)args.across) * (args.quads * QUAD);
        rows = least(args.rows - top, args.tile_rows);
        columns = least(args.columns - left, args.quads * QUAD);
        to = args.dst + n * args.dst_image + top * args.to.row + left * args.to.pixel;
    }

    DEVICE static int least(int a, int b) { return a < b ? a : b; }

    // ---- the image ----

    DEVICE void place_image(scratch *mine, int lane) const
    {
        if (lane > 1)
            return;
        const pixviewi_steps *kinds = (const pixviewi_steps *)args.table;
        const uint64_t *data = (const uint64_t *)(kinds + args.kinds);
        const uint32_t *large = (const uint32_t *)(data + args.images) + 2 * n;
        const uint16_t *small = (const uint16_t *)(data + args.images) + 2 * n;
        const uint8_t *kind =
            (const uint8_t *)(data + args.images) + args.images * (args.large ? 8 : 4);
        pixviewi_axis h = {args.large ? large[0] : small[0], args.rows, 0, 0};
        pixviewi_axis w = {args.large ? large[1] : small[1], args.columns, 0, 0};
        pixviewi_steps steps = kinds[kind[n]];
        if (steps.row == PIXVIEWI_PACKED)
            steps.row = w.source * steps.pixel;
        if (steps.channel == PIXVIEWI_PACKED)
            steps.channel = h.source * steps.row;
        pixviewi_place(&h, &w, &args.fit);
        bool as_is = h.resized == h.source && w.resized == w.source;
        if (lane)
            h = w;
        int64_t begin = pixviewi_axis_begin(&h);
        mine->image.axes[lane] = {begin, begin + pixviewi_axis_length(&h), h.skip, h.source,
                                  pixviewi_tap_scale(h.source, h.resized)};
        if (lane)
            return;
        mine->image.data = (const char *)(uintptr_t)data[n];
        mine->image.steps = steps;
        mine->image.picks = !VALUES || args.nearest || as_is;
    }

    DEVICE resize_tap tap_of(const resize_image &image, int32_t at, bool is_row) const
    {
        const resize_axis &axis = image.axes[!is_row];
        int64_t d = at + axis.skip;
        pixviewi_tap tap;
        if (at < axis.begin || at >= axis.end)
            return {-1, 0, 0, 0};
        if (image.picks)
            return {(int32_t)pixviewi_nearest_tap(d, axis.source, axis.scale), 0, 0, 0};
        if (Source::BYTES) {
            tap = pixviewi_byte_tap(d, axis.source, axis.scale, is_row);
            return {(int32_t)tap.first, (int32_t)tap.second, tap.a, tap.b};
        }
        tap = pixviewi_float_tap(d, axis.source, axis.scale);
        return {(int32_t)tap.first, (int32_t)tap.second, (int32_t)bits_of_float(tap.weight), 0};
    }

    DEVICE void fill_taps(scratch *mine, int lane) const
    {
        int width = args.quads * QUAD; // beyond the canvas too
#pragma unroll 1
        for (int i = lane; i < width + rows; i += PIXVIEWI_THREADS) {
            bool is_row = i >= width;
            resize_tap *tap = is_row ? &mine->rows[i - width] : &mine->columns[i];
            *tap = tap_of(mine->image, is_row ? top + i - width : left + i, is_row);
        }
    }

    // ---- pixels ----

    DEVICE void store_tile(const scratch *mine, int lane) const
    {
        const Source source(args, mine->image);
        if constexpr (sizeof(In) <= 4) { // as many registers as there are
            if (args.channels == 3 && source.is_mixed())
                return store_quads<3>(source, mine, lane, 0);
            if (args.channels == 4 && source.is_mixed())
                return store_quads<4>(source, mine, lane, 0);
        }
#pragma unroll 1
        for (int c = 0; c < args.channels; c++)
            store_quads<1>(source, mine, lane, c);
    }

    // Channels from `channel` on.
    template <int CHANNELS>
    DEVICE void store_quads(const Source &source, const scratch *mine, int lane, int channel) const
    {
        bool vectors =
            args.form == PIXVIEWI_BY_PLANES || (args.form == PIXVIEWI_BY_PIXELS && CHANNELS > 1);
#pragma unroll 1
        for (int i = lane; i < args.quads * rows; i += PIXVIEWI_THREADS) {
            int y = (int)pixviewi_divide((uint32_t)i, args.by_quads), x = i - y * args.quads;
            x *= vectors ? QUAD : 1;
            if (x < columns)
                store_quad<CHANNELS>(source, mine, y, x, channel, vectors);
        }
    }

    template <int CHANNELS>
    DEVICE void store_quad(const Source &source, const scratch *mine, int y, int x, int channel,
                           bool vectors) const
    {
        Held all[CHANNELS][QUAD];
        resize_tap row = mine->rows[y], of[QUAD];
        const int step = vectors ? 1 : args.quads; // from pixel to pixel of a quad
        bool any = false, every = row.first >= 0;  // of the pixels are not padded
#pragma unroll
        for (int k = 0; k < QUAD; k++) {
            of[k] = mine->columns[x + k * step];
            any |= of[k].first >= 0;
            every &= of[k].first >= 0;
        }
        any &= row.first >= 0;
        if (any)
            make_quad<CHANNELS>(source, row, of, channel, mine->image.picks, all);
        if (!every)
            put_padding<CHANNELS>(of, any, channel, all);
        char *at = to + y * args.to.row + x * args.to.pixel + channel * args.to.channel;
        store_as_told<CHANNELS>(at, all, vectors && x + QUAD <= columns, step, columns - x);
    }

    // ---- values ----

    DEVICE static int entry_of(int channel)
    {
        return channel < PIXVIEWI_TILE_CHANNELS ? channel : 0; // more have one a and b
    }

    DEVICE Held pad_of(int channel) const
    {
        if constexpr (VALUES)
            return multiply_add(args.pad, args.a[entry_of(channel)], args.b[entry_of(channel)]);
        else
            return *(const In *)args.pad_bits;
    }

    template <int CHANNELS>
    DEVICE void put_padding(const resize_tap *of, bool any, int channel, Held (*all)[QUAD]) const
    {
#pragma unroll
        for (int c = 0; c < CHANNELS; c++) {
            Held pad = pad_of(channel + c);
#pragma unroll
            for (int k = 0; k < QUAD; k++)
                if (!any || of[k].first < 0)
                    all[c][k] = pad;
        }
    }

    template <int CHANNELS>
    DEVICE void make_quad(const Source &source, const resize_tap &row, const resize_tap *of,
                          int channel, bool picks, Held (*all)[QUAD]) const
    {
        int from = CHANNELS == 1 && args.swap && channel <= 2 ? 2 - channel : channel;
        if (!VALUES || picks)
            pick_quad<CHANNELS>(source, row, of, from, all);
        else if constexpr (VALUES)
            mix_quads<CHANNELS>(source, row, of, from, all);
        if constexpr (CHANNELS > 1)
            if (args.swap)
#pragma unroll
                for (int k = 0; k < QUAD; k++) {
                    Held first = all[0][k];
                    all[0][k] = all[2][k], all[2][k] = first;
                }
        if constexpr (VALUES)
#pragma unroll
            for (int c = 0; c < CHANNELS; c++) {
                float a = args.a[entry_of(channel + c)], b = args.b[entry_of(channel + c)];
#pragma unroll
                for (int k = 0; k < QUAD; k++)
                    all[c][k] = multiply_add(all[c][k], a, b);
            }
    }

    // What is padded is loaded from the first column.
    DEVICE static int32_t column_of(int32_t tap) { return tap < 0 ? 0 : tap; }

    template <int CHANNELS>
    DEVICE void pick_quad(const Source &source, const resize_tap &row, const resize_tap *of,
                          int channel, Held (*all)[QUAD]) const
    {
        In bits[QUAD][CHANNELS];
        Held values[QUAD][CHANNELS];
        typename Source::line line = source.find_row(row.first, channel);
#pragma unroll
        for (int k = 0; k < QUAD; k++)
            source.template load_pixel<CHANNELS>(line, column_of(of[k].first), bits[k]);
        source.template to_nearest<QUAD * CHANNELS>(bits[0], values[0]);
#pragma unroll
        for (int i = 0; i < QUAD * CHANNELS; i++)
            all[i % CHANNELS][i / CHANNELS] = values[i / CHANNELS][i % CHANNELS];
    }

    template <int CHANNELS>
    DEVICE void mix_quads(const Source &source, const resize_tap &row, const resize_tap *of,
                          int channel, float (*all)[QUAD]) const
    {
        // Pixels whose loads are under way together: as many as there are registers for.
        constexpr int MANY = CHANNELS == 1 || (CHANNELS == 3 && sizeof(In) == 1) ? QUAD : QUAD / 2;
        using line = typename Source::line;
        line above = source.find_row(row.first, channel),
             below = source.find_row(row.second, channel);
#pragma unroll
        for (int k = 0; k < QUAD; k += MANY) {
            In bits[MANY][4][CHANNELS];
            typename Source::value v[MANY][4][CHANNELS];
#pragma unroll
            for (int j = 0; j < MANY; j++) {
                int32_t first = column_of(of[k + j].first), second = of[k + j].second;
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
                    all[c][k + j] =
                        mix_quad(v[j][0][c], v[j][1][c], v[j][2][c], v[j][3][c], of[k + j], row);
        }
    }

    // ---- out ----

    // `whole`: as vectors. Else pixels are `step` apart, and those from `count` on are outside.
    template <int CHANNELS>
    DEVICE void store_as_told(char *at, const Held (*all)[QUAD], bool whole, int step,
                              int count) const
    {
        if constexpr (!VALUES)
            store_as<same_bits<In>, CHANNELS>(at, all, whole, step, count);
        else if (args.out == PIXVIEWI_TO_F32)
            store_as<value_as<to_float>, CHANNELS>(at, all, whole, step, count);
        else if (args.out == PIXVIEWI_TO_F16)
            store_as<value_as<to_half>, CHANNELS>(at, all, whole, step, count);
        else if (args.out == PIXVIEWI_TO_BF16)
            store_as<value_as<to_bfloat>, CHANNELS>(at, all, whole, step, count);
        else if (sizeof(In) == 2 && args.out == PIXVIEWI_TO_U16)
            store_as<value_as<to_short>, CHANNELS>(at, all, whole, step, count);
        else
            store_as<value_as<to_byte>, CHANNELS>(at, all, whole, step, count);
    }

    template <typename To, int CHANNELS>
    DEVICE void store_as(char *at, const Held (*all)[QUAD], bool whole, int step, int count) const
    {
        constexpr int SIZE = sizeof(typename To::out);
        if (!whole)
            store_elements<To, CHANNELS>(at, all, step, count);
        else if constexpr (SIZE <= 8) {
            if (args.form == PIXVIEWI_BY_PLANES)
#pragma unroll
                for (int c = 0; c < CHANNELS; c++)
                    stream_quad<To>(at + c * args.to.channel, all[c]);
            else if constexpr (CHANNELS > 1)
                store_pixels<To, CHANNELS>(at, all);
        }
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
    DEVICE void store_elements(char *at, const Held (*all)[QUAD], int step, int count) const
    {
#pragma unroll
        for (int k = 0; k < QUAD; k++)
            if (k * step < count)
#pragma unroll
                for (int c = 0; c < CHANNELS; c++)
                    store(at + k * step * args.to.pixel + c * args.to.channel, To::bits(all[c][k]));
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
    kernel.fill_taps(&scratch, threadIdx.x);
    __syncthreads();
    kernel.store_tile(&scratch, threadIdx.x);
}
#endif

} // namespace
