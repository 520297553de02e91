// pixview.Image: the descriptor as a Python object, which shows itself through every protocol of the
// side that it is on.

#include <string.h>

#include "convert/convert.h"

static pv_state *state_of(PyObject *self) { return PyType_GetModuleState(Py_TYPE(self)); }

static void image_dealloc(PyObject *self);

// The type has no subclasses.
bool pv_is_image(PyObject *x) { return Py_TYPE(x)->tp_dealloc == image_dealloc; }

static pv_image *image_of(PyObject *self) { return (pv_image *)self; }

static bool on_host(PyObject *self) { return pixview_image_on_host(&image_of(self)->image); }

PyObject *pv_image_new(pv_state *st, const pixview_image *image, pixview_layout layout)
{
    pv_image *self = (pv_image *)st->image_type->tp_alloc(st->image_type, 0);
    if (!self)
        return NULL;
    self->image = *image;
    self->layout = layout;
    int ndim;
    int64_t shape[4], strides[4];
    pixview_error err;
    self->image.owner = NULL;
    if (pixview_image_axes(image, layout, &ndim, shape, strides, &err)) {
        Py_DECREF(self);
        return pv_raise(st, &err);
    }
    self->image.owner = image->owner;
    pixview_owner_ref(image->owner);
    return (PyObject *)self;
}

PyObject *pv_image_with_stream(PyObject *image, PyObject *stream_object)
{
    if (image)
        image_of(image)->stream_object = Py_XNewRef(stream_object);
    return image;
}

static void image_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(image_of(self)->stream_object);
    pixview_owner_unref(image_of(self)->image.owner);
    type->tp_free(self);
    Py_DECREF(type);
}

// ---- attributes -------------------------------------------------------------------------------------

// Shape and strides (bytes) in the order of the Image's own layout. Cannot fail: checked when made.
static int axes(PyObject *self, int64_t *shape, int64_t *strides)
{
    int ndim = 0;
    pixview_status status = pixview_image_axes(&image_of(self)->image, image_of(self)->layout,
                                               &ndim, shape, strides, NULL);
    return status ? 0 : ndim;
}

static PyObject *get_shape(PyObject *self, void *closure)
{
    (void)closure;
    int64_t shape[4], strides[4];
    return pv_dims(axes(self, shape, strides), shape);
}

static PyObject *get_strides(PyObject *self, void *closure)
{
    (void)closure;
    int64_t shape[4], strides[4];
    return pv_dims(axes(self, shape, strides), strides);
}

static PyObject *get_layout(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(pixview_layout_name(image_of(self)->layout));
}

static PyObject *get_dtype(PyObject *self, void *closure)
{
    (void)closure;
    return pv_dtype_object(state_of(self), image_of(self)->image.dtype);
}

static PyObject *get_device(PyObject *self, void *closure)
{
    (void)closure;
    return Py_BuildValue("si", on_host(self) ? "cpu" : "cuda",
                         on_host(self) ? 0 : image_of(self)->image.device.id);
}

static PyObject *get_nbytes(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLongLong(pixview_image_nbytes(&image_of(self)->image));
}

static PyObject *get_readonly(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(image_of(self)->image.flags & PIXVIEW_FLAG_READ_ONLY);
}

static PyObject *get_owner(PyObject *self, void *closure)
{
    (void)closure;
    PyObject *held = pv_held_object(image_of(self)->image.owner);
    return Py_NewRef(held ? held : Py_None);
}

// ---- array interfaces ---------------------------------------------------------------------------------

// AttributeError, so that hasattr says no and consumers go on to DLPack.
static PyObject *typestr_of(PyObject *self)
{
    pixview_dtype dtype = image_of(self)->image.dtype;
    const char *typestr = pixview_typestr(dtype);
    if (typestr)
        return PyUnicode_FromString(typestr);
    PyErr_Format(PyExc_AttributeError, "%s has no typestr in the array interface; use DLPack",
                 pixview_dtype_name(dtype));
    return NULL;
}

static PyObject *interface_of(PyObject *self)
{
    const pixview_image *image = &image_of(self)->image;
    PyObject *typestr = typestr_of(self);
    if (!typestr)
        return NULL;
    void *data = pixview_image_is_empty(image) ? NULL : image->data;
    return Py_BuildValue("{sNsNsNs(NO)si}", "shape", get_shape(self, NULL), "typestr", typestr,
                         "strides", get_strides(self, NULL), "data", PyLong_FromVoidPtr(data),
                         image->flags & PIXVIEW_FLAG_READ_ONLY ? Py_True : Py_False, "version", 3);
}

