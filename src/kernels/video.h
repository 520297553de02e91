// SPDX-License-Identifier: Apache-2.0
// Pixels of video frames: where Y, U and V lie, and what they are as R, G and B. The same for the host, the plain C
// version and the kernels: all formats have one form, and the integers decide the bytes.
#ifndef PIXVIEWI_KERNELS_VIDEO_H
#define PIXVIEWI_KERNELS_VIDEO_H

#include "geometry.h"

// ---- Samples ------------------------------------------------------------------------------------

enum { PIXVIEWI_Y, PIXVIEWI_U, PIXVIEWI_V };

typedef struct pixviewi_component {
    char *data;             // of the sample that pixel (0, 0) has
    int64_t row_step, step; // BYTES to the next row and to the next column of samples
} pixviewi_component;

// A frame, or a region of one. GRAY: U and V are Y once more, and count for nothing.
typedef struct pixviewi_samples {
    pixviewi_component of[3];
    int32_t shift_x, shift_y; // 1 << shift columns and rows of pixels share one U and V
    int32_t phase_x, phase_y; // of pixel (0, 0) in its group; below 1 << shift
    int32_t bytes;            // of a sample: 1 or 2; 0: this is no frame
    int32_t down, most;       // value = sample >> down & most
    int32_t has_chroma;
} pixviewi_samples;

// The sample that pixel (y, x) has.
PIXVIEWI_DEVICE char *pixviewi_sample_at(const pixviewi_samples *s, int part, int64_t y, int64_t x)
{
    if (part != PIXVIEWI_Y) {
        y = (y + s->phase_y) >> s->shift_y;
        x = (x + s->phase_x) >> s->shift_x;
    }
    return s->of[part].data + y * s->of[part].row_step + x * s->of[part].step;
}

PIXVIEWI_DEVICE int32_t pixviewi_sample_load(const pixviewi_samples *s, const char *at)
{
    int32_t bits = s->bytes == 1 ? *(const uint8_t *)at : *(const uint16_t *)at;
    return bits >> s->down & s->most;
}

PIXVIEWI_DEVICE void pixviewi_sample_store(const pixviewi_samples *s, char *at, int32_t value)
{
    if (s->bytes == 1)
        *(uint8_t *)at = (uint8_t)(value << s->down);
    else
        *(uint16_t *)at = (uint16_t)(value << s->down);
}

// ---- To RGB -------------------------------------------------------------------------------------

// Coefficients have 20 bits behind the point; results are 0 to 255 at every depth. No sum leaves int32.
typedef struct pixviewi_colour {
    int32_t y_offset, y_least; // y_least: of Y - y_offset; OpenCV takes no less than 0
    int32_t c_offset;
    int32_t y, v_r, u_g, v_g, u_b;
    int32_t bgr;  // the order of the result
    int32_t deep; // more than 8 bits: pixels are floats
} pixviewi_colour;

typedef struct pixviewi_video {
    pixviewi_samples samples;
    pixviewi_colour colour;
} pixviewi_video;

// Of the three channels of the result, in their order.
PIXVIEWI_DEVICE void pixviewi_colour_sums(const pixviewi_colour *c, int32_t y, int32_t u, int32_t v,
                                          int32_t sums[3])
{
    y -= c->y_offset;
    y = (y < c->y_least ? c->y_least : y) * c->y;
    u -= c->c_offset;
    v -= c->c_offset;
    int32_t r = y + v * c->v_r, b = y + u * c->u_b;
    sums[0] = c->bgr ? b : r;
    sums[1] = y + u * c->u_g + v * c->v_g;
    sums[2] = c->bgr ? r : b;
}

enum { PIXVIEWI_COLOUR_BITS = 20 };

// The same sums as rows of a matrix: channel c is of[c][0] * Y + of[c][1] * U + of[c][2] * V + more[c], if Y is at
// least that.
typedef struct pixviewi_matrix {
    int32_t of[3][3], more[3];
    int32_t least;
} pixviewi_matrix;

