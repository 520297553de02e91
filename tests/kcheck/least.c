// Times the kernel of least.cu, which a build without nvcc lacks.
#include "floor.h"
#include "sectors.h"

#ifdef LEAST_PTX

enum { SECTOR = 32, WORD = 16, THREADS = 256 };

static void *least;

static void load_least(void)
{
    void *module;
    if (least)
        return;
    CUDA(cuModuleLoad(&module, LEAST_PTX));
    CUDA(cuModuleGetFunction(&least, module, "least"));
}

static void queue_least(const ktrial *trial, int i)
{
    const pixviewi_move *move = &trial->sets[i % trial->count].move;
    krows src = rows_of(&move->src, move->shape, trial->job->src.order),
          dst = rows_of(&move->dst, move->shape, trial->job->dst.order);
    uint32_t count = (uint32_t)(dst.counts[0] * dst.counts[1] * dst.counts[2]);
    uint32_t words = (uint32_t)((dst.bytes + 2 * (SECTOR - 1)) / SECTOR * (SECTOR / WORD));
    void *parameters[] = {&src, &dst, &words, &count};
    CUDA(cuLaunchKernel(least, (count * words - 1) / THREADS + 1, 1, 1, THREADS, 1, 1, 0, stream,
                        parameters, NULL));
}

double time_of_least(const ktrial *trial)
{
    if (trial->job->src.order != trial->job->dst.order)
        return 0;
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
