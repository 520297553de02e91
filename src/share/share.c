// SPDX-License-Identifier: Apache-2.0
// pixview_share_create and _send: an image that other processes may open.
#include "share/share.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda/shared.h"
#include "descriptor/overlap.h"
#include "descriptor/owner.h"
#include "share/entries.h"
#include "share/handle.h"
#include "share/hold.h"
#include "share/pool.h"
#include "share/process.h"
#include "share/remote.h"
#include "share/thread.h"

struct pixview_share {
    pixviewi_handle handle; // but for the ticket
    pixviewi_hold hold;     // entry -1: an empty image
    int64_t keep;
};

// ---- What is shared ----------------------------------------------------------------------------------

// An image, where its bytes are, and what the caller wants.
typedef struct share_wish {
    const pixview_image *image;
    pixviewi_range range;
    int device; // -1: host
    int copy;
    pixview_layout layout;
} share_wish;

static bool is_ours_to_copy(const share_wish *wish)
{
    return wish->copy == 1 || (wish->copy == -1 && wish->device < 0);
}

// A new entry for an image in that segment, whose count is taken. -1 with the error.
static int new_entry_take(pixviewi_segment *segment, const share_wish *wish, pixview_error *err)
{
    pixviewi_ended ended = {0};
    pixviewi_share_lock();
    int entry = pixviewi_own_take();
    if (entry >= 0) {
        pixviewi_own *own = pixviewi_own_at(entry);
        own->segment = segment;
        own->source = wish->image->owner;
        own->handles = 1;
        pixviewi_own_renew(entry);
        pixview_owner_ref(own->source);
    } else {
        ended.segment = pixviewi_segment_drop(segment) ? segment : NULL;
        pixviewi_fail(err, PIXVIEW_E_SHARE,
                      "%d images are shared already, which is the limit; are their handles opened "
                      "and closed?",
                      PIXVIEWI_ENTRIES);
    }
    pixviewi_share_unlock();
    pixviewi_ended_finish(&ended);
    return entry;
}

// Under the lock: the frame of a pool that has these bytes, held once more. -1: they are no part of one frame.
static int hold_frame(const pixviewi_segment *segment, const share_wish *wish)
{
    int64_t low = (int64_t)(wish->range.low - (uintptr_t)segment->base);
    int64_t last = (int64_t)(wish->range.beyond - 1 - (uintptr_t)segment->base);
    if (low / segment->frame_size != last / segment->frame_size)
        return -1; // of two
    int entry = segment->entries[low / segment->frame_size];
    if (pixviewi_own_at(entry)->handles == 0)
        return -1; // an address of memory that nobody holds
    pixviewi_own_at(entry)->handles++;
    return entry;
}

// hold->entry is -1 if the memory is none that is shared already. What another process shared is sent on as its: that
// one gives it back only when the last receiver lets go, whatever becomes of this process.
static pixview_status share_known(const share_wish *wish, pixviewi_hold *hold, pixview_error *err)
{
    const void *low = (const void *)wish->range.low, *beyond = (const void *)wish->range.beyond;
    pixviewi_share_lock();
    pixviewi_segment *segment = pixviewi_segment_find(low, beyond, wish->device, 0);
    bool of_pool = segment && segment->entries;
    if (of_pool)
        hold->entry = hold_frame(segment, wish);
    else if (!segment)
        hold->mapping = pixviewi_remote_hold_part(low, beyond, wish->device, &hold->entry);
    pixviewi_share_unlock();
    if (of_pool && hold->entry < 0)
        return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                             "the image is no part of one frame that its pixview.Pool has given");
    return PIXVIEW_OK;
}

// What cudaMalloc gave to somebody.
static pixview_status share_allocation(const share_wish *wish, int *entry, pixview_error *err)
{
    pixviewi_allocation found;
    pixview_status status =
        wish->image->device.type == PIXVIEW_DEVICE_CUDA_MANAGED
            ? pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                            "managed memory cannot be shared with another process; pass copy=True, "
                            "or copy the image into a pixview.Pool")
            : pixviewi_cuda_find_allocation(wish->device, wish->image->data, true, &found, err);
    if (status != PIXVIEW_OK)
        return status;
    pixviewi_share_lock();
    pixviewi_segment *segment = pixviewi_segment_find(
        (void *)wish->range.low, (void *)wish->range.beyond, wish->device, found.id);
    if (segment)
        segment->count++;
    pixviewi_share_unlock();
    if (!segment) {
        pixviewi_segment like = {.kind = PIXVIEWI_SEGMENT_IPC,
                                 .base = found.base,
                                 .size = found.size,
                                 .device = wish->device,
                                 .fd = -1,
                                 .handle = found.handle,
                                 .allocation = found.id};
        status = pixviewi_cuda_uuid(wish->device, like.uuid, err);
        if (status == PIXVIEW_OK)
            status = pixviewi_segment_over(&like, &segment, err);
        if (status != PIXVIEW_OK)
            return status;
    }
    *entry = new_entry_take(segment, wish, err);
    return *entry < 0 ? PIXVIEW_E_SHARE : PIXVIEW_OK;
}

