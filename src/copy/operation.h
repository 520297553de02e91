// A move: pixels from some images to others, with any change of layout, element type and value on the
// way. Every copy is one. The plan of a move is made without CUDA (copy_plan.c); it is carried out by the
// kernels, or in host memory by host/; reference.c is the specification of both.
#ifndef PIXVIEWI_MOVE_H
#define PIXVIEWI_MOVE_H

#include "descriptor/internal.h"

enum { PIXVIEWI_MAX_CHANNELS = 32 }; // with values of their own

// One end of a move: a regular batch, or a list of separate images.
typedef struct pixviewi_end {
    pixview_dtype dtype;
    char *data;                  // of element (0,0,0,0); regular batch only
    int64_t strides[4];          // BYTES, N,H,W,C; regular batch only
    const pixview_image *images; // shape[0] images of N = 1; NULL: a regular batch
    int64_t missing[2];          // H,W that a regular source has fewer than the destination
} pixviewi_end;

// out = float(in) * a[c] + b[c], one fused multiply-add in float32, then rounded to the destination's
// type: to nearest even, uint8 saturated, NaN to 0 there. c counts channels of the destination.
// a = 1 and b = -0.0 is exactly the identity.
typedef struct pixviewi_values {
    bool changed; // false: bits move, the dtypes are equal, a and b mean nothing
    bool swap_rb; // channel 0 of the destination is 2 of the source and the reverse; C is 3 or 4
    int32_t channels; // entries of a and b: 1 (for every channel) or C
    float a[PIXVIEWI_MAX_CHANNELS];
    float b[PIXVIEWI_MAX_CHANNELS];
    float pad;            // where a source ends before the destination: this stands for `in`,
    uint8_t pad_bits[16]; // or these bits, when bits move
} pixviewi_values;

typedef struct pixviewi_move {
    int64_t
        shape[4]; // N,H,W,C of the destination. A source may have fewer rows and columns: it lies
                  // at the top left, the rest is padded
    pixviewi_end src, dst; // at most one of them is a list
    pixviewi_values values;
} pixviewi_move;

// The plain C of every kernel: slow, and what all others have to equal. Host memory only.
void pixviewi_move_reference(const pixviewi_move *move);

// The same, fast: vectors as wide as the processor has, and threads where they pay (host/).
void pixviewi_move_host(const pixviewi_move *move);

// The plan of a move of bits between two batches that are not empty. Checked before, as above.
void pixviewi_plan_move(const pixviewi_move *move, pixviewi_copy_plan *plan);

// Queues the move on `device`: one launch, or several when a list does not fit the parameters of one.
// Checked before: extents, types, overlap, devices. Nothing is queued when it fails at once.
pixview_status pixviewi_cuda_launch_move(int device, const pixviewi_move *move,
                                         pixview_stream stream, pixview_error *err);

static inline pixviewi_end pixviewi_whole_end(const pixview_image *image)
{
    const int64_t *steps = image->strides;
    return (pixviewi_end){
        image->dtype, image->data, {steps[0], steps[1], steps[2], steps[3]}, NULL, {0}};
}

static inline bool pixviewi_is_padded(const pixviewi_move *move)
{
    return move->src.missing[0] || move->src.missing[1];
}

// Both ends are checked and not empty, on the same GPU or on the host.
pixview_status pixviewi_move_run(const pixviewi_move *move, pixview_device device,
                                 pixview_stream stream, pixview_error *err);

// What params say about values, checked. Fills all of *out that a move reads.
pixview_status pixviewi_make_values(const pixview_convert_params *params, pixview_dtype from,
                                    pixview_dtype to, int64_t channels, pixviewi_values *out,
                                    pixview_error *err);

// All of pixview_stack but the last step, pixviewi_move_run, which an empty batch does not need.
// `name`: of the list in errors, whose images the caller has validated; NULL: srcs, not yet validated.
pixview_status pixviewi_plan_batch_copy(const pixview_image *srcs, int64_t count,
                                        const pixview_image *dst,
                                        const pixview_convert_params *params, const char *name,
                                        pixviewi_move *move, pixview_error *err);

// The same of pixview_convert within host memory or one GPU.
pixview_status pixviewi_plan_convert(const pixview_image *src, const pixview_image *dst,
                                     const pixview_convert_params *params, pixviewi_move *move,
                                     pixview_error *err);

#endif
