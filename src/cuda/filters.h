// SPDX-License-Identifier: Apache-2.0
// Tables of weights in a GPU's memory, for the launches of one operation.
#ifndef PIXVIEWI_CUDA_FILTERS_H
#define PIXVIEWI_CUDA_FILTERS_H

#include "cuda/select/filter.h"

struct pixviewi_scope;

typedef struct pixviewi_gpu_filters {
    pixviewi_filter_table (
        *tables)[2];      // of each of op->filters, as pixviewi_filter_next takes them
    pixview_owner *owner; // of those that are not kept for later calls
} pixviewi_gpu_filters;

// Puts those of op->filters there that are not there yet. They are good for launches that follow on the stream,
// until they are let go of. In a capture they are there when the call returns, and live as long as the graph.
// PIXVIEW_E_CUDA (900), before memory is taken: they cannot get into that capture, which stays whole.
pixview_status pixviewi_cuda_put_filters(const struct pixviewi_scope *scope, int device,
                                         const pixviewi_copy_op *op, pixview_stream stream,
                                         pixviewi_gpu_filters *out, pixview_error *err);
void pixviewi_cuda_let_go_of_filters(pixviewi_gpu_filters *filters);

// For tests, while no GPU works: frees all that are kept, and from now on keeps at most so many BYTES on each GPU.
void pixviewi_cuda_keep_filters(int64_t most);
enum { PIXVIEWI_KEPT_FILTERS = 16 << 20 }; // without that call

#endif
