// Images into video frames: values become Y of every pixel, and U and V of each group that shares them.
//
// Grid:       flat in x, a block for some rows of groups, a thread for one group of each. Neighbours take
//             neighbouring groups.
// Alignment:  the elements' and the samples'. Two samples side by side are stored together where they are aligned.
// Traffic:    each element once, and for U and V in the first column of a group its left neighbour again, from the
//             cache; each sample once.
#include "device.h"
#include "video.h"

namespace
{

template <typename T> struct encode {
    const pixviewi_encode_args &args;
    pixviewi_video_target target;
    // Of the thread's column of groups:
    int64_t x;             // its first pixel
    const char *pixels[3]; // of row 0: before, first, second
    char *of[3];           // of row 0: its samples
    const char *second;    // Y of the second pixel
    bool two;              // there is one
    bool together[2];      // Y and its second, U and V are side by side

    DEVICE encode(const pixviewi_encode_args &args, int n, int64_t group) : args(args)
    {
        const pixviewi_video_target *kinds = (const pixviewi_video_target *)args.table;
        const uint64_t *data = (const uint64_t *)(kinds + args.kinds);
        const uint8_t *kind = (const uint8_t *)(data + 3 * args.images);
        target = kinds[kind[n]];
        pixviewi_samples &s = target.samples;
        for (int part = 0; part < 3; part++)
            s.of[part].data = (char *)(uintptr_t)data[3 * n + part];
        x = group << s.shift_x;
        const int64_t last = args.columns - 1, pixel = args.steps.pixel;
        two = s.shift_x > 0 && x < last;
        pixels[1] = args.src + n * args.src_image + x * pixel;
        pixels[0] = x > 0 ? pixels[1] - pixel : pixels[1];
        pixels[2] = x < last ? pixels[1] + pixel : pixels[1];
        of[0] = s.of[0].data + x * s.of[0].step;
        second = of[0] + s.of[0].step;
        for (int part = 1; part < 3; part++)
            of[part] = s.of[part].data + ((x + s.phase_x) >> s.shift_x) * s.of[part].step;
        together[0] = two && s.of[0].step == s.bytes;
        together[1] = of[2] - of[1] == s.bytes || of[1] - of[2] == s.bytes;
    }

    // The three channels of a pixel, as they enter.
    DEVICE void load_pixel(const char *at, T *bits) const
    {
#pragma unroll
        for (int c = 0; c < 3; c++)
            bits[c] = load<T>(at + args.channels[c]);
    }
    DEVICE void to_values(const T *bits, float *rgb) const
    {
        to_floats<3>(bits, args.code, rgb);
#pragma unroll
        for (int c = 0; c < 3; c++)
            rgb[c] = pixviewi_clip_value(multiply_add(rgb[c], args.a[c], args.b[c]));
    }

    // Along an axis: before, first, second. `shift`: of the group; `on`: U and V lie on the first.
    DEVICE static float mean(float before, float first, float second, int shift, bool on)
    {
        if (shift == 0)
            return first;
        if (!on)
            return multiply_add(0.5f, second, 0.5f * first);
        return multiply_add(0.25f, second, multiply_add(0.5f, first, 0.25f * before));
    }

    DEVICE int32_t encoded(int part, const float *rgb) const
    {
        return pixviewi_encode(&target.weights[part], rgb, target.samples.most)
               << target.samples.down;
    }

    DEVICE void store_one(char *at, int32_t a) const
    {
        if (target.samples.bytes == 1)
            store(at, (uint8_t)a);
        else
            store(at, (uint16_t)a);
    }
    // Two samples, the lower one first; `side_by_side`: as one, if they are aligned to both.
    DEVICE void store_two(char *at, char *next, int32_t a, int32_t b, bool side_by_side) const
    {
        const int bytes = target.samples.bytes;
        if (!side_by_side || ((uintptr_t)at & (2 * bytes - 1)) != 0) {
            store_one(at, a);
            store_one(next, b);
        } else if (bytes == 1) {
            store(at, (uint16_t)(a | b << 8));
        } else {
            store(at, (uint32_t)a | (uint32_t)b << 16);
        }
    }

    // Of a row of the group: before, first, second. Of one column only the first.
    template <int COLUMNS> DEVICE void load_line(int64_t y, T (*bits)[3]) const
    {
        const int64_t row = y * args.steps.row;
#pragma unroll
        for (int i = COLUMNS > 1 ? 0 : 1; i <= COLUMNS; i++)
            load_pixel(pixels[i] + row, bits[i]);
    }

    // Its means along columns; `stores`: its Y too.
    template <int COLUMNS>
    DEVICE void make_line(const T (*bits)[3], int64_t y, bool stores, float *line) const
    {
        const pixviewi_samples &s = target.samples;
        float rgb[3][3] = {};
#pragma unroll
        for (int i = COLUMNS > 1 ? 0 : 1; i <= COLUMNS; i++)
            to_values(bits[i], rgb[i]);
#pragma unroll
        for (int c = 0; c < 3; c++)
            line[c] = mean(rgb[0][c], rgb[1][c], rgb[2][c], COLUMNS - 1, target.on_column);
        if (!stores)
            return;
        const int64_t to = y * s.of[0].row_step;
        const int32_t first = encoded(PIXVIEWI_Y, rgb[1]);
        if (COLUMNS > 1 && two)
            store_two(of[0] + to, (char *)second + to, first, encoded(PIXVIEWI_Y, rgb[2]),
                      together[0]);
        else
            store_one(of[0] + to, first);
    }

    // Row y is the group's first. All loads come first, so that they are under way together.
    template <int COLUMNS, int ROWS> DEVICE void make_group(int64_t y) const
    {
        const pixviewi_samples &s = target.samples;
        const int64_t last = args.rows - 1, next = y < last ? y + 1 : y;
        T bits[2][3][3];
        float lines[3][3] = {}; // before, first, second; by channels
        load_line<COLUMNS>(y, bits[0]);
        if (ROWS > 1)
            load_line<COLUMNS>(next, bits[1]);
        make_line<COLUMNS>(bits[0], y, true, lines[1]);
        if (ROWS > 1)
            make_line<COLUMNS>(bits[1], next, next > y, lines[2]);
        if (!s.has_chroma)
            return;
        if (ROWS > 1 && target.on_row) {
            load_line<COLUMNS>(y > 0 ? y - 1 : y, bits[0]);
            make_line<COLUMNS>(bits[0], y, false, lines[0]);
        }
        float rgb[3];
#pragma unroll
        for (int c = 0; c < 3; c++)
            rgb[c] = mean(lines[0][c], lines[1][c], lines[2][c], ROWS - 1, target.on_row);
        const int64_t to = (y + s.phase_y) >> s.shift_y;
        char *at_u = of[1] + to * s.of[1].row_step, *at_v = of[2] + to * s.of[2].row_step;
        const int32_t u = encoded(PIXVIEWI_U, rgb), v = encoded(PIXVIEWI_V, rgb);
        const bool ordered = at_u < at_v;
        store_two(ordered ? at_u : at_v, ordered ? at_v : at_u, ordered ? u : v, ordered ? v : u,
                  together[1]);
    }

    template <int COLUMNS, int ROWS> DEVICE void make_groups(int64_t first) const
    {
#pragma unroll 1
        for (int64_t i = first; i < first + PIXVIEWI_ENCODE_ROWS && i * ROWS < args.rows; i++)
            make_group<COLUMNS, ROWS>(i * ROWS);
    }
};

template <typename T>
DEVICE void encode_block(const pixviewi_encode_args &args, uint32_t block, int lane)
{
    uint32_t line = pixviewi_divide(block, args.by_across);
    uint32_t n = pixviewi_divide(line, args.by_down);
    const int64_t group = (int64_t)(block - line * (uint32_t)args.across) * PIXVIEWI_THREADS + lane;
    const encode<T> kernel(args, (int)n, group);
    const int64_t first = (int64_t)(line - n * (uint32_t)args.down) * PIXVIEWI_ENCODE_ROWS;
    if (kernel.x >= args.columns)
        return;
    const pixviewi_samples &s = kernel.target.samples;
    if (s.shift_x == 0)
        kernel.template make_groups<1, 1>(first);
    else if (s.shift_y == 0)
        kernel.template make_groups<2, 1>(first);
    else
        kernel.template make_groups<2, 2>(first);
}

} // namespace
