// SPDX-License-Identifier: Apache-2.0
// The primary context of a device, made current around a few driver calls.
#ifndef PIXVIEWI_CONTEXT_H
#define PIXVIEWI_CONTEXT_H

#include "cuda/driver.h"
#include "descriptor/stream.h"

// The driver gets the legacy stream as 1: in code built for per-thread default streams 0 is another one.
static inline void *pixviewi_stream_handle(pixview_stream stream)
{
    return (void *)(pixviewi_stream_is_legacy(stream) ? PIXVIEWI_STREAM_CUDA_LEGACY : stream);
}

// Current until left.
typedef struct pixviewi_scope {
    const pixviewi_driver *driver;
    void *context;
    int device;
    bool pushed;
    bool relaxed;
    int mode; // of the caller, while relaxed
} pixviewi_scope;

pixview_status pixviewi_scope_enter(pixviewi_scope *scope, int device, pixview_error *err);
void pixviewi_scope_leave(pixviewi_scope *scope);

// A number that no other context of this process has or gets: after a reset of the device a new one is
// at the same address, and what belonged to the old one crashes the driver. 0 where the driver has no
// such thing (before CUDA 12), CONTEXT_DEAD between the reset and the next use of the device.
uint64_t pixviewi_scope_context(const pixviewi_scope *scope);
#define PIXVIEWI_CONTEXT_DEAD UINT64_MAX
// The same, but a dead context is made anew.
uint64_t pixviewi_scope_live_context(pixviewi_scope *scope);
// Is the context still the one whose number was `before` (0: unknown, taken for yes)?
bool pixviewi_scope_same(const pixviewi_scope *scope, uint64_t before);

// Before a call that CUDA forbids during somebody's graph capture (memory, modules, new events):
// RELAXED capture mode until the scope is left. Launches, records and waits do not need it.
pixview_status pixviewi_scope_relax(pixviewi_scope *scope, pixview_error *err);

// The number of the device's context that was seen last; 0: none was.
uint64_t pixviewi_context_seen(int device);

#endif
