// SPDX-License-Identifier: Apache-2.0
// The half of a cv::cuda::GpuMat::Allocator that frees: it notes where it was called, and frees nothing.
#include "fake_driver.h"

int fake_gpumat_frees, fake_gpumat_freed_on, fake_gpumat_freed_locked;
static int (*lock_is_held)(void);

void fake_gpumat_watch(int (*is_held)(void)) { lock_is_held = is_held; }

void fake_gpumat_free(void *allocator, void *header)
{
    (void)allocator, (void)header;
    fake_gpumat_frees++;
    fake_gpumat_freed_on = fake_current_device();
    fake_gpumat_freed_locked = lock_is_held ? lock_is_held() : -1;
}
