// The specification of every copy.
#ifndef PIXVIEWI_REFERENCE_H
#define PIXVIEWI_REFERENCE_H

#include "copy/operation.h"

// Plain C, slow: what all others have to equal. Host memory only.
void pixviewi_run_reference(const pixviewi_copy_op *op);

#endif
