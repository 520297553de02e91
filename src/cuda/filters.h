// What filters need in a GPU's memory, for the launches of one operation.
#ifndef PIXVIEWI_CUDA_FILTERS_H
#define PIXVIEWI_CUDA_FILTERS_H

#include "cuda/select/filter.h"

struct pixviewi_scope;

// Puts images and tables of op->filters there: *address is good for launches that follow on the stream, until *owner
// is let go of. In a capture they are there when the call returns, the graph keeps them, and *owner is NULL.
// PIXVIEW_E_CUDA (900), before memory is taken: they cannot get into that capture, which stays whole.
pixview_status pixviewi_cuda_put_filters(const struct pixviewi_scope *scope, int device,
                                         const pixviewi_filter_launch *launch,
                                         const pixviewi_copy_op *op, pixview_stream stream,
                                         const char **address, pixview_owner **owner,
                                         pixview_error *err);

#endif
