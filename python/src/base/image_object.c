// SPDX-License-Identifier: Apache-2.0
#include "base/image_object.h"

#include <assert.h>

#include "base/errors.h"

// The type has no subclasses.
bool pv_is_image(PyObject *x) { return Py_TYPE(x)->tp_dealloc == pv_image_dealloc; }

void pv_image_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    pv_image *image = (pv_image *)self;
    pixview_owner_unref(image->image.owner); // first: it may order the stream
    Py_XDECREF(image->stream_object);
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject *pv_image_new_take(pv_state *st, pixview_image *image, pixview_layout layout,
                            PyObject *stream_object)
{
    int ndim;
    int64_t shape[4], strides[4];
    if (pixview_image_axes(image, layout, &ndim, shape, strides, &st->error))
        return pv_raise(st, &st->error);
    pv_image *self = (pv_image *)st->image_type->tp_alloc(st->image_type, 0);
    if (!self)
        return NULL;
    self->image = *image;
    self->layout = layout;
    self->stream_object = Py_XNewRef(stream_object);
    assert(ndim == pixview_layout_rank(layout));
    image->owner = NULL;
    return (PyObject *)self;
}

PyObject *pv_image_new(pv_state *st, const pixview_image *image, pixview_layout layout,
                       PyObject *stream_object)
{
    pixview_image counted = *image;
    pixview_owner_ref(counted.owner);
    PyObject *out = pv_image_new_take(st, &counted, layout, stream_object);
    pixview_owner_unref(counted.owner); // NULL if taken
    return out;
}
