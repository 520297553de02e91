// SPDX-License-Identifier: Apache-2.0
#include "api/parts.h"

#include <stdlib.h>

#include "base/args.h"
#include "base/errors.h"
#include "copy/video.h"

// ---- rois= ------------------------------------------------------------------------------------

static int no_memory(Py_ssize_t count)
{
    PyErr_Format(PyExc_MemoryError, "no memory for %zd regions", count);
    return -1;
}

// What nearly all are: a tuple or list of four ints. false: it is something else, or wrong.
static bool read_roi(PyObject *value, pixview_roi *out)
{
    int64_t numbers[4];
    if ((!PyTuple_CheckExact(value) && !PyList_CheckExact(value)) ||
        PySequence_Fast_GET_SIZE(value) != 4)
        return false;
    for (int i = 0; i < 4; i++) {
        PyObject *item = PySequence_Fast_GET_ITEM(value, i);
        int overflow = 1;
        if (PyLong_CheckExact(item))
            numbers[i] = PyLong_AsLongLongAndOverflow(item, &overflow);
        if (overflow)
            return false;
    }
    *out = (pixview_roi){numbers[0], numbers[1], numbers[2], numbers[3]};
    return true;
}

// `of`: of which image it is the `k`-th; -1: the only one.
static int parse_roi(pv_state *st, PyObject *value, Py_ssize_t of, Py_ssize_t k, pixview_roi *out)
{
    int count = 0;
    int64_t numbers[4];
    char what[48];
    if (read_roi(value, out))
        return 0;
    PyOS_snprintf(what, sizeof what, of < 0 ? "rois[%zd]" : "rois[%zd][%zd]", of < 0 ? k : of, k);
    if (!PySequence_Check(value)) {
        pv_raise_python(PyExc_TypeError, "%s=%R is not (y, x, h, w), four integers", what, value);
        return -1;
    }
    if (pv_parse_dims_argument(st, what, value, 4, &count, numbers))
        return -1;
    if (count != 4) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "%s=%R is not (y, x, h, w), four integers", what, value);
        return -1;
    }
    *out = (pixview_roi){numbers[0], numbers[1], numbers[2], numbers[3]};
    return 0;
}

// An iterator might not end. A tuple, as a list may change while its numbers are read.
static PyObject *tuple_of(PyObject *value, const char *what)
{
    if (PySequence_Check(value) && !PyUnicode_Check(value))
        return PySequence_Tuple(value);
    return pv_raise_python(PyExc_TypeError,
                           "%s=%R is not a sequence of (y, x, h, w), or of sequences of them", what,
                           value);
}

static int add_rois(pv_state *st, PyObject *group, Py_ssize_t index, pv_parts *out)
{
    PyObject *items = tuple_of(group, "rois");
    if (!items)
        return -1;
    Py_ssize_t count = PyTuple_GET_SIZE(items), total = out->count + count + out->groups;
    pixview_roi *more = realloc(out->rois, (size_t)total * sizeof *more); // one for each group left
    int rc = more ? 0 : no_memory(out->count + count);
    if (more)
        out->rois = more;
    for (Py_ssize_t i = 0; i < count && rc == 0; i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);
        rc = parse_roi(st, item, index, i, &out->rois[out->count]);
        out->count += rc == 0;
    }
    out->each[index] = count;
    Py_DECREF(items);
    return rc;
}

// Is it one region, not a sequence of them? By its first entry.
static int is_roi(PyObject *value)
{
    pixview_roi unused;
    if (read_roi(value, &unused))
        return 1;
    if (!PySequence_Check(value) || PySequence_Size(value) == 0) {
        PyErr_Clear();
        return 0;
    }
    PyObject *first = PySequence_GetItem(value, 0);
    if (!first)
        return -1;
    int rc = !PySequence_Check(first);
    Py_DECREF(first);
    return rc;
}

static int parse_groups(pv_state *st, PyObject *items, pv_parts *out)
{
    out->groups = PyTuple_GET_SIZE(items);
    out->each = malloc((size_t)(out->groups + 1) * sizeof *out->each);
    out->rois = malloc((size_t)(out->groups + 1) * sizeof *out->rois);
    if (!out->each || !out->rois)
        return no_memory(out->groups);
    for (Py_ssize_t i = 0; i < out->groups; i++) {
        PyObject *item = PyTuple_GET_ITEM(items, i);
        int single = is_roi(item);
        if (single < 0)
            return -1;
        if (!single) {
            if (add_rois(st, item, i, out))
                return -1;
            continue;
        }
        if (parse_roi(st, item, -1, i, &out->rois[out->count]))
            return -1;
        out->count++;
        out->each[i] = 1;
    }
    return 0;
}

