// SPDX-License-Identifier: Apache-2.0
// The type pixview.Pool: frames in memory that is made to be shared.

#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "base/pyref.h"
#include "frameworks/stream_argument.h"
#include "frameworks/stream_life.h"
#include "frameworks/streams.h"
#include "image/docs.h"
#include "image/image.h"

typedef struct pv_pool {
    PyObject_HEAD
    pixview_pool *pool; // NULL: closed, and nobody is in it
    bool closed;
    int users; // calls that are in it, without the GIL or with Python code that it runs
    pixview_pool_params params;
} pv_pool;

static pv_pool *pool_of(PyObject *self) { return (pv_pool *)self; }
static pv_state *state_of(PyObject *self) { return PyType_GetModuleState(Py_TYPE(self)); }

static void enter(PyObject *self) { pool_of(self)->users++; }

// Whoever is the last to leave a closed pool releases it.
static void leave(PyObject *self)
{
    pixview_pool *pool = pool_of(self)->pool;
    if (--pool_of(self)->users > 0 || !pool_of(self)->closed)
        return;
    pool_of(self)->pool = NULL;
    Py_BEGIN_ALLOW_THREADS pixview_pool_release(pool);
    Py_END_ALLOW_THREADS
}

// ---- making -------------------------------------------------------------------------------------------

static int parse_frames(PyObject *value, int32_t *out)
{
    PyObject *whole = pv_index(value);
    long frames = whole ? PyLong_AsLong(whole) : -1;
    Py_XDECREF(whole);
    if (frames == -1 && PyErr_Occurred())
        return -1;
    *out = frames < INT32_MIN || frames > INT32_MAX ? INT32_MAX : (int32_t)frames;
    return 0;
}

static int parse_pool(pv_state *st, PyObject *args, PyObject *kwargs, pixview_pool_params *out)
{
    static char *names[] = {"shape", "dtype", "frames", "device", "layout", NULL};
    static const pixview_layout by_rank[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_HWC,
                                             PIXVIEW_LAYOUT_NHWC};
    PyObject *shape, *dtype, *frames, *device = NULL, *layout = NULL;
    int ndim;
    *out = (pixview_pool_params){.struct_size = sizeof *out,
                                 .device = {PIXVIEW_DEVICE_CPU, 0},
                                 .layout = PIXVIEW_LAYOUT_NONE};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOO|$OO:Pool", names, &shape, &dtype, &frames,
                                     &device, &layout) ||
        pv_parse_dims_argument(st, "shape", shape, 4, &ndim, out->shape) ||
        pv_parse_dtype(st, dtype, &out->dtype) || parse_frames(frames, &out->frames) ||
        (pv_given(device) && pv_parse_device(device, &out->device)) ||
        pv_parse_layout(st, "layout", layout, &out->layout))
        return -1;
    if (ndim < 2 || (out->layout && pixview_layout_rank(out->layout) != ndim)) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "shape=%R has %d axes; a frame has 2 to 4%s%s", shape, ndim,
                  out->layout ? ", here those of " : "", pixview_layout_name(out->layout));
        return -1;
    }
    if (!out->layout)
        out->layout = by_rank[ndim - 2];
    return 0;
}

static PyObject *pool_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    pixview_pool_params params;
    pixview_error err;
    pixview_status status;
    pv_state *st = PyType_GetModuleState(type);
    if (parse_pool(st, args, kwargs, &params))
        return NULL;
    PyObject *self = type->tp_alloc(type, 0);
    if (!self)
        return NULL;
    pool_of(self)->params = params;
    Py_BEGIN_ALLOW_THREADS // all its pages are there then
        status = pixview_pool_create(&params, &pool_of(self)->pool, &err);
    Py_END_ALLOW_THREADS if (!status) return self;
    Py_DECREF(self);
    return pv_raise(st, &err);
}

static void pool_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    pixview_pool_release(pool_of(self)->pool);
    type->tp_free(self);
    Py_DECREF(type);
}

// ---- frames -------------------------------------------------------------------------------------------

static void raise_closed(PyObject *self)
{
    pv_raisef(state_of(self), PIXVIEW_E_SHARE, "the pool is closed");
}

