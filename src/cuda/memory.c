// SPDX-License-Identifier: Apache-2.0
// Device memory of our own, and rows to and from the host.
#include "cuda/memory.h"

#include <assert.h>

#include "cuda/context.h"
#include "cuda/device.h"
#include "cuda/stream.h"
#include "descriptor/owner.h"

bool pixviewi_cuda_is_pinned(const void *ptr)
{
    unsigned type = 0, managed = 0;
    uint64_t address = (uint64_t)(uintptr_t)ptr;
    const pixviewi_driver *driver = pixviewi_driver_get(NULL);
    return driver &&
           driver->pointer_attribute(&type, CU_POINTER_MEMORY_TYPE, address) == CU_SUCCESS &&
           type == CU_MEMORY_HOST &&
           driver->pointer_attribute(&managed, CU_POINTER_IS_MANAGED, address) == CU_SUCCESS &&
           !managed;
}

// ---- Ours ---------------------------------------------------------------------------------------

typedef struct device_block {
    uint64_t pointer, context;
    pixview_stream stream;
    int device;
} device_block;
_Static_assert(sizeof(device_block) <= PIXVIEWI_OWNER_HELD, "an owner holds it");

static void free_device_block(pixview_owner *self)
{
    const device_block *held = pixviewi_owner_held(self);
    pixview_stream stream = pixviewi_stream_on_any_thread(held->stream);
    pixviewi_scope scope;
    if (pixviewi_cuda_unusable() || pixviewi_scope_enter(&scope, held->device, NULL) != PIXVIEW_OK)
        return;
    (void)!pixviewi_scope_relax(&scope, NULL);
    if (pixviewi_scope_same(&scope, held->context))
        scope.driver->mem_free_async(held->pointer, pixviewi_stream_handle(stream));
    pixviewi_scope_leave(&scope);
}

// Memory that a capture allocates is the graph's, which then can be launched once only. So there it comes from
// the thread's own stream, and is ready before the call returns.
static pixview_status allocate(const pixviewi_scope *scope, int64_t nbytes, pixview_stream stream,
                               uint64_t *pointer, pixview_error *err)
{
    bool captures;
    pixview_status status = pixviewi_cuda_captures(scope, stream, &captures, err);
    if (status != PIXVIEW_OK)
        return status;
    void *queue = pixviewi_stream_handle(captures ? PIXVIEWI_STREAM_CUDA_PER_THREAD : stream);
    int code = scope->driver->mem_alloc_async(pointer, (size_t)nbytes, queue);
    if (code == CU_SUCCESS && captures &&
        (code = scope->driver->stream_synchronize(queue)) != CU_SUCCESS)
        scope->driver->mem_free_async(*pointer, queue);
    if (code != CU_SUCCESS)
        return pixviewi_driver_fail(err, scope->driver, code, "cannot allocate GPU memory");
    return PIXVIEW_OK;
}

// Until there is something to free.
static void free_nothing(pixview_owner *self) { (void)self; }

pixview_status pixviewi_cuda_alloc(int device, int64_t nbytes, pixview_stream stream, void **data,
                                   pixview_owner **owner, pixview_error *err)
{
    *data = NULL;
    *owner = NULL;
    assert(nbytes >= 0);
    if (nbytes == 0)
        return PIXVIEW_OK;
    pixviewi_scope scope;
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    pixview_owner *block = pixviewi_owner_new(free_nothing);
    // The memory goes back to this stream, which therefore may not be capturing then.
    pixviewi_stream_dep back = {.consumer = stream, .home = stream, .device = device};
    uint64_t pointer = 0;
    status = pixviewi_scope_relax(&scope, err);
    if (status != PIXVIEW_OK)
        goto end;
    if (!block || !pixviewi_cuda_add_dep_take(block, &back)) {
        status = pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for an owner");
        goto end;
    }
    status = pixviewi_cuda_check_work(&scope, stream, err);
    if (status != PIXVIEW_OK)
        goto end;
    status = allocate(&scope, nbytes, stream, &pointer, err);
    if (status != PIXVIEW_OK)
        goto end;
    pixviewi_owner_set_release(block, free_device_block);
    pixviewi_owner_set_alloc_stream(block, stream);
    *(device_block *)pixviewi_owner_held(block) =
        (device_block){pointer, pixviewi_scope_context(&scope), stream, device};
    *data = (void *)(uintptr_t)pointer;
    *owner = block;
    block = NULL;
end:
    pixviewi_scope_leave(&scope);
    pixview_owner_unref(block);
    return status;
}

