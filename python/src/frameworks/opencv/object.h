// SPDX-License-Identifier: Apache-2.0
// Making cv2.cuda.GpuMat objects in C.
#ifndef PV_GPUMAT_OBJECT_H
#define PV_GPUMAT_OBJECT_H

#include "frameworks/opencv/abi.h"

// A GpuMat with an empty header, of `type` (cv2's or a subtype): by hand where the self-check allowed
// it, by calling the type otherwise.
PyObject *pv_gpumat_object_new(const pv_gpumat_abi *abi, PyTypeObject *type);

// NULL if objects can be made by hand, else why not. `read` copies memory without ever crashing.
const char *pv_gpumat_object_check(PyTypeObject *type,
                                   bool (*read)(const void *from, void *to, size_t n));

#endif
