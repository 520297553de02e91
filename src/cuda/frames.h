// Video frames that filters resize: kernels sum images, so these are made of them first.
#ifndef PIXVIEWI_CUDA_FRAMES_H
#define PIXVIEWI_CUDA_FRAMES_H

#include "copy/operation.h"

// An operation with filters and frames, in launches of pixviewi_cuda_run: for each run of frames of one size one
// that makes images in memory of the stream's, and for each run of bytes or of floats one that resizes them.
// PIXVIEW_E_CUDA (900) in a capture, which stays whole: such memory cannot live as long as its graph.
pixview_status pixviewi_cuda_run_frames(int device, const pixviewi_copy_op *op,
                                        pixview_stream stream, pixview_error *err);

#endif
