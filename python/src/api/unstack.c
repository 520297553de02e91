// unstack: a batch as a list of its images. Views where the images can be seen as asked; else one
// copy of the whole batch, and views of that.

#include "convert/batch_import.h"

const char pv_unstack_doc[] =
    "unstack($module, /, batch, *, to='gpumat', src_layout=None, copy=None, stream=None)\n--\n\n"
    "The images of a batch, as a list of `to`: 'gpumat', 'torch' (C,H,W), 'cupy', 'numpy', "
    "'image'\n"
    "(H,W,C).\n\n"
    "batch: N,C,H,W or N,H,W,C as src_layout says, by default what is usual where it comes from; "
    "an\n"
    "   image of fewer axes is a batch of one. N = 0 gives [].\n"
    "copy: None copies only if no view is possible: then the whole batch, once, in one launch, and "
    "the\n"
    "   list shares that memory. False raises LayoutError instead, True always copies.\n"
    "Each element keeps the memory alive. stream and errors as for as_gpumat.";

// The source as one image of it, for the plan that a conversion of that would have.
static void one_of(const pv_source *batch, pv_request *req, pv_source *one)
{
    *one = *batch;
    one->image.shape[PIXVIEW_AXIS_N] = 1;
    if (pixview_layout_rank(batch->layout) == 4)
        one->layout =
            batch->layout == PIXVIEW_LAYOUT_NCHW ? PIXVIEW_LAYOUT_CHW : PIXVIEW_LAYOUT_HWC;
    req->layout = req->to == PV_TORCH ? PIXVIEW_LAYOUT_CHW : PIXVIEW_LAYOUT_HWC;
}

// Making an item may run Python, which must not find a list with holes (gc.get_objects).
static PyObject *hidden_list(Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    if (list)
        PyObject_GC_UnTrack(list);
    return list;
}

static PyObject *list_of(pv_state *st, const pixview_image *batch, const pv_request *req,
                         PyObject *stream_object)
{
    Py_ssize_t count = (Py_ssize_t)batch->shape[PIXVIEW_AXIS_N];
    PyObject *out = hidden_list(count);
    for (Py_ssize_t i = 0; out && i < count; i++) {
        pixview_image image = *batch;
        image.shape[PIXVIEW_AXIS_N] = 1;
        if (image.data) // of an empty batch it may be NULL
            image.data = (char *)batch->data + i * batch->strides[PIXVIEW_AXIS_N];
        pixview_owner_ref(image.owner);
        PyObject *item = pv_export(st, req->to, &image, req->layout);
        pixview_owner_unref(image.owner); // unless the item has that count now
        if (req->to == PV_IMAGE)
            pv_image_with_stream(item, stream_object);
        if (!item)
            Py_CLEAR(out);
        else
            PyList_SET_ITEM(out, i, item);
    }
    if (out)
        PyObject_GC_Track(out);
    return out;
}

static PyObject *views(pv_state *st, pv_source *src, const pv_request *req)
{
    if (pv_prepare_view(st, src, req))
        return NULL;
    return list_of(st, &src->image, req,
                   pv_keeps_stream(src, req) ? src->stream_object
                                             : pv_end_stream(req, src->image.device.id).object);
}

// ---- copies -----------------------------------------------------------------------------------

// From a finished result to an image that owns it, so that N views can share it.
static int own(pv_state *st, pv_kind to, pixview_layout layout, pv_result *result)
{
    pixview_error err;
    pixview_image taken;
    if (result->managed) {
        if (pixview_image_from_dlpack_take(result->managed, layout, &taken, &err)) {
            pv_raise(st, &err);
            return -1;
        }
        result->managed = NULL;
        result->image.owner = taken.owner;
    } else if (result->object) {
        pv_source made = {.object = result->object, .image = result->image, .kind = to};
        made.image.owner = NULL;
        if (pv_source_hold(st, &made))
            return -1;
        Py_CLEAR(result->object);
        result->image.owner = made.image.owner;
    }
    return 0;
}

