// SPDX-License-Identifier: Apache-2.0
// What no decoder made: a VideoFrame once more, planes as images or as addresses, one array with all planes.

#include "base/args.h"
#include "base/errors.h"
#include "base/video_object.h"
#include "frameworks/video/video.h"

static int require_format(pv_state *st, PyObject *x, const pv_video_source *source)
{
    if (source->params.format != PIXVIEW_VIDEO_FORMAT_NONE)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              "format=None, and a %s object does not say it; pass format='NV12', 'P010', 'YUV420P' "
              "or another",
              Py_TYPE(x)->tp_name);
    return -1;
}

static int read_frame(PyObject *x, pv_video_source *source)
{
    const pixview_video_frame *frame = &((pv_video_frame *)x)->frame;
    if (source->params.format == PIXVIEW_VIDEO_FORMAT_NONE)
        source->params.format = frame->format;
    if (!source->has_order)
        source->params.order = frame->order;
    pv_video_says_colour(source, frame->matrix, frame->range);
    pv_video_says_size(source, frame->height, frame->width);
    for (PyObject *plane; (plane = pv_video_frame_plane(x, source->count));)
        source->objects[source->count++] = Py_NewRef(plane);
    return 0;
}

// Two numbers: an address and a pitch.
static bool is_pair(PyObject *item)
{
    if (!PyTuple_Check(item) && !PyList_Check(item))
        return false;
    return PySequence_Fast_GET_SIZE(item) == 2 && PyIndex_Check(PySequence_Fast_GET_ITEM(item, 1));
}

static int require_place(pv_state *st, const pv_video_source *source)
{
    if (source->has_device && source->params.height)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT, "planes given as (address, pitch) need %s",
              source->has_device ? "size=(H, W)" : "device=, such as 'cuda:0' or 'cpu'");
    return -1;
}

// `pair` is a tuple: reading its numbers may run Python.
static int add_pair(pv_state *st, PyObject *pair, pv_video_source *source)
{
    void *address;
    int64_t pitch;
    PyObject *index = NULL;
    if (pv_parse_address(st, "the address of a plane", PyTuple_GET_ITEM(pair, 0), &address))
        return -1;
    index = pv_index(PyTuple_GET_ITEM(pair, 1));
    pitch = index ? PyLong_AsLongLong(index) : -1;
    Py_XDECREF(index);
    if (PyErr_Occurred()) {
        pv_raise_from(st, PIXVIEW_E_LAYOUT, "pitch=%R is not an integer of 64 bits",
                      PyTuple_GET_ITEM(pair, 1));
        return -1;
    }
    if (pitch < 1) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "pitch=%lld of a plane; it is the bytes from row to row",
                  (long long)pitch);
        return -1;
    }
    return pv_video_add_address(st, source, address, pitch, source->params.height,
                                source->params.width);
}

static int read_pairs(pv_state *st, PyObject *items, pv_video_source *source)
{
    int rc = require_place(st, source);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items) && rc == 0; i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);
        PyObject *pair = is_pair(item) ? PySequence_Tuple(item) : NULL;
        rc = -1;
        if (pair && PyTuple_GET_SIZE(pair) == 2)
            rc = add_pair(st, pair, source);
        else if (!PyErr_Occurred())
            pv_raisef(st, PIXVIEW_E_LAYOUT, "planes[%zd] is no (address, pitch) like planes[0]", i);
        Py_XDECREF(pair);
    }
    return rc;
}

// `items` is a tuple.
static int read_sequence(pv_state *st, PyObject *items, pv_video_source *source)
{
    Py_ssize_t count = PyTuple_GET_SIZE(items);
    int wanted = pixviewi_video_plane_count(pixviewi_video_find(source->params.format));
    bool pairs = count > 0 && is_pair(PyTuple_GET_ITEM(items, 0));
    // U and V of a format that has them in turns may come apart.
    if (count != wanted && !(wanted == 2 && count == 3 && !pairs)) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "%zd planes, but %s has %d", count,
                  pixview_video_format_name(source->params.format), wanted);
        return -1;
    }
    if (pairs)
        return read_pairs(st, items, source);
    for (Py_ssize_t i = 0; i < count; i++)
        source->objects[source->count++] = Py_NewRef(PyTuple_GET_ITEM(items, i));
    return 0;
}

int pv_video_read_planes(pv_state *st, PyObject *x, pv_video_source *source)
{
    if (pv_is_video_frame(x))
        return read_frame(x, source);
    if (require_format(st, x, source))
        return -1;
    if (PyTuple_Check(x) || PyList_Check(x)) {
        PyObject *items = PySequence_Tuple(x);
        int rc = items ? read_sequence(st, items, source) : -1;
        Py_XDECREF(items);
        return rc;
    }
    source->is_surface = pixviewi_video_plane_count(pixviewi_video_find(source->params.format)) > 1;
    source->objects[source->count++] = Py_NewRef(x);
    return 0;
}
