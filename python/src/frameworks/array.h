// SPDX-License-Identifier: Apache-2.0
// What the two libraries with NumPy's array interface share.
#ifndef PV_FRAMEWORKS_ARRAY_H
#define PV_FRAMEWORKS_ARRAY_H

#include "frameworks/framework.h"

// module.empty(shape, dtype); new.
PyObject *pv_array_empty(pv_state *st, PyObject *module, int ndim, const int64_t *shape,
                         pixview_dtype dtype);
typedef int pv_import_function(pv_state *st, PyObject *x, const pv_options *options,
                               pv_imported *out);
// Where an array that pixview just made lies, read by the framework's own import.
int pv_array_memory(pv_state *st, pv_import_function *import, PyObject *array, int ndim,
                    pixview_image *out, PyObject **stream_object);
// Fills out->image over out->object, an array of the shape that `like` has in plan->layout.
int pv_array_describe(pv_state *st, pv_import_function *import, const pv_imported *like,
                      const pv_plan *plan, int ndim, pv_allocation *out);

// The element types of both are NumPy's.
int pv_array_check(pv_state *st, const pixview_image *image, pv_plan *plan);

#endif
