// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // O_CLOEXEC
#endif
#include "share/process.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed;
static _Atomic(const pixviewi_process *) started;
static atomic_uint epoch;
static atomic_bool told;

const pixviewi_process *pixviewi_process_started(void)
{
    return atomic_load_explicit(&started, memory_order_acquire);
}
unsigned pixviewi_process_epoch(void) { return atomic_load_explicit(&epoch, memory_order_relaxed); }

void pixviewi_process_wake(void)
{
    uint64_t one = 1;
    const pixviewi_process *process = pixviewi_process_started();
    if (process)
        (void)!write(process->wake, &one, sizeof one);
}

void pixviewi_process_tell_openers(void)
{
    atomic_store(&told, true);
    pixviewi_process_wake();
}
bool pixviewi_process_must_tell(void) { return atomic_exchange(&told, false); }

static uint64_t boot;

static void read_boot(void)
{
    char text[40] = {0};
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
        for (const char *at = text; *at; at++)
            boot = (boot ^ (unsigned char)*at) * 1099511628211u;
    if (fd >= 0)
        close(fd);
}

uint64_t pixviewi_process_boot(void)
{
    static pthread_once_t known = PTHREAD_ONCE_INIT;
    pthread_once(&known, read_boot);
    return boot;
}

// ---- The lock -----------------------------------------------------------------------------------------

void pixviewi_share_lock(void) { pthread_mutex_lock(&lock); }
void pixviewi_share_unlock(void) { pthread_mutex_unlock(&lock); }
void pixviewi_share_notify(void) { pthread_cond_broadcast(&freed); }

int64_t pixviewi_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
}

void pixviewi_share_wait(int64_t until)
{
    struct timespec at = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = until % 1000000000};
    if (until == PIXVIEWI_NEVER)
        pthread_cond_wait(&freed, &lock);
    else
        pthread_cond_timedwait(&freed, &lock, &at);
}

static void make_condition(void)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&freed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

// ---- For thread.c ---------------------------------------------------------------------------------------

void pixviewi_process_publish(const pixviewi_process *process)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_condition);
    atomic_store_explicit(&started, process, memory_order_release);
}

void pixviewi_process_became_another(void)
{
    atomic_fetch_add_explicit(&epoch, 1, memory_order_relaxed);
    atomic_store_explicit(&started, NULL, memory_order_relaxed);
    pthread_mutex_init(&lock, NULL);
    make_condition();
}
