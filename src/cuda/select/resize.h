// SPDX-License-Identifier: Apache-2.0
// The launches of an operation that resizes a list.
#ifndef PIXVIEWI_SELECT_RESIZE_H
#define PIXVIEWI_SELECT_RESIZE_H

#include "cuda/select/select.h"

typedef struct pixviewi_resize_launch {
    int kernel;
    int64_t blocks;
    int64_t done; // images that have been launched
    pixviewi_resize_args args;
} pixviewi_resize_launch;

// Of one that does not: is it a list of so many sizes that the kernels that resize serve it better? They take the
// sizes of all images of a launch, the others each but once.
bool pixviewi_resize_suits(const pixviewi_copy_op *op);

// The TO_ of args.h that values of this type are.
int pixviewi_result_of(pixview_dtype dtype);

void pixviewi_resize_begin(pixviewi_resize_launch *launch, const pixviewi_copy_op *op);

// The next launch; false after the last.
bool pixviewi_resize_next(pixviewi_resize_launch *launch, const pixviewi_copy_op *op);

#endif
