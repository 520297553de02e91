// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // getrandom, pthread_setname_np
#endif
#include "share/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "descriptor/owner.h"
#include "descriptor/status.h"
#include "share/entries.h"
#include "share/hold.h"
#include "share/link.h"
#include "share/remote.h"
#include "share/segment.h"
#include "share/server.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pixviewi_process self = {.listener = -1, .wake = -1, .ledger_fd = -1};
static _Atomic(const pixviewi_process *) started;
static atomic_uint epoch;
static pthread_t thread;

const pixviewi_process *pixviewi_process_started(void)
{
    return atomic_load_explicit(&started, memory_order_acquire);
}
unsigned pixviewi_process_epoch(void) { return atomic_load_explicit(&epoch, memory_order_relaxed); }

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

// ---- Forks and the end ----------------------------------------------------------------------------------

static void before_fork(void) { pthread_mutex_lock(&lock); }
static void after_fork(void) { pthread_mutex_unlock(&lock); }

// The child is another process: it has no thread, and the sockets would keep a dead parent alive for others.
static void in_child(void)
{
    atomic_fetch_add_explicit(&epoch, 1, memory_order_relaxed);
    atomic_store_explicit(&started, NULL, memory_order_relaxed);
    pixviewi_server_forget();
    pixviewi_remotes_forget();
    pixviewi_entries_forget();
    pixviewi_segments_forget();
    int *fds[] = {&self.listener, &self.wake, &self.ledger_fd};
    for (int i = 0; i < 3; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
    pixviewi_ledger_unmap(self.ledger);
    self.ledger = NULL;
    pthread_mutex_init(&lock, NULL);
    make_condition();
}

// The driver may be gone after this. The thread ends soon: it never waits for anything but poll.
static void at_exit(void)
{
    if (!pixviewi_process_started())
        return;
    pixviewi_set_exiting();
    pixviewi_process_wake();
    pthread_join(thread, NULL);
}

static void prepare_once(void)
{
    make_condition();
    pthread_atfork(before_fork, after_fork, in_child);
    atexit(at_exit);
}

// ---- The thread -----------------------------------------------------------------------------------------

void pixviewi_process_wake(void)
{
    uint64_t one = 1;
    const pixviewi_process *process = pixviewi_process_started();
    if (process)
        (void)!write(process->wake, &one, sizeof one);
}

static int until_ms(int64_t until)
{
    if (until == PIXVIEWI_NEVER)
        return -1;
    int64_t left = (until - pixviewi_now() + 999999) / 1000000;
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

// What is pending on a GPU has no descriptor that tells: asked again after a while, which grows.
static int64_t poll_deferred(int *idle)
{
    if (pixviewi_holds_pending() == 0) {
        *idle = 0;
        return PIXVIEWI_NEVER;
    }
    pixviewi_drain_deferred_owners(true);
    if (pixviewi_holds_pending() == 0)
        return PIXVIEWI_NEVER;
    *idle = *idle < 5 ? *idle + 1 : 5;
    return pixviewi_now() + 200000 * *idle;
}

static void *serve(void *unused)
{
    enum { MOST = 2 + PIXVIEWI_PEERS + PIXVIEWI_REMOTES };
    static struct pollfd fds[MOST];
    int idle = 0;
    (void)unused;
    while (!pixviewi_exiting()) {
        int64_t until = pixviewi_entries_settle();
        int64_t again = poll_deferred(&idle);
        int count = 0;
        fds[count++] = (struct pollfd){.fd = self.wake, .events = POLLIN};
        fds[count++] = (struct pollfd){.fd = self.listener, .events = POLLIN};
        int peers = pixviewi_server_poll(fds + count);
        int remotes = pixviewi_remotes_poll(fds + count + peers);
        int wait = until_ms(again < until ? again : until);
        if (poll(fds, (nfds_t)(count + peers + remotes), wait) <= 0)
            continue;
        uint64_t many;
        if (fds[0].revents)
            (void)!read(self.wake, &many, sizeof many);
        pixviewi_server_answer(&self, fds + count, peers, fds[1].revents != 0);
        pixviewi_remotes_notice(fds + count + peers, remotes);
    }
    return NULL;
}

static bool start_thread(void)
{
    sigset_t all, before;
    sigfillset(&all); // signals are for the program's own threads
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool made = pthread_create(&thread, NULL, serve, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (made)
        pthread_setname_np(thread, "pixview-share");
    return made;
}

// ---- Starting -------------------------------------------------------------------------------------------

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

static void stop(void)
{
    if (self.listener >= 0)
        close(self.listener);
    if (self.wake >= 0)
        close(self.wake);
    if (self.ledger_fd >= 0)
        close(self.ledger_fd);
    pixviewi_ledger_unmap(self.ledger);
    self = (pixviewi_process){.listener = -1, .wake = -1, .ledger_fd = -1};
}

static pixview_status start(pixview_error *err)
{
    if (getrandom(self.key, sizeof self.key, 0) != (ssize_t)sizeof self.key)
        return pixviewi_fail(err, PIXVIEW_E_SHARE, "the system gives no random numbers");
    self.boot = pixviewi_process_boot();
    pixview_status status = pixviewi_ledger_new(&self.ledger, &self.ledger_fd, err);
    if (status == PIXVIEW_OK) {
        self.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        self.listener = self.wake < 0 ? -1 : pixviewi_link_listen(self.key);
        if (self.listener < 0)
            status = pixviewi_fail(err, PIXVIEW_E_SHARE,
                                   "cannot open a socket to share images (errno %d); are Unix "
                                   "sockets permitted, and `ulimit -n` high enough?",
                                   errno);
    }
    if (status == PIXVIEW_OK)
        status = pixviewi_entries_start(err);
    if (status == PIXVIEW_OK) {
        atomic_store_explicit(&started, &self, memory_order_release);
        if (start_thread())
            return PIXVIEW_OK;
        atomic_store_explicit(&started, NULL, memory_order_relaxed);
        status = pixviewi_fail(err, PIXVIEW_E_SHARE, "cannot start the thread that shares images");
    }
    stop();
    return status;
}

pixview_status pixviewi_process_start(const pixviewi_process **out, pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    if (!pixviewi_process_started()) {
        pthread_once(&once, prepare_once);
        pthread_mutex_lock(&lock);
        if (!pixviewi_process_started())
            status = start(err);
        pthread_mutex_unlock(&lock);
    }
    *out = pixviewi_process_started();
    return status;
}
