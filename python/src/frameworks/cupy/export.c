// SPDX-License-Identifier: Apache-2.0
// Descriptor -> cupy.ndarray: UnownedMemory -> MemoryPointer -> ndarray. The memory object keeps a
// pixview.Image, which keeps the owner. With the device named, CuPy asks the driver nothing.

#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "base/image_object.h"
#include "frameworks/cupy/cupy.h"

// Lowest address and bytes up to the highest: strides may be negative.
static void byte_extent(const pixview_image *image, int64_t *offset, int64_t *size)
{
    *offset = 0;
    *size = pixview_dtype_size(image->dtype);
    for (int i = 0; i < 4; i++) {
        int64_t reach = (image->shape[i] - 1) * image->strides[i];
        if (reach < 0)
            *offset -= reach;
        *size += reach < 0 ? -reach : reach;
    }
    if (pixview_image_is_empty(image))
        *offset = *size = 0;
}

// UnownedMemory(address, bytes, keeper, device) and MemoryPointer(memory, offset).
static PyObject *new_memory_pointer(pv_state *st, pixview_image *image, pixview_layout layout)
{
    int64_t offset, size;
    byte_extent(image, &offset, &size);
    PyObject *out = NULL, *memory = NULL;
    PyObject *start = PyLong_FromUnsignedLongLong((uintptr_t)image->data - (uintptr_t)offset);
    PyObject *bytes = PyLong_FromLongLong(size), *first = PyLong_FromLongLong(offset);
    PyObject *device = PyLong_FromLong(image->device.id);
    PyObject *keeper = pv_image_new_take(st, image, layout, NULL);
    if (start && bytes && first && device && keeper) {
        PyObject *args[] = {start, bytes, keeper, device};
        memory = PyObject_Vectorcall(pv_cupy_of(st)->unowned_memory, args, 4, NULL);
        PyObject *rest[] = {memory, first};
        out = memory ? PyObject_Vectorcall(pv_cupy_of(st)->memory_pointer, rest, 2, NULL) : NULL;
    }
    Py_XDECREF(memory);
    Py_XDECREF(keeper);
    Py_XDECREF(device);
    Py_XDECREF(first);
    Py_XDECREF(bytes);
    Py_XDECREF(start);
    return out;
}

// cupy.ndarray's constructor is Python code around this: __new__ of its base, then _init. Where CuPy
// has it otherwise, the constructor itself is called.
static PyObject *construct_array(pv_state *st, PyObject *shape, PyObject *dtype, PyObject *memory,
                                 PyObject *strides)
{
    pv_cupy *cupy = pv_cupy_of(st);
    PyTypeObject *type = st->framework_type[PV_CUPY];
    if (cupy->init && !st->hooks.cupy_public) {
        PyObject *array = type->tp_base->tp_new(type, st->empty_tuple, NULL);
        PyObject *args[] = {array, shape, dtype, memory, strides};
        PyObject *done = array ? PyObject_Vectorcall(cupy->init, args, 5, NULL) : NULL;
        Py_XDECREF(done);
        if (done)
            return array;
        Py_XDECREF(array);
        if (!PyErr_ExceptionMatches(PyExc_TypeError)) // another signature
            return NULL;
        PyErr_Clear();
        Py_CLEAR(cupy->init);
    }
    PyObject *args[] = {shape, dtype, memory, strides};
    return PyObject_Vectorcall((PyObject *)type, args, 2, cupy->kw_memptr_strides);
}

PyObject *pv_cupy_export_take(pv_state *st, pixview_image *image, const pv_plan *plan,
                              PyObject *stream_object)
{
    (void)stream_object; // CuPy keeps its own streams
    int ndim;
    int64_t shape[4], strides[4];
    PyObject *dtype = pv_numpy_dtype(st, image->dtype);
    if (!dtype)
        return NULL;
    if (pixview_image_axes(image, plan->layout, &ndim, shape, strides, &st->error))
        return pv_raise(st, &st->error);
    PyObject *extents = pv_dims(ndim, shape), *steps = pv_dims(ndim, strides);
    PyObject *memory = extents && steps ? new_memory_pointer(st, image, plan->layout) : NULL;
    PyObject *array =
        extents && steps && memory ? construct_array(st, extents, dtype, memory, steps) : NULL;
    Py_XDECREF(extents);
    Py_XDECREF(steps);
    Py_XDECREF(memory);
    return array;
}
