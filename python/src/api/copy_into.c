// from_pointer and copy_into.

#include <string.h>

#include "convert/batch_import.h"

// The N of 'cuda:N': digits alone. -1 if it is none.
static long ordinal(const char *text)
{
    char *end;
    long value = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
    return value >= 0 && *end == '\0' && value <= INT32_MAX ? value : -1;
}

// 'cpu', 'cuda', 'cuda:1', ('cuda', 1) or an ordinal.
int pv_parse_device(PyObject *value, pixview_device *out)
{
    PyObject *name = value, *index = NULL;
    if (PyTuple_Check(value) && PyTuple_GET_SIZE(value) == 2) {
        name = PyTuple_GET_ITEM(value, 0);
        index = PyTuple_GET_ITEM(value, 1);
    } else if (PyLong_Check(value)) {
        name = NULL;
        index = value;
    }
    Py_ssize_t length = 4;
    const char *text = !name                   ? "cuda"
                       : PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, &length)
                                               : NULL;
    long id = 0;
    if (index)
        id = PyLong_Check(index) && !PyBool_Check(index) ? PyLong_AsLong(index) : -1;
    bool whole = text && strlen(text) == (size_t)length;
    if (whole && !index && strncmp(text, "cuda:", 5) == 0) {
        id = ordinal(text + 5);
        text = "cuda";
    }
    bool cpu = whole && strcmp(text, "cpu") == 0 && id == 0,
         cuda = whole && strcmp(text, "cuda") == 0;
    *out = (pixview_device){cpu ? PIXVIEW_DEVICE_CPU : PIXVIEW_DEVICE_CUDA, (int32_t)id};
    if (!PyErr_Occurred() && (cpu || (cuda && id >= 0 && id <= INT32_MAX)))
        return 0;
    PyErr_Clear();
    bool kind = PyUnicode_Check(value) || PyTuple_Check(value) || PyLong_Check(value);
    pv_raise_python(kind ? PyExc_ValueError : PyExc_TypeError,
                    "device=%R is not None, 'cpu', 'cuda', 'cuda:N', ('cuda', N) or an ordinal",
                    value);
    return -1;
}

static int find_device(pv_state *st, PyObject *value, void *data, bool empty, pixview_device *out)
{
    if (value && value != Py_None)
        return pv_parse_device(value, out);
    pixview_error err;
    *out = (pixview_device){PIXVIEW_DEVICE_CUDA, 0};
    if (empty || !pixviewi_cuda_pointer_device(data, &out->id, &err))
        return 0;
    if (err.code == PIXVIEW_E_DEVICE) {
        pv_raisef(st, PIXVIEW_E_DEVICE, "%s; device='cpu' says that the pointer is host memory",
                  err.message);
    } else {
        pv_raise(st, &err);
    }
    return -1;
}

typedef struct {
    PyObject *ptr, *shape, *dtype, *strides, *layout, *device, *owner, *stream, *readonly;
} pointer_arguments;

static int describe_pointer(pv_state *st, const pointer_arguments *a, pixview_image *out,
                            pixview_layout *layout)
{
    static const pixview_layout by_rank[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_HWC,
                                             PIXVIEW_LAYOUT_NHWC};
    int ndim, same = 0;
    int64_t shape[4], strides[4];
    pixview_dtype dtype;
    pixview_device device;
    pixview_error err;
    bool has_strides = a->strides && a->strides != Py_None;
    if (!PyLong_Check(a->ptr)) {
        pv_raise_python(PyExc_TypeError, "ptr=%R is not an integer address", a->ptr);
        return -1;
    }
    void *data = (void *)(uintptr_t)PyLong_AsUnsignedLongLong(a->ptr);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        pv_raise_python(PyExc_ValueError, "ptr=%R is not an address of 64 bits", a->ptr);
        return -1;
    }
    if (pv_parse_layout(st, "layout", a->layout, layout) ||
        pv_parse_dims_argument(st, "shape", a->shape, 4, &ndim, shape) ||
        pv_parse_dtype(st, a->dtype, &dtype) ||
        (has_strides && pv_parse_dims_argument(st, "strides", a->strides, 4, &same, strides))) {
        return -1;
    }
    if (ndim < 2 || (has_strides && same != ndim)) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "shape has %d axes%s; an image has 2 to 4, and as many strides", ndim,
                  has_strides ? " and strides another number" : "");
        return -1;
    }
    bool empty = false;
    for (int i = 0; i < ndim; i++)
        empty |= shape[i] == 0;
    if (*layout == PIXVIEW_LAYOUT_NONE)
        *layout = by_rank[ndim - 2];
    if (find_device(st, a->device, data, empty, &device))
        return -1;
    if (!pixview_image_init(out, data, ndim, shape, has_strides ? strides : NULL, dtype, device,
                            *layout, &err))
        return 0;
    pv_raise(st, &err);
    return -1;
}

