// SPDX-License-Identifier: Apache-2.0
// Values change on the way: runs of pixels go through small buffers, so that the arithmetic is always
// one channel in one row of memory, whatever the layouts are.
//
//     source -> planes of its type -> float32, one fused multiply-add -> the type of the destination
//
// A buffer is left out where the source or the destination is such a row already.
#include "host/host.h"

#include <assert.h>

enum { RUN = 4096, GROUP = 16 }; // elements of a buffer; channels at a time

typedef struct value_run {
    const pixviewi_loops *loops;
    const pixviewi_affine *affine;
    int to_float, from_float;
    int64_t src_size, dst_size;
    bool src_row, dst_row; // a channel's pixels lie side by side
    bool swap;
    _Alignas(64) char in[RUN * 4], out[RUN * 4];
    _Alignas(64) float middle[RUN];
} value_run;

static int to_float_of(pixview_dtype dtype)
{
    if (dtype.code == PIXVIEW_DTYPE_BFLOAT)
        return 6;
    if (dtype.code == PIXVIEW_DTYPE_FLOAT)
        return dtype.bits == 16 ? 5 : 7;
    int is_signed = dtype.code == PIXVIEW_DTYPE_INT;
    return dtype.bits == 8 ? is_signed : dtype.bits == 16 ? 2 + is_signed : 4;
}

// -1: it is float32.
static int from_float_of(pixview_dtype dtype)
{
    if (dtype.bits == 8)
        return 0;
    return dtype.bits == 32 ? -1 : dtype.code == PIXVIEW_DTYPE_BFLOAT ? 2 : 1;
}

// One channel of a run. Only the first entry of a and b may be there.
static void convert_row(value_run *run, char *out, const char *in, int64_t channel, int64_t count)
{
    const pixviewi_affine *affine = run->affine;
    int64_t entry = affine->channels == 1 ? 0 : channel;
    float a = affine->scale[entry], b = affine->bias[entry];
    bool direct = run->from_float < 0;
    run->loops->to_float[run->to_float](direct ? (float *)(void *)out : run->middle, in, a, b,
                                        count);
    if (!direct)
        run->loops->from_float[run->from_float](out, run->middle, count);
}

// Channels `first` .. of `part`, a row of pixels that fits the buffers.
static void convert_run(value_run *run, const pixviewi_box *part, int64_t first)
{
    int64_t count = part->shape[2], channels = part->shape[3];
    assert(count > 0 && channels > 0 && count * channels <= RUN);
    const char *in = part->src;
    char *out = part->dst;
    int64_t in_step = part->src_strides[3], out_step = part->dst_strides[3];
    pixviewi_box copy = *part;
    if (!run->src_row) {
        copy.dst = run->in;
        copy.dst_strides[2] = run->src_size;
        copy.dst_strides[3] = in_step = count * run->src_size;
        pixviewi_host_repack(run->loops, &copy, run->src_size, false);
        in = run->in;
    }
    if (!run->dst_row) {
        out = run->out;
        out_step = count * run->dst_size;
    }
    for (int64_t c = 0; c < channels; c++) {
        int64_t from = run->swap && (c == 0 || c == 2) ? 2 - c : c;
        convert_row(run, out + c * out_step, in + from * in_step, first + c, count);
    }
    if (!run->dst_row) {
        copy = *part;
        copy.src = run->out;
        copy.src_strides[2] = run->dst_size;
        copy.src_strides[3] = out_step;
        pixviewi_host_repack(run->loops, &copy, run->dst_size, false);
    }
}

static void convert_pixels(value_run *run, const pixviewi_box *row)
{
    int64_t group = row->shape[3] < GROUP ? row->shape[3] : GROUP;
    for (int64_t c = 0; c < row->shape[3]; c += group)
        for (int64_t w = 0; w < row->shape[2]; w += RUN / group) {
            pixviewi_box part = *row;
            part.shape[2] = row->shape[2] - w < RUN / group ? row->shape[2] - w : RUN / group;
            part.shape[3] = row->shape[3] - c < group ? row->shape[3] - c : group;
            part.src += w * row->src_strides[2] + c * row->src_strides[3];
            part.dst += w * row->dst_strides[2] + c * row->dst_strides[3];
            convert_run(run, &part, c);
        }
}

// Two axes that are one on both ends. An axis of extent 1 has no stride.
static void join(pixviewi_box *box, int outer, int inner)
{
    int64_t extent = box->shape[inner];
    if (extent == 1) {
        box->src_strides[inner] = box->src_strides[outer];
        box->dst_strides[inner] = box->dst_strides[outer];
    }
    if (box->shape[outer] == 1 || (box->src_strides[outer] == extent * box->src_strides[inner] &&
                                   box->dst_strides[outer] == extent * box->dst_strides[inner])) {
        box->shape[inner] *= box->shape[outer];
        box->shape[outer] = 1;
    }
}

void pixviewi_host_affine(const pixviewi_loops *loops, const pixviewi_box *box,
                          const pixviewi_copy_op *op)
{
    value_run run;
    pixviewi_box all = *box;
    all.nontemporal = false; // what moves bits here is buffers
    for (int k = 0; k < 4; k++)
        if (all.shape[k] <= 0)
            return;
    run.loops = loops;
    run.affine = &op->affine;
    run.swap = op->affine.swap_rb;
    run.to_float = to_float_of(op->src.dtype);
    run.from_float = from_float_of(op->dst.dtype);
    run.src_size = pixview_dtype_size(op->src.dtype);
    run.dst_size = pixview_dtype_size(op->dst.dtype);
    if (op->affine.channels == 1 && !run.swap) { // channels are alike: more pixels
        join(&all, 2, 3);
        if (all.shape[2] == 1)
            join(&all, 3, 2);
    }
    join(&all, 1, 2);
    run.src_row = all.src_strides[2] == run.src_size || all.shape[2] == 1;
    run.dst_row = all.dst_strides[2] == run.dst_size || all.shape[2] == 1;
    for (int64_t n = 0; n < all.shape[0]; n++)
        for (int64_t h = 0; h < all.shape[1]; h++) {
            pixviewi_box row = all;
            row.shape[0] = row.shape[1] = 1;
            row.src += n * all.src_strides[0] + h * all.src_strides[1];
            row.dst += n * all.dst_strides[0] + h * all.dst_strides[1];
            convert_pixels(&run, &row);
        }
}
