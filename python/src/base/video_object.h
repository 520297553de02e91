// SPDX-License-Identifier: Apache-2.0
// pixview.VideoFrame as an object: the descriptor, its planes as Images, and the image that it is in a list.
#ifndef PV_BASE_VIDEO_OBJECT_H
#define PV_BASE_VIDEO_OBJECT_H

#include "base/state.h"
#include "copy/video.h"

typedef struct pv_video_frame {
    PyObject_HEAD
    pixview_video_frame frame; // owners counted; one stream
    pixview_image face;        // with video: how copies read it (copy/video.h). Counts no owner
    pixviewi_video video;
    PyObject *planes;        // owned tuple of Images
    PyObject *stream_object; // owned; keeps the stream alive; may be NULL
    char copy_reason[96];    // why no view of it is RGB
} pv_video_frame;

void pv_video_frame_dealloc(PyObject *self);
bool pv_is_video_frame(PyObject *x); // of any instance of this module

// A new VideoFrame; counts the owners of a valid frame up.
PyObject *pv_video_frame_new(pv_state *st, const pixview_video_frame *frame,
                             PyObject *stream_object);

// Its i-th plane, an Image; borrowed. NULL behind the last.
static inline PyObject *pv_video_frame_plane(PyObject *frame, Py_ssize_t i)
{
    PyObject *planes = ((pv_video_frame *)frame)->planes;
    return i < PyTuple_GET_SIZE(planes) ? PyTuple_GET_ITEM(planes, i) : NULL;
}

#endif