PyObject *pv_from_pointer(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    pv_state *st = pv_get_state(module);
    pointer_arguments a = {NULL};
    const pv_keyword keywords[] = {
        {"ptr", &a.ptr},         {"shape", &a.shape},   {"dtype", &a.dtype},
        {"strides", &a.strides}, {"layout", &a.layout}, {"device", &a.device},
        {"owner", &a.owner},     {"stream", &a.stream}, {"readonly", &a.readonly}};
    pixview_image image;
    pixview_layout layout;
    pixview_stream given = PIXVIEW_STREAM_LEGACY;
    bool readonly = false, has_stream;
    if (pv_parse_args("from_pointer", args, nargs, kwnames, 3, keywords, 9) ||
        pv_parse_bool("readonly", a.readonly, &readonly) ||
        ((has_stream = a.stream && a.stream != Py_None) && pv_parse_stream(st, a.stream, &given)) ||
        describe_pointer(st, &a, &image, &layout)) {
        return NULL;
    }
    pv_stream stream = {given, has_stream && !PyLong_Check(a.stream) ? a.stream : NULL};
    if (!has_stream) // an int is the caller's to keep
        stream = pv_default_stream(image.device.id);
    image.stream = pixview_image_on_host(&image) ? PIXVIEW_STREAM_NONE : stream.handle;
    if (readonly)
        image.flags |= PIXVIEW_FLAG_READ_ONLY;
    if (a.owner && a.owner != Py_None && !(image.owner = pv_hold_object(a.owner)))
        return NULL;
    if (image.owner && image.stream != PIXVIEW_STREAM_NONE)
        image.owner->home = image.stream;
    PyObject *out = pv_image_with_stream(pv_image_new(st, &image, layout), stream.object);
    pixview_owner_unref(image.owner);
    return out;
}

static bool takes_stream(const pv_source *src)
{
    return src->foreign_stream || src->kind == PV_IMAGE;
}

static int check_stream(const pv_source *a, const pv_source *b, PyObject *stream)
{
    if (!stream || stream == Py_None || takes_stream(a) || takes_stream(b))
        return 0;
    PyErr_SetString(PyExc_ValueError, "stream= speaks of a GpuMat or Image; neither end is one");
    return -1;
}

// Writing under autograd's back would make gradients wrong without a word. Integers have none.
int pv_check_dst(pv_state *st, const char *name, const pv_source *dst)
{
    if (dst->copied) {
        pv_raisef(st, PIXVIEW_E_READONLY,
                  "%s's __dlpack__ gave a copy: what is written there is lost", name);
        return -1;
    }
    uint8_t code = dst->image.dtype.code;
    if (dst->kind != PV_TORCH || code == PIXVIEW_DTYPE_UINT || code == PIXVIEW_DTYPE_INT)
        return 0;
    PyObject *grad = PyObject_GetAttr(dst->object, st->s_requires_grad);
    int set = grad ? PyObject_IsTrue(grad) : -1;
    Py_XDECREF(grad);
    if (set == 0)
        return 0;
    if (set < 0) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "requires_grad of %s, a %s object, fails", name,
                      Py_TYPE(dst->object)->tp_name);
        return -1;
    }
    pv_raisef(st, PIXVIEW_E_READONLY,
              "%s requires grad: pass `%s.detach()` to write its memory all the same", name, name);
    return -1;
}

static int import_end(pv_state *st, const char *name, pv_source *end, const pv_request *req)
{
    if (!pv_import(st, end->object, req, end))
        return 0;
    pv_name_argument(st, name);
    return -1;
}

static int import_dst(pv_state *st, pv_source *dst, const pv_request *req)
{
    return import_end(st, "dst", dst, req) || pv_check_dst(st, "dst", dst) ? -1 : 0;
}

// An end that runs Python to be read comes first: such code could change the other one.
static int import_both(pv_state *st, pv_source *dst, const pv_request *to, pv_source *src,
                       const pv_request *from)
{
    bool dst_first = !pv_reads_quietly(st, dst->object);
    if ((dst_first && import_dst(st, dst, to)) || import_end(st, "src", src, from) ||
        (!dst_first && import_dst(st, dst, to)))
        return -1;
    src->image.stream = pv_producer_stream(src, from);
    return 0;
}

PyObject *pv_copy_into(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    pv_state *st = pv_get_state(module);
    PyObject *dst = NULL, *src = NULL, *dst_layout = NULL, *src_layout = NULL, *stream = NULL;
    const pv_keyword keywords[] = {{"dst", &dst},
                                   {"src", &src},
                                   {"dst_layout", &dst_layout},
                                   {"src_layout", &src_layout},
                                   {"stream", &stream}};
    pv_request to = {.to = PV_IMAGE, .copy = -1, .src_name = "dst_layout"},
               from = {.to = PV_IMAGE, .copy = -1};
    pv_source a, b;
    if (pv_parse_args("copy_into", args, nargs, kwnames, 2, keywords, 5) ||
        pv_parse_layout(st, "dst_layout", dst_layout, &to.src_layout) ||
        pv_parse_layout(st, "src_layout", src_layout, &from.src_layout) ||
        ((to.has_stream = stream && stream != Py_None) &&
         pv_parse_stream(st, stream, &to.stream))) {
        return NULL;
    }
    from.has_stream = to.has_stream;
    from.stream = to.stream;
    pv_source_begin(&a, dst);
    pv_source_begin(&b, src);
    PyObject *out = NULL;
    if (import_both(st, &a, &to, &b, &from) == 0 && check_stream(&a, &b, stream) == 0 &&
        pv_hold_upload(st, &b, &a.image) == 0 &&
        pv_copy_ordered(st, &b.image, &a.image, a.image.stream, to.has_stream, NULL) == 0) {
        out = Py_NewRef(dst);
    }
    pv_source_clear(&a);
    pv_source_clear(&b);
    return out;
}
