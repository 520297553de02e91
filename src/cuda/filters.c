#include "cuda/filters.h"

#include <stdlib.h>

#include "cuda/driver.h"
#include "cuda/memory.h"
#include "cuda/stream.h"

static pixview_status fail_capture(pixview_error *err)
{
    pixviewi_fail(err, PIXVIEW_E_CUDA,
                  "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900): the tables of interpolation 'area' "
                  "and 'pil-*' are copied to the GPU, which a graph capture does not allow; use "
                  "'linear' or 'nearest' there, or resize before the capture");
    if (err)
        err->driver_code = CU_CAPTURE_UNSUPPORTED;
    return PIXVIEW_E_CUDA;
}

pixview_status pixviewi_cuda_put_filters(const struct pixviewi_scope *scope, int device,
                                         const pixviewi_filter_launch *launch,
                                         const pixviewi_copy_op *op, pixview_stream stream,
                                         const char **address, pixview_owner **owner,
                                         pixview_error *err)
{
    bool captures;
    void *memory = NULL;
    int64_t bytes = pixviewi_filter_bytes(op);
    pixview_status status = pixviewi_cuda_captures(scope, stream, &captures, err);
    *owner = NULL;
    if (status != PIXVIEW_OK || captures)
        return status != PIXVIEW_OK ? status : fail_capture(err);
    char *block = malloc((size_t)bytes);
    status = block ? pixviewi_filter_fill(launch, op, block, err)
                   : pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for %lld bytes of weights",
                                   (long long)bytes);
    if (status == PIXVIEW_OK)
        status = pixviewi_cuda_alloc(device, bytes, stream, &memory, owner, err);
    // From memory that is not pinned: the driver has taken it when the call returns.
    if (status == PIXVIEW_OK)
        status = pixviewi_cuda_copy_rows(device, memory, 0, block, 0, bytes, 1, false, false,
                                         stream, err);
    free(block);
    *address = memory;
    if (status != PIXVIEW_OK) {
        pixview_owner_unref(*owner);
        *owner = NULL;
    }
    return status;
}
