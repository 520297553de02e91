// SPDX-License-Identifier: Apache-2.0
// A fatbin that only the fake driver loads. Defined in the program itself, it keeps the static
// library's own from being linked.
#include "kernels/kernels.h"

const unsigned char pixviewi_kernels_fatbin[16] = "fake fatbin";
const uint64_t pixviewi_kernels_fatbin_size = 16;
const char pixviewi_kernels_code[] = "sm_90";
