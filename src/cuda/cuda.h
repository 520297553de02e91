// What the rest of pixview asks of the CUDA driver. Everything goes through the table of driver.h,
// which is loaded with dlopen on first need.
//
// Device arguments are CUDA ordinals. Every function that needs a context makes the device's primary
// context current and restores the caller's. Everything that CUDA forbids during a graph capture runs
// in RELAXED capture mode (cuThreadExchangeStreamCaptureMode), restored afterwards.
#ifndef PIXVIEWI_CUDA_H
#define PIXVIEWI_CUDA_H

#include "descriptor/internal.h"

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
    return PIXVIEWI_LIKELY(atomic_load_explicit(&pixviewi_cuda_single, memory_order_relaxed))
               ? PIXVIEW_OK
               : pixviewi_cuda_query_pointer(ptr, device, err);
}

// May an event join two streams now? Outside of any capture, and inside one that both belong to, yes.
typedef enum pixviewi_stream_relation_kind {
    PIXVIEWI_STREAMS_SAME, // the same stream (0 and 1 both mean legacy), or PIXVIEW_STREAM_NONE
    PIXVIEWI_STREAMS_ORDERABLE,
    PIXVIEWI_CAPTURE_MISMATCH, // exactly one captures, or each in its own: an event would break a capture
    PIXVIEWI_LEGACY_BLOCKED // neither captures, but one is the legacy stream, and touching that breaks
                            // the capture of the blocking stream that somebody else captures
} pixviewi_stream_relation_kind;

typedef struct pixviewi_stream_relation {
    pixviewi_stream_relation_kind kind;
    uint64_t capture;       // that both are in; 0: none
    bool consumer_captures; // of CAPTURE_MISMATCH: the consumer does
} pixviewi_stream_relation;

pixview_status pixviewi_cuda_stream_relation(int device, pixview_stream producer,
                                             pixview_stream consumer,
                                             pixviewi_stream_relation *relation,
                                             pixview_error *err);

// Work queued on `consumer` from now on waits for what `producer` has queued so far: one record, one
// wait, no host wait. Only after STREAMS_ORDERABLE.
pixview_status pixviewi_cuda_wait(int device, pixview_stream producer, pixview_stream consumer,
                                  pixview_error *err);

// Both: asks, and waits if the answer is STREAMS_ORDERABLE. `joint` may be NULL.
pixview_status pixviewi_cuda_order(int device, pixview_stream producer, pixview_stream consumer,
                                   pixviewi_stream_relation *relation, pixview_error *err);

// PIXVIEW_E_CUDA with the error that the driver would have given: CUDA_ERROR_STREAM_CAPTURE_ISOLATION
// (905) or _IMPLICIT (906).
__attribute__((cold)) pixview_status pixviewi_cuda_fail_relation(pixviewi_stream_relation_kind kind,
                                                                 pixview_stream producer,
                                                                 pixview_stream consumer,
                                                                 pixview_error *err);

// May rows be copied on `stream`? PIXVIEW_E_CUDA (900) if the host would wait for them and the stream
// is in a capture or would break one, (906) if only the second.
pixview_status pixviewi_cuda_check_rows(int device, pixview_stream stream, bool wait,
                                        pixview_error *err);

// The GPU whose context the stream belongs to. PIXVIEW_E_CUDA if the driver does not know it.
pixview_status pixviewi_cuda_stream_device(pixview_stream stream, int *device, pixview_error *err);

// What the first calls on a GPU would do: makes its context and an event and loads the kernels, if it
// was built with any. May run inside a capture; a second time it does nothing.
pixview_status pixviewi_cuda_warm_up(int device, pixview_error *err);

// Ends one stream dependency of an owner that lets go. False: not now, a capture is in the way, or the event has
// not passed. A driver that fails is no reason to keep the memory: there is nobody to tell.
bool pixviewi_cuda_end_dep(pixviewi_stream_dep *dep);

// Stream-ordered device memory, freed on the same stream when the owner's count drops to zero.
pixview_status pixviewi_cuda_alloc(int device, int64_t nbytes, pixview_stream stream, void **data,
                                   pixview_owner **owner, pixview_error *err);

// Rows of `width` bytes. Kinds by the devices: one of the two is the host. `wait`: until they are there.
// Only after pixviewi_cuda_check_rows.
pixview_status pixviewi_cuda_copy_rows(int device, void *dst, int64_t dst_pitch, const void *src,
                                       int64_t src_pitch, int64_t width, int64_t rows, bool to_host,
                                       bool wait, pixview_stream stream, pixview_error *err);

// Host memory that the GPU reads by itself, so that a copy from it is under way when the call returns.
bool pixviewi_cuda_is_pinned(const void *ptr);

// Holds the owner (counted) until the stream has passed what is queued on it now. In a capture there is
// nothing to wait for: what a graph reads has to live as long as the graph.
pixview_status pixviewi_cuda_hold_until(int device, pixview_stream stream, pixview_owner *owner,
                                        pixview_error *err);

// The number of the device's context, as far as it was seen: asks only the first time, so that a view
// makes no driver call. And is it the same still? Memory, streams and events of one that was reset are
// dead, and touching them can crash. 0: unknown, and taken for the same.
uint64_t pixviewi_cuda_context(int device);
bool pixviewi_cuda_same_context(int device, uint64_t before);

// Runs `call(arg)` with the primary context of `device` current and capture mode RELAXED: for the
// deleters that free device memory through somebody else's allocator (a bare cudaFree on a
// fresh thread would make a context on GPU 0). Never fails: without a driver it just calls.
void pixviewi_cuda_with_device(int device, void (*call)(void *arg), void *arg);

// For `pixview doctor`: does the kernel image load on `device`? `name` and the rest may be NULL.
pixview_status pixviewi_cuda_describe(int device, char name[128], int *major, int *minor,
                                      int *driver_version, pixview_error *err);
pixview_status pixviewi_cuda_load_kernels(int device, pixview_error *err);

// Was the library built with kernels?
bool pixviewi_cuda_has_kernels(void);

// The interpreter, or the process, is going down: releases free plain memory only. Set from atexit.
void pixviewi_set_exiting(void);
bool pixviewi_exiting(void);

// That, or this is the child of a fork: nothing of the driver's, or of OpenCV's allocator, may be freed.
bool pixviewi_cuda_unusable(void);

#endif
