// SPDX-License-Identifier: Apache-2.0
// Times the kernel of least.cu, which a build without nvcc lacks.
#include "floor.h"
#include "sectors.h"

#ifdef LEAST_PTX

enum { SECTOR = 32, THREADS = 256 };

static void *least;

static void load_least(void)
{
    void *module;
    if (least)
        return;
    CUDA(cuModuleLoad(&module, LEAST_PTX));
    CUDA(cuModuleGetFunction(&least, module, "least"));
}

// Rows without a gap between them are one.
static void merge(krows *rows)
{
    for (int i = 2; i >= 0 && (rows->counts[i] == 1 || rows->strides[i] == rows->bytes); i--) {
        rows->bytes *= rows->counts[i];
        rows->counts[i] = 1;
    }
}

static kcut cut_of(const pixviewi_operand *end, const int64_t shape[4], int order)
{
    kcut cut = {.rows = rows_of(end, shape, order)};
    const int64_t *counts = cut.rows.counts;
    merge(&cut.rows);
    cut.sectors = (uint32_t)((cut.rows.bytes + 2 * (SECTOR - 1)) / SECTOR);
    cut.count = (uint32_t)(counts[0] * counts[1] * counts[2]) * cut.sectors;
    cut.by_sectors = pixviewi_divisor_of(cut.sectors);
    for (int i = 0; i < 3; i++)
        cut.by[i] = pixviewi_divisor_of((uint32_t)counts[i]);
    return cut;
}

static void queue_least(const ktrial *trial, int i)
{
    const pixviewi_copy_op *op = &trial->sets[i % trial->count].op;
    kcut src = cut_of(&op->src, op->shape, trial->job->src.order),
         dst = cut_of(&op->dst, op->shape, trial->job->dst.order);
    uint32_t count = src.count > dst.count ? src.count : dst.count;
    void *parameters[] = {&src, &dst};
    CUDA(cuLaunchKernel(least, (count - 1) / THREADS + 1, 1, 1, THREADS, 1, 1, 0, stream,
                        parameters, NULL));
}

double time_of_least(const ktrial *trial)
{
    load_least();
    return time_of(trial, queue_least);
}

#else

double time_of_least(const ktrial *trial)
{
    (void)trial;
    return 0;
}

#endif
