// SPDX-License-Identifier: Apache-2.0
// VALI: Surface. It says its format. Its planes' capsules own nothing, so they are read by address, and the Surface
// is held.

#include <string.h>

#include "base/errors.h"
#include "frameworks/streams.h"
#include "frameworks/video/video.h"

// VALI's own words.
static const char *format_word(const char *word)
{
    static const char *const words[][2] = {{"Y", "GRAY8"},
                                           {"P10", "P010"},
                                           {"P12", "P012"},
                                           {"YUV420", "YUV420P"},
                                           {"YUV422", "YUV422P"},
                                           {"YUV444", "YUV444P"},
                                           {"YUV420_10bit", "YUV420P10"},
                                           {"YUV444_10bit", "YUV444P10"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i][0]) == 0)
            return words[i][1];
    return word;
}

// The stream that VALI works on is in its array interface.
static int read_stream(pv_state *st, PyObject *plane, pv_video_source *source)
{
    if (source->has_stream)
        return 0;
    PyObject *dict = pv_video_get(st, plane, "__cuda_array_interface__");
    PyObject *stream = dict && PyDict_Check(dict) ? PyDict_GetItem(dict, st->s_stream) : NULL;
    int rc = dict ? 0 : -1;
    if (stream && stream != Py_None) {
        rc = pv_stream_from_int(stream, &source->stream.handle);
        source->stream.object = PV_UNKEPT;
    }
    if (stream && rc)
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "the stream of a %s object cannot be read",
                      Py_TYPE(plane)->tp_name);
    Py_XDECREF(dict);
    return rc;
}

static int add_plane(pv_state *st, PyObject *x, PyObject *plane, bool whole,
                     pv_video_source *source)
{
    int64_t address, pitch, rows, columns, height, width;
    if (pv_video_get_number(st, plane, "GpuMem", &address) ||
        pv_video_get_number(st, plane, "Pitch", &pitch) ||
        pv_video_get_number(st, plane, "Height", &rows) ||
        pv_video_get_number(st, plane, "Width", &columns) ||
        pv_video_get_number(st, x, "Height", &height) ||
        pv_video_get_number(st, x, "Width", &width) || read_stream(st, plane, source) ||
        pv_video_find_gpu(st, source, (void *)(uintptr_t)address))
        return -1;
    pv_video_says_size(source, height, width);
    void *data = (void *)(uintptr_t)address;
    return whole ? pv_video_add_surface(st, source, data, pitch, rows, columns)
                 : pv_video_add_address(st, source, data, pitch, height, width);
}

static int read_vali(pv_state *st, PyObject *x, pv_video_source *source)
{
    char word[PV_VIDEO_WORD];
    if (pv_video_get_inner_word(st, x, "Format", "name", word) ||
        pv_video_says_format(st, x, format_word(word), source))
        return -1;
    int planes_of_format = pixviewi_video_plane_count(pixviewi_video_find(source->params.format));
    PyObject *planes = pv_video_get(st, x, "Planes");
    PyObject *list = planes ? PySequence_Tuple(planes) : NULL;
    int count = list ? (int)PyTuple_GET_SIZE(list) : 0;
    int rc = list ? 0 : -1;
    if (planes && !list)
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "Planes of a %s object cannot be read",
                      Py_TYPE(x)->tp_name);
    if (list && count != 1 && count != planes_of_format) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "the Surface has %d planes, but %s has %d", count,
                  pixview_video_format_name(source->params.format), planes_of_format);
        rc = -1;
    }
    for (int i = 0; i < count && rc == 0; i++)
        rc = add_plane(st, x, PyTuple_GET_ITEM(list, i), count < planes_of_format, source);
    Py_XDECREF(list);
    Py_XDECREF(planes);
    return rc;
}

const pv_video_adapter pv_video_vali = {"Surface", "Planes", read_vali};