PIXVIEWI_DEVICE void pixviewi_matrix_of(const pixviewi_colour *c, pixviewi_matrix *out)
{
    const int red = c->bgr ? 2 : 0, blue = 2 - red;
    for (int channel = 0; channel < 3; channel++) {
        out->of[channel][PIXVIEWI_Y] = c->y;
        out->of[channel][PIXVIEWI_U] = channel == 1 ? c->u_g : channel == blue ? c->u_b : 0;
        out->of[channel][PIXVIEWI_V] = channel == 1 ? c->v_g : channel == red ? c->v_r : 0;
        out->more[channel] = -c->y_offset * c->y - c->c_offset * (out->of[channel][PIXVIEWI_U] +
                                                                  out->of[channel][PIXVIEWI_V]);
    }
    out->least = c->y_least + c->y_offset;
}

PIXVIEWI_DEVICE int32_t pixviewi_colour_byte(int32_t sum)
{
    int32_t value = (sum + (1 << (PIXVIEWI_COLOUR_BITS - 1))) >> PIXVIEWI_COLOUR_BITS;
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

// All the bits that the video has: one rounding, of an integer to float.
PIXVIEWI_DEVICE float pixviewi_colour_float(int32_t sum)
{
    int32_t most = 255 << PIXVIEWI_COLOUR_BITS;
    return (float)(sum < 0      ? 0
                   : sum > most ? most
                                : sum) *
           (1.0f / (float)(1 << PIXVIEWI_COLOUR_BITS));
}

PIXVIEWI_DEVICE void pixviewi_video_sums(const pixviewi_video *video, int64_t y, int64_t x,
                                         int32_t sums[3])
{
    const pixviewi_samples *s = &video->samples;
    pixviewi_colour_sums(&video->colour,
                         pixviewi_sample_load(s, pixviewi_sample_at(s, PIXVIEWI_Y, y, x)),
                         pixviewi_sample_load(s, pixviewi_sample_at(s, PIXVIEWI_U, y, x)),
                         pixviewi_sample_load(s, pixviewi_sample_at(s, PIXVIEWI_V, y, x)), sums);
}

// ---- And back -----------------------------------------------------------------------------------

// One of Y, U and V, of the channels of the image in their order.
typedef struct pixviewi_weights {
    float of[3], offset;
} pixviewi_weights;

typedef struct pixviewi_video_target {
    pixviewi_samples samples;
    pixviewi_weights weights[3];
    int32_t on_column, on_row; // U and V lie on the first pixel of their group, else between two
} pixviewi_video_target;

// What a sample is made of, along an axis of `length` pixels: at most three of them.
typedef struct pixviewi_mean {
    int64_t at[3];
    float weight[3]; // powers of two: no sum of bytes is rounded
    int32_t count;
} pixviewi_mean;

PIXVIEWI_DEVICE pixviewi_mean pixviewi_mean_of(int64_t sample, int32_t shift, int32_t on_pixel,
                                               int64_t length)
{
    pixviewi_mean mean;
    int64_t first = sample << shift, last = length - 1;
    mean.count = shift == 0 ? 1 : on_pixel ? 3 : 2;
    mean.at[0] = mean.count == 3 && first > 0 ? first - 1 : first;
    mean.at[1] = mean.count == 3 || first == last ? first : first + 1;
    mean.at[2] = first < last ? first + 1 : last;
    mean.weight[0] = mean.count == 1 ? 1.0f : mean.count == 2 ? 0.5f : 0.25f;
    mean.weight[1] = 0.5f;
    mean.weight[2] = 0.25f;
    return mean;
}

// A value of the image, as it enters. NaN becomes 0.
PIXVIEWI_DEVICE float pixviewi_clip_value(float value) { return fminf(fmaxf(value, 0.0f), 255.0f); }

PIXVIEWI_DEVICE int32_t pixviewi_encode(const pixviewi_weights *w, const float rgb[3], int32_t most)
{
    float value = fmaf(w->of[0], rgb[0], fmaf(w->of[1], rgb[1], fmaf(w->of[2], rgb[2], w->offset)));
    return value <= 0 ? 0 : value >= (float)most ? most : (int32_t)rintf(value);
}

#endif
