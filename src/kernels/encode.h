// SPDX-License-Identifier: Apache-2.0
// Images into video frames: values become Y of every pixel, and U and V of each group that shares them.
//
// Grid:       flat in x, blocks for each image. A thread makes a piece: some neighbouring pixels of the one or two
//             rows that share U and V, and then what is below it, args.groups times. Neighbours take neighbouring
//             pieces.
// Alignment:  the elements' and the samples'. Vectors are loaded and stored where they are aligned and all of a
//             vector is pixels; else one by one.
// Traffic:    each element once, and for U and V in the first column of a group the pixel before a piece again,
//             from the cache; each sample once.
#include "device.h"
#include "video.h"

namespace
{

template <int WORDS> DEVICE void load_words(const char *at, uint32_t *words)
{
    if constexpr (WORDS == 1) {
        words[0] = load<uint32_t>(at);
    } else if constexpr (WORDS == 2) {
        const uint2 all = load<uint2>(at);
        words[0] = all.x, words[1] = all.y;
    } else {
        const uint4 all = load<uint4>(at);
        words[0] = all.x, words[1] = all.y, words[2] = all.z, words[3] = all.w;
    }
}

template <int BYTES> DEVICE void store_words(char *at, const uint32_t *words)
{
    if constexpr (BYTES == 2)
        store(at, (uint16_t)words[0]);
    else if constexpr (BYTES == 4)
        store(at, words[0]);
    else if constexpr (BYTES == 8)
        store(at, uint2{words[0], words[1]});
    else
#pragma unroll
        for (int i = 0; i < BYTES / 4; i += 4)
            store(at + 4 * i, uint4{words[i], words[i + 1], words[i + 2], words[i + 3]});
}

// COLUMNS pixels of one or two rows. FORM: BY_; by elements two pixels, else a piece.
template <typename T, int FORM> struct encode {
    static constexpr bool PLANES = FORM == PIXVIEWI_BY_PLANES, PIXELS = FORM == PIXVIEWI_BY_PIXELS;
    static constexpr bool VECTORS = PLANES || PIXELS;
    static constexpr int SIZE = sizeof(T), COLUMNS = VECTORS ? PIXVIEWI_ENCODE_PIECE(SIZE) : 2;
    static constexpr int WORDS = COLUMNS * SIZE / 4; // of a vector
    static constexpr int ALL = 3 * (COLUMNS + 1);    // channels of them and of the pixel before

    // Of a row. What is loaded one by one has a word for each; before: by pixels, the last three of four that lie
    // before the first.
    struct row {
        uint32_t words[VECTORS ? 3 * WORDS : 3 * COLUMNS];
        uint32_t before[4];
    };

    const pixviewi_encode_args &args;
    const pixviewi_samples &to;
    int32_t width, below; // pixels and rows of the image, from the first on
    bool wide, before;    // U and V are made of the pixel before, too; there is one
    const char *from;
    char *of[3];

    DEVICE encode(const pixviewi_encode_args &args, uint32_t n, int32_t x, int32_t y)
        : args(args), to(args.target.samples), width(args.columns - x), below(args.rows - y),
          wide(to.shift_x > 0 && args.target.on_column), before(wide && x > 0)
    {
        from = args.src + n * args.src_image + y * args.steps.row + x * args.steps.pixel;
#pragma unroll
        for (int part = 0; part < 3; part++) {
            const int shift_x = part ? to.shift_x : 0, shift_y = part ? to.shift_y : 0;
            of[part] = (char *)(uintptr_t)args.frames[n][part] +
                       (y >> shift_y) * to.of[part].row_step + (x >> shift_x) * to.of[part].step;
        }
    }

    // ---- loads ----

    DEVICE void load_pixel(const char *at, uint32_t *words) const
    {
#pragma unroll
        for (int c = 0; c < 3; c++)
            words[c] = load<T>(at + args.channels[c]);
    }
    DEVICE void load_row(const char *at, row &out) const
    {
#pragma unroll
        for (int i = 0; i < 3 && VECTORS; i++)
            load_words<WORDS>(at + (PLANES ? args.channels[i] : i * 4 * WORDS),
                              out.words + i * WORDS);
#pragma unroll
        for (int i = 0; i < COLUMNS && !VECTORS; i++) // at the edge the last once more
            load_pixel(i < width ? at + i * args.steps.pixel : at, out.words + 3 * i);
        if (before && PIXELS)
            load_words<SIZE>(at - 4 * SIZE, out.before);
        else if (before)
            load_pixel(at - (PLANES ? SIZE : args.steps.pixel), out.before);
    }

    // ---- values ----

    // Channel by channel, and then those of the pixel before; without one the first is repeated.
    DEVICE void to_values(const row &in, float *values) const
    {
        T bits[ALL];
#pragma unroll
        for (int k = 0; k < ALL; k++) {
            const int c = k / COLUMNS, i = k % COLUMNS;
            if (k >= 3 * COLUMNS)
                take(in.before, k - 3 * COLUMNS + PIXELS, PIXELS, &bits[k], &values[k]);
            else
                take(in.words, PLANES ? k : 3 * i + c, VECTORS, &bits[k], &values[k]);
        }
        if (SIZE > 1 || !VECTORS)
            to_floats<ALL>(bits, args.code, values);
#pragma unroll
        for (int k = 0; k < ALL && (SIZE > 1 || args.changed); k++) {
            const int c = k < 3 * COLUMNS ? k / COLUMNS : k - 3 * COLUMNS;
            values[k] = pixviewi_clip_value(multiply_add(values[k], args.a[c], args.b[c]));
        }
#pragma unroll
        for (int c = 0; c < 3; c++)
            if (!before)
                values[3 * COLUMNS + c] = values[COLUMNS * c];
    }
    // Element k; bytes of vectors at once as a value.
    DEVICE static void take(const uint32_t *words, int k, bool packed, T *bits, float *value)
    {
        const int each = packed ? 4 / SIZE : 1;
        *bits = (T)(words[k / each] >> k % each * 8 * SIZE % 32);
        if (SIZE == 1 && VECTORS)
            *value = float_of_byte(words[k / each], k % each);
    }
    // Byte i, which has no sign, in one instruction less than by float_of_int.
    DEVICE static float float_of_byte(uint32_t word, int i)
    {
        const uint32_t base = 0x4b000000;
        return float_of_bits(permute(word, base, 0x7650u | (uint32_t)i)) - float_of_bits(base);
    }

    DEVICE float weigh(int part, float first, float second, float third) const
    {
        const pixviewi_weights &w = args.target.weights[part];
        return multiply_add(w.of[0], first,
                            multiply_add(w.of[1], second, multiply_add(w.of[2], third, w.offset)));
    }

    // ---- stores ----

    DEVICE int32_t sample(int32_t value) const
    {
        return (value < 0 ? 0 : value > to.most ? to.most : value) << to.down;
    }

    // COUNT samples, of every STEP-th value, as vectors, or the first `count` of them one by one.
    template <int COUNT, int STEP>
    DEVICE void store_run(char *at, int64_t step, int count, const float *values) const
    {
        int32_t whole[COUNT < 4 ? 4 : COUNT] = {};
        uint32_t words[COUNT] = {};
#pragma unroll
        for (int i = 0; i < COUNT; i++)
            whole[i] = int_of_float(values[STEP * i]);
        if (!VECTORS) {
#pragma unroll
            for (int i = 0; i < COUNT; i++)
                if (i < count && to.bytes == 1)
                    store(at + i * step, (uint8_t)sample(whole[i]));
                else if (i < count)
                    store(at + i * step, (uint16_t)sample(whole[i]));
        } else if (to.bytes == 1) {
#pragma unroll
            for (int i = 0; i < COUNT; i += 4)
                words[i / 4] = bytes_of_ints(whole[i], whole[i + 1], whole[i + 2], whole[i + 3]);
            store_words<COUNT>(at, words);
        } else {
#pragma unroll
            for (int i = 0; i < COUNT; i += 2)
                words[i / 2] = (uint32_t)sample(whole[i]) | (uint32_t)sample(whole[i + 1]) << 16;
            store_words<2 * COUNT>(at, words);
        }
    }

    // ---- rows and groups ----

    // Along a row: the first of each group, with the pixel before it if U and V lie there, and the second.
    template <int SHIFT_X>
    DEVICE void add_columns(const float *values, float last, float *sums) const
    {
#pragma unroll
        for (int i = 0; i < COLUMNS >> SHIFT_X; i++) {
            float sum = values[i << SHIFT_X];
            if (SHIFT_X > 0 && wide)
                sum = multiply_add(2, sum, i > 0 ? values[2 * i - 1] : last);
            sums[i] = SHIFT_X > 0 ? sum + values[2 * i + 1] : sum;
        }
    }

    // STORES: its Y, which goes to `luma`. `sums`: channel by channel.
    template <bool STORES, int SHIFT_X>
    DEVICE void make_row(const row &in, char *luma, float *sums) const
    {
        float values[ALL], y[COLUMNS];
        to_values(in, values);
        if (STORES) {
#pragma unroll
            for (int i = 0; i < COLUMNS; i++)
                y[i] = weigh(PIXVIEWI_Y, values[i], values[COLUMNS + i], values[2 * COLUMNS + i]);
            store_run<COLUMNS, 1>(luma, to.of[PIXVIEWI_Y].step, width, y);
        }
#pragma unroll
        for (int c = 0; c < 3; c++)
            add_columns<SHIFT_X>(values + COLUMNS * c, values[3 * COLUMNS + c],
                                 sums + (COLUMNS >> SHIFT_X) * c);
    }

    // All loads come first, so that they are under way together.
    template <int SHIFT_X, int SHIFT_Y> DEVICE void make_groups() const
    {
        constexpr int GROUPS = COLUMNS >> SHIFT_X;
        const bool two = SHIFT_Y > 0 && below > 1;
        row rows[2] = {};
        float sums[3 * GROUPS], more[3 * GROUPS], pairs[2 * GROUPS];
        load_row(from, rows[0]);
        if (SHIFT_Y > 0) // without a second row the first once more
            load_row(from + two * args.steps.row, rows[1]);
        make_row<true, SHIFT_X>(rows[0], of[0], sums);
        if (SHIFT_Y > 0 && args.target.on_row) {
            load_row(below < args.rows ? from - args.steps.row : from, rows[0]);
            make_row<false, SHIFT_X>(rows[0], NULL, more);
#pragma unroll
            for (int i = 0; i < 3 * GROUPS; i++)
                sums[i] = multiply_add(2, sums[i], more[i]);
        }
        if (SHIFT_Y > 0) {
            make_row<true, SHIFT_X>(rows[1], of[0] + two * to.of[PIXVIEWI_Y].row_step, more);
#pragma unroll
            for (int i = 0; i < 3 * GROUPS; i++)
                sums[i] += more[i];
        }
        if (!to.has_chroma)
            return;
#pragma unroll
        for (int i = 0; i < 2 * GROUPS; i++)
            pairs[i] = weigh(i % 2 ? PIXVIEWI_V : PIXVIEWI_U, sums[i / 2], sums[GROUPS + i / 2],
                             sums[2 * GROUPS + i / 2]);
        if (VECTORS && args.chroma == PIXVIEWI_BY_PIXELS)
            return store_run<2 * GROUPS, 1>(of[PIXVIEWI_U], 0, 0, pairs);
        store_run<GROUPS, 2>(of[PIXVIEWI_U], to.of[PIXVIEWI_U].step, width, pairs);
        store_run<GROUPS, 2>(of[PIXVIEWI_V], to.of[PIXVIEWI_V].step, width, pairs + 1);
    }

    template <int SHIFT_X, int SHIFT_Y> DEVICE void make_column()
    {
#pragma unroll 1
        for (int i = 0; i < args.groups && below > 0; i++, below -= 1 << SHIFT_Y) {
            make_groups<SHIFT_X, SHIFT_Y>();
            from += args.steps.row * (1 << SHIFT_Y);
            of[0] += to.of[0].row_step * (1 << SHIFT_Y);
            of[1] += to.of[1].row_step;
            of[2] += to.of[2].row_step;
        }
    }
};

template <typename T, int FORM>
DEVICE void encode_column(const pixviewi_encode_args &args, uint32_t n, int32_t x, int32_t y)
{
    encode<T, FORM> kernel(args, n, x, y);
    if (args.target.samples.shift_x == 0)
        kernel.template make_column<0, 0>();
    else if (args.target.samples.shift_y == 0)
        kernel.template make_column<1, 0>();
    else
        kernel.template make_column<1, 1>();
}

template <typename T>
DEVICE void encode_block(const pixviewi_encode_args &args, uint32_t block, int lane)
{
    const uint32_t n = pixviewi_divide(block, args.by_blocks);
    const uint32_t piece = (block - n * (uint32_t)args.blocks) * PIXVIEWI_THREADS + (uint32_t)lane;
    const uint32_t line = pixviewi_divide(piece, args.by_across);
    const int64_t y = (int64_t)line * args.groups << args.target.samples.shift_y;
    if (y >= args.rows)
        return;
    const int32_t x = (int32_t)(piece - line * (uint32_t)args.across) * args.piece;
    const bool whole = args.columns - x >= args.piece;
    if (whole && args.form == PIXVIEWI_BY_PLANES)
        return encode_column<T, PIXVIEWI_BY_PLANES>(args, n, x, (int32_t)y);
    if (whole && args.form == PIXVIEWI_BY_PIXELS)
        return encode_column<T, PIXVIEWI_BY_PIXELS>(args, n, x, (int32_t)y);
#pragma unroll 1
    for (int i = 0; i < args.piece && i < args.columns - x; i += 2)
        encode_column<T, PIXVIEWI_BY_ELEMENTS>(args, n, x + i, (int32_t)y);
}

} // namespace
