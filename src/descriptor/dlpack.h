// SPDX-License-Identifier: Apache-2.0
// DLPack structs of our own, and DLTensors of anybody's.
#ifndef PIXVIEWI_DLPACK_H
#define PIXVIEWI_DLPACK_H

#include <stdatomic.h>

#include "descriptor/dlpack_abi.h"
#include "descriptor/status.h"

typedef struct pixviewi_dlpack {
    // manager_ctx is the pixviewi_dlpack; consumers may copy the struct, never free by its address
    DlManaged managed;
    int64_t shape[4];
    int64_t strides[4]; // ELEMENTS
    atomic_int count;   // 1; 2 while a consumer is adopting it that may fail after its deleter ran
    bool embedded;      // part of the owner, not malloc'ed
    pixview_owner *owner;
} pixviewi_dlpack;

// A struct for `image` (made by pixview_image_init, perhaps without an owner) that counts the owner up.
// Fails as pixview_image_to_dlpack does.
pixview_status pixviewi_dlpack_new(const pixview_image *image, pixview_layout layout,
                                   pixviewi_dlpack **out, pixview_error *err);
// The same, but the image's count of its owner becomes the struct's: image->owner is NULL afterwards. On
// failure it stays.
pixview_status pixviewi_dlpack_new_take(pixview_image *image, pixview_layout layout,
                                        pixviewi_dlpack **out, pixview_error *err);
void pixviewi_dlpack_unref(pixviewi_dlpack *dlpack); // what the deleter does

// Is what was read at `at` a struct of ours, that is, the head of a pixviewi_dlpack, or of a legacy one?
bool pixviewi_dlpack_is_ours(const DlManaged *copy, const void *at);
bool pixviewi_dlpack_legacy_is_ours(const DlManagedLegacy *copy, const void *at);
pixview_owner *pixviewi_dlpack_legacy_owner(const DlManagedLegacy *managed);

// An owner that calls the deleter of somebody's struct in the end; NULL: no memory, and it is not taken.
pixview_owner *pixviewi_dlpack_owner_take(DlManaged *managed);
pixview_owner *pixviewi_dlpack_legacy_owner_take(DlManagedLegacy *managed);

// Fills `tensor`, whose shape and strides point to four entries each. It owns nothing.
pixview_status pixviewi_dltensor_write(const pixview_image *image, pixview_layout layout,
                                       DlTensor *tensor, pixview_error *err);

// ---- Reading a DLTensor -----------------------------------------------------------------------

// A DLTensor in the terms of pixview_image_init.
typedef struct pixviewi_tensor {
    void *data;
    const int64_t *shape;
    int64_t strides[4]; // BYTES
    bool packed;        // row-major, without strides
    int ndim;
    pixview_dtype dtype;
    int64_t itemsize; // 0 for a dtype that pixview does not know
    pixview_device device;
} pixviewi_tensor;

// Which of its checks a tensor fails, once more, in words.
__attribute__((cold)) pixview_status pixviewi_fail_dltensor(const DlTensor *tensor,
                                                            pixview_error *err);

// Reads what is at `tensor`, whose shape stays where it is. The axes may be 0 to 4, the dtype any.
static PIXVIEWI_INLINE pixview_status pixviewi_dltensor_read(const DlTensor *tensor,
                                                             pixviewi_tensor *out,
                                                             pixview_error *err)
{
    const int32_t type = tensor->device.type;
    bool bad = (type != PIXVIEW_DEVICE_CPU && type != PIXVIEW_DEVICE_CUDA &&
                type != PIXVIEW_DEVICE_CUDA_HOST && type != PIXVIEW_DEVICE_CUDA_MANAGED) ||
               (uint32_t)tensor->ndim > 4 || !tensor->shape;
    if (bad)
        return pixviewi_fail_dltensor(tensor, err);
    out->ndim = tensor->ndim;
    out->shape = tensor->shape;
    out->packed = !tensor->strides;
    out->dtype = (pixview_dtype){tensor->dtype.code, tensor->dtype.bits, tensor->dtype.lanes};
    out->itemsize = pixview_dtype_size(out->dtype);
    out->device = (pixview_device){type, tensor->device.id};
    for (int i = 0; tensor->strides && i < tensor->ndim; i++) {
        // An extent of 1 or 0 frees the stride from meaning anything.
        int64_t stride = tensor->shape[i] > 1 ? tensor->strides[i] : 0;
        bad |= __builtin_mul_overflow(stride, out->itemsize, &out->strides[i]);
    }
    // Integer arithmetic: the data of an empty tensor may be NULL.
    uintptr_t data;
    bad |= __builtin_add_overflow((uintptr_t)tensor->data, tensor->byte_offset, &data);
    out->data = tensor->data ? (void *)data : NULL;
    return bad ? pixviewi_fail_dltensor(tensor, err) : PIXVIEW_OK;
}

#endif
