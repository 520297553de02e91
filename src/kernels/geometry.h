// SPDX-License-Identifier: Apache-2.0
// Where an image goes on a canvas, and which pixels of it one pixel of the canvas is made of. The same for the
// host, the plain C version and the kernels: double arithmetic whose every step is rounded by itself. nvcc makes
// one of a product and a sum: only of x / 2 - 0.1, whose product is exact.
#ifndef PIXVIEWI_GEOMETRY_H
#define PIXVIEWI_GEOMETRY_H

#include <stdint.h>

#ifndef __CUDACC__
#include <math.h>
#endif

#ifdef __CUDACC__
#define PIXVIEWI_DEVICE __host__ __device__ static inline
#else
#define PIXVIEWI_DEVICE static inline
#endif

// ---- Placement ----------------------------------------------------------------------------------

// In the order of pixview_fit and pixview_interpolation.
enum { PIXVIEWI_FIT_NONE, PIXVIEWI_FIT_STRETCH, PIXVIEWI_FIT_LETTERBOX, PIXVIEWI_FIT_COVER };
enum {
    PIXVIEWI_LINEAR,
    PIXVIEWI_NEAREST,
    PIXVIEWI_AREA, // from here on by tables of weights
    PIXVIEWI_PIL_BILINEAR,
    PIXVIEWI_PIL_BICUBIC,
    PIXVIEWI_PIL_LANCZOS
};

typedef struct pixviewi_fit_args {
    int32_t fit, center, no_scaleup;
} pixviewi_fit_args;

// One axis: the image is resized to `resized`; of that, what begins at `skip` lies on the canvas. Below 0: the
// canvas begins that much before it.
typedef struct pixviewi_axis {
    int64_t source, canvas, resized, skip;
} pixviewi_axis;

PIXVIEWI_DEVICE int64_t pixviewi_at_least_one(double length)
{
    return length < 1 ? 1 : (int64_t)rint(length);
}

// ultralytics' LetterBox. Python's round() rounds half to even too.
PIXVIEWI_DEVICE void pixviewi_letterbox(pixviewi_axis *h, pixviewi_axis *w, int no_scaleup)
{
    double ratio =
        fmin((double)h->canvas / (double)h->source, (double)w->canvas / (double)w->source);
    if (no_scaleup)
        ratio = fmin(ratio, 1.0);
    h->resized = pixviewi_at_least_one((double)h->source * ratio);
    w->resized = pixviewi_at_least_one((double)w->source * ratio);
}

// torchvision's Resize and CenterCrop, whose int() cuts the longer edge off.
PIXVIEWI_DEVICE void pixviewi_cover(pixviewi_axis *h, pixviewi_axis *w, int no_scaleup)
{
    int wide = h->canvas * w->source > w->canvas * h->source; // the height decides
    pixviewi_axis *tight = wide ? h : w, *cut = wide ? w : h;
    tight->resized = no_scaleup && tight->canvas > tight->source ? tight->source : tight->canvas;
    cut->resized = tight->resized * cut->source / tight->source;
}

PIXVIEWI_DEVICE void pixviewi_stretch(pixviewi_axis *a, int no_scaleup)
{
    a->resized = no_scaleup && a->canvas > a->source ? a->source : a->canvas;
}

// round(x / 2 - 0.1) of what is padded, as ultralytics; round(x / 2) of what is cut off, as torchvision.
PIXVIEWI_DEVICE void pixviewi_align(pixviewi_axis *a, int center)
{
    double room = (double)(a->canvas - a->resized);
    a->skip = !center ? 0 : room >= 0 ? -(int64_t)rint(room / 2 - 0.1) : (int64_t)rint(-room / 2);
}

// Sets `resized`; source and canvas are set, extents of 1 to 2^31 - 1.
PIXVIEWI_DEVICE void pixviewi_resize_axes(pixviewi_axis *h, pixviewi_axis *w,
                                          const pixviewi_fit_args *fit)
{
    h->resized = h->source;
    w->resized = w->source;
    if (fit->fit == PIXVIEWI_FIT_LETTERBOX) {
        pixviewi_letterbox(h, w, fit->no_scaleup);
    } else if (fit->fit == PIXVIEWI_FIT_COVER) {
        pixviewi_cover(h, w, fit->no_scaleup);
    } else if (fit->fit == PIXVIEWI_FIT_STRETCH) {
        pixviewi_stretch(h, fit->no_scaleup);
        pixviewi_stretch(w, fit->no_scaleup);
    }
}

