// SPDX-License-Identifier: Apache-2.0
// Arguments of the module's functions: vectorcall parsing, and values of each kind.
#ifndef PV_BASE_ARGS_H
#define PV_BASE_ARGS_H

#include "base/state.h"

typedef struct pv_keyword {
    const char *name;
    PyObject **value; // borrowed; left alone when not given
} pv_keyword;

// All return 0, or -1 with an error that names the argument.

// The first `npos` arguments by position or name, the rest by keyword only.
int pv_parse_args(const char *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                  int npos, const pv_keyword *keywords, int count);
int pv_parse_layout(pv_state *st, const char *what, PyObject *value, pixview_layout *out);
// One of some words, as its index; not given, *out is left alone.
int pv_parse_word(pv_state *st, const char *what, PyObject *value, const char *const *words,
                  int count, int *out);
int pv_parse_copy(PyObject *value, int *out);                    // -1 None, 0 False, 1 True
int pv_parse_bool(const char *what, PyObject *value, bool *out); // NumPy's too
// An int of what counts as an integer: __index__, and no bool. NULL with an error of Python's.
PyObject *pv_index(PyObject *value);
// An address: an integer, a ctypes pointer, or an object with __int__ alone (cuda.bindings' CUdeviceptr).
int pv_parse_address(pv_state *st, const char *what, PyObject *value, void **out);
// The first entries of an iterable, which may never end: a tuple of at most `most` + 1. *count is how many
// there are, if they can be counted. NULL with an error of Python's.
PyObject *pv_first_entries(PyObject *value, Py_ssize_t most, Py_ssize_t *count);
// A real number. `bools`: True and False are 1 and 0.
int pv_parse_number(pv_state *st, const char *what, PyObject *value, bool bools, double *out);
// With bools, and refuses an integer that a double would round.
int pv_parse_exact_number(pv_state *st, const char *what, PyObject *value, double *out);
int pv_parse_device(PyObject *value, pixview_device *out); // 'cpu', 'cuda:1', ('cuda', 1), 1
// Extents or strides that an object shows; of an argument, a wrong type is a TypeError.
int pv_parse_dims(pv_state *st, const char *what, PyObject *value, int max, int *ndim,
                  int64_t *out);
int pv_parse_dims_argument(pv_state *st, const char *what, PyObject *value, int max, int *ndim,
                           int64_t *out);

// A number of crop(); `name` is y, x, h or w.
int pv_parse_crop(pv_state *st, const char *name, PyObject *value, long long *out);

PyObject *pv_dims(int ndim, const int64_t *values); // a tuple

// An argument that may be left out: absent and None mean the same.
static inline bool pv_given(PyObject *value) { return value && value != Py_None; }

#endif
