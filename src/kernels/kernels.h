// SPDX-License-Identifier: Apache-2.0
// The embedded kernels: one fatbin, or nothing in a build without nvcc.
#ifndef PIXVIEWI_KERNELS_H
#define PIXVIEWI_KERNELS_H

#include <stdint.h>

extern const unsigned char pixviewi_kernels_fatbin[] __attribute__((visibility("hidden")));
extern const uint64_t pixviewi_kernels_fatbin_size __attribute__((visibility("hidden")));
// What it holds, from the build: "sm_90 compute_75".
extern const char pixviewi_kernels_code[] __attribute__((visibility("hidden")));

#endif
