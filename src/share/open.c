// SPDX-License-Identifier: Apache-2.0
// pixview_share_open: a handle becomes an image.
#include <string.h>

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/shared.h"
#include "cuda/stream.h"
#include "descriptor/overlap.h"
#include "descriptor/owner.h"
#include "descriptor/stream.h"
#include "share/entries.h"
#include "share/handle.h"
#include "share/hold.h"
#include "share/process.h"
#include "share/remote.h"
#include "share/thread.h"

static const double LONGEST = 1e9; // SECONDS

// Where the memory is and who will read it, as this process numbers GPUs; -1: host.
typedef struct open_way {
    int device, reader;
    bool own;    // this process shared it
    bool copies; // `reader` cannot map it
    pixview_stream stream;
} open_way;

static bool is_own(const pixviewi_handle *handle)
{
    const pixviewi_process *process = pixviewi_process_started();
    return process && memcmp(process->key, handle->process, sizeof handle->process) == 0;
}

static pixview_status find_way(const pixviewi_handle *handle, int device, open_way *out,
                               pixview_error *err)
{
    *out = (open_way){.device = -1, .reader = -1, .own = is_own(handle)};
    uint64_t boot = pixviewi_process_boot();
    if (handle->boot && boot && handle->boot != boot && !out->own)
        return pixviewi_fail(err, PIXVIEW_E_SHARE,
                             "the image was shared on another host: send the pixels: by NCCL, or "
                             "pickle pixview.as_numpy(image, copy=True)");
    if (handle->kind == PIXVIEWI_SEGMENT_HOST)
        return PIXVIEW_OK;
    pixview_status status = pixviewi_cuda_find_uuid(handle->uuid, &out->device, err);
    if (status != PIXVIEW_OK)
        return status;
    int count = 0;
    status = pixviewi_cuda_device_count(&count, err);
    if (status == PIXVIEW_OK && device >= count)
        return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                             "GPU %d of %d does not exist; see CUDA_VISIBLE_DEVICES", device,
                             count);
    out->reader = device < 0 ? out->device : device;
    out->copies = out->reader != out->device &&
                  (out->own || !pixviewi_cuda_can_access(out->reader, out->device));
    return status;
}

// ---- Holding -----------------------------------------------------------------------------------------------

// A copy to another GPU is read on the one that has the memory.
static int waiting_gpu(const open_way *way) { return way->copies ? way->device : way->reader; }
static pixview_stream waiting_stream(const open_way *way)
{
    bool orders = way->stream != PIXVIEW_STREAM_NONE;
    return way->copies && orders ? PIXVIEWI_STREAM_CUDA_PER_THREAD : way->stream;
}

static pixview_status hold_own(const pixviewi_handle *handle, const open_way *way, void **base,
                               pixviewi_hold *hold, pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    pixviewi_share_lock();
    pixviewi_own *own = pixviewi_own_at((int)handle->entry);
    bool fits = own->segment && own->generation == handle->generation &&
                own->segment->id == handle->segment && own->segment->size == handle->segment_size &&
                (int)own->segment->kind == (int)handle->kind &&
                memcmp(own->segment->uuid, handle->uuid, sizeof handle->uuid) == 0;
    if (fits) {
        own->handles++;
        *base = own->segment->base;
    }
    pixviewi_share_unlock();
    if (!fits)
        return pixviewi_fail(err, PIXVIEW_E_SHARE,
                             "the shared image was let go of: nobody opened it in time, or all who "
                             "did have closed it; keep the Share for a later one");
    *hold = (pixviewi_hold){pixviewi_process_epoch(), (int)handle->entry, NULL};
    if (handle->kind != PIXVIEWI_SEGMENT_HOST && handle->has_event) {
        pixviewi_own_lock_events();
        status = pixviewi_cuda_wait_shared(waiting_gpu(way), waiting_stream(way), &own->event, err);
        pixviewi_own_unlock_events();
    }
    return status;
}