// ---- The handle ----------------------------------------------------------------------------------------

static pixview_status note_work(const share_wish *wish, const pixviewi_hold *hold,
                                pixviewi_handle *handle, pixview_error *err)
{
    bool waited = true;
    if (wish->device < 0)
        return PIXVIEW_OK;
    pixviewi_own_lock_events();
    pixviewi_shared_event *event = hold->mapping ? pixviewi_remote_note(hold->mapping, hold->entry)
                                                 : &pixviewi_own_at(hold->entry)->event;
    pixview_status status =
        event ? pixviewi_cuda_record_shared(wish->device, wish->image->stream, event, &waited, err)
              : pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for an event");
    if (status == PIXVIEW_OK && !waited) {
        handle->has_event = 1;
        handle->event = event->handle;
    }
    pixviewi_own_unlock_events();
    return status;
}

static void fill_handle(const pixviewi_process *process, const share_wish *wish,
                        const pixviewi_hold *hold, pixviewi_handle *handle)
{
    const pixview_image *image = wish->image;
    memcpy(handle->process, process->key, sizeof handle->process);
    handle->boot = process->boot;
    handle->pid = getpid();
    handle->ticket = PIXVIEWI_NO_TICKET;
    handle->layout = (uint8_t)wish->layout;
    handle->dtype = image->dtype;
    handle->flags = (uint8_t)image->flags;
    handle->kind = wish->device < 0 ? PIXVIEWI_SEGMENT_HOST : PIXVIEWI_SEGMENT_FD;
    memcpy(handle->shape, image->shape, sizeof handle->shape);
    memcpy(handle->strides, image->strides, sizeof handle->strides);
    if (hold->entry < 0)
        return;
    const pixviewi_own *own = hold->mapping ? NULL : pixviewi_own_at(hold->entry);
    const void *base = own ? own->segment->base : hold->mapping->base;
    handle->entry = (uint32_t)hold->entry;
    handle->offset = (int64_t)((uintptr_t)image->data - (uintptr_t)base);
    pixviewi_share_lock();
    if (own) {
        handle->generation = own->generation;
        handle->kind = (uint8_t)own->segment->kind;
        handle->slot = own->segment->slot;
        handle->segment = own->segment->id;
        handle->segment_size = own->segment->size;
        memcpy(handle->uuid, own->segment->uuid, sizeof handle->uuid);
    } else {
        pixviewi_remote_describe(hold->mapping, hold->entry, handle);
    }
    pixviewi_share_unlock();
}

static pixview_status make(const pixviewi_process *process, const share_wish *wish,
                           const pixviewi_hold *hold, pixview_share **out, pixview_error *err)
{
    pixview_share *share = calloc(1, sizeof *share);
    pixview_status status = PIXVIEW_OK;
    if (!share)
        status = pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory to share an image");
    else if (hold->entry >= 0)
        status = note_work(wish, hold, &share->handle, err);
    if (status != PIXVIEW_OK) {
        free(share);
        if (hold->entry >= 0)
            pixviewi_hold_give_back(hold);
        return status;
    }
    fill_handle(process, wish, hold, &share->handle);
    share->hold = *hold;
    *out = share;
    return PIXVIEW_OK;
}

// ---- Creating --------------------------------------------------------------------------------------------

static pixview_status share_memory(const pixviewi_process *process, const share_wish *what,
                                   pixview_share **out, pixview_error *err);

static pixview_status share_copy(const pixviewi_process *process, const share_wish *what,
                                 pixview_share **out, pixview_error *err)
{
    pixview_image copy;
    const pixview_image *image = what->image;
    pixview_status status = pixviewi_pool_copy_alone(image, what->layout, &copy, err);
    if (status != PIXVIEW_OK)
        return status;
    copy.flags = image->flags;
    share_wish again = *what;
    again.image = &copy;
    again.range = pixviewi_image_range(&copy);
    again.copy = 0;
    status = share_memory(process, &again, out, err);
    pixview_owner_unref(copy.owner);
    return status;
}

