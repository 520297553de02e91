// SPDX-License-Identifier: Apache-2.0
// Images that other processes of this machine open without a copy, and pools of memory made for that.
//
// GPU memory of a pool crosses by a file descriptor (CUDA's virtual memory management), which works in
// containers; memory that others allocated with cudaMalloc by a CUDA IPC handle; host memory by a memfd.
// Both processes have the same user and the same network namespace. docs/processes.md, docs/security.md.
#ifndef PIXVIEW_SHARE_H
#define PIXVIEW_SHARE_H

#include "image.h"

#ifdef __cplusplus
extern "C" {
#endif

// An image that others may open. It holds the image.
typedef struct pixview_share pixview_share;

enum { PIXVIEW_HANDLE_BYTES = 256 }; // what is sent to them

typedef struct pixview_share_params {
    size_t struct_size;    // sizeof(pixview_share_params)
    pixview_layout layout; // told to those who open it; NONE: NHWC
    int32_t copy; // 0: never; 1: into memory of its own, if it cannot be shared as it is; -1: the
                  // same for host memory only
    double keep;  // SECONDS that a sent handle holds the image until it is opened; 0: 60
} pixview_share_params;

// Shares an image. Work that image->stream has queued so far comes before what an opener queues.
//
// Host memory of a pool is shared as it is, all other host memory by one copy. GPU memory: of a pool, and what
// cudaMalloc gave, at any address within; everything else by a copy, if `copy` is 1.
// params    may be NULL (all defaults).
// Memory:   image->owner is counted up until the share is released, no sent handle is on its way (or `keep`
//           seconds are over), and every process that opened it has let go or died. An image without an
//           owner has to live as long by itself.
// Returns:  PIXVIEW_OK
//           PIXVIEW_E_INVALID      NULL, struct_size of another library, keep below 0
//           PIXVIEW_E_UNSUPPORTED  memory that cannot be shared, by name: a stream-ordered pool, managed
//                                  memory, mapped memory (expandable segments)
//           PIXVIEW_E_SHARE        too many shared at once, or the system refused a socket or a thread
//           PIXVIEW_E_MEMORY, PIXVIEW_E_CUDA (900: the stream is in a capture), and what pixview_copy returns
// Thread-safety: safe, as all functions here.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_share_create(const pixview_image *image, const pixview_share_params *params,
                     pixview_share **out, pixview_error *err);

// Bytes for one receiver, by whatever carries bytes. Each call holds the image once more, until the bytes
// are opened first, or declined. PIXVIEW_E_SHARE in a child of a fork.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_share_send(pixview_share *share,
                                                                uint8_t handle[256],
                                                                pixview_error *err);

PIXVIEW_API void pixview_share_release(pixview_share *share); // NULL is allowed

// A receiver that will not open what was sent says so; the image is not held for it any longer. Bytes that are no
// handle, and a sender that is gone, are ignored.
PIXVIEW_API void pixview_share_decline(const void *handle, size_t size);

typedef struct pixview_open_params {
    size_t struct_size;    // sizeof(pixview_open_params)
    int32_t device;        // GPU that will read it; -1: the one it is on. Unused for host memory
    pixview_stream stream; // on which it will be used first: waits for the sender's work
    double timeout;        // SECONDS for an answer of the other process; 0: 10
} pixview_open_params;

typedef struct pixview_open_plan { // what pixview_share_open would do
    bool copies;                   // to another GPU that cannot map the memory
    int32_t device;                // of the result; -1: host
    char reason[160];              // why a copy; "" for a view
} pixview_open_plan;

// Opens a handle: a view of the same memory; on a GPU that cannot reach it one copy. Within the process that
// shared it, a view of what it shared.
//
// params    may be NULL (all defaults).
// out       released with pixview_owner_unref(out->owner). The release waits for nothing: the memory goes back
//           when what out->stream has queued by then is done.
// layout    as told by the sender; may be NULL.
// Returns:  PIXVIEW_OK
//           PIXVIEW_E_INVALID      no handle: wrong size, damaged
//           PIXVIEW_E_SHARE        the sender is gone, of another host, of another user, does not answer,
//                                  or has let go of the image
//           PIXVIEW_E_DEVICE       its GPU is not visible here
//           PIXVIEW_E_MEMORY, PIXVIEW_E_CUDA
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_share_open(const void *handle, size_t size,
                                                                const pixview_open_params *params,
                                                                pixview_image *out,
                                                                pixview_layout *layout,
                                                                pixview_error *err);

// What pixview_share_open would do. It connects to nobody. PIXVIEW_E_INVALID, PIXVIEW_E_SHARE (of another host),
// PIXVIEW_E_DEVICE, PIXVIEW_E_CUDA.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_share_plan(const void *handle, size_t size,
                                                                int device, pixview_open_plan *out,
                                                                pixview_error *err);

// The image as the handle tells it, without memory: data is NULL and device.id that of this process, -1 if it
// is not visible. `pid` is the sender's; may be NULL.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_share_describe(const void *handle, size_t size,
                                                                    pixview_image *out,
                                                                    pixview_layout *layout,
                                                                    int64_t *pid,
                                                                    pixview_error *err);

// Frames of one kind, in one piece of memory that is made to be shared.
typedef struct pixview_pool pixview_pool;

typedef struct pixview_pool_params {
    size_t struct_size; // sizeof(pixview_pool_params)
    int32_t frames;     // 1 to 1024
    pixview_dtype dtype;
    pixview_device device; // CPU or CUDA
    pixview_layout layout; // the order in which a frame is dense
    int64_t shape[4];      // in that order, as many as the layout has axes
} pixview_pool_params;

// PIXVIEW_E_INVALID, _LAYOUT, _DTYPE, _DEVICE, _UNSUPPORTED, _MEMORY, _SHARE, _CUDA.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_pool_create(const pixview_pool_params *params,
                                                                 pixview_pool **out,
                                                                 pixview_error *err);

// A frame that nobody uses, with pixels of anything. It is free again when its image is released, all its shares
// too, and every process that opened it has let go.
//
// timeout   SECONDS to wait for one; below 0: for ever.
// Returns:  PIXVIEW_OK; PIXVIEW_E_TIMEOUT; PIXVIEW_E_SHARE (the pool is the parent's of a fork); PIXVIEW_E_INVALID (NULL, NaN);
//           PIXVIEW_E_MEMORY
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_pool_get(pixview_pool *pool, double timeout,
                                                              pixview_stream stream,
                                                              pixview_image *out,
                                                              pixview_error *err);

// Frames that nobody uses now.
PIXVIEW_API int32_t pixview_pool_idle(pixview_pool *pool);

// Its memory goes when the last frame is free. NULL is allowed.
PIXVIEW_API void pixview_pool_release(pixview_pool *pool);

#ifdef __cplusplus
}
#endif

#endif
