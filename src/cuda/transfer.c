// SPDX-License-Identifier: Apache-2.0
// Copies between host and GPU: rows by the driver's copy engine. What is no set of rows on one side goes
// through dense memory on that side, in the order of the other, so that only rows cross the bus.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "copy/backend.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"
#include "descriptor/owner.h"

// ---- Rows -------------------------------------------------------------------------------------

// Is the plan something for the copy engine: dense rows, a pitch of at least the width? Many calls
// or many narrow rows are left to a kernel, if there is one.
static bool is_rows(const pixviewi_copy_plan *plan)
{
    int64_t width = plan->shape[3] * plan->itemsize, rows = plan->shape[2];
    bool dense = plan->shape[3] == 1 ||
                 (plan->src_strides[3] == plan->itemsize && plan->dst_strides[3] == plan->itemsize);
    bool apart = rows == 1 || (plan->src_strides[2] >= width && plan->dst_strides[2] >= width);
    bool quick = plan->shape[0] * plan->shape[1] <= 64 && (width >= 64 || rows <= 1024);
    return dense && apart && (quick || !pixviewi_cuda_has_kernels());
}

static pixview_status copy_rows(int device, const pixviewi_copy_plan *plan, bool to_host, bool wait,
                                pixview_stream stream, pixview_error *err)
{
    int64_t width = plan->shape[3] * plan->itemsize;
    pixview_status status = PIXVIEW_OK;
    assert(is_rows(plan) && plan->count > 0);
    for (int64_t i = 0; i < plan->shape[0] && status == PIXVIEW_OK; i++)
        for (int64_t j = 0; j < plan->shape[1] && status == PIXVIEW_OK; j++)
            status = pixviewi_cuda_copy_rows(
                device, (char *)plan->dst + i * plan->dst_strides[0] + j * plan->dst_strides[1],
                plan->dst_strides[2],
                (const char *)plan->src + i * plan->src_strides[0] + j * plan->src_strides[1],
                plan->src_strides[2], width, plan->shape[2], to_host, wait, stream, err);
    return status;
}

// ---- Host and device --------------------------------------------------------------------------

// A dense image like `image`, its axes nested in the same order in memory.
static pixview_image dense_like(const pixview_image *image, void *data, pixview_device device)
{
    pixview_image dense = *image;
    dense.data = data;
    dense.device = device;
    dense.flags = 0;
    dense.owner = NULL;
    int order[4] = {PIXVIEW_AXIS_N, PIXVIEW_AXIS_H, PIXVIEW_AXIS_W, PIXVIEW_AXIS_C};
    for (int i = 1; i < 4; i++)
        for (int k = i; k > 0 && pixviewi_magnitude(image->strides[order[k - 1]]) <
                                     pixviewi_magnitude(image->strides[order[k]]);
             k--) {
            int other = order[k];
            order[k] = order[k - 1];
            order[k - 1] = other;
        }
    int64_t step = pixview_dtype_size(image->dtype);
    for (int i = 3; i >= 0; i--) {
        dense.strides[order[i]] = step;
        step *= image->shape[order[i]];
    }
    return dense;
}

typedef struct transfer {
    const pixview_image *src, *dst;
    int device;
    bool to_host;
    bool wait; // until the pixels are there, or the source may be reused
    pixview_stream stream;
} transfer;

static void copy_on_host(const pixview_image *src, const pixview_image *dst)
{
    pixviewi_copy_op op = pixviewi_bits_op(src, dst);
    pixviewi_host_run(&op);
}

static pixview_status copy_on_device(const transfer *job, const pixview_image *src,
                                     const pixview_image *dst, pixview_error *err)
{
    pixviewi_copy_op op = pixviewi_bits_op(src, dst);
    return pixviewi_cuda_run(job->device, &op, job->stream, err);
}

