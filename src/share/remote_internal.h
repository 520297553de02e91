// SPDX-License-Identifier: Apache-2.0
// What a remote is made of, for the files that implement remote.h: connect.c, mapping.c and remote.c.
#ifndef PIXVIEWI_SHARE_REMOTE_INTERNAL_H
#define PIXVIEWI_SHARE_REMOTE_INTERNAL_H

#include "share/link.h"
#include "share/process.h"
#include "share/remote.h"

// Of an image that is open here; the bit in the ledger is set while `count` is above 0.
typedef struct held_entry {
    uint32_t count;
    pixviewi_mapping *mapping;
    uint64_t generation;
    uintptr_t low, beyond; // what of it was opened
} held_entry;

struct pixviewi_remote {
    uint8_t key[16];
    int64_t pid;
    int peer; // our number in its ledger
    int socket, notice, wake;
    bool dead; // its memory stays as long as it is used here
    int busy;  // threads that ask it something
    pthread_mutex_t asking;
    uint32_t questions;
    pixviewi_ledger *ledger;
    pixviewi_mapping *mappings;
    held_entry held[PIXVIEWI_ENTRIES];
    pixviewi_shared_event *events[PIXVIEWI_ENTRIES]; // its owner's, to wait for
    pixviewi_shared_event *notes[PIXVIEWI_ENTRIES];  // ours, for those who get it from us
    pixviewi_remote *next;
};

// ---- connect.c: the socket, and what the other process says on it ----

pixview_status pixviewi_remote_connect(const pixviewi_handle *handle, int64_t until,
                                       pixviewi_remote **out, pixview_error *err);
void pixviewi_remote_end(pixviewi_remote *remote); // all but its mappings
// `count` descriptors come with a good answer.
pixview_status pixviewi_remote_ask(pixviewi_remote *remote, const pixviewi_message *question,
                                   int64_t until, pixviewi_message *answer, int *fds, int *count,
                                   pixview_error *err);
// PIXVIEW_E_SHARE or PIXVIEW_E_TIMEOUT, with what errno says of it; 0: it has hung up.
pixview_status pixviewi_remote_no_answer(const pixviewi_remote *remote, int code,
                                         pixview_error *err);

// ---- mapping.c: its memory ----

pixview_status pixviewi_mapping_make(pixviewi_remote *remote, const pixviewi_handle *handle,
                                     int device, int reader, int64_t until, pixviewi_mapping **out,
                                     pixview_error *err);
void pixviewi_mapping_end(pixviewi_mapping *mapping);
// Another GPU reads it too.
pixview_status pixviewi_mapping_give_access(pixviewi_mapping *mapping, int reader,
                                            pixview_error *err);
// Under the lock:
pixviewi_mapping *pixviewi_mapping_find(pixviewi_remote *remote, const pixviewi_handle *handle,
                                        int reader);
bool pixviewi_mapping_is_idle(const pixviewi_mapping *mapping);
void pixviewi_mapping_unlist(pixviewi_mapping *mapping);

#endif
