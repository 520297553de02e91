// SPDX-License-Identifier: Apache-2.0
// Memory that several processes map.
#include "cuda/shared.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda/context.h"
#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/stream.h"

// ---- By a file descriptor ---------------------------------------------------------------------------

static pixview_status enter(pixviewi_scope *scope, int device, pixview_error *err)
{
    pixview_status status = pixviewi_scope_enter(scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    status = pixviewi_scope_relax(scope, err); // a capture of somebody's goes on
    if (status != PIXVIEW_OK)
        pixviewi_scope_leave(scope);
    return status;
}

static bool has(const pixviewi_driver *driver, int attribute, int device)
{
    int handle, value = 0;
    return driver->device_get(&handle, device) == CU_SUCCESS &&
           driver->device_attribute(&value, attribute, handle) == CU_SUCCESS && value;
}

static pixview_status check_vmm(const pixviewi_driver *driver, int device, pixview_error *err)
{
    if (driver->mem_create && driver->mem_export && driver->mem_import && driver->mem_map &&
        has(driver, CU_DEVICE_HAS_VMM, device) && has(driver, CU_DEVICE_HAS_FD, device))
        return PIXVIEW_OK;
    return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                         "GPU %d has no memory that is shared by file descriptors (CUDA's virtual "
                         "memory management); share host memory instead",
                         device);
}

static pixviewi_mem_prop prop_of(int device)
{
    return (pixviewi_mem_prop){.type = CU_MEM_PINNED,
                               .handle_types = CU_MEM_HANDLE_FD,
                               .location = {CU_MEM_ON_DEVICE, device}};
}

static int set_access(const pixviewi_driver *driver, uint64_t pointer, size_t bytes, int device)
{
    pixviewi_mem_access access = {{CU_MEM_ON_DEVICE, device}, CU_MEM_READ_WRITE};
    return driver->mem_set_access(pointer, bytes, &access, 1);
}

static int map(const pixviewi_driver *driver, int device, uint64_t handle, size_t bytes,
               uint64_t *pointer)
{
    int code = driver->address_reserve(pointer, bytes, 0, 0, 0);
    if (code != CU_SUCCESS)
        return code;
    code = driver->mem_map(*pointer, bytes, 0, handle, 0);
    if (code == CU_SUCCESS) {
        code = set_access(driver, *pointer, bytes, device);
        if (code != CU_SUCCESS)
            driver->mem_unmap(*pointer, bytes);
    }
    if (code != CU_SUCCESS)
        driver->address_free(*pointer, bytes);
    return code;
}

static int create(const pixviewi_driver *driver, int device, size_t bytes, uint64_t *pointer,
                  int *fd)
{
    uint64_t handle;
    pixviewi_mem_prop prop = prop_of(device);
    int code = driver->mem_create(&handle, bytes, &prop, 0);
    if (code != CU_SUCCESS)
        return code;
    code = driver->mem_export(fd, handle, CU_MEM_HANDLE_FD, 0);
    if (code == CU_SUCCESS) {
        code = map(driver, device, handle, bytes, pointer);
        if (code != CU_SUCCESS)
            close(*fd);
    }
    driver->mem_release(handle); // the mapping keeps the memory
    return code;
}

pixview_status pixviewi_cuda_map_new(int device, int64_t bytes, void **base, int64_t *size, int *fd,
                                     pixview_error *err)
{
    pixviewi_scope scope;
    size_t step = 0;
    uint64_t pointer = 0;
    pixview_status status = enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    const pixviewi_driver *driver = scope.driver;
    pixviewi_mem_prop prop = prop_of(device);
    status = check_vmm(driver, device, err);
    int code = CU_SUCCESS;
    if (status == PIXVIEW_OK)
        code = driver->mem_granularity(&step, &prop, 0);
    if (status == PIXVIEW_OK && code == CU_SUCCESS) {
        *size = (bytes + (int64_t)step - 1) / (int64_t)step * (int64_t)step;
        code = create(driver, device, (size_t)*size, &pointer, fd);
    }
    if (code != CU_SUCCESS)
        status = pixviewi_driver_fail(err, driver, code, "cannot allocate GPU memory to share");
    *base = (void *)(uintptr_t)pointer;
    pixviewi_scope_leave(&scope);
    return status;
}

