// SPDX-License-Identifier: Apache-2.0
// NumPy: the fields of PyArrayObject are its public ABI, the same in NumPy 1 and 2.
#ifndef PV_NUMPY_H
#define PV_NUMPY_H

#include "frameworks/table.h"

typedef struct pv_numpy {
    PyObject *module;
} pv_numpy;

static inline pv_numpy *pv_numpy_of(pv_state *st) { return st->framework_state[PV_NUMPY]; }

// import.c
int pv_numpy_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in);

// export.c
PyObject *pv_numpy_export_take(pv_state *st, pixview_image *image, const pv_plan *plan,
                               PyObject *stream_object);

// memory.c
int pv_numpy_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                      const pv_plan *plan, pv_allocation *out);

#endif
