// SPDX-License-Identifier: Apache-2.0
// Host memory that several processes map: a memfd of fixed size. It has no name in a file system, so nothing
// stays behind, and it takes no room in /dev/shm.
#ifndef PIXVIEWI_SHARE_HOST_MEMORY_H
#define PIXVIEWI_SHARE_HOST_MEMORY_H

#include "descriptor/status.h"

// Zeroed, and there: PIXVIEW_E_MEMORY now instead of a fault at the first write.
pixview_status pixviewi_host_memory_new(const char *name, int64_t bytes, void **base, int *fd,
                                        pixview_error *err);
// PIXVIEW_E_SHARE if it is not such memory, or smaller.
pixview_status pixviewi_host_memory_map(int fd, int64_t bytes, void **base, pixview_error *err);

#endif
