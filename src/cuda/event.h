// SPDX-License-Identifier: Apache-2.0
// Events for ordering and for asking whether work is done, lent from a pool.
#ifndef PIXVIEWI_EVENT_H
#define PIXVIEWI_EVENT_H

#include "cuda/context.h"

typedef struct pixviewi_event {
    void *handle;
    uint64_t context; // pixviewi_scope_context
} pixviewi_event;

// An event of the scope's context, for `device`; pixviewi_event_give takes it back.
pixview_status pixviewi_event_take(pixviewi_scope *scope, int device, pixviewi_event **out,
                                   pixview_error *err);
void pixviewi_event_give(pixviewi_scope *scope, int device, pixviewi_event *event);
// Where its context is gone or cannot be entered: frees ours of it. NULL is allowed.
void pixviewi_event_forget(pixviewi_event *event);

#endif
