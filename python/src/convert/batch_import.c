// A list of images for one call of stack.
//
// Ten thousand images must cost little more than the reading of each: one block for all descriptors,
// no reference counted and no stream asked for twice, nothing allocated for a plain image.

#include <stdlib.h>
#include <string.h>

#include "convert/batch_import.h"

void pv_name_item(pv_state *st, const char *name, Py_ssize_t index)
{
    PyObject *type, *error, *traceback;
    if (!PyErr_ExceptionMatches(st->Error))
        return;
    PyErr_Fetch(&type, &error, &traceback);
    PyErr_NormalizeException(&type, &error, &traceback);
    PyObject *what =
        index < 0 ? PyUnicode_FromString(name) : PyUnicode_FromFormat("%s[%zd]", name, index);
    PyObject *text = what ? PyObject_Str(error) : NULL;
    PyObject *args = text ? Py_BuildValue("(N)", PyUnicode_FromFormat("%U: %U", what, text)) : NULL;
    if (!args || PyObject_SetAttrString(error, "args", args))
        PyErr_Clear(); // the error without its index, then
    Py_XDECREF(args);
    Py_XDECREF(text);
    Py_XDECREF(what);
    PyErr_Restore(type, error, traceback);
}

void pv_name_argument(pv_state *st, const char *name) { pv_name_item(st, name, -1); }

bool pv_reads_quietly(pv_state *st, PyObject *x)
{
    PyTypeObject *type = Py_TYPE(x);
    return type == st->gpumat_type || type == st->tensor_type || type == st->cupy_type ||
           type == st->numpy_type || type == st->image_type ||
           (st->gpumat.subtype && type == (PyTypeObject *)st->gpumat.subtype);
}

// ---- what an import took ----------------------------------------------------------------------

// Takes *object. The same one again and again, such as the caller's stream, is kept once.
static int keep(pv_gather *g, PyObject **object)
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

static pv_producer *find_producer(pv_gather *g, pixview_stream handle)
{
    for (int i = g->producer_count - 1; i >= 0; i--)
        if (g->producers[i].handle == handle)
            return &g->producers[i];
    return NULL;
}

static int add_producer(pv_gather *g, pixview_stream handle, bool torch)
{
    enum { SOME = sizeof g->some / sizeof g->some[0] };
    handle = handle == 1 ? PIXVIEW_STREAM_LEGACY : handle;
    pv_producer *found = find_producer(g, handle);
    if (PIXVIEWI_LIKELY(found != NULL)) {
        found->torch |= torch;
        return 0;
    }
    int n = g->producer_count;
    if (n >= SOME && (n & (n - 1)) == 0) { // full at every power of two
        pv_producer *more = malloc(2 * (size_t)n * sizeof *more);
        if (!more) {
            PyErr_NoMemory();
            return -1;
        }
        memcpy(more, g->producers, (size_t)n * sizeof *more);
        if (g->producers != g->some)
            free(g->producers);
        g->producers = more;
    }
    g->producers[g->producer_count++] = (pv_producer){.handle = handle, .torch = torch};
    return 0;
}

// ---- one image --------------------------------------------------------------------------------

static const pixview_image *reference(const pv_gather *g) { return &g->first.image; }

static int check_whole(pv_state *st, const pv_gather *g)
{
    int64_t count = g->first.image.shape[PIXVIEW_AXIS_N];
    pixview_layout layout = g->first.layout;
    if (pixview_layout_rank(layout) == 4 && count > 0)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              count == 0 ? "an empty batch: it has N = 0 images"
                         : "one image of %s: give a sequence of images ([image] for one), or a "
                           "batch of 4 axes",
              pixview_layout_name(layout));
    return -1;
}

