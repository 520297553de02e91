// SPDX-License-Identifier: Apache-2.0
// Element types as Python sees them: NumPy dtypes, buffer formats, names.
#ifndef PV_BASE_DTYPES_H
#define PV_BASE_DTYPES_H

#include "base/state.h"

int pv_parse_dtype(pv_state *st, PyObject *value, pixview_dtype *out);
bool pv_known_dtype(pv_state *st, PyObject *value, pixview_dtype *out); // by identity
// Of the buffer protocol (PEP 3118); NULL for bfloat16.
int pv_dtype_from_format(pv_state *st, const char *format, Py_ssize_t itemsize, pixview_dtype *out);
const char *pv_dtype_format(pixview_dtype dtype);
PyObject *pv_numpy_dtype(pv_state *st, pixview_dtype dtype);  // borrowed; imports NumPy
PyObject *pv_dtype_object(pv_state *st, pixview_dtype dtype); // new; a string without NumPy

// dtype_guess.c: what a name that is none may mean, as "'uint8'?"; "" if it is unknown.
void pv_guess_dtype(const char *text, char *out, size_t n);

#endif
