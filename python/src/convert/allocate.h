// SPDX-License-Identifier: Apache-2.0
// Memory for a copy, from the framework of the result.
#ifndef PV_CONVERT_ALLOCATE_H
#define PV_CONVERT_ALLOCATE_H

#include "frameworks/framework.h"

// Like `like` in shape, type and device, with its axes as the plan says. 0, or -1 with the error;
// pv_allocation_clear in both cases.
int pv_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                const pv_plan *plan, pv_allocation *out);
// The finished object; new. NULL with the error.
PyObject *pv_allocation_export(pv_state *st, const pv_options *options, const pv_plan *plan,
                               pv_allocation *allocation);
void pv_allocation_clear(pv_allocation *allocation);

#endif
