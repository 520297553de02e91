// stack: many images into one batch, with conversion, in one launch.
//
// The order of its steps keeps hostile objects harmless: first all that can run somebody's Python
// (arguments, images and out of unknown types), then what is read in place, then memory, the checks
// of all ends together, and the work.

#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "base/pyref.h"
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
        *pad_value, *out, *stream;
} stack_arguments;

typedef struct settings {
    pv_options from; // of each image
    pv_options to;   // of the result
    pixview_layout layout;
    bool layout_given, dtype_given, values_given;
    pixview_dtype dtype;
    int64_t size[2];
    pixview_convert_params params;
    double mean[PIXVIEWI_MAX_CHANNELS], std[PIXVIEWI_MAX_CHANNELS];
} settings;

// ---- arguments --------------------------------------------------------------------------------

// What can be iterated over, but is no list of numbers in the order of the channels.
static bool is_no_list(PyObject *value)
{
    return PyAnySet_Check(value) || PyDict_Check(value) || PyBytes_Check(value) ||
           PyByteArray_Check(value);
}

// One number or a sequence of them, into out[0 .. *count - 1]. 0 entries: not given.
static int parse_entries(pv_state *st, const char *what, PyObject *value, double *out, int *count)
{
    *count = 0;
    if (!pv_given(value))
        return 0;
    if (is_no_list(value)) {
        pv_raise_python(PyExc_TypeError, "%s=%R is not a number, or a sequence of numbers", what,
                        value);
        return -1;
    }
    Py_ssize_t n = 0;
    bool number = PyFloat_Check(value) || PyLong_Check(value);
    PyObject *items = number ? NULL : pv_first_entries(value, PIXVIEWI_MAX_CHANNELS, &n);
    if (!items) {
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_TypeError))
            return -1;
        PyErr_Clear();
        *count = 1;
        return pv_parse_number(st, what, value, false, out);
    }
    int rc = 0;
    if (n < 1 || n > PIXVIEWI_MAX_CHANNELS) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "%s has %zd entries; pass one number, or one for each channel, at most %d", what,
                  n, PIXVIEWI_MAX_CHANNELS);
        rc = -1;
    }
    for (Py_ssize_t i = 0; i < n && rc == 0; i++)
        rc = pv_parse_number(st, what, PyTuple_GET_ITEM(items, i), false, &out[i]);
    *count = (int)n;
    Py_DECREF(items);
    return rc;
}

static void repeat_first(double *entries, int count, int channels)
{
    for (int i = 1; i < channels && count == 1; i++)
        entries[i] = entries[0];
}

static int parse_values(pv_state *st, const stack_arguments *a, settings *s)
{
    int means, stds;
    s->params.struct_size = sizeof s->params;
    s->values_given = pv_given(a->scale) || pv_given(a->mean) || pv_given(a->std);
    if ((pv_given(a->scale) && pv_parse_number(st, "scale", a->scale, false, &s->params.scale)) ||
        parse_entries(st, "mean", a->mean, s->mean, &means) ||
        parse_entries(st, "std", a->std, s->std, &stds) ||
        pv_parse_bool("swap_rb", a->swap_rb, &s->params.swap_rb))
        return -1;
    if (pv_given(a->scale) && s->params.scale == 0) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "scale=0 would make all pixels equal; omit scale to keep their values");
        return -1;
    }
    if (means > 1 && stds > 1 && means != stds) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "mean has %d entries, but std has %d; both need one for "
                  "each channel",
                  means, stds);
        return -1;
    }
    s->params.channels = means > stds ? means : stds;
    repeat_first(s->mean, means, s->params.channels);
    repeat_first(s->std, stds, s->params.channels);
    s->params.mean = means ? s->mean : NULL;
    s->params.std = stds ? s->std : NULL;
    return 0;
}

