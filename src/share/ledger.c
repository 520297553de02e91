// SPDX-License-Identifier: Apache-2.0
#include "share/ledger.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "share/host_memory.h"

pixview_status pixviewi_ledger_new(pixviewi_ledger **out, int *fd, pixview_error *err)
{
    void *base;
    pixview_status status =
        pixviewi_host_memory_new("pixview-ledger", sizeof **out, &base, fd, err);
    *out = status == PIXVIEW_OK ? base : NULL;
    return status;
}

pixview_status pixviewi_ledger_map(int fd, pixviewi_ledger **out, pixview_error *err)
{
    void *base;
    pixview_status status = pixviewi_host_memory_map(fd, sizeof **out, &base, err);
    *out = status == PIXVIEW_OK ? base : NULL;
    return status;
}

void pixviewi_ledger_unmap(pixviewi_ledger *ledger)
{
    if (ledger)
        munmap(ledger, sizeof *ledger);
}

uint64_t pixviewi_entry_renew(pixviewi_entry *entry)
{
    return atomic_fetch_add(&entry->generation, 1) + 1;
}

bool pixviewi_entry_is_held(const pixviewi_entry *entry)
{
    uint64_t any = 0;
    for (int i = 0; i < PIXVIEWI_PEERS / 64; i++)
        any |= atomic_load(&entry->holders[i]);
    return any != 0;
}

uint8_t pixviewi_entry_send(pixviewi_entry *entry, int64_t expires)
{
    int64_t before = atomic_load(&entry->expires);
    while (before < expires && !atomic_compare_exchange_weak(&entry->expires, &before, expires))
        ;
    for (int tries = 0; tries < PIXVIEWI_TICKETS; tries++) {
        uint32_t ticket = atomic_fetch_add(&entry->next_ticket, 1) % PIXVIEWI_TICKETS;
        uint64_t bit = (uint64_t)1 << ticket;
        if (!(atomic_fetch_or(&entry->tickets, bit) & bit))
            return (uint8_t)ticket;
    }
    atomic_store(&entry->unnumbered, 1);
    return PIXVIEWI_NO_TICKET;
}

void pixviewi_ledger_forget(pixviewi_ledger *ledger, int peer)
{
    uint64_t bit = (uint64_t)1 << peer % 64;
    for (int i = 0; i < PIXVIEWI_ENTRIES; i++)
        if (atomic_load_explicit(&ledger->entries[i].holders[peer / 64], memory_order_relaxed) &
            bit)
            atomic_fetch_and(&ledger->entries[i].holders[peer / 64], ~bit);
}

bool pixviewi_entry_hold(pixviewi_entry *entry, int peer, uint64_t generation)
{
    uint64_t bit = (uint64_t)1 << peer % 64;
    atomic_fetch_or(&entry->holders[peer / 64], bit);
    return atomic_load(&entry->generation) == generation;
}

bool pixviewi_entry_let_go(pixviewi_ledger *ledger, pixviewi_entry *entry, int peer)
{
    uint64_t bit = (uint64_t)1 << peer % 64;
    atomic_fetch_and(&entry->holders[peer / 64], ~bit);
    return atomic_load(&entry->watched) || atomic_load(&ledger->waiting);
}
