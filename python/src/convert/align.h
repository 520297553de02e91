// SPDX-License-Identifier: Apache-2.0
#ifndef PV_CONVERT_ALIGN_H
#define PV_CONVERT_ALIGN_H

#include "frameworks/framework.h"

// Makes in->image an aligned copy of itself if it is unaligned: every other copy reads whole elements. It
// lies in the same memory and is queued where its producer made it ready. 0, or -1 with the error.
int pv_align_source(pv_state *st, pv_imported *in, const pv_options *options);

#endif
