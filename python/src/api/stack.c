// SPDX-License-Identifier: Apache-2.0
// stack: many images into one batch, with conversion, in one launch.
//
// The order of its steps keeps hostile objects harmless: first all that can run somebody's Python
// (arguments, images and out of unknown types), then what is read in place, then memory, the checks
// of all ends together, and the work.

#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/geometry.h"
#include "api/parts.h"
#include "api/values.h"
#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "base/pyref.h"
#include "base/video_object.h"
#include "convert/allocate.h"
#include "convert/batch_import.h"
#include "convert/copy.h"
#include "convert/import.h"
#include "convert/plan.h"
#include "copy/batch.h"
#include "copy/operation.h"
#include "copy/run.h"
#include "cuda/stream.h"
#include "descriptor/image.h"
#include "frameworks/stream_argument.h"

typedef struct stack_arguments {
    PyObject *images, *to, *layout, *src_layout, *dtype, *scale, *mean, *std, *swap_rb, *size,
        *pad_value, *out, *stream, *fit, *align, *scaleup, *stride, *interpolation, *rois,
        *channels, *return_placements;
} stack_arguments;

typedef struct settings {
    pv_options from; // of each image
    pv_options to;   // of the result
    pixview_layout layout;
    bool layout_given, dtype_given;
    pixview_dtype dtype;
    pixview_placement_params canvas; // with pad: its size
    pixview_geometry geometry;       // params.geometry, if there is a fit
    bool return_placements;
    pv_parts parts;
    pixview_convert_params params;
    pv_values values;
} settings;

// ---- arguments --------------------------------------------------------------------------------

static int parse_values(pv_state *st, const stack_arguments *a, settings *s)
{
    return pv_parse_values(st, a->scale, a->mean, a->std, &s->values, &s->params) ||
                   pv_parse_bool("swap_rb", a->swap_rb, &s->params.swap_rb)
               ? -1
               : 0;
}

static int parse_canvas(pv_state *st, const stack_arguments *a, settings *s)
{
    static const char *const interpolations[] = {"linear",       "nearest",     "area",
                                                 "pil-bilinear", "pil-bicubic", "pil-lanczos"};
    const pv_geometry_arguments geometry = {a->size, a->fit, a->align, a->scaleup, a->stride};
    int interpolation = 0;
    s->params.pad = pv_given(a->size);
    if ((pv_given(a->pad_value) &&
         pv_parse_exact_number(st, "pad_value", a->pad_value, &s->params.pad_value)) ||
        pv_parse_geometry(st, &geometry, &s->canvas) ||
        pv_parse_word(st, "interpolation", a->interpolation, interpolations, 6, &interpolation) ||
        pv_parse_bool("return_placements", a->return_placements, &s->return_placements))
        return -1;
    if (s->canvas.fit == PIXVIEW_FIT_NONE)
        return 0;
    if (!s->params.pad) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "fit='%s' needs the size=(H, W) of the canvas",
                  pv_fit_name(s->canvas.fit));
        return -1;
    }
    s->geometry = (pixview_geometry){.struct_size = sizeof s->geometry,
                                     .fit = s->canvas.fit,
                                     .align = s->canvas.align,
                                     .no_scaleup = s->canvas.no_scaleup,
                                     .interpolation = (pixview_interpolation)interpolation};
    s->params.geometry = &s->geometry;
    return 0;
}

static int parse_stack(pv_state *st, const stack_arguments *a, settings *s)
{
    s->from = (pv_options){.to = PV_STACK_DEFAULT, .copy = -1};
    if ((a->to && pv_parse_framework("to", a->to, &s->from.to)) ||
        pv_parse_layout(st, "layout", a->layout, &s->layout) ||
        pv_parse_layout(st, "src_layout", a->src_layout, &s->from.src_layout) ||
        pv_parse_stream_option(st, a->stream, &s->from) || parse_values(st, a, s) ||
        parse_canvas(st, a, s) || pv_parts_parse(st, a->rois, a->channels, &s->parts))
        return -1;
    s->dtype_given = pv_given(a->dtype);
    if (s->dtype_given && pv_parse_dtype(st, a->dtype, &s->dtype))
        return -1;
    s->layout_given = s->layout != PIXVIEW_LAYOUT_NONE;
    if (!s->layout_given)
        s->layout = PIXVIEW_LAYOUT_NCHW;
    if (pixview_layout_rank(s->layout) != 4) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "layout='%s' has no N; a batch is 'NCHW' or 'NHWC'",
                  pixview_layout_name(s->layout));
        return -1;
    }
    s->to = s->from;
    s->to.layout = s->layout;
    return 0;
}

