// SPDX-License-Identifier: Apache-2.0
// GPU memory and events that several processes use.
#ifndef PIXVIEWI_CUDA_SHARED_H
#define PIXVIEWI_CUDA_SHARED_H

#include "cuda/driver.h"

// ---- Memory that is made to be shared: a file descriptor (cuMemCreate) -----------------------------

// Of at least `bytes`, mapped and writable on `device`. *fd is the caller's to close; the memory lives as long as
// a mapping or such a descriptor does. *size: the whole mapping, a multiple of what the driver maps at once.
pixview_status pixviewi_cuda_map_new(int device, int64_t bytes, void **base, int64_t *size, int *fd,
                                     pixview_error *err);
// The same memory in another process, or once more in this one. The descriptor stays the caller's.
// `on`: a GPU other than `device` that also gets access; -1: none.
pixview_status pixviewi_cuda_map_fd(int device, int fd, int64_t size, void **base,
                                    pixview_error *err);
// Another GPU gets access to a mapping too. PIXVIEW_E_DEVICE: it cannot.
pixview_status pixviewi_cuda_map_on(int device, int on, void *base, int64_t size,
                                    pixview_error *err);
// After all work on it. Nothing in a process that is going down.
void pixviewi_cuda_unmap(int device, void *base, int64_t size);

// ---- Memory that somebody else allocated with cudaMalloc: an IPC handle ---------------------------

// The allocation that an address lies in.
typedef struct pixviewi_allocation {
    void *base;
    int64_t size;
    uint64_t id; // no other allocation of this process has it, now or later
    pixviewi_ipc_handle handle;
} pixviewi_allocation;

// PIXVIEW_E_UNSUPPORTED with the kind of memory (expandable segments, an async pool, managed) and what to do, if it
// has no handle. `handle` is filled only if `with_handle`.
pixview_status pixviewi_cuda_find_allocation(int device, const void *data, bool with_handle,
                                             pixviewi_allocation *out, pixview_error *err);
// `device`: the GPU that will read it; another than the memory's gets access as a peer.
// PIXVIEW_E_SHARE if the allocation is smaller than `size`.
pixview_status pixviewi_cuda_open_ipc(int device, const pixviewi_ipc_handle *handle, int64_t size,
                                      void **base, pixview_error *err);
void pixviewi_cuda_close_ipc(int device, void *base);

// ---- Events -----------------------------------------------------------------------------------------

typedef struct pixviewi_shared_event {
    void *event; // NULL: none
    int device;
    uint64_t context;
    pixview_stream stream; // on which it was recorded last
    pixviewi_ipc_handle handle;
} pixviewi_shared_event;

// Records the work that `stream` has queued, in an event that other processes can wait for; makes it first if
// `event` has none. What it recorded on another stream before stays in it: `stream` waits for that.
// *waited: the GPU has no such events, and the host has waited for the work instead.
pixview_status pixviewi_cuda_record_shared(int device, pixview_stream stream,
                                           pixviewi_shared_event *event, bool *waited,
                                           pixview_error *err);
// Of another process: makes `event` the one of that handle, unless it is already.
pixview_status pixviewi_cuda_open_event(int device, const pixviewi_ipc_handle *handle,
                                        pixviewi_shared_event *event, pixview_error *err);
// Work queued on `stream` from now on waits for the event. It may be of another GPU.
pixview_status pixviewi_cuda_wait_shared(int device, pixview_stream stream,
                                         const pixviewi_shared_event *event, pixview_error *err);
void pixviewi_cuda_drop_event(pixviewi_shared_event *event);

// ---- GPUs -------------------------------------------------------------------------------------------

// The same in every process, however CUDA_VISIBLE_DEVICES numbers them.
pixview_status pixviewi_cuda_uuid(int device, unsigned char uuid[16], pixview_error *err);
// PIXVIEW_E_DEVICE: no visible GPU has it.
pixview_status pixviewi_cuda_find_uuid(const unsigned char uuid[16], int *device,
                                       pixview_error *err);
bool pixviewi_cuda_can_access(int device, int memory_of);

// A copy from one GPU to another, done when it returns. It is ordered after the per-thread stream of `from`.
pixview_status pixviewi_cuda_copy_across(int from, const void *src, int to, void *dst,
                                         int64_t bytes, pixview_stream stream, pixview_error *err);

#endif
