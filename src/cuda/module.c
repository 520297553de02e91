// SPDX-License-Identifier: Apache-2.0
// The embedded kernels: loaded once for each device, looked up by their place in the list of args.h.
#include "cuda/module.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "cuda/context.h"
#include "cuda/select/select.h"
#include "kernels/args.h"
#include "kernels/kernels.h"

#define NAME(name, ...) #name,
static const char *const names[] = {PIXVIEWI_KERNELS(NAME)};

enum { COUNT = sizeof names / sizeof *names };
_Static_assert((int)COUNT == (int)PIXVIEWI_KERNEL_COUNT,
               "kernels.h counts other kernels than args.h has");

struct pixviewi_kernels {
    _Atomic uint64_t ready; // number of their context, which they die with, plus 1; 0: not loaded
    void *functions[COUNT];
};

bool pixviewi_cuda_has_kernels(void) { return pixviewi_kernels_fatbin_size > 0; }

const char *pixviewi_kernel_name(int index)
{
    assert(index >= 0 && index < COUNT);
    return names[index];
}

void *pixviewi_kernel(const pixviewi_kernels *kernels, int index)
{
    assert(index >= 0 && index < COUNT);
    return kernels->functions[index];
}

__attribute__((cold)) static pixview_status fail_load(const pixviewi_driver *driver, int code,
                                                      pixview_error *err)
{
    if (code != CU_INVALID_IMAGE && code != CU_NO_BINARY_FOR_GPU &&
        code != CU_UNSUPPORTED_PTX_VERSION)
        return pixviewi_driver_fail(err, driver, code, "cannot load the kernels");
    int version = 0;
    driver->driver_version(&version);
    pixviewi_fail(err, PIXVIEW_E_CUDA,
                  "no kernel fits this GPU and driver (CUDA error %d; the driver is for CUDA "
                  "%d.%d): update the NVIDIA driver (R580 runs every build, R525 release wheels). "
                  "Views work without kernels",
                  code, version / 1000, version % 1000 / 10);
    if (err)
        err->driver_code = code;
    return PIXVIEW_E_CUDA;
}

// The context of the device is current. A module is never unloaded: launches of it may still be
// queued.
static pixview_status load_module(const pixviewi_driver *driver, pixviewi_kernels *into,
                                  pixview_error *err)
{
    void *module = NULL;
    int code = driver->module_load(&module, pixviewi_kernels_fatbin);
    for (int i = 0; i < COUNT && code == CU_SUCCESS; i++)
        code = driver->module_function(&into->functions[i], module, names[i]);
    return code == CU_SUCCESS ? PIXVIEW_OK : fail_load(driver, code, err);
}

static pixview_status module_of(pixviewi_scope *scope, int device, const pixviewi_kernels **out,
                                pixview_error *err)
{
    static pixviewi_kernels loaded[PIXVIEWI_MAX_DEVICES];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    pixviewi_kernels *mine = &loaded[device];
    pixview_status status = PIXVIEW_OK;
    *out = mine;
    uint64_t context = pixviewi_scope_live_context(scope) + 1;
    if (atomic_load_explicit(&mine->ready, memory_order_acquire) == context)
        return PIXVIEW_OK;
    pthread_mutex_lock(&lock);
    if (atomic_load_explicit(&mine->ready, memory_order_relaxed) != context) {
        status = pixviewi_scope_relax(scope, err);
        if (status == PIXVIEW_OK)
            status = load_module(scope->driver, mine, err);
        if (status == PIXVIEW_OK)
            atomic_store_explicit(&mine->ready, context, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

pixview_status pixviewi_kernels_enter(pixviewi_scope *scope, int device,
                                      const pixviewi_kernels **out, pixview_error *err)
{
    if (!pixviewi_cuda_has_kernels())
        return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                             "pixview was built without kernels, so it cannot copy on a GPU; "
                             "install a wheel, or build with nvcc on the PATH");
    pixview_status status = pixviewi_scope_enter(scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    status = module_of(scope, device, out, err);
    if (status != PIXVIEW_OK)
        pixviewi_scope_leave(scope);
    return status;
}

pixview_status pixviewi_cuda_load_kernels(int device, pixview_error *err)
{
    pixviewi_scope scope;
    const pixviewi_kernels *kernels;
    pixview_status status = pixviewi_kernels_enter(&scope, device, &kernels, err);
    if (status == PIXVIEW_OK)
        pixviewi_scope_leave(&scope);
    return status;
}
