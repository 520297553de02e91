// SPDX-License-Identifier: Apache-2.0
// Stands before the tests' fake driver (as PIXVIEW_LIBCUDA): launches do nothing, and what every copy
// asks is answered at once, because the fake driver keeps a log of its calls. One GPU, made current.
#include <dlfcn.h>
#include <stddef.h>

static void *behind(const char *name) { return dlsym(RTLD_NEXT, name); }

int cuCtxGetCurrent(void **context)
{
    static void *current;
    static int (*call)(void **);
    if (!current) {
        *(void **)&call = behind("cuCtxGetCurrent");
        int code = call(&current);
        if (code)
            return code;
    }
    *context = current;
    return 0;
}

int cuCtxGetId(void *context, unsigned long long *id)
{
    (void)context;
    *id = 1;
    return 0;
}

int cuStreamIsCapturing(void *stream, int *status)
{
    (void)stream;
    *status = 0;
    return 0;
}

// Kernels that the fake driver does not know can be launched too.
int cuModuleGetFunction(void **function, void *module, const char *name)
{
    static int (*call)(void **, void *, const char *);
    static int any;
    if (!call)
        *(void **)&call = behind("cuModuleGetFunction");
    if (call(function, module, name))
        *function = &any;
    return 0;
}

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void *stream, void **params, void **extra)
{
    (void)function, (void)gx, (void)gy, (void)gz, (void)bx, (void)by, (void)bz, (void)shared;
    (void)stream, (void)params, (void)extra;
    return 0;
}
