// SPDX-License-Identifier: Apache-2.0
// The images that this process shares: the owner's half of the ledger.
#ifndef PIXVIEWI_SHARE_ENTRIES_H
#define PIXVIEWI_SHARE_ENTRIES_H

#include "cuda/shared.h"
#include "share/ledger.h"
#include "share/segment.h"

typedef struct pixviewi_own {
    pixviewi_segment *segment; // counted; NULL: the entry is free
    pixview_owner *source;     // counted; of an image that is no frame of a pool
    pixview_pool *pool;        // it is a frame of
    uint64_t generation;
    int handles; // shares, and of a pool's frame the image that was got
    pixviewi_shared_event event;
    int next;    // of the free ones, or of those that wait for others
    bool listed; // among those that wait
} pixviewi_own;

// What is let go of under the lock, and ended after it.
typedef struct pixviewi_ended {
    pixview_owner *source;
    pixviewi_segment *segment;
} pixviewi_ended;
void pixviewi_ended_finish(pixviewi_ended *ended);

pixview_status pixviewi_entries_start(pixview_error *err); // under the lock
void pixviewi_entries_forget(void);                        // in the child of a fork

// All under the lock.
pixviewi_own *pixviewi_own_at(int entry);
// A free entry's number, which is not free any more; -1: none. Its segment and handles are the caller's to fill.
int pixviewi_own_take(void);
void pixviewi_own_give_back(int entry);
// Opens it anew, with nothing sent.
void pixviewi_own_renew(int entry);
// A share, or a frame's image, is released. Lets go of the image if nobody else has it, else later.
void pixviewi_own_drop_handle(int entry, pixviewi_ended *ended);
// Is it free, or can it be now?
bool pixviewi_own_settle(int entry, int64_t now, pixviewi_ended *ended);
// Among those that are looked at until they are free, which a frame is not while its pool lives.
void pixviewi_own_watch(int entry);
// When the entry may be free because of time alone; PIXVIEWI_NEVER.
int64_t pixviewi_own_expiry(int entry);

// Around what is done with an entry's event, instead of the lock.
void pixviewi_own_lock_events(void);
void pixviewi_own_unlock_events(void);

// Lets go of all that can be, without the lock. When to come again at the latest.
int64_t pixviewi_entries_settle(void);

#endif
