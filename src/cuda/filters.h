// What filters need in a GPU's memory, for the launches of one operation.
#ifndef PIXVIEWI_CUDA_FILTERS_H
#define PIXVIEWI_CUDA_FILTERS_H

#include "cuda/select/filter.h"

struct pixviewi_scope;

// Puts images and tables of op->filters there, in the order of the stream: *address is good for launches that follow
// on it, until *owner is let go of. PIXVIEW_E_CUDA (900) inside a capture, which a copy from the host would break.
pixview_status pixviewi_cuda_put_filters(const struct pixviewi_scope *scope, int device,
                                         const pixviewi_filter_launch *launch,
                                         const pixviewi_copy_op *op, pixview_stream stream,
                                         const char **address, pixview_owner **owner,
                                         pixview_error *err);

#endif
