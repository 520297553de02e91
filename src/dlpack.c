// DLPack import and export, legacy and versioned.
//
// Our block is always found through manager_ctx: some consumers copy the struct and call the
// deleter with the copy's address (dlpack.h: `self` is whatever the consumer passes). A deleter
// may run on any thread and touches no Python.
#include <stdlib.h>

#include "cuda/cuda.h"
#include "layout.h"

// ---- Import -----------------------------------------------------------------------------------

static bool frees_no_device_memory(const DlTensor *tensor)
{
    return tensor->device.type == PIXVIEW_CPU;
}

// After exit began, the allocator behind device memory may be gone: leave it to the driver.
static void release_versioned(pixview_owner *self)
{
    DlManaged *managed = self->held.pointers[0];
    if (managed->deleter && (!pixviewi_exiting() || frees_no_device_memory(&managed->tensor)))
        managed->deleter(managed);
}

static void release_legacy(pixview_owner *self)
{
    DlManagedLegacy *managed = self->held.pointers[0];
    if (managed->deleter && (!pixviewi_exiting() || frees_no_device_memory(&managed->tensor)))
        managed->deleter(managed);
}

static pixview_status read_tensor(const DlTensor *tensor, pixview_layout layout,
                                  pixview_image *image, pixview_error *err)
{
    int32_t type = tensor->device.type;
    if (type != PIXVIEW_CPU && type != PIXVIEW_CUDA && type != PIXVIEW_CUDA_HOST &&
        type != PIXVIEW_CUDA_MANAGED)
        return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                             "DLPack device type %d is none of CPU (1), CUDA (2), CUDA pinned (3), "
                             "CUDA managed (13)",
                             (int)type);
    if (tensor->ndim < 0 || tensor->ndim > 4)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "rank %d; an image has 2 to 4 axes",
                             (int)tensor->ndim);
    if (!tensor->shape)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "the tensor's shape is NULL");
    pixview_dtype dtype = {tensor->dtype.code, tensor->dtype.bits, tensor->dtype.lanes};
    int64_t itemsize = pixview_dtype_size(dtype); // 0 is refused by pixview_image_init
    int64_t strides[4];
    for (int i = 0; tensor->strides && i < tensor->ndim; i++) {
        // An extent of 1 or 0 frees the stride from meaning anything.
        int64_t stride = tensor->shape[i] > 1 ? tensor->strides[i] : 0;
        if (__builtin_mul_overflow(stride, itemsize, &strides[i]))
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "strides[%d]=%lld elements of %lld bytes leaves the address space",
                                 i, (long long)tensor->strides[i], (long long)itemsize);
    }
    // Integer arithmetic: the data of an empty tensor may be NULL.
    uintptr_t data = (uintptr_t)tensor->data + (uintptr_t)tensor->byte_offset;
    pixview_device device = {type, tensor->device.id};
    return pixview_image_init(image, tensor->data ? (void *)data : NULL, tensor->ndim,
                              tensor->shape, tensor->strides ? strides : NULL, dtype, device,
                              layout, err);
}

static pixview_status hold(void *managed, void (*release)(pixview_owner *), pixview_image *image,
                           pixview_error *err)
{
    image->owner = pixviewi_owner_new(release);
    if (!image->owner)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for an owner of %zu bytes",
                             sizeof *image->owner);
    image->owner->held.pointers[0] = managed;
    return PIXVIEW_OK;
}

