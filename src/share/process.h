// SPDX-License-Identifier: Apache-2.0
// This process as others know it, and the lock of all tables of this folder.
#ifndef PIXVIEWI_SHARE_PROCESS_H
#define PIXVIEWI_SHARE_PROCESS_H

#include <pthread.h>

#include "share/ledger.h"

typedef struct pixviewi_process {
    uint8_t key[16]; // random: the name of its socket, and in every handle
    uint64_t boot;
    int listener, wake; // wake: an eventfd, written by openers too
    pixviewi_ledger *ledger;
    int ledger_fd;
} pixviewi_process;

// NULL: not started.
const pixviewi_process *pixviewi_process_started(void);
// How many forks this process is away from the first: what was made in another is not ours to give back.
unsigned pixviewi_process_epoch(void);
// Has the thread look at everything, soon.
void pixviewi_process_wake(void);
// ... and tell all openers to look what of this process's memory is gone.
void pixviewi_process_tell_openers(void);
bool pixviewi_process_must_tell(void); // once for each time
// Of this start of the machine; 0: unknown.
uint64_t pixviewi_process_boot(void);
int64_t pixviewi_now(void); // NANOSECONDS, monotonic
#define PIXVIEWI_NEVER INT64_MAX

// One lock for all tables here. Nobody holds it through a driver call, a message or a release.
void pixviewi_share_lock(void);
void pixviewi_share_unlock(void);
// Waits, the lock given up meanwhile, until something was freed or that time has come.
void pixviewi_share_wait(int64_t until);
void pixviewi_share_notify(void); // under the lock

// For thread.c.
void pixviewi_process_publish(const pixviewi_process *process); // it has started
void pixviewi_process_became_another(void); // in the child of a fork, which holds the lock

#endif
