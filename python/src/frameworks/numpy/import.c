// NumPy arrays: by the fields of PyArrayObject, which are NumPy's public ABI (every extension compiled
// against it reads them in place, in NumPy 1 and 2), for dtypes met before; else by buffer or interface.

#include "base/state.h"

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

static int import_fields(pv_state *st, const array_fields *a, pixview_dtype dtype,
                         const pv_request *req, pv_source *src)
{
    if (pv_source_init(st, src, PV_NUMPY, req, a->data, a->nd, (const int64_t *)a->dimensions,
                       (const int64_t *)a->strides, dtype,
                       (pixview_device){PIXVIEW_DEVICE_CPU, 0})) {
        return -1;
    }
    src->image.stream = PIXVIEW_STREAM_NONE;
    if (!(a->flags & WRITEABLE))
        src->image.flags |= PIXVIEW_FLAG_READ_ONLY;
    return 0;
}

// Arrays without a buffer format, such as ml_dtypes' bfloat16, still have an array interface.
static int import_by_interface(pv_state *st, PyObject *x, const pv_request *req, pv_source *src)
{
    PyErr_Clear();
    PyObject *interface = PyObject_GetAttr(x, st->s___array_interface__);
    if (!interface) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                      "__array_interface__ of a %s object cannot be read", Py_TYPE(x)->tp_name);
        return -1;
    }
    int rc = pv_import_interface(st, x, interface, false, req, src);
    Py_DECREF(interface);
    src->kind = PV_NUMPY;
    return rc;
}

// The buffer is given back at once: a NumPy array does not move its memory while it is referenced.
PIXVIEWI_HOT int pv_import_numpy(pv_state *st, PyObject *x, const pv_request *req, pv_source *src)
{
    if (PIXVIEWI_UNLIKELY(Py_TYPE(x) != st->numpy_type) && PyObject_HasAttrString(x, "filled")) {
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
                  "a %s has a mask, which no image can carry: use `.filled()` or `.data`",
                  Py_TYPE(x)->tp_name);
        return -1;
    }
    const array_fields *fields = (const array_fields *)x;
    pixview_dtype dtype;
    if (PIXVIEWI_LIKELY(pv_known_dtype(st, fields->descr, &dtype)))
        return import_fields(st, fields, dtype, req, src);
    Py_buffer buffer;
    if (PyObject_GetBuffer(x, &buffer, PyBUF_RECORDS_RO) != 0)
        return import_by_interface(st, x, req, src);
    int rc = pv_import_from_buffer(st, &buffer, PV_NUMPY, req, src);
    PyBuffer_Release(&buffer);
    if (rc == 0 && !pv_numpy_dtype(st, src->image.dtype)) // known from now on
        return -1;
    return rc;
}
