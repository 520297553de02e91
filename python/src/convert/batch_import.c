// SPDX-License-Identifier: Apache-2.0
// A list of images for one call of stack.
//
// Ten thousand images must cost little more than the reading of each: one block for all descriptors,
// no reference counted and no stream asked for twice, nothing allocated for a plain image.

#include "convert/batch_import.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/errors.h"
#include "base/video_object.h"
#include "convert/align.h"
#include "convert/import.h"
#include "descriptor/image.h"
#include "descriptor/stream.h"
#include "frameworks/streams.h"

// ---- what an import took ----------------------------------------------------------------------

// Takes *object. The same one again and again, such as the caller's stream, is kept once.
static int keep_object(pv_batch *g, PyObject **object)
{
    PyObject *taken = *object;
    *object = NULL;
    if (!taken)
        return 0;
    Py_ssize_t count = g->kept ? PyList_GET_SIZE(g->kept) : 0;
    int rc = 0;
    if (count == 0 || PyList_GET_ITEM(g->kept, count - 1) != taken) {
        if (!g->kept)
            g->kept = PyList_New(0);
        rc = g->kept ? PyList_Append(g->kept, taken) : -1;
    }
    Py_DECREF(taken);
    return rc;
}

static pv_producer *find_producer(pv_batch *g, pixview_stream handle)
{
    for (int i = g->producer_count - 1; i >= 0; i--)
        if (g->producers[i].handle == handle)
            return &g->producers[i];
    return NULL;
}

static int add_producer(pv_batch *g, pixview_stream handle, bool records)
{
    enum { SOME = sizeof g->some / sizeof g->some[0] };
    handle = pixviewi_stream_normalize(handle);
    pv_producer *found = find_producer(g, handle);
    if (found != NULL) {
        found->records |= records;
        return 0;
    }
    int n = g->producer_count;
    if (n >= SOME && (n & (n - 1)) == 0) { // full at every power of two
        pv_producer *more = malloc(2 * (size_t)n * sizeof *more);
        if (!more) {
            PyErr_Format(PyExc_MemoryError, "no memory for a list of %d streams (%zu bytes)", 2 * n,
                         2 * (size_t)n * sizeof *more);
            return -1;
        }
        memcpy(more, g->producers, (size_t)n * sizeof *more);
        if (g->producers != g->some)
            free(g->producers);
        g->producers = more;
    }
    g->producers[g->producer_count++] = (pv_producer){.handle = handle, .records = records};
    return 0;
}

// ---- one image --------------------------------------------------------------------------------

static int check_whole_batch(pv_state *st, const pv_batch *g)
{
    int64_t count = g->first.image.shape[PIXVIEW_AXIS_N];
    pixview_layout layout = g->first.layout;
    if (pixview_layout_rank(layout) == 4 && count > 0)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              count == 0 ? "the batch is empty (N = 0); stack needs at least one image"
                         : "one image of %s: give a sequence of images ([image] for one), or a "
                           "batch of 4 axes",
              pixview_layout_name(layout));
    return -1;
}

static int note_producer(pv_batch *g, const pv_imported *in, pixview_stream stream)
{
    g->takes_stream |= in->stream_from_caller || (in->from->flags & PV_OURS) != 0;
    if (!pixviewi_on_device(in->image.device) || stream == PIXVIEW_STREAM_NONE)
        return 0;
    return add_producer(g, stream, in->from->record_stream || in->from->owner_of || in->video);
}

static int keep_parts(pv_batch *g, pv_imported *in)
{
    if (!in->keep && !in->stream_object)
        return 0;
    int rc = keep_object(g, &in->keep);
    return keep_object(g, &in->stream_object) || rc ? -1 : 0;
}

static int add_video(pv_batch *g, Py_ssize_t i, const pixviewi_video *video)
{
    if (!g->videos)
        g->videos = calloc((size_t)g->count, sizeof *g->videos);
    if (!g->videos) {
        PyErr_Format(PyExc_MemoryError, "no memory for a list of %zd video frames (%zu bytes)",
                     g->count, (size_t)g->count * sizeof *g->videos);
        return -1;
    }
    g->videos[i] = *video;
    return 0;
}

