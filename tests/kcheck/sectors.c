// SPDX-License-Identifier: Apache-2.0
// Sectors are counted in one walk over the rows: those that lie side by side are one run, and a run
// shares a sector with the last one at most.
#include "sectors.h"

krows rows_of(const pixviewi_operand *end, const int64_t shape[4], int order)
{
    const int64_t *strides = end->strides;
    int64_t size = pixview_dtype_size(end->dtype);
    if (order == MIXED)
        return (krows){.data = end->data,
                       .counts = {1, shape[0], shape[1]},
                       .strides = {0, strides[0], strides[1]},
                       .bytes = shape[2] * shape[3] * size};
    return (krows){.data = end->data,
                   .counts = {shape[0], shape[3], shape[1]},
                   .strides = {strides[0], strides[3], strides[1]},
                   .bytes = shape[2] * size};
}

typedef struct kwalk {
    int64_t size, start, end; // of the run
    int64_t last, last_partial;
    ksectors sum;
} kwalk;

static void add_partial(kwalk *walk, int64_t sector)
{
    walk->sum.partial += sector != walk->last_partial;
    walk->last_partial = sector;
}

static void finish_run(kwalk *walk)
{
    int64_t first = walk->start / walk->size, last = (walk->end - 1) / walk->size;
    if (walk->start == walk->end)
        return;
    walk->sum.touched += last - first + (first != walk->last);
    walk->last = last;
    if (walk->start % walk->size || walk->end < (first + 1) * walk->size)
        add_partial(walk, first);
    if (walk->end % walk->size)
        add_partial(walk, last);
}

static void add_row(kwalk *walk, int64_t start, int64_t bytes)
{
    if (start != walk->end) {
        finish_run(walk);
        walk->start = start;
    }
    walk->end = start + bytes;
}

ksectors count_sectors(const krows *rows, int64_t size)
{
    kwalk walk = {.size = size, .last = -1, .last_partial = -1};
    for (int64_t i = 0; i < rows->counts[0]; i++)
        for (int64_t j = 0; j < rows->counts[1]; j++)
            for (int64_t k = 0; k < rows->counts[2]; k++)
                add_row(&walk,
                        (int64_t)(uintptr_t)rows->data + i * rows->strides[0] +
                            j * rows->strides[1] + k * rows->strides[2],
                        rows->bytes);
    finish_run(&walk);
    return walk.sum;
}
