// SPDX-License-Identifier: Apache-2.0
// What the attributes of decoders' objects say, as words and as numbers.

#include <string.h>
#include <strings.h>

#include "base/args.h"
#include "base/errors.h"
#include "frameworks/video/video.h"

// ---- attributes -------------------------------------------------------------------------------

static int fail_attribute(pv_state *st, PyObject *x, const char *name)
{
    if (PyErr_Occurred() && PyErr_ExceptionMatches(st->Error))
        return -1;
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "%s of a %s object cannot be read", name,
                  Py_TYPE(x)->tp_name);
    return -1;
}

PyObject *pv_video_get(pv_state *st, PyObject *x, const char *name)
{
    PyObject *value = PyObject_GetAttrString(x, name);
    if (!value)
        fail_attribute(st, x, name);
    return value;
}

int pv_video_number_of(pv_state *st, PyObject *x, const char *name, PyObject *value, int64_t *out)
{
    PyObject *index = pv_index(value);
    *out = index ? PyLong_AsLongLong(index) : 0;
    Py_XDECREF(index);
    return PyErr_Occurred() ? fail_attribute(st, x, name) : 0;
}

int pv_video_get_number(pv_state *st, PyObject *x, const char *name, int64_t *out)
{
    PyObject *value = pv_video_get(st, x, name);
    int rc = value ? pv_video_number_of(st, x, name, value, out) : -1;
    Py_XDECREF(value);
    return rc;
}

int pv_video_get_word(pv_state *st, PyObject *x, const char *name, char out[PV_VIDEO_WORD])
{
    PyObject *value = pv_video_get(st, x, name);
    if (!value)
        return -1;
    const char *text = PyUnicode_Check(value) ? PyUnicode_AsUTF8(value) : NULL;
    bool said = text != NULL || value == Py_None;
    PyOS_snprintf(out, PV_VIDEO_WORD, "%s", text ? text : "");
    Py_DECREF(value);
    return said ? 0 : fail_attribute(st, x, name);
}

int pv_video_get_inner_word(pv_state *st, PyObject *x, const char *outer, const char *name,
                            char out[PV_VIDEO_WORD])
{
    PyObject *inner = pv_video_get(st, x, outer);
    int rc = inner ? pv_video_get_word(st, inner, name, out) : -1;
    Py_XDECREF(inner);
    return rc;
}

// ---- facts ------------------------------------------------------------------------------------

pixview_video_matrix pv_video_matrix_of_word(const char *word)
{
    static const struct {
        const char *word;
        pixview_video_matrix matrix;
    } more[] = {{"bt470bg", PIXVIEW_VIDEO_MATRIX_BT601},
                {"smpte170m", PIXVIEW_VIDEO_MATRIX_BT601},
                {"bt2020nc", PIXVIEW_VIDEO_MATRIX_BT2020}};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        if (strcasecmp(word, more[i].word) == 0)
            return more[i].matrix;
    return pixview_video_matrix_parse(word);
}

// 10 is BT.2020 of constant luminance, another formula.
pixview_video_matrix pv_video_matrix_of_number(int64_t number)
{
    switch (number) {
    case 1:
        return PIXVIEW_VIDEO_MATRIX_BT709;
    case 5:
    case 6:
        return PIXVIEW_VIDEO_MATRIX_BT601;
    case 7:
        return PIXVIEW_VIDEO_MATRIX_SMPTE240M;
    case 9:
        return PIXVIEW_VIDEO_MATRIX_BT2020;
    default:
        return PIXVIEW_VIDEO_MATRIX_NONE;
    }
}

pixview_video_range pv_video_range_of_number(int64_t number)
{
    return number == 1   ? PIXVIEW_VIDEO_RANGE_LIMITED
           : number == 2 ? PIXVIEW_VIDEO_RANGE_FULL
                         : PIXVIEW_VIDEO_RANGE_NONE;
}

void pv_video_format_of_word(const char *word, pixview_video_params *params)
{
    char plain[PV_VIDEO_WORD];
    params->format = pixview_video_format_parse(word);
    if (params->format != PIXVIEW_VIDEO_FORMAT_NONE || strncasecmp(word, "yuvj", 4) != 0)
        return;
    PyOS_snprintf(plain, sizeof plain, "yuv%s", word + 4);
    params->format = pixview_video_format_parse(plain);
    if (params->range == PIXVIEW_VIDEO_RANGE_NONE)
        params->range = PIXVIEW_VIDEO_RANGE_FULL;
}
