// SPDX-License-Identifier: Apache-2.0
// PyAV: av.VideoFrame, in host memory and on a GPU. It says format, matrix and range.

#include <string.h>

#include "base/errors.h"
#include "frameworks/video/video.h"

static int read_facts(pv_state *st, PyObject *x, pv_video_source *source, bool *on_gpu)
{
    char word[PV_VIDEO_WORD];
    int64_t matrix, range, height, width;
    if (pv_video_get_inner_word(st, x, "format", "name", word))
        return -1;
    *on_gpu = strcmp(word, "cuda") == 0;
    if ((*on_gpu && pv_video_get_inner_word(st, x, "sw_format", "name", word)) ||
        pv_video_says_format(st, x, word, source) ||
        pv_video_get_number(st, x, "colorspace", &matrix) ||
        pv_video_get_number(st, x, "color_range", &range) ||
        pv_video_get_number(st, x, "height", &height) ||
        pv_video_get_number(st, x, "width", &width))
        return -1;
    pv_video_says_colour(source, pv_video_matrix_of_number(matrix),
                         pv_video_range_of_number(range));
    pv_video_says_size(source, height, width);
    return 0;
}

// Not by DLPack: PyAV rounds the chroma of odd sizes down there, while FFmpeg's memory has all of it.
static int add_host_plane(pv_state *st, PyObject *x, PyObject *plane, pv_video_source *source)
{
    int64_t address, pitch, height, width;
    if (pv_video_get_number(st, plane, "buffer_ptr", &address) ||
        pv_video_get_number(st, plane, "line_size", &pitch) ||
        pv_video_get_number(st, x, "height", &height) ||
        pv_video_get_number(st, x, "width", &width))
        return -1;
    source->device = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
    return pv_video_add_address(st, source, (void *)(uintptr_t)address, pitch, height, width);
}

// It refuses every stream but none, which is the legacy one.
static int add_gpu_plane(pv_state *st, PyObject *x, PyObject *plane, pv_video_source *source)
{
    int64_t height, width;
    if (pv_video_get_number(st, x, "height", &height) ||
        pv_video_get_number(st, x, "width", &width))
        return -1;
    if (height % 2 || width % 2) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the frame has %lld rows and %lld columns, and on a GPU PyAV leaves out the last "
                  "U and V of odd sizes; decode to host memory, or pad to even sizes",
                  (long long)height, (long long)width);
        return -1;
    }
    PyObject *capsule = PyObject_CallMethod(plane, "__dlpack__", NULL);
    source->objects[source->count++] = capsule;
    if (capsule)
        return 0;
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "__dlpack__() of a %s object fails",
                  Py_TYPE(plane)->tp_name);
    return -1;
}

static int read_pyav(pv_state *st, PyObject *x, pv_video_source *source)
{
    bool on_gpu;
    if (read_facts(st, x, source, &on_gpu))
        return -1;
    int count = pixviewi_video_plane_count(pixviewi_video_find(source->params.format));
    PyObject *planes = pv_video_get(st, x, "planes");
    int rc = planes ? 0 : -1;
    if (planes && (!PyTuple_Check(planes) || PyTuple_GET_SIZE(planes) != count)) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "planes of the frame is %.200R, but %s has %d planes",
                  planes, pixview_video_format_name(source->params.format), count);
        rc = -1;
    }
    for (int i = 0; i < count && rc == 0; i++)
        rc = (on_gpu ? add_gpu_plane : add_host_plane)(st, x, PyTuple_GET_ITEM(planes, i), source);
    Py_XDECREF(planes);
    return rc;
}

const pv_video_adapter pv_video_pyav = {"VideoFrame", "color_range", read_pyav};
