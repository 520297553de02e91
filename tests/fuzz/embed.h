// SPDX-License-Identifier: Apache-2.0
// A Python in the process, with the extension linked in: what the targets of its readers share.
#ifndef EMBED_H
#define EMBED_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "dlpack_input.h"

PyMODINIT_FUNC PyInit__core(void);

// Python keeps what it has until the process ends.
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }

// Of the extension; starts Python at the first call. Borrowed: it lives as long as the process.
static inline PyObject *core_member(const char *name)
{
    static PyObject *core;
    if (!core) {
        PyImport_AppendInittab("_core", PyInit__core);
        Py_InitializeEx(0);
        core = PyImport_ImportModule("_core");
    }
    PyObject *member = core ? PyObject_GetAttrString(core, name) : NULL;
    if (!member) {
        PyErr_Print();
        FAIL("_core.%s", name);
    }
    Py_DECREF(member);
    return member;
}

// pixview.view(x, copy=copy), with src_layout now and then. `copy` is None or False; with None the memory of x
// must exist, because what is not aligned is copied. NULL: it failed with an error of pixview's, as it should.
static inline PyObject *view(PyObject *x, PyObject *copy, fuzz_input *in)
{
    static PyObject *call, *error, *names[2];
    if (!call) {
        call = core_member("view");
        error = core_member("Error");
        names[0] = Py_BuildValue("(s)", "copy");
        names[1] = Py_BuildValue("(ss)", "copy", "src_layout");
        REQUIRE(names[0] && names[1]);
    }
    PyObject *args[3] = {x, copy, NULL};
    uint8_t bits = take_byte(in);
    if (bits >= 128)
        args[2] = PyUnicode_FromString(pixview_layout_name((pixview_layout)(1 + bits % 5)));
    PyObject *image = PyObject_Vectorcall(call, args, 1, names[args[2] != NULL]);
    Py_XDECREF(args[2]);
    if (!image) {
        if (!PyErr_ExceptionMatches(error)) {
            PyErr_Print();
            FAIL("another error than pixview's");
        }
        PyObject *type, *value, *traceback; // its text is made
        PyErr_Fetch(&type, &value, &traceback);
        PyObject *text = PyObject_Str(value);
        REQUIRE(text && PyUnicode_GetLength(text) > 0);
        Py_DECREF(text);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
    }
    REQUIRE(!PyErr_Occurred());
    return image;
}

#endif
