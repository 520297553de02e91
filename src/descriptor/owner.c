// Counted owners: one block per source, freed by whichever thread drops the last count.
//
// The last drop is acquire-release, so that everything other threads did with the memory happens
// before the release callback. The block holds no lock and the callback may run anywhere. What cannot
// be released now, because it would disturb a graph capture, is queued and tried again later.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/cuda.h"
#include "descriptor/internal.h"

PIXVIEWI_HOT pixview_owner *pixviewi_owner_new(void (*release)(pixview_owner *self))
{
    pixview_owner *owner = malloc(sizeof *owner);
    if (PIXVIEWI_UNLIKELY(!owner))
        return NULL;
    atomic_init(&owner->count, 1);
    owner->gpumat_count = 0;
    owner->device = -1;
    owner->context = 0;
    owner->deps = NULL;
    owner->alloc_stream = PIXVIEW_STREAM_LEGACY;
    atomic_init(&owner->dlpack_in_use, false);
    owner->freed_by_release = false;
    owner->release = release;
    memset(&owner->held, 0, sizeof owner->held);
    return owner; // the slot is filled when it is taken
}

static void release_parent(pixview_owner *self) { pixview_owner_unref(self->held.pointers[0]); }

pixview_owner *pixviewi_owner_nested(pixview_owner *parent)
{
    pixview_owner *owner = pixviewi_owner_new(release_parent);
    if (!owner)
        return NULL;
    pixview_owner_ref(parent);
    owner->held.pointers[0] = parent;
    owner->alloc_stream = parent->alloc_stream;
    return owner;
}

pixview_owner *pixviewi_owner_parent(const pixview_owner *owner)
{
    return owner->release == release_parent ? owner->held.pointers[0] : NULL;
}

// ---- Uses on other streams ----------------------------------------------------------------------

static pixview_stream on_any_thread(pixview_stream stream)
{
    return stream == 2 ? PIXVIEW_STREAM_LEGACY : stream;
}

bool pixviewi_owner_add_dep(pixview_owner *owner, const pixviewi_stream_dep *dep)
{
    pixviewi_stream_dep *copy = malloc(sizeof *copy);
    if (!copy)
        return false;
    *copy = *dep;
    copy->consumer = on_any_thread(dep->consumer);
    copy->home = on_any_thread(dep->home);
    bool keeps_only = dep->consumer == PIXVIEW_STREAM_NONE && !dep->event;
    copy->context = keeps_only ? 0 : pixviewi_cuda_context(dep->device);
    copy->next = __atomic_load_n(&owner->deps, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&owner->deps, &copy->next, copy, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
    return true;
}

// False: one of them cannot be ended now.
static bool end_deps(pixview_owner *owner)
{
    bool all = true;
    for (pixviewi_stream_dep *dep = owner->deps; dep; dep = dep->next) {
        dep->ended = dep->ended || pixviewi_cuda_unusable() || pixviewi_cuda_end_dep(dep);
        all = all && dep->ended;
    }
    return all;
}

static void free_deps(pixviewi_stream_dep *dep)
{
    while (PIXVIEWI_UNLIKELY(dep != NULL)) {
        pixviewi_stream_dep *next = dep->next;
        if (dep->drop_keepalive)
            dep->drop_keepalive(dep->keepalive);
        free(dep);
        dep = next;
    }
}

// ---- Owners of the user: held.pointers = {ctx, release} ----------------------------------------

static void release_user(pixview_owner *self)
{
    void (*release)(void *) = (void (*)(void *))self->held.pointers[1];
    release(self->held.pointers[0]);
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
    owner->held.pointers[0] = ctx;
    owner->held.pointers[1] = (void *)release;
    *out = owner;
    return PIXVIEW_OK;
}

void pixview_owner_ref(pixview_owner *owner)
{
    if (owner)
        atomic_fetch_add_explicit(&owner->count, 1, memory_order_relaxed);
}

PIXVIEWI_HOT void pixviewi_owner_free(pixview_owner *owner)
{
    free_deps(owner->deps);
    free(owner);
}

static void release_and_free(pixview_owner *owner)
{
    bool freed = owner->freed_by_release;
    owner->release(owner);
    if (!freed)
        pixviewi_owner_free(owner);
}

// ---- What cannot be released now ------------------------------------------------------------------
//
// A stack without a lock, since deleters run anywhere; whoever tries again moves it into a queue, so
// that those that have to go on waiting do not keep the others from their turn.

atomic_int pixviewi_deferred_owners;
static _Atomic(pixview_owner *) incoming;
static pixview_owner *first, *last; // under the lock
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void postpone(pixview_owner *owner)
{
    atomic_fetch_add_explicit(&pixviewi_deferred_owners, 1, memory_order_relaxed);
    owner->next = atomic_load_explicit(&incoming, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&incoming, &owner->next, owner,
                                                  memory_order_release, memory_order_relaxed))
        ;
}

static void enqueue(pixview_owner *owner)
{
    owner->next = NULL;
    if (last)
        last->next = owner;
    else
        first = owner;
    last = owner;
}

static pixview_owner *dequeue(void)
{
    pixview_owner *owner = first;
    first = owner->next;
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
        pixview_owner *next = more->next;
        enqueue(more);
        more = next;
    }
    int count = atomic_load_explicit(&pixviewi_deferred_owners, memory_order_relaxed);
    for (int failed = 0; first && count > 0 && (all || failed < TRIES); count--) {
        pixview_owner *owner = dequeue();
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

PIXVIEWI_HOT void pixview_owner_unref(pixview_owner *owner)
{
    if (!owner)
        return;
    // Whoever has the only count needs no locked instruction to give it up.
    if (PIXVIEWI_UNLIKELY(atomic_load_explicit(&owner->count, memory_order_acquire) != 1) &&
        atomic_fetch_sub_explicit(&owner->count, 1, memory_order_acq_rel) != 1)
        return;
    if (PIXVIEWI_UNLIKELY(owner->deps != NULL) && !end_deps(owner))
        postpone(owner);
    else
        release_and_free(owner);
}
