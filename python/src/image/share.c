// SPDX-License-Identifier: Apache-2.0
// pixview.share and the type pixview.Share: an image that other processes open.

#include <string.h>
#include <unistd.h>

#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "base/pyref.h"
#include "convert/convert.h"
#include "cuda/stream.h"
#include "frameworks/stream_argument.h"
#include "frameworks/stream_life.h"
#include "frameworks/streams.h"
#include "frameworks/table.h"
#include "image/docs.h"
#include "image/image.h"
#include "share/handle.h"
#include "share/share.h"

typedef struct pv_share {
    PyObject_HEAD
    pixview_share *share; // NULL: it came as a pickle, or was closed
    bool closed;          // by close(), while it was not a pickle
    bool unopened;        // a pickle that nobody opened here, nor sent on
    pid_t receiver;       // the process that unpickled it; a fork's copy has nothing to decline
    uint8_t handle[PIXVIEW_HANDLE_BYTES];
} pv_share;

static pv_share *share_of(PyObject *self) { return (pv_share *)self; }
static pv_state *state_of(PyObject *self) { return PyType_GetModuleState(Py_TYPE(self)); }

static PyObject *new_share(pv_state *st) { return st->share_type->tp_alloc(st->share_type, 0); }

// Who does not want what was sent says so, or it would be held in vain.
static void let_go(PyObject *self)
{
    pixview_share *share = share_of(self)->share;
    bool unopened = share_of(self)->unopened && share_of(self)->receiver == getpid();
    share_of(self)->share = NULL;
    share_of(self)->unopened = false;
    pixview_share_release(share);
    if (!unopened)
        return;
    Py_BEGIN_ALLOW_THREADS // a sender that does not answer costs a while
        pixview_share_decline(share_of(self)->handle, PIXVIEW_HANDLE_BYTES);
    Py_END_ALLOW_THREADS
}

static void share_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    let_go(self);
    type->tp_free(self);
    Py_DECREF(type);
}

// ---- share --------------------------------------------------------------------------------------------

// What a file holds, an Image is shared as itself; of everything else one is made.
static PyObject *share_image(pv_state *st, const pv_image *image, int copy, double keep)
{
    pixview_share_params params = {
        .struct_size = sizeof params, .layout = image->layout, .copy = copy, .keep = keep};
    pixview_error err;
    pixview_status status;
    PyObject *out = new_share(st);
    if (!out)
        return NULL;
    Py_BEGIN_ALLOW_THREADS // a copy may take a while
        status = pixview_share_create(&image->image, &params, &share_of(out)->share, &err);
    Py_END_ALLOW_THREADS if (status)
    {
        Py_DECREF(out);
        return pv_raise(st, &err);
    }
    pixviewi_share_peek(share_of(out)->share, share_of(out)->handle);
    return out;
}

static int parse_keep(pv_state *st, PyObject *value, double *out)
{
    *out = 60;
    if (!value)
        return 0;
    if (value == Py_None) {
        *out = 1e18;
        return 0;
    }
    if (pv_parse_number(st, "keep", value, false, out))
        return -1;
    if (*out > 0)
        return 0;
    pv_raise_python(PyExc_ValueError, "keep=%R: seconds above 0, or None for ever", value);
    return -1;
}

PyObject *pv_share_call(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames)
{
    pv_state *st = pv_get_state(module);
    PyObject *x = NULL, *layout = NULL, *src_layout = NULL, *copy = NULL, *keep = NULL,
             *stream = NULL;
    const pv_keyword keywords[] = {
        {"x", &x},       {"layout", &layout}, {"src_layout", &src_layout},
        {"copy", &copy}, {"keep", &keep},     {"stream", &stream}};
    pv_options options = {.to = &pv_framework_image, .copy = -1, .call = "share"};
    int copies = -1;
    double seconds;
    if (pv_parse_args("share", args, nargs, kwnames, 1, keywords, 6) ||
        pv_parse_layout(st, "layout", layout, &options.layout) ||
        pv_parse_layout(st, "src_layout", src_layout, &options.src_layout) ||
        pv_parse_copy(copy, &copies) || pv_parse_stream_option(st, stream, &options) ||
        parse_keep(st, keep, &seconds))
        return NULL;
    PyObject *image = pv_convert(st, x, &options);
    if (!image)
        return NULL;
    PyObject *out = share_image(st, pv_image_of(image), copies, seconds);
    Py_DECREF(image);
    return out;
}

// ---- open ---------------------------------------------------------------------------------------------

typedef struct open_wish {
    const uint8_t *handle;
    int device; // -1: where it is
    int reader; // the GPU that this is, -1: host
    double timeout;
    pv_stream stream; // object owned
} open_wish;