pixview_status pixview_image_from_dlpack_take(struct DLManagedTensorVersioned *tensor,
                                              pixview_layout layout, pixview_image *out,
                                              pixview_error *err)
{
    if (!tensor || !out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "tensor or out is NULL");
    if (tensor->version.major != DL_MAJOR) {
        uint32_t major = tensor->version.major, minor = tensor->version.minor;
        // Nothing behind `flags` may be read, but the deleter stays callable (dlpack.h 1.3).
        if (tensor->deleter)
            tensor->deleter(tensor);
        return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                             "DLPack version %u.%u; pixview reads %d.x: ask the exporter for "
                             "max_version=(%d, %d)",
                             (unsigned)major, (unsigned)minor, DL_MAJOR, DL_MAJOR, DL_MINOR);
    }
    pixview_image image;
    pixview_status status = read_tensor(&tensor->tensor, layout, &image, err);
    if (status == PIXVIEW_OK)
        status = hold(tensor, release_versioned, &image, err);
    if (status != PIXVIEW_OK)
        return status;
    image.flags = tensor->flags & DL_FLAG_READ_ONLY ? PIXVIEW_READ_ONLY : 0;
    *out = image;
    return PIXVIEW_OK;
}

pixview_status pixview_image_from_dlpack_legacy_take(struct DLManagedTensor *tensor,
                                                     pixview_layout layout, pixview_image *out,
                                                     pixview_error *err)
{
    if (!tensor || !out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "tensor or out is NULL");
    pixview_image image;
    pixview_status status = read_tensor(&tensor->tensor, layout, &image, err);
    if (status == PIXVIEW_OK)
        status = hold(tensor, release_legacy, &image, err);
    if (status == PIXVIEW_OK)
        *out = image;
    return status;
}

// ---- Export -----------------------------------------------------------------------------------

pixview_status pixviewi_write_dltensor(const pixview_image *image, pixview_layout layout,
                                       DlTensor *tensor, pixview_error *err)
{
    int ndim;
    pixview_status status =
        pixview_image_axes(image, layout, &ndim, tensor->shape, tensor->strides, err);
    if (PIXVIEWI_UNLIKELY(status != PIXVIEW_OK))
        return status;
    int64_t itemsize = pixview_dtype_size(image->dtype);
    if (PIXVIEWI_UNLIKELY(itemsize == 0))
        return pixviewi_fail(err, PIXVIEW_E_DTYPE, "dtype code %d, %d bits, %d lanes is unknown",
                             image->dtype.code, image->dtype.bits, image->dtype.lanes);
    int shift = __builtin_ctzll((unsigned long long)itemsize);
    for (int i = 0; i < ndim; i++) {
        if (PIXVIEWI_UNLIKELY(tensor->strides[i] & (itemsize - 1)))
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "strides[%d]=%lld is not a multiple of the itemsize %lld, as "
                                 "DLPack needs; copy the image",
                                 i, (long long)tensor->strides[i], (long long)itemsize);
        tensor->strides[i] >>= shift; // exact, so the sign does not matter
    }
    tensor->data = pixview_image_is_empty(image) ? NULL : image->data; // dlpack.h: NULL if empty
    tensor->device = (DlDevice){image->device.type, image->device.id};
    tensor->ndim = ndim;
    tensor->dtype = (DlDtype){image->dtype.code, image->dtype.bits, image->dtype.lanes};
    tensor->byte_offset = 0; // torch up to 2.9 and others ignore it
    return PIXVIEW_OK;
}

static void delete_slot(DlManaged *self) { pixviewi_slot_unref(self->manager_ctx); }

// The usual owner is new and known to nobody else: then no locked instruction is needed.
static bool take_embedded(pixview_owner *owner)
{
    if (PIXVIEWI_LIKELY(atomic_load_explicit(&owner->count, memory_order_acquire) == 1)) {
        bool taken = atomic_load_explicit(&owner->slot_taken, memory_order_relaxed);
        atomic_store_explicit(&owner->slot_taken, true, memory_order_relaxed);
        return !taken;
    }
    return !atomic_exchange_explicit(&owner->slot_taken, true, memory_order_acquire);
}

