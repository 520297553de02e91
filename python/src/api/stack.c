// stack: many images into one batch, with conversion, in one launch.
//
// The order of its steps keeps hostile objects harmless: first all that can run somebody's Python
// (arguments, images and out of unknown types), then what is read in place, then memory, the checks
// of all ends together, and the work.

#include <stdlib.h>
#include <string.h>

#include "convert/batch_import.h"
#include "move.h"

const char pv_stack_doc[] =
    "stack($module, /, images, *, to='torch', layout='NCHW', src_layout=None, dtype=None,\n"
    "      scale=None, mean=None, std=None, swap_rb=False, size=None, pad_value=0, out=None,\n"
    "      stream=None)\n--\n\n"
    "Many images as one batch, converted on the way: one kernel launch on a GPU.\n\n"
    "images: a sequence (or iterator) of images that as_torch takes, mixed as you like; or one "
    "batch\n"
    "   of 4 axes. All of one element type, on one device, and of one size unless size= is given.\n"
    "to: 'torch', 'cupy', 'numpy', 'image', or 'gpumat' for a single image. The result is where "
    "the\n"
    "   images are, on their GPU or in host memory: there is no device=. layout: axes of the\n"
    "   result, 'NCHW' or 'NHWC'. src_layout: axes of every image, by default those usual where "
    "it\n"
    "   comes from.\n"
    "scale, mean, std: the result is (pixel * scale - mean) / std; mean and std are one number, or "
    "one\n"
    "   per channel of the result. swap_rb: channels 0 and 2 change places before that.\n"
    "dtype: of the result: float16, bfloat16, float32, uint8 (rounded, saturated), or the images'\n"
    "   own. None: the images' own, or float32 when scale, mean or std is given.\n"
    "size: (H, W) of the result; smaller images lie top left on a canvas of pad_value, which is "
    "in\n"
    "   units of the images and normalised like a pixel.\n"
    "out: a batch to write into, and then what is returned; `to` is not looked at. layout= names "
    "its\n"
    "   axes (an Image has its own).\n"
    "stream: of GpuMats, raw pointers and Images among the ends; None is the legacy default "
    "stream.\n\n"
    "Errors are raised before anything is queued, out is untouched then: LayoutError (no image, "
    "sizes\n"
    "that differ, mean or std of another length, zero or not finite, overlap), DtypeError, "
    "DeviceError,\n"
    "ReadOnlyError, CudaError, UnsupportedError.";

typedef struct {
    PyObject *images, *to, *layout, *src_layout, *dtype, *scale, *mean, *std, *swap_rb, *size,
        *pad_value, *out, *stream;
} arguments;

typedef struct {
    pv_request from; // of each image
    pv_request to;   // of the result
    pixview_layout layout;
    bool layout_given, dtype_given, values_given;
    pixview_dtype dtype;
    int64_t size[2];
    pixview_convert_params params;
    double mean[PIXVIEWI_MAX_CHANNELS], std[PIXVIEWI_MAX_CHANNELS];
} settings;

static bool given(PyObject *value) { return value && value != Py_None; }

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
    if (!given(value))
        return 0;
    if (is_no_list(value)) {
        pv_raise_python(PyExc_TypeError, "%s=%R is not a number, or a sequence of numbers", what,
                        value);
        return -1;
    }
    PyObject *items = PyFloat_Check(value) || PyLong_Check(value) ? NULL : PySequence_Tuple(value);
    if (!items) {
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_TypeError))
            return -1;
        PyErr_Clear();
        *count = 1;
        return pv_parse_number(st, what, value, false, out);
    }
    Py_ssize_t n = PyTuple_GET_SIZE(items);
    int rc = 0;
    if (n < 1 || n > PIXVIEWI_MAX_CHANNELS) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "%s has %zd entries; give one number, or one for each of 1 to %d channels", what,
                  n, PIXVIEWI_MAX_CHANNELS);
        rc = -1;
    }
    for (Py_ssize_t i = 0; i < n && rc == 0; i++)
        rc = pv_parse_number(st, what, PyTuple_GET_ITEM(items, i), false, &out[i]);
    *count = (int)n;
    Py_DECREF(items);
    return rc;
}

