// SPDX-License-Identifier: Apache-2.0
// Descriptor -> numpy.ndarray: a pixview.Image in between, whose buffer NumPy takes and holds.

#include "base/dtypes.h"
#include "base/image_object.h"
#include "frameworks/numpy/numpy.h"

static PyObject *asarray(pv_state *st, PyObject *image)
{
    PyObject *args[] = {pv_numpy_of(st)->module, image};
    return PyObject_VectorcallMethod(st->s_asarray, args, 2, NULL);
}

PyObject *pv_numpy_export_take(pv_state *st, pixview_image *image, const pv_plan *plan,
                               PyObject *stream_object)
{
    (void)stream_object; // host memory has none
    pixview_dtype own = image->dtype;
    PyObject *dtype = NULL;
    if (own.code == PIXVIEW_DTYPE_BFLOAT) { // has no buffer format: shown as uint16 and renamed
        dtype = pv_numpy_dtype(st, own);
        if (!dtype)
            return NULL;
        image->dtype = (pixview_dtype){PIXVIEW_DTYPE_UINT, 16, 1};
    }
    PyObject *keeper = pv_image_new_take(st, image, plan->layout, NULL);
    image->dtype = own;
    PyObject *array = keeper ? asarray(st, keeper) : NULL;
    Py_XDECREF(keeper);
    if (!array || !dtype)
        return array;
    PyObject *args[] = {array, dtype};
    PyObject *renamed = PyObject_VectorcallMethod(st->s_view, args, 2, NULL);
    Py_DECREF(array);
    return renamed;
}