// The stream of `params` comes first, and then the one that was asked for, which waits. If it cannot, nothing has been
// opened.
static pixview_status open_in_order(const open_wish *wish, const pixview_open_params *params,
                                    pixview_image *image, pixview_layout *layout,
                                    pixview_error *err)
{
    pixview_stream first = params->stream, then = wish->stream.handle;
    pixviewi_stream_relation relation = {.kind = PIXVIEWI_STREAMS_SAME};
    pixview_status status = PIXVIEW_OK;
    if (wish->reader >= 0 && first != then)
        status = pixviewi_cuda_stream_relation(wish->reader, first, then, &relation, err);
    if (status == PIXVIEW_OK && relation.kind > PIXVIEWI_STREAMS_ORDERABLE)
        status = pixviewi_cuda_fail_relation(relation.kind, first, then, err);
    if (status == PIXVIEW_OK)
        status = pixview_share_open(wish->handle, PIXVIEW_HANDLE_BYTES, params, image, layout, err);
    if (status != PIXVIEW_OK || relation.kind != PIXVIEWI_STREAMS_ORDERABLE)
        return status;
    status = pixviewi_cuda_wait(wish->reader, first, then, err);
    if (status != PIXVIEW_OK)
        pixview_owner_unref(image->owner);
    return status;
}

// The stream that is stored, on which it is opened, and the one that was asked for, which waits.
static PyObject *open_on(pv_state *st, const open_wish *wish)
{
    pv_stream kept = {
        pv_stream_stored(wish->stream.handle, wish->stream.object),
        pv_stream_lasts(wish->stream.handle, wish->stream.object) ? wish->stream.object : NULL};
    pixview_open_params params = {.struct_size = sizeof params,
                                  .device = wish->device,
                                  .stream = kept.handle,
                                  .timeout = wish->timeout};
    pixview_image image;
    pixview_layout layout;
    pixview_error err;
    pixview_status status;
    Py_BEGIN_ALLOW_THREADS status = open_in_order(wish, &params, &image, &layout, &err);
    Py_END_ALLOW_THREADS if (status) return pv_raise(st, &err);
    bool failed = kept.object && image.owner && !pixview_image_on_host(&image) &&
                  pv_pyref_keep(image.owner, kept.object);
    PyObject *out = failed ? NULL : pv_image_new_take(st, &image, layout, kept.object);
    if (!out)
        pixview_owner_unref(image.owner);
    return out;
}

static int parse_stream(pv_state *st, PyObject *value, int device, pv_stream *out)
{
    *out = pv_default_stream(device);
    if (pv_given(value) && pv_parse_stream(st, value, out))
        return -1;
    Py_XINCREF(out->object);
    if (device >= 0)
        pv_stream_find_keeper(st, device, out);
    return 0;
}

// -1: where it is, which 'cpu' says of host memory.
static int parse_gpu(pv_state *st, const uint8_t *handle, PyObject *value, int *out)
{
    pixview_device device;
    pixview_image image = {.device = {PIXVIEW_DEVICE_CPU, 0}};
    *out = -1;
    if (!pv_given(value))
        return 0;
    if (pv_parse_device(value, &device))
        return -1;
    if (device.type == PIXVIEW_DEVICE_CUDA) {
        *out = device.id;
        return 0;
    }
    if (pixview_share_describe(handle, PIXVIEW_HANDLE_BYTES, &image, NULL, NULL, NULL) ||
        pixview_image_on_host(&image))
        return 0;
    pv_raisef(st, PIXVIEW_E_DEVICE,
              "device=%R, but the image is on a GPU; download it once it is open, with "
              "as_numpy(copy=True)",
              value);
    return -1;
}

static PyObject *open_handle(pv_state *st, const uint8_t *handle, PyObject *device,
                             PyObject *stream, double timeout)
{
    open_wish wish = {.handle = handle, .timeout = timeout};
    pixview_open_plan plan;
    if (parse_gpu(st, handle, device, &wish.device))
        return NULL;
    if (pixview_share_plan(handle, PIXVIEW_HANDLE_BYTES, wish.device, &plan, &st->error))
        return pv_raise(st, &st->error);
    wish.reader = plan.device;
    if (parse_stream(st, stream, plan.device, &wish.stream))
        return NULL;
    PyObject *out = open_on(st, &wish);
    Py_XDECREF(wish.stream.object);
    return out;
}

