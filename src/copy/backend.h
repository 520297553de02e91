// Who carries out copies: host/ and cuda/ define these three functions, and copy/ knows nothing else of
// them. All ends are checked before: extents, types, overlap, places; nothing is empty.
#ifndef PIXVIEWI_BACKEND_H
#define PIXVIEWI_BACKEND_H

#include "copy/copy_plan.h"

// In host memory, with vectors as wide as the processor has and threads where they pay (host/run.c).
void pixviewi_host_run(const pixviewi_copy_op *op);

// Queues the operation on `device`: one launch, or several when a list does not fit the parameters of
// one. Nothing is queued when it fails at once (cuda/launch.c).
pixview_status pixviewi_cuda_run(int device, const pixviewi_copy_op *op, pixview_stream stream,
                                 pixview_error *err);

// Between host and GPU, by `plan` (cuda/transfer.c).
pixview_status pixviewi_cuda_transfer(const pixview_image *src, const pixview_image *dst,
                                      const pixviewi_copy_plan *plan, pixview_stream stream,
                                      pixview_error *err);

#endif
