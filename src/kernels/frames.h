// SPDX-License-Identifier: Apache-2.0
// Video frames, and images of bytes among them, as a source of the kernels that resize. Comes after resize.h.
//
// Of each pixel Y, U and V are loaded where they lie, and become R, G and B before anything else happens to them.
#include "colour.h"

namespace
{

// A frame, or an image, whose channels lie where Y, U and V would: what the table says, with all that is the same for
// every pixel computed. A channel's sum, as of pixviewi_colour_sums, is a row of the matrix times Y, U and V, and more.
struct frame {
    const char *of[3];
    int64_t rows[3]; // BYTES
    int32_t steps[3];
    int32_t shift_x, shift_y, phase_x, phase_y; // as in pixviewi_samples
    int32_t wide, down, most;                   // wide: samples have two bytes
    pixviewi_matrix matrix;                     // more: a half too, if the sum is rounded
};

struct frames {
    using element =
        int32_t; // a channel, as pixviewi_colour_sums leaves it, to be rounded if it is to be a byte
    using kind = pixviewi_video;
    using image = frame;
    static constexpr int PLANES = 3;
    static constexpr bool THREE = true;
    struct line {
        const char *of[3];
    };

    const frame &from;
    const bool bytes; // else floats

    DEVICE frames(const pixviewi_resize_args &, const frame &from, bool bytes)
        : from(from), bytes(bytes)
    {
    }

    DEVICE static bool read(frame &out, const kind &kind, const uint64_t *data, int64_t, int64_t,
                            bool rounds)
    {
        const pixviewi_samples &s = kind.samples;
        const int32_t one = 1 << PIXVIEWI_COLOUR_BITS;
        const bool is_frame = s.bytes > 0, bytes = rounds || !kind.colour.deep;
        out.matrix = {{{one, 0, 0}, {0, one, 0}, {0, 0, one}}, {0, 0, 0}, 0};
        if (is_frame)
            pixviewi_matrix_of(&kind.colour, &out.matrix);
        for (int part = 0; part < 3; part++) {
            out.of[part] = (const char *)(uintptr_t)data[part];
            out.rows[part] = s.of[part].row_step;
            out.steps[part] = (int32_t)s.of[part].step;
            out.matrix.more[part] += bytes ? one / 2 : 0;
        }
        out.shift_x = s.shift_x, out.shift_y = s.shift_y;
        out.phase_x = s.phase_x, out.phase_y = s.phase_y;
        out.wide = s.bytes == 2, out.down = s.down, out.most = s.most;
        return bytes;
    }
    DEVICE bool has_bytes() const { return bytes; }

    // ---- rows and columns ----

    DEVICE bool is_inside(int64_t, int64_t) const { return false; }
    DEVICE int64_t find_column(int64_t x) const { return x; }
    DEVICE int64_t next_column() const { return 1; }

    // BYTES from the row. Steps and columns have 32 bits.
    DEVICE int64_t offset(int part, int64_t x) const
    {
        return (int64_t)(part == PIXVIEWI_Y ? (int32_t)x : shared(x)) * from.steps[part];
    }
    // Which sample of U and V it has.
    DEVICE int32_t shared(int64_t x) const { return ((int32_t)x + from.phase_x) >> from.shift_x; }

    DEVICE line channel_of(const line &row, int) const { return row; }
    DEVICE line find_row(int64_t y, int) const
    {
        const int64_t of_two = (y + from.phase_y) >> from.shift_y;
        return {{from.of[0] + y * from.rows[0], from.of[1] + of_two * from.rows[1],
                 from.of[2] + of_two * from.rows[2]}};
    }

    DEVICE void fetch(const line &row, int64_t first, int64_t last) const
    {
        const int64_t most = PIXVIEWI_SECTOR * PIXVIEWI_RESIZE_COLUMNS;
        const int64_t apart = row.of[PIXVIEWI_V] - row.of[PIXVIEWI_U];
        const bool mixed = apart > -PIXVIEWI_SECTOR && apart < PIXVIEWI_SECTOR;
#pragma unroll
        for (int part = 0; part < 3; part++) {
            const int64_t begin = offset(part, first), length = offset(part, last) - begin + 1;
            if (part == PIXVIEWI_V && mixed) // it came with U
                continue;
            if (from.steps[part] > 0 && length <= most)
                fetch_run(row.of[part] + begin, (int)length + from.steps[part] - 1);
        }
    }

