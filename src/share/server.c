// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // F_DUPFD_CLOEXEC
#endif
#include "share/server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "share/link.h"
#include "share/segment.h"
#include "share/system.h"

// Each has two sockets: it asks on one, and is told on the other, which only says "look".
typedef struct peer {
    bool used, entered;
    int socket, notice;
} peer;
static peer peers[PIXVIEWI_PEERS];
static int arriving = -1; // a socket that has no place yet
static int64_t rest;

int64_t pixviewi_server_rest(void) { return rest; }

int pixviewi_server_poll(struct pollfd *fds)
{
    int count = 0;
    for (int i = 0; i < PIXVIEWI_PEERS; i++)
        if (peers[i].used)
            fds[count++] = (struct pollfd){.fd = peers[i].socket, .events = POLLIN};
    return count;
}

static int index_of(int socket)
{
    for (int i = 0; i < PIXVIEWI_PEERS; i++)
        if (peers[i].used && peers[i].socket == socket)
            return i;
    return -1;
}

// It let go of everything: the kernel closes a socket when its last process is gone, however that ended.
static void leave(const pixviewi_process *process, int index)
{
    pixviewi_share_lock(); // the child of a fork closes what is here, and nothing else
    close(peers[index].socket);
    if (peers[index].notice >= 0)
        close(peers[index].notice);
    peers[index].used = false;
    pixviewi_share_unlock();
    if (peers[index].entered)
        pixviewi_ledger_forget(process->ledger, index);
}

// Where a new one gets in; -1: nowhere. Who has only connected has to make room.
static int place_for_another(const pixviewi_process *process)
{
    for (int i = 0; i < PIXVIEWI_PEERS; i++)
        if (!peers[i].used)
            return i;
    for (int i = 0; i < PIXVIEWI_PEERS; i++)
        if (!peers[i].entered) {
            leave(process, i);
            return i;
        }
    return -1;
}

// Under the lock, so that a child of a fork knows of it.
static bool accept_next(int listener)
{
    pixviewi_share_lock();
    arriving = pixviewi_link_accept(listener);
    pixviewi_share_unlock();
    return arriving >= 0;
}

static void welcome(const pixviewi_process *process)
{
    const int64_t A_WHILE = 50000000; // NANOSECONDS
    while (accept_next(process->listener)) {
        int index = place_for_another(process);
        pixviewi_message full = {.status = PIXVIEW_E_SHARE};
        if (index < 0)
            (void)!pixviewi_link_send(arriving, &full, NULL, 0);
        pixviewi_share_lock();
        if (index < 0)
            close(arriving);
        else
            peers[index] = (peer){.used = true, .socket = arriving, .notice = -1};
        arriving = -1;
        pixviewi_share_unlock();
    }
    // It stays ready, and would be tried again without end.
    bool can_wait = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
    rest = can_wait ? pixviewi_now() + A_WHILE : 0;
}

// ---- Answers ----------------------------------------------------------------------------------------

static bool enter(const pixviewi_process *process, int index, const pixviewi_message *question)
{
    int pair[2];
    pixviewi_message answer = {
        .question = PIXVIEWI_ASK_ENTER, .number = question->number, .peer = index};
    if (peers[index].entered || memcmp(question->process, process->key, sizeof process->key) != 0)
        return false;
    pixviewi_share_lock(); // a child of a fork would keep this process alive for that one
    bool paired = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0;
    if (paired)
        peers[index].notice = pair[0];
    pixviewi_share_unlock();
    if (!paired) {
        answer.status = PIXVIEW_E_MEMORY;
        (void)!pixviewi_link_send(peers[index].socket, &answer, NULL, 0);
        return false;
    }
    int fds[] = {process->ledger_fd, process->wake, pair[1]};
    (void)!pixviewi_link_send(peers[index].socket, &answer, fds,
                              3); // else it hears nothing in time
    close(pair[1]);
    peers[index].entered = true;
    return true;
}

static void give_segment(int index, const pixviewi_message *question)
{
    pixviewi_message answer = {
        .question = PIXVIEWI_ASK_SEGMENT, .number = question->number, .status = PIXVIEW_E_SHARE};
    int fd = -1;
    pixviewi_share_lock();
    const pixviewi_segment *segment = pixviewi_segment_at(question->slot, question->segment);
    if (segment) {
        answer.status = PIXVIEW_OK;
        answer.handle = segment->handle;
        // It may end while this is sent.
        fd = segment->fd < 0 ? -1 : pixviewi_fcntl(segment->fd, F_DUPFD_CLOEXEC, 0);
        if (segment->fd >= 0 && fd < 0)
            answer.status = PIXVIEW_E_MEMORY;
    }
    pixviewi_share_unlock();
    (void)!pixviewi_link_send(peers[index].socket, &answer, &fd, fd >= 0 ? 1 : 0);
    if (fd >= 0)
        close(fd);
}

// False: there is nothing more to say to that one.
static bool answer(const pixviewi_process *process, int index)
{
    pixviewi_message question;
    int fds[PIXVIEWI_LINK_FDS], count;
    int got = pixviewi_link_receive(peers[index].socket, 0, &question, fds, &count);
    if (got != 1)
        return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    while (count > 0)
        close(fds[--count]); // nobody asks with descriptors
    switch (question.question) {
    case PIXVIEWI_ASK_ENTER:
        return enter(process, index, &question);
    case PIXVIEWI_ASK_SEGMENT:
        if (peers[index].entered)
            give_segment(index, &question);
        return peers[index].entered;
    default:
        return false;
    }
}

void pixviewi_server_answer(const pixviewi_process *process, const struct pollfd *fds, int count,
                            bool connected)
{
    for (int i = 0; i < count; i++) {
        int index = fds[i].revents ? index_of(fds[i].fd) : -1;
        if (index >= 0 && !answer(process, index))
            leave(process, index);
    }
    if (connected)
        welcome(process);
    if (pixviewi_process_must_tell())
        for (int i = 0; i < PIXVIEWI_PEERS; i++)
            if (peers[i].used && peers[i].notice >= 0)
                (void)!send(peers[i].notice, "", 1,
                            MSG_NOSIGNAL | MSG_DONTWAIT); // full: it will look
}

void pixviewi_server_forget(void)
{
    for (int i = 0; i < PIXVIEWI_PEERS; i++)
        if (peers[i].used) {
            close(peers[i].socket);
            if (peers[i].notice >= 0)
                close(peers[i].notice);
        }
    if (arriving >= 0)
        close(arriving);
    arriving = -1;
    memset(peers, 0, sizeof peers);
}
