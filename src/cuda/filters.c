#include "cuda/filters.h"

#include <stdlib.h>

#include "cuda/context.h"
#include "cuda/memory.h"
#include "cuda/stream.h"
#include "descriptor/owner.h"

// ---- For a graph --------------------------------------------------------------------------------
//
// What is allocated or copied on a stream that captures becomes part of the graph: memory that allows one launch, and
// a copy of bytes that are gone by the replay. So both happen beside the capture, on the thread's own stream.

static pixview_status refuse(const char *why, pixview_error *err)
{
    pixviewi_fail(
        err, PIXVIEW_E_CUDA,
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900): the tables of interpolation 'area' "
        "and 'pil-*' cannot be kept for this graph capture: %s; use 'linear' or 'nearest' "
        "there, or resize before the capture",
        why);
    if (err)
        err->driver_code = CU_CAPTURE_UNSUPPORTED;
    return PIXVIEW_E_CUDA;
}

// *graph: of the stream's capture; NULL: it is in none.
static pixview_status find_graph(const pixviewi_scope *scope, pixview_stream stream, void **graph,
                                 pixview_error *err)
{
    bool captures, own_captures;
    *graph = NULL;
    pixview_status status = pixviewi_cuda_captures(scope, stream, &captures, err);
    if (status != PIXVIEW_OK || !captures)
        return status;
    status = pixviewi_cuda_captures(scope, PIXVIEWI_STREAM_CUDA_PER_THREAD, &own_captures, err);
    if (status != PIXVIEW_OK)
        return status;
    if (own_captures)
        return refuse("the thread's default stream, which would copy them, captures too", err);
    const pixviewi_driver *driver = scope->driver;
    if (driver->user_object_create && driver->user_object_release && driver->graph_retain)
        status = pixviewi_cuda_captured_graph(scope, stream, graph, err);
    if (status != PIXVIEW_OK)
        return status;
    return *graph ? PIXVIEW_OK
                  : refuse("the driver lets no graph own memory (CUDA 11.3 does)", err);
}

// The driver calls it when the last graph goes, where no driver call is allowed.
static void drop_owner(void *owner) { pixviewi_owner_defer_take(owner); }

static pixview_status give_to_graph_take(const pixviewi_driver *driver, void *graph,
                                         pixview_owner *owner, pixview_error *err)
{
    void *object = NULL;
    int code = driver->user_object_create(&object, owner, drop_owner, 1, CU_USER_OBJECT_NO_SYNC);
    if (code != CU_SUCCESS) {
        pixview_owner_unref(owner);
        return pixviewi_driver_fail(err, driver, code, "cannot make an owner for a graph");
    }
    code = driver->graph_retain(graph, object, 1, CU_GRAPH_TAKES_USER_OBJECT);
    if (code == CU_SUCCESS)
        return PIXVIEW_OK;
    driver->user_object_release(object, 1);
    return pixviewi_driver_fail(err, driver, code, "cannot give memory to a graph");
}

// ---- Both ---------------------------------------------------------------------------------------

// From memory that is not pinned: the driver has taken it when the call returns.
static pixview_status upload(int device, const char *block, int64_t bytes, bool wait,
                             pixview_stream stream, const char **address, pixview_owner **owner,
                             pixview_error *err)
{
    void *memory;
    pixview_status status = pixviewi_cuda_alloc(device, bytes, stream, &memory, owner, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_cuda_copy_rows(device, memory, 0, block, 0, bytes, 1, false, wait, stream,
                                         err);
    *address = memory;
    if (status != PIXVIEW_OK) {
        pixview_owner_unref(*owner);
        *owner = NULL;
    }
    return status;
}

pixview_status pixviewi_cuda_put_filters(const pixviewi_scope *scope, int device,
                                         const pixviewi_filter_launch *launch,
                                         const pixviewi_copy_op *op, pixview_stream stream,
                                         const char **address, pixview_owner **owner,
                                         pixview_error *err)
{
    void *graph;
    int64_t bytes = pixviewi_filter_bytes(op);
    *owner = NULL;
    pixview_status status = find_graph(scope, stream, &graph, err);
    if (status != PIXVIEW_OK)
        return status;
    char *block = malloc((size_t)bytes);
    status = block ? pixviewi_filter_fill(launch, op, block, err)
                   : pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for %lld bytes of weights",
                                   (long long)bytes);
    if (status == PIXVIEW_OK)
        status = upload(device, block, bytes, graph != NULL,
                        graph ? PIXVIEWI_STREAM_CUDA_PER_THREAD : stream, address, owner, err);
    free(block);
    if (status == PIXVIEW_OK && graph) {
        status = give_to_graph_take(scope->driver, graph, *owner, err);
        *owner = NULL;
    }
    return status;
}