    // ---- pixels ----

    template <typename T> DEVICE void load_samples(const line &row, int64_t x, int32_t *yuv) const
    {
#pragma unroll
        for (int part = 0; part < 3; part++)
            yuv[part] = load<T>(row.of[part] + offset(part, x));
    }

    template <typename T> DEVICE void make_sums(const int32_t *yuv, int32_t *sums) const
    {
        int32_t of[3];
#pragma unroll
        for (int part = 0; part < 3; part++)
            of[part] = sizeof(T) > 1 ? yuv[part] >> from.down & from.most : yuv[part];
        int32_t begun[3];
        begin_sums(from.matrix, of[1], of[2], begun);
        end_sums(from.matrix, of[0], begun, sums);
    }

    template <int CHANNELS> DEVICE void load_pixel(const line &row, int64_t x, int32_t *sums) const
    {
        int32_t yuv[3];
        if (from.wide) {
            load_samples<uint16_t>(row, x, yuv);
            make_sums<uint16_t>(yuv, sums);
        } else {
            load_samples<uint8_t>(row, x, yuv);
            make_sums<uint8_t>(yuv, sums);
        }
    }

    // As of plain. Whether samples have one byte or two is asked once.
    template <int CHANNELS, int ROWS, typename Quad>
    DEVICE void load_pairs(const line *rows, const Quad &of,
                           uint32_t (*out)[PIXVIEWI_QUAD][2]) const
    {
        if (from.wide)
            load_pairs_of<uint16_t, ROWS>(rows, of, out);
        else
            load_pairs_of<uint8_t, ROWS>(rows, of, out);
    }
    template <typename T, int ROWS, typename Quad>
    DEVICE void load_pairs_of(const line *rows, const Quad &of,
                              uint32_t (*out)[PIXVIEWI_QUAD][2]) const
    {
#pragma unroll
        for (int i = 0; i < ROWS; i++)
#pragma unroll
            for (int k = 0; k < PIXVIEWI_QUAD; k++) {
                int32_t yuv[2][3], p[3], q[3];
                load_samples<T>(rows[i], of.first(k), yuv[0]);
                load_samples<T>(rows[i], of.second(k, 1), yuv[1]);
                make_sums<T>(yuv[0], p);
                make_sums<T>(yuv[1], q);
                out[i][k][0] = bytes_of_sums(p[0], q[0], p[1], q[1]);
                out[i][k][1] = bytes_of_sums(p[2], q[2], 0, 0);
            }
    }

    template <int COUNT> DEVICE void to_values(const int32_t *sums, float *out) const
    {
#pragma unroll
        for (int i = 0; i < COUNT; i++)
            out[i] = pixviewi_colour_float(sums[i]);
    }
    template <int COUNT> DEVICE void to_nearest(const int32_t *sums, float *out) const
    {
        if (!bytes)
            return to_values<COUNT>(sums, out);
#pragma unroll
        for (int i = 0; i < COUNT; i++)
            out[i] = float_of_rounded(sums[i]);
    }

    // Of four pixels; here too it is asked once.
    template <int CHANNELS, typename Quad>
    DEVICE void load_quad(const line &row, const Quad &of, int32_t (*sums)[CHANNELS]) const
    {
        if (from.wide)
            load_quad_of<uint16_t>(row, of, sums);
        else
            load_quad_of<uint8_t>(row, of, sums);
    }
    template <typename T, typename Quad>
    DEVICE void load_quad_of(const line &row, const Quad &of, int32_t (*sums)[3]) const
    {
        int32_t yuv[PIXVIEWI_QUAD][3];
#pragma unroll
        for (int k = 0; k < PIXVIEWI_QUAD; k++)
            load_samples<T>(row, of.first(k), yuv[k]);
#pragma unroll
        for (int k = 0; k < PIXVIEWI_QUAD; k++)
            make_sums<T>(yuv[k], sums[k]);
    }
};

} // namespace
