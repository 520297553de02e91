// SPDX-License-Identifier: Apache-2.0
// Counted owners: one block for each source, freed by whichever thread drops the last count.
//
// The last drop is acquire-release, so that everything other threads did with the memory happens
// before the release callback. The block holds no lock and the callback may run anywhere. What cannot
// be released now, because it would disturb a graph capture, is queued and tried again later.
#include "descriptor/owner.h"

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#include "descriptor/base.h"
#include "descriptor/dlpack.h"
#include "descriptor/owner_cache.h"

struct pixview_owner {
    atomic_llong count;
    void (*release)(pixview_owner *self);
    uint64_t held[PIXVIEWI_OWNER_HELD / 8];
    int export_count;
    bool freed_by_release;
    atomic_bool dlpack_in_use;
    pixview_stream alloc_stream;
    pixviewi_stream_dep *deps;    // added by whoever holds a count
    pixview_owner *next_deferred; // in the queue of those that cannot release yet
    pixviewi_dlpack dlpack;       // filled when it is lent
};

PIXVIEWI_HOT pixview_owner *pixviewi_owner_new(void (*release)(pixview_owner *self))
{
    pixview_owner *owner = pixviewi_owner_cache_take(sizeof *owner);
    if (!owner)
        return NULL;
    // Field by field: a memset takes gcc to `rep stos`, which costs 10 ns of a view's 180.
    atomic_init(&owner->count, 1);
    owner->release = release;
    owner->held[0] = 0;
    owner->export_count = 0;
    owner->freed_by_release = false;
    atomic_init(&owner->dlpack_in_use, false);
    owner->alloc_stream = PIXVIEW_STREAM_LEGACY;
    owner->deps = NULL;
    return owner;
}

// `const` is the owner's, which is no part of what it holds.
void *pixviewi_owner_held(const pixview_owner *owner) { return (void *)(uintptr_t)owner->held; }

void *pixviewi_owner_held_by(const pixview_owner *owner, void (*release)(pixview_owner *self))
{
    return owner->release == release ? pixviewi_owner_held(owner) : NULL;
}

void pixviewi_owner_set_release(pixview_owner *owner, void (*release)(pixview_owner *self))
{
    owner->release = release;
}

void pixviewi_owner_freed_by_release(pixview_owner *owner) { owner->freed_by_release = true; }

int64_t pixviewi_owner_count(const pixview_owner *owner)
{
    return atomic_load_explicit(&owner->count, memory_order_relaxed);
}

int *pixviewi_owner_export_count(pixview_owner *owner) { return &owner->export_count; }

pixview_owner *pixviewi_owner_of_export_count(int *count)
{
    return (pixview_owner *)((char *)count - offsetof(pixview_owner, export_count));
}

pixview_stream pixviewi_owner_alloc_stream(const pixview_owner *owner)
{
    return owner->alloc_stream;
}

void pixviewi_owner_set_alloc_stream(pixview_owner *owner, pixview_stream stream)
{
    owner->alloc_stream = stream;
}

struct pixviewi_dlpack *pixviewi_owner_lend_dlpack(pixview_owner *owner, bool alone)
{
    bool lent;
    if (alone && atomic_load_explicit(&owner->count, memory_order_acquire) == 1) {
        lent = atomic_load_explicit(&owner->dlpack_in_use, memory_order_relaxed);
        atomic_store_explicit(&owner->dlpack_in_use, true, memory_order_relaxed);
    } else {
        lent = atomic_exchange_explicit(&owner->dlpack_in_use, true, memory_order_acquire);
    }
    return lent ? NULL : &owner->dlpack;
}

void pixviewi_owner_return_dlpack(pixview_owner *owner)
{
    assert(atomic_load(&owner->dlpack_in_use));
    atomic_store_explicit(&owner->dlpack_in_use, false, memory_order_release);
}

// ---- Nested owners: held = {parent, root} -------------------------------------------------------

static void release_parent(pixview_owner *self) { pixview_owner_unref((void *)self->held[0]); }

