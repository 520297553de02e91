// SPDX-License-Identifier: Apache-2.0
// Where an object is, and how it looks, without converting it.
#ifndef PV_CONVERT_DEVICE_OF_H
#define PV_CONVERT_DEVICE_OF_H

#include "frameworks/table.h"

// The GPU of x, of any rank where its framework allows it. 0, or -1: DeviceError for host memory.
int pv_gpu_of(pv_state *st, const pv_framework *framework, PyObject *x, int *out);
// Imports an image on a GPU and lets go of it: *out holds nothing. 0 or -1, as above.
int pv_import_to_look(pv_state *st, PyObject *x, pv_imported *out);

#endif
