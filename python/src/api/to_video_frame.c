// SPDX-License-Identifier: Apache-2.0
// to_video_frame: images of R, G and B as video frames, as encoders take them.

#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/values.h"
#include "api/video_words.h"
#include "base/args.h"
#include "base/errors.h"
#include "convert/align.h"
#include "convert/allocate.h"
#include "convert/import.h"
#include "convert/plan.h"
#include "convert/video.h"
#include "cuda/stream.h"
#include "frameworks/imported.h"
#include "frameworks/stream_argument.h"

enum { N = PIXVIEW_AXIS_N, H = PIXVIEW_AXIS_H, W = PIXVIEW_AXIS_W, C = PIXVIEW_AXIS_C };

typedef struct writing_arguments {
    PyObject *images, *scale, *mean, *std, *src_layout, *siting, *stream, *out;
    pv_video_words words;
} writing_arguments;

typedef struct settings {
    pv_options options;
    pixview_video_params params;
    pixview_video_siting siting;
    pv_values values;
    pixview_convert_params convert;
    PyObject *out; // owned tuple of VideoFrames; NULL: new ones
} settings;

// ---- arguments --------------------------------------------------------------------------------

// scale, mean and std made what is given: out = (in * scale - mean) / std. This is the way back.
static void invert(settings *s)
{
    pixview_convert_params *p = &s->convert;
    double scale = p->scale != 0 ? p->scale : 1;
    int count = p->channels ? p->channels : 1;
    for (int i = 0; i < count; i++) {
        double mean = p->mean ? p->mean[i] : 0, std = p->std ? p->std[i] : 1;
        s->values.mean[i] = -mean / std;
        s->values.std[i] = scale / std;
    }
    p->channels = count;
    p->scale = 0;
    p->mean = s->values.mean;
    p->std = s->values.std;
    for (int i = 1; i < 3 && count == 1; i++) {
        s->values.mean[i] = s->values.mean[0];
        s->values.std[i] = s->values.std[0];
    }
    p->channels = count == 1 ? 3 : count;
}

static int parse_out(PyObject *value, settings *s)
{
    if (!pv_given(value))
        return 0;
    s->out = PyTuple_Check(value) || PyList_Check(value) ? PySequence_Tuple(value)
                                                         : PyTuple_Pack(1, value);
    for (Py_ssize_t i = 0; s->out && i < PyTuple_GET_SIZE(s->out); i++) {
        if (pv_is_video_frame(PyTuple_GET_ITEM(s->out, i)))
            continue;
        PyErr_Format(PyExc_TypeError, "out= is not a VideoFrame or a list of them, but has a %s",
                     Py_TYPE(PyTuple_GET_ITEM(s->out, i))->tp_name);
        return -1;
    }
    return s->out ? 0 : -1;
}

// A zero that would divide: pixview_convert refuses it as an infinite std otherwise, in other words.
static int check_std(pv_state *st, const settings *s)
{
    for (int i = 0; s->convert.std && i < s->convert.channels; i++) {
        if (s->convert.std[i] != 0)
            continue;
        pv_raisef(st, PIXVIEW_E_LAYOUT, "std[%d]=0 cannot have made the image", i);
        return -1;
    }
    return 0;
}

static int parse_writing(pv_state *st, const writing_arguments *a, settings *s)
{
    static const char *const sitings[] = {"left", "center", "top-left"};
    int siting = 0;
    if (pv_parse_video_words(st, &a->words, &s->params) ||
        pv_parse_word(st, "siting", a->siting, sitings, 3, &siting) ||
        pv_parse_layout(st, "src_layout", a->src_layout, &s->options.src_layout) ||
        pv_parse_values(st, a->scale, a->mean, a->std, &s->values, &s->convert) ||
        check_std(st, s) || pv_parse_stream_option(st, a->stream, &s->options) ||
        parse_out(a->out, s))
        return -1;
    s->siting = (pixview_video_siting)siting;
    if (s->params.format == PIXVIEW_VIDEO_FORMAT_NONE)
        s->params.format = PIXVIEW_VIDEO_FORMAT_NV12;
    if (s->values.given)
        invert(s);
    return 0;
}

// The words describe new frames; frames that exist have their own.
static int check_words(pv_state *st, const writing_arguments *a, const settings *s)
{
    bool gray = pixviewi_video_find(s->params.format)->planes == PIXVIEWI_VIDEO_GRAY;
    if (s->out && (pv_given(a->words.format) || pv_given(a->words.matrix) ||
                   pv_given(a->words.range) || pv_given(a->words.order))) {
        PyErr_SetString(
            PyExc_TypeError,
            "format=, matrix=, range= and order= describe new frames; out= has its own");
        return -1;
    }
    if (!s->out && s->params.matrix == PIXVIEW_VIDEO_MATRIX_NONE && !gray) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "matrix=None: pass the one that the encoder is told, 'bt709' (HD), 'bt601' (SD), "
                  "'bt2020', 'smpte240m' or 'opencv'");
        return -1;
    }
    if (!s->out && s->params.range == PIXVIEW_VIDEO_RANGE_NONE) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "range=None: pass the one that the encoder is told, 'limited' (most video) or "
                  "'full'");
        return -1;
    }
    return 0;
}

// ---- the source -------------------------------------------------------------------------------

