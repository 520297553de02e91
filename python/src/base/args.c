// SPDX-License-Identifier: Apache-2.0
// Argument parsing for the vectorcall functions of the module. Written out because the stable
// PyArg_* family costs more than a whole view.

#include "base/args.h"

#include <stdlib.h>
#include <string.h>

#include "base/dtypes.h"
#include "base/errors.h"

// What other libraries' conversions take, and pixview's do not.
static const char *keyword_hint(const char *name)
{
    if (name && strcmp(name, "dtype") == 0)
        return ": it keeps the values; pixview.stack(..., dtype=) converts them, as does the "
               "result's "
               "own method";
    if (name && strcmp(name, "device") == 0)
        return ": copy=True moves pixels between host and GPU, the result's own method to another "
               "GPU";
    return "";
}

static int find_keyword(const char *function, PyObject *name, const pv_keyword *keywords, int count)
{
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    bool whole = text && strlen(text) == (size_t)length;
    for (int i = 0; i < count && whole; i++) {
        if (*text == *keywords[i].name && strcmp(text, keywords[i].name) == 0)
            return i; // the first byte spares most calls
    }
    PyErr_Clear(); // a name that UTF-8 cannot hold is none of ours
    PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'%s", function, name,
                 keyword_hint(text));
    return -1;
}

int pv_parse_args(const char *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                  int npos, const pv_keyword *keywords, int count)
{
    if (nargs > npos) {
        PyErr_Format(PyExc_TypeError, "%s() takes %d positional argument%s but %zd were given",
                     function, npos, npos == 1 ? "" : "s", nargs);
        return -1;
    }
    for (Py_ssize_t i = 0; i < nargs; i++)
        *keywords[i].value = args[i];
    Py_ssize_t nkw = kwnames ? PyTuple_GET_SIZE(kwnames) : 0;
    for (Py_ssize_t i = 0; i < nkw; i++) {
        int at = find_keyword(function, PyTuple_GET_ITEM(kwnames, i), keywords, count);
        if (at < 0)
            return -1;
        if (at < nargs) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%s'", function,
                         keywords[at].name);
            return -1;
        }
        *keywords[at].value = args[nargs + i];
    }
    for (int i = 0; i < npos; i++) {
        if (*keywords[i].value)
            continue;
        PyErr_Format(PyExc_TypeError, "%s() missing required argument '%s'", function,
                     keywords[i].name);
        return -1;
    }
    return 0;
}

int pv_parse_layout(pv_state *st, const char *what, PyObject *value, pixview_layout *out)
{
    *out = PIXVIEW_LAYOUT_NONE;
    if (!value || value == Py_None)
        return 0;
    if (!PyUnicode_Check(value)) {
        pv_raise_python(PyExc_TypeError,
                        "%s=%R is not a string: one of 'HW', 'CHW', 'HWC', 'NCHW', 'NHWC'", what,
                        value);
        return -1;
    }
    Py_ssize_t length;
    const char *name = PyUnicode_AsUTF8AndSize(value, &length);
    if (name && strlen(name) == (size_t)length)
        *out = pixview_layout_parse(name);
    if (*out != PIXVIEW_LAYOUT_NONE)
        return 0;
    PyErr_Clear();
    pv_raisef(st, PIXVIEW_E_LAYOUT, "%s=%R is not one of 'HW', 'CHW', 'HWC', 'NCHW', 'NHWC'", what,
              value);
    return -1;
}

int pv_parse_word(pv_state *st, const char *what, PyObject *value, const char *const *words,
                  int count, int *out)
{
    if (!pv_given(value))
        return 0;
    for (int i = 0; i < count; i++)
        if (PyUnicode_Check(value) && PyUnicode_CompareWithASCIIString(value, words[i]) == 0) {
            *out = i;
            return 0;
        }
    char known[160] = "";
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += (size_t)PyOS_snprintf(known + length, sizeof known - length, "%s'%s'",
                                        i ? ", " : "", words[i]);
    if (PyUnicode_Check(value))
        pv_raisef(st, PIXVIEW_E_LAYOUT, "%s=%R is not one of %s", what, value, known);
    else
        pv_raise_python(PyExc_TypeError, "%s=%R is not a string: one of %s", what, value, known);
    return -1;
}

