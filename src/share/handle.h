// SPDX-License-Identifier: Apache-2.0
// A handle: the bytes that one process sends to another, so that it can open an image.
#ifndef PIXVIEWI_SHARE_HANDLE_H
#define PIXVIEWI_SHARE_HANDLE_H

#include "cuda/driver.h"
#include "pixview/pixview.h"

typedef enum pixviewi_segment_kind {
    PIXVIEWI_SEGMENT_HOST = 1, // a memfd
    PIXVIEWI_SEGMENT_FD,       // GPU memory by a file descriptor
    PIXVIEWI_SEGMENT_IPC       // GPU memory by a CUDA IPC handle
} pixviewi_segment_kind;

typedef struct pixviewi_handle {
    char magic[8];
    uint64_t checksum; // of all that follows: against damage, not against anybody
    uint8_t process[16];
    uint64_t boot; // of this start of the machine
    int64_t pid;
    uint64_t generation;
    uint64_t segment; // its id; 0: an empty image, and no entry
    uint32_t entry, slot;
    int64_t segment_size, offset; // BYTES
    int64_t shape[4], strides[4];
    pixview_dtype dtype;
    uint8_t kind, layout, flags, ticket;
    uint8_t has_event;
    uint8_t uuid[16]; // of the GPU
    pixviewi_ipc_handle event;
    uint8_t rest[3];
} pixviewi_handle;
_Static_assert(sizeof(pixviewi_handle) <= PIXVIEW_HANDLE_BYTES, "it is sent in so many");

// Writes magic and checksum.
void pixviewi_handle_seal(pixviewi_handle *handle, uint8_t bytes[PIXVIEW_HANDLE_BYTES]);
// Every field is in range, and the image within its segment.
pixview_status pixviewi_handle_read(const void *bytes, size_t size, pixviewi_handle *out,
                                    pixview_error *err);
// The image over its segment at `base`, without owner and stream. NULL: without memory.
pixview_image pixviewi_handle_image(const pixviewi_handle *handle, void *base, int device);

#endif
