// SPDX-License-Identifier: Apache-2.0
// Element types as Python sees them: NumPy dtypes, buffer formats, names.

#include "base/dtypes.h"

#include <string.h>

#include "base/errors.h"

static int dtype_row(pixview_dtype dtype)
{
    const pixviewi_dtype_row *row = pixviewi_dtype_find(dtype);
    return row ? (int)(row - pixviewi_dtypes) : -1;
}

const char *pv_dtype_format(pixview_dtype dtype)
{
    const pixviewi_dtype_row *row = pixviewi_dtype_find(dtype);
    return row ? row->format : NULL;
}

// Integers go by their size, because 'l' and 'L' have 4 or 8 bytes by the prefix.
static bool integer_format(char c, Py_ssize_t itemsize, pixview_dtype *out)
{
    bool is_signed = strchr("bhilqn", c) != NULL;
    if (!is_signed && !strchr("BHILQN", c))
        return false;
    if (itemsize != 1 && itemsize != 2 && itemsize != 4 && itemsize != 8)
        return false;
    *out = (pixview_dtype){is_signed ? PIXVIEW_DTYPE_INT : PIXVIEW_DTYPE_UINT,
                           (uint8_t)(itemsize * 8), 1};
    return true;
}

int pv_dtype_from_format(pv_state *st, const char *format, Py_ssize_t itemsize, pixview_dtype *out)
{
    const char *code = format ? format : "B";
    if (strchr("@=<", code[0]) && code[0])
        code++;
    if (code[0] && !code[1] && integer_format(code[0], itemsize, out))
        return 0;
    for (int i = 0; i < PIXVIEWI_DTYPE_COUNT; i++) {
        if (!pixviewi_dtypes[i].format || strcmp(pixviewi_dtypes[i].format, code) != 0)
            continue;
        *out = pixviewi_dtypes[i].dtype;
        return 0;
    }
    if (*code == '>' || *code == '!') {
        pv_raisef(st, PIXVIEW_E_DTYPE,
                  "the buffer's element format '%s' is big-endian; pixview reads native byte "
                  "order: convert it first, an array with a.astype(a.dtype.newbyteorder('='))",
                  format);
        return -1;
    }
    pv_raisef(
        st, PIXVIEW_E_DTYPE,
        "the buffer's element format '%s' (%zd bytes) is not supported; pixview reads "
        "native-endian bool, integers of 8 to 64 bits, float16 to float64 and complex: convert "
        "it, or view it as one of them",
        format, itemsize);
    return -1;
}

PyObject *pv_numpy_dtype(pv_state *st, pixview_dtype dtype)
{
    int row = dtype_row(dtype);
    if (row < 0)
        return pv_raisef(st, PIXVIEW_E_DTYPE, "NumPy has no dtype for this element type");
    if (st->numpy_dtypes[row])
        return st->numpy_dtypes[row];
    PyObject *numpy = PyImport_ImportModule("numpy"), *name = NULL;
    if (!numpy) {
        pv_raise_missing("numpy", "pip install numpy");
        return NULL;
    }
    if (dtype.code == PIXVIEW_DTYPE_BFLOAT) { // NumPy has none of its own; ml_dtypes adds it
        PyObject *module = PyImport_ImportModule("ml_dtypes");
        if (!module) {
            Py_DECREF(numpy);
            return pv_raise_from(
                st, PIXVIEW_E_DTYPE,
                "NumPy has bfloat16 only with the package ml_dtypes: pip install ml_dtypes, or "
                "pass x.view(torch.uint16)");
        }
        name = PyObject_GetAttrString(module, "bfloat16");
        Py_DECREF(module);
    } else {
        name = PyUnicode_FromString(pixviewi_dtypes[row].name);
    }
    if (name)
        st->numpy_dtypes[row] = PyObject_CallMethod(numpy, "dtype", "O", name);
    Py_XDECREF(name);
    Py_DECREF(numpy);
    return st->numpy_dtypes[row];
}

