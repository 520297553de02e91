// SPDX-License-Identifier: Apache-2.0
// Who carries out copies: host/ and cuda/ define these functions, and copy/ knows nothing else of
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

// The same of an operation with filters and video frames, which become images first: for each run of frames of one
// size an operation that makes images in memory of the stream's, and for each run of bytes or of floats one that
// resizes them. PIXVIEW_E_CUDA (900) in a capture, which stays whole: such memory cannot live as long as its graph
// (cuda/frames.c).
pixview_status pixviewi_cuda_run_frames(int device, const pixviewi_copy_op *op,
                                        pixview_stream stream, pixview_error *err);

// Between host and GPU, by `plan` (cuda/transfer.c).
pixview_status pixviewi_cuda_transfer(const pixview_image *src, const pixview_image *dst,
                                      const pixviewi_copy_plan *plan, pixview_stream stream,
                                      pixview_error *err);

#endif
