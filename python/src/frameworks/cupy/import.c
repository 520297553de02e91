// SPDX-License-Identifier: Apache-2.0
// CuPy arrays: in place after a check, by their attributes otherwise (there is no C API and no exchange
// table in CuPy 13 to 15).

#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "base/image_object.h"
#include "frameworks/cupy/cupy.h"
#include "frameworks/imported.h"

static int read_memory_pointer(pv_state *st, PyObject *x, void **data, int *device)
{
    PyObject *memory = PyObject_GetAttr(x, st->s_data);
    PyObject *pointer = memory ? PyObject_GetAttr(memory, st->s_ptr) : NULL;
    PyObject *id = pointer ? PyObject_GetAttr(memory, st->s_device_id) : NULL;
    if (id) {
        *data = PyLong_AsVoidPtr(pointer);
        *device = (int)PyLong_AsLong(id);
    }
    Py_XDECREF(memory);
    Py_XDECREF(pointer);
    Py_XDECREF(id);
    return PyErr_Occurred() ? -1 : 0;
}

static int read_dims(pv_state *st, PyObject *x, PyObject *name, int *ndim, int64_t *out)
{
    PyObject *dims = PyObject_GetAttr(x, name);
    int rc = dims ? pv_parse_dims(st, "the array", dims, 4, ndim, out) : -1;
    Py_XDECREF(dims);
    return rc;
}

// A flag of CuPy's own that says that the strides need not be asked for.
static bool is_c_contiguous(pv_state *st, PyObject *x)
{
    PyObject *flag = PyObject_GetAttr(x, st->s__c_contiguous);
    bool packed = flag == Py_True;
    Py_XDECREF(flag);
    if (!flag)
        PyErr_Clear(); // another CuPy
    return packed;
}

static int read_by_attributes(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    void *data = NULL;
    int ndim, same;
    int64_t shape[4], strides[4];
    pixview_dtype dtype;
    pixview_device device = {PIXVIEW_DEVICE_CUDA, 0};
    PyObject *type = PyObject_GetAttr(x, st->s_dtype);
    int rc = type ? pv_parse_dtype(st, type, &dtype) : -1;
    Py_XDECREF(type);
    if (rc || read_memory_pointer(st, x, &data, &device.id) ||
        read_dims(st, x, st->s_shape, &ndim, shape))
        return -1;
    bool packed = is_c_contiguous(st, x);
    if (!packed && read_dims(st, x, st->s_strides, &same, strides))
        return -1;
    if (pv_imported_init(st, in, options, data, ndim, shape, packed ? NULL : strides, dtype,
                         device))
        return -1;
    return pv_numpy_dtype(st, dtype) ? 0 : -1; // known from now on
}

static int read_array(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    void *data;
    int ndim;
    const int64_t *shape, *strides;
    pixview_dtype dtype;
    pixview_device device = {PIXVIEW_DEVICE_CUDA, 0};
    if (!pv_cupy_fields(st, x, &data, &device.id, &ndim, &shape, &strides, &dtype)) {
        int rc = read_by_attributes(st, x, options, in);
        if (rc && !PyErr_ExceptionMatches(st->Error))
            pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "the attributes of a %s object cannot be read",
                          Py_TYPE(x)->tp_name);
        return rc;
    }
    return pv_imported_init(st, in, options, data, ndim, shape, strides, dtype, device);
}

int pv_cupy_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    pv_stream stream = {0, NULL};
    if (read_array(st, x, options, in))
        return -1;
    int rc = pv_cupy_current_stream(st, in->image.device.id, &stream);
    in->image.stream = stream.handle;
    in->stream_object = stream.object;
    return rc;
}

int pv_cupy_device_of(pv_state *st, PyObject *x, pixview_device *out)
{
    PyObject *pointer = PyObject_GetAttr(x, st->s_data);
    PyObject *id = pointer ? PyObject_GetAttr(pointer, st->s_device_id) : NULL;
    *out = (pixview_device){PIXVIEW_DEVICE_CUDA, id ? (int)PyLong_AsLong(id) : 0};
    Py_XDECREF(pointer);
    Py_XDECREF(id);
    return PyErr_Occurred() ? -1 : 0;
}

// The memory of a view names the Image that keeps it.
int pv_cupy_owner_of(pv_state *st, PyObject *x, pixview_owner **out)
{
    PyObject *pointer = PyObject_GetAttr(x, st->s_data);
    PyObject *memory = pointer ? PyObject_GetAttrString(pointer, "mem") : NULL;
    PyObject *keeper = memory ? PyObject_GetAttrString(memory, "_owner") : NULL;
    Py_XDECREF(pointer);
    Py_XDECREF(memory);
    if (!keeper) { // memory of a pool: not a view
        bool absent = PyErr_ExceptionMatches(PyExc_AttributeError);
        if (absent)
            PyErr_Clear();
        return absent ? 0 : -1;
    }
    if (pv_is_image(keeper))
        *out = ((pv_image *)keeper)->image.owner; // x keeps it
    Py_DECREF(keeper);
    return 0;
}
