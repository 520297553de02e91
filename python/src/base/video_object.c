// SPDX-License-Identifier: Apache-2.0
#include "base/video_object.h"

#include "base/image_object.h"

// The type has no subclasses.
bool pv_is_video_frame(PyObject *x) { return Py_TYPE(x)->tp_dealloc == pv_video_frame_dealloc; }

void pv_video_frame_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    pv_video_frame *frame = (pv_video_frame *)self;
    pixview_video_frame_release(&frame->frame); // first: it may order the stream
    Py_XDECREF(frame->planes);
    Py_XDECREF(frame->stream_object);
    type->tp_free(self);
    Py_DECREF(type);
}

// Y is an image without channels, as encoders take it.
static PyObject *planes_of(pv_state *st, const pixview_video_frame *frame, PyObject *stream_object)
{
    PyObject *planes = PyTuple_New(frame->plane_count);
    for (int32_t i = 0; planes && i < frame->plane_count; i++) {
        const pixview_image *plane = &frame->planes[i];
        bool one = plane->shape[PIXVIEW_AXIS_C] == 1;
        PyObject *image =
            pv_image_new(st, plane, one ? PIXVIEW_LAYOUT_HW : PIXVIEW_LAYOUT_HWC, stream_object);
        if (!image)
            Py_CLEAR(planes);
        else
            PyTuple_SET_ITEM(planes, i, image);
    }
    return planes;
}

PyObject *pv_video_frame_new(pv_state *st, const pixview_video_frame *frame,
                             PyObject *stream_object)
{
    PyObject *planes = planes_of(st, frame, stream_object);
    PyTypeObject *type = st->video_frame_type;
    pv_video_frame *self = planes ? (pv_video_frame *)type->tp_alloc(type, 0) : NULL;
    if (!self) {
        Py_XDECREF(planes);
        return NULL;
    }
    self->frame = *frame;
    pixview_video_frame_retain(&self->frame);
    self->planes = planes;
    self->stream_object = Py_XNewRef(stream_object);
    pixviewi_video_read(&self->frame, &self->face, &self->video);
    PyOS_snprintf(self->copy_reason, sizeof self->copy_reason,
                  "the video frame is %s, of which R, G and B are computed",
                  pixview_video_format_name(frame->format));
    return (PyObject *)self;
}
