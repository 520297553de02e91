// SPDX-License-Identifier: Apache-2.0
// Other processes whose images this one opened: the opener's half of the ledger, and what of their memory is mapped.
#ifndef PIXVIEWI_SHARE_REMOTE_H
#define PIXVIEWI_SHARE_REMOTE_H

#include <poll.h>

#include "cuda/shared.h"
#include "share/handle.h"
#include "share/ledger.h"

enum { PIXVIEWI_REMOTES = 64 };

typedef struct pixviewi_remote pixviewi_remote;

// A segment of theirs, here. One for each, but that IPC memory is mapped once for each GPU that reads it.
typedef struct pixviewi_mapping {
    pixviewi_remote *remote;
    pixviewi_segment_kind kind;
    uint32_t slot;
    uint64_t id;
    void *base;
    int64_t size;
    int fd;
    pixviewi_ipc_handle handle;
    uint8_t uuid[16];
    int device;     // of the memory; -1: host
    int reader;     // IPC: whose GPU opened it
    uint64_t peers; // FD: bits of other GPUs that may read it
    int users;      // images
    struct pixviewi_mapping *next;
} pixviewi_mapping;

// Holds what the handle names and maps its memory, on GPU `device` (of the memory) to be read by `reader`.
// The thread has been started: it notices when the other process dies.
pixview_status pixviewi_remote_hold(const pixviewi_handle *handle, int device, int reader,
                                    double timeout, pixviewi_mapping **out, pixview_error *err);
// It is opened: what the handle held while it was on its way.
void pixviewi_remote_redeem(pixviewi_mapping *mapping, const pixviewi_handle *handle);
// Work on `stream` of `reader` waits for what the sender noted in the handle.
pixview_status pixviewi_remote_wait(pixviewi_mapping *mapping, const pixviewi_handle *handle,
                                    int reader, pixview_stream stream, pixview_error *err);
// Nobody here will open it.
void pixviewi_remote_decline(const pixviewi_handle *handle);
void pixviewi_mapping_let_go(pixviewi_mapping *mapping, int entry);

// Sharing on: under the lock, holds the entry whose image has all these bytes once more; *entry. NULL: there is none.
pixviewi_mapping *pixviewi_remote_hold_part(const void *low, const void *beyond, int device,
                                            int *entry);
// The sender's fields of a handle of it.
void pixviewi_remote_describe(const pixviewi_mapping *mapping, int entry, pixviewi_handle *handle);
pixviewi_entry *pixviewi_remote_entry(const pixviewi_mapping *mapping, int entry);
// This process's own event for it; NULL: no memory.
pixviewi_shared_event *pixviewi_remote_note(pixviewi_mapping *mapping, int entry);

// For the one thread (thread.h): what to wait for, at most PIXVIEWI_REMOTES; and what came.
int pixviewi_remotes_poll(struct pollfd *fds);
void pixviewi_remotes_notice(const struct pollfd *fds, int count);
void pixviewi_remotes_forget(void); // in the child of a fork

#endif
