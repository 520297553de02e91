// SPDX-License-Identifier: Apache-2.0
// What torch's stable C shim has where its exchange table takes longer: the current stream, and GPU
// memory of the caching allocator without a tensor around it (bench/parts.py).
//
// The memory goes the way of torch.empty's: of the current device, for its current stream, in the pool
// of a capture or of a MemPool where one is set; and back on any thread, without the GIL, as a tensor's
// storage goes.

#include <dlfcn.h>
#include <stdlib.h>

#include "cuda/device.h"
#include "descriptor/owner.h"
#include "frameworks/torch/torch.h"

void pv_torch_shim_find(pv_torch_shim *shim)
{
    // NOLOAD: NULL if torch is built without CUDA. What is found is never unloaded.
    void *library = dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
    *shim = (pv_torch_shim){.ready = false};
    if (!library)
        return;
    *(void **)&shim->stream = dlsym(library, "aoti_torch_get_current_cuda_stream");
    *(void **)&shim->device = dlsym(library, "aoti_torch_get_current_device_index");
    if (getenv("PYTORCH_NO_CUDA_MEMORY_CACHING")) // of which the shim knows nothing
        return;
    *(void **)&shim->allocate = dlsym(library, "aoti_torch_cuda_caching_allocator_raw_alloc");
    *(void **)&shim->free = dlsym(library, "aoti_torch_cuda_caching_allocator_raw_delete");
}

bool pv_torch_shim_allocates(pv_state *st)
{
    const pv_torch_shim *shim = &pv_torch_of(st)->shim;
    return (shim->ready || st->hooks.torch_shim_at_once) && shim->allocate && shim->free &&
           !st->hooks.torch_without_shim;
}

// They take no device. torch's own word counts: it may be ahead of the driver's context.
static bool is_current_device(const pv_torch_shim *shim, int device)
{
    int count;
    int32_t current;
    if (pixviewi_cuda_device_count(&count, NULL) == PIXVIEW_OK && count == 1)
        return true;
    return shim->device && shim->device(&current) == 0 && current == device;
}

typedef struct {
    void *data;
    int32_t (*free)(void *data);
} held_block;

// After exit began the allocator may be gone, and a fork's child has none of the memory.
static void release_torch_bytes(pixview_owner *owner)
{
    const held_block *held = pixviewi_owner_held(owner);
    if (!pixviewi_cuda_unusable())
        (void)!held->free(held->data);
}

bool pv_torch_shim_allocate(pv_state *st, int device, int64_t nbytes, pixview_owner **owner,
                            void **data)
{
    const pv_torch_shim *shim = &pv_torch_of(st)->shim;
    if (!pv_torch_shim_allocates(st) || !is_current_device(shim, device))
        return false;
    pixview_owner *made = pixviewi_owner_new(release_torch_bytes);
    if (!made)
        return false;
    if (shim->allocate((uint64_t)nbytes, data) != 0 || !*data) {
        *data = NULL;
        pixviewi_owner_free(made);
        return false;
    }
    *(held_block *)pixviewi_owner_held(made) = (held_block){*data, shim->free};
    *owner = made;
    return true;
}
