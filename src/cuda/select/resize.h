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

void pixviewi_resize_begin(pixviewi_resize_launch *launch, const pixviewi_copy_op *op);

// The next launch; false after the last.
bool pixviewi_resize_next(pixviewi_resize_launch *launch, const pixviewi_copy_op *op);

#endif
