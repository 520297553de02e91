// The one path: import adapter -> descriptor -> plan -> (view | one copy) -> export adapter.

#include <string.h>

#include "convert/convert.h"

static const char *call_name(pv_kind kind)
{
    static const char *const names[] = {"as_torch", "as_cupy", "as_numpy", "as_gpumat", "view", ""};
    return names[kind];
}

// The result has the source's rank, in the order that is usual on its side.
static PIXVIEWI_INLINE pixview_layout result_layout(const pv_source *src, const pv_request *req)
{
    if (req->layout != PIXVIEW_LAYOUT_NONE)
        return req->layout;
    if (req->to == PV_IMAGE)
        return src->layout;
    static const pixview_layout by_rank[][2] = {{PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_HW},
                                                {PIXVIEW_LAYOUT_HWC, PIXVIEW_LAYOUT_CHW},
                                                {PIXVIEW_LAYOUT_NHWC, PIXVIEW_LAYOUT_NCHW}};
    return by_rank[pixviewi_rank(src->layout) - 2][req->to == PV_TORCH];
}

static bool on_device_only(pv_kind kind) { return kind == PV_CUPY || kind == PV_GPUMAT; }
static bool alias_writes(pv_kind kind) { return kind == PV_TORCH || on_device_only(kind); }

// 0 if both ends are in the same kind of memory, or the caller asked for the move.
static PIXVIEWI_INLINE int check_device(pv_state *st, const pv_source *src, const pv_request *req,
                                        bool *moves)
{
    bool host = pixview_image_on_host(&src->image);
    *moves = host ? on_device_only(req->to) : req->to == PV_NUMPY;
    if (PIXVIEWI_LIKELY(!*moves || req->copy == 1))
        return 0;
    const char *call = call_name(req->to);
    if (req->copy == 0) {
        pv_raisef(st, PIXVIEW_E_DEVICE,
                  "the source is in %s memory, so there is no view, which copy=False asks for; "
                  "%s(x, copy=True) %s it",
                  host ? "host" : "device", call, host ? "uploads" : "downloads");
    } else {
        pv_raisef(st, PIXVIEW_E_DEVICE, "the source is in %s memory: %s(x, copy=True) %s it",
                  host ? "host" : "device", call, host ? "uploads" : "downloads");
    }
    return -1;
}

static pixview_status refuse_torch(const pixview_image *image, pixview_error *err)
{
    const int64_t *s = image->strides;
    int64_t wrong = INT64_MIN | (pixviewi_itemsize(image) - 1); // sign, parts of an element
    if (PIXVIEWI_LIKELY(((s[0] | s[1] | s[2] | s[3]) & wrong) == 0))
        return PIXVIEW_OK;
    int i = 0;
    while ((s[i] & wrong) == 0)
        i++;
    return pixviewi_fail(
        err, PIXVIEW_E_LAYOUT,
        "a stride of %lld bytes: torch has only strides of 0 or more whole elements; NumPy, "
        "CuPy and pixview.view take any",
        (long long)s[i]);
}

// Why `image` cannot be seen as asked; PIXVIEW_OK when it can.
static PIXVIEWI_INLINE pixview_status refuse_view(const pv_source *src, const pv_request *req,
                                                  pixview_layout layout, pixview_error *err)
{
    if (PIXVIEWI_UNLIKELY(src->must_copy))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "%s", src->why);
    if (PIXVIEWI_UNLIKELY(src->image.flags & PIXVIEW_FLAG_READ_ONLY) && alias_writes(req->to) &&
        !req->allow_readonly) {
        return pixviewi_fail(
            err, PIXVIEW_E_READONLY,
            "the source is read-only and the result would be writable; copy=True copies, "
            "allow_readonly=True aliases it all the same");
    }
    if (PIXVIEWI_UNLIKELY(req->contiguous) && !pixview_image_is_packed(&src->image, layout)) {
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "contiguous=True, and the source is not dense as %s",
                             pixview_layout_name(layout));
    }
    if (req->to == PV_GPUMAT)
        return pixview_image_check_interleaved(&src->image, err);
    if (req->to == PV_TORCH)
        return refuse_torch(&src->image, err);
    return PIXVIEW_OK;
}