pixview_status pixviewi_cuda_map_fd(int device, int fd, int64_t size, void **base,
                                    pixview_error *err)
{
    pixviewi_scope scope;
    uint64_t handle, pointer = 0;
    pixview_status status = enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    const pixviewi_driver *driver = scope.driver;
    status = check_vmm(driver, device, err);
    if (status == PIXVIEW_OK) {
        int code = driver->mem_import(&handle, (void *)(intptr_t)fd, CU_MEM_HANDLE_FD);
        if (code == CU_SUCCESS) {
            code = map(driver, device, handle, (size_t)size, &pointer);
            driver->mem_release(handle);
        }
        if (code != CU_SUCCESS)
            status = pixviewi_driver_fail(err, driver, code,
                                          "cannot map the GPU memory of another process");
    }
    *base = (void *)(uintptr_t)pointer;
    pixviewi_scope_leave(&scope);
    return status;
}

pixview_status pixviewi_cuda_map_on(int device, int on, void *base, int64_t size,
                                    pixview_error *err)
{
    pixviewi_scope scope;
    pixview_status status = enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    int code = set_access(scope.driver, (uintptr_t)base, (size_t)size, on);
    if (code != CU_SUCCESS)
        status = pixviewi_driver_fail(err, scope.driver, code,
                                      "cannot give another GPU access to shared memory");
    pixviewi_scope_leave(&scope);
    return status;
}

void pixviewi_cuda_unmap(int device, void *base, int64_t size)
{
    pixviewi_scope scope;
    if (pixviewi_cuda_unusable() || enter(&scope, device, NULL) != PIXVIEW_OK)
        return;
    uint64_t pointer = (uintptr_t)base;
    if (scope.driver->mem_unmap(pointer, (size_t)size) == CU_SUCCESS)
        scope.driver->address_free(pointer, (size_t)size);
    pixviewi_scope_leave(&scope);
}

// ---- By an IPC handle ---------------------------------------------------------------------------------

static uint64_t ask(const pixviewi_driver *driver, int attribute, uint64_t pointer)
{
    uint64_t value = 0; // wide enough for each of them; the driver fills the low bytes
    return driver->pointer_attribute(&value, attribute, pointer) == CU_SUCCESS ? value : 0;
}

static pixview_status refuse(const pixviewi_driver *driver, uint64_t pointer, pixview_error *err)
{
    const char *what = "memory without an IPC handle";
    if (ask(driver, CU_POINTER_IS_MANAGED, pointer))
        what = "managed memory";
    else if (ask(driver, CU_POINTER_MEMPOOL, pointer))
        what = "memory of a stream-ordered pool (cudaMallocAsync)";
    else if (ask(driver, CU_POINTER_BUFFER_ID, pointer))
        what = "mapped memory, as torch's expandable segments are";
    return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                         "%s cannot be shared with another process; pass copy=True, or copy the "
                         "image into a pixview.Pool",
                         what);
}

pixview_status pixviewi_cuda_find_allocation(int device, const void *data, bool with_handle,
                                             pixviewi_allocation *out, pixview_error *err)
{
    pixviewi_scope scope;
    uint64_t pointer = (uintptr_t)data;
    pixview_status status = enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    const pixviewi_driver *driver = scope.driver;
    out->base = (void *)(uintptr_t)ask(driver, CU_POINTER_RANGE_START, pointer);
    out->size = (int64_t)ask(driver, CU_POINTER_RANGE_SIZE, pointer);
    out->id = ask(driver, CU_POINTER_BUFFER_ID, pointer);
    bool capable = driver->ipc_get_memory && out->base &&
                   (int)ask(driver, CU_POINTER_IS_LEGACY_IPC_CAPABLE, pointer);
    if (!capable)
        status = refuse(driver, pointer, err);
    if (capable && with_handle) {
        int code = driver->ipc_get_memory(&out->handle, (uintptr_t)out->base);
        if (code != CU_SUCCESS)
            status = pixviewi_driver_fail(err, driver, code,
                                          "the memory cannot be shared with another process; copy "
                                          "the image into a pixview.Pool");
    }
    pixviewi_scope_leave(&scope);
    return status;
}