static PyObject *no_attribute(PyObject *self, const char *name)
{
    PyErr_Format(PyExc_AttributeError, "this pixview.Image is in %s memory and has no %s",
                 on_host(self) ? "host" : "device", name);
    return NULL;
}

static PyObject *get_array_interface(PyObject *self, void *closure)
{
    (void)closure;
    return on_host(self) ? interface_of(self) : no_attribute(self, "__array_interface__");
}

// Carries the real stream (1 for legacy), so that the consumer orders itself after it.
static PyObject *get_cuda_array_interface(PyObject *self, void *closure)
{
    (void)closure;
    if (on_host(self))
        return no_attribute(self, "__cuda_array_interface__");
    pixview_stream stream = image_of(self)->image.stream;
    PyObject *dict = interface_of(self);
    PyObject *value =
        stream == PIXVIEW_STREAM_NONE
            ? Py_NewRef(Py_None)
            : PyLong_FromUnsignedLongLong(stream == PIXVIEW_STREAM_LEGACY ? 1 : stream);
    if (dict && (!value || PyDict_SetItemString(dict, "stream", value)))
        Py_CLEAR(dict);
    Py_XDECREF(value);
    return dict;
}

// NumPy would otherwise make a 0-d object array of an Image on a GPU.
static PyObject *array(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"dtype", "copy", NULL};
    pv_state *st = state_of(self);
    PyObject *dtype = Py_None, *copy = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$O:__array__", names, &dtype, &copy))
        return NULL;
    if (!on_host(self)) {
        return pv_raisef(
            st, PIXVIEW_E_DEVICE,
            "the Image is in device memory: pixview.as_numpy(image, copy=True) downloads it");
    }
    pv_request req = {.to = PV_NUMPY, .copy = -1};
    if (pv_need_numpy(st))
        return NULL;
    PyObject *view = pv_convert(st, self, &req);
    if (!view || (dtype == Py_None && copy != Py_True))
        return view;
    // Without copy=True a change of dtype is the only reason to copy, and astype knows it.
    PyObject *type = dtype == Py_None ? PyObject_GetAttr(view, st->s_dtype) : Py_NewRef(dtype);
    PyObject *astype = type ? PyObject_GetAttrString(view, "astype") : NULL;
    PyObject *positional = astype ? PyTuple_Pack(1, type) : NULL;
    PyObject *keywords =
        positional ? Py_BuildValue("{sO}", "copy", copy == Py_True ? Py_True : Py_False) : NULL;
    PyObject *out = keywords ? PyObject_Call(astype, positional, keywords) : NULL;
    Py_XDECREF(keywords);
    Py_XDECREF(positional);
    Py_XDECREF(astype);
    Py_XDECREF(type);
    if (out && out != view && copy == Py_False) {
        PyErr_SetString(PyExc_ValueError,
                        "a change of dtype needs a copy, which copy=False forbids");
        Py_CLEAR(out);
    }
    Py_DECREF(view);
    return out;
}

// ---- crop, repr ----------------------------------------------------------------------------------------

static PyObject *crop(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"y", "x", "h", "w", NULL};
    long long y, x, h, w;
    pv_image *from = image_of(self);
    pixview_image out;
    pixview_error err;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "LLLL:crop", names, &y, &x, &h, &w)) {
        if (PyErr_ExceptionMatches(PyExc_TypeError))
            return NULL;
        return pv_raise_from(state_of(self), PIXVIEW_E_LAYOUT,
                             "crop takes y, x, h and w as integers of 64 bits");
    }
    if (pixview_image_crop(&from->image, y, x, h, w, &out, &err))
        return pv_raise(state_of(self), &err);
    return pv_image_with_stream(pv_image_new(state_of(self), &out, from->layout),
                                from->stream_object);
}

