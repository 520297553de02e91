// SPDX-License-Identifier: Apache-2.0
// from_pointer: an Image over a raw address.

#include "api/api.h"
#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "base/image_object.h"
#include "base/pyref.h"
#include "convert/stream_order.h"
#include "cuda/device.h"
#include "descriptor/owner.h"
#include "frameworks/imported.h"
#include "frameworks/stream_argument.h"
#include "frameworks/stream_life.h"
#include "frameworks/streams.h"

static int pointer_device(pv_state *st, PyObject *value, void *data, bool empty,
                          pixview_device *out)
{
    if (pv_given(value))
        return pv_parse_device(value, out);
    *out = (pixview_device){PIXVIEW_DEVICE_CUDA, 0};
    if (empty || !pixviewi_cuda_pointer_device(data, &out->id, &st->error))
        return 0;
    if (st->error.code == PIXVIEW_E_DEVICE) {
        pv_raisef(st, PIXVIEW_E_DEVICE, "%s; pass device='cpu' if the pointer is host memory",
                  st->error.message);
    } else {
        pv_raise(st, &st->error);
    }
    return -1;
}

typedef struct pointer_arguments {
    PyObject *ptr, *shape, *dtype, *strides, *layout, *device, *owner, *stream, *readonly;
} pointer_arguments;

static int describe_pointer(pv_state *st, const pointer_arguments *a, pixview_image *out,
                            pixview_layout *layout)
{
    static const pixview_layout by_rank[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_HWC,
                                             PIXVIEW_LAYOUT_NHWC};
    int ndim, same = 0;
    int64_t shape[4], strides[4];
    pixview_dtype dtype;
    pixview_device device;
    bool has_strides = pv_given(a->strides);
    void *data;
    if (pv_parse_address(st, "ptr", a->ptr, &data) ||
        pv_parse_layout(st, "layout", a->layout, layout) ||
        pv_parse_dims_argument(st, "shape", a->shape, 4, &ndim, shape) ||
        pv_parse_dtype(st, a->dtype, &dtype) ||
        (has_strides && pv_parse_dims_argument(st, "strides", a->strides, 4, &same, strides))) {
        return -1;
    }
    if (ndim < 2 || (has_strides && same != ndim)) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "shape has %d axes%s; an image has 2 to 4, and as many strides", ndim,
                  has_strides ? " and strides another number" : "");
        return -1;
    }
    bool empty = false;
    for (int i = 0; i < ndim; i++)
        empty |= shape[i] == 0;
    if (*layout == PIXVIEW_LAYOUT_NONE) {
        *layout = by_rank[ndim - 2];
        if (pv_guard_channels(st, "layout", *layout, ndim, shape))
            return -1;
    }
    if (pointer_device(st, a->device, data, empty, &device))
        return -1;
    if (!pixview_image_init(out, data, ndim, shape, has_strides ? strides : NULL, dtype, device,
                            *layout, &st->error))
        return 0;
    return pv_fail(st);
}

PV_CALL(from_pointer)
{
    pv_state *st = pv_get_state(module);
    pointer_arguments a = {NULL};
    const pv_keyword keywords[] = {
        {"ptr", &a.ptr},         {"shape", &a.shape},   {"dtype", &a.dtype},
        {"strides", &a.strides}, {"layout", &a.layout}, {"device", &a.device},
        {"owner", &a.owner},     {"stream", &a.stream}, {"readonly", &a.readonly}};
    pixview_image image;
    pixview_layout layout;
    pv_stream stream = {PIXVIEW_STREAM_LEGACY, NULL};
    bool readonly = false, has_stream;
    if (pv_parse_args("from_pointer", args, nargs, kwnames, 3, keywords, 9) ||
        pv_parse_bool("readonly", a.readonly, &readonly) ||
        ((has_stream = pv_given(a.stream)) && pv_parse_stream(st, a.stream, &stream)) ||
        describe_pointer(st, &a, &image, &layout)) {
        return NULL;
    }
    if (!has_stream)
        stream = pv_default_stream(image.device.id);
    image.stream = pixview_image_on_host(&image) ? PIXVIEW_STREAM_NONE : stream.handle;
    if (readonly)
        image.flags |= PIXVIEW_FLAG_READ_ONLY;
    PyObject *out = NULL;
    Py_XINCREF(stream.object);
    pv_stream_find_keeper(st, image.device.id, &stream);
    if (pv_order_for_storing(st, &image, &stream.object) == 0 &&
        (!pv_given(a.owner) || (image.owner = pv_pyref_owner(a.owner))) &&
        (!image.owner ||
         pv_owner_set_alloc_stream(image.owner, image.stream, stream.object) == 0)) {
        out = pv_image_new_take(st, &image, layout, stream.object);
        pixview_owner_unref(image.owner); // NULL if taken
    }
    Py_XDECREF(stream.object);
    return out;
}
