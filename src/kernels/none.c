// SPDX-License-Identifier: Apache-2.0
// Stands for the embedded fatbin in a build without nvcc: no kernels, host memory only.
#include "kernels.h"

const unsigned char pixviewi_kernels_fatbin[16] = {0};
const uint64_t pixviewi_kernels_fatbin_size = 0;
const char pixviewi_kernels_code[] = "";
