// SPDX-License-Identifier: Apache-2.0
#include "share/entries.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor/owner.h"
#include "share/process.h"

enum { NONE = -1 };

static pixviewi_own *own; // PIXVIEWI_ENTRIES
static int free_list, waiting = NONE;
static pthread_mutex_t events = PTHREAD_MUTEX_INITIALIZER;

void pixviewi_own_lock_events(void) { pthread_mutex_lock(&events); }
void pixviewi_own_unlock_events(void) { pthread_mutex_unlock(&events); }

static pixviewi_entry *shared_at(int entry)
{
    return &pixviewi_process_started()->ledger->entries[entry];
}
pixviewi_own *pixviewi_own_at(int entry) { return &own[entry]; }

pixview_status pixviewi_entries_start(pixview_error *err)
{
    own = calloc(PIXVIEWI_ENTRIES, sizeof *own);
    if (!own)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory to share images");
    for (int i = 0; i < PIXVIEWI_ENTRIES; i++)
        own[i].next = i + 1 < PIXVIEWI_ENTRIES ? i + 1 : NONE;
    free_list = 0;
    waiting = NONE;
    return PIXVIEW_OK;
}

void pixviewi_entries_forget(void)
{
    pthread_mutex_init(&events, NULL);
    free(own); // what it holds is the parent's, which will release it
    own = NULL;
    waiting = NONE;
}

int pixviewi_own_take(void)
{
    int entry = free_list;
    if (entry != NONE)
        free_list = own[entry].next;
    return entry;
}

void pixviewi_own_give_back(int entry)
{
    own[entry].pool = NULL;
    own[entry].next = free_list;
    free_list = entry;
}

void pixviewi_own_renew(int entry)
{
    pixviewi_entry *shared = shared_at(entry);
    atomic_store(&shared->tickets, 0);
    atomic_store(&shared->watched, 0);
    own[entry].generation = pixviewi_entry_renew(shared);
    atomic_store(&shared->expires, 0);
    atomic_store(&shared->unnumbered, 0);
}

static bool is_on_its_way(int entry, int64_t now)
{
    pixviewi_entry *shared = shared_at(entry);
    return now < atomic_load(&shared->expires) &&
           (atomic_load(&shared->unnumbered) || atomic_load(&shared->tickets));
}

int64_t pixviewi_own_expiry(int entry)
{
    bool counts =
        own[entry].segment && own[entry].handles == 0 && !pixviewi_entry_is_held(shared_at(entry));
    return counts ? atomic_load(&shared_at(entry)->expires) : PIXVIEWI_NEVER;
}

// Nobody who opens it now can be missed: who is not seen here sees that it is closed.
static bool is_over(int entry, int64_t now)
{
    pixviewi_entry *shared = shared_at(entry);
    if (own[entry].handles > 0 || is_on_its_way(entry, now) || pixviewi_entry_is_held(shared))
        return false;
    own[entry].generation = pixviewi_entry_renew(shared);
    return !pixviewi_entry_is_held(shared);
}

bool pixviewi_own_settle(int entry, int64_t now, pixviewi_ended *ended)
{
    pixviewi_own *one = &own[entry];
    if (!one->segment)
        return true;
    if (!is_over(entry, now))
        return false;
    ended->source = one->source;
    ended->segment = pixviewi_segment_drop(one->segment) ? one->segment : NULL;
    one->source = NULL;
    one->segment = NULL;
    atomic_store(&shared_at(entry)->watched, 0);
    pixviewi_share_notify();
    return true;
}

void pixviewi_ended_finish(pixviewi_ended *ended)
{
    pixview_owner_unref(ended->source);
    if (ended->segment)
        pixviewi_segment_end_take(ended->segment);
    *ended = (pixviewi_ended){0};
}

void pixviewi_own_watch(int entry)
{
    if (own[entry].listed)
        return;
    own[entry].listed = true;
    own[entry].next = waiting;
    waiting = entry;
    atomic_store(&shared_at(entry)->watched, 1); // before anybody looks at its holders again
}

void pixviewi_own_drop_handle(int entry, pixviewi_ended *ended)
{
    pixviewi_own *one = &own[entry];
    assert(one->handles > 0 && one->segment);
    if (--one->handles > 0)
        return;
    if (one->pool) { // whoever wants a frame looks
        pixviewi_share_notify();
        return;
    }
    pixviewi_own_watch(entry);
    if (pixviewi_own_settle(entry, pixviewi_now(), ended))
        pixviewi_process_wake(); // which takes it off the list
    else if (atomic_load(&shared_at(entry)->expires) != 0)
        pixviewi_process_wake(); // to know when
}

// One that is over, off the list; NONE: no other. *until: when to come again.
static int settle_next(int64_t now, int64_t *until, pixviewi_ended *ended)
{
    *until = PIXVIEWI_NEVER;
    for (int *link = &waiting; *link != NONE; link = &own[*link].next) {
        int entry = *link;
        if (pixviewi_own_settle(entry, now, ended)) {
            *link = own[entry].next;
            own[entry].listed = false;
            pixviewi_own_give_back(entry);
            return entry;
        }
        int64_t expiry = pixviewi_own_expiry(entry);
        *until = expiry < *until ? expiry : *until;
    }
    return NONE;
}

int64_t pixviewi_entries_settle(void)
{
    int64_t until;
    int entry;
    do {
        pixviewi_ended ended = {0};
        pixviewi_share_lock();
        entry = settle_next(pixviewi_now(), &until, &ended);
        if (entry == NONE)
            pixviewi_share_notify(); // somebody may wait for a frame that an opener gave back
        pixviewi_share_unlock();
        pixviewi_ended_finish(&ended);
    } while (entry != NONE);
    return until;
}