pixview_status pixviewi_cuda_open_ipc(int device, const pixviewi_ipc_handle *handle, int64_t size,
                                      void **base, pixview_error *err)
{
    pixviewi_scope scope;
    uint64_t pointer = 0;
    pixview_status status = enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    if (!scope.driver->ipc_open_memory) {
        status = pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED, "this driver cannot open IPC handles");
    } else {
        int code = scope.driver->ipc_open_memory(&pointer, *handle, CU_IPC_LAZY_PEER);
        if (code != CU_SUCCESS)
            status = pixviewi_driver_fail(err, scope.driver, code,
                                          "cannot open the GPU memory of another process; in "
                                          "containers and on Tegra use a pixview.Pool");
        int64_t whole = (int64_t)ask(scope.driver, CU_POINTER_RANGE_SIZE, pointer);
        if (status == PIXVIEW_OK && whole < size) {
            scope.driver->ipc_close_memory(pointer);
            status = pixviewi_fail(err, PIXVIEW_E_SHARE,
                                   "the shared memory has %lld bytes, its handle says %lld",
                                   (long long)whole, (long long)size);
        }
    }
    *base = (void *)(uintptr_t)pointer;
    pixviewi_scope_leave(&scope);
    return status;
}

void pixviewi_cuda_close_ipc(int device, void *base)
{
    pixviewi_scope scope;
    if (pixviewi_cuda_unusable() || enter(&scope, device, NULL) != PIXVIEW_OK)
        return;
    scope.driver->ipc_close_memory((uintptr_t)base);
    pixviewi_scope_leave(&scope);
}

// ---- GPUs -----------------------------------------------------------------------------------------------

pixview_status pixviewi_cuda_uuid(int device, unsigned char uuid[16], pixview_error *err)
{
    const pixviewi_driver *driver = pixviewi_driver_get(err);
    int handle = 0;
    if (!driver)
        return PIXVIEW_E_CUDA;
    if (!driver->device_uuid)
        return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED, "this driver reports no UUID for a GPU");
    int code = driver->device_get(&handle, device);
    if (code == CU_SUCCESS)
        code = driver->device_uuid(uuid, handle);
    return code == CU_SUCCESS ? PIXVIEW_OK
                              : pixviewi_driver_fail(err, driver, code, "cannot identify a GPU");
}

pixview_status pixviewi_cuda_find_uuid(const unsigned char uuid[16], int *device,
                                       pixview_error *err)
{
    unsigned char other[16];
    const pixviewi_driver *driver = pixviewi_driver_get(err);
    if (!driver)
        return PIXVIEW_E_CUDA;
    for (*device = 0; *device < driver->count; ++*device) {
        pixview_status status = pixviewi_cuda_uuid(*device, other, err);
        if (status != PIXVIEW_OK)
            return status;
        if (memcmp(uuid, other, sizeof other) == 0)
            return PIXVIEW_OK;
    }
    return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                         "the shared image is on a GPU (UUID %02x%02x%02x%02x...) that this "
                         "process does not see; see CUDA_VISIBLE_DEVICES",
                         uuid[0], uuid[1], uuid[2], uuid[3]);
}

bool pixviewi_cuda_can_access(int device, int memory_of)
{
    int can = 0, a, b;
    const pixviewi_driver *driver = pixviewi_driver_get(NULL);
    if (device == memory_of)
        return true;
    return driver && driver->can_access_peer && driver->device_get(&a, device) == CU_SUCCESS &&
           driver->device_get(&b, memory_of) == CU_SUCCESS &&
           driver->can_access_peer(&can, a, b) == CU_SUCCESS && can;
}

// By the host, in pieces: the driver copies mapped memory directly only where the other GPU may read it.
pixview_status pixviewi_cuda_copy_across(int from, const void *src, int to, void *dst,
                                         int64_t bytes, pixview_stream stream, pixview_error *err)
{
    const int64_t PIECE = 1 << 24;
    pixview_status status = pixviewi_cuda_check_rows(to, stream, true, err);
    if (status != PIXVIEW_OK)
        return status;
    void *piece = malloc((size_t)(bytes < PIECE ? bytes : PIECE));
    if (!piece)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for a copy to another GPU");
    for (int64_t at = 0; at < bytes && status == PIXVIEW_OK; at += PIECE) {
        int64_t size = bytes - at < PIECE ? bytes - at : PIECE;
        status = pixviewi_cuda_copy_rows(from, piece, size, (const char *)src + at, size, size, 1,
                                         true, true, PIXVIEWI_STREAM_CUDA_PER_THREAD, err);
        if (status == PIXVIEW_OK)
            status = pixviewi_cuda_copy_rows(to, (char *)dst + at, size, piece, size, size, 1,
                                             false, true, stream, err);
    }
    free(piece);
    return status;
}
