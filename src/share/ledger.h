// SPDX-License-Identifier: Apache-2.0
// The ledger: one page table of a process that shares images, mapped by every process that opens them. It
// says of each shared image who holds it, so that opening and closing one is a few atomic instructions.
//
// An entry is one shared image. Its owner alone gives it a generation, which stands in every handle. An opener
// sets its bit and then looks at the generation again; the owner changes the generation and then looks at
// the bits. So either the opener sees that the entry is closed, or the owner sees the opener. A bit is
// one process: if that dies, the owner clears it, however often. Nothing in here is trusted with an address.
#ifndef PIXVIEWI_LEDGER_H
#define PIXVIEWI_LEDGER_H

#include <stdatomic.h>

#include "descriptor/base.h"
#include "pixview/pixview.h"

enum {
    PIXVIEWI_ENTRIES = 4096,
    PIXVIEWI_SEGMENTS = 1024,
    PIXVIEWI_PEERS = 192, // processes that open images of one other
    PIXVIEWI_TICKETS = 64,
    PIXVIEWI_NO_TICKET = 255
};

typedef struct pixviewi_entry {
    _Atomic uint64_t generation;
    _Atomic uint64_t tickets; // bits: sent and not yet opened
    _Atomic uint64_t holders[PIXVIEWI_PEERS / 64];
    _Atomic int64_t expires;     // when nobody waits any more for what was sent; pixviewi_now
    _Atomic uint32_t watched;    // the owner waits for the last holder
    _Atomic uint32_t unnumbered; // more was sent than there are tickets: only `expires` tells
    _Atomic uint32_t
        next_ticket; // in turn: bytes that are opened twice must not take somebody else's
} pixviewi_entry;
_Static_assert(sizeof(pixviewi_entry) == 64, "a cache line");

typedef struct pixviewi_ledger {
    _Atomic uint32_t waiting; // threads of the owner that wait for any entry
    uint32_t unused[15];
    _Atomic uint64_t segments[PIXVIEWI_SEGMENTS]; // ids of those that exist; 0: none
    pixviewi_entry entries[PIXVIEWI_ENTRIES];
} pixviewi_ledger;

// ---- The owner ----

// A new one, and the descriptor that others map; both NULL and -1 with the error. It cannot change its size.
pixview_status pixviewi_ledger_new(pixviewi_ledger **out, int *fd, pixview_error *err);
// Opens the entry anew: all handles of before are stale.
uint64_t pixviewi_entry_renew(pixviewi_entry *entry);
bool pixviewi_entry_is_held(const pixviewi_entry *entry);
// That process is gone.
void pixviewi_ledger_forget(pixviewi_ledger *ledger, int peer);

// ---- Who sends it, and holds it meanwhile ----

// A ticket of it, which lapses then at the earliest; PIXVIEWI_NO_TICKET if there is none.
uint8_t pixviewi_entry_send(pixviewi_entry *entry, int64_t expires);

// ---- An opener ----

pixview_status pixviewi_ledger_map(int fd, pixviewi_ledger **out, pixview_error *err);
void pixviewi_ledger_unmap(pixviewi_ledger *ledger);
// False: it is another generation's by now.
bool pixviewi_entry_hold(pixviewi_entry *entry, int peer, uint64_t generation);
// True: somebody waits for that, wake the owner.
bool pixviewi_entry_let_go(pixviewi_ledger *ledger, pixviewi_entry *entry, int peer);

#endif
