// SPDX-License-Identifier: Apache-2.0
// From a status and its message to a typed Python exception.

#include "base/errors.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

static PyObject *class_of(pv_state *st, pixview_status code)
{
    switch (code) {
    case PIXVIEW_E_LAYOUT:
        return st->LayoutError;
    case PIXVIEW_E_DTYPE:
        return st->DtypeError;
    case PIXVIEW_E_DEVICE:
        return st->DeviceError;
    case PIXVIEW_E_READONLY:
        return st->ReadOnlyError;
    case PIXVIEW_E_UNSUPPORTED:
        return st->UnsupportedError;
    case PIXVIEW_E_CUDA:
        return st->CudaError;
    case PIXVIEW_E_MEMORY:
        return PyExc_MemoryError;
    case PIXVIEW_E_SHARE:
        return st->ShareError;
    case PIXVIEW_E_TIMEOUT:
        return st->ShareTimeoutError;
    default:
        return PyExc_ValueError;
    }
}

static PyObject *raise_cuda(pv_state *st, const pixview_error *err)
{
    // The message holds the code's name, such as CUDA_ERROR_OUT_OF_MEMORY, if the driver gave one.
    PyObject *error = PyObject_CallFunction(st->CudaError, "s", err->message);
    if (!error)
        return NULL;
    const char *start = strstr(err->message, "CUDA_");
    const char *end = start ? start : (start = err->message);
    while ((*end >= 'A' && *end <= 'Z') || (*end >= '0' && *end <= '9') || *end == '_')
        end++;
    PyObject *code = PyLong_FromLong(err->driver_code);
    PyObject *name = PyUnicode_FromStringAndSize(start, end - start);
    if (code && name && PyObject_SetAttrString(error, "code", code) == 0 &&
        PyObject_SetAttrString(error, "name", name) == 0) {
        PyErr_SetObject(st->CudaError, error);
    }
    Py_XDECREF(code);
    Py_XDECREF(name);
    Py_DECREF(error);
    return NULL;
}

PyObject *pv_raise(pv_state *st, const pixview_error *err)
{
    if (err->code == PIXVIEW_E_CUDA) {
        const pixview_error copy = *err; // a collection may run Python, which overwrites st->error
        return raise_cuda(st, &copy);
    }
    PyErr_SetString(class_of(st, err->code), err->message);
    return NULL;
}

int pv_fail(pv_state *st)
{
    assert(st->error.code != PIXVIEW_OK);
    pv_raise(st, &st->error);
    return -1;
}

enum { LONGEST = 1000 }; // characters of a message: a repr may be of any length

// What the values are cannot be told when their repr() raises: then the words around them. No
// characters of a string take a value's place among the arguments.
static PyObject *text_without_values(const char *fmt, va_list args)
{
    PyObject *text = PyUnicode_FromString(fmt);
    PyObject *some =
        text ? PyObject_CallMethod(text, "replace", "ss", "%.100R", "%R") : NULL; // cut short
    PyObject *rest =
        some ? PyObject_CallMethod(some, "replace", "ss", "%R", "(its repr() fails)%.0s") : NULL;
    const char *words = rest ? PyUnicode_AsUTF8(rest) : NULL;
    PyObject *out = words ? PyUnicode_FromFormatV(words, args) : NULL;
    Py_XDECREF(text);
    Py_XDECREF(some);
    Py_XDECREF(rest);
    return out;
}

// NULL with the error for what is no fault of the values: no memory, a Ctrl-C. Otherwise an exception
// of `type`, and in *cause what a repr() raised, if nothing was there before.
static PyObject *make_error(PyObject *type, PyObject **cause, const char *fmt, va_list args)
{
    va_list again;
    va_copy(again, args);
    PyObject *text = PyUnicode_FromFormatV(fmt, args);
    if (!text && PyErr_ExceptionMatches(PyExc_Exception) &&
        !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyObject *kind, *value, *traceback;
        PyErr_Fetch(&kind, &value, &traceback);
        PyErr_NormalizeException(&kind, &value, &traceback);
        Py_XDECREF(kind);
        Py_XDECREF(traceback);
        if (*cause)
            Py_XDECREF(value);
        else
            *cause = value;
        text = text_without_values(fmt, again);
    }
    va_end(again);
    if (text && PyUnicode_GetLength(text) > LONGEST)
        Py_SETREF(text, PyUnicode_Substring(text, 0, LONGEST));
    PyObject *error = text ? PyObject_CallOneArg(type, text) : NULL;
    Py_XDECREF(text);
    return error;
}