// ---- out= -------------------------------------------------------------------------------------

static pv_options out_options(pv_state *st, PyObject *out, const settings *s)
{
    pv_options options = s->from;
    bool own_axes = pv_framework_of(st, out)->flags & PV_OWN_AXES;
    options.src_layout = own_axes && !s->layout_given ? PIXVIEW_LAYOUT_NONE : s->layout;
    options.src_name = "layout";
    return options;
}

static int import_out(pv_state *st, PyObject *out, const settings *s, pv_imported *dst)
{
    const pv_options options = out_options(st, out, s);
    pv_imported_begin(dst, out);
    if (pv_is_video_frame(out)) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "out= is a video frame, and the result is a batch; to_video_frame(batch, out=) "
                  "writes frames");
        return -1;
    }
    if (!pv_import(st, out, &options, dst))
        return pv_check_writable(st, "out", dst);
    pv_errors_prefix(st, "out=");
    return -1;
}

static int check_out_unmoved(pv_state *st, PyObject *out, const settings *s, const pv_imported *dst)
{
    const pv_options options = out_options(st, out, s);
    if (!pv_check_unmoved(st, out, &options, &dst->image))
        return 0;
    pv_errors_prefix(st, "out=");
    return -1;
}

static int check_out_fits(pv_state *st, const pixview_image *out, const pixview_image *wanted)
{
    const int64_t *a = out->shape, *b = wanted->shape;
    if (a[0] != b[0] || a[1] != b[1] || a[2] != b[2] || a[3] != b[3]) {
        pv_raisef(
            st, PIXVIEW_E_LAYOUT,
            "out has N,H,W,C = %lld,%lld,%lld,%lld (read by layout=, default NCHW), but these "
            "images need %lld,%lld,%lld,%lld; pass the layout= of out, or an out of that size",
            (long long)a[0], (long long)a[1], (long long)a[2], (long long)a[3], (long long)b[0],
            (long long)b[1], (long long)b[2], (long long)b[3]);
        return -1;
    }
    if (!pixview_dtype_equal(out->dtype, wanted->dtype)) {
        pv_raisef(st, PIXVIEW_E_DTYPE,
                  "out is %s, but the result is %s; pass dtype='%s' to "
                  "convert",
                  pixview_dtype_name(out->dtype), pixview_dtype_name(wanted->dtype),
                  pixview_dtype_name(out->dtype));
        return -1;
    }
    if (out->flags & PIXVIEW_FLAG_READ_ONLY) {
        pv_raisef(st, PIXVIEW_E_READONLY,
                  "out= is read-only; pass a batch that may be written, such as a copy of it");
        return -1;
    }
    return 0;
}

// ---- the result -------------------------------------------------------------------------------

static int check_target_place(pv_state *st, const settings *s, const pixview_image *image)
{
    bool gpu = pixviewi_on_device(image->device);
    if (s->to.to->flags & (gpu ? PV_ON_GPU : PV_ON_HOST))
        return 0;
    char names[PV_FRAMEWORK_NAMES];
    pv_framework_names(gpu ? PV_ON_GPU : PV_ON_HOST, PV_NO_BATCH, names);
    pv_raisef(st, PIXVIEW_E_DEVICE,
              gpu ? "the images are on a GPU; use one of to=%s, then download the batch with "
                    "as_numpy(batch, copy=True)"
                  : "the images are in host memory; use one of to=%s, then upload the batch with "
                    "as_cupy(batch, copy=True)",
              names);
    return -1;
}

// What is stacked: images, unless it is a batch given whole.
static const pixview_image *stacked(const settings *s, const pv_batch *g, int64_t *count)
{
    *count = s->parts.made ? (int64_t)s->parts.made : (int64_t)g->count;
    return s->parts.made ? s->parts.images : g->images;
}

static const pixviewi_video *videos_of(const settings *s, const pv_batch *g)
{
    return s->parts.made ? s->parts.videos : g->videos;
}

