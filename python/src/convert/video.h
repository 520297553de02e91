// SPDX-License-Identifier: Apache-2.0
// Video frames: made of the planes that an adapter found, copied, read as RGB, and written from it.
#ifndef PV_CONVERT_VIDEO_H
#define PV_CONVERT_VIDEO_H

#include "base/video_object.h"
#include "convert/stream_order.h"
#include "frameworks/video/video.h"

// A VideoFrame over the planes of x; `copy`: over memory of its own. NULL with an error.
PyObject *pv_video_make(pv_state *st, PyObject *x, const pv_video_source *source, bool copy);

// The pixels of in, an image or a frame, into an image of its size, type and channels: pv_copy_on_streams, or RGB
// in one pass. Across the bus a frame becomes RGB first, where it is.
int pv_copy_imported(pv_state *st, pv_imported *in, const pv_options *options,
                     const pixview_image *to, pixview_stream consumer,
                     pixviewi_stream_relation *relation);

// Memory for a frame of params on the device of `like`, and the frame over it: the planes one behind the other,
// rows of Y dense and of an even number of samples. pv_allocation_clear in both cases.
int pv_video_allocate(pv_state *st, const pixview_video_params *params, const pv_imported *like,
                      const pv_options *options, pv_allocation *made, pixview_video_frame *frame);
// The VideoFrame of it; new.
PyObject *pv_video_export(pv_state *st, pv_allocation *made, pixview_video_frame *frame);

// Images of RGB into frames.
typedef struct pv_video_writing {
    const pixview_image *src;
    const pixview_video_frame *frames;
    int64_t count;
    const pixview_convert_params *params; // may be NULL
    pixview_video_siting siting;
} pv_video_writing;
int pv_video_write(pv_state *st, const pv_video_writing *writing, pixview_stream consumer,
                   bool given, pixviewi_stream_relation *relation);

// After the planes of a VideoFrame were written: pv_count_write of each.
int pv_video_count_write(pv_state *st, PyObject *frame);

#endif