static void spread(double *entries, int count, int channels)
{
    for (int i = 1; i < channels && count == 1; i++)
        entries[i] = entries[0];
}

static int parse_values(pv_state *st, const arguments *a, settings *s)
{
    int means, stds;
    s->params.struct_size = sizeof s->params;
    s->values_given = given(a->scale) || given(a->mean) || given(a->std);
    if ((given(a->scale) && pv_parse_number(st, "scale", a->scale, false, &s->params.scale)) ||
        parse_entries(st, "mean", a->mean, s->mean, &means) ||
        parse_entries(st, "std", a->std, s->std, &stds) ||
        pv_parse_bool("swap_rb", a->swap_rb, &s->params.swap_rb))
        return -1;
    if (given(a->scale) && s->params.scale == 0) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "scale=0 would make all pixels the same; leave it out to keep them");
        return -1;
    }
    if (means > 1 && stds > 1 && means != stds) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "mean has %d entries and std %d", means, stds);
        return -1;
    }
    s->params.channels = means > stds ? means : stds;
    spread(s->mean, means, s->params.channels);
    spread(s->std, stds, s->params.channels);
    s->params.mean = means ? s->mean : NULL;
    s->params.std = stds ? s->std : NULL;
    return 0;
}

static int parse_size(pv_state *st, const arguments *a, settings *s)
{
    int count = 0;
    s->params.pad = given(a->size);
    if (given(a->pad_value) &&
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

static int parse_stream(pv_state *st, PyObject *stream, pv_request *req)
{
    req->has_stream = given(stream);
    req->stream = PIXVIEW_STREAM_LEGACY;
    if (!req->has_stream)
        return 0;
    req->stream_object = PyLong_Check(stream) ? NULL : stream; // an int is the caller's to keep
    return pv_parse_stream(st, stream, &req->stream);
}

static int parse(pv_state *st, const arguments *a, settings *s)
{
    s->from = (pv_request){.to = PV_TORCH, .copy = -1};
    if ((a->to && pv_parse_kind("to", a->to, &s->from.to)) ||
        pv_parse_layout(st, "layout", a->layout, &s->layout) ||
        pv_parse_layout(st, "src_layout", a->src_layout, &s->from.src_layout) ||
        parse_stream(st, a->stream, &s->from) || parse_values(st, a, s) || parse_size(st, a, s))
        return -1;
    s->dtype_given = given(a->dtype);
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

static int import_out(pv_state *st, PyObject *out, const settings *s, pv_source *dst)
{
    pv_request req = s->from;
    pv_kind kind = pv_kind_of(st, out);
    bool own_axes = kind == PV_IMAGE || kind == PV_GPUMAT;
    req.src_layout = own_axes && !s->layout_given ? PIXVIEW_LAYOUT_NONE : s->layout;
    req.src_name = "layout";
    pv_source_begin(dst, out);
    if (!pv_import(st, out, &req, dst))
        return pv_check_dst(st, "out", dst);
    pv_name_argument(st, "out=");
    return -1;
}

static int check_out(pv_state *st, const pixview_image *out, const pixview_image *wanted)
{
    const int64_t *a = out->shape, *b = wanted->shape;
    if (a[0] != b[0] || a[1] != b[1] || a[2] != b[2] || a[3] != b[3]) {
        pv_raisef(
            st, PIXVIEW_E_LAYOUT,
            "out has N,H,W,C = %lld,%lld,%lld,%lld, its axes read as layout= says (NCHW by "
            "default), and these images make %lld,%lld,%lld,%lld; pass layout= as out is laid "
            "out, or an out of that size",
            (long long)a[0], (long long)a[1], (long long)a[2], (long long)a[3], (long long)b[0],
            (long long)b[1], (long long)b[2], (long long)b[3]);
        return -1;
    }
    if (!pixview_dtype_equal(out->dtype, wanted->dtype)) {
        pv_raisef(st, PIXVIEW_E_DTYPE, "out is %s and the result %s; dtype='%s' converts",
                  pixview_dtype_name(out->dtype), pixview_dtype_name(wanted->dtype),
                  pixview_dtype_name(out->dtype));
        return -1;
    }
    if (out->flags & PIXVIEW_FLAG_READ_ONLY) {
        pv_raisef(
            st, PIXVIEW_E_READONLY,
            "out= is read-only memory; give a batch that may be written, such as a copy of it");
        return -1;
    }
    return 0;
}

// ---- the result -------------------------------------------------------------------------------

static int check_place(pv_state *st, const settings *s, const pixview_image *image)
{
    bool gpu = pixviewi_on_device(image->device);
    pv_kind to = s->to.to;
    if (to == PV_TORCH || to == PV_IMAGE || (to == PV_NUMPY) != gpu)
        return 0;
    pv_raisef(st, PIXVIEW_E_DEVICE,
              gpu ? "the images are in device memory; to='torch', 'cupy' or 'image' makes a batch "
                    "there, which as_numpy(batch, copy=True) downloads"
                  : "the images are in host memory; to='torch', 'numpy' or 'image' makes a batch "
                    "there, and as_cupy(batch, copy=True) uploads it");
    return -1;
}

// What the result is like: the batch, or the first image N times, on its canvas.
static int describe(pv_state *st, const settings *s, const pv_gather *g, pv_source *like)
{
    *like = g->first;
    pixview_image *image = &like->image;
    image->owner = NULL;
    image->flags = 0;
    if (!g->whole)
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

static int check_stream(pv_state *st, const settings *s, const pv_gather *g, const pv_source *out)
{
    (void)st;
    bool result = s->to.to == PV_GPUMAT || s->to.to == PV_IMAGE;
    if (out)
        result = out->foreign_stream || out->kind == PV_IMAGE;
    if (!s->from.has_stream || g->takes_stream || result)
        return 0;
    PyErr_SetString(PyExc_ValueError,
                    "stream= speaks of GpuMats and Images, and none of the ends is one");
    return -1;
}

static int check_all(pv_state *st, settings *s, const pv_gather *g, const pixview_image *dst,
                     pixviewi_move *move)
{
    pixview_error err;
    pixview_status status = g->whole ? pixviewi_plan_convert(g->images, dst, &s->params, move, &err)
                                     : pixviewi_plan_batch_copy(g->images, (int64_t)g->count, dst,
                                                                &s->params, "images", move, &err);
    if (status == PIXVIEW_OK)
        return 0;
    if (err.code == PIXVIEW_E_INVALID) // a mean or std: a pixview.Error that is a ValueError
        err.code = PIXVIEW_E_LAYOUT;
    pv_raise(st, &err);
    return -1;
}

static int launch(pv_state *st, const settings *s, const pixviewi_move *move,
                  const pixview_image *dst)
{
    pixview_error err;
    pixview_status status;
    PyThreadState *gil = pv_let_go(dst, pixview_image_on_host(dst));
    status = pixviewi_move_run(move, dst->device, s->params.stream, &err);
    pv_take_back(gil);
    if (status == PIXVIEW_OK)
        return 0;
    pv_raise(st, &err);
    return -1;
}

// Checks all ends and streams together, then queues: nothing is, if anything is wrong. The result is
// used on `consumer`; *joint tells whether that had to wait.
static int run(pv_state *st, settings *s, pv_gather *g, const pixview_image *dst,
               pixview_stream consumer, pixviewi_joint *joint)
{
    pixviewi_move move;
    pixview_device device = dst->device;
    bool gpu = pixviewi_on_device(device), given_stream = s->from.has_stream;
    pixview_stream work = dst->stream;
    if (work == PIXVIEW_STREAM_NONE || work == 1)
        work = PIXVIEW_STREAM_LEGACY;
    s->params.stream = work;
    *joint = (pixviewi_joint){.join = PIXVIEWI_JOIN_NOTHING};
    if (check_all(st, s, g, dst, &move))
        return -1;
    if (pixview_image_is_empty(dst))
        return 0;
    if (!gpu)
        return launch(st, s, &move, dst);
    return pv_gather_ask(st, g, device, work, given_stream) ||
                   pv_ask(st, device, work, consumer, given_stream, joint) ||
                   pv_gather_order(st, g, device, work) || launch(st, s, &move, dst) ||
                   pv_gather_order_back(st, g, device, work) ||
                   pv_wait(st, device, work, consumer, joint)
               ? -1
               : 0;
}

static PyObject *into_new(pv_state *st, settings *s, pv_gather *g, const pv_source *like)
{
    pv_result result = {0};
    pixviewi_joint joint;
    PyObject *out = NULL;
    if (check_place(st, s, &like->image) ||
        (s->to.to == PV_GPUMAT && pv_gpumat_accepts(st, &like->image)))
        return NULL;
    if (pv_allocate(st, &s->to, like, s->layout, &result) == 0 &&
        run(st, s, g, &result.image, result.consumer, &joint) == 0 &&
        pv_note_use(&result.image, result.consumer, &joint, result.stream_object,
                    result.consumer_object) == 0) {
        out = pv_result_finish(st, &s->to, s->layout, &result);
        if (s->to.to == PV_IMAGE)
            pv_image_with_stream(out, result.stream_object);
    }
    pv_result_clear(&result);
    return out;
}

// ---- entry ------------------------------------------------------------------------------------

static PyObject *stack(pv_state *st, settings *s, PyObject *out, pv_gather *g, pv_source *dst)
{
    pv_source like;
    bool early = out && !pv_reads_quietly(st, out);
    if (out) {
        pv_kind kind = pv_kind_of(st, out);
        s->from.to = kind == PV_TORCH || kind == PV_CUPY ? kind : PV_IMAGE;
    }
    if ((!out && pv_need(st, s->to.to)) || (early && import_out(st, out, s, dst)) ||
        pv_gather_strangers(st, g, &s->from) || (out && !early && import_out(st, out, s, dst)) ||
        pv_gather_rest(st, g, &s->from, s->params.pad) ||
        check_stream(st, s, g, out ? dst : NULL) || describe(st, s, g, &like))
        return NULL;
    if (!out)
        return into_new(st, s, g, &like);
    pixviewi_joint joint;
    if (check_out(st, &dst->image, &like.image) ||
        run(st, s, g, &dst->image, dst->image.stream, &joint))
        return NULL;
    return Py_NewRef(out);
}

PyObject *pv_stack(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    pv_state *st = pv_get_state(module);
    arguments a = {NULL};
    const pv_keyword keywords[] = {{"images", &a.images}, {"out", &a.out},
                                   {"scale", &a.scale},   {"mean", &a.mean},
                                   {"std", &a.std},       {"dtype", &a.dtype},
                                   {"to", &a.to},         {"swap_rb", &a.swap_rb},
                                   {"size", &a.size},     {"pad_value", &a.pad_value},
                                   {"layout", &a.layout}, {"src_layout", &a.src_layout},
                                   {"stream", &a.stream}};
    settings s;
    s.params = (pixview_convert_params){.scale = 0};
    if (pv_parse_args("stack", args, nargs, kwnames, 1, keywords, 13) || parse(st, &a, &s))
        return NULL;
    pv_gather g;
    pv_source dst;
    pv_source_begin(&dst, NULL);
    PyObject *out = given(a.out) ? a.out : NULL, *result = NULL;
    if (pv_gather_start(st, a.images, &g) == 0)
        result = stack(st, &s, out, &g, &dst);
    pv_source_clear(&dst);
    pv_gather_clear(&g);
    return result;
}