static bool is_whole_batch(const settings *s, const pv_batch *g)
{
    return g->is_batch && !s->parts.made;
}

// stride=: the canvas that is large enough for all.
static int choose_canvas(pv_state *st, settings *s, const pv_batch *g)
{
    int64_t count, h = 1, w = 1;
    const pixview_image *images = stacked(s, g, &count);
    for (int64_t i = 0; s->canvas.stride && i < count; i++) {
        pixview_placement placed;
        if (pixview_placement_fit(images[i].shape[PIXVIEW_AXIS_H], images[i].shape[PIXVIEW_AXIS_W],
                                  &s->canvas, &placed, &st->error)) {
            pv_fail(st);
            pv_errors_prefix_item(st, "images", i);
            return -1;
        }
        h = placed.canvas_h > h ? placed.canvas_h : h;
        w = placed.canvas_w > w ? placed.canvas_w : w;
    }
    if (s->canvas.stride) {
        s->canvas.canvas_h = h;
        s->canvas.canvas_w = w;
    }
    return 0;
}

// What the result is like: the batch, or the first image N times, on its canvas.
static int describe_result(pv_state *st, const settings *s, const pv_batch *g, pv_imported *like)
{
    *like = g->first;
    pixview_image *image = &like->image;
    if (!is_whole_batch(s, g)) {
        int64_t count;
        const pixview_image *first = stacked(s, g, &count);
        image->shape[PIXVIEW_AXIS_N] = count;
        for (int axis = PIXVIEW_AXIS_H; axis <= PIXVIEW_AXIS_C; axis++)
            image->shape[axis] = first->shape[axis];
    }
    image->owner = NULL;
    image->flags = 0;
    if (s->params.pad) {
        image->shape[PIXVIEW_AXIS_H] = s->canvas.canvas_h;
        image->shape[PIXVIEW_AXIS_W] = s->canvas.canvas_w;
    }
    if (s->dtype_given)
        image->dtype = s->dtype;
    else if (s->values.given)
        image->dtype = (pixview_dtype){PIXVIEW_DTYPE_FLOAT, 32, 1};
    int64_t bytes = pixview_dtype_size(image->dtype);
    bool fits = true;
    for (int i = 0; i < 4; i++)
        fits &= !__builtin_mul_overflow(bytes, image->shape[i] > 0 ? image->shape[i] : 1, &bytes);
    if (fits)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT, "%lld images of %lld x %lld pixels do not fit 64 bits of bytes",
              (long long)image->shape[PIXVIEW_AXIS_N], (long long)image->shape[PIXVIEW_AXIS_H],
              (long long)image->shape[PIXVIEW_AXIS_W]);
    return -1;
}

// A batch given whole is checked by its conversion.
static int check_alike(pv_state *st, const settings *s, const pv_batch *g,
                       const pixview_image *like)
{
    int64_t count;
    const pixview_image *images = stacked(s, g, &count);
    if (!s->parts.made && g->like_first + 1 == g->count)
        count = 1;
    return is_whole_batch(s, g) || pixviewi_check_alike(images, count, like, &s->params, "images",
                                                        &st->error) == PIXVIEW_OK
               ? 0
               : pv_fail(st);
}

static bool result_takes_stream(const settings *s, const pv_imported *out)
{
    if (out)
        return out->stream_from_caller || out->from->flags & PV_OURS;
    return s->to.to->flags & PV_NO_STREAM;
}

static int plan_stack(pv_state *st, settings *s, const pv_batch *g, const pixview_image *dst,
                      pixviewi_copy_op *move)
{
    int64_t count;
    const pixview_image *images = stacked(s, g, &count);
    pixview_status status = is_whole_batch(s, g)
                                ? pixviewi_convert_op(images, dst, &s->params, move, &st->error)
                                : pixviewi_stack_op(images, videos_of(s, g), count, dst, &s->params,
                                                    "images", move, &st->error);
    if (status == PIXVIEW_OK)
        return 0;
    if (st->error.code == PIXVIEW_E_INVALID) // a mean or std: a pixview.Error that is a ValueError
        st->error.code = PIXVIEW_E_LAYOUT;
    return pv_fail(st);
}

