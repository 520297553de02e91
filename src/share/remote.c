// SPDX-License-Identifier: Apache-2.0
#include "share/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descriptor/overlap.h"
#include "share/remote_internal.h"

static pixviewi_remote *first;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER; // of events

// ---- What is over ---------------------------------------------------------------------------------------

// Under the lock: takes what is idle off the lists; and remotes that are gone.
static void collect_idle(pixviewi_mapping **mappings, pixviewi_remote **remotes)
{
    for (pixviewi_remote **link = &first; *link;) {
        pixviewi_remote *remote = *link;
        for (pixviewi_mapping **at = &remote->mappings; *at;) {
            pixviewi_mapping *mapping = *at;
            if (!pixviewi_mapping_is_idle(mapping)) {
                at = &mapping->next;
                continue;
            }
            *at = mapping->next;
            mapping->next = *mappings;
            *mappings = mapping;
        }
        if (remote->dead && !remote->mappings && remote->busy == 0) {
            *link = remote->next;
            remote->next = *remotes;
            *remotes = remote;
        } else {
            link = &remote->next;
        }
    }
}

static void end_idle(void)
{
    pixviewi_mapping *mappings = NULL;
    pixviewi_remote *remotes = NULL;
    pixviewi_share_lock();
    collect_idle(&mappings, &remotes);
    pixviewi_share_unlock();
    while (mappings) {
        pixviewi_mapping *next = mappings->next;
        pixviewi_mapping_end(mappings);
        mappings = next;
    }
    while (remotes) {
        pixviewi_remote *next = remotes->next;
        pixviewi_remote_end(remotes);
        remotes = next;
    }
}

// ---- Holding --------------------------------------------------------------------------------------------

static pixviewi_remote *find_remote(const uint8_t key[16])
{
    pixviewi_remote *remote = first;
    while (remote && memcmp(remote->key, key, sizeof remote->key) != 0)
        remote = remote->next;
    return remote;
}

// Under the lock.
static void let_entry_go(pixviewi_remote *remote, int entry)
{
    uint64_t one = 1;
    if (--remote->held[entry].count == 0 &&
        pixviewi_entry_let_go(remote->ledger, &remote->ledger->entries[entry], remote->peer))
        (void)!write(remote->wake, &one, sizeof one);
}

// Under the lock.
static pixview_status hold_entry(pixviewi_remote *remote, const pixviewi_handle *handle,
                                 pixview_error *err)
{
    remote->held[handle->entry].count++;
    if (pixviewi_entry_hold(&remote->ledger->entries[handle->entry], remote->peer,
                            handle->generation))
        return PIXVIEW_OK;
    let_entry_go(remote, (int)handle->entry);
    return pixviewi_fail(err, PIXVIEW_E_SHARE,
                         "process %lld has let go of the shared image: nobody opened it in time, "
                         "or all who did have closed it; keep the Share for a later one",
                         (long long)handle->pid);
}

// Connected by another thread meanwhile? Then that one. `more`: ended by the caller.
static pixview_status add_remote(pixviewi_remote *remote, pixviewi_remote **more,
                                 pixview_error *err)
{
    int count = 0;
    *more = remote;
    if (find_remote(remote->key))
        return PIXVIEW_OK;
    for (const pixviewi_remote *other = first; other; other = other->next)
        count++;
    if (count >= PIXVIEWI_REMOTES)
        return pixviewi_fail(err, PIXVIEW_E_SHARE,
                             "this process has opened images of %d others, which is the limit",
                             PIXVIEWI_REMOTES);
    remote->next = first;
    first = remote;
    *more = NULL;
    return PIXVIEW_OK;
}

// Comes back with the lock, if it succeeds.
static pixview_status find_or_connect(const pixviewi_handle *handle, int64_t until,
                                      pixviewi_remote **out, pixview_error *err)
{
    pixviewi_remote *made = NULL, *more = NULL;
    pixview_status status = PIXVIEW_OK;
    pixviewi_share_lock();
    *out = find_remote(handle->process);
    if (*out)
        return PIXVIEW_OK;
    pixviewi_share_unlock();
    status = pixviewi_remote_connect(handle, until, &made, err);
    if (status != PIXVIEW_OK)
        return status;
    pixviewi_share_lock();
    status = add_remote(made, &more, err);
    *out = status == PIXVIEW_OK ? find_remote(handle->process) : NULL;
    if (*out) {
        if (!more)
            pixviewi_process_wake(); // its notices are to be waited for
        else
            (*out)->busy++;
    }
    if (more || !*out) {
        pixviewi_share_unlock();
        if (more)
            pixviewi_remote_end(more);
        if (*out) {
            pixviewi_share_lock();
            (*out)->busy--;
        }
    }
    return status;
}

