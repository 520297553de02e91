// SPDX-License-Identifier: Apache-2.0
// What a bench asks the driver for, and how long queued work takes: a sample is some launches between
// two events; medians.
#include "copy/backend.h"
#include "cuda/context.h"

#include <dlfcn.h>

#include "timing.h"

enum { LAUNCHES = 8, NODES = 20, SAMPLES = 21 };

struct kdriver cuda;
void *stream;

void open_driver(void)
{
    void *library = dlopen("libcuda.so.1", RTLD_NOW);
    REQUIRE(library != NULL);
#define FIND(name, parameters)                    \
    *(void **)&cuda.name = dlsym(library, #name); \
    REQUIRE(cuda.name != NULL);
    FUNCTIONS(FIND)
    pixviewi_scope scope;
    REQUIRE_OK(pixviewi_scope_enter(&scope, 0, err)); // stays: this is a program of its own
    CUDA(cuStreamCreate(&stream, 1));
}

static void *event_of(int i)
{
    static void *events[2];
    if (!events[i])
        CUDA(cuEventCreate(&events[i], 0));
    return events[i];
}

void fill_noise(char *far, int64_t bytes)
{
    enum { BLOCK = 64 << 20 };
    static char *noise;
    static pixview_owner *owner;
    if (!noise) {
        char *near = malloc(BLOCK);
        fill_random(near, BLOCK, 1);
        noise = gpu_alloc(BLOCK, &owner);
        gpu_upload(noise, near, BLOCK);
        free(near);
    }
    for (int64_t at = 0; at < bytes; at += BLOCK)
        CUDA(cuMemcpyDtoDAsync_v2((uintptr_t)(far + at), (uintptr_t)noise,
                                  (size_t)(bytes - at < BLOCK ? bytes - at : BLOCK), stream));
    CUDA(cuEventRecord(event_of(0), stream));
    CUDA(cuEventSynchronize(event_of(0)));
}

// ---- what is timed --------------------------------------------------------------------------------

int sets_of(int64_t bytes)
{
    const int64_t enough = 256 << 20, sets = enough / bytes + 1;
    return (int)(sets > SETS ? SETS : sets);
}

void launch(const ktrial *trial, int i)
{
    REQUIRE_OK(
        pixviewi_cuda_run(0, &trial->sets[i % trial->count].op, (pixview_stream)stream, err));
}

int64_t copy_step(int64_t bytes) { return bytes / 2 / 512 * 512 + 512; }

void copy(const ktrial *trial, int i)
{
    int64_t at = i % trial->count * copy_step(trial->bytes);
    CUDA(cuMemcpyDtoDAsync_v2((uintptr_t)(trial->dst + at), (uintptr_t)(trial->src + at),
                              (size_t)trial->bytes / 2, stream));
}

// ---- times ----------------------------------------------------------------------------------------

static int by_size(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static float median(float samples[SAMPLES])
{
    qsort(samples, SAMPLES, sizeof *samples, by_size);
    return samples[SAMPLES / 2];
}

static double time_queued(const ktrial *trial, void (*once)(const ktrial *, int))
{
    void *events[2] = {event_of(0), event_of(1)};
    float samples[SAMPLES];
    for (int i = 0; i < 2 * trial->count; i++)
        once(trial, i);
    for (int sample = 0; sample < SAMPLES; sample++) {
        CUDA(cuEventRecord(events[0], stream));
        for (int i = 0; i < LAUNCHES; i++)
            once(trial, i);
        CUDA(cuEventRecord(events[1], stream));
        CUDA(cuEventSynchronize(events[1]));
        CUDA(cuEventElapsedTime(&samples[sample], events[0], events[1]));
    }
    return median(samples) * 1000.0 / LAUNCHES;
}

static double time_in_graph(const ktrial *trial, void (*once)(const ktrial *, int))
{
    void *graph, *exec, *events[2] = {event_of(0), event_of(1)};
    float samples[SAMPLES];
    CUDA(cuStreamBeginCapture_v2(stream, 2));
    for (int i = 0; i < NODES; i++)
        once(trial, 0);
    CUDA(cuStreamEndCapture(stream, &graph));
    CUDA(cuGraphInstantiateWithFlags(&exec, graph, 0));
    for (int sample = -3; sample < SAMPLES; sample++) {
        CUDA(cuEventRecord(events[0], stream));
        CUDA(cuGraphLaunch(exec, stream));
        CUDA(cuEventRecord(events[1], stream));
        CUDA(cuEventSynchronize(events[1]));
        if (sample >= 0)
            CUDA(cuEventElapsedTime(&samples[sample], events[0], events[1]));
    }
    CUDA(cuGraphExecDestroy(exec));
    CUDA(cuGraphDestroy(graph));
    return median(samples) * 1000.0 / NODES;
}

double time_of(const ktrial *trial, void (*once)(const ktrial *, int))
{
    return trial->graph ? time_in_graph(trial, once) : time_queued(trial, once);
}
