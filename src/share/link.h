// SPDX-License-Identifier: Apache-2.0
// Messages between two processes, with file descriptors: an abstract Unix socket, so that nothing stays in a
// file system. Both ends have the same user, or there is no link.
#ifndef PIXVIEWI_SHARE_LINK_H
#define PIXVIEWI_SHARE_LINK_H

#include "share/handle.h"

enum { PIXVIEWI_LINK_FDS = 3, PIXVIEWI_LINK_BACKLOG = 64 };
enum { PIXVIEWI_ASK_ENTER = 1, PIXVIEWI_ASK_SEGMENT };

typedef struct pixviewi_message {
    uint32_t question, number; // an answer has the number of its question
    pixview_status status;     // of an answer
    uint8_t process[16];
    int32_t peer;  // ENTER: the number of the bit that is the asker's
    uint32_t slot; // SEGMENT, and its id
    uint64_t segment;
    pixviewi_ipc_handle handle; // of a segment by IPC
} pixviewi_message;

// A listening socket of that name. -1 with errno.
int pixviewi_link_listen(const uint8_t process[16]);
// The next of the same user that connected; -1: none, errno.
int pixviewi_link_accept(int listener);
// PIXVIEW_E_SHARE. `timeout`: seconds, at most 1e9.
pixview_status pixviewi_link_connect(const uint8_t process[16], int64_t pid, double timeout,
                                     int *out, pixview_error *err);

// Whole messages. send: never waits. receive: waits until then (pixviewi_now; 0: not at all); what it does not
// give to the caller it closes. 1: one came; 0: the other end is gone; -1: none, errno.
bool pixviewi_link_send(int socket, const pixviewi_message *message, const int *fds, int count);
int pixviewi_link_receive(int socket, int64_t until, pixviewi_message *message,
                          int fds[PIXVIEWI_LINK_FDS], int *count);

#endif
