// SPDX-License-Identifier: Apache-2.0
// Video frames into images of their size: launches of kernels/decode.h.
#ifndef PIXVIEWI_SELECT_DECODE_H
#define PIXVIEWI_SELECT_DECODE_H

#include "copy/operation.h"
#include "cuda/select/select.h"

typedef struct pixviewi_decode_launch {
    int kernel;
    int64_t blocks;
    int64_t done; // frames that have been launched
    pixviewi_decode_args args;
} pixviewi_decode_launch;

// Does the kernel take all of the list? Else it is one for PIXVIEWI_KERNEL_FRAMES.
bool pixviewi_decode_suits(const pixviewi_copy_op *op);

void pixviewi_decode_begin(pixviewi_decode_launch *launch, const pixviewi_copy_op *op);

// The next launch; false after the last.
bool pixviewi_decode_next(pixviewi_decode_launch *launch, const pixviewi_copy_op *op);

#endif
