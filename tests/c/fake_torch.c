// SPDX-License-Identifier: Apache-2.0
// Functions of torch's C shim over the fake driver's memory, under the name of torch's library:
// loaded before pixview looks for torch, it is found in place of a torch that is built for CUDA.
#include <stdint.h>

#include "fake_driver.h"

#define EXPORTED __attribute__((visibility("default")))

// What a test sets: the GPU that is torch's current one, and whether it has memory; and what it reads.
EXPORTED int32_t fake_torch_device, fake_torch_full, fake_torch_given, fake_torch_back;
EXPORTED int64_t fake_torch_stream, fake_torch_asked; // -1: the stream cannot be told

EXPORTED int32_t aoti_torch_cuda_caching_allocator_raw_alloc(uint64_t nbytes, void **data);
EXPORTED int32_t aoti_torch_cuda_caching_allocator_raw_delete(void *data);
EXPORTED int32_t aoti_torch_get_current_device_index(int32_t *device);
EXPORTED int32_t aoti_torch_get_current_cuda_stream(int32_t device, void **stream);

int32_t aoti_torch_cuda_caching_allocator_raw_alloc(uint64_t nbytes, void **data)
{
    if (fake_torch_full)
        return 1;
    __atomic_fetch_add(&fake_torch_given, 1, __ATOMIC_RELAXED);
    *data = fake_malloc(fake_torch_device, nbytes);
    return 0;
}

int32_t aoti_torch_cuda_caching_allocator_raw_delete(void *data)
{
    __atomic_fetch_add(&fake_torch_back, 1, __ATOMIC_RELAXED);
    fake_free(data);
    return 0;
}

int32_t aoti_torch_get_current_device_index(int32_t *device)
{
    *device = fake_torch_device;
    return 0;
}

int32_t aoti_torch_get_current_cuda_stream(int32_t device, void **stream)
{
    (void)device;
    fake_torch_asked++;
    if (fake_torch_stream == -1)
        return 1;
    *stream = (void *)fake_torch_stream;
    return 0;
}
