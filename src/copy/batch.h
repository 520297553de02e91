// SPDX-License-Identifier: Apache-2.0
// The operations of pixview_stack and pixview_convert, for callers that run them later.
#ifndef PIXVIEWI_BATCH_H
#define PIXVIEWI_BATCH_H

#include "copy/operation.h"

// Have all images, which pixview_image_validate has passed, the type of the first, the size of one image
// of `batch` (with `pad` at most that, with a geometry any that it can place), and its place? `batch` needs
// no memory. `name` is that of the list, for errors. params may be NULL.
pixview_status pixviewi_check_alike(const pixview_image *images, int64_t count,
                                    const pixview_image *batch,
                                    const pixview_convert_params *params, const char *name,
                                    pixview_error *err);

// The rest of pixview_stack but the last step, pixviewi_run, which an empty batch does not need. `videos`: of
// pixviewi_operand, beside each of srcs; NULL: no frames.
pixview_status pixviewi_stack_op(const pixview_image *srcs, const pixviewi_video *videos,
                                 int64_t count, const pixview_image *dst,
                                 const pixview_convert_params *params, const char *name,
                                 pixviewi_copy_op *op, pixview_error *err);

// PIXVIEW_E_INVALID for an empty list.
pixview_status pixviewi_check_count(int64_t count, pixview_error *err);

// All of pixview_stack, of a list that may contain frames. `videos` is changed: to the regions.
pixview_status pixviewi_stack_list(const pixview_image *srcs, pixviewi_video *videos, int64_t count,
                                   const pixview_image *dst, const pixview_convert_params *params,
                                   pixview_error *err);

// The same of pixview_convert within host memory or one GPU.
pixview_status pixviewi_convert_op(const pixview_image *src, const pixview_image *dst,
                                   const pixview_convert_params *params, pixviewi_copy_op *op,
                                   pixview_error *err);

#endif
