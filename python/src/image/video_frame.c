// SPDX-License-Identifier: Apache-2.0
// The type pixview.VideoFrame: its attributes, crop, and what it shows to an encoder.

#include "base/args.h"
#include "base/errors.h"
#include "base/image_object.h"
#include "base/video_object.h"
#include "descriptor/stream.h"
#include "descriptor/video.h"
#include "image/docs.h"
#include "image/image.h"

static pv_video_frame *self_of(PyObject *self) { return (pv_video_frame *)self; }

static const pixview_video_frame *frame_of(PyObject *self) { return &self_of(self)->frame; }

static bool on_host(PyObject *self) { return pixview_image_on_host(&self_of(self)->face); }

static PyObject *get_planes(PyObject *self, void *closure)
{
    (void)closure;
    return Py_NewRef(self_of(self)->planes);
}

static PyObject *get_format(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(pixview_video_format_name(frame_of(self)->format));
}

static PyObject *get_height(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLongLong(frame_of(self)->height);
}

static PyObject *get_width(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLongLong(frame_of(self)->width);
}

// A gray frame may have none.
static PyObject *get_matrix(PyObject *self, void *closure)
{
    (void)closure;
    const char *name = pixview_video_matrix_name(frame_of(self)->matrix);
    return *name ? PyUnicode_FromString(name) : Py_NewRef(Py_None);
}

static PyObject *get_range(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(pixview_video_range_name(frame_of(self)->range));
}

static PyObject *get_order(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(frame_of(self)->order == PIXVIEW_VIDEO_ORDER_BGR ? "BGR" : "RGB");
}

static PyObject *get_bit_depth(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(frame_of(self)->bits);
}

static PyObject *get_device(PyObject *self, void *closure)
{
    (void)closure;
    return Py_BuildValue("si", on_host(self) ? "cpu" : "cuda",
                         on_host(self) ? 0 : self_of(self)->face.device.id);
}

static PyObject *get_stream(PyObject *self, void *closure)
{
    (void)closure;
    pixview_stream stream = self_of(self)->face.stream;
    if (on_host(self))
        Py_RETURN_NONE;
    return stream == PIXVIEW_STREAM_NONE
               ? PyLong_FromLong(-1)
               : PyLong_FromUnsignedLongLong(pixviewi_stream_normalize(stream));
}

static PyObject *crop(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"y", "x", "h", "w", NULL};
    pv_state *st = PyType_GetModuleState(Py_TYPE(self));
    pixview_video_frame out;
    pixview_error err;
    PyObject *given[4];
    long long at[4];
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO:crop", names, &given[0], &given[1],
                                     &given[2], &given[3]))
        return NULL;
    for (int i = 0; i < 4; i++)
        if (pv_parse_crop(st, names[i], given[i], &at[i]))
            return NULL;
    if (pixview_video_frame_crop(frame_of(self), at[0], at[1], at[2], at[3], &out, &err))
        return pv_raise(st, &err);
    return pv_video_frame_new(st, &out, self_of(self)->stream_object);
}

// ---- to an encoder ----------------------------------------------------------------------------

// Axes H,W,C always, strides even of dense rows, and 16 bits as "|u2": so NVIDIA's encoder reads them.
static PyObject *interface_of(const pixview_image *plane)
{
    pixview_stream stream = plane->stream;
    PyObject *wait =
        stream == PIXVIEW_STREAM_NONE
            ? Py_NewRef(Py_None)
            : PyLong_FromUnsignedLongLong(pixviewi_stream_is_legacy(stream) ? 1 : stream);
    if (!wait)
        return NULL;
    return Py_BuildValue("{sNsNsssNsisN}", "shape", pv_dims(3, plane->shape + PIXVIEW_AXIS_H),
                         "strides", pv_dims(3, plane->strides + PIXVIEW_AXIS_H), "typestr",
                         plane->dtype.bits == 8 ? "|u1" : "|u2", "data",
                         Py_BuildValue("(NO)", PyLong_FromVoidPtr(plane->data),
                                       plane->flags & PIXVIEW_FLAG_READ_ONLY ? Py_True : Py_False),
                         "version", 3, "stream", wait);
}

// types.SimpleNamespace(__cuda_array_interface__=..., owner=the Image)
static PyObject *show_plane(PyObject *namespace, PyObject *image)
{
    PyObject *interface = interface_of(&((pv_image *)image)->image);
    PyObject *keywords =
        interface ? Py_BuildValue("{sOsO}", "__cuda_array_interface__", interface, "owner", image)
                  : NULL;
    PyObject *none = keywords ? PyTuple_New(0) : NULL;
    PyObject *shown = none ? PyObject_Call(namespace, none, keywords) : NULL;
    Py_XDECREF(none);
    Py_XDECREF(keywords);
    Py_XDECREF(interface);
    return shown;
}

