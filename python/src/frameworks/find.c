// SPDX-License-Identifier: Apache-2.0
#include "frameworks/find.h"

#include "base/errors.h"

PyObject *pv_find_module(const char *name)
{
    PyObject *key = PyUnicode_FromString(name);
    PyObject *module = key ? PyImport_GetModule(key) : NULL;
    Py_XDECREF(key);
    if (!module)
        PyErr_Clear();
    return module;
}

PyTypeObject *pv_find_type(PyObject *module, PyObject *name)
{
    PyObject *type = module ? PyObject_GetAttr(module, name) : NULL;
    if (type && PyType_Check(type))
        return (PyTypeObject *)type;
    Py_XDECREF(type);
    PyErr_Clear(); // a module that is still being imported, or a stand-in
    return NULL;
}

int pv_need_module(pv_state *st, const pv_framework *framework, const char *name, const char *how)
{
    PyTypeObject *const *found = &st->framework_type[framework->index];
    if (*found)
        return 0;
    PyObject *module = PyImport_ImportModule(name);
    if (!module) {
        pv_raise_missing(name, how);
        return -1;
    }
    Py_DECREF(module);
    if (!*found)
        framework->find(st);
    if (*found)
        return 0;
    pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
              "the module %s that was imported is not the one pixview knows", name);
    return -1;
}
