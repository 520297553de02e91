// SPDX-License-Identifier: Apache-2.0
// The plan of a conversion: a view, or one copy and why. Made once, from an imported object and the options.
#ifndef PV_CONVERT_PLAN_H
#define PV_CONVERT_PLAN_H

#include "frameworks/framework.h"

// 0, or -1 with the error that the conversion has.
int pv_make_plan(pv_state *st, const pv_imported *in, const pv_options *options, pv_plan *plan);

// stream= applies where an end has no stream of its own. 0, or -1 with a ValueError.
int pv_check_stream_applies(const pv_options *options, bool applies);

#endif
