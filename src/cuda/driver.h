// SPDX-License-Identifier: Apache-2.0
// The table of CUDA driver entry points, and what every file of src/cuda needs around a call.
//
// No CUDA header is used: the few types are declared here as the driver's ABI has them. Names are
// those of the current ABI (_v2): the plain names of the functions that have one are the ABI of
// CUDA 3 and corrupt contexts.
#ifndef PIXVIEWI_DRIVER_H
#define PIXVIEWI_DRIVER_H

#include "descriptor/status.h"

typedef struct pixviewi_memcpy2d { // CUDA_MEMCPY2D of the _v2 ABI
    size_t src_x, src_y;
    int src_type;
    const void *src_host;
    uint64_t src_device;
    void *src_array;
    size_t src_pitch;
    size_t dst_x, dst_y;
    int dst_type;
    void *dst_host;
    uint64_t dst_device;
    void *dst_array;
    size_t dst_pitch;
    size_t width, height;
} pixviewi_memcpy2d;

typedef struct pixviewi_ipc_handle { // CUipcMemHandle and CUipcEventHandle
    char bytes[64];
} pixviewi_ipc_handle;

typedef struct pixviewi_mem_location { // CUmemLocation
    int type;
    int id;
} pixviewi_mem_location;

typedef struct pixviewi_mem_prop { // CUmemAllocationProp
    int type;
    int handle_types;
    pixviewi_mem_location location;
    void *win32;
    unsigned char flags[8];
} pixviewi_mem_prop;

typedef struct pixviewi_mem_access { // CUmemAccessDesc
    pixviewi_mem_location location;
    int flags;
} pixviewi_mem_access;

// CUresult, CUdevice and the attribute enums are int, CUdeviceptr is uint64_t, handles are void *.
#define PIXVIEWI_DRIVER_FUNCTIONS(X)                                                            \
    X(init, cuInit, (unsigned flags))                                                           \
    X(driver_version, cuDriverGetVersion, (int *version))                                       \
    X(error_name, cuGetErrorName, (int code, const char **name))                                \
    X(error_string, cuGetErrorString, (int code, const char **text))                            \
    X(device_get, cuDeviceGet, (int *device, int ordinal))                                      \
    X(device_count, cuDeviceGetCount, (int *count))                                             \
    X(device_name, cuDeviceGetName, (char *name, int length, int device))                       \
    X(device_attribute, cuDeviceGetAttribute, (int *value, int attribute, int device))          \
    X(primary_retain, cuDevicePrimaryCtxRetain, (void **context, int device))                   \
    X(context_push, cuCtxPushCurrent_v2, (void *context))                                       \
    X(context_pop, cuCtxPopCurrent_v2, (void **context))                                        \
    X(context_device, cuCtxGetDevice, (int *device))                                            \
    X(context_current, cuCtxGetCurrent, (void **context))                                       \
    X(context_synchronize, cuCtxSynchronize, (void))                                            \
    X(pointer_attribute, cuPointerGetAttribute, (void *value, int attribute, uint64_t pointer)) \
    X(pointer_attributes, cuPointerGetAttributes,                                               \
      (unsigned count, int *attributes, void **values, uint64_t pointer))                       \
    X(event_create, cuEventCreate, (void **event, unsigned flags))                              \
    X(event_record, cuEventRecord, (void *event, void *stream))                                 \
    X(event_destroy, cuEventDestroy_v2, (void *event))                                          \
    X(event_query, cuEventQuery, (void *event))                                                 \
    X(stream_wait, cuStreamWaitEvent, (void *stream, void *event, unsigned flags))              \
    X(stream_synchronize, cuStreamSynchronize, (void *stream))                                  \
    X(stream_is_capturing, cuStreamIsCapturing, (void *stream, int *status))                    \
    X(stream_context, cuStreamGetCtx, (void *stream, void **context))                           \
    X(exchange_capture_mode, cuThreadExchangeStreamCaptureMode, (int *mode))                    \
    X(mem_alloc_async, cuMemAllocAsync, (uint64_t *pointer, size_t bytes, void *stream))        \
    X(mem_free_async, cuMemFreeAsync, (uint64_t pointer, void *stream))                         \
    X(memcpy2d_async, cuMemcpy2DAsync_v2, (const pixviewi_memcpy2d *copy, void *stream))        \
    X(module_load, cuModuleLoadData, (void **module, const void *image))                        \
    X(module_function, cuModuleGetFunction, (void **function, void *module, const char *name))  \
    X(launch, cuLaunchKernel,                                                                   \
      (void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,     \
       unsigned block_y, unsigned block_z, unsigned shared_bytes, void *stream, void **params,  \
       void **extra))

