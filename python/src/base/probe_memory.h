// SPDX-License-Identifier: Apache-2.0
// Reads of foreign structs whose layout is only assumed.
#ifndef PV_BASE_PROBE_MEMORY_H
#define PV_BASE_PROBE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

// Copies n bytes of this process's memory. False, and no crash, for a bad address.
bool pv_probe_memory(const void *from, void *to, size_t n);

#endif
