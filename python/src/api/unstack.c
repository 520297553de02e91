// SPDX-License-Identifier: Apache-2.0
// unstack: a batch as a list of its images. Views where the images can be seen as asked; else one
// copy of the whole batch, and views of that.

#include "api/api.h"
#include "base/args.h"
#include "base/errors.h"
#include "convert/align.h"
#include "convert/allocate.h"
#include "convert/convert.h"
#include "convert/copy.h"
#include "convert/import.h"
#include "convert/plan.h"
#include "convert/stream_order.h"
#include "convert/video.h"
#include "cuda/stream.h"
#include "frameworks/stream_argument.h"

// The source as one image of it, for the plan that a conversion of that would have.
static void one_of(const pv_imported *batch, pv_options *options, pv_imported *one)
{
    *one = *batch;
    one->image.shape[PIXVIEW_AXIS_N] = 1;
    if (pixview_layout_rank(batch->layout) == 4)
        one->layout =
            batch->layout == PIXVIEW_LAYOUT_NCHW ? PIXVIEW_LAYOUT_CHW : PIXVIEW_LAYOUT_HWC;
    options->layout = options->to->flags & PV_PLANAR ? PIXVIEW_LAYOUT_CHW : PIXVIEW_LAYOUT_HWC;
}

// Making an item may run Python, which must not find a list with holes (gc.get_objects).
static PyObject *hidden_list(Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    if (list)
        PyObject_GC_UnTrack(list);
    return list;
}

// The batch's owner is shared by all.
static PyObject *list_of(pv_state *st, const pixview_image *batch, const pv_options *options,
                         const pv_plan *plan, PyObject *stream_object)
{
    Py_ssize_t count = (Py_ssize_t)batch->shape[PIXVIEW_AXIS_N];
    PyObject *out = hidden_list(count);
    pv_note_export(st, batch->owner);
    for (Py_ssize_t i = 0; out && i < count; i++) {
        pixview_image image = *batch;
        image.shape[PIXVIEW_AXIS_N] = 1;
        if (image.data) // of an empty batch it may be NULL
            image.data = (char *)batch->data + i * batch->strides[PIXVIEW_AXIS_N];
        pixview_owner_ref(image.owner);
        PyObject *item = options->to->export_take(st, &image, plan, stream_object);
        pixview_owner_unref(image.owner); // NULL if taken
        if (!item)
            Py_CLEAR(out);
        else
            PyList_SET_ITEM(out, i, item);
    }
    if (out)
        PyObject_GC_Track(out);
    return out;
}

static PyObject *list_views(pv_state *st, pv_imported *in, const pv_options *options,
                            const pv_plan *plan)
{
    if (pv_prepare_view(st, in, options))
        return NULL;
    return list_of(st, &in->image, options, plan, in->stream_object);
}

// ---- copies -----------------------------------------------------------------------------------

// A finished object becomes the owner of its memory, so that N views can share it.
static int own_object(pv_state *st, const pv_framework *to, pv_allocation *made)
{
    pv_imported whole = {.object = made->object, .image = made->image, .from = to};
    if (!made->object)
        return 0;
    whole.image.owner = NULL;
    if (pv_imported_hold(st, &whole))
        return -1;
    Py_CLEAR(made->object);
    made->image.owner = whole.image.owner;
    return 0;
}

// Of objects that are one image each: one tall image, whose rows have the pitch that they want.
static int allocate_tall(pv_state *st, const pv_options *options, pv_imported *like, pv_plan *plan,
                         pv_allocation *result)
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
    if (pv_allocate(st, options, like, plan, result) || own_object(st, options->to, result))
        return -1;
    pixview_image *made = &result->image;
    made->shape[PIXVIEW_AXIS_N] = count;
    made->shape[PIXVIEW_AXIS_H] = rows;
    made->strides[PIXVIEW_AXIS_N] = made->strides[PIXVIEW_AXIS_H] * rows;
    return 0;
}

static int allocate_batch(pv_state *st, const pv_options *options, const pv_imported *in,
                          const pv_plan *one, pv_allocation *result)
{
    pv_imported like = *in;
    pv_plan plan = *one;
    like.image.flags = 0;
    like.image.owner = NULL;
    if (options->to->flags & PV_NO_BATCH)
        return allocate_tall(st, options, &like, &plan, result);
    plan.layout = options->to->flags & PV_PLANAR ? PIXVIEW_LAYOUT_NCHW : PIXVIEW_LAYOUT_NHWC;
    return pv_allocate(st, options, &like, &plan, result) || own_object(st, options->to, result)
               ? -1
               : 0;
}

static PyObject *list_copies(pv_state *st, pv_imported *in, const pv_options *options,
                             const pv_plan *plan)
{
    pv_allocation made = {.object = NULL};
    pixviewi_stream_relation relation;
    PyObject *out = NULL;
    if (pv_align_source(st, in, options) == 0 &&
        allocate_batch(st, options, in, plan, &made) == 0 &&
        pv_copy_imported(st, in, options, &made.image, made.consumer.handle, &relation) == 0 &&
        pv_owner_add_consumer(&made.image, &made.consumer, &relation, made.stream_object) == 0) {
        if (!(options->to->flags & PV_OURS) ||
            pv_order_for_storing(st, &made.image, &made.stream_object) == 0)
            out = list_of(st, &made.image, options, plan, made.stream_object);
    }
    pv_allocation_clear(&made);
    return out;
}

// ---- entry ------------------------------------------------------------------------------------

static PyObject *import_and_unstack(pv_state *st, PyObject *batch, pv_options *options,
                                    pv_imported *in)
{
    pv_imported one;
    pv_plan plan;
    if (pv_framework_need(st, options->to) || pv_import(st, batch, options, in))
        return NULL;
    one_of(in, options, &one);
    if (pv_make_plan(st, &one, options, &plan))
        return NULL;
    if (in->image.shape[PIXVIEW_AXIS_N] == 0)
        return PyList_New(0);
    return plan.kind == PV_COPY ? list_copies(st, in, options, &plan)
                                : list_views(st, in, options, &plan);
}

PV_CALL(unstack)
{
    pv_state *st = pv_get_state(module);
    PyObject *batch = NULL, *to = NULL, *src_layout = NULL, *copy = NULL, *stream = NULL;
    const pv_keyword keywords[] = {{"batch", &batch},
                                   {"to", &to},
                                   {"src_layout", &src_layout},
                                   {"copy", &copy},
                                   {"stream", &stream}};
    pv_options options = {.to = PV_UNSTACK_DEFAULT, .copy = -1, .call = "unstack"};
    if (pv_parse_args("unstack", args, nargs, kwnames, 1, keywords, 5) ||
        (to && pv_parse_framework("to", to, &options.to)) ||
        pv_parse_layout(st, "src_layout", src_layout, &options.src_layout) ||
        pv_parse_copy(copy, &options.copy) || pv_parse_stream_option(st, stream, &options))
        return NULL;
    pv_imported in;
    pv_imported_begin(&in, batch);
    PyObject *out = import_and_unstack(st, batch, &options, &in);
    pv_imported_clear(&in);
    return out;
}
