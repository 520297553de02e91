// SPDX-License-Identifier: Apache-2.0
// DLPack import and export, legacy and versioned.
//
// Our block is always found through manager_ctx: some consumers copy the struct and call the
// deleter with the copy's address (dlpack.h: `self` is whatever the consumer passes). A deleter
// may run on any thread and touches no Python.
#include "descriptor/dlpack.h"

#include <assert.h>
#include <stdlib.h>

#include "descriptor/axes.h"
#include "descriptor/image.h"
#include "descriptor/owner.h"

// ---- Import -----------------------------------------------------------------------------------

// After exit began, the allocator behind device memory may be gone: leave it to the driver.
static bool may_release(const DlTensor *tensor)
{
    return tensor->device.type == PIXVIEW_DEVICE_CPU || !pixviewi_exiting();
}

static void release_versioned(pixview_owner *self)
{
    DlManaged *managed = *(DlManaged **)pixviewi_owner_held(self);
    if (managed->deleter && may_release(&managed->tensor))
        managed->deleter(managed);
}

static void release_legacy(pixview_owner *self)
{
    DlManagedLegacy *managed = *(DlManagedLegacy **)pixviewi_owner_held(self);
    if (managed->deleter && may_release(&managed->tensor))
        managed->deleter(managed);
}

pixview_status pixviewi_fail_dltensor(const DlTensor *tensor, pixview_error *err)
{
    int32_t type = tensor->device.type;
    if (type != PIXVIEW_DEVICE_CPU && type != PIXVIEW_DEVICE_CUDA &&
        type != PIXVIEW_DEVICE_CUDA_HOST && type != PIXVIEW_DEVICE_CUDA_MANAGED)
        return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                             "DLPack device type %d is none of CPU (1), CUDA (2), CUDA pinned (3), "
                             "CUDA managed (13)",
                             (int)type);
    if (tensor->ndim < 2 || tensor->ndim > 4)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "the tensor has %d axes; an image has 2 to 4: index or reshape it "
                             "first",
                             (int)tensor->ndim);
    if (!tensor->shape)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "the tensor's shape is NULL");
    int64_t itemsize = pixview_dtype_size(
        (pixview_dtype){tensor->dtype.code, tensor->dtype.bits, tensor->dtype.lanes});
    int64_t bytes;
    for (int i = 0; tensor->strides && i < tensor->ndim; i++)
        if (tensor->shape[i] > 1 && __builtin_mul_overflow(tensor->strides[i], itemsize, &bytes))
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "strides[%d]=%lld elements of %lld bytes leaves the address space",
                                 i, (long long)tensor->strides[i], (long long)itemsize);
    return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                         "byte_offset=%llu from address %p leaves the address space",
                         (unsigned long long)tensor->byte_offset, tensor->data);
}

static pixview_owner *owner_take(void *managed, void (*release)(pixview_owner *))
{
    pixview_owner *owner = pixviewi_owner_new(release);
    if (owner)
        *(void **)pixviewi_owner_held(owner) = managed;
    return owner;
}

// An image of the tensor, with an owner that holds `managed`.
static pixview_status import_take(const DlTensor *tensor, pixview_layout layout, void *managed,
                                  void (*release)(pixview_owner *), pixview_image *out,
                                  pixview_error *err)
{
    pixviewi_tensor t;
    pixview_image image;
    pixview_status status = pixviewi_dltensor_read(tensor, &t, err);
    if (status == PIXVIEW_OK) // which refuses an itemsize of 0
        status = pixview_image_init(&image, t.data, t.ndim, t.shape, t.packed ? NULL : t.strides,
                                    t.dtype, t.device, layout, err);
    if (status != PIXVIEW_OK)
        return status;
    image.owner = owner_take(managed, release);
    if (!image.owner)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for an owner");
    *out = image;
    return PIXVIEW_OK;
}

pixview_owner *pixviewi_dlpack_owner_take(DlManaged *managed)
{
    return owner_take(managed, release_versioned);
}

pixview_owner *pixviewi_dlpack_legacy_owner_take(DlManagedLegacy *managed)
{
    return owner_take(managed, release_legacy);
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
    pixview_status status =
        import_take(&tensor->tensor, layout, tensor, release_versioned, out, err);
    if (status == PIXVIEW_OK && tensor->flags & DL_FLAG_READ_ONLY)
        out->flags = PIXVIEW_FLAG_READ_ONLY;
    return status;
}

