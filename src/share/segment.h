// SPDX-License-Identifier: Apache-2.0
// Pieces of memory of this process that others map. All under the lock of process.h, but for making and
// ending one.
#ifndef PIXVIEWI_SHARE_SEGMENT_H
#define PIXVIEWI_SHARE_SEGMENT_H

#include "share/handle.h"
#include "share/process.h"

typedef struct pixviewi_segment {
    pixviewi_segment_kind kind;
    uint32_t slot; // in the ledger
    uint64_t id;
    int count; // entries and pools that use it
    void *base;
    int64_t size; // BYTES
    int device;   // of the memory, as this process numbers it; -1: host
    uint8_t uuid[16];
    int fd;                     // HOST, FD
    pixviewi_ipc_handle handle; // IPC
    uint64_t
        allocation; // IPC: what the driver calls it, so that an address of before is not taken for it
    int *entries;   // of a pool: an entry for each frame; else NULL
    int64_t frame_size; // BYTES from one to the next
    bool borrowed;      // not ours to free: whoever holds an image of it keeps the memory
    struct pixviewi_segment *next;
} pixviewi_segment;

// New memory. Count 1, listed.
pixview_status pixviewi_segment_new(pixview_device device, int64_t bytes, pixviewi_segment **out,
                                    pixview_error *err);
// Memory that somebody else allocated, by its IPC handle; described in `like` but for slot, id and count. No descriptor.
pixview_status pixviewi_segment_over(const pixviewi_segment *like, pixviewi_segment **out,
                                     pixview_error *err);

// Under the lock: the one that has all these bytes; NULL. On the host or that GPU. `allocation`: 0, or of an IPC one.
pixviewi_segment *pixviewi_segment_find(const void *low, const void *beyond, int device,
                                        uint64_t allocation);
// Under the lock: by its place in the ledger.
pixviewi_segment *pixviewi_segment_at(uint32_t slot, uint64_t id);
// Under the lock. True: that was the last count; the caller ends it when the lock is given up.
bool pixviewi_segment_drop(pixviewi_segment *segment);
void pixviewi_segment_end_take(pixviewi_segment *segment);

void pixviewi_segments_forget(void); // in the child of a fork

#endif