pixview_owner *pixviewi_owner_nested(pixview_owner *parent)
{
    pixview_owner *owner = pixviewi_owner_new(release_parent);
    if (!owner)
        return NULL;
    pixview_owner_ref(parent);
    owner->held[0] = (uintptr_t)parent;
    owner->held[1] = (uintptr_t)pixviewi_owner_root(parent);
    owner->alloc_stream = parent->alloc_stream;
    return owner;
}

// A view of a view, and so on, has a chain of any length: it is neither walked nor recursed into.
pixview_owner *pixviewi_owner_root(pixview_owner *owner)
{
    return owner->release == release_parent ? (void *)owner->held[1] : owner;
}

// ---- Stream dependencies ------------------------------------------------------------------------

bool pixviewi_owner_add_dep_take(pixview_owner *owner, const pixviewi_stream_dep *dep)
{
    assert(pixviewi_owner_count(owner) > 0 && (dep->end || !dep->event) && !dep->ended);
    pixviewi_stream_dep *copy = malloc(sizeof *copy);
    if (!copy)
        return false;
    *copy = *dep;
    copy->next = __atomic_load_n(&owner->deps, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&owner->deps, &copy->next, copy, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
    return true;
}

bool pixviewi_owner_keep_take(pixview_owner *owner, void *keepalive, void (*drop)(void *keepalive))
{
    pixviewi_stream_dep kept = {.consumer = PIXVIEW_STREAM_NONE,
                                .home = PIXVIEW_STREAM_NONE,
                                .keepalive = keepalive,
                                .drop_keepalive = drop};
    return pixviewi_owner_add_dep_take(owner, &kept);
}

const pixviewi_stream_dep *pixviewi_owner_deps(const pixview_owner *owner)
{
    return __atomic_load_n(&owner->deps, __ATOMIC_ACQUIRE);
}

// False: one of them cannot end now.
static bool end_deps(pixview_owner *owner)
{
    bool all = true;
    for (pixviewi_stream_dep *dep = owner->deps; dep; dep = dep->next) {
        dep->ended = dep->ended || !dep->end || dep->end(dep);
        all = all && dep->ended;
    }
    return all;
}

static void free_deps(pixviewi_stream_dep *dep)
{
    while (dep) {
        pixviewi_stream_dep *next = dep->next;
        if (dep->drop_keepalive)
            dep->drop_keepalive(dep->keepalive);
        free(dep);
        dep = next;
    }
}

// ---- Owners of the user: held = {ctx, release} --------------------------------------------------

static void release_user(pixview_owner *self)
{
    void (*release)(void *) = (void (*)(void *))self->held[1];
    release((void *)self->held[0]);
}

pixview_status pixview_owner_create(void *ctx, void (*release)(void *ctx), pixview_owner **out,
                                    pixview_error *err)
{
    if (!out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "out is NULL");
    *out = NULL;
    if (!release)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "release is NULL; memory that nobody has to free needs no owner");
    pixview_owner *owner = pixviewi_owner_new(release_user);
    if (!owner)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for an owner of %zu bytes",
                             sizeof *owner);
    owner->held[0] = (uintptr_t)ctx;
    owner->held[1] = (uintptr_t)release;
    *out = owner;
    return PIXVIEW_OK;
}

// ---- Counting -----------------------------------------------------------------------------------

