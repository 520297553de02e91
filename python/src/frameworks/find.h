// SPDX-License-Identifier: Apache-2.0
// Finding modules, for the `find` and `need` of each framework. Nothing is imported unless the user asked
// for it by name: whoever passes a tensor has imported torch, so sys.modules has it.
#ifndef PV_FRAMEWORKS_FIND_H
#define PV_FRAMEWORKS_FIND_H

#include "frameworks/framework.h"

PyObject *pv_find_module(const char *name);                   // new; NULL without an error
PyTypeObject *pv_find_type(PyObject *module, PyObject *name); // new; NULL without an error

// Imports `module` unless its type is found already. `how`: to install it. 0, or -1 with the error.
int pv_need_module(pv_state *st, const pv_framework *framework, const char *module,
                   const char *how);

#endif
