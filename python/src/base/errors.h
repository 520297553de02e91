// SPDX-License-Identifier: Apache-2.0
// From a status and its message to a typed Python exception.
#ifndef PV_BASE_ERRORS_H
#define PV_BASE_ERRORS_H

#include "base/state.h"

// Those that return an object return NULL. Formats are PyErr_Format's. Cold: the compiler moves what leads there aside.
__attribute__((cold)) PyObject *pv_raise(pv_state *st, const pixview_error *err);
__attribute__((cold)) int pv_fail(pv_state *st); // raises st->error; -1
__attribute__((cold)) PyObject *pv_raisef(pv_state *st, pixview_status code, const char *fmt, ...);
// With the exception that is set now as __cause__; a MemoryError if that says that memory ran out.
__attribute__((cold)) PyObject *pv_raise_from(pv_state *st, pixview_status code, const char *fmt,
                                              ...);
// With a class of Python's own (TypeError, ValueError).
__attribute__((cold)) PyObject *pv_raise_python(PyObject *type, const char *fmt, ...);

// If the ModuleNotFoundError that is set is about that module: adds how to get it.
__attribute__((cold)) void pv_raise_missing(const char *module, const char *how);

// Puts "NAME: ", or "NAME[index]: ", in front of the message of the exception that is set, if it is ours.
__attribute__((cold)) void pv_errors_prefix(pv_state *st, const char *name);
__attribute__((cold)) void pv_errors_prefix_item(pv_state *st, const char *name, Py_ssize_t index);

#endif
