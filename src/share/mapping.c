// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "share/host_memory.h"
#include "share/remote_internal.h"

void pixviewi_mapping_end(pixviewi_mapping *mapping)
{
    if (mapping->kind == PIXVIEWI_SEGMENT_HOST)
        munmap(mapping->base, (size_t)mapping->size);
    else if (mapping->kind == PIXVIEWI_SEGMENT_FD)
        pixviewi_cuda_unmap(mapping->device, mapping->base, mapping->size);
    else
        pixviewi_cuda_close_ipc(mapping->reader, mapping->base);
    if (mapping->fd >= 0)
        close(mapping->fd);
    free(mapping);
}

// An IPC mapping goes with its last image, since its owner may free the memory then.
bool pixviewi_mapping_is_idle(const pixviewi_mapping *mapping)
{
    return mapping->users == 0 &&
           (mapping->kind == PIXVIEWI_SEGMENT_IPC || mapping->remote->dead ||
            atomic_load(&mapping->remote->ledger->segments[mapping->slot]) != mapping->id);
}

void pixviewi_mapping_unlist(pixviewi_mapping *mapping)
{
    pixviewi_mapping **at = &mapping->remote->mappings;
    while (*at != mapping)
        at = &(*at)->next;
    *at = mapping->next;
}

static pixview_status map(pixviewi_mapping *mapping, pixview_error *err)
{
    switch (mapping->kind) {
    case PIXVIEWI_SEGMENT_HOST:
        return pixviewi_host_memory_map(mapping->fd, mapping->size, &mapping->base, err);
    case PIXVIEWI_SEGMENT_FD:
        return pixviewi_cuda_map_fd(mapping->device, mapping->fd, mapping->size, &mapping->base,
                                    err);
    default:
        return pixviewi_cuda_open_ipc(mapping->reader, &mapping->handle, mapping->size,
                                      &mapping->base, err);
    }
}

pixview_status pixviewi_mapping_make(pixviewi_remote *remote, const pixviewi_handle *handle,
                                     int device, int reader, int64_t until, pixviewi_mapping **out,
                                     pixview_error *err)
{
    pixviewi_message question = {.question = PIXVIEWI_ASK_SEGMENT,
                                 .slot = handle->slot,
                                 .segment = handle->segment},
                     answer;
    int fds[PIXVIEWI_LINK_FDS] = {-1}, count = 0;
    pixview_status status =
        pixviewi_remote_ask(remote, &question, until, &answer, fds, &count, err);
    if (status != PIXVIEW_OK)
        return status;
    bool by_fd = handle->kind != PIXVIEWI_SEGMENT_IPC;
    while (count > (by_fd ? 1 : 0))
        close(fds[--count]);
    if (answer.status != PIXVIEW_OK || (by_fd && count == 0)) {
        return pixviewi_fail(err, PIXVIEW_E_SHARE,
                             "process %lld has let go of the shared memory, or has too many open "
                             "files to send it",
                             (long long)handle->pid);
    }
    pixviewi_mapping *mapping = calloc(1, sizeof *mapping);
    if (!mapping) {
        status = pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for what another process shares");
    } else {
        *mapping = (pixviewi_mapping){.remote = remote,
                                      .kind = handle->kind,
                                      .slot = handle->slot,
                                      .id = handle->segment,
                                      .size = handle->segment_size,
                                      .fd = by_fd ? fds[0] : -1,
                                      .handle = answer.handle,
                                      .device = device,
                                      .reader = reader};
        memcpy(mapping->uuid, handle->uuid, sizeof mapping->uuid);
        status = map(mapping, err);
    }
    if (status == PIXVIEW_OK) {
        *out = mapping;
    } else {
        free(mapping);
        if (by_fd)
            close(fds[0]);
    }
    return status;
}

pixviewi_mapping *pixviewi_mapping_find(pixviewi_remote *remote, const pixviewi_handle *handle,
                                        int reader)
{
    for (pixviewi_mapping *mapping = remote->mappings; mapping; mapping = mapping->next)
        if (mapping->slot == handle->slot && mapping->id == handle->segment &&
            mapping->size == handle->segment_size && (int)mapping->kind == (int)handle->kind &&
            (mapping->kind != PIXVIEWI_SEGMENT_IPC || mapping->reader == reader))
            return mapping;
    return NULL;
}

pixview_status pixviewi_mapping_give_access(pixviewi_mapping *mapping, int reader,
                                            pixview_error *err)
{
    if (mapping->kind != PIXVIEWI_SEGMENT_FD || reader == mapping->device)
        return PIXVIEW_OK;
    uint64_t bit = (uint64_t)1 << reader;
    if (__atomic_load_n(&mapping->peers, __ATOMIC_ACQUIRE) & bit)
        return PIXVIEW_OK;
    pixview_status status =
        pixviewi_cuda_map_on(mapping->device, reader, mapping->base, mapping->size, err);
    if (status == PIXVIEW_OK)
        __atomic_fetch_or(&mapping->peers, bit, __ATOMIC_RELEASE);
    return status;
}
