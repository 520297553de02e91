// SPDX-License-Identifier: Apache-2.0
// pixview.Image as an object: the descriptor, its layout and its stream. image/ gives it its methods.
#ifndef PV_BASE_IMAGE_OBJECT_H
#define PV_BASE_IMAGE_OBJECT_H

#include "base/state.h"

typedef struct pv_image {
    PyObject_HEAD
    pixview_image image; // owner counted
    pixview_layout layout;
    PyObject *stream_object;            // owned; keeps image.stream alive; may be NULL
    int64_t dl_shape[4], dl_strides[4]; // what a borrowed DLTensor points at (image/exchange.c)
} pv_image;

void pv_image_dealloc(PyObject *self);
bool pv_is_image(PyObject *x); // of any instance of this module

// A new Image; takes the image's count of its owner on success: image->owner is NULL then.
PyObject *pv_image_new_take(pv_state *st, pixview_image *image, pixview_layout layout,
                            PyObject *stream_object);
// The same, but counts the owner up.
PyObject *pv_image_new(pv_state *st, const pixview_image *image, pixview_layout layout,
                       PyObject *stream_object);

#endif
