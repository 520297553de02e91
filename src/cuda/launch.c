// SPDX-License-Identifier: Apache-2.0
// Queues operations: who goes through which kernel is in select/.
#include <assert.h>

#include "copy/backend.h"
#include "cuda/context.h"
#include "cuda/filters.h"
#include "cuda/module.h"
#include "cuda/select/decode.h"
#include "cuda/select/frames.h"
#include "cuda/select/list.h"
#include "cuda/select/resize.h"
#include "cuda/stream.h"

static pixview_status launch(const pixviewi_scope *scope, const pixviewi_kernels *kernels,
                             int kernel, int64_t blocks, void *args, pixview_stream stream,
                             pixview_error *err)
{
    void *params[] = {args};
    assert(blocks > 0 && blocks <= INT32_MAX); // the driver's limit on grid_x
    int code = scope->driver->launch(pixviewi_kernel(kernels, kernel), (unsigned)blocks, 1, 1,
                                     PIXVIEWI_THREADS, 1, 1, 0, pixviewi_stream_handle(stream),
                                     params, NULL);
    return code == CU_SUCCESS
               ? PIXVIEW_OK
               : pixviewi_driver_fail(err, scope->driver, code, "cannot launch the copy");
}

// Every launch that a kind of operation takes. Apart, because their argument is some kilobytes of stack.
#define DEFINE_LAUNCHES(kind)                                                                     \
    __attribute__((noinline)) static pixview_status launch_##kind(                                \
        const pixviewi_scope *scope, const pixviewi_kernels *kernels, const pixviewi_copy_op *op, \
        pixview_stream stream, pixview_error *err)                                                \
    {                                                                                             \
        pixviewi_##kind##_launch next;                                                            \
        pixview_status status = PIXVIEW_OK;                                                       \
        pixviewi_##kind##_begin(&next, op);                                                       \
        while (status == PIXVIEW_OK && pixviewi_##kind##_next(&next, op))                         \
            status = launch(scope, kernels, next.kernel, next.blocks, &next.args, stream, err);   \
        return status;                                                                            \
    }

DEFINE_LAUNCHES(list)
DEFINE_LAUNCHES(resize)
DEFINE_LAUNCHES(encode)
DEFINE_LAUNCHES(decode)

__attribute__((noinline)) static pixview_status launch_as_is(const pixviewi_scope *scope,
                                                             const pixviewi_kernels *kernels,
                                                             const pixviewi_copy_op *op,
                                                             pixview_stream stream,
                                                             pixview_error *err)
{
    pixviewi_copy_op all = *op;
    all.resizes = true;
    all.resize = (pixviewi_resize){{PIXVIEWI_FIT_NONE, 0, 0}, PIXVIEWI_NEAREST};
    return launch_resize(scope, kernels, &all, stream, err);
}

__attribute__((noinline)) static pixview_status launch_filtered(
    const pixviewi_scope *scope, int device, const pixviewi_kernels *kernels,
    const pixviewi_copy_op *op, pixview_stream stream, pixview_error *err)
{
    pixviewi_filter_launch next;
    pixviewi_gpu_filters filters;
    pixview_status status = pixviewi_cuda_put_filters(scope, device, op, stream, &filters, err);
    pixviewi_filter_begin(&next, op);
    while (status == PIXVIEW_OK && pixviewi_filter_next(&next, op, filters.tables))
        status = launch(scope, kernels, next.kernel, next.blocks, &next.args, stream, err);
    pixviewi_cuda_let_go_of_filters(&filters);
    return status;
}

pixview_status pixviewi_cuda_run(int device, const pixviewi_copy_op *op, pixview_stream stream,
                                 pixview_error *err)
{
    pixviewi_scope scope;
    const pixviewi_kernels *kernels = NULL;
    pixviewi_launch batch;
    for (int axis = 0; axis < 4; axis++)
        if (op->shape[axis] == 0)
            return PIXVIEW_OK;
    pixview_status status = pixviewi_kernels_enter(&scope, device, &kernels, err);
    if (status != PIXVIEW_OK)
        return status;
    status = pixviewi_cuda_check_work(&scope, stream, err);
    if (status != PIXVIEW_OK)
        goto end;
    if (op->targets)
        status = launch_encode(&scope, kernels, op, stream, err);
    else if (op->filters)
        status = launch_filtered(&scope, device, kernels, op, stream, err);
    else if (pixviewi_decode_suits(op))
        status = launch_decode(&scope, kernels, op, stream, err);
    else if (op->resizes)
        status = launch_resize(&scope, kernels, op, stream, err);
    else if (pixviewi_resize_suits(op))
        status = launch_as_is(&scope, kernels, op, stream, err);
    else if (pixviewi_select_launch(op, &batch))
        status = launch(&scope, kernels, batch.kernel, batch.blocks, &batch.args, stream, err);
    else
        status = launch_list(&scope, kernels, op, stream, err);
end:
    pixviewi_scope_leave(&scope);
    return status;
}
