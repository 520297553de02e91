// SPDX-License-Identifier: Apache-2.0
// The memory of owners: malloc, behind one spare block for each thread.
#ifndef PIXVIEWI_OWNER_CACHE_H
#define PIXVIEWI_OWNER_CACHE_H

#include <stddef.h>

// Memory of `size` bytes, always the same size; NULL when out of memory. From and to any thread.
void *pixviewi_owner_cache_take(size_t size);
void pixviewi_owner_cache_give(void *block, size_t size);

#endif