static pixview_status find_or_map(pixviewi_remote *remote, const pixviewi_handle *handle,
                                  int device, int reader, int64_t until, pixviewi_mapping **out,
                                  pixview_error *err)
{
    pixviewi_mapping *made = NULL;
    *out = pixviewi_mapping_find(remote, handle, reader);
    if (*out) {
        (*out)->users++;
        return PIXVIEW_OK;
    }
    if (remote->dead)
        return pixviewi_remote_no_answer(remote, 0, err);
    remote->busy++;
    pixviewi_share_unlock();
    pixview_status status =
        pixviewi_mapping_make(remote, handle, device, reader, until, &made, err);
    pixviewi_share_lock();
    remote->busy--;
    if (status != PIXVIEW_OK)
        return status;
    *out = pixviewi_mapping_find(remote, handle, reader);
    if (!*out) {
        made->next = remote->mappings;
        remote->mappings = made;
        *out = made;
        made = NULL;
    }
    (*out)->users++;
    if (made) { // two threads at once
        pixviewi_share_unlock();
        pixviewi_mapping_end(made);
        pixviewi_share_lock();
    }
    return PIXVIEW_OK;
}

static int64_t until_of(double seconds)
{
    return pixviewi_now() + (int64_t)((seconds < 1e9 ? seconds : 1e9) * 1e9);
}

// Under the lock.
static void note_held(pixviewi_remote *remote, const pixviewi_handle *handle,
                      pixviewi_mapping *mapping)
{
    held_entry *held = &remote->held[handle->entry];
    pixview_image image = pixviewi_handle_image(handle, mapping->base, 0);
    pixviewi_range range = pixviewi_image_range(&image);
    bool more = held->mapping == mapping && held->count > 1;
    held->mapping = mapping;
    held->generation = handle->generation;
    held->low = more && held->low < range.low ? held->low : range.low;
    held->beyond = more && held->beyond > range.beyond ? held->beyond : range.beyond;
}

// Under the lock. The one that has all these bytes; NULL.
static pixviewi_mapping *find_mapping_around(uintptr_t low, uintptr_t beyond, bool on_host)
{
    for (pixviewi_remote *remote = first; remote; remote = remote->next)
        for (pixviewi_mapping *mapping = remote->mappings; mapping; mapping = mapping->next)
            if ((mapping->device < 0) == on_host && low >= (uintptr_t)mapping->base &&
                beyond <= (uintptr_t)mapping->base + (uintptr_t)mapping->size)
                return mapping;
    return NULL;
}

pixviewi_mapping *pixviewi_remote_hold_part(const void *low, const void *beyond, int device,
                                            int *entry)
{
    pixviewi_mapping *mapping = find_mapping_around((uintptr_t)low, (uintptr_t)beyond, device < 0);
    for (int i = 0; mapping && i < PIXVIEWI_ENTRIES; i++) {
        held_entry *held = &mapping->remote->held[i];
        if (held->count == 0 || held->mapping != mapping || (uintptr_t)low < held->low ||
            (uintptr_t)beyond > held->beyond)
            continue;
        held->count++;
        mapping->users++;
        *entry = i;
        return mapping;
    }
    return NULL;
}

void pixviewi_remote_describe(const pixviewi_mapping *mapping, int entry, pixviewi_handle *handle)
{
    const pixviewi_remote *remote = mapping->remote;
    memcpy(handle->process, remote->key, sizeof handle->process);
    memcpy(handle->uuid, mapping->uuid, sizeof handle->uuid);
    handle->pid = remote->pid;
    handle->generation = remote->held[entry].generation;
    handle->kind = (uint8_t)mapping->kind;
    handle->slot = mapping->slot;
    handle->segment = mapping->id;
    handle->segment_size = mapping->size;
}

pixviewi_entry *pixviewi_remote_entry(const pixviewi_mapping *mapping, int entry)
{
    return &mapping->remote->ledger->entries[entry];
}

pixviewi_shared_event *pixviewi_remote_note(pixviewi_mapping *mapping, int entry)
{
    pixviewi_shared_event **note = &mapping->remote->notes[entry];
    if (!*note)
        *note = calloc(1, sizeof **note);
    return *note;
}

pixview_status pixviewi_remote_hold(const pixviewi_handle *handle, int device, int reader,
                                    double timeout, pixviewi_mapping **out, pixview_error *err)
{
    pixviewi_remote *remote;
    int64_t until = until_of(timeout);
    pixview_status status = find_or_connect(handle, until, &remote, err);
    if (status != PIXVIEW_OK)
        return status;
    status = hold_entry(remote, handle, err);
    if (status == PIXVIEW_OK) {
        status = find_or_map(remote, handle, device, reader, until, out, err);
        if (status != PIXVIEW_OK)
            let_entry_go(remote, (int)handle->entry);
    }
    if (status == PIXVIEW_OK)
        note_held(remote, handle, *out);
    pixviewi_share_unlock();
    if (status != PIXVIEW_OK) {
        end_idle(); // it may have died while it was asked, when nobody could end it
        return status;
    }
    status = pixviewi_mapping_give_access(*out, reader, err);
    if (status != PIXVIEW_OK)
        pixviewi_mapping_let_go(*out, (int)handle->entry);
    return status;
}

