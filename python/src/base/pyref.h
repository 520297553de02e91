// SPDX-License-Identifier: Apache-2.0
// References to Python objects that are dropped on any thread, with or without the GIL.
#ifndef PV_BASE_PYREF_H
#define PV_BASE_PYREF_H

#include "base/state.h"

pixview_owner *pv_pyref_owner(PyObject *object);   // counts it up; NULL with MemoryError set
PyObject *pv_pyref_of(const pixview_owner *owner); // borrowed; NULL if it holds none
// What the release of a view's owner (or NULL) lets go of in the end, borrowed.
PyObject *pv_pyref_source(pixview_owner *owner);
void pv_pyref_drop(void *object); // Py_DECREF
// As long as the owner lives, and after all that it depends on. 0, or -1 with MemoryError.
int pv_pyref_keep(pixview_owner *owner, PyObject *object);
// Drops what could not be dropped before, and lets go of owners that a capture held up.
void pv_pyref_drain(void);

// For an owner that pixview_image_from_dlpack_take (or legacy) made: the exporter's deleter may run
// Python, or assume that no exception is set.
void pv_pyref_guard_deleter(pixview_owner *owner, bool legacy);

bool pv_gil_held(void); // by this thread
// While pixels move. NULL, and the GIL stays, where that is short.
PyThreadState *pv_gil_release(const pixview_image *dst, bool host);
void pv_gil_acquire(PyThreadState *gil);

int pv_pyref_init(PyObject *module);

#endif
