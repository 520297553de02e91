// SPDX-License-Identifier: Apache-2.0
// Our private copy of the DLPack 1.3 ABI (dmlc/dlpack, tag v1.3), in our own names so that it never
// meets a user's dlpack.h. tests/c/abi_layout.c checks it against a real one where there is one.
#ifndef PIXVIEWI_DLPACK_ABI_H
#define PIXVIEWI_DLPACK_ABI_H

#include <stdint.h>

typedef struct {
    uint32_t major;
    uint32_t minor;
} DlVersion;

typedef struct {
    int32_t type;
    int32_t id;
} DlDevice;

typedef struct {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
} DlDtype;

typedef struct {
    void *data;
    DlDevice device;
    int32_t ndim;
    DlDtype dtype;
    int64_t *shape;
    int64_t *strides; // ELEMENTS; NULL before 1.2: packed row-major
    uint64_t byte_offset;
} DlTensor;

typedef struct DLManagedTensor {
    DlTensor tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self); // may be NULL
} DlManagedLegacy;

typedef struct DLManagedTensorVersioned {
    DlVersion version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self); // may be NULL
    uint64_t flags;
    DlTensor tensor;
} DlManaged;

enum { DL_FLAG_READ_ONLY = 1, DL_FLAG_IS_COPIED = 2 };
enum { DL_MAJOR = 1, DL_MINOR = 3 };

typedef struct DlExchangeHeader {
    DlVersion version;
    struct DlExchangeHeader *prev_api;
} DlExchangeHeader;

// The DLPack C exchange API (1.3). The functions that take or give a PyObject need the GIL, return
// 0 or -1, and set a Python error on -1. The allocator reports through set_error instead.
typedef struct {
    DlExchangeHeader header;
    int (*allocator)(DlTensor *prototype, DlManaged **out, void *error_ctx,
                     void (*set_error)(void *error_ctx, const char *kind, const char *message));
    int (*from_py)(void *object, DlManaged **out);
    int (*to_py)(DlManaged *tensor, void **out_object);
    int (*dltensor_from_py)(void *object, DlTensor *out); // may be NULL
    int (*current_work_stream)(int32_t device_type, int32_t device_id, void **out_stream);
} DlExchange;

#endif