// GpuMats: one tall image, whose rows have the pitch that textures want.
static int allocate_tall(pv_state *st, const pv_request *req, pv_source *like, pv_result *result)
{
    int64_t *shape = like->image.shape, count = shape[PIXVIEW_AXIS_N], rows = shape[PIXVIEW_AXIS_H];
    int64_t tall;
    if (__builtin_mul_overflow(count, rows, &tall) || tall > INT32_MAX) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "%lld images of %lld rows are more rows than one allocation by OpenCV holds; "
                  "unstack the batch in parts",
                  (long long)count, (long long)rows);
        return -1;
    }
    shape[PIXVIEW_AXIS_N] = 1;
    shape[PIXVIEW_AXIS_H] = tall;
    if (pv_allocate(st, req, like, PIXVIEW_LAYOUT_HWC, result) ||
        own(st, req->to, PIXVIEW_LAYOUT_HWC, result))
        return -1;
    pixview_image *made = &result->image;
    made->shape[PIXVIEW_AXIS_N] = count;
    made->shape[PIXVIEW_AXIS_H] = rows;
    made->strides[PIXVIEW_AXIS_N] = made->strides[PIXVIEW_AXIS_H] * rows;
    return 0;
}

static int allocate(pv_state *st, const pv_request *req, const pv_source *src, pv_result *result)
{
    pv_source like = *src;
    like.image.flags = 0;
    like.image.owner = NULL;
    pixview_layout layout = req->to == PV_TORCH ? PIXVIEW_LAYOUT_NCHW : PIXVIEW_LAYOUT_NHWC;
    if (req->to == PV_GPUMAT)
        return allocate_tall(st, req, &like, result);
    return pv_allocate(st, req, &like, layout, result) || own(st, req->to, layout, result) ? -1 : 0;
}

static PyObject *copies(pv_state *st, const pv_source *src, const pv_request *req)
{
    pv_result result = {0};
    pixviewi_joint joint;
    PyObject *out = NULL;
    if (allocate(st, req, src, &result) == 0 &&
        pv_copy_ordered(st, &src->image, &result.image, result.consumer, req->has_stream, &joint) ==
            0 &&
        pv_note_use(&result.image, result.consumer, &joint, result.stream_object,
                    result.consumer_object) == 0) {
        out = list_of(st, &result.image, req, result.stream_object);
    }
    pv_result_clear(&result);
    return out;
}

// ---- entry ------------------------------------------------------------------------------------

static PyObject *unstack(pv_state *st, PyObject *batch, pv_request *req, pv_source *src)
{
    pv_source one;
    pv_plan plan;
    if (pv_need(st, req->to) || pv_import(st, batch, req, src))
        return NULL;
    one_of(src, req, &one);
    if (pv_make_plan(st, &one, req, &plan))
        return NULL;
    if (src->image.shape[PIXVIEW_AXIS_N] == 0)
        return PyList_New(0);
    return plan.kind == PV_COPY ? copies(st, src, req) : views(st, src, req);
}

PyObject *pv_unstack(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    pv_state *st = pv_get_state(module);
    PyObject *batch = NULL, *to = NULL, *src_layout = NULL, *copy = NULL, *stream = NULL;
    const pv_keyword keywords[] = {{"batch", &batch},
                                   {"to", &to},
                                   {"src_layout", &src_layout},
                                   {"copy", &copy},
                                   {"stream", &stream}};
    pv_request req = {.to = PV_GPUMAT, .copy = -1};
    if (pv_parse_args("unstack", args, nargs, kwnames, 1, keywords, 5) ||
        (to && pv_parse_kind("to", to, &req.to)) ||
        pv_parse_layout(st, "src_layout", src_layout, &req.src_layout) ||
        pv_parse_copy(copy, &req.copy))
        return NULL;
    req.has_stream = stream && stream != Py_None;
    if (req.has_stream) {
        req.stream_object = PyLong_Check(stream) ? NULL : stream; // an int is the caller's to keep
        if (pv_parse_stream(st, stream, &req.stream))
            return NULL;
    }
    pv_source src;
    pv_source_begin(&src, batch);
    PyObject *out = unstack(st, batch, &req, &src);
    pv_source_clear(&src);
    return out;
}
