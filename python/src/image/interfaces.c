// SPDX-License-Identifier: Apache-2.0
// Image.__array_interface__, __cuda_array_interface__ and __array__.

#include "base/args.h"
#include "base/errors.h"
#include "convert/convert.h"
#include "frameworks/table.h"
#include "image/image.h"

// AttributeError, so that hasattr says no and consumers go on to DLPack.
static PyObject *typestr_of(PyObject *self)
{
    pixview_dtype dtype = pv_image_of(self)->image.dtype;
    const char *typestr = pixview_typestr(dtype);
    if (typestr)
        return PyUnicode_FromString(typestr);
    PyErr_Format(PyExc_AttributeError, "%s has no typestr in the array interface; use DLPack",
                 pixview_dtype_name(dtype));
    return NULL;
}

static PyObject *interface_of(PyObject *self)
{
    const pixview_image *image = &pv_image_of(self)->image;
    PyObject *typestr = typestr_of(self);
    if (!typestr)
        return NULL;
    int64_t shape[4], strides[4];
    int ndim = pv_image_axes(self, shape, strides);
    // None as NumPy gives it: Pillow reads the buffer only then.
    bool packed = pixview_image_is_packed(image, pv_image_of(self)->layout);
    return Py_BuildValue("{sNsNsNs(NO)si}", "shape", pv_dims(ndim, shape), "typestr", typestr,
                         "strides", packed ? Py_NewRef(Py_None) : pv_dims(ndim, strides), "data",
                         pv_image_address(self),
                         image->flags & PIXVIEW_FLAG_READ_ONLY ? Py_True : Py_False, "version", 3);
}

static PyObject *no_attribute(PyObject *self, const char *name)
{
    PyErr_Format(PyExc_AttributeError, "this pixview.Image is in %s memory and has no %s",
                 pv_image_on_host(self) ? "host" : "device", name);
    return NULL;
}

PyObject *pv_image_array_interface(PyObject *self, void *closure)
{
    (void)closure;
    return pv_image_on_host(self) ? interface_of(self) : no_attribute(self, "__array_interface__");
}

// Carries the real stream (1 for legacy), so that the consumer orders itself after it.
PyObject *pv_image_cuda_array_interface(PyObject *self, void *closure)
{
    (void)closure;
    if (pv_image_on_host(self))
        return no_attribute(self, "__cuda_array_interface__");
    pixview_stream stream = pv_image_of(self)->image.stream;
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
PyObject *pv_image_array(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"dtype", "copy", NULL};
    pv_state *st = pv_image_state(self);
    PyObject *dtype = Py_None, *copy = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$O:__array__", names, &dtype, &copy))
        return NULL;
    if (!pv_image_on_host(self)) {
        return pv_raisef(
            st, PIXVIEW_E_DEVICE,
            "the Image is in device memory: pixview.as_numpy(image, copy=True) downloads it");
    }
    pv_options options = {.to = PV_DUNDER_ARRAY_MAKES, .copy = -1};
    PyObject *view = pv_convert(st, self, &options);
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
