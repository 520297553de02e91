// The operations of pixview_stack and pixview_convert, for callers that run them later.
#ifndef PIXVIEWI_BATCH_H
#define PIXVIEWI_BATCH_H

#include "copy/operation.h"

// All of pixview_stack but the last step, pixviewi_run, which an empty batch does not need. Images that
// pixview_image_validate has passed; `name` is that of the list, for errors.
pixview_status pixviewi_stack_op(const pixview_image *srcs, int64_t count, const pixview_image *dst,
                                 const pixview_convert_params *params, const char *name,
                                 pixviewi_copy_op *op, pixview_error *err);

// The same of pixview_convert within host memory or one GPU.
pixview_status pixviewi_convert_op(const pixview_image *src, const pixview_image *dst,
                                   const pixview_convert_params *params, pixviewi_copy_op *op,
                                   pixview_error *err);

#endif
