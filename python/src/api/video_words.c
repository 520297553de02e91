// SPDX-License-Identifier: Apache-2.0
#include "api/video_words.h"

#include <string.h>

#include "base/args.h"
#include "base/errors.h"
#include "frameworks/video/video.h"

// The text of a word; NULL with an error. None: "".
static const char *text_of(const char *what, PyObject *value, const char *known)
{
    if (!pv_given(value))
        return "";
    Py_ssize_t length = 0;
    const char *text = PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &length) : NULL;
    if (text && strlen(text) == (size_t)length)
        return text;
    if (PyUnicode_Check(value) && !PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear();
        return "\n"; // UTF-8 cannot hold it, or C: no word of ours
    }
    if (!PyErr_Occurred())
        pv_raise_python(PyExc_TypeError, "%s=%R is not a string: %s", what, value, known);
    return NULL;
}

static int fail_word(pv_state *st, const char *what, PyObject *value, const char *known)
{
    pv_raisef(st, PIXVIEW_E_LAYOUT, "%s=%R is not %s", what, value, known);
    return -1;
}

static int parse_format(pv_state *st, PyObject *value, pixview_video_params *params)
{
    static const char known[] =
        "a video format, such as 'NV12', 'P010', 'YUV420P', 'YUV420P10', 'YUYV' or 'GRAY8'";
    const char *text = text_of("format", value, known);
    if (!text)
        return -1;
    pv_video_format_of_word(text, params);
    return params->format == PIXVIEW_VIDEO_FORMAT_NONE && *text
               ? fail_word(st, "format", value, known)
               : 0;
}

static int parse_matrix(pv_state *st, PyObject *value, pixview_video_matrix *out)
{
    static const char known[] = "one of 'bt601', 'bt709', 'bt2020', 'smpte240m', 'opencv'";
    const char *text = text_of("matrix", value, known);
    if (!text)
        return -1;
    *out = pv_video_matrix_of_word(text);
    return *out == PIXVIEW_VIDEO_MATRIX_NONE && *text ? fail_word(st, "matrix", value, known) : 0;
}

// Before the format, which may say it too.
static int parse_range(pv_state *st, PyObject *value, pixview_video_range *out)
{
    static const char known[] = "one of 'limited', 'full'";
    const char *text = text_of("range", value, known);
    if (!text)
        return -1;
    *out = pixview_video_range_parse(text);
    return *out == PIXVIEW_VIDEO_RANGE_NONE && *text ? fail_word(st, "range", value, known) : 0;
}

static int parse_size(pv_state *st, PyObject *value, pixview_video_params *params)
{
    int count = 0;
    int64_t extents[4];
    if (!pv_given(value))
        return 0;
    if (!PySequence_Check(value)) {
        pv_raise_python(PyExc_TypeError, "size=%R is not (H, W), two integers", value);
        return -1;
    }
    if (pv_parse_dims_argument(st, "size", value, 4, &count, extents))
        return -1;
    if (count != 2 || extents[0] < 1 || extents[1] < 1) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "size=%R is not (H, W), two integers of 1 or more", value);
        return -1;
    }
    params->height = extents[0];
    params->width = extents[1];
    return 0;
}

int pv_parse_video_words(pv_state *st, const pv_video_words *words, pixview_video_params *params)
{
    static const char *const orders[] = {"RGB", "BGR"}, *const chromas[] = {"nearest"};
    int order = 0, chroma = 0;
    *params = (pixview_video_params){.struct_size = sizeof *params};
    if (parse_range(st, words->range, &params->range) || parse_format(st, words->format, params) ||
        parse_matrix(st, words->matrix, &params->matrix) ||
        pv_parse_word(st, "order", words->order, orders, 2, &order) ||
        pv_parse_word(st, "chroma", words->chroma, chromas, 1, &chroma) ||
        parse_size(st, words->size, params))
        return -1;
    params->order = (pixview_video_order)order;
    params->chroma = (pixview_video_chroma)chroma;
    return 0;
}