static pixview_status hold_other(const pixviewi_handle *handle, const open_way *way, double timeout,
                                 void **base, pixviewi_hold *hold, pixview_error *err)
{
    pixviewi_mapping *mapping = NULL;
    int mapped_by = way->copies ? way->device : way->reader;
    pixview_status status =
        pixviewi_remote_hold(handle, way->device, mapped_by, timeout, &mapping, err);
    if (status != PIXVIEW_OK)
        return status;
    *base = mapping->base;
    *hold = (pixviewi_hold){pixviewi_process_epoch(), (int)handle->entry, mapping};
    return way->reader < 0
               ? PIXVIEW_OK
               : pixviewi_remote_wait(mapping, handle, waiting_gpu(way), waiting_stream(way), err);
}

// After all that can fail, so that who fails still has what was sent to open or decline.
static void redeem(const pixviewi_handle *handle, const pixviewi_hold *hold)
{
    if (hold->mapping)
        pixviewi_remote_redeem(hold->mapping, handle);
    else if (handle->ticket != PIXVIEWI_NO_TICKET)
        atomic_fetch_and(&pixviewi_process_started()->ledger->entries[handle->entry].tickets,
                         ~((uint64_t)1 << handle->ticket));
}

// ---- To another GPU ------------------------------------------------------------------------------------------

// One copy of all bytes that the image spans, its strides kept. `held` is the image where it is.
static pixview_status copy_over(const pixview_image *held, const open_way *way, pixview_image *out,
                                pixview_error *err)
{
    pixviewi_range range = pixviewi_image_range(held);
    int64_t bytes = (int64_t)(range.beyond - range.low);
    void *data = NULL;
    pixview_owner *owner = NULL;
    pixview_status status =
        pixviewi_cuda_alloc(way->reader, bytes, way->stream, &data, &owner, err);
    if (status != PIXVIEW_OK)
        return status;
    status = pixviewi_cuda_copy_across(way->device, (const void *)range.low, way->reader, data,
                                       bytes, way->stream, err);
    if (status != PIXVIEW_OK) {
        pixview_owner_unref(owner);
        return status;
    }
    *out = *held;
    out->data = (char *)data + ((uintptr_t)held->data - range.low);
    out->device.id = way->reader;
    out->stream = way->stream;
    out->owner = owner;
    return PIXVIEW_OK;
}

static pixview_status finish_copy(const pixviewi_handle *handle, pixview_image *image,
                                  const pixviewi_hold *hold, const open_way *way,
                                  pixview_image *out, pixview_error *err)
{
    image->stream = PIXVIEW_STREAM_NONE; // the copy holds it, until it is done
    pixview_status status = pixviewi_hold_image_take(image, hold, err);
    if (status != PIXVIEW_OK) {
        pixviewi_hold_give_back(hold);
        return status;
    }
    status = copy_over(image, way, out, err);
    if (status == PIXVIEW_OK)
        redeem(handle, hold);
    pixview_owner_unref(image->owner);
    return status;
}

// ---- Opening -----------------------------------------------------------------------------------------------

static pixview_status open_memory(const pixviewi_handle *handle, const open_way *way,
                                  double timeout, pixview_image *out, pixview_error *err)
{
    void *base = NULL;
    pixviewi_hold hold = {.entry = -1};
    pixview_status status = way->own ? hold_own(handle, way, &base, &hold, err)
                                     : hold_other(handle, way, timeout, &base, &hold, err);
    if (status != PIXVIEW_OK) {
        if (hold.entry >= 0)
            pixviewi_hold_give_back(&hold);
        return status;
    }
    pixview_image image = pixviewi_handle_image(handle, base, way->reader);
    image.stream = way->stream;
    if (way->copies) {
        image.device.id = way->device;
        return finish_copy(handle, &image, &hold, way, out, err);
    }
    status = pixviewi_hold_image_take(&image, &hold, err);
    if (status != PIXVIEW_OK) {
        pixviewi_hold_give_back(&hold);
        return status;
    }
    redeem(handle, &hold);
    *out = image;
    return PIXVIEW_OK;
}