int pv_parts_parse(pv_state *st, PyObject *rois, PyObject *channels, pv_parts *out)
{
    *out = (pv_parts){NULL};
    if (pv_given(channels)) {
        PyObject *index = pv_index(channels);
        out->channels = index ? PyLong_AsLongLong(index) : -1;
        Py_XDECREF(index);
        if (PyErr_Occurred())
            return -1;
        if (out->channels < 1) {
            pv_raisef(st, PIXVIEW_E_LAYOUT, "channels=%R: at least one is taken", channels);
            return -1;
        }
    }
    if (!pv_given(rois))
        return 0;
    PyObject *items = tuple_of(rois, "rois");
    int rc = items ? parse_groups(st, items, out) : -1;
    Py_XDECREF(items);
    return rc;
}

void pv_parts_clear(pv_parts *parts)
{
    free(parts->rois);
    free(parts->each);
    free(parts->images);
    free(parts->videos);
}

// ---- the parts --------------------------------------------------------------------------------

static Py_ssize_t image_count(const pv_batch *g)
{
    return g->is_batch ? (Py_ssize_t)g->images[0].shape[PIXVIEW_AXIS_N] : g->count;
}

static pixview_image image_at(const pv_batch *g, Py_ssize_t i)
{
    if (!g->is_batch)
        return g->images[i];
    pixview_image image = g->images[0];
    image.shape[PIXVIEW_AXIS_N] = 1;
    if (!pixview_image_is_empty(&image))
        image.data = (char *)image.data + i * image.strides[PIXVIEW_AXIS_N];
    return image;
}

static int cut_channels(pv_state *st, const pv_parts *parts, const pv_batch *g, Py_ssize_t i,
                        pixview_image *image)
{
    int64_t *have = &image->shape[PIXVIEW_AXIS_C];
    if (!parts->channels || parts->channels == *have)
        return 0;
    if (parts->channels > *have) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "channels=%lld, but images[%zd] has %lld",
                  (long long)parts->channels, i, (long long)*have);
        return -1;
    }
    if (g->videos && g->videos[i].samples.bytes) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "channels=%lld, but images[%zd] is a video frame, which has 3",
                  (long long)parts->channels, i);
        return -1;
    }
    *have = parts->channels;
    return 0;
}

static int cut_region(pv_state *st, const pixview_image *whole, const pixview_roi *roi,
                      Py_ssize_t i, Py_ssize_t k, pixview_image *out)
{
    if (roi->h >= 1 && roi->w >= 1 &&
        pixview_image_crop(whole, roi->y, roi->x, roi->h, roi->w, out, NULL) == PIXVIEW_OK)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              "rois: region %zd of images[%zd], y=%lld x=%lld h=%lld w=%lld, is not inside its "
              "%lld rows and %lld columns, with at least one pixel",
              k, i, (long long)roi->y, (long long)roi->x, (long long)roi->h, (long long)roi->w,
              (long long)whole->shape[PIXVIEW_AXIS_H], (long long)whole->shape[PIXVIEW_AXIS_W]);
    return -1;
}

static void cut_video(const pixviewi_video *whole, const pixview_roi *roi, pixviewi_video *out)
{
    *out = *whole;
    if (roi && out->samples.bytes)
        pixviewi_video_move(&out->samples, roi->y, roi->x);
}

static int cut_all(pv_state *st, pv_parts *parts, const pv_batch *g, Py_ssize_t images)
{
    const pixview_roi *roi = parts->rois;
    for (Py_ssize_t i = 0; i < images; i++) {
        pixview_image image = image_at(g, i);
        if (cut_channels(st, parts, g, i, &image))
            return -1;
        for (Py_ssize_t k = 0; k < (roi ? parts->each[i] : 1); k++) {
            if (!roi)
                parts->images[parts->made] = image;
            else if (cut_region(st, &image, roi, i, k, &parts->images[parts->made]))
                return -1;
            if (g->videos)
                cut_video(&g->videos[i], roi, &parts->videos[parts->made]);
            roi += roi != NULL;
            parts->made++;
        }
    }
    return 0;
}

int pv_parts_make(pv_state *st, pv_parts *parts, const pv_batch *g, bool all)
{
    Py_ssize_t images = image_count(g), count = parts->rois ? parts->count : images;
    if (!parts->rois && !parts->channels && !(all && g->is_batch))
        return 0;
    if (parts->rois && parts->groups != images) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "rois has %zd entries, but there are %zd images; give one (y, x, h, w) for each, "
                  "or a sequence of them for each",
                  parts->groups, images);
        return -1;
    }
    if (count == 0) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "rois has no region; at least one is needed");
        return -1;
    }
    parts->images = malloc((size_t)count * sizeof *parts->images);
    if (g->videos)
        parts->videos = malloc((size_t)count * sizeof *parts->videos);
    return parts->images && (parts->videos || !g->videos) ? cut_all(st, parts, g, images)
                                                          : no_memory(count);
}