static pixview_status share_memory(const pixviewi_process *process, const share_wish *what,
                                   pixview_share **out, pixview_error *err)
{
    pixviewi_hold hold = {pixviewi_process_epoch(), -1, NULL};
    pixview_status status = share_known(what, &hold, err);
    if (status == PIXVIEW_E_UNSUPPORTED && is_ours_to_copy(what))
        return share_copy(process, what, out, err);
    if (status != PIXVIEW_OK)
        return status;
    if (hold.entry < 0 && what->device >= 0) {
        status = share_allocation(what, &hold.entry, err);
        if (status == PIXVIEW_E_UNSUPPORTED && is_ours_to_copy(what))
            return share_copy(process, what, out, err);
        if (status != PIXVIEW_OK)
            return status;
    } else if (hold.entry < 0) {
        if (is_ours_to_copy(what))
            return share_copy(process, what, out, err);
        return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                             "host memory is shared as it is only in a frame of a pixview.Pool; "
                             "allow a copy, or get the frame from a pool");
    }
    return make(process, what, &hold, out, err);
}

static pixview_status check(const pixview_image *image, const pixview_share_params *params,
                            pixview_share **out, pixview_error *err)
{
    if (out)
        *out = NULL;
    if (!image || !out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "%s is NULL", image ? "out" : "image");
    if (params->struct_size != sizeof *params)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "params.struct_size is %zu, not %zu",
                             params->struct_size, sizeof *params);
    if (!(params->keep >= 0) || params->copy < -1 || params->copy > 1 ||
        params->layout < PIXVIEW_LAYOUT_NONE || params->layout > PIXVIEW_LAYOUT_NHWC)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "keep has to be 0 or more seconds, copy -1, 0 or 1, layout one of its "
                             "enum");
    return pixview_image_validate(image, err);
}

pixview_status pixview_share_create(const pixview_image *image, const pixview_share_params *params,
                                    pixview_share **out, pixview_error *err)
{
    const pixview_share_params defaults = {.struct_size = sizeof defaults, .copy = -1};
    const pixviewi_process *process;
    params = params ? params : &defaults;
    pixview_status status = check(image, params, out, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_process_start(&process, err);
    if (status != PIXVIEW_OK)
        return status;
    pixviewi_poll_deferred_owners();
    bool host = pixview_image_on_host(image);
    share_wish what = {.image = image,
                       .range = pixviewi_image_range(image),
                       .device = host ? -1 : image->device.id,
                       .copy = params->copy,
                       .layout = params->layout ? params->layout : PIXVIEW_LAYOUT_NHWC};
    if (pixview_image_is_empty(image)) {
        status =
            make(process, &what, &(pixviewi_hold){pixviewi_process_epoch(), -1, NULL}, out, err);
        if (status == PIXVIEW_OK && !host)
            status = pixviewi_cuda_uuid(what.device, (*out)->handle.uuid, err);
        if (status != PIXVIEW_OK) {
            free(*out);
            *out = NULL;
        }
    } else {
        status = share_memory(process, &what, out, err);
    }
    if (status == PIXVIEW_OK) {
        double seconds = params->keep > 0 ? params->keep : 60;
        (*out)->keep = seconds < 1e9 ? (int64_t)(seconds * 1e9) : PIXVIEWI_NEVER;
    }
    return status;
}

// ---- Sending -----------------------------------------------------------------------------------------------

void pixviewi_share_peek(const pixview_share *share, uint8_t bytes[PIXVIEW_HANDLE_BYTES])
{
    pixviewi_handle handle = share->handle;
    pixviewi_handle_seal(&handle, bytes);
}

static pixviewi_entry *entry_of(const pixviewi_hold *hold)
{
    return hold->mapping ? pixviewi_remote_entry(hold->mapping, hold->entry)
                         : &pixviewi_process_started()->ledger->entries[hold->entry];
}

pixview_status pixview_share_send(pixview_share *share, uint8_t bytes[PIXVIEW_HANDLE_BYTES],
                                  pixview_error *err)
{
    if (!share || !bytes)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "%s is NULL", share ? "handle" : "share");
    if (share->hold.epoch != pixviewi_process_epoch())
        return pixviewi_fail(err, PIXVIEW_E_SHARE,
                             "the image was shared before the fork: open it here, and share that");
    pixviewi_handle handle = share->handle;
    int64_t now = pixviewi_now();
    int64_t expires = share->keep < PIXVIEWI_NEVER - now ? now + share->keep : PIXVIEWI_NEVER;
    if (share->hold.entry >= 0)
        handle.ticket = pixviewi_entry_send(entry_of(&share->hold), expires);
    pixviewi_handle_seal(&handle, bytes);
    return PIXVIEW_OK;
}

int pixviewi_share_unopened(const pixview_share *share)
{
    if (share->hold.epoch != pixviewi_process_epoch() || share->hold.entry < 0)
        return 0;
    return __builtin_popcountll(atomic_load(&entry_of(&share->hold)->tickets));
}

void pixview_share_release(pixview_share *share)
{
    if (!share)
        return;
    if (share->hold.entry >= 0)
        pixviewi_hold_give_back(&share->hold);
    free(share);
}
