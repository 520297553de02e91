// SPDX-License-Identifier: Apache-2.0
// Pools: frames of one kind in one segment, each an entry of the ledger for as long as the pool lives.
#include "share/pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor/owner.h"
#include "descriptor/status.h"
#include "share/entries.h"
#include "share/hold.h"
#include "share/process.h"
#include "share/thread.h"

enum { MOST_FRAMES = 1024, ALIGNMENT = 512 };

struct pixview_pool {
    pixviewi_segment *segment; // counted
    unsigned epoch;
    int frames, next;    // next: where the search begins
    pixview_image first; // of frame 0
};

// ---- Making ---------------------------------------------------------------------------------------------

static pixview_status describe(const pixview_pool_params *params, pixview_image *out,
                               pixview_error *err)
{
    // Any aligned address: the memory comes when it is known to be right.
    void *somewhere = (void *)(uintptr_t)ALIGNMENT;
    if (params->frames < 1 || params->frames > MOST_FRAMES)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "frames is %d; a pool has 1 to %d",
                             params->frames, MOST_FRAMES);
    if (params->device.type != PIXVIEW_DEVICE_CPU && params->device.type != PIXVIEW_DEVICE_CUDA)
        return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                             "device type %d: a pool is in host memory or on a GPU",
                             params->device.type);
    pixview_status status =
        pixview_image_init(out, somewhere, pixview_layout_rank(params->layout), params->shape, NULL,
                           params->dtype, params->device, params->layout, err);
    if (status == PIXVIEW_OK && pixview_image_is_empty(out))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "a frame without pixels needs no pool");
    return status;
}

// The frames' entries, which nobody else gets. Under the lock. False: there are not as many.
static bool take_entries(pixview_pool *pool, int *entries)
{
    for (int i = 0; i < pool->frames; i++) {
        entries[i] = pixviewi_own_take();
        if (entries[i] < 0) {
            while (i > 0)
                pixviewi_own_give_back(entries[--i]);
            return false;
        }
        pixviewi_own_at(entries[i])->pool = pool;
    }
    return true;
}

static pixview_status make_frames(pixview_pool *pool, const pixview_pool_params *params,
                                  pixview_error *err)
{
    int64_t size = (pixview_image_nbytes(&pool->first) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > INT64_MAX / 2 / params->frames)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "%d frames of %lld bytes are too many",
                             params->frames, (long long)size);
    int *entries = malloc((size_t)params->frames * sizeof *entries);
    if (!entries)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for %d frames", params->frames);
    pixview_status status =
        pixviewi_segment_new(params->device, size * params->frames, &pool->segment, err);
    if (status != PIXVIEW_OK) {
        free(entries);
        return status;
    }
    pool->first.data = pool->segment->base;
    pool->frames = params->frames;
    pool->segment->frame_size = size;
    pixviewi_share_lock();
    bool taken = take_entries(pool, entries);
    if (taken)
        pool->segment->entries = entries;
    bool last = !taken && pixviewi_segment_drop(pool->segment);
    pixviewi_share_unlock();
    if (taken)
        return PIXVIEW_OK;
    free(entries);
    if (last)
        pixviewi_segment_end_take(pool->segment);
    return pixviewi_fail(err, PIXVIEW_E_SHARE,
                         "%d more frames are too many: a process shares %d images at once",
                         params->frames, PIXVIEWI_ENTRIES);
}

pixview_status pixview_pool_create(const pixview_pool_params *params, pixview_pool **out,
                                   pixview_error *err)
{
    const pixviewi_process *process;
    if (out)
        *out = NULL;
    if (!params || !out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "%s is NULL", params ? "out" : "params");
    if (params->struct_size != sizeof *params)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "params.struct_size is %zu, not %zu",
                             params->struct_size, sizeof *params);
    pixview_image first;
    pixview_status status = describe(params, &first, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_process_start(&process, err);
    if (status != PIXVIEW_OK)
        return status;
    pixview_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for a pool");
    pool->first = first;
    pool->epoch = pixviewi_process_epoch();
    status = make_frames(pool, params, err);
    if (status == PIXVIEW_OK)
        *out = pool;
    else
        free(pool);
    return status;
}

void pixview_pool_release(pixview_pool *pool)
{
    if (!pool)
        return;
    bool last = false;
    pixviewi_ended ended = {0}; // nothing: see take_frame
    if (pool->epoch == pixviewi_process_epoch() && !pixviewi_exiting()) {
        pixviewi_share_lock();
        int64_t now = pixviewi_now();
        for (int i = 0; i < pool->frames; i++) {
            int entry = pool->segment->entries[i];
            pixviewi_own *own = pixviewi_own_at(entry);
            own->pool = NULL;
            if (own->handles > 0)
                continue;
            if (pixviewi_own_settle(entry, now, &ended))
                pixviewi_own_give_back(entry);
            else
                pixviewi_own_watch(entry);
        }
        last = pixviewi_segment_drop(pool->segment);
        pixviewi_share_unlock();
        if (last)
            pixviewi_segment_end_take(pool->segment);
        pixviewi_process_wake();
    }
    free(pool);
}

// ---- Frames ---------------------------------------------------------------------------------------------