// What no copy could cure either.
static PIXVIEWI_INLINE int check_describable(pv_state *st, const pv_source *src,
                                             const pv_request *req, pixview_layout layout)
{
    int ndim;
    int64_t shape[4], strides[4];
    pixview_error err;
    if (req->to == PV_GPUMAT)
        return pv_gpumat_accepts(st, &src->image);
    bool arrays = req->to == PV_NUMPY || req->to == PV_CUPY;
    if (PIXVIEWI_UNLIKELY(arrays && src->image.dtype.code == PIXVIEW_DTYPE_BFLOAT) &&
        !pv_numpy_dtype(st, src->image.dtype)) {
        return -1;
    }
    // No axis is dropped: HW is part of CHW and HWC, and they of NCHW and NHWC.
    if (PIXVIEWI_LIKELY(pixviewi_rank(layout) >= pixviewi_rank(src->layout)))
        return 0;
    if (!pixview_image_axes(&src->image, layout, &ndim, shape, strides, &err))
        return 0;
    pv_raise(st, &err);
    return -1;
}

static PIXVIEWI_INLINE int check_stream(const pv_source *src, const pv_request *req)
{
    if (PIXVIEWI_LIKELY(!req->has_stream || src->foreign_stream || req->to == PV_GPUMAT ||
                        req->to == PV_IMAGE)) {
        return 0;
    }
    PyErr_SetString(PyExc_ValueError,
                    "stream= speaks of a GpuMat or Image end, and neither end is one");
    return -1;
}

static void refuse_copy(pv_state *st, const pixview_error *why)
{
    bool told = why->code == PIXVIEW_E_READONLY; // it names copy=True
    pv_raisef(st, why->code, "%s%s", why->message,
              told ? "" : "; copy=False forbids a copy, copy=None makes one");
}

static PIXVIEWI_INLINE int make_plan(pv_state *st, const pv_source *src, const pv_request *req,
                                     pv_plan *plan)
{
    bool moves;
    // To put the reason into words takes longer than to find it: only where somebody reads it.
    pixview_error *why = req->planning || req->copy == 0 ? &plan->why : NULL;
    plan->layout = result_layout(src, req);
    plan->why.message[0] = '\0';
    if (check_stream(src, req) || check_describable(st, src, req, plan->layout) ||
        check_device(st, src, req, &moves)) {
        return -1;
    }
    if (PIXVIEWI_UNLIKELY(req->copy == 1)) {
        plan->kind = PV_COPY;
        pixviewi_fail(why, PIXVIEW_OK, moves ? "between host and device" : "copy=True");
        return 0;
    }
    if (PIXVIEWI_UNLIKELY(src->copied && req->copy == 0)) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the producer's __dlpack__ gave a copy, which copy=False forbids");
        return -1;
    }
    if (refuse_view(src, req, plan->layout, why)) {
        plan->kind = PV_COPY;
        if (req->copy != 0)
            return 0;
        refuse_copy(st, why);
        return -1;
    }
    plan->kind = PV_VIEW;
    if (PIXVIEWI_UNLIKELY(src->kind == req->to) && plan->layout == src->layout &&
        (req->to != PV_IMAGE || !req->has_stream)) { // else another Image, ordered for that stream
        plan->kind = PV_SELF;
    }
    return 0;
}

PIXVIEWI_HOT int pv_make_plan(pv_state *st, const pv_source *src, const pv_request *req,
                              pv_plan *plan)
{
    return make_plan(st, src, req, plan);
}

int pv_ask(pv_state *st, pixview_device device, pixview_stream producer, pixview_stream consumer,
           bool given, pixviewi_joint *joint)
{
    *joint = (pixviewi_joint){.join = PIXVIEWI_JOIN_NOTHING};
    if (PIXVIEWI_LIKELY(producer == consumer))
        return 0;
    pixview_error err;
    if (!pixviewi_cuda_ask(device.id, producer, consumer, joint, &err))
        return pv_check_join(st, joint, given, producer, consumer);
    pv_raise(st, &err);
    return -1;
}

