// SPDX-License-Identifier: Apache-2.0
#ifndef PIXVIEWI_REFERENCE_H
#define PIXVIEWI_REFERENCE_H

#include "copy/operation.h"

// The specification of every copy: plain C, slow. Host memory only. op->filters are made, where it has some.
void pixviewi_run_reference(const pixviewi_copy_op *op);

#endif
