// SPDX-License-Identifier: Apache-2.0
// __dlpack__ (array API 2024.12): capsules, versioned and legacy, from any producer.

#include <string.h>

#include "base/errors.h"
#include "base/pyref.h"
#include "descriptor/dlpack.h"
#include "descriptor/dlpack_abi.h"
#include "frameworks/imported.h"
#include "frameworks/protocols/protocols.h"
#include "frameworks/streams.h"
#include "frameworks/table.h"

// Layout and guard need the shape before the tensor is taken over.
static int init_from_dltensor(pv_state *st, const DlTensor *t, const pv_options *options,
                              pv_imported *in)
{
    pixviewi_tensor read;
    if (pixviewi_dltensor_read(t, &read, &st->error)) {
        return pv_fail(st);
    }
    return pv_imported_init(st, in, options, read.data, read.ndim, read.shape,
                            read.packed ? NULL : read.strides, read.dtype, read.device);
}

int pv_import_managed_take(pv_state *st, DlManaged *m, const pv_options *options, pv_imported *in)
{
    if (m->version.major != DL_MAJOR) { // nothing else of it may be read
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
                  "the DLPack tensor has version %u.%u; pixview knows 1.x", m->version.major,
                  m->version.minor);
        return -1;
    }
    if (init_from_dltensor(st, &m->tensor, options, in))
        return -1;
    in->producer_copied = m->flags & DL_FLAG_IS_COPIED;
    if (m->flags & DL_FLAG_READ_ONLY)
        in->image.flags |= PIXVIEW_FLAG_READ_ONLY;
    if (options->planning)
        return 0;
    if (!(in->image.owner = pixviewi_dlpack_owner_take(m))) {
        PyErr_NoMemory();
        return -1;
    }
    pv_pyref_guard_deleter(in->image.owner, false);
    in->image.stream = PIXVIEW_STREAM_NONE; // the producer has seen to the order
    return 0;
}

static int take_versioned(pv_state *st, PyObject *capsule, DlManaged *m, const pv_options *options,
                          pv_imported *in)
{
    if (pv_import_managed_take(st, m, options, in))
        return -1;
    // From here on the owner calls the deleter.
    return options->planning ? 0 : PyCapsule_SetName(capsule, "used_dltensor_versioned");
}

static int take_legacy(pv_state *st, PyObject *capsule, DlManagedLegacy *m,
                       const pv_options *options, pv_imported *in)
{
    if (init_from_dltensor(st, &m->tensor, options, in))
        return -1;
    if (options->planning)
        return 0;
    if (!(in->image.owner = pixviewi_dlpack_legacy_owner_take(m))) {
        PyErr_NoMemory();
        return -1;
    }
    pv_pyref_guard_deleter(in->image.owner, true);
    in->image.stream = PIXVIEW_STREAM_NONE;
    return PyCapsule_SetName(capsule, "used_dltensor");
}

int pv_import_capsule(pv_state *st, PyObject *capsule, const pv_options *options, pv_imported *in)
{
    if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
        return take_versioned(st, capsule, PyCapsule_GetPointer(capsule, "dltensor_versioned"),
                              options, in);
    }
    if (PyCapsule_IsValid(capsule, "dltensor")) {
        return take_legacy(st, capsule, PyCapsule_GetPointer(capsule, "dltensor"), options, in);
    }
    const char *name = PyCapsule_GetName(capsule);
    PyErr_Clear();
    pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
              "the capsule is named '%s' instead of 'dltensor' or 'dltensor_versioned'%s",
              name ? name : "",
              name && strncmp(name, "used_", 5) == 0 ? ": it was consumed before" : "");
    return -1;
}

// -1 with an error; else the device, CPU if the object does not say.
static int dlpack_device_of(pv_state *st, PyObject *x, pixview_device *out)
{
    *out = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
    PyObject *pair = PyObject_CallMethodNoArgs(x, st->s___dlpack_device__);
    int ok = pair && PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2;
    long type = ok ? PyLong_AsLong(PyTuple_GET_ITEM(pair, 0)) : 0;
    long id = ok ? PyLong_AsLong(PyTuple_GET_ITEM(pair, 1)) : 0;
    *out = (pixview_device){(int32_t)type, (int32_t)id};
    ok = ok && type == out->type && id == out->id;
    Py_XDECREF(pair);
    if (ok && !PyErr_Occurred())
        return 0;
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "__dlpack_device__() of a %s object fails",
                  Py_TYPE(x)->tp_name);
    return -1;
}