PyObject *pv_dtype_object(pv_state *st, pixview_dtype dtype)
{
    int row = dtype_row(dtype);
    if (row >= 0 && dtype.code != PIXVIEW_DTYPE_BFLOAT) {
        PyObject *object = pv_numpy_dtype(st, dtype);
        if (object)
            return Py_NewRef(object);
        if (!PyErr_ExceptionMatches(PyExc_ImportError))
            return NULL;
        PyErr_Clear(); // no NumPy here: the name says it as well
    }
    return PyUnicode_FromString(pixview_dtype_name(dtype));
}

// The name of a dtype-like object: np.dtype has .name, np.float32 and bool have __name__, a
// torch.dtype prints as "torch.float32".
static PyObject *dtype_name(pv_state *st, PyObject *value)
{
    if (PyUnicode_Check(value))
        return Py_NewRef(value);
    if (value == (PyObject *)&PyFloat_Type)
        return PyUnicode_FromString("float64");
    if (value == (PyObject *)&PyLong_Type)
        return PyUnicode_FromString("int64");
    if (PyType_Check(value))
        return PyObject_GetAttrString(value, "__name__");
    PyObject *name = PyObject_GetAttr(value, st->s_name);
    if ((name && PyUnicode_Check(name)) || (!name && !PyErr_ExceptionMatches(PyExc_AttributeError)))
        return name;
    Py_XDECREF(name);
    PyErr_Clear();
    return PyObject_Str(value);
}

// NumPy's own dtypes and torch's are singletons, so those met before are known by their address.
bool pv_known_dtype(pv_state *st, PyObject *value, pixview_dtype *out)
{
    for (int i = 0; i < PIXVIEWI_DTYPE_COUNT; i++) {
        if (st->numpy_dtypes[i] != value && st->torch_dtypes[i] != value)
            continue;
        *out = pixviewi_dtypes[i].dtype;
        return true;
    }
    return false;
}

// The name of a NumPy dtype does not tell its byte order.
static bool big_endian(PyObject *value)
{
    PyObject *order = PyUnicode_Check(value) ? NULL : PyObject_GetAttrString(value, "byteorder");
    bool big = order && PyUnicode_Check(order) && PyUnicode_CompareWithASCIIString(order, ">") == 0;
    Py_XDECREF(order);
    PyErr_Clear();
    return big;
}

static bool parse_name(const char *text, pixview_dtype *out)
{
    const char *dot = strrchr(text, '.');
    return pixview_dtype_parse(dot ? dot + 1 : text, out) ||
           pixview_typestr_parse(text, out, NULL) == PIXVIEW_OK;
}

static void refuse_dtype(pv_state *st, PyObject *value, const char *text, bool big)
{
    char meant[64] = "";
    if (text)
        pv_guess_dtype(text, meant, sizeof meant);
    pv_raise_from(st, PIXVIEW_E_DTYPE,
                  "dtype=%.100R is %s element type of pixview; use bool, int8 to int64, uint8 to "
                  "uint64, float16, bfloat16, float32, float64, complex64 or complex128, in "
                  "native byte order%s%s",
                  value, big ? "big-endian, no" : "no", *meant ? "; did you mean " : "", meant);
}

int pv_parse_dtype(pv_state *st, PyObject *value, pixview_dtype *out)
{
    if (pv_known_dtype(st, value, out))
        return 0;
    PyObject *name = dtype_name(st, value);
    Py_ssize_t length;
    const char *text = name ? PyUnicode_AsUTF8AndSize(name, &length) : NULL;
    bool whole = text && strlen(text) == (size_t)length; // no NUL ends it before
    bool big = text && (*text == '>' || big_endian(value));
    bool found = whole && !big && parse_name(text, out);
    if (!found)
        refuse_dtype(st, value, whole ? text : NULL, big);
    else if (strcmp(Py_TYPE(value)->tp_name, "torch.dtype") == 0)
        Py_XSETREF(st->torch_dtypes[dtype_row(*out)], Py_NewRef(value));
    Py_XDECREF(name);
    return found ? 0 : -1;
}
