// SPDX-License-Identifier: Apache-2.0
// Loads the driver, once, and says what went wrong where it cannot.
//
// The library is looked up by name at run time: no link dependency, nothing at import. The table
// is never unloaded. PIXVIEW_LIBCUDA names another library for tests.
#define _GNU_SOURCE // secure_getenv
#include "cuda/driver.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#include "cuda/device.h"
#include "descriptor/owner.h"

atomic_bool pixviewi_cuda_single;
static atomic_bool forked;

bool pixviewi_driver_forked(void) { return atomic_load_explicit(&forked, memory_order_relaxed); }

static void set_forked(void)
{
    atomic_store_explicit(&forked, true, memory_order_relaxed);
    atomic_store_explicit(&pixviewi_cuda_single, false, memory_order_relaxed);
}

pixview_status pixviewi_driver_fail(pixview_error *err, const pixviewi_driver *driver, int code,
                                    const char *what)
{
    const char *name = NULL, *text = NULL;
    if (driver->error_name(code, &name) != CU_SUCCESS || !name)
        name = "unknown error";
    if (driver->error_string(code, &text) != CU_SUCCESS || !text)
        text = "no description";
    pixviewi_fail(err, PIXVIEW_E_CUDA, "%s: %s (%d), %s", what, name, code, text);
    if (err)
        err->driver_code = code;
    return PIXVIEW_E_CUDA;
}

// ---- Loading ----------------------------------------------------------------------------------

static pixview_status find_entry_points(void *library, pixviewi_driver *driver, pixview_error *err)
{
    const char *missing = NULL;
#define FIND(name, symbol, parameters)                 \
    *(void **)&driver->name = dlsym(library, #symbol); \
    if (!driver->name && !missing)                     \
        missing = #symbol;
    PIXVIEWI_DRIVER_FUNCTIONS(FIND)
#undef FIND
#define FIND(name, symbol, parameters) *(void **)&driver->name = dlsym(library, #symbol);
    PIXVIEWI_DRIVER_OPTIONAL(FIND)
#undef FIND
    if (missing)
        return pixviewi_fail(err, PIXVIEW_E_CUDA,
                             "the NVIDIA driver has no %s; pixview needs R525 or newer", missing);
    return PIXVIEW_OK;
}

static pixview_status load_driver(pixviewi_driver *driver, pixview_error *err)
{
    const char *name = secure_getenv("PIXVIEW_LIBCUDA");
    if (!name)
        name = "libcuda.so.1";
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        return pixviewi_fail(err, PIXVIEW_E_CUDA,
                             "cannot load %.60s (%.90s); install the NVIDIA driver, in a container "
                             "run with --gpus all",
                             name, why ? why : "no reason given");
    }
    pixview_status status = find_entry_points(library, driver, err);
    if (status != PIXVIEW_OK)
        return status; // the library stays: unloading a driver is not safe
    int code = driver->init(0);
    if (code == CU_SUCCESS)
        code = driver->device_count(&driver->count);
    if (code == CU_SUCCESS && driver->count == 0)
        code = CU_NO_DEVICE;
    if (code == CU_NOT_INITIALIZED) // what it says in the child of a process that used CUDA
        return pixviewi_driver_fail(err, driver, code,
                                    "cannot start the CUDA driver; if CUDA was used before a fork, "
                                    "start workers with the 'spawn' or 'forkserver' method");
    if (code != CU_SUCCESS)
        return pixviewi_driver_fail(err, driver, code, "cannot start the CUDA driver");
    pthread_atfork(NULL, NULL, set_forked); // a child cannot use the parent's contexts
    atexit(pixviewi_set_exiting);
    return PIXVIEW_OK;
}

static const pixviewi_driver *_Atomic ready;

// The first call, and every one that fails.
__attribute__((cold)) static const pixviewi_driver *load_once(pixview_error *err)
{
    static pixviewi_driver table;
    static pixview_error failure;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static bool tried;

    pthread_mutex_lock(&lock);
    if (!tried) {
        tried = true;
        if (load_driver(&table, &failure) == PIXVIEW_OK) {
            atomic_store_explicit(&ready, &table, memory_order_release);
            atomic_store_explicit(&pixviewi_cuda_single, table.count == 1, memory_order_relaxed);
        }
    }
    const pixviewi_driver *driver = atomic_load_explicit(&ready, memory_order_relaxed);
    if (!driver && err)
        *err = failure;
    pthread_mutex_unlock(&lock);
    return driver;
}

const pixviewi_driver *pixviewi_driver_get(pixview_error *err)
{
    if (pixviewi_driver_forked()) {
        pixviewi_fail(err, PIXVIEW_E_CUDA,
                      "CUDA was used before the fork, and a child process cannot use it again; "
                      "start workers with the 'spawn' or 'forkserver' method");
        return NULL;
    }
    const pixviewi_driver *driver = atomic_load_explicit(&ready, memory_order_acquire);
    return driver ? driver : load_once(err);
}
