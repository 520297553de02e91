// SPDX-License-Identifier: Apache-2.0
// Rows of an end of a job, for C and for the GPU.
#ifndef ROWS_H
#define ROWS_H

#include <stdint.h>

#include "kernels/args.h"

// Dense, and in the order of their addresses.
typedef struct krows {
    const char *data;
    int64_t counts[3], strides[3]; // outermost first; BYTES
    int64_t bytes;                 // of each
} krows;

// Rows and the sectors of memory that each may touch.
typedef struct kcut {
    krows rows;
    uint32_t sectors, count;            // of a row; of all rows, below 2^31
    pixviewi_divisor by_sectors, by[3]; // counts
} kcut;

#endif
