// SPDX-License-Identifier: Apache-2.0
#include "base/errors.h"
#include "frameworks/array.h"
#include "frameworks/numpy/numpy.h"

int pv_numpy_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                      const pv_plan *plan, pv_allocation *out)
{
    (void)options;
    int ndim;
    int64_t shape[4], strides[4];
    if (pixview_image_axes(&like->image, plan->layout, &ndim, shape, strides, &st->error))
        return pv_fail(st);
    out->object = pv_array_empty(st, pv_numpy_of(st)->module, ndim, shape, like->image.dtype);
    return out->object ? pv_array_describe(st, pv_numpy_import, like, plan, ndim, out) : -1;
}
