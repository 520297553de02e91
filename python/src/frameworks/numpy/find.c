// SPDX-License-Identifier: Apache-2.0
// Finding NumPy, and its row in the table.

#include "frameworks/find.h"
#include "frameworks/array.h"
#include "frameworks/numpy/numpy.h"

static void numpy_find(pv_state *st)
{
    PyObject *module = pv_find_module("numpy");
    PyTypeObject *type = pv_find_type(module, st->s_ndarray);
    if (!type) {
        Py_XDECREF(module);
        return;
    }
    pv_numpy_of(st)->module = module;
    st->framework_type[PV_NUMPY] = type;
}

static int numpy_need(pv_state *st)
{
    return pv_need_module(st, &pv_framework_numpy, "numpy", "pip install numpy");
}

static const size_t numpy_owned[] = {offsetof(pv_numpy, module), PV_OWNED_END};

const pv_framework pv_framework_numpy = {
    .name = "numpy",
    .call = "as_numpy",
    .index = PV_NUMPY,
    .flags = PV_ON_HOST,
    .state_size = sizeof(pv_numpy),
    .owned = numpy_owned,
    .find = numpy_find,
    .need = numpy_need,
    .import = pv_numpy_import,
    .check = pv_array_check,
    .export_take = pv_numpy_export_take,
    .allocate = pv_numpy_allocate,
};
