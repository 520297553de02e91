// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // pthread_setname_np, pthread_timedjoin_np
#endif
#include "share/thread.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
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
#include "share/system.h"

static pixviewi_process self = {.listener = -1, .wake = -1, .ledger_fd = -1};
static pthread_t thread;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool ending;

// ---- Forks and the end ----------------------------------------------------------------------------------

// The child is another process: it has no thread, and the sockets would keep a dead parent alive for others.
static void in_child(void)
{
    pixviewi_owners_after_fork();
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
    pixviewi_process_became_another();
}

// The driver may be gone after this. The thread ends soon, unless it is in a release of somebody's that never
// ends. Until here it serves others, also when Python has ended: a program may wait for its children last.
static void at_exit(void)
{
    struct timespec latest;
    if (!pixviewi_process_started())
        return;
    pixviewi_set_exiting();
    atomic_store(&ending, true);
    pixviewi_process_wake();
    clock_gettime(CLOCK_REALTIME, &latest);
    latest.tv_sec += 2;
    pthread_timedjoin_np(thread, NULL, &latest);
}

static void prepare_once(void)
{
    pthread_atfork(pixviewi_share_lock, pixviewi_share_unlock, in_child);
    atexit(at_exit);
}

// ---- The thread -----------------------------------------------------------------------------------------

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
    if (pixviewi_holds_waiting() == PIXVIEWI_WAITS_FOR_NOTHING) {
        *idle = 0;
        return PIXVIEWI_NEVER;
    }
    pixviewi_drain_deferred_owners(true);
    pixviewi_waiting left = pixviewi_holds_waiting();
    if (left == PIXVIEWI_WAITS_FOR_NOTHING)
        return PIXVIEWI_NEVER;
    *idle = *idle < 5 ? *idle + 1 : 5;
    return pixviewi_now() + (left == PIXVIEWI_WAITS_FOR_GPU ? 200000 * *idle : 20000000);
}

static void *serve(void *unused)
{
    enum { MOST = 2 + PIXVIEWI_PEERS + PIXVIEWI_REMOTES };
    static struct pollfd fds[MOST];
    int idle = 0;
    (void)unused;
    while (!atomic_load(&ending)) {
        int64_t until = pixviewi_entries_settle();
        int64_t again = poll_deferred(&idle), rest = pixviewi_server_rest();
        bool rests = rest > pixviewi_now();
        int count = 0;
        fds[count++] = (struct pollfd){.fd = self.wake, .events = POLLIN};
        fds[count++] = (struct pollfd){.fd = rests ? -1 : self.listener, .events = POLLIN};
        if (rests && rest < until)
            until = rest;
        int peers = pixviewi_server_poll(fds + count);
        int remotes = pixviewi_remotes_poll(fds + count + peers);
        int wait = until_ms(again < until ? again : until);
        int got = poll(fds, (nfds_t)(count + peers + remotes), wait);
        if (got < 0) // more than may be open by now: RLIMIT_NOFILE was lowered
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        if (got <= 0)
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
    if (pixviewi_getrandom(self.key, sizeof self.key) != (ssize_t)sizeof self.key)
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
    if (status == PIXVIEW_OK && !start_thread()) {
        pixviewi_entries_forget();
        status = pixviewi_fail(err, PIXVIEW_E_SHARE, "cannot start the thread that shares images");
    }
    if (status == PIXVIEW_OK) { // the thread waits for the lock
        pixviewi_owner_on_defer(pixviewi_process_wake);
        pixviewi_process_publish(&self);
        return PIXVIEW_OK;
    }
    stop();
    return status;
}

pixview_status pixviewi_process_start(const pixviewi_process **out, pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    if (!pixviewi_process_started()) {
        pthread_once(&once, prepare_once);
        pixviewi_share_lock();
        if (!pixviewi_process_started())
            status = start(err);
        pixviewi_share_unlock();
    }
    *out = pixviewi_process_started();
    return status;
}