// 1 and 0; -1: it is no bool, neither Python's nor NumPy's.
static int truth(PyObject *value)
{
    if (PyBool_Check(value))
        return value == Py_True;
    const char *name = Py_TYPE(value)->tp_name;
    bool numpy = strcmp(name, "numpy.bool") == 0 || strcmp(name, "numpy.bool_") == 0;
    int set = numpy ? PyObject_IsTrue(value) : -1;
    if (set < 0)
        PyErr_Clear();
    return set;
}

int pv_parse_copy(PyObject *value, int *out)
{
    *out = -1;
    if (value && value != Py_None && (*out = truth(value)) < 0) {
        pv_raise_python(PyExc_TypeError, "copy=%R is not None, True or False", value);
        return -1;
    }
    return 0;
}

int pv_parse_bool(const char *what, PyObject *value, bool *out)
{
    if (!value)
        return 0;
    int set = truth(value);
    if (set < 0) {
        pv_raise_python(PyExc_TypeError, "%s=%R is not True or False", what, value);
        return -1;
    }
    *out = set;
    return 0;
}

PyObject *pv_index(PyObject *value)
{
    if (!PyBool_Check(value))
        return PyNumber_Index(value);
    PyErr_SetString(PyExc_TypeError, "a bool is no integer here");
    return NULL;
}

// New; NULL, perhaps without an error: it is no address.
static PyObject *address_of(PyObject *value)
{
    if (PyBool_Check(value) || PyUnicode_Check(value) || PyFloat_Check(value))
        return NULL;
    if (PyIndex_Check(value))
        return PyNumber_Index(value);
    const PyNumberMethods *number = Py_TYPE(value)->tp_as_number;
    if (number && number->nb_int && !number->nb_float)
        return PyNumber_Long(value);
    if (strcmp(Py_TYPE(value)->tp_name, "c_void_p") != 0)
        return NULL;
    PyObject *held = PyObject_GetAttrString(value, "value"); // None: NULL
    if (held == Py_None)
        Py_SETREF(held, PyLong_FromLong(0));
    return held;
}

int pv_parse_address(pv_state *st, const char *what, PyObject *value, void **out)
{
    PyObject *number = address_of(value);
    if (!number || !PyLong_Check(number)) {
        Py_XDECREF(number);
        if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Clear();
            pv_raise_python(PyExc_TypeError, "%s=%R is not an integer address", what, value);
        } else {
            pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "%s=%R has a value that cannot be read", what,
                          value);
        }
        return -1;
    }
    // Not PyLong_AsVoidPtr, which takes negative numbers as well.
    *out = (void *)(uintptr_t)PyLong_AsUnsignedLongLong(number);
    Py_DECREF(number);
    if (!PyErr_Occurred())
        return 0;
    PyErr_Clear();
    pv_raise_python(PyExc_ValueError, "%s=%R is not an address of 64 bits", what, value);
    return -1;
}

static bool is_counted(PyObject *value) { return PyTuple_Check(value) || PyList_Check(value); }

PyObject *pv_first_entries(PyObject *value, Py_ssize_t most, Py_ssize_t *count)
{
    if (PyTuple_CheckExact(value)) {
        *count = PyTuple_GET_SIZE(value);
        return Py_NewRef(value);
    }
    if (PyList_CheckExact(value) && PyList_GET_SIZE(value) <= most) {
        *count = PyList_GET_SIZE(value);
        return PyList_AsTuple(value);
    }
    PyObject *iterator = PyObject_GetIter(value), *item;
    PyObject *list = iterator ? PyList_New(0) : NULL;
    int rc = list ? 0 : -1;
    while (rc == 0 && PyList_GET_SIZE(list) <= most && (item = PyIter_Next(iterator))) {
        rc = PyList_Append(list, item);
        Py_DECREF(item);
    }
    PyObject *out = rc == 0 && !PyErr_Occurred() ? PyList_AsTuple(list) : NULL;
    if (out)
        *count = PyTuple_GET_SIZE(out);
    if (out && *count > most && is_counted(value) && Py_SIZE(value) > *count)
        *count = Py_SIZE(value);
    Py_XDECREF(iterator);
    Py_XDECREF(list);
    return out;
}

