// SPDX-License-Identifier: Apache-2.0
// The processes that open images of this one, and the answers that they get. Run by the one thread (thread.h).
#ifndef PIXVIEWI_SHARE_SERVER_H
#define PIXVIEWI_SHARE_SERVER_H

#include <poll.h>

#include "share/process.h"

// Fills in what to wait for, at most PIXVIEWI_PEERS. How many.
int pixviewi_server_poll(struct pollfd *fds);
// The first `count` of them came back; `connected`: somebody new, too. False: there is no descriptor for those now.
bool pixviewi_server_answer(const pixviewi_process *process, const struct pollfd *fds, int count,
                            bool connected);
void pixviewi_server_forget(void); // in the child of a fork

#endif