pixview_status pixview_image_from_dlpack_legacy_take(struct DLManagedTensor *tensor,
                                                     pixview_layout layout, pixview_image *out,
                                                     pixview_error *err)
{
    if (!tensor || !out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "tensor or out is NULL");
    return import_take(&tensor->tensor, layout, tensor, release_legacy, out, err);
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

static PIXVIEWI_INLINE pixview_status write_tensor(const pixview_image *image,
                                                   pixview_layout layout, DlTensor *tensor,
                                                   pixview_error *err)
{
    const pixviewi_axes *axes = &pixviewi_layouts[layout];
    int64_t itemsize = pixviewi_itemsize(image);
    if (pixviewi_has_absent(image, axes))
        return pixviewi_fail_absent(image, axes, err);
    // The shift is exact, so the sign does not matter.
    int shift = __builtin_ctzll((unsigned long long)itemsize);
    int64_t all = pixviewi_order_axes(image, axes, itemsize, shift, tensor->shape, tensor->strides);
    if ((all & (itemsize - 1)) != 0)
        return fail_stride(image, axes, itemsize, err);
    assert(itemsize > 0 && (itemsize & (itemsize - 1)) == 0 && axes->rank >= 2);
    tensor->data = image->data;
    if (pixview_image_is_empty(image))
        tensor->data = NULL; // as dlpack.h says
    tensor->device = (DlDevice){image->device.type, image->device.id};
    tensor->ndim = axes->rank;
    tensor->dtype = (DlDtype){image->dtype.code, image->dtype.bits, image->dtype.lanes};
    tensor->byte_offset = 0; // torch up to 2.9 and others ignore it
    return PIXVIEW_OK;
}

pixview_status pixviewi_dltensor_write(const pixview_image *image, pixview_layout layout,
                                       DlTensor *tensor, pixview_error *err)
{
    return write_tensor(image, layout, tensor, err);
}

static void delete_struct(DlManaged *self) { pixviewi_dlpack_unref(self->manager_ctx); }

static void free_struct(pixviewi_dlpack *dlpack)
{
    if (dlpack->embedded)
        pixviewi_owner_return_dlpack(dlpack->owner);
    else
        free(dlpack);
}

// Of `image`'s owner, not yet counted.
static PIXVIEWI_INLINE pixview_status make_struct(const pixview_image *image, pixview_layout layout,
                                                  bool alone, pixviewi_dlpack **out,
                                                  pixview_error *err)
{
    pixviewi_dlpack *dlpack = NULL;
    *out = NULL;
    if (image->owner)
        dlpack = pixviewi_owner_lend_dlpack(image->owner, alone);
    bool embedded = dlpack != NULL;
    if (!embedded)
        dlpack = malloc(sizeof *dlpack);
    if (!dlpack)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for a DLPack struct of %zu bytes",
                             sizeof *dlpack);
    atomic_init(&dlpack->count, 1);
    dlpack->embedded = embedded;
    dlpack->owner = image->owner;
    dlpack->managed.version = (DlVersion){DL_MAJOR, DL_MINOR};
    dlpack->managed.manager_ctx = dlpack;
    dlpack->managed.deleter = delete_struct;
    dlpack->managed.flags = image->flags & PIXVIEW_FLAG_READ_ONLY ? DL_FLAG_READ_ONLY : 0;
    dlpack->managed.tensor.shape = dlpack->shape;
    dlpack->managed.tensor.strides = dlpack->strides;
    pixview_status status = write_tensor(image, layout, &dlpack->managed.tensor, err);
    if (status != PIXVIEW_OK) {
        free_struct(dlpack);
        return status;
    }
    const DlTensor *tensor = &dlpack->managed.tensor;
    assert(tensor->ndim == pixview_layout_rank(layout) && tensor->shape == dlpack->shape);
    assert((uintptr_t)tensor->data %
               (uintptr_t)(tensor->dtype.bits < 64 ? tensor->dtype.bits / 8 : 8) ==
           0);
    (void)tensor;
    *out = dlpack;
    return status;
}

pixview_status pixviewi_dlpack_new(const pixview_image *image, pixview_layout layout,
                                   pixviewi_dlpack **out, pixview_error *err)
{
    pixview_status status = make_struct(image, layout, false, out, err);
    if (status == PIXVIEW_OK)
        pixview_owner_ref(image->owner);
    return status;
}

pixview_status pixviewi_dlpack_new_take(pixview_image *image, pixview_layout layout,
                                        pixviewi_dlpack **out, pixview_error *err)
{
    pixview_status status = make_struct(image, layout, true, out, err);
    if (status == PIXVIEW_OK)
        image->owner = NULL;
    return status;
}

void pixviewi_dlpack_unref(pixviewi_dlpack *dlpack)
{
    if (!dlpack)
        return;
    int count = atomic_load_explicit(&dlpack->count, memory_order_acquire);
    if (count != 1)
        count = atomic_fetch_sub_explicit(&dlpack->count, 1, memory_order_acq_rel);
    assert(count == 1 || count == 2);
    if (count != 1)
        return;
    pixview_owner *owner = dlpack->owner;
    free_struct(dlpack);
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
    pixviewi_dlpack *dlpack;
    pixview_status status = check_exported(image, layout, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_dlpack_new(image, layout, &dlpack, err);
    if (status == PIXVIEW_OK)
        *out = &dlpack->managed;
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
    return copy->deleter == delete_struct && copy->manager_ctx == at;
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
                             "the image is read-only, and a DLPack struct before 1.0 has no "
                             "read-only flag; request max_version=(1, 0), or copy the image");
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
