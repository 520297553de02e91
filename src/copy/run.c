// Who carries out an operation: the kernels of one GPU, or the loops for host memory.
#include "copy/run.h"

#include "copy/backend.h"

pixview_status pixviewi_run(const pixviewi_copy_op *op, pixview_device device,
                            pixview_stream stream, pixview_error *err)
{
    if (!pixviewi_on_device(device)) {
        pixviewi_host_run(op);
        return PIXVIEW_OK;
    }
    if (stream == PIXVIEW_STREAM_NONE)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "params->stream is PIXVIEW_STREAM_NONE; work needs a queue");
    return pixviewi_cuda_run(device.id, op, stream, err);
}
