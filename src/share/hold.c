// SPDX-License-Identifier: Apache-2.0
#include "share/hold.h"

#include <stdatomic.h>

#include "cuda/device.h"
#include "cuda/stream.h"
#include "descriptor/owner.h"
#include "descriptor/status.h"
#include "descriptor/stream.h"
#include "share/entries.h"
#include "share/process.h"
#include "share/remote.h"

static atomic_int pending, on_gpus; // given up, but for the work on them; not given up

pixviewi_waiting pixviewi_holds_waiting(void)
{
    if (atomic_load_explicit(&pending, memory_order_relaxed) > 0)
        return PIXVIEWI_WAITS_FOR_GPU;
    return atomic_load_explicit(&on_gpus, memory_order_relaxed) > 0 &&
                   atomic_load_explicit(&pixviewi_deferred_owners, memory_order_relaxed) > 0
               ? PIXVIEWI_WAITS_FOR_CAPTURE
               : PIXVIEWI_WAITS_FOR_NOTHING;
}

void pixviewi_hold_give_back(const pixviewi_hold *hold)
{
    if (hold->epoch != pixviewi_process_epoch() || pixviewi_exiting())
        return;
    if (hold->mapping) {
        pixviewi_mapping_let_go(hold->mapping, hold->entry);
        return;
    }
    pixviewi_ended ended = {0};
    pixviewi_share_lock();
    pixviewi_own_drop_handle(hold->entry, &ended);
    pixviewi_share_unlock();
    pixviewi_ended_finish(&ended);
}

static void release_hold(pixview_owner *self)
{
    pixviewi_hold_give_back(pixviewi_owner_held(self));
}

static void release_pending_hold(pixview_owner *self)
{
    release_hold(self);
    atomic_fetch_sub_explicit(&pending, 1, memory_order_relaxed);
}

// On a GPU a second owner stands before it, which waits for the stream.
typedef struct gpu_hold {
    pixview_owner *hold;
    pixview_stream stream;
    int device;
} gpu_hold;

static void release_after_work(pixview_owner *self)
{
    gpu_hold *gpu = pixviewi_owner_held(self);
    pixviewi_owner_set_release(gpu->hold, release_pending_hold);
    atomic_fetch_add_explicit(&pending, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&on_gpus, 1, memory_order_relaxed);
    if (gpu->stream != PIXVIEW_STREAM_NONE && !pixviewi_cuda_unusable())
        (void)!pixviewi_cuda_hold_until(gpu->device, gpu->stream, gpu->hold, NULL);
    pixview_owner_unref(gpu->hold);
    if (pixviewi_holds_waiting() == PIXVIEWI_WAITS_FOR_GPU)
        pixviewi_process_wake();
}

static pixview_status fail(pixview_error *err)
{
    return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for an owner");
}

pixview_status pixviewi_hold_image_take(pixview_image *image, const pixviewi_hold *hold,
                                        pixview_error *err)
{
    pixview_owner *owner = pixviewi_owner_new(release_hold);
    if (!owner)
        return fail(err);
    *(pixviewi_hold *)pixviewi_owner_held(owner) = *hold;
    if (pixview_image_on_host(image)) {
        image->owner = owner;
        return PIXVIEW_OK;
    }
    pixview_owner *gpu = pixviewi_owner_new(release_after_work);
    pixview_stream stream = image->stream == PIXVIEW_STREAM_NONE
                                ? PIXVIEW_STREAM_NONE
                                : pixviewi_stream_on_any_thread(image->stream);
    // The event is recorded at the release, when the stream may not be in a capture.
    pixviewi_stream_dep outside = {.consumer = stream, .home = stream, .device = image->device.id};
    if (gpu) {
        *(gpu_hold *)pixviewi_owner_held(gpu) = (gpu_hold){owner, stream, image->device.id};
        pixviewi_owner_set_alloc_stream(gpu, stream);
    }
    if (!gpu || !pixviewi_cuda_add_dep_take(gpu, &outside)) {
        if (gpu)
            pixviewi_owner_free(gpu);
        pixviewi_owner_free(owner);
        return fail(err);
    }
    atomic_fetch_add_explicit(&on_gpus, 1, memory_order_relaxed);
    image->owner = gpu;
    return PIXVIEW_OK;
}
