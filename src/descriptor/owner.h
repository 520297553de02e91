// SPDX-License-Identifier: Apache-2.0
// Owners: one counted block for each source, freed by whichever thread drops the last count.
//
// A block holds 80 bytes of whatever has to be released, a list of stream dependencies that end before
// the release, and room for one DLPack struct, so that a view costs a single allocation. Its struct is
// private to owner.c.
#ifndef PIXVIEWI_OWNER_H
#define PIXVIEWI_OWNER_H

#include <stdatomic.h>

#include "descriptor/base.h"
#include "pixview/pixview.h"

// Bytes that an owner holds: an OpenCV header, its GPU and the number of that GPU's context.
enum { PIXVIEWI_OWNER_HELD = 80 };

// A new owner with a count of one; NULL when out of memory. `release` drops what is held, whose first 8
// bytes are 0 and the rest anything.
pixview_owner *pixviewi_owner_new(void (*release)(pixview_owner *self));

// What is held: PIXVIEWI_OWNER_HELD bytes, aligned to 8, for the owner's maker and its release.
void *pixviewi_owner_held(const pixview_owner *owner);
// The same if the owner's release is that one, else NULL.
void *pixviewi_owner_held_by(const pixview_owner *owner, void (*release)(pixview_owner *self));

// Before a second count is given away.
void pixviewi_owner_set_release(pixview_owner *owner, void (*release)(pixview_owner *self));

// The release calls pixviewi_owner_free itself, perhaps later: what is held stays until then.
void pixviewi_owner_freed_by_release(pixview_owner *owner);
// Frees the block and its stream dependencies, not what is held.
void pixviewi_owner_free(pixview_owner *owner);

int64_t pixviewi_owner_count(const pixview_owner *owner);

// A count that a framework keeps by itself (OpenCV: of its headers over this memory), 0 at first. It
// stands in the owner, because a header holds nothing but the address of such a count.
int *pixviewi_owner_export_count(pixview_owner *owner);
pixview_owner *pixviewi_owner_of_export_count(int *count);

// ---- Nested owners ----------------------------------------------------------------------------

// An owner that holds `parent` (counted up), for dependencies that end with one view of it.
pixview_owner *pixviewi_owner_nested(pixview_owner *parent);
// What the last of a chain of nested owners holds; the owner itself if it is not nested.
pixview_owner *pixviewi_owner_root(pixview_owner *owner);

// ---- Streams ----------------------------------------------------------------------------------

// The stream that the memory belongs to; legacy at first.
pixview_stream pixviewi_owner_alloc_stream(const pixview_owner *owner);
void pixviewi_owner_set_alloc_stream(pixview_owner *owner, pixview_stream stream);

// What has to end before the owner's release, so that the memory does not return to its pool, and the
// source is not written again, too early:
//   event            the GPU still reads the memory until it has passed; nobody waits for that
//   consumer, home   a stream that works on the memory, and the one that waits for it
//   consumer = home  the memory is given back to that stream, which may not be capturing then
typedef struct pixviewi_stream_dep {
    // Ends it. False: not now, a capture is in the way or the event has not passed. NULL: nothing to end.
    bool (*end)(struct pixviewi_stream_dep *self);
    pixview_stream consumer, home;
    struct pixviewi_event *event;
    uint64_t context; // number of the device's context; 0: unknown
    uint64_t capture; // the capture that both streams were in when this was noted; 0: none
    int device;
    bool ended;
    void *keepalive; // what keeps the two streams alive, given to drop_keepalive; may be NULL
    void (*drop_keepalive)(void *keepalive);
    struct pixviewi_stream_dep *next;
} pixviewi_stream_dep;

// Copies `dep` into the list; its keepalive is taken. False, and nothing is taken: out of memory. Whoever
// holds a count may call it. Dependencies with an end are made by pixviewi_cuda_add_dep_take.
bool pixviewi_owner_add_dep_take(pixview_owner *owner, const pixviewi_stream_dep *dep);
// A keepalive without anything to end.
bool pixviewi_owner_keep_take(pixview_owner *owner, void *keepalive, void (*drop)(void *keepalive));
// The newest dependency, from which `next` leads to the others; NULL: there is none.
const pixviewi_stream_dep *pixviewi_owner_deps(const pixview_owner *owner);

// ---- Owners that cannot release yet -----------------------------------------------------------

// An owner with a dependency that cannot end now waits in a queue. This tries again; every conversion and
// every pixview_copy begins with it. `all`: each of them once, instead of giving up after a few.
void pixviewi_drain_deferred_owners(bool all);
extern atomic_int pixviewi_deferred_owners; // how many there are
// In the child of a fork: what another thread was at is left alone, and the queue begins anew.
void pixviewi_owners_after_fork(void);
// Called on whatever thread when there is one more. It takes no lock.
void pixviewi_owner_on_defer(void (*call)(void));
static inline void pixviewi_poll_deferred_owners(void)
{
    if (atomic_load_explicit(&pixviewi_deferred_owners, memory_order_relaxed) > 0)
        pixviewi_drain_deferred_owners(false);
}

// Gives up a count where neither the driver nor a lock may be touched: if it is the last one, the owner waits in
// that queue even if it could release. It has a dependency and is not nested.
void pixviewi_owner_defer_take(pixview_owner *owner);

// The interpreter, or the process, is going down: releases free plain memory only. Set from atexit.
void pixviewi_set_exiting(void);
bool pixviewi_exiting(void);

// ---- The DLPack struct ------------------------------------------------------------------------

// Lends the embedded struct, until it is returned; NULL while it is lent already. `alone`: the caller has
// the owner's only count, so that nobody else can ask.
struct pixviewi_dlpack *pixviewi_owner_lend_dlpack(pixview_owner *owner, bool alone);
void pixviewi_owner_return_dlpack(pixview_owner *owner);

#endif