// Waits in pieces, so that Ctrl-C ends it.
static int wait_for_frame(PyObject *self, double timeout, pixview_stream stream, pixview_image *out)
{
    enum { PIECES_A_SECOND = 20 };
    pixview_pool *pool = pool_of(self)->pool;
    pixview_error err;
    pixview_status status;
    bool interrupted = false;
    enter(self);
    status = pixview_pool_get(pool, 0, stream, out, &err);
    for (double left = timeout; status == PIXVIEW_E_TIMEOUT && !interrupted &&
                                !pool_of(self)->closed && (timeout < 0 || left > 0);) {
        double piece = 1.0 / PIECES_A_SECOND;
        piece = timeout >= 0 && left < piece ? left : piece;
        left -= piece;
        Py_BEGIN_ALLOW_THREADS status = pixview_pool_get(pool, piece, stream, out, &err);
        Py_END_ALLOW_THREADS interrupted = PyErr_CheckSignals() != 0;
    }
    if (interrupted && status == PIXVIEW_OK)
        pixview_owner_unref(out->owner);
    else if (!interrupted && status == PIXVIEW_E_TIMEOUT && pool_of(self)->closed)
        raise_closed(self);
    else if (!interrupted && status)
        pv_raise(state_of(self), &err);
    leave(self);
    return status || interrupted ? -1 : 0;
}

static int parse_get(PyObject *self, PyObject *timeout, PyObject *value, double *seconds,
                     pv_stream *stream)
{
    pv_state *st = state_of(self);
    const pixview_device *device = &pool_of(self)->params.device;
    int gpu = device->type == PIXVIEW_DEVICE_CUDA ? device->id : -1;
    *seconds = -1;
    if (pv_given(timeout)) {
        if (pv_parse_number(st, "timeout", timeout, false, seconds))
            return -1;
        if (!(*seconds >= 0)) {
            pv_raise_python(PyExc_ValueError, "timeout=%R: 0 or more seconds, or None for ever",
                            timeout);
            return -1;
        }
    }
    *stream = pv_default_stream(gpu);
    if (pv_given(value) && pv_parse_stream(st, value, stream))
        return -1;
    Py_XINCREF(stream->object);
    if (gpu >= 0)
        pv_stream_find_keeper(st, gpu, stream);
    return 0;
}

static PyObject *get_frame(PyObject *self, double timeout, const pv_stream *stream)
{
    pv_state *st = state_of(self);
    pixview_image image;
    if (pool_of(self)->closed) {
        raise_closed(self);
        return NULL;
    }
    bool lasts = pv_stream_lasts(stream->handle, stream->object);
    PyObject *keep = lasts ? stream->object : NULL;
    if (wait_for_frame(self, timeout, pv_stream_stored(stream->handle, stream->object), &image))
        return NULL;
    bool failed = keep && !pixview_image_on_host(&image) && pv_pyref_keep(image.owner, keep);
    PyObject *out =
        failed ? NULL : pv_image_new_take(st, &image, pool_of(self)->params.layout, keep);
    if (!out)
        pixview_owner_unref(image.owner);
    return out;
}

static PyObject *pool_get(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    PyObject *timeout = NULL, *value = NULL;
    const pv_keyword keywords[] = {{"timeout", &timeout}, {"stream", &value}};
    double seconds;
    pv_stream stream;
    if (pv_parse_args("get", args, nargs, kwnames, 0, keywords, 2) ||
        parse_get(self, timeout, value, &seconds, &stream))
        return NULL;
    PyObject *out = get_frame(self, seconds, &stream);
    Py_XDECREF(stream.object);
    return out;
}

// copy_into, as Python calls it: api/ is beside this folder.
static int fill(PyObject *self, PyObject *image, PyObject *x, PyObject *src_layout, PyObject *value)
{
    PyObject *copy_into = PyObject_GetAttrString(PyType_GetModule(Py_TYPE(self)), "copy_into");
    PyObject *args = PyTuple_Pack(2, image, x), *kwargs = PyDict_New(), *done = NULL;
    if (copy_into && args && kwargs &&
        (!src_layout || !PyDict_SetItemString(kwargs, "src_layout", src_layout)) &&
        (!value || !PyDict_SetItemString(kwargs, "stream", value)))
        done = PyObject_Call(copy_into, args, kwargs);
    Py_XDECREF(copy_into);
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    Py_XDECREF(done);
    return done ? 0 : -1;
}

