// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "share/remote_internal.h"

static void free_event(pixviewi_shared_event *event)
{
    if (event)
        pixviewi_cuda_drop_event(event);
    free(event);
}

void pixviewi_remote_end(pixviewi_remote *remote)
{
    int fds[] = {remote->socket, remote->notice, remote->wake};
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    for (int i = 0; i < PIXVIEWI_ENTRIES; i++) {
        free_event(remote->events[i]);
        free_event(remote->notes[i]);
    }
    pixviewi_ledger_unmap(remote->ledger);
    pthread_mutex_destroy(&remote->asking);
    free(remote);
}

pixview_status pixviewi_remote_no_answer(const pixviewi_remote *remote, int code,
                                         pixview_error *err)
{
    const char *why = "its answer makes no sense";
    if (code == 0 || code == ECONNRESET)
        why = "it is gone";
    else if (code == EAGAIN || code == EWOULDBLOCK)
        why = "it does not answer in time; is it stopped, or has too many open files?";
    else if (code == EMFILE)
        why = "too many open files here; raise `ulimit -n`";
    bool late = code == EAGAIN || code == EWOULDBLOCK;
    return pixviewi_fail(err, late ? PIXVIEW_E_TIMEOUT : PIXVIEW_E_SHARE,
                         "cannot open what process %lld shared: %s", (long long)remote->pid, why);
}

pixview_status pixviewi_remote_ask(pixviewi_remote *remote, const pixviewi_message *question,
                                   int64_t until, pixviewi_message *answer, int *fds, int *count,
                                   pixview_error *err)
{
    pixviewi_message numbered = *question;
    int got;
    pthread_mutex_lock(&remote->asking);
    numbered.number = ++remote->questions;
    // If it hung up, it may have said why.
    (void)!pixviewi_link_send(remote->socket, &numbered, NULL, 0);
    for (;;) {
        got = pixviewi_link_receive(remote->socket, until, answer, fds, count);
        if (got != 1 || answer->number == numbered.number || answer->number == 0)
            break;
        // A late answer to a question that was given up. The socket stays: its end is our death to the other side.
        while (*count > 0)
            close(fds[--*count]);
        if (pixviewi_now() > until) {
            got = -1;
            errno = EAGAIN;
            break;
        }
    }
    int code = got == 0 ? 0 : errno;
    pthread_mutex_unlock(&remote->asking);
    return got == 1 ? PIXVIEW_OK : pixviewi_remote_no_answer(remote, code, err);
}

static pixview_status enter(pixviewi_remote *remote, int64_t until, pixview_error *err)
{
    pixviewi_message question = {.question = PIXVIEWI_ASK_ENTER}, answer;
    int fds[PIXVIEWI_LINK_FDS], count;
    memcpy(question.process, remote->key, sizeof question.process);
    pixview_status status =
        pixviewi_remote_ask(remote, &question, until, &answer, fds, &count, err);
    if (status != PIXVIEW_OK)
        return status;
    bool right = answer.status == PIXVIEW_OK && count == 3 && answer.peer >= 0 &&
                 answer.peer < PIXVIEWI_PEERS;
    if (right) {
        remote->peer = answer.peer;
        remote->wake = fds[1];
        remote->notice = fds[2];
        status = pixviewi_ledger_map(fds[0], &remote->ledger, err);
        close(fds[0]);
        return status;
    }
    while (count > 0)
        close(fds[--count]);
    if (answer.status == PIXVIEW_E_SHARE)
        return pixviewi_fail(err, PIXVIEW_E_SHARE,
                             "process %lld is used by %d others already, which is the limit",
                             (long long)remote->pid, PIXVIEWI_PEERS);
    return pixviewi_remote_no_answer(remote, answer.status == PIXVIEW_E_MEMORY ? EAGAIN : EPROTO,
                                     err);
}

pixview_status pixviewi_remote_connect(const pixviewi_handle *handle, int64_t until,
                                       pixviewi_remote **out, pixview_error *err)
{
    pixviewi_remote *remote = calloc(1, sizeof *remote);
    if (!remote)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for what another process shares");
    memcpy(remote->key, handle->process, sizeof remote->key);
    remote->pid = handle->pid;
    remote->notice = remote->wake = remote->socket = -1;
    pthread_mutex_init(&remote->asking, NULL);
    pixview_status status =
        pixviewi_link_connect(remote->key, remote->pid, until, &remote->socket, err);
    if (status == PIXVIEW_OK)
        status = enter(remote, until, err);
    if (status == PIXVIEW_OK)
        *out = remote;
    else
        pixviewi_remote_end(remote);
    return status;
}
