// Descriptor -> numpy.ndarray: a pixview.Image in between, whose buffer NumPy takes and holds.

#include "base/state.h"

static PyObject *asarray(pv_state *st, PyObject *image)
{
    PyObject *args[] = {st->numpy, image};
    return PyObject_VectorcallMethod(st->s_asarray, args, 2, NULL);
}

PyObject *pv_export_numpy(pv_state *st, const pixview_image *image, pixview_layout layout)
{
    pixview_image shown = *image;
    PyObject *dtype = NULL;
    if (image->dtype.code ==
        PIXVIEW_DTYPE_BFLOAT) { // has no buffer format: shown as uint16 and renamed
        dtype = pv_numpy_dtype(st, image->dtype);
        if (!dtype)
            return NULL;
        shown.dtype = (pixview_dtype){PIXVIEW_DTYPE_UINT, 16, 1};
    }
    PyObject *keeper = pv_image_new(st, &shown, layout);
    PyObject *array = keeper ? asarray(st, keeper) : NULL;
    Py_XDECREF(keeper);
    if (!array || !dtype)
        return array;
    PyObject *args[] = {array, dtype};
    PyObject *renamed = PyObject_VectorcallMethod(st->s_view, args, 2, NULL);
    Py_DECREF(array);
    return renamed;
}
