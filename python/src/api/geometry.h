// SPDX-License-Identifier: Apache-2.0
// The arguments that say where an image goes on a canvas: of stack and of placement.
#ifndef PV_GEOMETRY_H
#define PV_GEOMETRY_H

#include "base/state.h"
#include "pixview/placement.h"

typedef struct pv_geometry_arguments {
    PyObject *size, *fit, *align, *scaleup, *stride;
} pv_geometry_arguments;

// 0, or -1 with an error that names the argument. Without size= the canvas is 0 x 0.
int pv_parse_geometry(pv_state *st, const pv_geometry_arguments *a, pixview_placement_params *out);

// fits by name, also for stack's own errors
const char *pv_fit_name(pixview_fit fit);

// A tuple of what pixview.Placement takes; `y` and `x`: where the image begins in the whole one.
PyObject *pv_placement_tuple(const pixview_placement *p, int64_t y, int64_t x);

#endif
