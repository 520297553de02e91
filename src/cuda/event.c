// SPDX-License-Identifier: Apache-2.0
// The pool of events, one for each device.
//
// An event may be recorded again as soon as the wait for it was queued, so a few serve any number of
// threads, deleters on threads that are about to end included. Taking and giving is one exchange.
// After a reset of the device its events are dead: the context's number tells, and they are
// forgotten, not destroyed.
#include "cuda/event.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { SLOTS = 16 };

static _Atomic(pixviewi_event *) pool[PIXVIEWI_MAX_DEVICES][SLOTS];

static pixviewi_event *take_pooled(int device, uint64_t context)
{
    for (int i = 0; i < SLOTS; i++) {
        _Atomic(pixviewi_event *) *slot = &pool[device][i];
        if (!atomic_load_explicit(slot, memory_order_relaxed))
            continue;
        pixviewi_event *event = atomic_exchange_explicit(slot, NULL, memory_order_acquire);
        if (event && event->context == context)
            return event;
        free(event);
    }
    return NULL;
}

pixview_status pixviewi_event_take(pixviewi_scope *scope, int device, pixviewi_event **out,
                                   pixview_error *err)
{
    assert(device == scope->device);
    uint64_t context = pixviewi_scope_live_context(scope);
    *out = take_pooled(device, context);
    if (*out)
        return PIXVIEW_OK;
    pixview_status status = pixviewi_scope_relax(scope, err);
    if (status != PIXVIEW_OK)
        return status;
    pixviewi_event *event = malloc(sizeof *event);
    if (!event)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for an event");
    event->context = context;
    int code = scope->driver->event_create(&event->handle, CU_EVENT_WITHOUT_TIMING);
    if (code != CU_SUCCESS) {
        free(event);
        return pixviewi_driver_fail(err, scope->driver, code, "cannot create an event");
    }
    *out = event;
    return PIXVIEW_OK;
}

void pixviewi_event_give(pixviewi_scope *scope, int device, pixviewi_event *event)
{
    assert(device >= 0 && device < PIXVIEWI_MAX_DEVICES && event->handle);
    for (int i = 0; i < SLOTS; i++) {
        pixviewi_event *empty = NULL;
        if (atomic_compare_exchange_strong_explicit(&pool[device][i], &empty, event,
                                                    memory_order_release, memory_order_relaxed))
            return;
    }
    (void)!pixviewi_scope_relax(scope, NULL);
    scope->driver->event_destroy(event->handle);
    free(event);
}

void pixviewi_event_forget(pixviewi_event *event) { free(event); }