void pixviewi_remote_redeem(pixviewi_mapping *mapping, const pixviewi_handle *handle)
{
    if (handle->ticket != PIXVIEWI_NO_TICKET)
        atomic_fetch_and(&mapping->remote->ledger->entries[handle->entry].tickets,
                         ~((uint64_t)1 << handle->ticket));
}

void pixviewi_remote_decline(const pixviewi_handle *handle)
{
    const double SOON = 0.2; // else the ticket lapses by itself
    uint64_t one = 1;
    pixviewi_remote *remote;
    if (find_or_connect(handle, until_of(SOON), &remote, NULL) != PIXVIEW_OK)
        return;
    pixviewi_entry *entry = &remote->ledger->entries[handle->entry];
    // Of another generation it is somebody else's.
    if (pixviewi_entry_hold(entry, remote->peer, handle->generation))
        atomic_fetch_and(&entry->tickets, ~((uint64_t)1 << handle->ticket));
    if (remote->held[handle->entry].count == 0)
        (void)pixviewi_entry_let_go(remote->ledger, entry, remote->peer);
    (void)!write(remote->wake, &one, sizeof one);
    pixviewi_share_unlock();
    end_idle();
}

void pixviewi_mapping_let_go(pixviewi_mapping *mapping, int entry)
{
    pixviewi_remote *remote = mapping->remote;
    pixviewi_share_lock();
    mapping->users--;
    if (mapping->users == 0 && remote->held[entry].mapping == mapping)
        remote->held[entry].mapping = NULL;
    bool idle = pixviewi_mapping_is_idle(mapping);
    // The owner may free IPC memory as soon as it is let go of, so that is closed here, by nobody else.
    bool close_first = idle && mapping->kind == PIXVIEWI_SEGMENT_IPC;
    if (close_first)
        pixviewi_mapping_unlist(mapping);
    remote->busy++; // it stays until the entry is let go of
    pixviewi_share_unlock();
    if (close_first)
        pixviewi_mapping_end(mapping);
    else if (idle)
        end_idle();
    pixviewi_share_lock();
    remote->busy--;
    let_entry_go(remote, entry);
    bool gone = remote->dead;
    pixviewi_share_unlock();
    if (gone)
        end_idle();
}

pixview_status pixviewi_remote_wait(pixviewi_mapping *mapping, const pixviewi_handle *handle,
                                    int reader, pixview_stream stream, pixview_error *err)
{
    pixviewi_remote *remote = mapping->remote;
    if (!handle->has_event || stream == PIXVIEW_STREAM_NONE)
        return PIXVIEW_OK;
    pthread_mutex_lock(&opening); // two threads, one event
    pixviewi_shared_event **event = &remote->events[handle->entry];
    pixview_status status = PIXVIEW_OK;
    if (!*event)
        *event = calloc(1, sizeof **event);
    if (!*event)
        status = pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for an event");
    if (status == PIXVIEW_OK)
        status = pixviewi_cuda_open_event(mapping->device, &handle->event, *event, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_cuda_wait_shared(reader, stream, *event, err);
    pthread_mutex_unlock(&opening);
    return status;
}

// ---- Notices ----------------------------------------------------------------------------------------------

int pixviewi_remotes_poll(struct pollfd *fds)
{
    int count = 0;
    pixviewi_share_lock();
    for (const pixviewi_remote *remote = first; remote && count < PIXVIEWI_REMOTES;
         remote = remote->next)
        if (!remote->dead)
            fds[count++] = (struct pollfd){.fd = remote->notice, .events = POLLIN};
    pixviewi_share_unlock();
    return count;
}

static void read_notices(pixviewi_remote *remote)
{
    char byte;
    ssize_t got;
    while ((got = recv(remote->notice, &byte, 1, MSG_DONTWAIT)) > 0)
        ;
    if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        remote->dead = true;
}

void pixviewi_remotes_notice(const struct pollfd *fds, int count)
{
    bool any = false;
    for (int i = 0; i < count; i++) {
        if (!fds[i].revents)
            continue;
        any = true;
        pixviewi_share_lock();
        for (pixviewi_remote *remote = first; remote; remote = remote->next)
            if (!remote->dead && remote->notice == fds[i].fd)
                read_notices(remote);
        pixviewi_share_unlock();
    }
    if (any)
        end_idle();
}

void pixviewi_remotes_forget(void)
{
    while (first) {
        pixviewi_remote *remote = first;
        first = remote->next;
        while (remote->mappings) { // their memory stays mapped: images of it may be in use
            pixviewi_mapping *mapping = remote->mappings;
            remote->mappings = mapping->next;
            if (mapping->fd >= 0)
                close(mapping->fd);
            free(mapping);
        }
        for (int i = 0; i < PIXVIEWI_ENTRIES; i++) { // the driver is the parent's
            free(remote->events[i]);
            remote->events[i] = NULL;
        }
        pixviewi_remote_end(remote);
    }
    pthread_mutex_init(&opening, NULL);
}