static int run_stack(pv_state *st, const settings *s, const pixviewi_copy_op *move,
                     const pixview_image *dst)
{
    pixview_error err;
    pixview_status status;
    PyThreadState *gil = pv_gil_release(dst, pixview_image_on_host(dst));
    status = pixviewi_run(move, dst->device, s->params.stream, &err);
    pv_gil_acquire(gil);
    if (status == PIXVIEW_OK)
        return 0;
    pv_raise(st, &err);
    return -1;
}

// Checks all ends and streams together, then queues: nothing is, if anything is wrong. The result is
// used on `consumer`; *relation tells whether that had to wait.
static int order_and_run(pv_state *st, settings *s, pv_batch *g, const pixview_image *dst,
                         pixview_stream consumer, pixviewi_stream_relation *relation)
{
    pixviewi_copy_op move;
    pixview_device device = dst->device;
    bool gpu = pixviewi_on_device(device), given_stream = s->from.has_stream;
    pixview_stream work = dst->stream;
    if (work == PIXVIEW_STREAM_NONE || work == 1)
        work = PIXVIEW_STREAM_LEGACY;
    s->params.stream = work;
    *relation = (pixviewi_stream_relation){.kind = PIXVIEWI_STREAMS_SAME};
    if (plan_stack(st, s, g, dst, &move))
        return -1;
    if (pixview_image_is_empty(dst))
        return 0;
    if (!gpu)
        return run_stack(st, s, &move, dst);
    return pv_batch_relate_streams(st, g, device, work, given_stream) ||
                   pv_stream_relate(st, device, work, consumer, given_stream, relation) ||
                   pv_batch_wait_for_producers(st, g, device, work) ||
                   run_stack(st, s, &move, dst) || pv_batch_producers_wait(st, g, device, work) ||
                   pv_stream_wait(st, device, work, consumer, relation)
               ? -1
               : 0;
}

static PyObject *into_new(pv_state *st, settings *s, pv_batch *g, const pv_imported *like)
{
    pv_allocation made = {.object = NULL};
    pv_plan plan = {.kind = PV_COPY, .layout = s->layout};
    pixviewi_stream_relation relation;
    PyObject *out = NULL;
    if (check_target_place(st, s, &like->image) ||
        (s->to.to->check && s->to.to->check(st, &like->image, &plan)))
        return NULL;
    if (pv_allocate(st, &s->to, like, &plan, &made) == 0 &&
        order_and_run(st, s, g, &made.image, made.consumer.handle, &relation) == 0 &&
        pv_owner_add_consumer(&made.image, &made.consumer, &relation, made.stream_object) == 0) {
        out = pv_allocation_export(st, &s->to, &plan, &made);
    }
    pv_allocation_clear(&made);
    return out;
}

static PyObject *import_and_stack(pv_state *st, settings *s, PyObject *out, pv_batch *g,
                                  pv_imported *dst)
{
    pv_imported like;
    bool early = out && !pv_imports_without_python(st, out);
    if (out) {
        const pv_framework *framework = pv_framework_of(st, out);
        s->from.to = framework->current_stream ? framework : &pv_framework_image;
    }
    if ((!out && pv_framework_need(st, s->to.to)) || (early && import_out(st, out, s, dst)) ||
        pv_batch_import_untrusted(st, g, &s->from) ||
        (early ? check_out_unmoved(st, out, s, dst) : out && import_out(st, out, s, dst)) ||
        pv_batch_import_trusted(st, g, &s->from) ||
        pv_check_stream_applies(&s->from,
                                g->takes_stream || result_takes_stream(s, out ? dst : NULL)) ||
        pv_parts_make(st, &s->parts, g, s->params.geometry != NULL) || choose_canvas(st, s, g) ||
        describe_result(st, s, g, &like) || check_alike(st, s, g, &like.image))
        return NULL;
    if (!out)
        return into_new(st, s, g, &like);
    pixviewi_stream_relation relation;
    if (check_out_fits(st, &dst->image, &like.image) ||
        order_and_run(st, s, g, &dst->image, dst->image.stream, &relation) ||
        pv_count_write(st, dst))
        return NULL;
    return Py_NewRef(out);
}

// ---- return_placements= -----------------------------------------------------------------------

