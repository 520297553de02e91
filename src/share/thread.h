// SPDX-License-Identifier: Apache-2.0
// The one thread that serves other processes: it answers openers, notices who died, and lets go of what nobody
// needs any more. It begins with the first share, pool or open.
#ifndef PIXVIEWI_SHARE_THREAD_H
#define PIXVIEWI_SHARE_THREAD_H

#include "share/process.h"

// Starts it, if it is not; PIXVIEW_E_SHARE, tried again by the next call. The same until a fork: a child starts
// as another process.
pixview_status pixviewi_process_start(const pixviewi_process **out, pixview_error *err);

#endif