int pv_wait(pv_state *st, pixview_device device, pixview_stream producer, pixview_stream consumer,
            const pixviewi_joint *joint)
{
    pixview_error err;
    if (PIXVIEWI_LIKELY(joint->join != PIXVIEWI_JOIN_YES) ||
        !pixviewi_cuda_wait(device.id, producer, consumer, &err)) {
        return 0;
    }
    pv_raise(st, &err);
    return -1;
}

static PIXVIEWI_INLINE int prepare_view(pv_state *st, pv_source *src, const pv_request *req)
{
    bool host = pixview_image_on_host(&src->image);
    pixview_stream home = src->stream_unkept ? PIXVIEW_STREAM_LEGACY : src->image.stream;
    if (!host && !pv_keeps_stream(src, req) && pv_order_view(st, src, req))
        return -1;
    if (pv_source_hold(st, src))
        return -1;
    if (PIXVIEWI_UNLIKELY(home != PIXVIEW_STREAM_LEGACY) && !host && src->kind != PV_IMAGE &&
        src->image.owner && pv_set_home(src->image.owner, home, src->stream_object)) {
        return -1;
    }
    return 0;
}

int pv_prepare_view(pv_state *st, pv_source *src, const pv_request *req)
{
    return prepare_view(st, src, req);
}

static PIXVIEWI_INLINE PyObject *view(pv_state *st, pv_source *src, const pv_request *req,
                                      const pv_plan *plan)
{
    if (PIXVIEWI_UNLIKELY(prepare_view(st, src, req) != 0))
        return NULL;
    PyObject *out = pv_export(st, req->to, &src->image, plan->layout);
    if (PIXVIEWI_LIKELY(req->to != PV_IMAGE))
        return out;
    if (pv_keeps_stream(src, req))
        return pv_image_with_stream(out, src->stream_object);
    return pv_image_with_stream(out, pv_end_stream(req, src->image.device.id).object);
}

// Queues the copy on the stream of the result's memory: it waits for the producer, the producer waits
// for it (the source may be written next), and so does the consumer.
int pv_copy_ordered(pv_state *st, const pixview_image *from, const pixview_image *to,
                    pixview_stream consumer, bool given, pixviewi_joint *joint)
{
    bool from_host = pixview_image_on_host(from), to_host = pixview_image_on_host(to);
    pixview_device device = to_host ? from->device : to->device;
    pixview_copy_params params = {sizeof params, to_host ? from->stream : to->stream};
    pixviewi_joint before, after;
    if (params.stream == PIXVIEW_STREAM_NONE)
        params.stream = PIXVIEW_STREAM_LEGACY;
    pixview_stream work = params.stream, producer = from_host ? work : from->stream;
    if (to_host)
        consumer = work;
    if (pv_ask(st, device, producer, work, given, &before) ||
        pv_ask(st, device, work, consumer, given, &after) ||
        pv_wait(st, device, producer, work, &before)) {
        return -1;
    }
    if (joint)
        *joint = after;
    pixview_error err;
    pixview_status status;
    PyThreadState *gil = pv_let_go(to, from_host && to_host);
    status = pixview_copy(from, to, &params, &err);
    pv_take_back(gil);
    if (status) {
        pv_raise(st, &err);
        return -1;
    }
    return pv_wait(st, device, work, producer, &before) ||
                   pv_wait(st, device, work, consumer, &after)
               ? -1
               : 0;
}

// An upload from pinned memory is under way when the call returns, and holds its source.
int pv_hold_upload(pv_state *st, pv_source *src, const pixview_image *to)
{
    bool upload = pixview_image_on_host(&src->image) && !pixview_image_on_host(to);
    return upload ? pv_source_hold(st, src) : 0;
}