static int parse_size(pv_state *st, const stack_arguments *a, settings *s)
{
    int count = 0;
    s->params.pad = pv_given(a->size);
    if (pv_given(a->pad_value) &&
        pv_parse_number(st, "pad_value", a->pad_value, true, &s->params.pad_value))
        return -1;
    int64_t size[4];
    if (!s->params.pad)
        return 0;
    if (!PySequence_Check(a->size)) {
        pv_raise_python(PyExc_TypeError, "size=%R is not (H, W), two integers", a->size);
        return -1;
    }
    if (pv_parse_dims_argument(st, "size", a->size, 4, &count, size))
        return -1;
    memcpy(s->size, size, sizeof s->size);
    if (count == 2 && size[0] >= 0 && size[1] >= 0)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT, "size=%R is not (H, W), two integers of 0 or more", a->size);
    return -1;
}

static int parse_stack(pv_state *st, const stack_arguments *a, settings *s)
{
    s->from = (pv_options){.to = PV_STACK_DEFAULT, .copy = -1};
    if ((a->to && pv_parse_framework("to", a->to, &s->from.to)) ||
        pv_parse_layout(st, "layout", a->layout, &s->layout) ||
        pv_parse_layout(st, "src_layout", a->src_layout, &s->from.src_layout) ||
        pv_parse_stream_option(st, a->stream, &s->from) || parse_values(st, a, s) ||
        parse_size(st, a, s))
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

static int import_out(pv_state *st, PyObject *out, const settings *s, pv_imported *dst)
{
    pv_options options = s->from;
    bool own_axes = pv_framework_of(st, out)->flags & PV_OWN_AXES;
    options.src_layout = own_axes && !s->layout_given ? PIXVIEW_LAYOUT_NONE : s->layout;
    options.src_name = "layout";
    pv_imported_begin(dst, out);
    if (!pv_import(st, out, &options, dst))
        return pv_check_writable(st, "out", dst);
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

// What the result is like: the batch, or the first image N times, on its canvas.
static int describe_result(pv_state *st, const settings *s, const pv_batch *g, pv_imported *like)
{
    *like = g->first;
    pixview_image *image = &like->image;
    image->owner = NULL;
    image->flags = 0;
    if (!g->is_batch)
        image->shape[PIXVIEW_AXIS_N] = (int64_t)g->count;
    if (s->params.pad) {
        image->shape[PIXVIEW_AXIS_H] = s->size[0];
        image->shape[PIXVIEW_AXIS_W] = s->size[1];
    }
    if (s->dtype_given)
        image->dtype = s->dtype;
    else if (s->values_given)
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
    int64_t count = g->like_first + 1 == g->count ? 1 : (int64_t)g->count;
    return g->is_batch || pixviewi_check_alike(g->images, count, like, s->params.pad, "images",
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
    pixview_status status = g->is_batch
                                ? pixviewi_convert_op(g->images, dst, &s->params, move, &st->error)
                                : pixviewi_stack_op(g->images, (int64_t)g->count, dst, &s->params,
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

// ---- entry ------------------------------------------------------------------------------------

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
        (out && !early && import_out(st, out, s, dst)) ||
        pv_batch_import_trusted(st, g, &s->from) ||
        pv_check_stream_applies(&s->from,
                                g->takes_stream || result_takes_stream(s, out ? dst : NULL)) ||
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

PV_CALL(stack)
{
    pv_state *st = pv_get_state(module);
    stack_arguments a = {NULL};
    const pv_keyword keywords[] = {{"images", &a.images}, {"out", &a.out},
                                   {"scale", &a.scale},   {"mean", &a.mean},
                                   {"std", &a.std},       {"dtype", &a.dtype},
                                   {"to", &a.to},         {"swap_rb", &a.swap_rb},
                                   {"size", &a.size},     {"pad_value", &a.pad_value},
                                   {"layout", &a.layout}, {"src_layout", &a.src_layout},
                                   {"stream", &a.stream}};
    settings s;
    s.params = (pixview_convert_params){.scale = 0};
    if (pv_parse_args("stack", args, nargs, kwnames, 1, keywords, 13) || parse_stack(st, &a, &s))
        return NULL;
    pv_batch g;
    pv_imported dst;
    pv_imported_begin(&dst, NULL);
    PyObject *out = pv_given(a.out) ? a.out : NULL, *result = NULL;
    if (pv_batch_begin(st, a.images, &g) == 0)
        result = import_and_stack(st, &s, out, &g, &dst);
    pv_imported_clear(&dst);
    pv_batch_clear(&g);
    return result;
}