void pixview_owner_ref(pixview_owner *owner)
{
    if (!owner)
        return;
    long long before = atomic_fetch_add_explicit(&owner->count, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
}

PIXVIEWI_HOT void pixviewi_owner_free(pixview_owner *owner)
{
    assert(!atomic_load(&owner->dlpack_in_use));
    free_deps(owner->deps);
    pixviewi_owner_cache_give(owner, sizeof *owner);
}

static void release_and_free(pixview_owner *owner)
{
    bool freed = owner->freed_by_release;
    owner->release(owner);
    if (!freed)
        pixviewi_owner_free(owner);
}

static void defer(pixview_owner *owner);

// True: this was the last count, and what the owner holds can be released now.
static inline bool drop_count(pixview_owner *owner)
{
    // Whoever has the only count needs no locked instruction to give it up.
    long long count = atomic_load_explicit(&owner->count, memory_order_acquire);
    if (count != 1)
        count = atomic_fetch_sub_explicit(&owner->count, 1, memory_order_acq_rel);
    assert(count > 0);
    if (count != 1)
        return false;
    if (!owner->deps || end_deps(owner))
        return true;
    defer(owner);
    return false;
}

// What a nested owner keeps alive goes after its parent's release.
static void unref_nested(pixview_owner *owner)
{
    pixview_owner *nested = NULL;
    bool last = true;
    for (; last && owner->release == release_parent; last = drop_count(owner)) {
        owner->next_deferred = nested;
        nested = owner;
        owner = (void *)owner->held[0];
    }
    if (last)
        release_and_free(owner);
    while (nested) {
        pixview_owner *next = nested->next_deferred;
        pixviewi_owner_free(nested);
        nested = next;
    }
}

PIXVIEWI_HOT void pixview_owner_unref(pixview_owner *owner)
{
    if (!owner || !drop_count(owner))
        return;
    if (owner->release == release_parent)
        unref_nested(owner);
    else
        release_and_free(owner);
}

// ---- What cannot be released now ----------------------------------------------------------------
//
// A stack without a lock, since deleters run anywhere; whoever tries again moves it into a queue, so
// that those that have to go on waiting do not keep the others from their turn.

atomic_int pixviewi_deferred_owners;
static _Atomic(pixview_owner *) incoming;
static pixview_owner *first, *last; // under the lock
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void (*_Atomic on_defer)(void);
void pixviewi_owner_on_defer(void (*call)(void)) { atomic_store(&on_defer, call); }

static void defer(pixview_owner *owner)
{
    void (*call)(void) = atomic_load(&on_defer);
    atomic_fetch_add_explicit(&pixviewi_deferred_owners, 1, memory_order_relaxed);
    owner->next_deferred = atomic_load_explicit(&incoming, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&incoming, &owner->next_deferred, owner,
                                                  memory_order_release, memory_order_relaxed))
        ;
    if (call)
        call();
}

void pixviewi_owner_defer_take(pixview_owner *owner)
{
    assert(owner->deps && owner->release != release_parent);
    if (atomic_fetch_sub_explicit(&owner->count, 1, memory_order_acq_rel) == 1)
        defer(owner);
}

static void enqueue(pixview_owner *owner)
{
    owner->next_deferred = NULL;
    if (last)
        last->next_deferred = owner;
    else
        first = owner;
    last = owner;
}

static pixview_owner *dequeue(void)
{
    pixview_owner *owner = first;
    first = owner->next_deferred;
    if (!first)
        last = NULL;
    return owner;
}

void pixviewi_drain_deferred_owners(bool all)
{
    enum { TRIES = 8 }; // a long queue must not slow every conversion down
    if (pthread_mutex_trylock(&lock) != 0)
        return; // somebody is at it, perhaps this thread: a release may end in a conversion
    pixview_owner *more = atomic_exchange_explicit(&incoming, NULL, memory_order_acquire);
    while (more) {
        pixview_owner *next = more->next_deferred;
        enqueue(more);
        more = next;
    }
    int count = atomic_load_explicit(&pixviewi_deferred_owners, memory_order_relaxed);
    for (int failed = 0; first && count > 0 && (all || failed < TRIES); count--) {
        pixview_owner *owner = dequeue();
        assert(owner->deps);
        if (end_deps(owner)) {
            atomic_fetch_sub_explicit(&pixviewi_deferred_owners, 1, memory_order_relaxed);
            release_and_free(owner);
        } else {
            enqueue(owner);
            failed++;
        }
    }
    pthread_mutex_unlock(&lock);
}

void pixviewi_owners_after_fork(void)
{
    if (pthread_mutex_trylock(&lock) == 0) {
        pthread_mutex_unlock(&lock);
        return;
    }
    pthread_mutex_init(&lock, NULL); // whoever had it is not here
    atomic_store(&incoming, NULL);
    first = last = NULL;
    atomic_store(&pixviewi_deferred_owners, 0);
}

// ---- The end of the process ---------------------------------------------------------------------

static atomic_bool exiting;

void pixviewi_set_exiting(void) { atomic_store_explicit(&exiting, true, memory_order_relaxed); }

bool pixviewi_exiting(void) { return atomic_load_explicit(&exiting, memory_order_relaxed); }
