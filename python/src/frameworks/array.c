// SPDX-License-Identifier: Apache-2.0
#include "frameworks/array.h"

#include "base/args.h"
#include "base/dtypes.h"
#include "base/plain_memory.h"
#include "frameworks/imported.h"

PyObject *pv_array_empty(pv_state *st, PyObject *module, int ndim, const int64_t *shape,
                         pixview_dtype dtype)
{
    PyObject *type = pv_numpy_dtype(st, dtype);
    PyObject *size = type ? pv_dims(ndim, shape) : NULL;
    PyObject *args[] = {module, size, type};
    PyObject *array = size ? PyObject_VectorcallMethod(st->s_empty, args, 3, NULL) : NULL;
    Py_XDECREF(size);
    return array;
}

// The address and device of an array that we just made.
int pv_array_memory(pv_state *st, pv_import_function *import, PyObject *array, int ndim,
                    pixview_image *out, PyObject **stream_object)
{
    static const pixview_layout by_rank[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_HWC,
                                             PIXVIEW_LAYOUT_NHWC};
    pv_options as_is = {.copy = -1, .src_layout = by_rank[ndim - 2]}; // no guard here
    pv_imported made;
    pv_imported_begin(&made, array);
    int rc = import(st, array, &as_is, &made);
    *out = made.image;
    Py_CLEAR(made.keep);
    Py_XSETREF(*stream_object, made.stream_object);
    return rc;
}

int pv_array_describe(pv_state *st, pv_import_function *import, const pv_imported *like,
                      const pv_plan *plan, int ndim, pv_allocation *out)
{
    pixview_image memory;
    if (pv_array_memory(st, import, out->object, ndim, &memory, &out->stream_object) ||
        pv_describe_packed(st, &like->image, plan->layout, memory.data, memory.device, &out->image))
        return -1;
    out->image.stream = memory.stream;
    return 0;
}

int pv_array_check(pv_state *st, const pixview_image *image, pv_plan *plan)
{
    (void)plan;
    return image->dtype.code != PIXVIEW_DTYPE_BFLOAT || pv_numpy_dtype(st, image->dtype) ? 0 : -1;
}
