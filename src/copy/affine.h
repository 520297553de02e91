// SPDX-License-Identifier: Apache-2.0
#ifndef PIXVIEWI_AFFINE_H
#define PIXVIEWI_AFFINE_H

#include "copy/operation.h"

// What params say about values, checked, of an operation whose ends are set. Fills the rest of *op;
// `batch` is the image of its size.
pixview_status pixviewi_op_finish(pixviewi_copy_op *op, const pixview_image *batch,
                                  const pixview_convert_params *params, pixview_error *err);

#endif
