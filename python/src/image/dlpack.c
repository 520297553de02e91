// SPDX-License-Identifier: Apache-2.0
// Image.__dlpack__: the array API's exporter, stream rules included (array API 2024.12, DLPack 1.3).

#include "base/args.h"
#include "base/capsule.h"
#include "base/errors.h"
#include "base/plain_memory.h"
#include "convert/copy.h"
#include "cuda/stream.h"
#include "descriptor/dlpack_abi.h"
#include "frameworks/stream_argument.h"
#include "frameworks/stream_life.h"
#include "image/image.h"

PyObject *pv_image_dlpack_device(PyObject *self, PyObject *ignored)
{
    (void)ignored;
    pixview_device device = ((pv_image *)self)->image.device;
    return Py_BuildValue("ii", (int)device.type, (int)device.id);
}

// ---- arguments ---------------------------------------------------------------------------------------

typedef struct asked {
    bool versioned;
    bool cpu;         // dl_device asks for the CPU ...
    bool to_host;     // ... of memory that is not there
    int copy;         // -1 None, 0, 1
    pv_stream stream; // the consumer's; the object is owned
} asked;

static int parse_version(pv_state *st, PyObject *value, asked *out)
{
    if (!value || value == Py_None)
        return 0;
    int overflow = 0;
    PyObject *major = PySequence_GetItem(value, 0);
    PyObject *minor = major ? PySequence_GetItem(value, 1) : NULL;
    long number = minor ? PyLong_AsLongAndOverflow(major, &overflow) : -1;
    Py_XDECREF(major);
    Py_XDECREF(minor);
    out->versioned = overflow > 0 || (!overflow && number >= DL_MAJOR);
    if (!PyErr_Occurred())
        return 0;
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "max_version=%R is not (major, minor)", value);
    return -1;
}

// None means the legacy default stream, the number 0 is not allowed (ambiguous), -1 means no ordering.
static int parse_consumer(pv_state *st, PyObject *value, const pixview_image *image, bool host,
                          asked *out)
{
    out->stream = (pv_stream){PIXVIEW_STREAM_LEGACY, NULL};
    if (!value || value == Py_None)
        return 0;
    if (pv_parse_stream(st, value, &out->stream))
        return -1;
    if (out->stream.handle == PIXVIEW_STREAM_NONE) {
        out->stream.object = NULL;
        return 0;
    }
    if (host) {
        pv_raise_python(PyExc_ValueError,
                        "stream=%R, but the Image is in host memory; pass None or -1", value);
        return -1;
    }
    if (out->stream.handle == 0 && PyIndex_Check(value)) {
        pv_raise_python(PyExc_ValueError, "stream=%R: DLPack allows None, -1, 1, 2 or a handle",
                        value);
        return -1;
    }
    // Libraries pass the handle of their current stream, which can be held.
    Py_XINCREF(out->stream.object);
    pv_stream_find_keeper(st, image->device.id, &out->stream);
    return 0;
}

static int parse_dl_device(PyObject *value, const pixview_image *image, asked *out)
{
    if (!value || value == Py_None)
        return 0;
    int type, id;
    if (!PyTuple_Check(value) || !PyArg_ParseTuple(value, "ii", &type, &id)) {
        PyErr_Clear();
        pv_raise_python(PyExc_TypeError, "dl_device=%R is not (device type, device id)", value);
        return -1;
    }
    if (type == image->device.type && id == image->device.id)
        return 0;
    out->cpu = type == PIXVIEW_DEVICE_CPU;
    out->to_host = out->cpu && !pixview_image_on_host(image);
    if (out->cpu)
        return 0;
    PyErr_Format(
        PyExc_BufferError,
        "dl_device=(%d, %d), but the Image is on (%d, %d); the only other device allowed is the "
        "CPU, (1, 0)",
        type, id, (int)image->device.type, (int)image->device.id);
    return -1;
}

static int parse_dlpack_call(pv_state *st, const pixview_image *image, PyObject *const *args,
                             Py_ssize_t nargs, PyObject *kwnames, asked *out)
{
    PyObject *stream = NULL, *version = NULL, *device = NULL, *copy = NULL;
    // stream may be positional too: CV-CUDA passes it that way.
    const pv_keyword keywords[] = {
        {"stream", &stream}, {"max_version", &version}, {"dl_device", &device}, {"copy", &copy}};
    if (nargs == 0)
        stream = Py_None;
    if (pv_parse_args("__dlpack__", args, nargs, kwnames, 1, keywords, 4))
        return -1;
    *out = (asked){.copy = -1};
    if (parse_version(st, version, out) || parse_dl_device(device, image, out) ||
        pv_parse_copy(copy, &out->copy))
        return -1;
    return parse_consumer(st, stream, image, pixview_image_on_host(image), out);
}

static PyObject *make_capsule(pv_state *st, const pixview_image *image, pixview_layout layout,
                              const asked *ask, uint64_t flags)
{
    return ask->versioned ? pv_capsule_versioned(st, image, layout, flags)
                          : pv_capsule_legacy(st, image, layout);
}

static PyObject *show_view(pv_state *st, const pixview_image *image, pixview_layout layout,
                           PyObject *keep, const asked *ask)
{
    pixview_image shown = *image;
    if (ask->cpu) // pinned memory too
        shown.device = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
    if (pv_order_image(st, &shown, keep, &ask->stream))
        return NULL;
    PyObject *out = make_capsule(st, &shown, layout, ask, 0);
    pixview_owner_unref(shown.owner);
    return out;
}

static PyObject *show_copy(pv_state *st, const pixview_image *image, pixview_layout layout,
                           PyObject *keep, const asked *ask)
{
    pixview_image made;
    pixview_device device = image->device;
    if (ask->to_host || pixview_image_on_host(image))
        device = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
    if (pv_allocate_plain(st, image, layout, device, image->stream, keep, &made))
        return NULL;
    PyObject *capsule = NULL;
    pixviewi_stream_relation relation;
    if (pv_copy_on_streams(st, image, &made, ask->stream.handle, false, &relation) == 0 &&
        pv_owner_add_consumer(&made, &ask->stream, &relation, keep) == 0)
        capsule = make_capsule(st, &made, layout, ask, DL_FLAG_IS_COPIED);
    pixview_owner_unref(made.owner);
    return capsule;
}

static PyObject *show(pv_state *st, const pv_image *self, const asked *ask)
{
    if (ask->to_host && ask->copy == 0) {
        PyErr_SetString(PyExc_BufferError,
                        "copy=False, but device memory reaches the CPU only by a copy");
        return NULL;
    }
    return ask->copy == 1 || ask->to_host
               ? show_copy(st, &self->image, self->layout, self->stream_object, ask)
               : show_view(st, &self->image, self->layout, self->stream_object, ask);
}

PyObject *pv_image_dlpack(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames)
{
    pv_state *st = PyType_GetModuleState(Py_TYPE(self));
    const pv_image *image = (pv_image *)self;
    asked ask;
    if (parse_dlpack_call(st, &image->image, args, nargs, kwnames, &ask))
        return NULL;
    PyObject *capsule = show(st, image, &ask);
    Py_XDECREF(ask.stream.object);
    return capsule;
}