pixview_status pixviewi_slot_new(const pixview_image *image, pixview_layout layout,
                                 pixviewi_slot **out, pixview_error *err)
{
    pixview_owner *owner = image->owner;
    pixviewi_slot *slot = NULL;
    *out = NULL;
    bool embedded = owner && take_embedded(owner);
    slot = embedded ? &owner->slot : malloc(sizeof *slot);
    if (PIXVIEWI_UNLIKELY(!slot))
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for a DLPack struct of %zu bytes",
                             sizeof *slot);
    atomic_init(&slot->count, 1);
    slot->embedded = embedded;
    slot->owner = owner;
    slot->managed.version = (DlVersion){DL_MAJOR, DL_MINOR};
    slot->managed.manager_ctx = slot;
    slot->managed.deleter = delete_slot;
    slot->managed.flags = image->flags & PIXVIEW_READ_ONLY ? DL_FLAG_READ_ONLY : 0;
    slot->managed.tensor.shape = slot->shape;
    slot->managed.tensor.strides = slot->strides;
    pixview_owner_ref(owner);
    pixview_status status = pixviewi_write_dltensor(image, layout, &slot->managed.tensor, err);
    if (PIXVIEWI_UNLIKELY(status != PIXVIEW_OK)) {
        pixviewi_slot_unref(slot);
        return status;
    }
    *out = slot;
    return PIXVIEW_OK;
}

void pixviewi_slot_unref(pixviewi_slot *slot)
{
    if (!slot || atomic_fetch_sub_explicit(&slot->count, 1, memory_order_acq_rel) != 1)
        return;
    pixview_owner *owner = slot->owner;
    if (slot->embedded)
        atomic_store_explicit(&owner->slot_taken, false, memory_order_release);
    else
        free(slot);
    pixview_owner_unref(owner);
}

pixview_status pixview_image_to_dlpack(const pixview_image *image, pixview_layout layout,
                                       struct DLManagedTensorVersioned **out, pixview_error *err)
{
    if (!out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "out is NULL");
    *out = NULL;
    if (!image)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "image is NULL");
    pixviewi_slot *slot;
    pixview_status status = pixviewi_slot_new(image, layout, &slot, err);
    if (status == PIXVIEW_OK)
        *out = &slot->managed;
    return status;
}

typedef struct legacy_block {
    DlManagedLegacy managed;
    int64_t shape[4];
    int64_t strides[4];
    pixview_owner *owner;
} legacy_block;

static void delete_legacy(DlManagedLegacy *self)
{
    legacy_block *block = self->manager_ctx;
    pixview_owner *owner = block->owner;
    free(block);
    pixview_owner_unref(owner);
}

bool pixviewi_dlpack_is_ours(const DlManaged *copy, const void *at)
{
    return copy->deleter == delete_slot && copy->manager_ctx == at;
}

bool pixviewi_dlpack_legacy_is_ours(const DlManagedLegacy *copy, const void *at)
{
    return copy->deleter == delete_legacy && copy->manager_ctx == at;
}

pixview_owner *pixviewi_dlpack_legacy_owner(const DlManagedLegacy *managed)
{
    return ((const legacy_block *)managed)->owner;
}

pixview_status pixview_image_to_dlpack_legacy(const pixview_image *image, pixview_layout layout,
                                              struct DLManagedTensor **out, pixview_error *err)
{
    if (!out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "out is NULL");
    *out = NULL;
    if (!image)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "image is NULL");
    if (image->flags & PIXVIEW_READ_ONLY)
        return pixviewi_fail(err, PIXVIEW_E_READONLY,
                             "the image is read-only, which a DLPack struct before 1.0 cannot say; "
                             "ask for max_version=(1, 0) or copy");
    legacy_block *block = malloc(sizeof *block);
    if (!block)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for a DLPack struct of %zu bytes",
                             sizeof *block);
    block->managed.manager_ctx = block;
    block->managed.deleter = delete_legacy;
    block->managed.tensor.shape = block->shape;
    block->managed.tensor.strides = block->strides;
    pixview_status status = pixviewi_write_dltensor(image, layout, &block->managed.tensor, err);
    if (status != PIXVIEW_OK) {
        free(block);
        return status;
    }
    block->owner = image->owner;
    pixview_owner_ref(block->owner);
    *out = &block->managed;
    return PIXVIEW_OK;
}