static PyObject *repr(PyObject *self)
{
    const pixview_image *image = &image_of(self)->image;
    PyObject *shape = get_shape(self, NULL), *device = get_device(self, NULL);
    PyObject *text = NULL;
    if (shape && device) {
        text = PyUnicode_FromFormat("<pixview.Image %s %S %s on %U:%S%s>",
                                    pixview_layout_name(image_of(self)->layout), shape,
                                    pixview_dtype_name(image->dtype), PyTuple_GET_ITEM(device, 0),
                                    PyTuple_GET_ITEM(device, 1),
                                    image->flags & PIXVIEW_FLAG_READ_ONLY ? ", read-only" : "");
    }
    Py_XDECREF(shape);
    Py_XDECREF(device);
    return text;
}

// ---- buffer protocol -------------------------------------------------------------------------------------

typedef struct {
    Py_ssize_t shape[4], strides[4];
} buffer_dims;

static bool meets_order(const Py_buffer *view, int flags)
{
    static const struct {
        int flag;
        char order;
    } orders[] = {
        {PyBUF_C_CONTIGUOUS, 'C'}, {PyBUF_F_CONTIGUOUS, 'F'}, {PyBUF_ANY_CONTIGUOUS, 'A'}};
    for (int i = 0; i < 3; i++) {
        if ((flags & orders[i].flag) == orders[i].flag &&
            !PyBuffer_IsContiguous(view, orders[i].order))
            return false;
    }
    return true;
}

static int getbuffer(PyObject *self, Py_buffer *view, int flags)
{
    const pixview_image *image = &image_of(self)->image;
    const char *format = pv_dtype_format(image->dtype);
    view->obj = NULL;
    if (!on_host(self) || !format) {
        PyErr_Format(PyExc_BufferError, !format
                                            ? "bfloat16 has no buffer format; use DLPack"
                                            : "the Image is in device memory: "
                                              "pixview.as_numpy(image, copy=True) downloads it");
        return -1;
    }
    bool readonly = image->flags & PIXVIEW_FLAG_READ_ONLY;
    bool packed = pixview_image_is_packed(image, image_of(self)->layout);
    if ((flags & PyBUF_WRITABLE) && readonly) {
        PyErr_SetString(PyExc_BufferError, "the Image is read-only");
        return -1;
    }
    if (!packed && (flags & PyBUF_STRIDES) != PyBUF_STRIDES) {
        PyErr_SetString(PyExc_BufferError,
                        "the Image has strides, which this consumer does not ask for");
        return -1;
    }
    buffer_dims *dims = PyMem_Malloc(sizeof *dims);
    if (!dims) {
        PyErr_NoMemory();
        return -1;
    }
    int64_t shape[4], strides[4];
    int ndim = axes(self, shape, strides);
    for (int i = 0; i < ndim; i++) {
        dims->shape[i] = shape[i];
        dims->strides[i] = strides[i];
    }
    *view = (Py_buffer){.buf = image->data,
                        .obj = NULL,
                        .len = pixview_image_nbytes(image),
                        .itemsize = pixview_dtype_size(image->dtype),
                        .readonly = readonly,
                        .ndim = ndim,
                        .format = (char *)format,
                        .shape = dims->shape,
                        .strides = dims->strides,
                        .internal = dims};
    if (!meets_order(view, flags)) {
        PyMem_Free(dims);
        PyErr_SetString(PyExc_BufferError, "the Image is not contiguous in the order asked for");
        return -1;
    }
    if ((flags & PyBUF_FORMAT) != PyBUF_FORMAT)
        view->format = NULL;
    if ((flags & PyBUF_ND) != PyBUF_ND) { // plain bytes, one after the other
        view->shape = NULL;
        view->ndim = 1;
    }
    if ((flags & PyBUF_STRIDES) != PyBUF_STRIDES)
        view->strides = NULL;
    view->obj = Py_NewRef(self);
    return 0;
}

static void releasebuffer(PyObject *self, Py_buffer *view)
{
    (void)self;
    PyMem_Free(view->internal);
}

// ---- the type ----------------------------------------------------------------------------------------------

static PyObject *no_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)type, (void)args, (void)kwargs;
    PyErr_SetString(PyExc_TypeError, "make an Image with pixview.view or pixview.from_pointer");
    return NULL;
}

