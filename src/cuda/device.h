// SPDX-License-Identifier: Apache-2.0
// Devices: which there are, whose a pointer or stream is, and what goes on in their contexts.
//
// Device arguments are CUDA ordinals. Every function that needs a context makes the device's primary
// context current and restores the caller's. Everything that CUDA forbids during a graph capture runs
// in RELAXED capture mode (cuThreadExchangeStreamCaptureMode), restored afterwards.
#ifndef PIXVIEWI_DEVICE_H
#define PIXVIEWI_DEVICE_H

#include <stdatomic.h>

#include "descriptor/base.h"
#include "pixview/pixview.h"

// Number of visible GPUs. 0 and an error when there is no driver. Makes no context.
pixview_status pixviewi_cuda_device_count(int *count, pixview_error *err);

// The GPU that a pointer belongs to. No driver call while one GPU is visible (it is 0 then).
// PIXVIEW_E_DEVICE for host memory or an unknown pointer, PIXVIEW_E_CUDA without a driver.
pixview_status pixviewi_cuda_query_pointer(const void *ptr, int *device, pixview_error *err);
extern atomic_bool
    pixviewi_cuda_single; // the driver is loaded, for this process, and shows one GPU
static PIXVIEWI_INLINE pixview_status pixviewi_cuda_pointer_device(const void *ptr, int *device,
                                                                   pixview_error *err)
{
    *device = 0;
    return atomic_load_explicit(&pixviewi_cuda_single, memory_order_relaxed)
               ? PIXVIEW_OK
               : pixviewi_cuda_query_pointer(ptr, device, err);
}

// The GPU whose context the stream belongs to. PIXVIEW_E_CUDA if the driver does not know it.
pixview_status pixviewi_cuda_stream_device(pixview_stream stream, int *device, pixview_error *err);

// The GPU whose context is current on this thread; 0 without any.
int pixviewi_cuda_current_device(void);

// The number of the device's context, as far as it was seen: asks only the first time, so that a view
// makes no driver call. And is it the same still? Memory, streams and events of one that was reset are
// dead, and touching them can crash. 0: unknown, and taken for the same.
uint64_t pixviewi_cuda_context(int device);
bool pixviewi_cuda_same_context(int device, uint64_t before);

// Runs `call(arg)` with the primary context of `device` current and capture mode RELAXED: for the
// deleters that free device memory through somebody else's allocator (a bare cudaFree on a
// fresh thread would make a context on GPU 0). Never fails: without a driver it just calls.
void pixviewi_cuda_with_device(int device, void (*call)(void *arg), void *arg);

// What the first calls on a GPU would do: makes its context and an event and loads the kernels, if it
// was built with any. May run inside a capture; a second time it does nothing.
pixview_status pixviewi_cuda_warm_up(int device, pixview_error *err);

// For `pixview doctor`: what a GPU is called and can. `name` and the rest may be NULL.
pixview_status pixviewi_cuda_describe(int device, char name[128], int *major, int *minor,
                                      int *driver_version, pixview_error *err);

// The process is going down, or this is the child of a fork: nothing of the driver's, or of OpenCV's
// allocator, may be freed.
bool pixviewi_cuda_unusable(void);

#endif
