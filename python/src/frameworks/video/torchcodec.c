// SPDX-License-Identifier: Apache-2.0
// torchcodec: decoders.RawFrame. It says format, matrix, range and size; its planes are tensors, U and V apart also
// where they take turns in memory.

#include "base/errors.h"
#include "frameworks/video/video.h"

static int read_torchcodec(pv_state *st, PyObject *x, pv_video_source *source)
{
    char format[PV_VIDEO_WORD], matrix[PV_VIDEO_WORD], range[PV_VIDEO_WORD];
    int64_t height, width;
    if (pv_video_get_word(st, x, "pixel_format", format) ||
        pv_video_says_format(st, x, format, source) ||
        pv_video_get_word(st, x, "color_space", matrix) ||
        pv_video_get_word(st, x, "color_range", range) ||
        pv_video_get_number(st, x, "height", &height) ||
        pv_video_get_number(st, x, "width", &width))
        return -1;
    pv_video_says_colour(source, pv_video_matrix_of_word(matrix), pixview_video_range_parse(range));
    pv_video_says_size(source, height, width);
    PyObject *planes = pv_video_get(st, x, "planes");
    int rc = planes ? pv_video_read_planes(st, planes, source) : -1;
    Py_XDECREF(planes);
    return rc;
}

const pv_video_adapter pv_video_torchcodec = {"RawFrame", "pixel_format", read_torchcodec};
