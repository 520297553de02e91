// SPDX-License-Identifier: Apache-2.0
#include "share/segment.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cuda/shared.h"
#include "share/host_memory.h"

static pixviewi_segment *first;
static uint64_t last_id;

// ---- Making -------------------------------------------------------------------------------------------

static void free_memory(pixviewi_segment *segment)
{
    free(segment->entries);
    if (segment->fd >= 0)
        close(segment->fd);
    if (segment->borrowed || !segment->base)
        return;
    if (segment->kind == PIXVIEWI_SEGMENT_HOST)
        munmap(segment->base, (size_t)segment->size);
    else if (segment->kind == PIXVIEWI_SEGMENT_FD)
        pixviewi_cuda_unmap(segment->device, segment->base, segment->size);
}

static pixview_status list(pixviewi_segment *segment, pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    pixviewi_share_lock();
    const pixviewi_process *process = pixviewi_process_started();
    uint32_t slot = 0;
    while (process && slot < PIXVIEWI_SEGMENTS && atomic_load(&process->ledger->segments[slot]))
        slot++;
    if (!process || slot == PIXVIEWI_SEGMENTS) {
        status = pixviewi_fail(err, PIXVIEW_E_SHARE,
                               "%d pieces of memory are shared already; take frames of one "
                               "pixview.Pool instead of sharing images one by one",
                               PIXVIEWI_SEGMENTS);
    } else {
        segment->slot = slot;
        segment->id = ++last_id;
        segment->count = 1;
        atomic_store(&process->ledger->segments[slot], segment->id);
        segment->next = first;
        first = segment;
    }
    pixviewi_share_unlock();
    return status;
}

static pixview_status finish(pixviewi_segment *segment, pixviewi_segment **out, pixview_error *err)
{
    pixview_status status = list(segment, err);
    if (status == PIXVIEW_OK) {
        *out = segment;
        return PIXVIEW_OK;
    }
    free_memory(segment);
    free(segment);
    return status;
}

static pixviewi_segment *allocate(pixview_error *err)
{
    pixviewi_segment *segment = calloc(1, sizeof *segment);
    if (!segment)
        pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory to share an image");
    return segment;
}

pixview_status pixviewi_segment_new(pixview_device device, int64_t bytes, pixviewi_segment **out,
                                    pixview_error *err)
{
    pixviewi_segment *segment = allocate(err);
    if (!segment)
        return PIXVIEW_E_MEMORY;
    pixview_status status;
    segment->fd = -1;
    if (device.type == PIXVIEW_DEVICE_CPU) {
        segment->kind = PIXVIEWI_SEGMENT_HOST;
        segment->device = -1;
        segment->size = bytes;
        status =
            pixviewi_host_memory_new("pixview-frames", bytes, &segment->base, &segment->fd, err);
    } else {
        segment->kind = PIXVIEWI_SEGMENT_FD;
        segment->device = device.id;
        status = pixviewi_cuda_uuid(device.id, segment->uuid, err);
        if (status == PIXVIEW_OK)
            status = pixviewi_cuda_map_new(device.id, bytes, &segment->base, &segment->size,
                                           &segment->fd, err);
    }
    if (status == PIXVIEW_OK)
        return finish(segment, out, err);
    free(segment);
    return status;
}

pixview_status pixviewi_segment_over(const pixviewi_segment *like, pixviewi_segment **out,
                                     pixview_error *err)
{
    pixviewi_segment *segment = allocate(err);
    if (!segment)
        return PIXVIEW_E_MEMORY;
    *segment = *like;
    segment->borrowed = true;
    return finish(segment, out, err);
}

// ---- Finding and ending -----------------------------------------------------------------------------------

pixviewi_segment *pixviewi_segment_find(const void *low, const void *beyond, int device,
                                        uint64_t allocation)
{
    uintptr_t from = (uintptr_t)low, to = (uintptr_t)beyond;
    for (pixviewi_segment *segment = first; segment; segment = segment->next) {
        uintptr_t base = (uintptr_t)segment->base;
        if (segment->device == device && segment->allocation == allocation && from >= base &&
            to <= base + (uintptr_t)segment->size)
            return segment;
    }
    return NULL;
}

pixviewi_segment *pixviewi_segment_at(uint32_t slot, uint64_t id)
{
    for (pixviewi_segment *segment = first; segment; segment = segment->next)
        if (segment->slot == slot && segment->id == id)
            return segment;
    return NULL;
}

bool pixviewi_segment_drop(pixviewi_segment *segment)
{
    if (--segment->count > 0)
        return false;
    pixviewi_segment **link = &first;
    while (*link != segment)
        link = &(*link)->next;
    *link = segment->next;
    const pixviewi_process *process = pixviewi_process_started();
    if (process)
        atomic_store(&process->ledger->segments[segment->slot], 0);
    return true;
}

void pixviewi_segment_end_take(pixviewi_segment *segment)
{
    pixviewi_process_tell_openers(); // those who still have it mapped
    free_memory(segment);
    free(segment);
}

void pixviewi_segments_forget(void)
{
    while (first) { // their memory stays mapped: images of it may be in use
        pixviewi_segment *segment = first;
        first = segment->next;
        segment->borrowed = true;
        free_memory(segment);
        free(segment);
    }
}
