// SPDX-License-Identifier: Apache-2.0
// The one path: import -> plan -> view or copy -> export.
#ifndef PV_CONVERT_CONVERT_H
#define PV_CONVERT_CONVERT_H

#include "frameworks/framework.h"

PyObject *pv_convert(pv_state *st, PyObject *x, const pv_options *options);

// The same, up to the plan: what pixview.plan shows.
PyObject *pv_plan_object(pv_state *st, PyObject *x, const pv_options *options);

// Orders the streams of a view's two ends, and makes in->image own its memory. 0, or -1 with the error.
int pv_prepare_view(pv_state *st, pv_imported *in, const pv_options *options);

#endif