static PyObject *pool_copy(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                           PyObject *kwnames)
{
    PyObject *x = NULL, *timeout = NULL, *value = NULL, *src_layout = NULL;
    const pv_keyword keywords[] = {
        {"x", &x}, {"timeout", &timeout}, {"src_layout", &src_layout}, {"stream", &value}};
    double seconds;
    pv_stream stream;
    if (pv_parse_args("copy", args, nargs, kwnames, 1, keywords, 4) ||
        parse_get(self, timeout, value, &seconds, &stream))
        return NULL;
    PyObject *out = get_frame(self, seconds, &stream);
    Py_XDECREF(stream.object);
    if (out && fill(self, out, x, src_layout, value))
        Py_CLEAR(out);
    return out;
}

static PyObject *pool_close(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    if (!pool_of(self)->closed) {
        enter(self);
        pool_of(self)->closed = true;
        leave(self);
    }
    Py_RETURN_NONE;
}

// ---- what it shows --------------------------------------------------------------------------------------

static PyObject *get_shape(PyObject *self, void *closure)
{
    (void)closure;
    const pixview_pool_params *params = &pool_of(self)->params;
    return pv_dims(pixview_layout_rank(params->layout), params->shape);
}
static PyObject *get_layout(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(pixview_layout_name(pool_of(self)->params.layout));
}
static PyObject *get_dtype(PyObject *self, void *closure)
{
    (void)closure;
    return pv_dtype_object(state_of(self), pool_of(self)->params.dtype);
}
static PyObject *get_device(PyObject *self, void *closure)
{
    (void)closure;
    const pixview_device *device = &pool_of(self)->params.device;
    bool host = device->type == PIXVIEW_DEVICE_CPU;
    return Py_BuildValue("si", host ? "cpu" : "cuda", host ? 0 : device->id);
}
static PyObject *get_frames(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(pool_of(self)->params.frames);
}
static PyObject *get_idle(PyObject *self, void *closure)
{
    (void)closure;
    if (pool_of(self)->closed)
        return PyLong_FromLong(0);
    enter(self); // objects that are let go of may close it
    int32_t idle = pixview_pool_idle(pool_of(self)->pool);
    leave(self);
    return PyLong_FromLong(idle);
}

static PyObject *pool_repr(PyObject *self)
{
    PyObject *shape = get_shape(self, NULL), *device = get_device(self, NULL);
    PyObject *out =
        shape && device
            ? PyUnicode_FromFormat("<pixview.Pool of %d frames %R %s %s on %U:%R>",
                                   (int)pool_of(self)->params.frames, shape,
                                   pixview_dtype_name(pool_of(self)->params.dtype),
                                   pixview_layout_name(pool_of(self)->params.layout),
                                   PyTuple_GET_ITEM(device, 0), PyTuple_GET_ITEM(device, 1))
            : NULL;
    Py_XDECREF(shape);
    Py_XDECREF(device);
    return out;
}

#define METHOD(name)                                                                 \
    {#name, (PyCFunction)(void (*)(void))pool_##name, METH_FASTCALL | METH_KEYWORDS, \
     PV_DOC_pool_##name}
static PyMethodDef pool_methods[] = {
    METHOD(get),
    METHOD(copy),
    {"close", pool_close, METH_NOARGS, PV_DOC_pool_close},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef pool_getset[] = {
    {"shape", get_shape, NULL, PV_DOC_pool_shape, NULL},
    {"dtype", get_dtype, NULL, PV_DOC_pool_dtype, NULL},
    {"layout", get_layout, NULL, PV_DOC_pool_layout, NULL},
    {"device", get_device, NULL, PV_DOC_pool_device, NULL},
    {"frames", get_frames, NULL, PV_DOC_pool_frames, NULL},
    {"idle", get_idle, NULL, PV_DOC_pool_idle, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot pool_slots[] = {
    {Py_tp_doc, PV_DOC_pool_type},
    {Py_tp_new, pool_new},
    {Py_tp_dealloc, pool_dealloc},
    {Py_tp_repr, pool_repr},
    {Py_tp_methods, pool_methods},
    {Py_tp_getset, pool_getset},
    {0, NULL},
};

static PyType_Spec pool_spec = {
    .name = "pixview.Pool",
    .basicsize = sizeof(pv_pool),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = pool_slots,
};

PyTypeObject *pv_pool_type_new(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &pool_spec, NULL);
}