static int check_alike(pv_state *st, const pv_gather *g, const pixview_image *image, Py_ssize_t i,
                       bool sizes_differ)
{
    const pixview_image *first = reference(g);
    const int64_t *a = image->shape, *b = first->shape;
    if (PIXVIEWI_UNLIKELY(a[PIXVIEW_AXIS_N] != 1)) {
        pv_raisef(
            st, PIXVIEW_E_LAYOUT,
            "images[%zd] is itself a batch of %lld images; give its images, or the batch alone", i,
            (long long)a[PIXVIEW_AXIS_N]);
        return -1;
    }
    if (PIXVIEWI_UNLIKELY(!pixview_dtype_equal(image->dtype, first->dtype))) {
        pv_raisef(st, PIXVIEW_E_DTYPE,
                  "images[%zd] is %s and images[0] %s; all have one type: convert them "
                  "first, dtype= is the batch's",
                  i, pixview_dtype_name(image->dtype), pixview_dtype_name(first->dtype));
        return -1;
    }
    bool same = a[PIXVIEW_AXIS_H] == b[PIXVIEW_AXIS_H] && a[PIXVIEW_AXIS_W] == b[PIXVIEW_AXIS_W];
    if (PIXVIEWI_UNLIKELY(a[PIXVIEW_AXIS_C] != b[PIXVIEW_AXIS_C] || (!same && !sizes_differ))) {
        bool sized = a[PIXVIEW_AXIS_C] == b[PIXVIEW_AXIS_C];
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "images[%zd] has H,W,C = %lld,%lld,%lld and images[0] %lld,%lld,%lld%s", i,
                  (long long)a[PIXVIEW_AXIS_H], (long long)a[PIXVIEW_AXIS_W],
                  (long long)a[PIXVIEW_AXIS_C], (long long)b[PIXVIEW_AXIS_H],
                  (long long)b[PIXVIEW_AXIS_W], (long long)b[PIXVIEW_AXIS_C],
                  sized ? "; size=(H, W) places images of any size on a canvas" : "");
        return -1;
    }
    bool gpu = pixviewi_on_device(image->device), gpu_0 = pixviewi_on_device(first->device);
    if (PIXVIEWI_LIKELY(gpu == gpu_0 && (!gpu || image->device.id == first->device.id)))
        return 0;
    if (gpu && gpu_0) {
        pv_raisef(st, PIXVIEW_E_DEVICE,
                  "images[%zd] is on GPU %d and images[0] on GPU %d; copy it there first", i,
                  (int)image->device.id, (int)first->device.id);
    } else {
        pv_raisef(st, PIXVIEW_E_DEVICE,
                  "images[%zd] is in %s memory and images[0] in %s memory; nothing moves between "
                  "the two by itself: convert one of them with copy=True first",
                  i, gpu ? "device" : "host", gpu_0 ? "device" : "host");
    }
    return -1;
}

// A DLPack producer (whose import is owned) made its data ready for the stream that we named to it.
pixview_stream pv_producer_stream(const pv_source *src, const pv_request *req)
{
    bool asked = src->image.stream == PIXVIEW_STREAM_NONE && src->kind == PV_OTHER &&
                 src->image.owner && (req->to == PV_IMAGE || req->to == PV_GPUMAT);
    pixview_stream stream =
        asked ? pv_end_stream(req, src->image.device.id).handle : src->image.stream;
    return stream == 1 ? PIXVIEW_STREAM_LEGACY : stream;
}

static int note_producer(pv_gather *g, const pv_source *src, pixview_stream stream)
{
    g->takes_stream |= src->foreign_stream || src->kind == PV_IMAGE;
    if (!pixviewi_on_device(src->image.device) || stream == PIXVIEW_STREAM_NONE)
        return 0;
    return add_producer(g, stream, src->kind == PV_TORCH);
}

static int keep_parts(pv_gather *g, pv_source *src)
{
    if (PIXVIEWI_LIKELY(!src->keep && !src->stream_object))
        return 0;
    int rc = keep(g, &src->keep);
    return keep(g, &src->stream_object) || rc ? -1 : 0;
}

static int take(pv_state *st, pv_gather *g, Py_ssize_t i, const pv_request *req)
{
    pv_source src;
    pv_source_begin(&src, PyTuple_GET_ITEM(g->items, i));
    if (PIXVIEWI_UNLIKELY(pv_import(st, src.object, req, &src))) {
        if (!g->whole)
            pv_name_item(st, "images", i);
        pv_source_clear(&src);
        return -1;
    }
    pixview_image *image = &g->images[i];
    *image = src.image; // its owner too
    image->stream = pv_producer_stream(&src, req);
    if (i == 0)
        g->first = src;
    return keep_parts(g, &src) || note_producer(g, &src, image->stream) ? -1 : 0;
}

static bool is_taken(const pixview_image *image) { return image->dtype.lanes != 0; }

// ---- the list ---------------------------------------------------------------------------------

static int make_room(pv_gather *g)
{
    enum { FEW = sizeof g->few / sizeof g->few[0] };
    g->images = g->few;
    if (g->count > FEW)
        g->images = malloc((size_t)g->count * sizeof *g->images);
    if (!g->images) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t i = 0; i < g->count; i++) { // all that pv_gather_clear looks at
        g->images[i].owner = NULL;
        g->images[i].dtype.lanes = 0;
    }
    return 0;
}

