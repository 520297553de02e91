// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // accept4, struct ucred
#endif
#include "share/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "share/process.h"

static socklen_t name_of(const uint8_t process[16], struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    char *at = out->sun_path + 1; // an abstract name begins with 0
    at += sprintf(at, "pixview-");
    // Everybody sees the name; the other half of the key is asked for.
    for (int i = 0; i < 8; i++)
        at += sprintf(at, "%02x", process[i]);
    return (socklen_t)(at - (char *)out);
}

static bool is_same_user(int socket)
{
    struct ucred other;
    socklen_t size = sizeof other;
    return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &other, &size) == 0 &&
           other.uid == geteuid();
}

int pixviewi_link_listen(const uint8_t process[16])
{
    struct sockaddr_un name;
    socklen_t length = name_of(process, &name);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener >= 0 && (bind(listener, (struct sockaddr *)&name, length) != 0 ||
                          listen(listener, PIXVIEWI_LINK_BACKLOG) != 0)) {
        int code = errno;
        close(listener);
        errno = code;
        return -1;
    }
    return listener;
}

int pixviewi_link_accept(int listener)
{
    int got = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (got >= 0 && !is_same_user(got)) {
        close(got);
        errno = EPERM;
        return -1;
    }
    return got;
}

static pixview_status refuse(int code, int64_t pid, pixview_error *err)
{
    const char *why = "the process that shared the image is gone, or in a container with a network "
                      "of its own";
    if (code == EAGAIN || code == ETIMEDOUT)
        why = "the process that shared the image does not answer; is it stopped?";
    else if (code == EPERM || code == EACCES)
        why = "the process that shared the image is another user's, or sockets are not permitted";
    else if (code == EMFILE || code == ENFILE)
        why = "too many open files; raise `ulimit -n`";
    return pixviewi_fail(err, PIXVIEW_E_SHARE,
                         "cannot open what process %lld shared: %s (errno %d)", (long long)pid, why,
                         code);
}

// Each try waits for the rest of the time: signals may come all the time.
static int connect_until(int socket, const struct sockaddr_un *name, socklen_t length,
                         int64_t until)
{
    int failed;
    do {
        int64_t left = (until - pixviewi_now()) / 1000 + 1; // 0 would be for ever
        if (left <= 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        struct timeval limit = {.tv_sec = (time_t)(left / 1000000),
                                .tv_usec = (suseconds_t)(left % 1000000)};
        failed = setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) ||
                 connect(socket, (const struct sockaddr *)name, length);
    } while (failed && errno == EINTR);
    return failed ? -1 : 0;
}

static int connect_to(const uint8_t process[16], int64_t until)
{
    struct sockaddr_un name;
    socklen_t length = name_of(process, &name);
    int out = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (out < 0)
        return -1;
    int failed = connect_until(out, &name, length, until);
    if (!failed && is_same_user(out))
        return out;
    int code = failed ? errno : EPERM;
    close(out);
    errno = code;
    return -1;
}

pixview_status pixviewi_link_connect(const uint8_t process[16], int64_t pid, int64_t until,
                                     int *out, pixview_error *err)
{
    *out = connect_to(process, until);
    return *out >= 0 ? PIXVIEW_OK : refuse(errno, pid, err);
}

// ---- Messages -----------------------------------------------------------------------------------------

typedef union ancillary {
    struct cmsghdr header; // for its alignment
    char bytes[CMSG_SPACE(sizeof(int) * PIXVIEWI_LINK_FDS)];
} ancillary;

bool pixviewi_link_send(int socket, const pixviewi_message *message, const int *fds, int count)
{
    ancillary room = {.bytes = {0}};
    struct iovec piece = {(void *)(uintptr_t)message, sizeof *message};
    struct msghdr all = {.msg_iov = &piece, .msg_iovlen = 1};
    if (count > 0) {
        all.msg_control = room.bytes;
        all.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&all);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
        memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)count);
    }
    return sendmsg(socket, &all, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof *message;
}

// What there is no room for, here or in the process, the system closes (MSG_CTRUNC).
static int take_fds(struct msghdr *all, int fds[PIXVIEWI_LINK_FDS])
{
    int count = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(all); header; header = CMSG_NXTHDR(all, header))
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(fds, CMSG_DATA(header), sizeof(int) * (size_t)count);
        }
    return count;
}

// One message, as soon as there is one.
static ssize_t receive(int socket, struct msghdr *all, int64_t until)
{
    bool reset = false;
    for (;;) {
        ssize_t got = recvmsg(socket, all, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (got < 0 && errno == ECONNRESET && !reset) {
            reset = true; // who hung up without listening may have said why
            continue;
        }
        if (got >= 0 || (errno != EAGAIN && errno != EINTR))
            return got;
        int64_t left = until ? (until - pixviewi_now() + 999999) / 1000000 : 0;
        if (left <= 0 && errno == EAGAIN)
            return -1;
        struct pollfd one = {.fd = socket, .events = POLLIN};
        (void)poll(&one, 1, left < 0 ? 0 : left < 60000 ? (int)left : 60000);
    }
}

int pixviewi_link_receive(int socket, int64_t until, pixviewi_message *message,
                          int fds[PIXVIEWI_LINK_FDS], int *count)
{
    ancillary room;
    struct iovec piece = {message, sizeof *message};
    struct msghdr all = {.msg_iov = &piece,
                         .msg_iovlen = 1,
                         .msg_control = room.bytes,
                         .msg_controllen = sizeof room.bytes};
    *count = 0;
    ssize_t got = receive(socket, &all, until);
    if (got <= 0)
        return got == 0 ? 0 : -1;
    *count = take_fds(&all, fds);
    bool cut = all.msg_flags & MSG_CTRUNC;
    if (got == (ssize_t)sizeof *message && !cut)
        return 1;
    while (*count > 0)
        close(fds[--*count]);
    errno = cut ? EMFILE : EPROTO;
    return -1;
}