// Under the lock. Its index; -1: none is free, and *until says when time alone may free one.
static int take_frame(pixview_pool *pool, int64_t now, int64_t *until)
{
    *until = PIXVIEWI_NEVER;
    for (int i = 0; i < pool->frames; i++) {
        int index = (pool->next + i) % pool->frames, entry = pool->segment->entries[index];
        pixviewi_ended ended = {
            0}; // nothing: a frame has no source, and the pool counts the segment
        if (pixviewi_own_at(entry)->handles == 0 && pixviewi_own_settle(entry, now, &ended)) {
            pool->next = index + 1;
            return index;
        }
        int64_t expiry = pixviewi_own_expiry(entry);
        *until = expiry < *until ? expiry : *until;
    }
    return -1;
}

static void open_frame(pixview_pool *pool, int entry)
{
    pixviewi_own *own = pixviewi_own_at(entry);
    own->segment = pool->segment;
    own->segment->count++;
    own->handles = 1;
    pixviewi_own_renew(entry);
}

// -1: the time is over.
static int wait_for_frame(pixview_pool *pool, double timeout)
{
    _Atomic uint32_t *waiting = &pixviewi_process_started()->ledger->waiting;
    bool forever = timeout < 0 || timeout > 1e9, counted = false;
    int64_t now = pixviewi_now();
    int64_t deadline = forever ? PIXVIEWI_NEVER : now + (int64_t)(timeout * 1e9), until;
    int index;
    while ((index = take_frame(pool, now, &until)) < 0 && now < deadline) {
        // Who lets go from now on wakes us; who did before was not seen, so look again.
        if (!counted)
            atomic_fetch_add(waiting, 1);
        else
            pixviewi_share_wait(until < deadline ? until : deadline);
        counted = true;
        now = pixviewi_now();
    }
    if (counted)
        atomic_fetch_sub(waiting, 1);
    return index;
}

pixview_status pixview_pool_get(pixview_pool *pool, double timeout, pixview_stream stream,
                                pixview_image *out, pixview_error *err)
{
    if (!pool || !out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "%s is NULL", pool ? "out" : "pool");
    if (isnan(timeout))
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "timeout is no number");
    if (pool->epoch != pixviewi_process_epoch())
        return pixviewi_fail(
            err, PIXVIEW_E_SHARE,
            "the pool was made before the fork, and is the parent's: make one here");
    pixviewi_poll_deferred_owners();
    pixviewi_share_lock();
    int index = wait_for_frame(pool, timeout), entry = -1;
    if (index >= 0) {
        entry = pool->segment->entries[index];
        open_frame(pool, entry);
    }
    pixviewi_share_unlock();
    if (index < 0)
        return pixviewi_fail(err, PIXVIEW_E_TIMEOUT,
                             "none of the pool's %d frames became free in time; are images of them "
                             "kept, or shares that nobody opens?",
                             pool->frames);
    pixview_image image = pool->first;
    image.data = (char *)image.data + index * pool->segment->frame_size;
    image.stream = pixview_image_on_host(&image) ? PIXVIEW_STREAM_LEGACY : stream;
    pixviewi_hold hold = {pool->epoch, entry, NULL};
    pixview_status status = pixviewi_hold_image_take(&image, &hold, err);
    if (status == PIXVIEW_OK)
        *out = image;
    else
        pixviewi_hold_give_back(&hold);
    return status;
}

int32_t pixview_pool_idle(pixview_pool *pool)
{
    int32_t idle = 0;
    pixviewi_ended ended = {0};
    if (!pool || pool->epoch != pixviewi_process_epoch())
        return 0;
    pixviewi_poll_deferred_owners();
    pixviewi_share_lock();
    int64_t now = pixviewi_now();
    for (int i = 0; i < pool->frames; i++) {
        int entry = pool->segment->entries[i];
        idle += pixviewi_own_at(entry)->handles == 0 && pixviewi_own_settle(entry, now, &ended);
    }
    pixviewi_share_unlock();
    return idle;
}

// ---- A copy alone -----------------------------------------------------------------------------------------

pixview_status pixviewi_pool_copy_alone(const pixview_image *image, pixview_layout layout,
                                        pixview_image *out, pixview_error *err)
{
    int ndim;
    int64_t strides[4];
    pixview_pool *pool;
    bool host = pixview_image_on_host(image);
    pixview_pool_params params = {
        .struct_size = sizeof params,
        .frames = 1,
        .dtype = image->dtype,
        .device = {host ? PIXVIEW_DEVICE_CPU : PIXVIEW_DEVICE_CUDA, host ? 0 : image->device.id},
        .layout = layout,
    };
    // A caller who orders nothing cannot order what is queued here either.
    pixview_stream stream =
        image->stream == PIXVIEW_STREAM_NONE ? PIXVIEW_STREAM_LEGACY : image->stream;
    pixview_copy_params how = {.struct_size = sizeof how, .stream = stream};
    pixview_status status = pixview_image_axes(image, layout, &ndim, params.shape, strides, err);
    if (status == PIXVIEW_OK)
        status = pixview_pool_create(&params, &pool, err);
    if (status != PIXVIEW_OK)
        return status;
    status = pixview_pool_get(pool, 0, stream, out, err);
    pixview_pool_release(pool); // the frame keeps the memory
    if (status != PIXVIEW_OK)
        return status;
    status = pixview_copy(image, out, &how, err);
    if (status != PIXVIEW_OK) {
        pixview_owner_unref(out->owner);
        out->owner = NULL;
    }
    return status;
}
