// SPDX-License-Identifier: Apache-2.0
// Launches of a kernel that does nothing: what the driver takes of any launch.
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

static void *find(const char *name)
{
    static void *driver;
    const char *path = getenv("PIXVIEW_LIBCUDA");
    if (!driver)
        driver = dlopen(path ? path : "libcuda.so.1", RTLD_NOW);
    return driver ? dlsym(driver, name) : NULL;
}

static int (*launch)(void *, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                     void *, void **, void **);

// One with `bytes` (4 to 4096) of parameters, for the context that is current. NULL: none.
void *empty_kernel(int bytes)
{
    static const char ptx[] = ".version 7.0\n.target sm_50\n.address_size 64\n"
                              ".visible .entry nothing(.param .align 4 .b8 p[%d]) { ret; }\n";
    char text[256];
    void *module, *function;
    int (*load)(void **, const void *), (*get)(void **, void *, const char *);
    *(void **)&load = find("cuModuleLoadData");
    *(void **)&get = find("cuModuleGetFunction");
    *(void **)&launch = find("cuLaunchKernel");
    snprintf(text, sizeof text, ptx, bytes);
    if (!load || !get || !launch || load(&module, text) || get(&function, module, "nothing"))
        return NULL;
    return function;
}

// Queues n of them on the legacy stream. Returns the driver's code.
int empty_launches(void *function, int n)
{
    static char args[4096];
    void *params[] = {args};
    int code = 0;
    for (int i = 0; i < n && code == 0; i++)
        code = launch(function, 1, 1, 1, 32, 1, 1, 0, NULL, params, NULL);
    return code;
}
