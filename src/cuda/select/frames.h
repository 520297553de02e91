// SPDX-License-Identifier: Apache-2.0
// Video frames: as sources in the launches of resize.h, and launches that make them of images.
#ifndef PIXVIEWI_SELECT_FRAMES_H
#define PIXVIEWI_SELECT_FRAMES_H

#include "copy/operation.h"
#include "cuda/select/select.h"

// Fills the table of a launch of PIXVIEWI_KERNEL_FRAMES with at most `most` sources from `first` on, and sets
// kinds and images. `extents`: BYTES of an image's extents, which are put where it returns.
char *pixviewi_frames_fill(pixviewi_resize_args *args, const pixviewi_copy_op *op, int64_t first,
                           int64_t most, size_t extents);

typedef struct pixviewi_encode_launch {
    int kernel;
    int64_t blocks;
    int64_t done; // frames that have been launched
    pixviewi_encode_args args;
} pixviewi_encode_launch;

void pixviewi_encode_begin(pixviewi_encode_launch *launch, const pixviewi_copy_op *op);

// The next launch; false after the last.
bool pixviewi_encode_next(pixviewi_encode_launch *launch, const pixviewi_copy_op *op);

#endif
