// What the frameworks and the driver take of a conversion, without Python between: for parts.py.
//
// The library stands in for libcuda.so.1 (PIXVIEW_LIBCUDA): it times cuLaunchKernel and leaves every
// other name to the driver that it is linked to.
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "dlpack_abi.h"

void Py_DecRef(void *object); // of the interpreter that loads this
int cuModuleLoadData(void **module, const void *image);
int cuModuleGetFunction(void **function, void *module, const char *name);
int cuModuleUnload(void *module);
int cuStreamSynchronize(void *stream);

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

// ---- the driver ----

typedef int launch_function(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                            unsigned, void *, void **, void **);
static double launch_total;

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void *stream, void **params, void **extra)
{
    static launch_function *real;
    if (!real)
        real = (launch_function *)dlsym(dlopen("libcuda.so.1", RTLD_NOW), "cuLaunchKernel");
    double start = now();
    int code = real(function, gx, gy, gz, bx, by, bz, shared, stream, params, extra);
    launch_total += now() - start;
    return code;
}

double launch_ns(void)
{
    double total = launch_total;
    launch_total = 0;
    return total;
}

// A kernel that does nothing, with `bytes` (4 to 4096) of parameters: no launch is cheaper.
double empty_launch_ns(int bytes, int n)
{
    static const char ptx[] = ".version 7.0\n.target sm_50\n.address_size 64\n"
                              ".visible .entry nothing(.param .align 4 .b8 p[%d]) { ret; }\n";
    char text[256], args[4096] = {0};
    void *module, *function, *params[] = {args};
    snprintf(text, sizeof text, ptx, bytes);
    if (cuModuleLoadData(&module, text) || cuModuleGetFunction(&function, module, "nothing"))
        return -1;
    cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL); // loads it
    cuStreamSynchronize(NULL);
    launch_ns();
    for (int i = 0; i < n; i++)
        cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL);
    cuStreamSynchronize(NULL);
    cuModuleUnload(module);
    return launch_ns() / n;
}

// ---- torch's exchange table ----

static void fail(void *ctx, const char *kind, const char *message)
{
    (void)ctx, (void)kind, (void)message;
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
