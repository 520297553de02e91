// DLPack import and export, legacy and versioned.
//
// Our block is always found through manager_ctx: some consumers copy the struct and call the
// deleter with the copy's address (dlpack.h: `self` is whatever the consumer passes). A deleter
// may run on any thread and touches no Python.
#include <stdlib.h>

#include "cuda/cuda.h"
#include "descriptor/axes.h"

// ---- Import -----------------------------------------------------------------------------------

static bool frees_no_device_memory(const DlTensor *tensor)
{
    return tensor->device.type == PIXVIEW_DEVICE_CPU;
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
    if (type != PIXVIEW_DEVICE_CPU && type != PIXVIEW_DEVICE_CUDA &&
        type != PIXVIEW_DEVICE_CUDA_HOST && type != PIXVIEW_DEVICE_CUDA_MANAGED)
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
    uintptr_t data;
    if (__builtin_add_overflow((uintptr_t)tensor->data, tensor->byte_offset, &data))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "byte_offset=%llu from address %p leaves the address space",
                             (unsigned long long)tensor->byte_offset, tensor->data);
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
    image.flags = tensor->flags & DL_FLAG_READ_ONLY ? PIXVIEW_FLAG_READ_ONLY : 0;
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

__attribute__((cold)) static pixview_status fail_stride(const pixview_image *image,
                                                        const pixviewi_axes *axes, int64_t itemsize,
                                                        pixview_error *err)
{
    int i = 0;
    while (i < axes->rank - 1 && image->strides[axes->axis[i]] % itemsize == 0)
        i++;
    return pixviewi_fail(
        err, PIXVIEW_E_LAYOUT,
        "strides[%d]=%lld is not a multiple of the itemsize %lld, as DLPack needs; "
        "copy the image",
        i, (long long)image->strides[axes->axis[i]], (long long)itemsize);
}

// Fills `tensor`, whose shape and strides point to four entries each.
static PIXVIEWI_INLINE pixview_status write_tensor(const pixview_image *image,
                                                   pixview_layout layout, DlTensor *tensor,
                                                   pixview_error *err)
{
    const pixviewi_axes *axes = &pixviewi_layouts[layout];
    int64_t itemsize = pixviewi_itemsize(image);
    if (PIXVIEWI_UNLIKELY(pixviewi_has_absent(image, axes)))
        return pixviewi_fail_absent(image, axes, err);
    // The shift is exact, so the sign does not matter.
    int shift = __builtin_ctzll((unsigned long long)itemsize);
    int64_t all = pixviewi_order_axes(image, axes, itemsize, shift, tensor->shape, tensor->strides);
    if (PIXVIEWI_UNLIKELY((all & (itemsize - 1)) != 0))
        return fail_stride(image, axes, itemsize, err);
    tensor->data = image->data;
    if (PIXVIEWI_UNLIKELY(pixview_image_is_empty(image)))
        tensor->data = NULL; // as dlpack.h says
    tensor->device = (DlDevice){image->device.type, image->device.id};
    tensor->ndim = axes->rank;
    tensor->dtype = (DlDtype){image->dtype.code, image->dtype.bits, image->dtype.lanes};
    tensor->byte_offset = 0; // torch up to 2.9 and others ignore it
    return PIXVIEW_OK;
}

pixview_status pixviewi_write_dltensor(const pixview_image *image, pixview_layout layout,
                                       DlTensor *tensor, pixview_error *err)
{
    return write_tensor(image, layout, tensor, err);
}

PIXVIEWI_HOT static void delete_slot(DlManaged *self) { pixviewi_dlpack_unref(self->manager_ctx); }

static bool take_embedded(pixview_owner *owner)
{
    return owner && !atomic_exchange_explicit(&owner->dlpack_in_use, true, memory_order_acquire);
}

// The same for an owner whose only count the caller gives away: nobody else can ask.
static bool take_embedded_alone(pixview_owner *owner)
{
    if (PIXVIEWI_UNLIKELY(!owner || atomic_load_explicit(&owner->count, memory_order_acquire) != 1))
        return take_embedded(owner);
    bool taken = atomic_load_explicit(&owner->dlpack_in_use, memory_order_relaxed);
    atomic_store_explicit(&owner->dlpack_in_use, true, memory_order_relaxed);
    return !taken;
}

