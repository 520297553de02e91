// The launches of an operation with tables of weights (copy/filter.h), and what they need in the GPU's memory.
#ifndef PIXVIEWI_SELECT_FILTER_H
#define PIXVIEWI_SELECT_FILTER_H

#include "copy/filter.h"
#include "cuda/select/select.h"

typedef struct pixviewi_filter_launch {
    int kernel;
    int64_t blocks;
    int64_t done; // images that have been launched
    pixviewi_filter_args args;
} pixviewi_filter_launch;

void pixviewi_filter_begin(pixviewi_filter_launch *launch, const pixviewi_copy_op *op);

// BYTES that the launches read from the GPU's memory: the images, then their tables.
int64_t pixviewi_filter_bytes(const pixviewi_copy_op *op);

// Fills them in. PIXVIEW_E_MEMORY.
pixview_status pixviewi_filter_fill(const pixviewi_filter_launch *launch,
                                    const pixviewi_copy_op *op, char *out, pixview_error *err);

// The next launch, which reads from address `memory` on; false after the last.
bool pixviewi_filter_next(pixviewi_filter_launch *launch, const pixviewi_copy_op *op,
                          const char *memory);

#endif