static PyMethodDef methods[] = {
    {"crop", (PyCFunction)(void (*)(void))crop, METH_VARARGS | METH_KEYWORDS,
     "crop($self, /, y, x, h, w)\n--\n\n"
     "The rectangle of h rows and w columns at row y, column x, in pixels: an Image over the same\n"
     "memory, which it keeps alive. Always a view. LayoutError if it leaves the image."},
    {"__dlpack__", (PyCFunction)(void (*)(void))pv_image_dlpack, METH_FASTCALL | METH_KEYWORDS,
     "__dlpack__($self, /, stream=None, *, max_version=None, dl_device=None, copy=None)\n--\n\n"
     "A DLPack capsule (array API 2024.12) that keeps the memory alive.\n\n"
     "stream: on which the consumer will use device memory: None or 1 (legacy default), 2 "
     "(per-thread\n"
     "   default), a handle, -1 (no ordering). It is made to wait for the Image's own stream. Host "
     "memory\n"
     "   has none. max_version: versioned struct from (1, 0) on; else the legacy one, which cannot "
     "say that\n"
     "   memory is read-only. dl_device: where it is wanted: here, or (1, 0), the CPU, which "
     "device "
     "memory\n"
     "   reaches by a copy that the call waits for. copy: None copies only for that, False never, "
     "True\n"
     "   always.\n\n"
     "Errors: BufferError for what DLPack cannot describe or a copy that is not allowed, "
     "ReadOnlyError (a\n"
     "BufferError) for read-only memory in a legacy struct, ValueError for stream=0, CudaError."},
    {"__dlpack_device__", pv_image_dlpack_device, METH_NOARGS,
     "__dlpack_device__($self, /)\n--\n\n"
     "(device type, device id) in DLPack's codes: type 1 CPU, 2 CUDA, 3 pinned host, 13 managed "
     "memory."},
    {"__array__", (PyCFunction)(void (*)(void))array, METH_VARARGS | METH_KEYWORDS,
     "__array__($self, dtype=None, *, copy=None)\n--\n\n"
     "For numpy.asarray: the view of host memory, or a copy where dtype or copy=True ask for one.\n"
     "DeviceError in device memory, ValueError if copy=False forbids the copy."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef getset[] = {
    {"shape", get_shape, NULL,
     "Extents in elements, in the order of `layout`: a tuple of 2 to 4 ints.", NULL},
    {"strides", get_strides, NULL,
     "Strides in bytes, in the order of `layout`; any sign. Never None.", NULL},
    {"layout", get_layout, NULL, "Names of the axes: 'HW', 'CHW', 'HWC', 'NCHW' or 'NHWC'.", NULL},
    {"dtype", get_dtype, NULL, "NumPy dtype of the elements; the string 'bfloat16' for that type.",
     NULL},
    {"device", get_device, NULL, "('cuda', ordinal) or ('cpu', 0).", NULL},
    {"nbytes", get_nbytes, NULL, "Bytes of the elements; padding between rows is not counted.",
     NULL},
    {"readonly", get_readonly, NULL, "May the memory not be written?", NULL},
    {"owner", get_owner, NULL,
     "The Python object that this Image keeps alive; None if it is no Python object (memory of "
     "DLPack or OpenCV, held by their counts) or nothing is held.",
     NULL},
    {"__array_interface__", get_array_interface, NULL,
     "Array interface 3. AttributeError for device memory, and for bfloat16, which has no typestr.",
     NULL},
    {"__cuda_array_interface__", get_cuda_array_interface, NULL,
     "CUDA array interface 3, with the stream that the memory is in (1: legacy default). "
     "AttributeError for host memory, and for bfloat16, which has no typestr.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     "An image in memory, wherever it lives: shape, layout and what keeps it alive.\n\n"
     "Made by pixview.view and pixview.from_pointer. NumPy, torch, CuPy, Numba, JAX and\n"
     "everything that speaks DLPack or an array interface takes it directly; consumers in C find "
     "the\n"
     "DLPack C exchange table in Image.__dlpack_c_exchange_api__. It cannot be subclassed."},
    {Py_tp_new, no_new},
    {Py_tp_dealloc, image_dealloc},
    {Py_tp_repr, repr},
    {Py_tp_methods, methods},
    {Py_tp_getset, getset},
    {Py_bf_getbuffer, getbuffer},
    {Py_bf_releasebuffer, releasebuffer},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "pixview.Image",
    .basicsize = sizeof(pv_image),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

PyTypeObject *pv_image_type_new(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
}