static PyObject *show_planes(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    pv_state *st = PyType_GetModuleState(Py_TYPE(self));
    if (on_host(self))
        return pv_raisef(st, PIXVIEW_E_DEVICE,
                         "the video frame is in host memory; its planes are frame.planes");
    PyObject *types = PyImport_ImportModule("types");
    PyObject *namespace = types ? PyObject_GetAttrString(types, "SimpleNamespace") : NULL;
    PyObject *list = namespace ? PyList_New(0) : NULL, *plane;
    for (Py_ssize_t i = 0; list && (plane = pv_video_frame_plane(self, i)); i++) {
        PyObject *shown = show_plane(namespace, plane);
        if (!shown || PyList_Append(list, shown))
            Py_CLEAR(list);
        Py_XDECREF(shown);
    }
    Py_XDECREF(namespace);
    Py_XDECREF(types);
    return list;
}

// ---- copies and pickles -------------------------------------------------------------------------

// Of its planes: those in host memory travel as bytes, those on a GPU are shared.
static PyObject *reduce(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    PyObject *make =
        PyObject_GetAttrString(PyType_GetModule(Py_TYPE(self)), "_video_frame_from_pickle");
    if (!make)
        return NULL;
    return Py_BuildValue("(N(ONNNN(LL)))", make, self_of(self)->planes, get_format(self, NULL),
                         get_matrix(self, NULL), get_range(self, NULL), get_order(self, NULL),
                         (long long)frame_of(self)->height, (long long)frame_of(self)->width);
}

// _video_frame_from_pickle(planes, format, matrix, range, order, size): by the public function.
PyObject *pv_video_frame_from_pickle(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    static const char *const names[] = {"format", "matrix", "range", "order", "size"};
    if (nargs != 6)
        return PyErr_Format(PyExc_TypeError, "_video_frame_from_pickle takes 6 arguments");
    PyObject *make = PyObject_GetAttrString(module, "video_frame");
    PyObject *planes = PyTuple_Pack(1, args[0]), *facts = PyDict_New(), *out = NULL;
    int failed = !make || !planes || !facts;
    for (int i = 0; i < 5 && !failed; i++)
        failed = PyDict_SetItemString(facts, names[i], args[i + 1]);
    if (!failed)
        out = PyObject_Call(make, planes, facts);
    Py_XDECREF(facts);
    Py_XDECREF(planes);
    Py_XDECREF(make);
    return out;
}

// ---- the type ---------------------------------------------------------------------------------

static PyObject *frame_repr(PyObject *self)
{
    const pixview_video_frame *frame = frame_of(self);
    const char *matrix = pixview_video_matrix_name(frame->matrix);
    bool host = on_host(self);
    return PyUnicode_FromFormat(
        "<pixview.VideoFrame %s %lldx%lld %s%s%s%s on %s:%d>",
        pixview_video_format_name(frame->format), (long long)frame->width, (long long)frame->height,
        matrix, *matrix ? " " : "", pixview_video_range_name(frame->range),
        frame->order == PIXVIEW_VIDEO_ORDER_BGR ? ", as BGR," : "", host ? "cpu" : "cuda",
        host ? 0 : (int)self_of(self)->face.device.id);
}

static PyObject *no_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)type, (void)args, (void)kwargs;
    PyErr_SetString(PyExc_TypeError,
                    "make a VideoFrame with pixview.video_frame or pixview.to_video_frame");
    return NULL;
}

static PyMethodDef frame_methods[] = {
    {"crop", (PyCFunction)(void (*)(void))crop, METH_VARARGS | METH_KEYWORDS,
     PV_DOC_video_frame_crop},
    {"__reduce__", reduce, METH_NOARGS, NULL},
    {"cuda", show_planes, METH_NOARGS, PV_DOC_video_frame_cuda},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef frame_getset[] = {
    {"planes", get_planes, NULL, PV_DOC_video_frame_planes, NULL},
    {"format", get_format, NULL, PV_DOC_video_frame_format, NULL},
    {"height", get_height, NULL, PV_DOC_video_frame_height, NULL},
    {"width", get_width, NULL, PV_DOC_video_frame_width, NULL},
    {"matrix", get_matrix, NULL, PV_DOC_video_frame_matrix, NULL},
    {"range", get_range, NULL, PV_DOC_video_frame_range, NULL},
    {"bit_depth", get_bit_depth, NULL, PV_DOC_video_frame_bit_depth, NULL},
    {"order", get_order, NULL, PV_DOC_video_frame_order, NULL},
    {"device", get_device, NULL, PV_DOC_video_frame_device, NULL},
    {"stream", get_stream, NULL, PV_DOC_video_frame_stream, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot frame_slots[] = {
    {Py_tp_doc, PV_DOC_video_frame_type},
    {Py_tp_new, no_new},
    {Py_tp_dealloc, pv_video_frame_dealloc},
    {Py_tp_repr, frame_repr},
    {Py_tp_methods, frame_methods},
    {Py_tp_getset, frame_getset},
    {0, NULL},
};

static PyType_Spec frame_spec = {
    .name = "pixview.VideoFrame",
    .basicsize = sizeof(pv_video_frame),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = frame_slots,
};

PyTypeObject *pv_video_frame_type_new(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &frame_spec, NULL);
}
