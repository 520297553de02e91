// SPDX-License-Identifier: Apache-2.0
// One box as an operation says: moved, or padded.
#include <string.h>

#include "host/host.h"

// One pixel as it stands in the destination; its channel stride.
static int64_t make_pad(const pixviewi_loops *loops, const pixviewi_copy_op *op,
                        char pixel[PIXVIEWI_MAX_CHANNELS * 16])
{
    const pixviewi_affine *affine = &op->affine;
    int64_t size = pixview_dtype_size(op->dst.dtype);
    if (affine->is_identity) {
        memcpy(pixel, affine->pad_bits, (size_t)size);
        return 0;
    }
    pixviewi_copy_op from_float = *op;
    pixviewi_box one = {.src = (const char *)&affine->pad,
                        .dst = pixel,
                        .shape = {1, 1, 1, affine->channels},
                        .dst_strides = {0, 0, 0, size}};
    from_float.src.dtype = (pixview_dtype){PIXVIEW_DTYPE_FLOAT, 32, 1};
    from_float.affine.swap_rb = false;
    pixviewi_host_affine(loops, &one, &from_float);
    return affine->channels == 1 ? 0 : size;
}

void pixviewi_host_pad(const pixviewi_loops *loops, const pixviewi_copy_op *op, pixviewi_box box)
{
    _Alignas(16) char pixel[PIXVIEWI_MAX_CHANNELS * 16];
    int64_t step = make_pad(loops, op, pixel);
    box.src = pixel;
    memcpy(box.src_strides, (int64_t[]){0, 0, 0, step}, sizeof box.src_strides);
    pixviewi_host_repack(loops, &box, pixview_dtype_size(op->dst.dtype), false);
}

void pixviewi_host_move(const pixviewi_loops *loops, const pixviewi_copy_op *op,
                        const pixviewi_box *box)
{
    if (op->affine.is_identity)
        pixviewi_host_repack(loops, box, pixview_dtype_size(op->dst.dtype), op->affine.swap_rb);
    else
        pixviewi_host_affine(loops, box, op);
}
