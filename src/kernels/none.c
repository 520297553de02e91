// Stands for the embedded fatbin in a build without nvcc: no kernels, host memory only.
#include <stdint.h>

extern const unsigned char pixviewi_kernels_fatbin[];
extern const uint64_t pixviewi_kernels_fatbin_size;

const unsigned char pixviewi_kernels_fatbin[16] = {0};
const uint64_t pixviewi_kernels_fatbin_size = 0;
