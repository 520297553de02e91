// SPDX-License-Identifier: Apache-2.0
// The launches of an operation with tables of weights (copy/filter.h), and these as the GPU reads them.
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

// A table of a filter: for sums across, or down.
static inline bool pixviewi_filter_needs(const pixviewi_filter *f, bool down)
{
    return down ? f->second_pass : f->first_pass;
}

// BYTES of it; the weights are made. fill: into `out`, where it will lie in the GPU's memory at `data`.
int64_t pixviewi_filter_bytes(const pixviewi_filter *f, int interpolation, bool down);
pixviewi_filter_table pixviewi_filter_fill(const pixviewi_filter *f, int interpolation, bool down,
                                           char *out, const char *data);

// tables: across and down, of each of op->filters; those that it does not need mean nothing.
void pixviewi_filter_begin(pixviewi_filter_launch *launch, const pixviewi_copy_op *op);

// The next launch; false after the last.
bool pixviewi_filter_next(pixviewi_filter_launch *launch, const pixviewi_copy_op *op,
                          const pixviewi_filter_table (*tables)[2]);

#endif
