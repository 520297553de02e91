// SPDX-License-Identifier: Apache-2.0
// The type pixview.Image: its attributes, crop and repr, and the table of what it shows.

#include "base/args.h"
#include "base/dtypes.h"
#include "base/errors.h"
#include "base/pyref.h"
#include "image/docs.h"
#include "image/image.h"

static PyObject *get_shape(PyObject *self, void *closure)
{
    (void)closure;
    int64_t shape[4], strides[4];
    return pv_dims(pv_image_axes(self, shape, strides), shape);
}

static PyObject *get_strides(PyObject *self, void *closure)
{
    (void)closure;
    int64_t shape[4], strides[4];
    return pv_dims(pv_image_axes(self, shape, strides), strides);
}

static PyObject *get_layout(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(pixview_layout_name(pv_image_of(self)->layout));
}

static PyObject *get_dtype(PyObject *self, void *closure)
{
    (void)closure;
    return pv_dtype_object(pv_image_state(self), pv_image_of(self)->image.dtype);
}

static PyObject *get_device(PyObject *self, void *closure)
{
    (void)closure;
    return Py_BuildValue("si", pv_image_on_host(self) ? "cpu" : "cuda",
                         pv_image_on_host(self) ? 0 : pv_image_of(self)->image.device.id);
}

static PyObject *get_nbytes(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLongLong(pixview_image_nbytes(&pv_image_of(self)->image));
}

static PyObject *get_ptr(PyObject *self, void *closure)
{
    (void)closure;
    return pv_image_address(self);
}

static PyObject *get_readonly(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(pv_image_of(self)->image.flags & PIXVIEW_FLAG_READ_ONLY);
}

static PyObject *get_owner(PyObject *self, void *closure)
{
    (void)closure;
    PyObject *held = pv_pyref_of(pv_image_of(self)->image.owner);
    return Py_NewRef(held ? held : Py_None);
}

static PyObject *crop(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"y", "x", "h", "w", NULL};
    PyObject *given[4];
    long long at[4];
    pv_image *from = pv_image_of(self);
    pixview_image out;
    pixview_error err;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOO:crop", names, &given[0], &given[1],
                                     &given[2], &given[3]))
        return NULL;
    for (int i = 0; i < 4; i++)
        if (pv_parse_crop(pv_image_state(self), names[i], given[i], &at[i]))
            return NULL;
    if (pixview_image_crop(&from->image, at[0], at[1], at[2], at[3], &out, &err))
        return pv_raise(pv_image_state(self), &err);
    return pv_image_new(pv_image_state(self), &out, from->layout, from->stream_object);
}

static PyObject *image_repr(PyObject *self)
{
    const pixview_image *image = &pv_image_of(self)->image;
    PyObject *shape = get_shape(self, NULL), *device = get_device(self, NULL);
    PyObject *text = NULL;
    if (shape && device) {
        text = PyUnicode_FromFormat("<pixview.Image %s %S %s on %U:%S%s>",
                                    pixview_layout_name(pv_image_of(self)->layout), shape,
                                    pixview_dtype_name(image->dtype), PyTuple_GET_ITEM(device, 0),
                                    PyTuple_GET_ITEM(device, 1),
                                    image->flags & PIXVIEW_FLAG_READ_ONLY ? ", read-only" : "");
    }
    Py_XDECREF(shape);
    Py_XDECREF(device);
    return text;
}

static PyObject *no_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)type, (void)args, (void)kwargs;
    PyErr_SetString(PyExc_TypeError, "make an Image with pixview.view or pixview.from_pointer");
    return NULL;
}

static PyMethodDef image_methods[] = {
    {"crop", (PyCFunction)(void (*)(void))crop, METH_VARARGS | METH_KEYWORDS, PV_DOC_image_crop},
    {"tobytes", pv_image_tobytes, METH_NOARGS, PV_DOC_image_tobytes},
    {"__copy__", pv_image_copy, METH_NOARGS, PV_DOC_image___copy__},
    {"__deepcopy__", pv_image_deepcopy, METH_O, PV_DOC_image___deepcopy__},
    {"__reduce_ex__", pv_image_reduce_ex, METH_O, PV_DOC_image___reduce_ex__},
    {"__dlpack__", (PyCFunction)(void (*)(void))pv_image_dlpack, METH_FASTCALL | METH_KEYWORDS,
     PV_DOC_image___dlpack__},
    {"__dlpack_device__", pv_image_dlpack_device, METH_NOARGS, PV_DOC_image___dlpack_device__},
    {"__array__", (PyCFunction)(void (*)(void))pv_image_array, METH_VARARGS | METH_KEYWORDS,
     PV_DOC_image___array__},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef image_getset[] = {
    {"shape", get_shape, NULL, PV_DOC_image_shape, NULL},
    {"strides", get_strides, NULL, PV_DOC_image_strides, NULL},
    {"layout", get_layout, NULL, PV_DOC_image_layout, NULL},
    {"dtype", get_dtype, NULL, PV_DOC_image_dtype, NULL},
    {"device", get_device, NULL, PV_DOC_image_device, NULL},
    {"nbytes", get_nbytes, NULL, PV_DOC_image_nbytes, NULL},
    {"ptr", get_ptr, NULL, PV_DOC_image_ptr, NULL},
    {"readonly", get_readonly, NULL, PV_DOC_image_readonly, NULL},
    {"owner", get_owner, NULL, PV_DOC_image_owner, NULL},
    {"__array_interface__", pv_image_array_interface, NULL, PV_DOC_image___array_interface__, NULL},
    {"__cuda_array_interface__", pv_image_cuda_array_interface, NULL,
     PV_DOC_image___cuda_array_interface__, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot image_slots[] = {
    {Py_tp_doc, PV_DOC_image},
    {Py_tp_new, no_new},
    {Py_tp_dealloc, pv_image_dealloc},
    {Py_tp_repr, image_repr},
    {Py_tp_methods, image_methods},
    {Py_tp_getset, image_getset},
    {Py_bf_getbuffer, pv_image_getbuffer},
    {Py_bf_releasebuffer, pv_image_releasebuffer},
    {0, NULL},
};

static PyType_Spec image_spec = {
    .name = "pixview.Image",
    .basicsize = sizeof(pv_image),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = image_slots,
};

PyTypeObject *pv_image_type_new(PyObject *module)
{
    return (PyTypeObject *)PyType_FromModuleAndSpec(module, &image_spec, NULL);
}
