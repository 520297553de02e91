// SPDX-License-Identifier: Apache-2.0
// The launches of an operation from or to a list, of a padded batch, or of one element at a time.
#ifndef PIXVIEWI_LIST_H
#define PIXVIEWI_LIST_H

#include "cuda/select/select.h"

typedef struct pixviewi_list_launch {
    int kernel;
    int64_t blocks;
    int64_t done;  // images that have been launched
    bool elements; // pixels are as many elements of one channel
    bool dense;    // the rows of every image are one
    pixviewi_list_args args;
} pixviewi_list_launch;

void pixviewi_list_begin(pixviewi_list_launch *launch, const pixviewi_copy_op *op);

// The next launch; false after the last.
bool pixviewi_list_next(pixviewi_list_launch *launch, const pixviewi_copy_op *op);

#endif
