// SPDX-License-Identifier: Apache-2.0
// The video formats that pixview knows: this list is the only one.
#ifndef PIXVIEWI_VIDEO_H
#define PIXVIEWI_VIDEO_H

#include "pixview/pixview.h"

// What the planes hold.
typedef enum pixviewi_video_planes {
    PIXVIEWI_VIDEO_GRAY,   // Y
    PIXVIEWI_VIDEO_PAIRS,  // Y and UV
    PIXVIEWI_VIDEO_PLANAR, // Y, U and V
    PIXVIEWI_VIDEO_PACKED  // Y U Y V
} pixviewi_video_planes;

// X(name, planes, bits of a value, bits below it, shift of columns and of rows for U and V, the second name).
// FFmpeg's "le" is cut off before.
#define PIXVIEWI_VIDEO_FORMATS(X)                     \
    X(NV12, PAIRS, 8, 0, 1, 1, NULL)                  \
    X(NV21, PAIRS, 8, 0, 1, 1, NULL)                  \
    X(NV16, PAIRS, 8, 0, 1, 0, NULL)                  \
    X(NV24, PAIRS, 8, 0, 0, 0, NULL)                  \
    X(P010, PAIRS, 10, 6, 1, 1, NULL)                 \
    X(P012, PAIRS, 12, 4, 1, 1, NULL)                 \
    X(P016, PAIRS, 16, 0, 1, 1, NULL)                 \
    X(P210, PAIRS, 10, 6, 1, 0, NULL)                 \
    X(P216, PAIRS, 16, 0, 1, 0, NULL)                 \
    X(YUV420P, PLANAR, 8, 0, 1, 1, "I420")            \
    X(YUV422P, PLANAR, 8, 0, 1, 0, NULL)              \
    X(YUV444P, PLANAR, 8, 0, 0, 0, "YUV444")          \
    X(YUV420P10, PLANAR, 10, 0, 1, 1, NULL)           \
    X(YUV422P10, PLANAR, 10, 0, 1, 0, NULL)           \
    X(YUV444P10, PLANAR, 10, 0, 0, 0, NULL)           \
    X(YUV420P12, PLANAR, 12, 0, 1, 1, NULL)           \
    X(YUV422P12, PLANAR, 12, 0, 1, 0, NULL)           \
    X(YUV444P12, PLANAR, 12, 0, 0, 0, NULL)           \
    X(YUV420P16, PLANAR, 16, 0, 1, 1, NULL)           \
    X(YUV422P16, PLANAR, 16, 0, 1, 0, NULL)           \
    X(YUV444P16, PLANAR, 16, 0, 0, 0, "YUV444_16BIT") \
    X(YUYV, PACKED, 8, 0, 1, 0, "YUYV422")            \
    X(UYVY, PACKED, 8, 0, 1, 0, "UYVY422")            \
    X(GRAY8, GRAY, 8, 0, 0, 0, "GRAY")                \
    X(GRAY10, GRAY, 10, 0, 0, 0, NULL)                \
    X(GRAY12, GRAY, 12, 0, 0, 0, NULL)                \
    X(GRAY16, GRAY, 16, 0, 0, 0, NULL)

typedef struct pixviewi_video_row {
    const char *name, *second_name;
    pixviewi_video_planes planes;
    uint8_t bits, down, shift_x, shift_y;
} pixviewi_video_row;

// NULL for a format that is none.
const pixviewi_video_row *pixviewi_video_find(pixview_video_format format);

int32_t pixviewi_video_plane_count(const pixviewi_video_row *row);
const char *pixviewi_video_plane_name(pixview_video_format format, int32_t plane);

// H, W and C of a plane of a frame of height x width pixels, as in pixview_video_frame.
void pixviewi_video_plane_shape(const pixviewi_video_row *row, int32_t plane, int64_t height,
                                int64_t width, int64_t shape[3]);

static inline pixview_dtype pixviewi_video_dtype(const pixviewi_video_row *row)
{
    return (pixview_dtype){PIXVIEW_DTYPE_UINT, row->bits == 8 ? 8 : 16, 1};
}

#endif
