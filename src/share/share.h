// SPDX-License-Identifier: Apache-2.0
#ifndef PIXVIEWI_SHARE_SHARE_H
#define PIXVIEWI_SHARE_SHARE_H

#include "pixview/pixview.h"

// The handle without a ticket, which holds nothing: for this process and its forks.
void pixviewi_share_peek(const pixview_share *share, uint8_t bytes[PIXVIEW_HANDLE_BYTES]);
// How many of those that were sent nobody has opened yet.
int pixviewi_share_unopened(const pixview_share *share);

#endif