static PyObject *raise_with(PyObject *type, PyObject *cause, const char *fmt, va_list args)
{
    PyObject *error = make_error(type, &cause, fmt, args);
    if (error && cause) {
        PyException_SetContext(error, Py_NewRef(cause));
        PyException_SetCause(error, Py_NewRef(cause)); // steals
    }
    if (error)
        PyErr_SetObject(type, error);
    Py_XDECREF(error);
    Py_XDECREF(cause);
    return NULL;
}

PyObject *pv_raisef(pv_state *st, pixview_status code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    raise_with(class_of(st, code), NULL, fmt, args);
    va_end(args);
    return NULL;
}

PyObject *pv_raise_python(PyObject *type, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    raise_with(type, NULL, fmt, args);
    va_end(args);
    return NULL;
}

// Frameworks say in words that memory ran out: C++'s bad_alloc, the allocators of torch and OpenCV.
static bool is_out_of_memory(PyObject *error)
{
    static const char *const words[] = {"bad_alloc", "ut of memory", "allocate memory",
                                        "Failed to allocate", "Insufficient memory"};
    PyObject *text = error ? PyObject_Str(error) : NULL;
    const char *said = text ? PyUnicode_AsUTF8(text) : NULL;
    bool found = false;
    for (size_t i = 0; said && i < sizeof words / sizeof words[0]; i++)
        found |= strstr(said, words[i]) != NULL;
    Py_XDECREF(text);
    PyErr_Clear();
    return found;
}

PyObject *pv_raise_from(pv_state *st, pixview_status code, const char *fmt, ...)
{
    PyObject *type, *cause, *traceback;
    PyErr_Fetch(&type, &cause, &traceback);
    // A Ctrl-C is not the fault of the object at hand, and running out of memory says enough.
    if (type && (!PyErr_GivenExceptionMatches(type, PyExc_Exception) ||
                 PyErr_GivenExceptionMatches(type, PyExc_MemoryError))) {
        PyErr_Restore(type, cause, traceback);
        return NULL;
    }
    PyErr_NormalizeException(&type, &cause, &traceback);
    if (traceback && cause)
        PyException_SetTraceback(cause, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);

    va_list args;
    va_start(args, fmt);
    raise_with(class_of(st, is_out_of_memory(cause) ? PIXVIEW_E_MEMORY : code), cause, fmt, args);
    va_end(args);
    return NULL;
}

// A module that is there but fails to be imported says itself what it lacks.
void pv_raise_missing(const char *module, const char *how)
{
    PyObject *type, *error, *traceback;
    if (!PyErr_ExceptionMatches(PyExc_ModuleNotFoundError))
        return;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject *name = PyObject_GetAttrString(error, "name"), *text = NULL;
    bool itself =
        name && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, module) == 0;
    PyErr_Clear();
    if (itself)
        text = PyUnicode_FromFormat("the module %s is not installed: %s", module, how);
    if (text) {
        PyErr_SetImportErrorSubclass(PyExc_ModuleNotFoundError, text, name, NULL);
        Py_DECREF(text);
        Py_DECREF(type);
        Py_DECREF(error);
        Py_XDECREF(traceback);
    } else {
        PyErr_Clear();
        PyErr_Restore(type, error, traceback);
    }
    Py_XDECREF(name);
}

void pv_errors_prefix_item(pv_state *st, const char *name, Py_ssize_t index)
{
    PyObject *type, *error, *traceback;
    if (!PyErr_ExceptionMatches(st->Error))
        return;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject *what =
        index < 0 ? PyUnicode_FromString(name) : PyUnicode_FromFormat("%s[%zd]", name, index);
    PyObject *text = what ? PyObject_Str(error) : NULL;
    PyObject *args = text ? Py_BuildValue("(N)", PyUnicode_FromFormat("%U: %U", what, text)) : NULL;
    if (!args || PyObject_SetAttrString(error, "args", args))
        PyErr_Clear(); // the error without its index, then
    Py_XDECREF(args);
    Py_XDECREF(text);
    Py_XDECREF(what);
    PyErr_Restore(type, error, traceback);
}

void pv_errors_prefix(pv_state *st, const char *name) { pv_errors_prefix_item(st, name, -1); }