static PyObject *copy(pv_state *st, pv_source *src, const pv_request *req, const pv_plan *plan)
{
    pv_result result = {0};
    pixviewi_joint joint;
    PyObject *out = NULL;
    if (pv_allocate(st, req, src, plan->layout, &result) == 0 &&
        pv_hold_upload(st, src, &result.image) == 0 &&
        pv_copy_ordered(st, &src->image, &result.image, result.consumer, req->has_stream, &joint) ==
            0 &&
        pv_note_use(&result.image, result.consumer, &joint, result.stream_object,
                    result.consumer_object) == 0) {
        out = pv_result_finish(st, req, plan->layout, &result);
        if (req->to == PV_IMAGE)
            pv_image_with_stream(out, result.stream_object);
    }
    pv_result_clear(&result);
    return out;
}

PIXVIEWI_HOT PyObject *pv_export(pv_state *st, pv_kind to, pixview_image *image,
                                 pixview_layout layout)
{
    if (PIXVIEWI_LIKELY(to == PV_TORCH))
        return pv_export_torch(st, image, layout);
    switch (to) {
    case PV_GPUMAT:
        return pv_export_gpumat(st, image);
    case PV_CUPY:
        return pv_export_cupy(st, image, layout);
    case PV_NUMPY:
        return pv_export_numpy(st, image, layout);
    default:
        return pv_image_new(st, image, layout);
    }
}

typedef int planner(pv_state *, const pv_source *, const pv_request *, pv_plan *);

static PIXVIEWI_INLINE int import_and_plan(pv_state *st, PyObject *x, const pv_request *req,
                                           planner *make, pv_source *src, pv_plan *plan)
{
    pv_source_begin(src, x);
    return pv_need(st, req->to) || pv_import(st, x, req, src) || make(st, src, req, plan) ? -1 : 0;
}

static PIXVIEWI_INLINE PyObject *convert(pv_state *st, PyObject *x, const pv_request *req,
                                         planner *make)
{
    pv_source src;
    pv_plan plan;
    PyObject *out = NULL;
    if (PIXVIEWI_LIKELY(import_and_plan(st, x, req, make, &src, &plan) == 0)) {
        if (PIXVIEWI_LIKELY(plan.kind == PV_VIEW))
            out = view(st, &src, req, &plan);
        else if (plan.kind == PV_COPY)
            out = copy(st, &src, req, &plan);
        else
            out = Py_NewRef(x);
    }
    pv_source_clear(&src);
    return out;
}

PIXVIEWI_HOT PyObject *pv_convert(pv_state *st, PyObject *x, const pv_request *req)
{
    return convert(st, x, req, pv_make_plan);
}

// Of a request that the compiler knows, little is left of the plan. Everybody else's code stays small.
PIXVIEWI_HOT PyObject *pv_to_torch(pv_state *st, PyObject *x)
{
    static const pv_request plain = {.to = PV_TORCH, .copy = -1};
    return convert(st, x, &plain, make_plan);
}

PIXVIEWI_HOT PyObject *pv_to_gpumat(pv_state *st, PyObject *x)
{
    static const pv_request plain = {.to = PV_GPUMAT, .copy = -1};
    return convert(st, x, &plain, make_plan);
}

PyObject *pv_plan_object(pv_state *st, PyObject *x, const pv_request *req)
{
    pv_source src;
    pv_plan plan;
    PyObject *out = NULL;
    if (import_and_plan(st, x, req, pv_make_plan, &src, &plan) == 0) {
        out = PyStructSequence_New(st->plan_type);
        PyObject *kind = PyUnicode_FromString(plan.kind == PV_COPY ? "copy" : "view");
        PyObject *reason =
            PyUnicode_DecodeUTF8(plan.why.message, (Py_ssize_t)strlen(plan.why.message), "replace");
        if (out && kind && reason) {
            PyStructSequence_SetItem(out, 0, kind); // steals
            PyStructSequence_SetItem(out, 1, reason);
        } else {
            Py_CLEAR(out);
            Py_XDECREF(kind);
            Py_XDECREF(reason);
        }
    }
    pv_source_clear(&src);
    return out;
}
