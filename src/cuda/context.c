// SPDX-License-Identifier: Apache-2.0
// The caller's context and capture mode, put aside while we work and put back afterwards.
//
// Contexts are the primary ones, as torch, CuPy and OpenCV use them. Each is retained once and kept:
// giving it back would destroy it under a framework that did not retain it itself.
#include "cuda/context.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

static pixview_status primary_context(const pixviewi_driver *driver, int device, void **context,
                                      pixview_error *err)
{
    static void *_Atomic contexts[PIXVIEWI_MAX_DEVICES];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    if (device < 0 || device >= driver->count || device >= PIXVIEWI_MAX_DEVICES)
        return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                             "GPU %d of %d does not exist; see "
                             "CUDA_VISIBLE_DEVICES",
                             device, driver->count);
    *context = atomic_load_explicit(&contexts[device], memory_order_acquire);
    if (*context)
        return PIXVIEW_OK;
    pthread_mutex_lock(&lock);
    *context = atomic_load_explicit(&contexts[device], memory_order_relaxed);
    int code = CU_SUCCESS, handle = 0;
    if (!*context) {
        code = driver->device_get(&handle, device);
        if (code == CU_SUCCESS)
            code = driver->primary_retain(context, handle);
        if (code == CU_SUCCESS)
            atomic_store_explicit(&contexts[device], *context, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    if (code != CU_SUCCESS)
        return pixviewi_driver_fail(err, driver, code, "cannot use the primary context");
    return PIXVIEW_OK;
}

pixview_status pixviewi_scope_enter(pixviewi_scope *scope, int device, pixview_error *err)
{
    *scope = (pixviewi_scope){.driver = NULL};
    const pixviewi_driver *driver = pixviewi_driver_get(err);
    if (!driver)
        return PIXVIEW_E_CUDA;
    scope->driver = driver;
    void *context = NULL, *current = NULL;
    pixview_status status = primary_context(driver, device, &context, err);
    scope->context = context;
    scope->device = device;
    if (status == PIXVIEW_OK) {
        int code = driver->context_current(&current);
        if (code == CU_SUCCESS && current != context) {
            code = driver->context_push(context);
            scope->pushed = code == CU_SUCCESS;
        }
        if (code != CU_SUCCESS)
            status = pixviewi_driver_fail(err, driver, code, "cannot make the context current");
    }
    if (status != PIXVIEW_OK)
        pixviewi_scope_leave(scope);
    return status;
}

// What was seen last, for those who cannot ask.
static _Atomic uint64_t seen[PIXVIEWI_MAX_DEVICES];

uint64_t pixviewi_scope_context(const pixviewi_scope *scope)
{
    unsigned long long id = 0;
    if (!scope->driver->context_id)
        return 0;
    int code = scope->driver->context_id(scope->context, &id);
    if (code == CU_CONTEXT_IS_DESTROYED)
        return PIXVIEWI_CONTEXT_DEAD;
    if (code != CU_SUCCESS)
        return 0;
    atomic_store_explicit(&seen[scope->device], id, memory_order_relaxed);
    return id;
}

uint64_t pixviewi_scope_live_context(pixviewi_scope *scope)
{
    int handle = 0;
    void *again = NULL;
    uint64_t id = pixviewi_scope_context(scope);
    if (id != PIXVIEWI_CONTEXT_DEAD ||
        scope->driver->device_get(&handle, scope->device) != CU_SUCCESS ||
        scope->driver->primary_retain(&again, handle) != CU_SUCCESS)
        return id;
    return pixviewi_scope_context(scope); // the address stays the same
}

bool pixviewi_scope_same(const pixviewi_scope *scope, uint64_t before)
{
    uint64_t now = before ? pixviewi_scope_context(scope) : 0;
    return now == 0 || now == before;
}

uint64_t pixviewi_context_seen(int device)
{
    return atomic_load_explicit(&seen[device], memory_order_relaxed);
}

pixview_status pixviewi_scope_relax(pixviewi_scope *scope, pixview_error *err)
{
    assert(scope->driver); // entered
    if (scope->relaxed)
        return PIXVIEW_OK;
    scope->mode = CU_MODE_RELAXED;
    int code = scope->driver->exchange_capture_mode(&scope->mode);
    if (code != CU_SUCCESS)
        return pixviewi_driver_fail(err, scope->driver, code, "cannot enter relaxed capture mode");
    scope->relaxed = true;
    return PIXVIEW_OK;
}

// Errors are left alone: there is nothing better to do, and the work is done.
void pixviewi_scope_leave(pixviewi_scope *scope)
{
    void *context;
    if (!scope->driver)
        return;
    if (scope->pushed)
        scope->driver->context_pop(&context);
    if (scope->relaxed)
        scope->driver->exchange_capture_mode(&scope->mode);
    scope->driver = NULL;
}
