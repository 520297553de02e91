// SPDX-License-Identifier: Apache-2.0
// What autograd has to know of a write: it must be allowed, and is counted.

#include "base/errors.h"
#include "frameworks/torch/torch.h"

// Writing under autograd's back would make gradients wrong without a word. Integers have none.
int pv_torch_check_writable(pv_state *st, const char *name, const pv_imported *dst)
{
    uint8_t code = dst->image.dtype.code;
    if (code == PIXVIEW_DTYPE_UINT || code == PIXVIEW_DTYPE_INT)
        return 0;
    PyObject *grad = PyObject_GetAttr(dst->object, st->s_requires_grad);
    int set = grad ? PyObject_IsTrue(grad) : -1;
    Py_XDECREF(grad);
    if (set == 0)
        return 0;
    if (set < 0) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "requires_grad of %s, a %s object, fails", name,
                      Py_TYPE(dst->object)->tp_name);
        return -1;
    }
    pv_raisef(st, PIXVIEW_E_READONLY,
              "%s requires grad: pass `%s.detach()` to write its memory all the same", name, name);
    return -1;
}

// NULL without an error: this torch has none.
static PyObject *increment_version(pv_state *st)
{
    pv_torch *torch = pv_torch_of(st);
    if (torch->increment_version)
        return torch->increment_version;
    PyObject *autograd = PyObject_GetAttrString(torch->module, "autograd");
    PyObject *graph = autograd ? PyObject_GetAttrString(autograd, "graph") : NULL;
    torch->increment_version = graph ? PyObject_GetAttrString(graph, "increment_version") : NULL;
    Py_XDECREF(autograd);
    Py_XDECREF(graph);
    if (!torch->increment_version && PyErr_ExceptionMatches(PyExc_AttributeError))
        PyErr_Clear();
    return torch->increment_version;
}

// An inference tensor has no version, and torch saves none for backward.
static bool is_inference(PyObject *x)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyObject *answer = PyObject_CallMethod(x, "is_inference", NULL);
    bool yes = answer == Py_True;
    Py_XDECREF(answer);
    PyErr_Restore(type, error, traceback);
    return yes;
}

int pv_torch_count_write(pv_state *st, PyObject *x)
{
    PyObject *count = increment_version(st);
    PyObject *done = count ? PyObject_CallOneArg(count, x) : NULL;
    if (!done && PyErr_Occurred()) {
        if (!is_inference(x)) {
            pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                          "torch cannot count that this %s was written, so gradients may be wrong",
                          Py_TYPE(x)->tp_name);
            return -1;
        }
        PyErr_Clear();
    }
    Py_XDECREF(done);
    return 0;
}
