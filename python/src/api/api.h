// SPDX-License-Identifier: Apache-2.0
// The public calls, for the method table of module.c. Each is one file; docs.h has what users read of them.
#ifndef PV_API_H
#define PV_API_H

#include "frameworks/table.h"

#define PV_CALL(name)                                                                   \
    PyObject *pv_call_##name(PyObject *module, PyObject *const *args, Py_ssize_t nargs, \
                             PyObject *kwnames)

// as.c: as_torch ... of every framework in the table.
#define X(name, NAME) PV_CALL(as_##name);
PV_FRAMEWORKS(X)
#undef X
PV_CALL(view);
PV_CALL(plan);
PV_CALL(from_pointer);
PV_CALL(copy_into);
PV_CALL(stack);
PV_CALL(unstack);
PV_CALL(used_on);
PV_CALL(warm_up);
PV_CALL(video_frame);
PV_CALL(to_video_frame);
PyObject *pv_stream_of(PyObject *module, PyObject *x);

// For python/pixview/_placement.py.
PyObject *pv_placement(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

// using_stream.c, for python/pixview/_using.py
PyObject *pv_stream_facts(PyObject *module, PyObject *value);
PyObject *pv_push_stream(PyObject *module, PyObject *args);
PyObject *pv_pop_stream(PyObject *module, PyObject *ignored);

// For `pixview doctor`, the bench and the tests.
PyObject *pv_doctor(PyObject *module, PyObject *ignored);
PyObject *pv_nop(PyObject *module, PyObject *ignored);
PyObject *pv_host_threads(PyObject *module, PyObject *count);
PyObject *pv_keep_filters(PyObject *module, PyObject *most);
PyObject *pv_force(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
