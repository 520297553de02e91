// SPDX-License-Identifier: Apache-2.0
// scale=, mean= and std=: of stack and of to_video_frame.
#ifndef PV_VALUES_H
#define PV_VALUES_H

#include "base/state.h"
#include "copy/operation.h"

typedef struct pv_values {
    bool given; // any of the three
    double mean[PIXVIEWI_MAX_CHANNELS], std[PIXVIEWI_MAX_CHANNELS];
} pv_values;

// Into params, whose mean and std point into *values. 0, or -1 with an error that names the argument.
int pv_parse_values(pv_state *st, PyObject *scale, PyObject *mean, PyObject *std, pv_values *values,
                    pixview_convert_params *params);

#endif