PIXVIEWI_DEVICE void pixviewi_place(pixviewi_axis *h, pixviewi_axis *w,
                                    const pixviewi_fit_args *fit)
{
    int center = fit->center && fit->fit != PIXVIEWI_FIT_NONE;
    pixviewi_resize_axes(h, w, fit);
    pixviewi_align(h, center);
    pixviewi_align(w, center);
}

// The pixels of the canvas that the image covers: first, and how many.
PIXVIEWI_DEVICE int64_t pixviewi_axis_begin(const pixviewi_axis *a)
{
    return a->skip < 0 ? -a->skip : 0;
}
PIXVIEWI_DEVICE int64_t pixviewi_axis_length(const pixviewi_axis *a)
{
    int64_t end = a->resized - a->skip;
    return (end < a->canvas ? end : a->canvas) - pixviewi_axis_begin(a);
}

// ---- Taps ---------------------------------------------------------------------------------------
//
// Element d of the resized axis is made of two of the source. Bytes as cv2.resize makes them (INTER_LINEAR on
// x86): float positions, weights of 11 bits. All else with double positions and float weights.

typedef struct pixviewi_tap {
    int64_t first, second;
    int32_t a, b; // of bytes: weights of the two, together 2048
    float weight; // of all else: of the second
} pixviewi_tap;

PIXVIEWI_DEVICE double pixviewi_tap_scale(int64_t source, int64_t resized)
{
    return 1.0 / ((double)resized / (double)source);
}

PIXVIEWI_DEVICE double pixviewi_tap_position(int64_t d, double scale)
{
#ifdef __CUDA_ARCH__
    return __dadd_rn(__dmul_rn((double)d + 0.5, scale), -0.5);
#else
    return ((double)d + 0.5) * scale - 0.5;
#endif
}

// cv2 moves a column that leaves the image onto its edge, and of a row each of the two.
PIXVIEWI_DEVICE pixviewi_tap pixviewi_byte_tap(int64_t d, int64_t source, double scale, int is_row)
{
    float position = (float)pixviewi_tap_position(d, scale), whole = floorf(position);
    float weight = position - whole;
    int64_t first = (int64_t)whole, last = source - 1;
    if (!is_row && first < 0)
        first = 0, weight = 0;
    if (!is_row && first >= last)
        first = last, weight = 0;
    pixviewi_tap tap;
    tap.first = first < 0 ? 0 : first < last ? first : last;
    tap.second = first + 1 < 0 ? 0 : first + 1 < last ? first + 1 : last;
    tap.a = (int32_t)rintf((1.0f - weight) * 2048.0f);
    tap.b = (int32_t)rintf(weight * 2048.0f);
    tap.weight = 0;
    return tap;
}

PIXVIEWI_DEVICE pixviewi_tap pixviewi_float_tap(int64_t d, int64_t source, double scale)
{
    double position = pixviewi_tap_position(d, scale), whole = floor(position);
    int64_t first = (int64_t)whole, last = source - 1;
    pixviewi_tap tap;
    tap.a = tap.b = 0;
    tap.weight = first < 0 || first >= last ? 0 : (float)(position - whole);
    tap.first = first < 0 ? 0 : first < last ? first : last;
    tap.second = tap.first < last ? tap.first + 1 : last;
    return tap;
}

PIXVIEWI_DEVICE int64_t pixviewi_nearest_tap(int64_t d, int64_t source, double scale)
{
    int64_t at = (int64_t)floor((double)d * scale);
    return at < source - 1 ? at : source - 1;
}

// Pillow 13 filters the columns of a row first, or the rows first where those shrink more. Before 13 it never
// did the latter.
PIXVIEWI_DEVICE int pixviewi_pil_rows_first(const pixviewi_axis *rows, const pixviewi_axis *columns)
{
    int64_t fewer = rows->source - rows->resized;
    return fewer > 0 && fewer > 2 * (columns->source - columns->resized);
}

// Two neighbours in a row; 16 bits.
PIXVIEWI_DEVICE int32_t pixviewi_mix_columns(int32_t p, int32_t q, const pixviewi_tap *x)
{
    return (p * x->a + q * x->b) >> 4;
}
PIXVIEWI_DEVICE int32_t pixviewi_mix_rows(int32_t above, int32_t below, const pixviewi_tap *y)
{
    return (((y->a * above) >> 16) + ((y->b * below) >> 16) + 2) >> 2;
}
// What has no weight counts for nothing, an infinity too.
PIXVIEWI_DEVICE float pixviewi_mix(float p, float q, float weight)
{
    return weight == 0 ? p : fmaf(weight, q - p, p);
}

#endif
