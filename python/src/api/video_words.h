// SPDX-License-Identifier: Apache-2.0
// The words that describe a video frame: of video_frame and of to_video_frame.
#ifndef PV_VIDEO_WORDS_H
#define PV_VIDEO_WORDS_H

#include "base/state.h"

typedef struct pv_video_words {
    PyObject *format, *matrix, *range, *order, *chroma, *size;
} pv_video_words;

// Into params; what is not given stays NONE, or the first of its kind. 0, or -1 with an error that names the
// argument.
int pv_parse_video_words(pv_state *st, const pv_video_words *words, pixview_video_params *params);

#endif