// Entry points that a supported driver may lack; NULL then.
#define PIXVIEWI_DRIVER_OPTIONAL(X)                                                               \
    X(context_id, cuCtxGetId, (void *context, unsigned long long *id))                            \
    X(capture_info, cuStreamGetCaptureInfo_v2,                                                    \
      (void *stream, int *status, uint64_t *id, void **graph, const void ***dependencies,         \
       size_t *count))                                                                            \
    X(user_object_create, cuUserObjectCreate,                                                     \
      (void **object, void *pointer, void (*destroy)(void *pointer), unsigned count,              \
       unsigned flags))                                                                           \
    X(user_object_release, cuUserObjectRelease, (void *object, unsigned count))                   \
    X(graph_retain, cuGraphRetainUserObject,                                                      \
      (void *graph, void *object, unsigned count, unsigned flags))                                \
    X(device_uuid, cuDeviceGetUuid_v2, (unsigned char uuid[16], int device))                      \
    X(can_access_peer, cuDeviceCanAccessPeer, (int *can, int device, int peer))                   \
    X(memcpy_async, cuMemcpyAsync, (uint64_t dst, uint64_t src, size_t bytes, void *stream))      \
    X(mem_granularity, cuMemGetAllocationGranularity,                                             \
      (size_t *bytes, const pixviewi_mem_prop *prop, int option))                                 \
    X(mem_create, cuMemCreate,                                                                    \
      (uint64_t *handle, size_t bytes, const pixviewi_mem_prop *prop, unsigned long long flags))  \
    X(mem_release, cuMemRelease, (uint64_t handle))                                               \
    X(mem_export, cuMemExportToShareableHandle,                                                   \
      (void *out, uint64_t handle, int type, unsigned long long flags))                           \
    X(mem_import, cuMemImportFromShareableHandle, (uint64_t *handle, void *os_handle, int type))  \
    X(address_reserve, cuMemAddressReserve,                                                       \
      (uint64_t *pointer, size_t bytes, size_t alignment, uint64_t wish,                          \
       unsigned long long flags))                                                                 \
    X(address_free, cuMemAddressFree, (uint64_t pointer, size_t bytes))                           \
    X(mem_map, cuMemMap,                                                                          \
      (uint64_t pointer, size_t bytes, size_t offset, uint64_t handle, unsigned long long flags)) \
    X(mem_unmap, cuMemUnmap, (uint64_t pointer, size_t bytes))                                    \
    X(mem_set_access, cuMemSetAccess,                                                             \
      (uint64_t pointer, size_t bytes, const pixviewi_mem_access *access, size_t count))          \
    X(ipc_get_memory, cuIpcGetMemHandle, (pixviewi_ipc_handle * handle, uint64_t pointer))        \
    X(ipc_open_memory, cuIpcOpenMemHandle_v2,                                                     \
      (uint64_t *pointer, pixviewi_ipc_handle handle, unsigned flags))                            \
    X(ipc_close_memory, cuIpcCloseMemHandle, (uint64_t pointer))                                  \
    X(ipc_get_event, cuIpcGetEventHandle, (pixviewi_ipc_handle * handle, void *event))            \
    X(ipc_open_event, cuIpcOpenEventHandle, (void **event, pixviewi_ipc_handle handle))           \
    X(event_synchronize, cuEventSynchronize, (void *event))

typedef struct pixviewi_driver {
#define MEMBER(name, symbol, parameters) int(*name) parameters;
    PIXVIEWI_DRIVER_FUNCTIONS(MEMBER)
    PIXVIEWI_DRIVER_OPTIONAL(MEMBER)
#undef MEMBER
    int count; // visible GPUs
} pixviewi_driver;

enum {
    CU_SUCCESS = 0,
    CU_INVALID_VALUE = 1,
    CU_NOT_INITIALIZED = 3,
    CU_NO_DEVICE = 100,
    CU_INVALID_DEVICE = 101,
    CU_INVALID_IMAGE = 200,
    CU_INVALID_CONTEXT = 201,
    CU_NO_BINARY_FOR_GPU = 209,
    CU_UNSUPPORTED_PTX_VERSION = 222,
    CU_NOT_READY = 600,
    CU_CONTEXT_IS_DESTROYED = 709,
    CU_CAPTURE_UNSUPPORTED = 900,
    CU_CAPTURE_ISOLATION = 905,
    CU_CAPTURE_IMPLICIT = 906
};
enum { CU_EVENT_WITHOUT_TIMING = 2, CU_MODE_RELAXED = 2, CU_CAPTURE_ACTIVE = 1 };
enum { CU_USER_OBJECT_NO_SYNC = 1, CU_GRAPH_TAKES_USER_OBJECT = 1 };
enum { CU_MEMORY_HOST = 1, CU_MEMORY_DEVICE = 2 };
enum {
    CU_POINTER_MEMORY_TYPE = 2,
    CU_POINTER_BUFFER_ID = 7,
    CU_POINTER_IS_MANAGED = 8,
    CU_POINTER_DEVICE_ORDINAL = 9,
    CU_POINTER_IS_LEGACY_IPC_CAPABLE = 10,
    CU_POINTER_RANGE_START = 11,
    CU_POINTER_RANGE_SIZE = 12,
    CU_POINTER_HANDLE_TYPES = 14,
    CU_POINTER_MEMPOOL = 17
};
enum { CU_DEVICE_HAS_VMM = 102, CU_DEVICE_HAS_FD = 103, CU_DEVICE_HAS_IPC_EVENT = 125 };
enum { CU_EVENT_INTERPROCESS = 4, CU_IPC_LAZY_PEER = 1 };
enum { CU_MEM_PINNED = 1, CU_MEM_HANDLE_FD = 1, CU_MEM_ON_DEVICE = 1, CU_MEM_READ_WRITE = 3 };
enum { CU_COMPUTE_MAJOR = 75, CU_COMPUTE_MINOR = 76 };
enum { PIXVIEWI_MAX_DEVICES = 64 };

// The table, loaded on first need by whatever thread comes first. NULL and an error without one;
// a failure is remembered.
const pixviewi_driver *pixviewi_driver_get(pixview_error *err);

// PIXVIEW_E_CUDA with the driver's name for `code`. `what` says what was tried.
__attribute__((cold)) pixview_status pixviewi_driver_fail(pixview_error *err,
                                                          const pixviewi_driver *driver, int code,
                                                          const char *what);

// Was this process forked from one that had loaded the driver?
bool pixviewi_driver_forked(void);

#endif