// ---- Rows -------------------------------------------------------------------------------------

// The driver's limit on a pitch (CU_DEVICE_ATTRIBUTE_MAX_PITCH is 2^31 - 1 on every GPU so far);
// what is wider goes in pieces.
static const int64_t MAX_PITCH = INT32_MAX;
static const int64_t PIECE = (int64_t)1 << 30;

static int queue_rows(const pixviewi_driver *driver, void *dst, int64_t dst_pitch, const void *src,
                      int64_t src_pitch, int64_t width, int64_t rows, bool to_host, void *stream)
{
    assert(width > 0 && rows > 0 && (rows == 1 || (dst_pitch >= width && src_pitch >= width)));
    pixviewi_memcpy2d copy = {
        .src_type = to_host ? CU_MEMORY_DEVICE : CU_MEMORY_HOST,
        .src_host = to_host ? NULL : src,
        .src_device = to_host ? (uint64_t)(uintptr_t)src : 0,
        .src_pitch = (size_t)src_pitch,
        .dst_type = to_host ? CU_MEMORY_HOST : CU_MEMORY_DEVICE,
        .dst_host = to_host ? dst : NULL,
        .dst_device = to_host ? 0 : (uint64_t)(uintptr_t)dst,
        .dst_pitch = (size_t)dst_pitch,
        .width = (size_t)width,
        .height = (size_t)rows,
    };
    return driver->memcpy2d_async(&copy, stream);
}

static int queue_pieces(const pixviewi_driver *driver, void *dst, int64_t dst_pitch,
                        const void *src, int64_t src_pitch, int64_t width, int64_t rows,
                        bool to_host, void *stream)
{
    if (rows > 1 && width <= MAX_PITCH && dst_pitch <= MAX_PITCH && src_pitch <= MAX_PITCH)
        return queue_rows(driver, dst, dst_pitch, src, src_pitch, width, rows, to_host, stream);
    int code = CU_SUCCESS;
    for (int64_t row = 0; row < rows && code == CU_SUCCESS; row++)
        for (int64_t at = 0; at < width && code == CU_SUCCESS; at += PIECE) {
            int64_t piece = width - at < PIECE ? width - at : PIECE;
            code = queue_rows(driver, (char *)dst + row * dst_pitch + at, piece,
                              (const char *)src + row * src_pitch + at, piece, piece, 1, to_host,
                              stream);
        }
    return code;
}

pixview_status pixviewi_cuda_copy_rows(int device, void *dst, int64_t dst_pitch, const void *src,
                                       int64_t src_pitch, int64_t width, int64_t rows, bool to_host,
                                       bool wait, pixview_stream stream, pixview_error *err)
{
    pixviewi_scope scope;
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    void *queue = pixviewi_stream_handle(stream);
    status = pixviewi_scope_relax(&scope, err);
    if (status != PIXVIEW_OK) {
        pixviewi_scope_leave(&scope);
        return status;
    }
    int code =
        queue_pieces(scope.driver, dst, dst_pitch, src, src_pitch, width, rows, to_host, queue);
    // Also after a failure: earlier pieces may be on their way from or to the caller's memory.
    int waited = wait || code != CU_SUCCESS ? scope.driver->stream_synchronize(queue) : CU_SUCCESS;
    if (code == CU_SUCCESS)
        code = waited;
    if (code != CU_SUCCESS)
        status =
            pixviewi_driver_fail(err, scope.driver, code,
                                 to_host ? "cannot copy from the GPU" : "cannot copy to the GPU");
    pixviewi_scope_leave(&scope);
    return status;
}
