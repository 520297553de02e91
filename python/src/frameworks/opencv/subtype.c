// SPDX-License-Identifier: Apache-2.0
// The C-made subtype of cv2.cuda.GpuMat that carries an owner, for cv2 builds whose own count cannot
// (stock wheels: GpuMat::release does nothing there).
//
// It must not take part in garbage collection: cv2 frees its objects with PyObject_Del, and an object
// of a class written in Python, which is always GC-allocated, corrupts the heap.

#include "base/errors.h"
#include "frameworks/opencv/opencv.h"

// The owner lies behind cv2's own fields, whose size is only known at run time.
static pixview_owner **owner_slot(PyObject *self)
{
    return (pixview_owner **)((char *)self + Py_TYPE(self)->tp_base->tp_basicsize);
}

static void subtype_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    pixview_owner *owner = *owner_slot(self);
    destructor base = type->tp_base->tp_dealloc;
    base(self);
    pixview_owner_unref(owner);
    Py_DECREF(type); // a heap type is counted by its objects
}

static PyType_Slot subtype_slots[] = {
    {Py_tp_dealloc, subtype_dealloc},
    {Py_tp_doc, "cv2.cuda.GpuMat over memory that it keeps alive. Made by pixview.as_gpumat."},
    {0, NULL},
};

PyTypeObject *pv_gpumat_subtype(pv_state *st)
{
    PyTypeObject **subtype = &st->framework_subtype[PV_GPUMAT];
    if (*subtype)
        return *subtype;
    PyTypeObject *base = st->framework_type[PV_GPUMAT];
    if (base->tp_itemsize != 0 || PyType_HasFeature(base, Py_TPFLAGS_HAVE_GC) ||
        !PyType_HasFeature(base, Py_TPFLAGS_BASETYPE) || base->tp_basicsize > 1024) {
        pv_raisef(
            st, PIXVIEW_E_UNSUPPORTED,
            "this cv2's GpuMat can be neither counted nor subclassed from C, so nothing would keep "
            "the source alive; see `pixview doctor`");
        return NULL;
    }
    PyType_Spec spec = {
        .name = "pixview.GpuMat",
        .basicsize = (int)(base->tp_basicsize + (Py_ssize_t)sizeof(pixview_owner *)),
        .flags = Py_TPFLAGS_DEFAULT,
        .slots = subtype_slots,
    };
    PyObject *bases = PyTuple_Pack(1, base);
    PyObject *type = bases ? PyType_FromSpecWithBases(&spec, bases) : NULL;
    Py_XDECREF(bases);
    *subtype = (PyTypeObject *)type;
    return *subtype;
}

pixview_owner *pv_gpumat_subtype_owner(PyObject *object) { return *owner_slot(object); }

void pv_gpumat_subtype_set_owner_take(PyObject *object, pixview_owner *owner)
{
    *owner_slot(object) = owner;
}
