// Counted owners: one block per source, freed by whichever thread drops the last count.
//
// The last drop is acquire-release, so that everything other threads did with the memory happens
// before the release callback. The block holds no lock and the callback may run anywhere.
#include <stdlib.h>
#include <string.h>

#include "cuda/cuda.h"
#include "internal.h"

pixview_owner *pixviewi_owner_new(void (*release)(pixview_owner *self))
{
    pixview_owner *owner = malloc(sizeof *owner);
    if (!owner)
        return NULL;
    atomic_init(&owner->count, 1);
    owner->gpumat_count = 0;
    owner->device = -1;
    owner->uses = NULL;
    atomic_init(&owner->slot_taken, false);
    owner->release = release;
    memset(&owner->held, 0, sizeof owner->held);
    return owner; // the slot is filled when it is taken
}

static void release_parent(pixview_owner *self) { pixview_owner_unref(self->held.pointers[0]); }

pixview_owner *pixviewi_owner_wrap(pixview_owner *parent)
{
    pixview_owner *owner = pixviewi_owner_new(release_parent);
    if (!owner)
        return NULL;
    pixview_owner_ref(parent);
    owner->held.pointers[0] = parent;
    return owner;
}

// ---- Uses on other streams ----------------------------------------------------------------------

bool pixviewi_owner_add_use(pixview_owner *owner, int device, pixview_stream stream,
                            pixview_stream back, void *keep, void (*drop_keep)(void *keep))
{
    pixviewi_use *use = malloc(sizeof *use);
    if (!use)
        return false;
    if (stream == 2)
        stream = PIXVIEW_STREAM_LEGACY;
    if (back == 2)
        back = PIXVIEW_STREAM_LEGACY;
    *use = (pixviewi_use){stream, back, device, keep, drop_keep, owner->uses};
    owner->uses = use;
    return true;
}

// There is nobody to tell of an error, and nothing better to do than to go on.
static void end_uses(pixview_owner *owner)
{
    for (pixviewi_use *use = owner->uses; use && !pixviewi_cuda_gone(); use = use->next)
        (void)!pixviewi_cuda_order(use->device, use->stream, use->back, NULL);
}

static void free_uses(pixviewi_use *use)
{
    while (use) {
        pixviewi_use *next = use->next;
        if (use->drop_keep)
            use->drop_keep(use->keep);
        free(use);
        use = next;
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

void pixview_owner_unref(pixview_owner *owner)
{
    if (!owner || atomic_fetch_sub_explicit(&owner->count, 1, memory_order_acq_rel) != 1)
        return;
    if (PIXVIEWI_UNLIKELY(owner->uses != NULL))
        end_uses(owner);
    owner->release(owner);
    free_uses(owner->uses);
    free(owner);
}
