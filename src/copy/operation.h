// SPDX-License-Identifier: Apache-2.0
// A copy operation: pixels from some images to others, with any change of layout, element type and
// value on the way. Every copy is one. run.c gives it to the kernels of a GPU or to the loops of
// host/; reference.c is the specification of both.
#ifndef PIXVIEWI_OPERATION_H
#define PIXVIEWI_OPERATION_H

#include "descriptor/image.h"
#include "descriptor/status.h"
#include "kernels/geometry.h"
#include "kernels/video.h"

enum { PIXVIEWI_MAX_CHANNELS = 32 }; // with values of their own

// One end of an operation: a regular batch, or a list of separate images.
typedef struct pixviewi_operand {
    pixview_dtype dtype;
    char *data;                  // of element (0,0,0,0); regular batch only
    int64_t strides[4];          // BYTES, N,H,W,C; regular batch only
    const pixview_image *images; // shape[0] images of N = 1; NULL: a regular batch
    int64_t pad_rows, pad_cols;  // that a regular source has fewer than the destination
    // Beside each listed source: a video frame, whose image only says its place and size (copy/video.h), or
    // samples.bytes = 0. NULL: no frame in the list. Sources only; the operation then always resizes.
    const pixviewi_video *videos;
} pixviewi_operand;

// out = float(in) * scale[c] + bias[c], one fused multiply-add in float32, then rounded to the destination's
// type: to nearest even, uint8 saturated, NaN to 0 there. c counts channels of the destination.
// scale = 1 and bias = -0.0 is exactly the identity.
typedef struct pixviewi_affine {
    bool is_identity; // bits move: the dtypes are equal, scale and bias mean nothing
    bool swap_rb; // channel 0 of the destination is 2 of the source and the reverse; C is 3 or 4
    int32_t channels; // entries of scale and bias: 1 (for every channel) or C
    float scale[PIXVIEWI_MAX_CHANNELS];
    float bias[PIXVIEWI_MAX_CHANNELS];
    float pad;            // where a source ends before the destination: this stands for `in`,
    uint8_t pad_bits[16]; // or these bits, when bits move
} pixviewi_affine;

// How each source is resized and placed on the destination.
typedef struct pixviewi_resize {
    pixviewi_fit_args fit;
    int32_t interpolation;
} pixviewi_resize;

typedef struct pixviewi_copy_op {
    int64_t
        shape[4]; // N,H,W,C of the destination. A source may have fewer rows and columns: it lies
                  // at the top left, the rest is padded
    pixviewi_operand src, dst; // at most one of them is a list
    pixviewi_affine affine;
    const struct pixviewi_copy_plan *plan; // of the same copy of bits, if it is made; NULL
    // Rows and columns do not stay: the source is a list, of images of any size. Even if affine.is_identity,
    // an interpolated pixel has new bits.
    bool resizes;
    pixviewi_resize resize;
    const struct pixviewi_filters *filters; // where it has some (copy/filter.h); NULL: not made yet
    // The destinations are frames: dst lists images that only say their place and size, and its dtype is the
    // float32 that a value is before it becomes Y, U and V. NULL: they are images.
    const pixviewi_video_target *targets;
} pixviewi_copy_op;

// Where source n of a copy that resizes lies on the destination.
static inline void pixviewi_place_source(const pixviewi_copy_op *op, int64_t n, pixviewi_axis *rows,
                                         pixviewi_axis *columns)
{
    const int64_t *source = op->src.images[n].shape;
    *rows = (pixviewi_axis){source[PIXVIEW_AXIS_H], op->shape[PIXVIEW_AXIS_H], 0, 0};
    *columns = (pixviewi_axis){source[PIXVIEW_AXIS_W], op->shape[PIXVIEW_AXIS_W], 0, 0};
    pixviewi_place(rows, columns, &op->resize.fit);
}

static inline pixviewi_operand pixviewi_operand_of(const pixview_image *image)
{
    const int64_t *steps = image->strides;
    return (pixviewi_operand){.dtype = image->dtype,
                              .data = image->data,
                              .strides = {steps[0], steps[1], steps[2], steps[3]}};
}

// A source that may be smaller than `dst`.
static inline pixviewi_operand pixviewi_operand_padded(const pixview_image *src,
                                                       const pixview_image *dst)
{
    pixviewi_operand operand = pixviewi_operand_of(src);
    operand.pad_rows = dst->shape[PIXVIEW_AXIS_H] - src->shape[PIXVIEW_AXIS_H];
    operand.pad_cols = dst->shape[PIXVIEW_AXIS_W] - src->shape[PIXVIEW_AXIS_W];
    return operand;
}

// The frame that source n is; NULL: it is an image.
static inline const pixviewi_video *pixviewi_video_at(const pixviewi_copy_op *op, int64_t n)
{
    return op->src.videos && op->src.videos[n].samples.bytes ? &op->src.videos[n] : NULL;
}

static inline bool pixviewi_is_padded(const pixviewi_copy_op *op)
{
    return op->src.pad_rows || op->src.pad_cols;
}

// Of bits, between two images of one type and size.
static inline pixviewi_copy_op pixviewi_bits_op(const pixview_image *src, const pixview_image *dst)
{
    pixviewi_copy_op op; // most of its numbers mean nothing then
    op.src = pixviewi_operand_of(src);
    op.dst = pixviewi_operand_of(dst);
    for (int axis = 0; axis < 4; axis++)
        op.shape[axis] = dst->shape[axis];
    op.affine.is_identity = true;
    op.affine.swap_rb = false;
    op.plan = NULL;
    op.resizes = false;
    op.filters = NULL;
    op.targets = NULL;
    return op;
}

#endif
