// SPDX-License-Identifier: Apache-2.0
// NumPy arrays: by the fields of PyArrayObject, which are NumPy's public ABI (every extension compiled
// against it reads them in place, in NumPy 1 and 2), for dtypes met before; else by buffer or interface.

#include "base/dtypes.h"
#include "base/errors.h"
#include "frameworks/imported.h"
#include "frameworks/numpy/numpy.h"
#include "frameworks/protocols/protocols.h"

typedef struct { // PyArrayObject_fields of numpy/ndarraytypes.h
    PyObject_HEAD
    char *data;
    int nd;
    Py_ssize_t *dimensions, *strides; // strides: bytes
    PyObject *base;
    PyObject *descr;
    int flags;
} array_fields;

enum { WRITEABLE = 0x0400 }; // NPY_ARRAY_WRITEABLE

_Static_assert(sizeof(Py_ssize_t) == sizeof(int64_t), "NumPy's extents are read as they are");

static int numpy_import_fields(pv_state *st, const array_fields *a, pixview_dtype dtype,
                               const pv_options *options, pv_imported *in)
{
    if (pv_imported_init(st, in, options, a->data, a->nd, (const int64_t *)a->dimensions,
                         (const int64_t *)a->strides, dtype,
                         (pixview_device){PIXVIEW_DEVICE_CPU, 0})) {
        return -1;
    }
    in->image.stream = PIXVIEW_STREAM_NONE;
    if (!(a->flags & WRITEABLE))
        in->image.flags |= PIXVIEW_FLAG_READ_ONLY;
    return 0;
}

// Arrays without a buffer format, such as ml_dtypes' bfloat16, still have an array interface.
static int numpy_import_by_interface(pv_state *st, PyObject *x, const pv_options *options,
                                     pv_imported *in)
{
    PyErr_Clear();
    PyObject *interface = PyObject_GetAttr(x, st->s___array_interface__);
    if (!interface) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                      "__array_interface__ of a %s object cannot be read", Py_TYPE(x)->tp_name);
        return -1;
    }
    int rc = pv_import_interface(st, x, interface, false, options, in);
    Py_DECREF(interface);
    return rc;
}

// The buffer is given back at once: a NumPy array does not move its memory while it is referenced.
int pv_numpy_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    if (Py_TYPE(x) != st->framework_type[PV_NUMPY] && !options->again &&
        PyObject_HasAttrString(x, "filled")) {
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
                  "a %s has a mask, which no image can carry: use `.filled()` or `.data`",
                  Py_TYPE(x)->tp_name);
        return -1;
    }
    const array_fields *fields = (const array_fields *)x;
    pixview_dtype dtype;
    if (pv_known_dtype(st, fields->descr, &dtype))
        return numpy_import_fields(st, fields, dtype, options, in);
    Py_buffer buffer;
    if (PyObject_GetBuffer(x, &buffer, PyBUF_RECORDS_RO) != 0)
        return numpy_import_by_interface(st, x, options, in);
    int rc = pv_import_from_buffer(st, &buffer, options, in);
    PyBuffer_Release(&buffer);
    if (rc == 0 && !pv_numpy_dtype(st, in->image.dtype)) // known from now on
        return -1;
    return rc;
}
