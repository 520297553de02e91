// SPDX-License-Identifier: Apache-2.0
// Who carries out an operation: the kernels of one GPU, or the loops for host memory.
#include "copy/run.h"

#include <assert.h>

#include "copy/backend.h"
#include "copy/filter.h"

// With the filters that it needs, which live until the work is done or queued. Of those that a GPU has already it
// needs no weights.
static pixview_status run_filtered(const pixviewi_copy_op *op, pixview_device device,
                                   pixview_stream stream, pixview_error *err)
{
    pixviewi_copy_op with_filters = *op;
    pixviewi_filters filters;
    pixview_status status = pixviewi_on_device(device) ? pixviewi_filters_find(op, &filters, err)
                                                       : pixviewi_filters_make(op, &filters, err);
    if (status != PIXVIEW_OK)
        return status;
    with_filters.filters = &filters;
    status = pixviewi_run(&with_filters, device, stream, err);
    pixviewi_filters_free(&filters);
    return status;
}

pixview_status pixviewi_run(const pixviewi_copy_op *op, pixview_device device,
                            pixview_stream stream, pixview_error *err)
{
    const pixviewi_affine *affine = &op->affine;
    assert(!op->src.images || !op->dst.images);
    assert(!affine->is_identity || pixview_dtype_equal(op->src.dtype, op->dst.dtype));
    assert(affine->is_identity || affine->channels == 1 || affine->channels == op->shape[3]);
    assert(!op->plan || (affine->is_identity && !affine->swap_rb && !pixviewi_is_padded(op)));
    (void)affine;
    if (op->shape[0] == 0 || op->shape[1] == 0 || op->shape[2] == 0 || op->shape[3] == 0)
        return PIXVIEW_OK;
    if (pixviewi_has_filters(op) && !op->filters)
        return run_filtered(op, device, stream, err);
    if (!pixviewi_on_device(device)) {
        pixviewi_host_run(op);
        return PIXVIEW_OK;
    }
    if (stream == PIXVIEW_STREAM_NONE)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "params->stream is PIXVIEW_STREAM_NONE; work needs a queue");
    return op->filters && op->src.videos ? pixviewi_cuda_run_frames(device.id, op, stream, err)
                                         : pixviewi_cuda_run(device.id, op, stream, err);
}
