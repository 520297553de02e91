// SPDX-License-Identifier: Apache-2.0
// video_frame: the planes of a decoder's frame as a pixview.VideoFrame.

#include "api/api.h"
#include "api/video_words.h"
#include "base/args.h"
#include "base/stream_scope.h"
#include "convert/video.h"
#include "frameworks/stream_argument.h"

typedef struct frame_arguments {
    PyObject *x, *device, *copy, *stream;
    pv_video_words words;
} frame_arguments;

static int parse_frame(pv_state *st, const frame_arguments *a, pv_video_source *source, bool *copy)
{
    source->has_order = pv_given(a->words.order);
    source->has_device = pv_given(a->device);
    source->has_stream = pv_given(a->stream);
    if (pv_parse_video_words(st, &a->words, &source->params) ||
        (source->has_device && pv_parse_device(a->device, &source->device)) ||
        pv_parse_bool("copy", a->copy, copy) ||
        (source->has_stream && pv_parse_stream(st, a->stream, &source->stream)))
        return -1;
    if (!source->has_stream)
        source->stream = pv_default_stream(source->has_device ? source->device.id : -1);
    return 0;
}

PV_CALL(video_frame)
{
    pv_state *st = pv_get_state(module);
    frame_arguments a = {NULL};
    const pv_keyword keywords[] = {{"x", &a.x},
                                   {"format", &a.words.format},
                                   {"matrix", &a.words.matrix},
                                   {"range", &a.words.range},
                                   {"order", &a.words.order},
                                   {"size", &a.words.size},
                                   {"chroma", &a.words.chroma},
                                   {"device", &a.device},
                                   {"copy", &a.copy},
                                   {"stream", &a.stream}};
    pv_video_source source = {.count = 0};
    bool copy = false;
    if (pv_parse_args("video_frame", args, nargs, kwnames, 1, keywords, 10) ||
        parse_frame(st, &a, &source, &copy))
        return NULL;
    PyObject *out = NULL;
    Py_XINCREF(source.stream.object);
    PyObject *stream_object = source.stream.object;
    if (pv_video_read(st, a.x, &source) == 0)
        out = pv_video_make(st, a.x, &source, copy);
    pv_video_source_clear(&source);
    Py_XDECREF(stream_object);
    return out;
}
