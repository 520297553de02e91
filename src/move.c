// Who carries out a move: the kernels of one GPU, or the loops for host memory.
#include <string.h>

#include "cuda/cuda.h"
#include "move.h"

static pixview_image image_of(const pixviewi_move *move, const pixviewi_end *end,
                              pixview_device device)
{
    pixview_image image = {.data = end->data, .dtype = end->dtype, .device = device};
    memcpy(image.shape, move->shape, sizeof image.shape);
    memcpy(image.strides, end->strides, sizeof image.strides);
    return image;
}

// The kernels at hand move bits between regular batches.
static pixview_status launch(const pixviewi_move *move, pixview_device device,
                             pixview_stream stream, pixview_error *err)
{
    pixviewi_copy_plan plan;
    if (move->src.images || move->dst.images || move->values.changed || move->values.swap_rb)
        return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                             "this build has no kernels for lists and conversions");
    pixview_image src = image_of(move, &move->src, device),
                  dst = image_of(move, &move->dst, device);
    pixview_status status = pixviewi_plan_copy(&src, &dst, &plan, err);
    if (status != PIXVIEW_OK)
        return status;
    return pixviewi_cuda_launch_copy(device.id, &plan, stream, err);
}

pixview_status pixviewi_move_run(const pixviewi_move *move, pixview_device device,
                                 pixview_stream stream, pixview_error *err)
{
    if (!pixviewi_on_device(device)) {
        pixviewi_move_host(move);
        return PIXVIEW_OK;
    }
    if (stream == PIXVIEW_STREAM_NONE)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "params->stream is PIXVIEW_STREAM_NONE; work needs a queue");
    return launch(move, device, stream, err);
}