// Through dense host memory in the order of the device's side. *done stays false if even then the
// device's side is no set of rows.
static pixview_status through_host(const transfer *job, bool *done, pixview_error *err)
{
    const pixview_image *far = job->to_host ? job->src : job->dst;
    pixviewi_copy_plan rows;
    void *block = malloc((size_t)pixview_image_nbytes(far));
    if (!block)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory to stage %lld bytes on the host",
                             (long long)pixview_image_nbytes(far));
    pixview_image dense = dense_like(far, block, (pixview_device){PIXVIEW_DEVICE_CPU, 0});
    pixviewi_copy_op op =
        pixviewi_bits_op(job->to_host ? job->src : &dense, job->to_host ? &dense : job->dst);
    pixview_status status = PIXVIEW_OK;
    pixviewi_copy_plan_of(&op, &rows);
    if (!is_rows(&rows))
        goto end;
    *done = true;
    if (!job->wait) // so far asked about is a copy that does not either
        status = pixviewi_cuda_check_rows(job->device, job->stream, true, err);
    if (status == PIXVIEW_OK && !job->to_host)
        copy_on_host(job->src, &dense);
    if (status == PIXVIEW_OK) // waits: the block goes
        status = copy_rows(job->device, &rows, job->to_host, true, job->stream, err);
    if (status == PIXVIEW_OK && job->to_host)
        copy_on_host(&dense, job->dst);
end:
    free(block);
    return status;
}

static pixview_status transfer_planned(const transfer *job, const pixviewi_copy_plan *plan,
                                       pixview_error *err);

static pixview_status transfer_dense(const transfer *job, pixview_error *err)
{
    pixviewi_copy_plan plan;
    pixviewi_copy_op op = pixviewi_bits_op(job->src, job->dst);
    pixviewi_copy_plan_of(&op, &plan);
    return transfer_planned(job, &plan, err);
}

// Through dense device memory as well: a kernel gathers or scatters what is no set of rows.
static pixview_status through_device(const transfer *job, pixview_error *err)
{
    const pixview_image *far = job->to_host ? job->src : job->dst;
    void *block = NULL;
    pixview_owner *owner = NULL;
    pixview_status status = pixviewi_cuda_alloc(job->device, pixview_image_nbytes(far), job->stream,
                                                &block, &owner, err);
    if (status != PIXVIEW_OK)
        return status;
    pixview_image dense = dense_like(job->dst, block, far->device);
    transfer rest = *job;
    if (job->to_host) {
        rest.src = &dense;
        status = copy_on_device(job, job->src, &dense, err);
        if (status == PIXVIEW_OK)
            status = transfer_dense(&rest, err);
    } else {
        rest.dst = &dense;
        status = transfer_dense(&rest, err);
        if (status == PIXVIEW_OK)
            status = copy_on_device(job, &dense, job->dst, err);
    }
    pixview_owner_unref(owner); // freed in the order of the stream
    return status;
}

static pixview_status transfer_planned(const transfer *job, const pixviewi_copy_plan *plan,
                                       pixview_error *err)
{
    bool done = false;
    if (is_rows(plan))
        return copy_rows(job->device, plan, job->to_host, job->wait, job->stream, err);
    pixview_status status = through_host(job, &done, err);
    return status != PIXVIEW_OK || done ? status : through_device(job, err);
}

// From pinned memory the copy goes on when this returns, and an owner can be held until it is done.
pixview_status pixviewi_cuda_transfer(const pixview_image *src, const pixview_image *dst,
                                      const pixviewi_copy_plan *plan, pixview_stream stream,
                                      pixview_error *err)
{
    bool to_host = pixviewi_on_device(src->device);
    bool pinned =
        !to_host && src->owner &&
        (src->device.type == PIXVIEW_DEVICE_CUDA_HOST || pixviewi_cuda_is_pinned(src->data));
    transfer job = {src, dst, to_host ? src->device.id : dst->device.id, to_host, !pinned, stream};
    pixview_status status = pixviewi_cuda_check_rows(job.device, stream, job.wait, err);
    if (status != PIXVIEW_OK)
        return status;
    status = transfer_planned(&job, plan, err);
    return status == PIXVIEW_OK && pinned
               ? pixviewi_cuda_hold_until(job.device, stream, src->owner, err)
               : status;
}
