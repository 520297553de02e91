// SPDX-License-Identifier: Apache-2.0
// The coefficients between Y, U, V and R, G, B, in double.
#include <math.h>

#include "copy/video.h"
#include "descriptor/video.h"

// What R and B count for in Y.
typedef struct primaries {
    double r, b;
} primaries;

static primaries primaries_of(pixview_video_matrix matrix)
{
    switch (matrix) {
    case PIXVIEW_VIDEO_MATRIX_BT709:
        return (primaries){0.2126, 0.0722};
    case PIXVIEW_VIDEO_MATRIX_BT2020:
        return (primaries){0.2627, 0.0593};
    case PIXVIEW_VIDEO_MATRIX_SMPTE240M:
        return (primaries){0.212, 0.087};
    default: // of GRAY too, where it does not matter
        return (primaries){0.299, 0.114};
    }
}

// How many steps of a sample are all of Y, and all of U or V; and what stands for none of it.
typedef struct levels {
    double y, c, y_offset, c_offset, step; // step: of a byte
} levels;

static levels levels_of(const pixview_video_frame *frame)
{
    double step = ldexp(1, frame->bits - 8), most = ldexp(1, frame->bits) - 1;
    bool full = frame->range == PIXVIEW_VIDEO_RANGE_FULL;
    return (levels){full ? most : 219 * step, full ? most : 224 * step, full ? 0 : 16 * step,
                    128 * step, step};
}

// ---- to RGB -----------------------------------------------------------------------------------

static int32_t fixed(double value) { return (int32_t)rint(ldexp(value, PIXVIEWI_COLOUR_BITS)); }

// Of cv2.cvtColor, 20 bits behind the point; its Y is no less than 16.
static void set_opencv(pixviewi_colour *out, double step)
{
    out->y = (int32_t)rint(1220542 / step);
    out->v_r = (int32_t)rint(1673527 / step);
    out->u_g = (int32_t)rint(-409993 / step);
    out->v_g = (int32_t)rint(-852492 / step);
    out->u_b = (int32_t)rint(2116026 / step);
    out->y_least = 0;
}

static void set_matrix(pixviewi_colour *out, primaries k, const levels *range)
{
    double green = 1 - k.r - k.b, c = 255 / range->c;
    out->y = fixed(255 / range->y);
    out->v_r = fixed(2 * (1 - k.r) * c);
    out->u_g = fixed(-2 * k.b * (1 - k.b) / green * c);
    out->v_g = fixed(-2 * k.r * (1 - k.r) / green * c);
    out->u_b = fixed(2 * (1 - k.b) * c);
    out->y_least = -out->y_offset; // none
}

pixviewi_colour pixviewi_colour_of(const pixview_video_frame *frame)
{
    levels range = levels_of(frame);
    pixviewi_colour out = {.y_offset = (int32_t)range.y_offset,
                           .c_offset = (int32_t)range.c_offset,
                           .bgr = frame->order == PIXVIEW_VIDEO_ORDER_BGR,
                           .deep = frame->bits > 8};
    if (frame->matrix == PIXVIEW_VIDEO_MATRIX_OPENCV)
        set_opencv(&out, range.step);
    else
        set_matrix(&out, primaries_of(frame->matrix), &range);
    if (pixviewi_video_find(frame->format)->planes == PIXVIEWI_VIDEO_GRAY)
        out.v_r = out.u_g = out.v_g = out.u_b = 0;
    return out;
}

// ---- and back ---------------------------------------------------------------------------------

// Of cv2.cvtColor, of R, G and B in Y, U and V.
static const int32_t opencv_back[3][3] = {
    {269484, 528482, 102760}, {-155188, -305135, 460324}, {460324, -385875, -74448}};

static void set_weights(pixviewi_weights *out, const double rgb[3], double scale, double offset,
                        bool bgr)
{
    for (int i = 0; i < 3; i++)
        out->of[i] = (float)(rgb[bgr ? 2 - i : i] * scale);
    out->offset = (float)offset;
}

void pixviewi_weights_of(const pixview_video_frame *frame, pixviewi_weights out[3])
{
    levels range = levels_of(frame);
    primaries k = primaries_of(frame->matrix);
    bool bgr = frame->order == PIXVIEW_VIDEO_ORDER_BGR;
    double green = 1 - k.r - k.b, u = 2 * (1 - k.b), v = 2 * (1 - k.r);
    const double rows[3][3] = {{k.r, green, k.b},
                               {-k.r / u, -green / u, (1 - k.b) / u},
                               {(1 - k.r) / v, -green / v, -k.b / v}};
    for (int i = 0; i < 3; i++) {
        double scale = (i == 0 ? range.y : range.c) / 255;
        double offset = i == 0 ? range.y_offset : range.c_offset;
        double constants[3];
        for (int c = 0; c < 3; c++)
            constants[c] = ldexp(opencv_back[i][c], -PIXVIEWI_COLOUR_BITS);
        if (frame->matrix == PIXVIEW_VIDEO_MATRIX_OPENCV)
            set_weights(&out[i], constants, range.step, offset, bgr);
        else
            set_weights(&out[i], rows[i], scale, offset, bgr);
    }
}
