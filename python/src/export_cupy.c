// Descriptor -> cupy.ndarray: UnownedMemory -> MemoryPointer -> ndarray. The memory object keeps a
// pixview.Image, which keeps the owner. With the device named, CuPy asks the driver nothing.

#include "state.h"

// Lowest address and bytes up to the highest: strides may be negative.
static void extent(const pixview_image *image, int64_t *offset, int64_t *size)
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

static PyObject *dims(int ndim, const int64_t *values)
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

static PyObject *memory_pointer(pv_state *st, const pixview_image *image, pixview_layout layout)
{
    int64_t offset, size;
    extent(image, &offset, &size);
    PyObject *keeper = pv_image_new(st, image, layout);
    PyObject *memory = keeper ? PyObject_CallFunction(st->cupy_unowned_memory, "KLOi",
                                                      (unsigned long long)((uintptr_t)image->data -
                                                                           (uintptr_t)offset),
                                                      (long long)size, keeper, image->device.id)
                              : NULL;
    PyObject *pointer =
        memory ? PyObject_CallFunction(st->cupy_memory_pointer, "OL", memory, (long long)offset)
               : NULL;
    Py_XDECREF(memory);
    Py_XDECREF(keeper);
    return pointer;
}

PyObject *pv_export_cupy(pv_state *st, const pixview_image *image, pixview_layout layout)
{
    int ndim;
    int64_t shape[4], strides[4];
    pixview_error err;
    PyObject *dtype = pv_numpy_dtype(st, image->dtype);
    if (!dtype)
        return NULL;
    if (pixview_image_axes(image, layout, &ndim, shape, strides, &err))
        return pv_raise(st, &err);
    PyObject *args[4] = {dims(ndim, shape), dtype, memory_pointer(st, image, layout),
                         dims(ndim, strides)};
    PyObject *array =
        args[0] && args[2] && args[3]
            ? PyObject_Vectorcall((PyObject *)st->cupy_type, args, 2, st->kw_memptr_strides)
            : NULL;
    Py_XDECREF(args[0]);
    Py_XDECREF(args[2]);
    Py_XDECREF(args[3]);
    return array;
}