static int import_item(pv_state *st, pv_batch *g, Py_ssize_t i, const pv_options *options)
{
    pv_imported in;
    pv_imported_begin(&in, PyTuple_GET_ITEM(g->items, i));
    if (pv_import(st, in.object, options, &in) || pv_align_source(st, &in, options)) {
        if (!g->is_batch)
            pv_errors_prefix_item(st, "images", i);
        pv_imported_clear(&in);
        return -1;
    }
    pixview_image *image = &g->images[i];
    *image = in.image; // its owner too
    image->stream = pv_producer_stream(&in, options);
    if (i == 0)
        g->first = in;
    return keep_parts(g, &in) || (in.video && add_video(g, i, &in.video->video)) ||
                   note_producer(g, &in, image->stream)
               ? -1
               : 0;
}

static bool is_imported(const pixview_image *image) { return image->dtype.lanes != 0; }

// ---- the list ---------------------------------------------------------------------------------

static int make_room(pv_batch *g)
{
    enum { FEW = sizeof g->few / sizeof g->few[0] };
    g->images = g->few;
    if (g->count > FEW)
        g->images = malloc((size_t)g->count * sizeof *g->images);
    if (!g->images) {
        PyErr_Format(PyExc_MemoryError, "no memory for a list of %zd images (%zu bytes)", g->count,
                     (size_t)g->count * sizeof *g->images);
        return -1;
    }
    for (Py_ssize_t i = 0; i < g->count; i++) { // all that pv_batch_clear looks at
        g->images[i].owner = NULL;
        g->images[i].dtype.lanes = 0;
    }
    return 0;
}

// One array, not a sequence of images: of a framework or known by a protocol. -1 with an error.
static int is_batch(pv_state *st, PyObject *images)
{
    if (PyList_Check(images) || PyTuple_Check(images))
        return 0;
    if (pv_framework_of(st, images) != &pv_framework_protocols)
        return 1;
    return pv_has_protocol(st, images);
}

// Python's own MemoryError has no words; one that was raised with some keeps them.
static void name_what_is_too_long(PyObject *images)
{
    PyObject *type, *error, *traceback;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject *words = PyObject_Str(error);
    bool none = words && PyUnicode_GET_LENGTH(words) == 0;
    Py_XDECREF(words);
    PyErr_Restore(type, error, traceback);
    if (none)
        PyErr_Format(PyExc_MemoryError,
                     "no memory for a list of the images that a %s object says it has",
                     Py_TYPE(images)->tp_name);
}

int pv_batch_begin(pv_state *st, PyObject *images, pv_batch *g)
{
    g->items = g->kept = NULL;
    g->images = NULL;
    g->videos = NULL;
    g->count = 0;
    g->producers = g->some;
    g->producer_count = 0;
    g->takes_stream = false;
    g->like_first = 0;
    int batch = is_batch(st, images);
    if (batch < 0)
        return -1;
    g->is_batch = batch;
    g->items = g->is_batch ? PyTuple_Pack(1, images) : PySequence_Tuple(images);
    if (!g->items) {
        if (PyErr_ExceptionMatches(PyExc_MemoryError))
            name_what_is_too_long(images);
        else if (PyErr_ExceptionMatches(PyExc_TypeError))
            pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "images=%R is not a sequence of images",
                          images);
        return -1;
    }
    g->count = PyTuple_GET_SIZE(g->items);
    if (g->count == 0) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "images is empty; stack needs at least one image");
        return -1;
    }
    return make_room(g);
}