static void free_slot(pixviewi_dlpack *slot)
{
    if (PIXVIEWI_LIKELY(slot->embedded))
        atomic_store_explicit(&slot->owner->dlpack_in_use, false, memory_order_release);
    else
        free(slot);
}

// Of `image`'s owner, not yet counted.
static PIXVIEWI_INLINE pixview_status make_slot(const pixview_image *image, pixview_layout layout,
                                                bool embedded, pixviewi_dlpack **out,
                                                pixview_error *err)
{
    *out = NULL;
    pixviewi_dlpack *slot = PIXVIEWI_LIKELY(embedded) ? &image->owner->slot : malloc(sizeof *slot);
    if (PIXVIEWI_UNLIKELY(!slot))
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for a DLPack struct of %zu bytes",
                             sizeof *slot);
    atomic_init(&slot->count, 1);
    slot->embedded = embedded;
    slot->owner = image->owner;
    slot->managed.version = (DlVersion){DL_MAJOR, DL_MINOR};
    slot->managed.manager_ctx = slot;
    slot->managed.deleter = delete_slot;
    slot->managed.flags = image->flags & PIXVIEW_FLAG_READ_ONLY ? DL_FLAG_READ_ONLY : 0;
    slot->managed.tensor.shape = slot->shape;
    slot->managed.tensor.strides = slot->strides;
    pixview_status status = write_tensor(image, layout, &slot->managed.tensor, err);
    if (PIXVIEWI_UNLIKELY(status != PIXVIEW_OK))
        free_slot(slot);
    else
        *out = slot;
    return status;
}

pixview_status pixviewi_dlpack_new(const pixview_image *image, pixview_layout layout,
                                   pixviewi_dlpack **out, pixview_error *err)
{
    pixview_status status = make_slot(image, layout, take_embedded(image->owner), out, err);
    if (status == PIXVIEW_OK)
        pixview_owner_ref(image->owner);
    return status;
}

PIXVIEWI_HOT pixview_status pixviewi_dlpack_new_take(pixview_image *image, pixview_layout layout,
                                                     pixviewi_dlpack **out, pixview_error *err)
{
    pixview_status status = make_slot(image, layout, take_embedded_alone(image->owner), out, err);
    if (PIXVIEWI_LIKELY(status == PIXVIEW_OK))
        image->owner = NULL;
    return status;
}

PIXVIEWI_HOT void pixviewi_dlpack_unref(pixviewi_dlpack *slot)
{
    if (!slot)
        return;
    if (PIXVIEWI_UNLIKELY(atomic_load_explicit(&slot->count, memory_order_acquire) != 1) &&
        atomic_fetch_sub_explicit(&slot->count, 1, memory_order_acq_rel) != 1)
        return;
    pixview_owner *owner = slot->owner;
    free_slot(slot);
    pixview_owner_unref(owner);
}

// For images that the user filled.
static pixview_status check_exported(const pixview_image *image, pixview_layout layout,
                                     pixview_error *err)
{
    if (!image)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "image is NULL");
    if (!pixviewi_layout_axes(layout))
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "layout %d is none", (int)layout);
    if (pixview_dtype_size(image->dtype) == 0)
        return pixviewi_fail(err, PIXVIEW_E_DTYPE, "dtype code %d, %d bits, %d lanes is unknown",
                             image->dtype.code, image->dtype.bits, image->dtype.lanes);
    return PIXVIEW_OK;
}

pixview_status pixview_image_to_dlpack(const pixview_image *image, pixview_layout layout,
                                       struct DLManagedTensorVersioned **out, pixview_error *err)
{
    if (!out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "out is NULL");
    *out = NULL;
    pixviewi_dlpack *slot;
    pixview_status status = check_exported(image, layout, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_dlpack_new(image, layout, &slot, err);
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
    pixview_status status = check_exported(image, layout, err);
    if (status != PIXVIEW_OK)
        return status;
    if (image->flags & PIXVIEW_FLAG_READ_ONLY)
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
    status = write_tensor(image, layout, &block->managed.tensor, err);
    if (status != PIXVIEW_OK) {
        free(block);
        return status;
    }
    block->owner = image->owner;
    pixview_owner_ref(block->owner);
    *out = &block->managed;
    return PIXVIEW_OK;
}
