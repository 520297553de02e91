// SPDX-License-Identifier: Apache-2.0
// How long work on the GPU takes, and the driver's functions that pixview does not use itself.
#ifndef TIMING_H
#define TIMING_H

#include "kcheck.h"

// CUDA_MEMCPY2D
typedef struct copy_2d {
    struct {
        size_t x, y;
        int memory_type; // 2: of the GPU
        const void *host;
        uint64_t device;
        void *array;
        size_t pitch;
    } src, dst;
    size_t width, height;
} copy_2d;

#define FUNCTIONS(X)                                                                              \
    X(cuEventCreate, (void **event, unsigned flags))                                              \
    X(cuEventRecord, (void *event, void *stream))                                                 \
    X(cuEventSynchronize, (void *event))                                                          \
    X(cuEventElapsedTime, (float *ms, void *start, void *end))                                    \
    X(cuStreamCreate, (void **stream, unsigned flags))                                            \
    X(cuMemcpyDtoDAsync_v2, (uint64_t to, uint64_t from, size_t bytes, void *stream))             \
    X(cuMemcpy2DAsync_v2, (const copy_2d *, void *stream))                                        \
    X(cuMemsetD2D8Async,                                                                          \
      (uint64_t to, size_t pitch, unsigned char value, size_t width, size_t rows, void *stream))  \
    X(cuMemsetD2D16Async,                                                                         \
      (uint64_t to, size_t pitch, unsigned short value, size_t width, size_t rows, void *stream)) \
    X(cuMemsetD2D32Async,                                                                         \
      (uint64_t to, size_t pitch, unsigned value, size_t width, size_t rows, void *stream))       \
    X(cuModuleLoad, (void **module, const char *path))                                            \
    X(cuModuleGetFunction, (void **function, void *module, const char *name))                     \
    X(cuLaunchKernel, (void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,         \
                       unsigned block_x, unsigned block_y, unsigned block_z,                      \
                       unsigned shared_bytes, void *stream, void **parameters, void **extra))     \
    X(cuStreamBeginCapture_v2, (void *stream, int mode))                                          \
    X(cuStreamEndCapture, (void *stream, void **graph))                                           \
    X(cuGraphInstantiateWithFlags, (void **exec, void *graph, unsigned long long flags))          \
    X(cuGraphLaunch, (void *exec, void *stream))                                                  \
    X(cuGraphExecDestroy, (void *exec))                                                           \
    X(cuGraphDestroy, (void *graph))

extern struct kdriver {
#define MEMBER(name, parameters) int(*name) parameters;
    FUNCTIONS(MEMBER)
#undef MEMBER
} cuda;
extern void *stream; // on which all of it happens

#define CUDA(call)                                   \
    do {                                             \
        int code_ = cuda.call;                       \
        if (code_ != 0)                              \
            FAIL("%s: CUDA error %d", #call, code_); \
    } while (0)

void open_driver(void);
void fill_noise(char *far, int64_t bytes); // random bits: zeros may be faster

// Sources and destinations that take turns, so that each launch finds nothing of its own in the L2
// cache. A single image is replayed in a graph instead and finds everything there, as it does in use.
enum { SETS = 4 };
typedef struct ktrial {
    const kjob *job;
    kends sets[SETS];
    int count;       // of sets
    bool graph;      // the first one only
    int64_t bytes;   // moved: read and written
    char *src, *dst; // of the first set, for the copy
} ktrial;

int sets_of(int64_t bytes); // how many that move so many bytes are more than the cache holds
void launch(const ktrial *trial, int i);
void copy(const ktrial *trial, int i); // as many bytes side by side
int64_t copy_step(int64_t bytes);      // between the sets of a copy

// Microseconds of one.
double time_of(const ktrial *trial, void (*once)(const ktrial *, int));

#endif