// Did the producer not know a keyword? An error of ours, from further down, is another matter: asking
// again for each would take three times as long at every level.
static bool unknown_keyword(pv_state *st)
{
    return PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(st->Error);
}

// Keywords that an older producer does not know make it raise TypeError: ask again with fewer.
static PyObject *capsule_of(pv_state *st, PyObject *x, PyObject *stream)
{
    PyObject *args[] = {x, stream ? stream : st->dlpack_version, st->dlpack_version};
    PyObject *capsule = PyObject_VectorcallMethod(st->s___dlpack__, args, 1,
                                                  stream ? st->kw_stream_version : st->kw_version);
    if (capsule || !unknown_keyword(st))
        return capsule;
    if (stream) {
        PyErr_Clear();
        capsule = PyObject_VectorcallMethod(st->s___dlpack__, args, 1, st->kw_stream);
        if (capsule || !unknown_keyword(st))
            return capsule;
    }
    PyErr_Clear();
    return PyObject_VectorcallMethod(st->s___dlpack__, args, 1, NULL);
}

// What to pass as stream=: on CUDA the consumer's, with the legacy one written as 1 (0 is not allowed).
static PyObject *stream_argument(pixview_stream stream)
{
    if (stream == PIXVIEW_STREAM_NONE)
        return PyLong_FromLong(-1);
    return PyLong_FromUnsignedLongLong(stream == 0 ? 1 : stream);
}

// JAX's arrays never change, but its capsules (0.10) are of the old kind, which cannot say so.
static bool never_changes(PyObject *x)
{
    PyObject *module = PyObject_GetAttrString((PyObject *)Py_TYPE(x), "__module__");
    const char *name = module && PyUnicode_Check(module) ? PyUnicode_AsUTF8(module) : NULL;
    bool jax = name && strncmp(name, "jaxlib.", 7) == 0;
    Py_XDECREF(module);
    PyErr_Clear();
    return jax;
}

// A producer that says another place than its tensor has was told the wrong stream, or none.
static int check_place(pv_state *st, PyObject *x, pixview_device said, const pixview_image *image)
{
    pixview_image shown = {.device = said};
    bool host = pixview_image_on_host(&shown);
    if (host == pixview_image_on_host(image) && (host || said.id == image->device.id)) {
        return 0;
    }
    pv_raisef(st, PIXVIEW_E_DEVICE,
              "__dlpack_device__() of a %s object returned (%d, %d), but its tensor is on (%d, %d)",
              Py_TYPE(x)->tp_name, (int)said.type, (int)said.id, (int)image->device.type,
              (int)image->device.id);
    return -1;
}

// Destructors of capsules may run Python, or assume that no exception is set.
static void drop_capsule(PyObject *capsule)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    Py_DECREF(capsule);
    PyErr_Restore(type, value, traceback);
}

int pv_import_dlpack(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    pixview_device device;
    pv_stream consumer = {0, NULL};
    if (dlpack_device_of(st, x, &device) || pv_consumer_stream(st, options, device, &consumer))
        return -1;
    bool cuda = device.type == PIXVIEW_DEVICE_CUDA || device.type == PIXVIEW_DEVICE_CUDA_MANAGED;
    PyObject *stream = cuda ? stream_argument(consumer.handle) : NULL;
    if (cuda && !stream)
        return -1;
    PyObject *capsule = capsule_of(st, x, stream);
    Py_XDECREF(stream);
    if (!capsule) {
        Py_XDECREF(consumer.object);
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "__dlpack__() of a %s object fails",
                      Py_TYPE(x)->tp_name);
        return -1;
    }
    int rc = -1;
    if (PyCapsule_CheckExact(capsule)) {
        rc = pv_import_capsule(st, capsule, options, in);
        if (rc == 0)
            rc = check_place(st, x, device, &in->image);
        if (rc == 0 && never_changes(x))
            in->image.flags |= PIXVIEW_FLAG_READ_ONLY;
        // An Image lives on: what uses it next waits for the stream that the producer was told.
        if (rc == 0 && options->to->flags & PV_OURS && !options->has_stream && cuda) {
            in->image.stream = consumer.handle;
            in->stream_object = Py_XNewRef(consumer.object);
        }
    } else {
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
                  "__dlpack__() of a %s object gave a %s object instead of a capsule",
                  Py_TYPE(x)->tp_name, Py_TYPE(capsule)->tp_name);
    }
    drop_capsule(capsule);
    Py_XDECREF(consumer.object);
    return rc;
}