// The N of 'cuda:N': digits alone. -1 if it is none.
static long ordinal(const char *text)
{
    char *end;
    long value = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
    return value >= 0 && *end == '\0' && value <= INT32_MAX ? value : -1;
}

// 'cpu', 'cuda', 'cuda:1', ('cuda', 1) or an ordinal.
int pv_parse_device(PyObject *value, pixview_device *out)
{
    PyObject *name = value, *index = NULL;
    bool number = PyIndex_Check(value) && !PyBool_Check(value);
    if (PyTuple_Check(value) && PyTuple_GET_SIZE(value) == 2) {
        name = PyTuple_GET_ITEM(value, 0);
        index = PyTuple_GET_ITEM(value, 1);
    } else if (number) {
        name = NULL;
        index = value;
    }
    Py_ssize_t length = 4;
    const char *text = !name                   ? "cuda"
                       : PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &length)
                                               : NULL;
    long id = 0;
    PyObject *whole_index = index ? pv_index(index) : NULL;
    if (index)
        id = whole_index ? PyLong_AsLong(whole_index) : -1;
    Py_XDECREF(whole_index);
    bool whole = text && strlen(text) == (size_t)length;
    if (whole && !index && strncmp(text, "cuda:", 5) == 0) {
        id = ordinal(text + 5);
        text = "cuda";
    }
    bool cpu = whole && strcmp(text, "cpu") == 0 && id == 0,
         cuda = whole && strcmp(text, "cuda") == 0;
    *out = (pixview_device){cpu ? PIXVIEW_DEVICE_CPU : PIXVIEW_DEVICE_CUDA, (int32_t)id};
    if (!PyErr_Occurred() && (cpu || (cuda && id >= 0 && id <= INT32_MAX)))
        return 0;
    PyErr_Clear();
    bool kind = PyUnicode_Check(value) || PyTuple_Check(value) || number;
    pv_raise_python(kind ? PyExc_ValueError : PyExc_TypeError,
                    "device=%R is not None, 'cpu', 'cuda', 'cuda:N', ('cuda', N) or an ordinal",
                    value);
    return -1;
}

// What a scalar is, by DLPack's codes: arrays of no axes and their scalars say so in dtype. -1: anything
// else.
static int number_code(pv_state *st, PyObject *value)
{
    pixview_dtype dtype = {.code = 0};
    if (PyBool_Check(value))
        return PIXVIEW_DTYPE_BOOL;
    if (PyFloat_CheckExact(value) || PyLong_CheckExact(value))
        return -1;
    PyObject *type = PyObject_GetAttr(value, st->s_dtype);
    int code = type && pv_parse_dtype(st, type, &dtype) == 0 ? dtype.code : -1;
    Py_XDECREF(type);
    PyErr_Clear(); // PyFloat_AsDouble has the last word
    return code;
}

int pv_parse_number(pv_state *st, const char *what, PyObject *value, bool bools, double *out)
{
    int code = number_code(st, value);
    if (code == PIXVIEW_DTYPE_COMPLEX ||
        (code == PIXVIEW_DTYPE_BOOL && !bools)) { // their __float__ drops a part
        pv_raise_python(PyExc_TypeError, "%s=%R is not a real number", what, value);
        return -1;
    }
    *out = PyFloat_AsDouble(value);
    if (*out != -1 || !PyErr_Occurred())
        return 0;
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        pv_raise_python(PyExc_TypeError, "%s=%R is not a number", what, value);
    } else if (PyErr_ExceptionMatches(PyExc_OverflowError)) {
        pv_raise_from(st, PIXVIEW_E_LAYOUT, "%s=%R is beyond the numbers of float64", what, value);
    } else {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "%s=%R has a value that cannot be read", what,
                      value);
    }
    return -1;
}

