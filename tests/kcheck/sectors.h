// SPDX-License-Identifier: Apache-2.0
// How much memory rows touch, whose bytes lie apart: memory moves whole sectors.
#ifndef SECTORS_H
#define SECTORS_H

#include "kcheck.h"
#include "rows.h"

typedef struct ksectors {
    int64_t touched, partial; // of these, not filled
} ksectors;

// Of an end that is not a list and lies in planes, or interleaved.
krows rows_of(const pixviewi_operand *end, const int64_t shape[4], int order);

// How many sectors of `size` BYTES have a byte of the rows.
ksectors count_sectors(const krows *rows, int64_t size);

#endif
