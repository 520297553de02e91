// SPDX-License-Identifier: Apache-2.0
// What the frameworks and the driver take of a conversion, without Python between: for parts.py.
//
// The library stands in for libcuda.so.1 (PIXVIEW_LIBCUDA): it times cuLaunchKernel and leaves every
// other name to the driver that it is linked to.
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>

#include "descriptor/dlpack_abi.h"

void Py_DecRef(void *object); // of the interpreter that loads this

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// ---- stages, timed where they happen ----

enum { LAUNCH, CURRENT, NUMBER, CAPTURING, READ, STAGES };

static struct stage {
    double total;
    long calls;
} stages[STAGES];

static void add(int stage, double start)
{
    stages[stage].total += now() - start;
    stages[stage].calls++;
}

// What two looks at the clock take, which every stage contains once.
double clock_ns(void)
{
    double start = now(), last = start;
    for (int i = 0; i < 1000; i++)
        last = now();
    return (last - start) / 1000;
}

void reset_stages(void)
{
    for (int i = 0; i < STAGES; i++)
        stages[i] = (struct stage){0, 0};
}

double stage_ns(int stage) { return stages[stage].total; }

long stage_calls(int stage) { return stages[stage].calls; }

// ---- the driver ----

static void *real(const char *name) { return dlsym(dlopen("libcuda.so.1", RTLD_NOW), name); }

typedef int launch_function(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                            unsigned, void *, void **, void **);

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void *stream, void **params, void **extra)
{
    static launch_function *call;
    if (!call)
        call = (launch_function *)real("cuLaunchKernel");
    double start = now();
    int code = call(function, gx, gy, gz, bx, by, bz, shared, stream, params, extra);
    add(LAUNCH, start);
    return code;
}

// The three that a launch asks before.
#define ASKED(stage, name, parameters, ...) \
    int name parameters;                    \
    int name parameters                     \
    {                                       \
        static int(*call) parameters;       \
        if (!call)                          \
            *(void **)&call = real(#name);  \
        double start = now();               \
        int code = call(__VA_ARGS__);       \
        add(stage, start);                  \
        return code;                        \
    }
ASKED(CURRENT, cuCtxGetCurrent, (void **context), context)
ASKED(NUMBER, cuCtxGetId, (void *context, unsigned long long *id), context, id)
ASKED(CAPTURING, cuStreamIsCapturing, (void *stream, int *status), stream, status)

double launch_ns(void)
{
    double total = stages[LAUNCH].total;
    reset_stages();
    return total;
}

// ---- torch's exchange table ----

static void fail(void *ctx, const char *kind, const char *message)
{
    (void)ctx, (void)kind, (void)message;
}

// The one function of the table that a copy calls is replaced, in place, by one that times it.
static DlExchange torch_table;

static int timed_read(void *object, DlTensor *tensor)
{
    double start = now();
    int code = torch_table.dltensor_from_py(object, tensor);
    add(READ, start);
    return code;
}

int time_table(DlExchange *table)
{
    uintptr_t page = (uintptr_t)table & ~(uintptr_t)4095;
    size_t size = ((uintptr_t)(table + 1) | 4095) + 1 - page;
    if (mprotect((void *)page, size, PROT_READ | PROT_WRITE))
        return -1;
    torch_table = *table;
    table->dltensor_from_py = timed_read;
    return 0;
}

void untime_table(DlExchange *table) { *table = torch_table; }

// torch's C shim: memory of the same allocator, and no tensor.
typedef int raw_alloc_function(uint64_t, void **);
typedef int raw_delete_function(void *);

double raw_ns(int64_t bytes, int n)
{
    void *torch = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_NOLOAD);
    raw_alloc_function *take = NULL;
    raw_delete_function *give = NULL;
    if (torch) {
        *(void **)&take = dlsym(torch, "aoti_torch_cuda_caching_allocator_raw_alloc");
        *(void **)&give = dlsym(torch, "aoti_torch_cuda_caching_allocator_raw_delete");
    }
    if (!take || !give)
        return -1;
    double start = now();
    for (int i = 0; i < n; i++) {
        void *data;
        if (take((uint64_t)bytes, &data))
            return -1;
        give(data);
    }
    return (now() - start) / n;
}

double current_device_ns(int n)
{
    int (*ask)(int32_t *) = NULL;
    void *torch = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_NOLOAD);
    if (torch)
        *(void **)&ask = dlsym(torch, "aoti_torch_get_current_device_index");
    if (!ask)
        return -1;
    double start = now();
    for (int i = 0; i < n; i++) {
        int32_t device;
        if (ask(&device))
            return -1;
    }
    return (now() - start) / n;
}

double allocate_ns(const DlExchange *table, int64_t bytes, int n)
{
    DlTensor like = {.device = {2, 0}, .ndim = 1, .dtype = {1, 8, 1}, .shape = &bytes};
    double start = now();
    for (int i = 0; i < n; i++) {
        DlManaged *made = NULL;
        if (table->allocator(&like, &made, NULL, fail))
            return -1;
        made->deleter(made);
    }
    return (now() - start) / n;
}

double stream_ns(const DlExchange *table, int n)
{
    double start = now();
    for (int i = 0; i < n; i++) {
        void *stream;
        if (table->current_work_stream(2, 0, &stream))
            return -1;
    }
    return (now() - start) / n;
}

static void keep(DlManaged *self) { (void)self; }

// A C,H,W tensor over H,W,C memory that nobody owns, and its end: no GpuMat-to-torch is cheaper.
double tensor_ns(const DlExchange *table, void *data, int64_t h, int64_t w, int64_t pitch, int n)
{
    int64_t shape[] = {3, h, w}, strides[] = {1, pitch, 3};
    DlManaged managed = {.version = {1, 3}, .deleter = keep};
    managed.tensor = (DlTensor){data, {2, 0}, 3, {1, 8, 1}, shape, strides, 0};
    double start = now();
    for (int i = 0; i < n; i++) {
        void *tensor = NULL;
        if (table->to_py(&managed, &tensor) || !tensor)
            return -1;
        Py_DecRef(tensor);
    }
    return (now() - start) / n;
}