static PyObject *share_open(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames)
{
    pv_state *st = state_of(self);
    PyObject *device = NULL, *stream = NULL, *timeout = NULL;
    const pv_keyword keywords[] = {{"device", &device}, {"stream", &stream}, {"timeout", &timeout}};
    double seconds = 10;
    if (pv_parse_args("open", args, nargs, kwnames, 0, keywords, 3) ||
        (pv_given(timeout) && pv_parse_number(st, "timeout", timeout, false, &seconds)))
        return NULL;
    if (!(seconds > 0))
        return pv_raise_python(PyExc_ValueError, "timeout=%R: seconds above 0", timeout);
    PyObject *out = open_handle(st, share_of(self)->handle, device, stream, seconds);
    share_of(self)->unopened = share_of(self)->unopened && !out;
    return out;
}

static PyObject *share_plan(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames)
{
    pv_state *st = state_of(self);
    PyObject *device = NULL;
    const pv_keyword keywords[] = {{"device", &device}};
    pixview_open_plan plan;
    int gpu;
    if (pv_parse_args("plan", args, nargs, kwnames, 0, keywords, 1) ||
        parse_gpu(st, share_of(self)->handle, device, &gpu))
        return NULL;
    if (pixview_share_plan(share_of(self)->handle, PIXVIEW_HANDLE_BYTES, gpu, &plan, &st->error))
        return pv_raise(st, &st->error);
    PyObject *out = PyStructSequence_New(st->plan_type);
    PyObject *kind = PyUnicode_FromString(plan.copies ? "copy" : "view");
    PyObject *reason = PyUnicode_FromString(plan.reason);
    if (!out || !kind || !reason) {
        Py_XDECREF(out), Py_XDECREF(kind), Py_XDECREF(reason);
        return NULL;
    }
    PyStructSequence_SetItem(out, 0, kind);
    PyStructSequence_SetItem(out, 1, reason);
    return out;
}

static PyObject *share_close(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    share_of(self)->closed = share_of(self)->closed || share_of(self)->share;
    let_go(self);
    Py_RETURN_NONE;
}

// ---- pickle -------------------------------------------------------------------------------------------

// New bytes each time, which hold the image until they are opened.
static PyObject *send(pv_state *st, PyObject *self)
{
    uint8_t handle[PIXVIEW_HANDLE_BYTES];
    memcpy(handle, share_of(self)->handle, sizeof handle);
    if (share_of(self)->closed)
        return pv_raisef(st, PIXVIEW_E_SHARE,
                         "the Share is closed and holds nothing: share the image again");
    share_of(self)->unopened = false;
    if (share_of(self)->share && pixview_share_send(share_of(self)->share, handle, &st->error))
        return pv_raise(st, &st->error);
    return PyBytes_FromStringAndSize((const char *)handle, sizeof handle);
}

static PyObject *reduce_to(PyObject *self, const char *function, PyObject *sent)
{
    PyObject *make =
        sent ? PyObject_GetAttrString(PyType_GetModule(Py_TYPE(self)), function) : NULL;
    PyObject *out = make ? Py_BuildValue("(O(O))", make, sent) : NULL;
    Py_XDECREF(make);
    Py_XDECREF(sent);
    return out;
}

static PyObject *share_reduce(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    return reduce_to(self, "_share_from_bytes", send(state_of(self), self));
}

// For pickle.c: an Image in device memory.
PyObject *pv_image_reduce_by_share(PyObject *self)
{
    pv_state *st = pv_image_state(self);
    PyObject *share = share_image(st, pv_image_of(self), 1, 60);
    PyObject *out = share ? reduce_to(self, "_image_from_share", send(st, share)) : NULL;
    Py_XDECREF(share);
    return out;
}

static const uint8_t *bytes_of(pv_state *st, PyObject *value)
{
    pixviewi_handle handle;
    if (!PyBytes_Check(value))
        return (void *)pv_raise_python(PyExc_TypeError, "a share is bytes, not %R", value);
    if (!pixviewi_handle_read(PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value), &handle,
                              &st->error))
        return (const uint8_t *)PyBytes_AS_STRING(value);
    return (void *)pv_raise(st, &st->error);
}

PyObject *pv_share_from_bytes(PyObject *module, PyObject *value)
{
    pv_state *st = pv_get_state(module);
    const uint8_t *handle = bytes_of(st, value);
    PyObject *out = handle ? new_share(st) : NULL;
    if (out) {
        memcpy(share_of(out)->handle, handle, PIXVIEW_HANDLE_BYTES);
        share_of(out)->unopened = true;
        share_of(out)->receiver = getpid();
    }
    return out;
}

PyObject *pv_image_from_share(PyObject *module, PyObject *value)
{
    pv_state *st = pv_get_state(module);
    const uint8_t *handle = bytes_of(st, value);
    return handle ? open_handle(st, handle, NULL, NULL, 10) : NULL;
}

// ---- what it shows --------------------------------------------------------------------------------------