int pv_batch_import_untrusted(pv_state *st, pv_batch *g, const pv_options *options)
{
    Py_ssize_t first = g->count;
    for (Py_ssize_t i = 0; i < g->count; i++) {
        if (pv_imports_without_python(st, PyTuple_GET_ITEM(g->items, i)))
            continue;
        if (import_item(st, g, i, options))
            return -1;
        first = i < first ? i : first;
    }
    for (Py_ssize_t i = first; i < g->count; i++) {
        if (!is_imported(&g->images[i]) ||
            !pv_check_unmoved(st, PyTuple_GET_ITEM(g->items, i), options, &g->images[i]))
            continue;
        if (!g->is_batch)
            pv_errors_prefix_item(st, "images", i);
        return -1;
    }
    return 0;
}

int pv_batch_import_trusted(pv_state *st, pv_batch *g, const pv_options *options)
{
    PyObject *const *items = &PyTuple_GET_ITEM(g->items, 0);
    const pv_framework *from = NULL; // of images[like]
    Py_ssize_t like = 0;
    int key = -1;
    for (Py_ssize_t i = 0; i < g->count; i++) {
        bool done = is_imported(&g->images[i]);
        if (!done && key >= 0) {
            Py_ssize_t n = from->import_alike(st, items + i, g->count - i, key, &g->images[like],
                                              &g->images[i]);
            g->like_first += like == 0 ? n : 0;
            i += n;
            if (i == g->count)
                break;
            done = is_imported(&g->images[i]);
        }
        if (!done && import_item(st, g, i, options))
            return -1;
        if (g->is_batch && check_whole_batch(st, g))
            return -1;
        if (!done && key < 0) {
            from = pv_framework_of(st, items[i]);
            key = from->batch_key ? from->batch_key(st, items[i], &g->images[i]) : -1;
            like = i;
        }
    }
    assert(g->like_first < g->count && g->producer_count >= 0);
    g->first.image = g->images[0];
    return 0;
}

void pv_batch_clear(pv_batch *g)
{
    for (Py_ssize_t i = 0; i < g->count && g->images; i++)
        if (g->images[i].owner != NULL)
            pixview_owner_unref(g->images[i].owner);
    if (g->images != g->few)
        free(g->images);
    free(g->videos);
    if (g->producers != g->some)
        free(g->producers);
    Py_XDECREF(g->kept);
    Py_XDECREF(g->items);
}

// ---- order ------------------------------------------------------------------------------------

int pv_batch_relate_streams(pv_state *st, pv_batch *g, pixview_device device, pixview_stream work,
                            bool given)
{
    for (int i = 0; i < g->producer_count; i++)
        if (pv_stream_relate_copy(st, device, g->producers[i].handle, work, given,
                                  &g->producers[i].relation))
            return -1;
    return 0;
}

int pv_batch_wait_for_producers(pv_state *st, const pv_batch *g, pixview_device device,
                                pixview_stream work)
{
    for (int i = 0; i < g->producer_count; i++)
        if (pv_stream_wait(st, device, g->producers[i].handle, work, &g->producers[i].relation))
            return -1;
    return 0;
}

// A frame's planes may be of several objects.
static int record_home(pv_state *st, PyObject *item, int device, pixview_stream home)
{
    PyObject *plane;
    if (!pv_is_video_frame(item))
        return pv_record_home(st, item, device, home);
    for (Py_ssize_t i = 0; (plane = pv_video_frame_plane(item, i)); i++)
        if (pv_record_home(st, plane, device, home))
            return -1;
    return 0;
}

static int record_streams(pv_state *st, const pv_batch *g, int device, pixview_stream home)
{
    for (Py_ssize_t i = 0; i < g->count; i++)
        if (g->images[i].stream == home &&
            record_home(st, PyTuple_GET_ITEM(g->items, i), device, home))
            return -1;
    return 0;
}

int pv_batch_producers_wait(pv_state *st, const pv_batch *g, pixview_device device,
                            pixview_stream work)
{
    for (int i = 0; i < g->producer_count; i++) {
        const pv_producer *producer = &g->producers[i];
        if (producer->relation.kind != PIXVIEWI_STREAMS_ORDERABLE)
            continue;
        if (pv_stream_wait(st, device, work, producer->handle, &producer->relation) ||
            (producer->records && record_streams(st, g, device.id, producer->handle)))
            return -1;
    }
    return 0;
}
