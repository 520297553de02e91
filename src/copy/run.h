// Carries out an operation.
#ifndef PIXVIEWI_RUN_H
#define PIXVIEWI_RUN_H

#include "copy/operation.h"

// Both ends are checked and not empty, on the same GPU or on the host.
pixview_status pixviewi_run(const pixviewi_copy_op *op, pixview_device device,
                            pixview_stream stream, pixview_error *err);

#endif