int pv_gather_start(pv_state *st, PyObject *images, pv_gather *g)
{
    g->items = g->kept = NULL;
    g->images = NULL;
    g->count = 0;
    g->producers = g->some;
    g->producer_count = 0;
    g->takes_stream = false;
    g->whole = !PyList_CheckExact(images) && !PyTuple_CheckExact(images) &&
               pv_kind_of(st, images) != PV_OTHER;
    g->items = g->whole ? PyTuple_Pack(1, images) : PySequence_Tuple(images);
    if (!g->items) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "images=%R is not a sequence of images",
                          images);
        return -1;
    }
    g->count = PyTuple_GET_SIZE(g->items);
    if (g->count == 0) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "an empty list of images: there is no size, type and device to make a batch of");
        return -1;
    }
    return make_room(g);
}

int pv_gather_strangers(pv_state *st, pv_gather *g, const pv_request *req)
{
    for (Py_ssize_t i = 0; i < g->count; i++) {
        PyObject *item = PyTuple_GET_ITEM(g->items, i);
        if (PIXVIEWI_LIKELY(pv_reads_quietly(st, item)))
            continue;
        if (pv_kind_of(st, item) != PV_OTHER && pv_reads_quietly(st, item))
            continue; // of a framework that we had not seen before
        if (take(st, g, i, req))
            return -1;
    }
    return 0;
}

int pv_gather_rest(pv_state *st, pv_gather *g, const pv_request *req, bool sizes_differ)
{
    const pixview_image *like = NULL;
    int type = -1; // of the GpuMat that `like` is
    for (Py_ssize_t i = 0; i < g->count; i++) {
        pixview_image *image = &g->images[i];
        PyObject *item = PyTuple_GET_ITEM(g->items, i);
        bool taken = is_taken(image);
        if (!taken && type >= 0 &&
            PIXVIEWI_LIKELY(pv_import_gpumat_alike(st, item, type, like, image)))
            continue;
        if (!taken && take(st, g, i, req))
            return -1;
        if (PIXVIEWI_UNLIKELY(g->whole ? check_whole(st, g)
                                       : check_alike(st, g, image, i, sizes_differ)))
            return -1;
        if (!taken && type < 0) {
            type = pv_gpumat_type(st, item, image);
            like = image;
        }
    }
    g->first.image = g->images[0];
    return 0;
}

void pv_gather_clear(pv_gather *g)
{
    for (Py_ssize_t i = 0; i < g->count && g->images; i++)
        if (PIXVIEWI_UNLIKELY(g->images[i].owner != NULL))
            pixview_owner_unref(g->images[i].owner);
    if (g->images != g->few)
        free(g->images);
    if (g->producers != g->some)
        free(g->producers);
    Py_XDECREF(g->kept);
    Py_XDECREF(g->items);
}

// ---- order ------------------------------------------------------------------------------------

int pv_gather_ask(pv_state *st, pv_gather *g, pixview_device device, pixview_stream work,
                  bool given)
{
    for (int i = 0; i < g->producer_count; i++)
        if (pv_ask(st, device, g->producers[i].handle, work, given, &g->producers[i].joint))
            return -1;
    return 0;
}

int pv_gather_order(pv_state *st, const pv_gather *g, pixview_device device, pixview_stream work)
{
    for (int i = 0; i < g->producer_count; i++)
        if (pv_wait(st, device, g->producers[i].handle, work, &g->producers[i].joint))
            return -1;
    return 0;
}

// torch hands a block back to the stream it was allocated on, which nobody can ask for.
static int record_tensors(pv_state *st, const pv_gather *g, int device, pixview_stream stream,
                          pixview_stream work)
{
    for (Py_ssize_t i = 0; i < g->count; i++) {
        PyObject *item = PyTuple_GET_ITEM(g->items, i);
        if (g->images[i].stream == stream && pv_kind_of(st, item) == PV_TORCH &&
            pv_record_stream(st, item, device, work))
            return -1;
    }
    return 0;
}

int pv_gather_order_back(pv_state *st, const pv_gather *g, pixview_device device,
                         pixview_stream work)
{
    for (int i = 0; i < g->producer_count; i++) {
        const pv_producer *producer = &g->producers[i];
        if (PIXVIEWI_LIKELY(producer->joint.join != PIXVIEWI_JOIN_YES))
            continue;
        if (pv_wait(st, device, work, producer->handle, &producer->joint) ||
            (producer->torch && record_tensors(st, g, device.id, producer->handle, work)))
            return -1;
    }
    return 0;
}