int pv_parse_exact_number(pv_state *st, const char *what, PyObject *value, double *out)
{
    if (pv_parse_number(st, what, value, true, out))
        return -1;
    PyObject *given = PyFloat_Check(value) ? NULL : PyNumber_Index(value);
    PyErr_Clear(); // no integer
    PyObject *kept = given ? PyLong_FromDouble(*out) : NULL;
    int same = kept ? PyObject_RichCompareBool(given, kept, Py_EQ) : given ? -1 : 1;
    if (same == 0)
        pv_raisef(st, PIXVIEW_E_DTYPE,
                  "%s=%R is no number of float64, in which pixview keeps it: beyond "
                  "9007199254740992 that has not every integer; the nearest is %R",
                  what, value, kept);
    Py_XDECREF(given);
    Py_XDECREF(kept);
    return same == 1 ? 0 : -1;
}

// What an argument's type is to blame for. Of an object's own words nothing is: they are a layout.
static bool is_wrong_type(bool argument)
{
    if (!argument || !PyErr_ExceptionMatches(PyExc_TypeError))
        return false;
    PyErr_Clear();
    return true;
}

static int parse_dim(pv_state *st, const char *what, Py_ssize_t i, PyObject *item, bool argument,
                     int64_t *out)
{
    PyObject *index = pv_index(item);
    if (index) {
        *out = PyLong_AsLongLong(index);
        Py_DECREF(index);
        if (*out != -1 || !PyErr_Occurred())
            return 0;
    }
    if (is_wrong_type(argument))
        pv_raise_python(PyExc_TypeError, "%s[%zd] = %R is not an integer", what, i, item);
    else
        pv_raise_from(st, PIXVIEW_E_LAYOUT, "%s[%zd] = %R is not an integer of 64 bits", what, i,
                      item);
    return -1;
}

static int parse_dims(pv_state *st, const char *what, PyObject *value, bool argument, int max,
                      int *ndim, int64_t *out)
{
    static const char wrong[] = "%s=%R is not a sequence of integers";
    Py_ssize_t n;
    PyObject *items = pv_first_entries(value, max, &n);
    if (!items) {
        if (is_wrong_type(argument))
            pv_raise_python(PyExc_TypeError, wrong, what, value);
        else
            pv_raise_from(st, PIXVIEW_E_LAYOUT, wrong, what, value);
        return -1;
    }
    int rc = 0;
    if (n > max) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "%s has %zd%s axes; an image has 2 to 4: index or reshape it first", what, n,
                  is_counted(value) ? "" : " or more");
        rc = -1;
    }
    for (Py_ssize_t i = 0; i < n && rc == 0; i++) {
        rc = parse_dim(st, what, i, PyTuple_GET_ITEM(items, i), argument, &out[i]);
    }
    *ndim = (int)n;
    Py_DECREF(items);
    return rc;
}

int pv_parse_dims(pv_state *st, const char *what, PyObject *value, int max, int *ndim, int64_t *out)
{
    return parse_dims(st, what, value, false, max, ndim, out);
}

int pv_parse_dims_argument(pv_state *st, const char *what, PyObject *value, int max, int *ndim,
                           int64_t *out)
{
    return parse_dims(st, what, value, true, max, ndim, out);
}

int pv_parse_crop(pv_state *st, const char *name, PyObject *value, long long *out)
{
    PyObject *index = pv_index(value);
    *out = index ? PyLong_AsLongLong(index) : -1;
    Py_XDECREF(index);
    if (!PyErr_Occurred())
        return 0;
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        PyErr_Clear();
        pv_raise_python(PyExc_TypeError, "crop: %s=%R is not an integer", name, value);
    } else {
        pv_raise_from(st, PIXVIEW_E_LAYOUT, "crop: %s=%R is not an integer of 64 bits", name,
                      value);
    }
    return -1;
}

PyObject *pv_dims(int ndim, const int64_t *values)
{
    PyObject *tuple = PyTuple_New(ndim);
    for (int i = 0; tuple && i < ndim; i++) {
        PyObject *value = PyLong_FromLongLong(values[i]);
        if (!value)
            Py_CLEAR(tuple);
        else
            PyTuple_SET_ITEM(tuple, i, value);
    }
    return tuple;
}