static int import_source(pv_state *st, PyObject *images, const settings *s, pv_imported *in)
{
    if (pv_import(st, images, &s->options, in) || pv_align_source(st, in, &s->options))
        return -1;
    in->image.stream = pv_producer_stream(in, &s->options);
    if (in->video) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the image is a video frame already; copy=True of "
                  "video_frame copies one");
        return -1;
    }
    if (in->image.shape[C] == 3 && in->image.shape[N] >= 1)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              "the image has N = %lld, C = %lld, but a video frame is made of 3 channels; name the "
              "axes with src_layout=, or take the first three channels",
              (long long)in->image.shape[N], (long long)in->image.shape[C]);
    return -1;
}

// ---- the frames -------------------------------------------------------------------------------

typedef struct result {
    int64_t count;
    pixview_video_frame *frames;
    pv_allocation *made; // beside them; NULL: they exist
} result;

static void end(result *r)
{
    for (int64_t i = 0; r->made && i < r->count; i++)
        pv_allocation_clear(&r->made[i]);
    free(r->made);
    free(r->frames);
}

static int begin(result *r, bool new)
{
    r->frames = calloc((size_t)r->count, sizeof *r->frames);
    if (new)
        r->made = calloc((size_t)r->count, sizeof *r->made);
    if (r->frames && (r->made || !new))
        return 0;
    PyErr_Format(PyExc_MemoryError, "no memory for a list of %lld frames", (long long)r->count);
    return -1;
}

static int write_frames(pv_state *st, const settings *s, const pv_imported *in, const result *r,
                        pixview_stream consumer, pixviewi_stream_relation *relation)
{
    const pv_video_writing writing = {.src = &in->image,
                                      .frames = r->frames,
                                      .count = r->count,
                                      .params = &s->convert,
                                      .siting = s->siting};
    return pv_video_write(st, &writing, consumer, s->options.has_stream, relation);
}

static PyObject *write_new(pv_state *st, const settings *s, const pv_imported *in, result *r)
{
    pixview_video_params params = s->params;
    pixviewi_stream_relation relation;
    params.height = in->image.shape[H];
    params.width = in->image.shape[W];
    for (int64_t i = 0; i < r->count; i++)
        if (pv_video_allocate(st, &params, in, &s->options, &r->made[i], &r->frames[i]))
            return NULL;
    if (write_frames(st, s, in, r, r->made[0].consumer.handle, &relation))
        return NULL;
    PyObject *list = PyList_New((Py_ssize_t)r->count);
    for (int64_t i = 0; list && i < r->count; i++) {
        PyObject *frame = NULL;
        if (pv_owner_add_consumer(&r->made[i].image, &r->made[i].consumer, &relation,
                                  r->made[i].stream_object) == 0)
            frame = pv_video_export(st, &r->made[i], &r->frames[i]);
        if (!frame)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, (Py_ssize_t)i, frame);
    }
    return list;
}

static PyObject *write_out(pv_state *st, const settings *s, const pv_imported *in, result *r)
{
    for (int64_t i = 0; i < r->count; i++)
        r->frames[i] = ((pv_video_frame *)PyTuple_GET_ITEM(s->out, i))->frame;
    int rc = write_frames(st, s, in, r, r->frames[0].planes[0].stream, NULL);
    for (int64_t i = 0; i < r->count && rc == 0; i++)
        rc = pv_video_count_write(st, PyTuple_GET_ITEM(s->out, i));
    PyObject *list = rc ? NULL : PyList_New((Py_ssize_t)r->count);
    for (int64_t i = 0; list && i < r->count; i++)
        PyList_SET_ITEM(list, (Py_ssize_t)i, Py_NewRef(PyTuple_GET_ITEM(s->out, i)));
    return list;
}

static PyObject *make_frames(pv_state *st, const writing_arguments *a, const settings *s,
                             const pv_imported *in)
{
    result r = {.count = in->image.shape[N]};
    PyObject *list = NULL;
    if (s->out && PyTuple_GET_SIZE(s->out) != r.count)
        return pv_raisef(st, PIXVIEW_E_LAYOUT, "out has %zd frames, but there are %lld images",
                         PyTuple_GET_SIZE(s->out), (long long)r.count);
    if (begin(&r, !s->out) == 0)
        list = s->out ? write_out(st, s, in, &r) : write_new(st, s, in, &r);
    end(&r);
    if (!list)
        return NULL;
    if (s->out && !PyTuple_Check(a->out) && !PyList_Check(a->out))
        Py_SETREF(list, Py_NewRef(a->out));
    else if (!s->out && pixview_layout_rank(in->layout) < 4)
        Py_SETREF(list, Py_NewRef(PyList_GET_ITEM(list, 0)));
    return list;
}

// ---- entry ------------------------------------------------------------------------------------

PV_CALL(to_video_frame)
{
    pv_state *st = pv_get_state(module);
    writing_arguments a = {NULL};
    const pv_keyword keywords[] = {
        {"images", &a.images},         {"format", &a.words.format}, {"matrix", &a.words.matrix},
        {"range", &a.words.range},     {"order", &a.words.order},   {"siting", &a.siting},
        {"scale", &a.scale},           {"mean", &a.mean},           {"std", &a.std},
        {"src_layout", &a.src_layout}, {"stream", &a.stream},       {"out", &a.out}};
    settings s = {.options = {.to = &pv_framework_image, .copy = -1}};
    pv_imported in;
    PyObject *made = NULL;
    if (pv_parse_args("to_video_frame", args, nargs, kwnames, 1, keywords, 12))
        return NULL;
    pv_imported_begin(&in, a.images);
    if (parse_writing(st, &a, &s) == 0 && check_words(st, &a, &s) == 0 &&
        import_source(st, a.images, &s, &in) == 0)
        made = make_frames(st, &a, &s, &in);
    pv_imported_clear(&in);
    Py_XDECREF(s.out);
    return made;
}
