// SPDX-License-Identifier: Apache-2.0
#ifndef PIXVIEWI_RUN_H
#define PIXVIEWI_RUN_H

#include "copy/operation.h"

// Both ends are checked, on the same GPU or on the host. An empty operation does nothing.
pixview_status pixviewi_run(const pixviewi_copy_op *op, pixview_device device,
                            pixview_stream stream, pixview_error *err);

#endif
