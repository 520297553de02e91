// SPDX-License-Identifier: Apache-2.0
// The offsets that other people's binaries rely on: the public structs, and DLPack's.
//
// With -DREAL_DLPACK_H='"path/of/dlpack.h"' our private DLPack is compared with that header too.
#ifdef REAL_DLPACK_H
// The real header and ours both name the two managed structs: keep its names out of the way.
#define DLManagedTensor          real_managed
#define DLManagedTensorVersioned real_versioned
#include REAL_DLPACK_H
#undef DLManagedTensor
#undef DLManagedTensorVersioned
#endif

#include <stddef.h>

#include "descriptor/dlpack.h"
#include "descriptor/image.h"
#include "descriptor/owner.h"
#include "descriptor/stream.h"

#define AT(type, member, offset) \
    _Static_assert(offsetof(type, member) == (offset), #type "." #member)
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), "size of " #type)

SIZE(pixview_status, 4);
SIZE(pixview_dtype, 4);
SIZE(pixview_device, 8);
SIZE(pixview_stream, 8);
SIZE(pixview_layout, 4);

SIZE(pixview_error, 256);
AT(pixview_error, code, 0);
AT(pixview_error, driver_code, 4);
AT(pixview_error, message, 8);

SIZE(pixview_image, 112);
AT(pixview_image, data, 0);
AT(pixview_image, shape, 8);
AT(pixview_image, strides, 40);
AT(pixview_image, dtype, 72);
AT(pixview_image, device, 76);
AT(pixview_image, flags, 84);
AT(pixview_image, stream, 88);
AT(pixview_image, owner, 96);
AT(pixview_image, reserved, 104);

SIZE(pixview_copy_params, 16);
AT(pixview_copy_params, struct_size, 0);
AT(pixview_copy_params, stream, 8);

_Static_assert(PIXVIEW_OK == 0 && PIXVIEW_E_INVALID == -1 && PIXVIEW_E_MEMORY == -8, "statuses");
_Static_assert(PIXVIEW_LAYOUT_HW == 1 && PIXVIEW_LAYOUT_NHWC == 5 && PIXVIEW_FLAG_READ_ONLY == 1,
               "enums");

// DLPack 1.3, LP64.
SIZE(DlVersion, 8);
SIZE(DlDevice, 8);
SIZE(DlDtype, 4);
AT(DlDtype, lanes, 2);
SIZE(DlTensor, 48);
AT(DlTensor, data, 0);
AT(DlTensor, device, 8);
AT(DlTensor, ndim, 16);
AT(DlTensor, dtype, 20);
AT(DlTensor, shape, 24);
AT(DlTensor, strides, 32);
AT(DlTensor, byte_offset, 40);
SIZE(DlManagedLegacy, 64);
AT(DlManagedLegacy, tensor, 0);
AT(DlManagedLegacy, manager_ctx, 48);
AT(DlManagedLegacy, deleter, 56);
SIZE(DlManaged, 80);
AT(DlManaged, version, 0);
AT(DlManaged, manager_ctx, 8);
AT(DlManaged, deleter, 16);
AT(DlManaged, flags, 24);
AT(DlManaged, tensor, 32);
AT(DlExchange, allocator, 16);
AT(DlExchange, from_py, 24);
AT(DlExchange, to_py, 32);
AT(DlExchange, dltensor_from_py, 40);
AT(DlExchange, current_work_stream, 48);

// Images and DLPack name types and devices alike.
SIZE(pixview_dtype, sizeof(DlDtype));
SIZE(pixview_device, sizeof(DlDevice));

#ifdef REAL_DLPACK_H
#define SAME(ours, member, theirs, their_member) \
    _Static_assert(offsetof(ours, member) == offsetof(theirs, their_member), #ours "." #member)
SIZE(DlTensor, sizeof(DLTensor));
SAME(DlTensor, data, DLTensor, data);
SAME(DlTensor, device, DLTensor, device);
SAME(DlTensor, ndim, DLTensor, ndim);
SAME(DlTensor, dtype, DLTensor, dtype);
SAME(DlTensor, shape, DLTensor, shape);
SAME(DlTensor, strides, DLTensor, strides);
SAME(DlTensor, byte_offset, DLTensor, byte_offset);
SIZE(DlManagedLegacy, sizeof(struct real_managed));
SAME(DlManagedLegacy, tensor, struct real_managed, dl_tensor);
SAME(DlManagedLegacy, manager_ctx, struct real_managed, manager_ctx);
SAME(DlManagedLegacy, deleter, struct real_managed, deleter);
SIZE(DlManaged, sizeof(struct real_versioned));
SAME(DlManaged, version, struct real_versioned, version);
SAME(DlManaged, manager_ctx, struct real_versioned, manager_ctx);
SAME(DlManaged, deleter, struct real_versioned, deleter);
SAME(DlManaged, flags, struct real_versioned, flags);
SAME(DlManaged, tensor, struct real_versioned, dl_tensor);
_Static_assert((int)PIXVIEW_DEVICE_CPU == kDLCPU && (int)PIXVIEW_DEVICE_CUDA == kDLCUDA &&
                   (int)PIXVIEW_DEVICE_CUDA_HOST == kDLCUDAHost &&
                   (int)PIXVIEW_DEVICE_CUDA_MANAGED == kDLCUDAManaged,
               "devices");
_Static_assert((int)PIXVIEW_DTYPE_INT == kDLInt && (int)PIXVIEW_DTYPE_UINT == kDLUInt &&
                   (int)PIXVIEW_DTYPE_FLOAT == kDLFloat && (int)PIXVIEW_DTYPE_BFLOAT == kDLBfloat &&
                   (int)PIXVIEW_DTYPE_COMPLEX == kDLComplex && (int)PIXVIEW_DTYPE_BOOL == kDLBool,
               "dtypes");
_Static_assert(DL_MAJOR == DLPACK_MAJOR_VERSION, "version");
_Static_assert(DL_FLAG_READ_ONLY == DLPACK_FLAG_BITMASK_READ_ONLY &&
                   DL_FLAG_IS_COPIED == DLPACK_FLAG_BITMASK_IS_COPIED,
               "flags");
#if DLPACK_MAJOR_VERSION == 1 && DLPACK_MINOR_VERSION >= 3
SIZE(DlExchange, sizeof(DLPackExchangeAPI));
SAME(DlExchange, allocator, DLPackExchangeAPI, managed_tensor_allocator);
SAME(DlExchange, from_py, DLPackExchangeAPI, managed_tensor_from_py_object_no_sync);
SAME(DlExchange, to_py, DLPackExchangeAPI, managed_tensor_to_py_object_no_sync);
SAME(DlExchange, dltensor_from_py, DLPackExchangeAPI, dltensor_from_py_object_no_sync);
SAME(DlExchange, current_work_stream, DLPackExchangeAPI, current_work_stream);
#endif
#endif

int main(void) { return 0; }
