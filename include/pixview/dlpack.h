// SPDX-License-Identifier: Apache-2.0
// DLPack import and export, legacy (before 1.0) and versioned (1.x), without Python.
//
// The structs are only declared, so that any version of the user's own <dlpack/dlpack.h> fits beside.
#ifndef PIXVIEW_DLPACK_H
#define PIXVIEW_DLPACK_H

#include "image.h"

#ifdef __cplusplus
extern "C" {
#endif

struct DLManagedTensor;
struct DLManagedTensorVersioned;

// Reads a managed tensor into `out`, with the axes in the order `layout`.
//
// Memory:   on success out->owner owns the tensor: its deleter runs at the last unref. On failure the
//           tensor stays the caller's. Exception: a versioned tensor of another major version is released
//           by the function and must not be touched again (dlpack.h 1.3, DLPackVersion).
// Notes:    NULL strides mean packed row-major (before DLPack 1.2); byte_offset is added; READ_ONLY kept.
// Returns:  PIXVIEW_OK, PIXVIEW_E_LAYOUT, PIXVIEW_E_DTYPE, PIXVIEW_E_DEVICE (a device type that is not
//           CPU, CUDA, pinned or managed), PIXVIEW_E_UNSUPPORTED (major version), PIXVIEW_E_MEMORY
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_image_from_dlpack_take(struct DLManagedTensorVersioned *tensor, pixview_layout layout,
                               pixview_image *out, pixview_error *err);
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_image_from_dlpack_legacy_take(
    struct DLManagedTensor *tensor, pixview_layout layout, pixview_image *out, pixview_error *err);

// Describes `image` as a managed tensor with its axes in the order `layout`: exact pointer,
// byte_offset 0, strides always filled, a deleter that may run on any thread.
//
// Memory:   the tensor counts image->owner up; its deleter gives that count back. With a NULL owner the
//           memory must outlive the tensor.
// Returns:  PIXVIEW_OK
//           PIXVIEW_E_LAYOUT    the layout would drop an axis, or a stride is no multiple of the itemsize
//           PIXVIEW_E_READONLY  legacy only: the struct has no read-only flag
//           PIXVIEW_E_MEMORY
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_image_to_dlpack(const pixview_image *image, pixview_layout layout,
                        struct DLManagedTensorVersioned **out, pixview_error *err);
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_image_to_dlpack_legacy(const pixview_image *image, pixview_layout layout,
                               struct DLManagedTensor **out, pixview_error *err);

#ifdef __cplusplus
}
#endif

#endif
