// A copy operation: pixels from some images to others, with any change of layout, element type and
// value on the way. Every copy is one. run.c gives it to the kernels of a GPU or to the loops of
// host/; reference.c is the specification of both.
#ifndef PIXVIEWI_MOVE_H
#define PIXVIEWI_MOVE_H

#include "descriptor/internal.h"

enum { PIXVIEWI_MAX_CHANNELS = 32 }; // with values of their own

// One end of an operation: a regular batch, or a list of separate images.
typedef struct pixviewi_operand {
    pixview_dtype dtype;
    char *data;                  // of element (0,0,0,0); regular batch only
    int64_t strides[4];          // BYTES, N,H,W,C; regular batch only
    const pixview_image *images; // shape[0] images of N = 1; NULL: a regular batch
    int64_t pad_rows, pad_cols;  // that a regular source has fewer than the destination
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

typedef struct pixviewi_copy_op {
    int64_t
        shape[4]; // N,H,W,C of the destination. A source may have fewer rows and columns: it lies
                  // at the top left, the rest is padded
    pixviewi_operand src, dst; // at most one of them is a list
    pixviewi_affine affine;
} pixviewi_copy_op;

// The plain C of every kernel: slow, and what all others have to equal. Host memory only.
void pixviewi_run_reference(const pixviewi_copy_op *op);

// The same, fast: vectors as wide as the processor has, and threads where they pay (host/).
void pixviewi_host_run(const pixviewi_copy_op *op);

// The plan of a copy of bits between two batches that are not empty. Checked before, as above.
void pixviewi_copy_plan_of(const pixviewi_copy_op *op, pixviewi_copy_plan *plan);

// Queues the operation on `device`: one launch, or several when a list does not fit the parameters of one.
// Checked before: extents, types, overlap, devices. Nothing is queued when it fails at once.
pixview_status pixviewi_cuda_run(int device, const pixviewi_copy_op *op, pixview_stream stream,
                                 pixview_error *err);

static inline int64_t pixviewi_magnitude(int64_t stride) { return stride < 0 ? -stride : stride; }

static inline pixviewi_operand pixviewi_operand_of(const pixview_image *image)
{
    const int64_t *steps = image->strides;
    return (pixviewi_operand){image->dtype, image->data, {steps[0], steps[1], steps[2], steps[3]},
                              NULL,         0,           0};
}

static inline bool pixviewi_is_padded(const pixviewi_copy_op *op)
{
    return op->src.pad_rows || op->src.pad_cols;
}

// Both ends are checked and not empty, on the same GPU or on the host.
pixview_status pixviewi_run(const pixviewi_copy_op *op, pixview_device device,
                            pixview_stream stream, pixview_error *err);

// What params say about values, checked. Fills all of *out that an operation reads.
pixview_status pixviewi_affine_of(const pixview_convert_params *params, pixview_dtype from,
                                  pixview_dtype to, int64_t channels, pixviewi_affine *out,
                                  pixview_error *err);

// All of pixview_stack but the last step, pixviewi_run, which an empty batch does not need.
// `name`: of the list in errors, whose images the caller has validated; NULL: srcs, not yet validated.
pixview_status pixviewi_stack_op(const pixview_image *srcs, int64_t count, const pixview_image *dst,
                                 const pixview_convert_params *params, const char *name,
                                 pixviewi_copy_op *op, pixview_error *err);

// The same of pixview_convert within host memory or one GPU.
pixview_status pixviewi_convert_op(const pixview_image *src, const pixview_image *dst,
                                   const pixview_convert_params *params, pixviewi_copy_op *op,
                                   pixview_error *err);

#endif