pixview_status pixview_share_open(const void *bytes, size_t size, const pixview_open_params *params,
                                  pixview_image *out, pixview_layout *layout, pixview_error *err)
{
    const pixview_open_params defaults = {.struct_size = sizeof defaults, .device = -1};
    pixviewi_handle handle;
    open_way way;
    params = params ? params : &defaults;
    if (!out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "out is NULL");
    if (params->struct_size != sizeof *params)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "params.struct_size is %zu, not %zu",
                             params->struct_size, sizeof *params);
    pixview_status status = pixviewi_handle_read(bytes, size, &handle, err);
    if (status == PIXVIEW_OK)
        status = find_way(&handle, params->device, &way, err);
    if (status != PIXVIEW_OK)
        return status;
    pixviewi_poll_deferred_owners();
    const pixviewi_process *process;
    status = pixviewi_process_start(&process, err);
    if (status != PIXVIEW_OK)
        return status;
    way.stream = params->stream;
    double timeout = params->timeout > 0 ? params->timeout : 10;
    timeout = timeout < LONGEST ? timeout : LONGEST;
    if (!handle.segment)
        *out = pixviewi_handle_image(&handle, NULL, way.reader);
    else
        status = open_memory(&handle, &way, timeout, out, err);
    if (status == PIXVIEW_OK && layout)
        *layout = (pixview_layout)handle.layout;
    return status;
}

static void decline_own(const pixviewi_handle *handle)
{
    pixviewi_share_lock();
    const pixviewi_own *own = pixviewi_own_at((int)handle->entry);
    if (own->segment && own->generation == handle->generation)
        atomic_fetch_and(&pixviewi_process_started()->ledger->entries[handle->entry].tickets,
                         ~((uint64_t)1 << handle->ticket));
    pixviewi_share_unlock();
    pixviewi_process_wake();
}

void pixview_share_decline(const void *bytes, size_t size)
{
    pixviewi_handle handle;
    uint64_t boot = pixviewi_process_boot();
    if (pixviewi_exiting() || pixviewi_handle_read(bytes, size, &handle, NULL) != PIXVIEW_OK ||
        !handle.segment || handle.ticket == PIXVIEWI_NO_TICKET ||
        (handle.boot && boot && handle.boot != boot))
        return;
    const pixviewi_process *process;
    if (is_own(&handle))
        decline_own(&handle);
    else if (pixviewi_process_start(&process, NULL) == PIXVIEW_OK)
        pixviewi_remote_decline(&handle);
}

pixview_status pixview_share_plan(const void *bytes, size_t size, int device,
                                  pixview_open_plan *out, pixview_error *err)
{
    pixviewi_handle handle;
    open_way way;
    if (!out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "out is NULL");
    pixview_status status = pixviewi_handle_read(bytes, size, &handle, err);
    if (status == PIXVIEW_OK)
        status = find_way(&handle, device, &way, err);
    if (status != PIXVIEW_OK)
        return status;
    *out = (pixview_open_plan){.copies = way.copies && handle.segment, .device = way.reader};
    pixview_error why;
    if (out->copies) {
        pixviewi_fail(&why, PIXVIEW_E_DEVICE, "GPU %d cannot map memory of GPU %d%s", way.reader,
                      way.device, way.own ? " that its own process shared" : "");
        memcpy(out->reason, why.message, sizeof out->reason - 1);
    }
    return PIXVIEW_OK;
}

pixview_status pixview_share_describe(const void *bytes, size_t size, pixview_image *out,
                                      pixview_layout *layout, int64_t *pid, pixview_error *err)
{
    pixviewi_handle handle;
    if (!out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "out is NULL");
    pixview_status status = pixviewi_handle_read(bytes, size, &handle, err);
    if (status != PIXVIEW_OK)
        return status;
    int device = -1;
    if (handle.kind != PIXVIEWI_SEGMENT_HOST &&
        pixviewi_cuda_find_uuid(handle.uuid, &device, NULL) != PIXVIEW_OK)
        device = -1;
    *out = pixviewi_handle_image(&handle, NULL, device);
    if (layout)
        *layout = (pixview_layout)handle.layout;
    if (pid)
        *pid = handle.pid;
    return PIXVIEW_OK;
}