static int64_t list_count(const settings *s, const pv_batch *g)
{
    return is_whole_batch(s, g) ? g->images[0].shape[PIXVIEW_AXIS_N]
           : s->parts.made      ? (int64_t)s->parts.made
                                : (int64_t)g->count;
}

// Of image i; without a canvas, on itself.
static PyObject *placement_of(pv_state *st, const settings *s, const pv_batch *g, int64_t i)
{
    int64_t count;
    const pixview_image *image = stacked(s, g, &count) + (is_whole_batch(s, g) ? 0 : i);
    const int64_t *extents = image->shape;
    const pixview_roi *roi = s->parts.rois ? &s->parts.rois[i] : NULL;
    pixview_placement_params params = s->canvas;
    pixview_placement placed;
    params.stride = 0;
    if (!s->params.pad) {
        params.canvas_h = extents[PIXVIEW_AXIS_H];
        params.canvas_w = extents[PIXVIEW_AXIS_W];
    }
    if (pixview_placement_fit(extents[PIXVIEW_AXIS_H], extents[PIXVIEW_AXIS_W], &params, &placed,
                              &st->error)) {
        pv_fail(st);
        return NULL;
    }
    return pv_placement_tuple(&placed, roi ? roi->y : 0, roi ? roi->x : 0);
}

// A pixview.Placements, made by _placement.py.
static PyObject *make_placements(pv_state *st, const settings *s, const pv_batch *g)
{
    int64_t count = list_count(s, g);
    PyObject *tuples = PyList_New((Py_ssize_t)count), *made = NULL;
    for (int64_t i = 0; tuples && i < count; i++) {
        PyObject *one = placement_of(st, s, g, i);
        if (!one)
            Py_CLEAR(tuples);
        else
            PyList_SET_ITEM(tuples, (Py_ssize_t)i, one);
    }
    PyObject *module = tuples ? PyImport_ImportModule("pixview._placement") : NULL;
    if (module)
        made = PyObject_CallMethod(module, "_from_tuples", "O", tuples);
    Py_XDECREF(module);
    Py_XDECREF(tuples);
    return made;
}

// ---- entry ------------------------------------------------------------------------------------

static PyObject *stack_list(pv_state *st, settings *s, PyObject *out, pv_batch *g, pv_imported *dst)
{
    PyObject *result = import_and_stack(st, s, out, g, dst);
    if (!result || !s->return_placements)
        return result;
    PyObject *placements = make_placements(st, s, g);
    PyObject *both = placements ? PyTuple_Pack(2, result, placements) : NULL;
    Py_XDECREF(placements);
    Py_DECREF(result);
    return both;
}

PV_CALL(stack)
{
    pv_state *st = pv_get_state(module);
    stack_arguments a = {NULL};
    const pv_keyword keywords[] = {{"images", &a.images},
                                   {"out", &a.out},
                                   {"scale", &a.scale},
                                   {"mean", &a.mean},
                                   {"std", &a.std},
                                   {"dtype", &a.dtype},
                                   {"to", &a.to},
                                   {"swap_rb", &a.swap_rb},
                                   {"size", &a.size},
                                   {"pad_value", &a.pad_value},
                                   {"layout", &a.layout},
                                   {"src_layout", &a.src_layout},
                                   {"stream", &a.stream},
                                   {"fit", &a.fit},
                                   {"align", &a.align},
                                   {"scaleup", &a.scaleup},
                                   {"stride", &a.stride},
                                   {"interpolation", &a.interpolation},
                                   {"rois", &a.rois},
                                   {"channels", &a.channels},
                                   {"return_placements", &a.return_placements}};
    settings s;
    s.params = (pixview_convert_params){.scale = 0};
    s.return_placements = false;
    s.parts = (pv_parts){NULL};
    pv_batch g;
    pv_imported dst;
    PyObject *out, *result = NULL;
    if (pv_parse_args("stack", args, nargs, kwnames, 1, keywords, 21) || parse_stack(st, &a, &s))
        goto end;
    pv_imported_begin(&dst, NULL);
    out = pv_given(a.out) ? a.out : NULL;
    if (pv_batch_begin(st, a.images, &g) == 0)
        result = stack_list(st, &s, out, &g, &dst);
    pv_imported_clear(&dst);
    pv_batch_clear(&g);
end:
    pv_parts_clear(&s.parts);
    return result;
}