typedef struct facts {
    pixview_image image;
    pixview_layout layout;
    int64_t pid;
    int ndim;
    int64_t shape[4];
} facts;

// Cannot fail: the bytes were checked when it was made. The GPU's number is not among them: only the driver has it,
// which a process that sends a Share on should not start.
static facts facts_of(PyObject *self)
{
    facts out = {.ndim = 0};
    int64_t strides[4];
    pixviewi_handle handle;
    if (pixviewi_handle_read(share_of(self)->handle, PIXVIEW_HANDLE_BYTES, &handle, NULL))
        return out;
    out.image = pixviewi_handle_image(&handle, NULL, -1);
    out.layout = (pixview_layout)handle.layout;
    out.pid = handle.pid;
    if (pixview_image_axes(&out.image, out.layout, &out.ndim, out.shape, strides, NULL))
        out.ndim = 0;
    return out;
}

static PyObject *get_shape(PyObject *self, void *closure)
{
    (void)closure;
    facts of = facts_of(self);
    return pv_dims(of.ndim, of.shape);
}
static PyObject *get_layout(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(pixview_layout_name(facts_of(self).layout));
}
static PyObject *get_dtype(PyObject *self, void *closure)
{
    (void)closure;
    return pv_dtype_object(state_of(self), facts_of(self).image.dtype);
}
static PyObject *get_nbytes(PyObject *self, void *closure)
{
    (void)closure;
    facts of = facts_of(self);
    return PyLong_FromLongLong(pixview_image_nbytes(&of.image));
}
static PyObject *get_pid(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLongLong(facts_of(self).pid);
}
static PyObject *get_device(PyObject *self, void *closure)
{
    (void)closure;
    pixview_image image = {0};
    (void)!pixview_share_describe(share_of(self)->handle, PIXVIEW_HANDLE_BYTES, &image, NULL, NULL,
                                  NULL);
    bool host = pixview_image_on_host(&image);
    return Py_BuildValue("si", host ? "cpu" : "cuda", host ? 0 : image.device.id);
}
static PyObject *get_unopened(PyObject *self, void *closure)
{
    (void)closure;
    const pixview_share *share = share_of(self)->share;
    return PyLong_FromLong(share ? pixviewi_share_unopened(share) : 0);
}

static PyObject *share_repr(PyObject *self)
{
    facts of = facts_of(self);
    PyObject *shape = pv_dims(of.ndim, of.shape);
    PyObject *device = get_device(self, NULL);
    PyObject *out =
        shape && device
            ? PyUnicode_FromFormat("<pixview.Share %R %s %s on %U:%R of process %lld>", shape,
                                   pixview_dtype_name(of.image.dtype),
                                   pixview_layout_name(of.layout), PyTuple_GET_ITEM(device, 0),
                                   PyTuple_GET_ITEM(device, 1), (long long)of.pid)
            : NULL;
    Py_XDECREF(shape);
    Py_XDECREF(device);
    return out;
}

static PyObject *no_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)type, (void)args, (void)kwargs;
    PyErr_SetString(PyExc_TypeError, "make a Share with pixview.share(image)");
    return NULL;
}

static PyMethodDef share_methods[] = {
    {"open", (PyCFunction)(void (*)(void))share_open, METH_FASTCALL | METH_KEYWORDS,
     PV_DOC_share_open},
    {"plan", (PyCFunction)(void (*)(void))share_plan, METH_FASTCALL | METH_KEYWORDS,
     PV_DOC_share_plan},
    {"close", share_close, METH_NOARGS, PV_DOC_share_close},
    {"__reduce__", share_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef share_getset[] = {
    {"shape", get_shape, NULL, PV_DOC_share_shape, NULL},
    {"dtype", get_dtype, NULL, PV_DOC_share_dtype, NULL},
    {"layout", get_layout, NULL, PV_DOC_share_layout, NULL},
    {"device", get_device, NULL, PV_DOC_share_device, NULL},
    {"nbytes", get_nbytes, NULL, PV_DOC_share_nbytes, NULL},
    {"pid", get_pid, NULL, PV_DOC_share_pid, NULL},
    {"unopened", get_unopened, NULL, PV_DOC_share_unopened, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot share_slots[] = {
    {Py_tp_doc, PV_DOC_share_type},
    {Py_tp_new, no_new},
    {Py_tp_dealloc, share_dealloc},
    {Py_tp_repr, share_repr},
    {Py_tp_methods, share_methods},
    {Py_tp_getset, share_getset},
    {0, NULL},
};

static PyType_Spec share_spec = {
    .name = "pixview.Share",
    .basicsize = sizeof(pv_share),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = share_slots,
};

PyTypeObject *pv_share_type_new(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &share_spec, NULL);
}
