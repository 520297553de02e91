// SPDX-License-Identifier: Apache-2.0
// Objects of no framework that pixview knows: read by the protocols that they have.

#include "frameworks/protocols/protocols.h"

#include <string.h>

#include "base/errors.h"
#include "frameworks/table.h"

// What somebody who gave this may have meant.
static const char *hint_of(PyObject *x)
{
    if (PyList_Check(x) || PyTuple_Check(x))
        return "; use pixview.stack for a list of images, numpy.asarray for a list of numbers";
    if (x == Py_None)
        return "; did cv2.imread or another reader fail?";
    if (PyUnicode_Check(x) || PyObject_HasAttrString((PyObject *)Py_TYPE(x), "__fspath__"))
        return "; a file has to be read first, by cv2.imread or PIL.Image.open";
    if (PyObject_HasAttrString((PyObject *)Py_TYPE(x), "planes"))
        return "; if it is a decoder's frame, pixview.video_frame reads it";
    if (strcmp(Py_TYPE(x)->tp_name, "cv2.UMat") == 0)
        return "; x.get() downloads a cv2.UMat from OpenCL's memory";
    return "";
}

// In the order in which they are tried.
static int protocols_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    if (PyCapsule_CheckExact(x))
        return pv_import_capsule(st, x, options, in);
    int done = PyType_Check(x) ? 1 : pv_import_exchange(st, x, options, in);
    if (done != 1)
        return done;
    const struct {
        PyObject *name;
        bool cuda;
    } tries[] = {{st->s___dlpack__, true},
                 {st->s___cuda_array_interface__, true},
                 {st->s___array_interface__, false}};
    for (int i = 0; i < 3; i++) {
        PyObject *found = PyType_Check(x) ? NULL : PyObject_GetAttr(x, tries[i].name);
        if (found) {
            int rc = i == 0 ? pv_import_dlpack(st, x, options, in)
                            : pv_import_interface(st, x, found, tries[i].cuda, options, in);
            Py_DECREF(found);
            return rc;
        }
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_AttributeError)) {
            pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "%U of a %s object cannot be read",
                          tries[i].name, Py_TYPE(x)->tp_name);
            return -1;
        }
        PyErr_Clear();
    }
    if (PyObject_CheckBuffer(x))
        return pv_import_buffer(st, x, options, in);
    pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
              "pixview cannot read a %s object: it is no GpuMat, torch tensor, CuPy or NumPy "
              "array or pixview.Image, and has none of __dlpack_c_exchange_api__, __dlpack__, "
              "__cuda_array_interface__, __array_interface__ and the buffer protocol%s",
              Py_TYPE(x)->tp_name, hint_of(x));
    return -1;
}

int pv_has_protocol(pv_state *st, PyObject *x)
{
    PyObject *const names[] = {st->s___dlpack__, st->s___cuda_array_interface__,
                               st->s___array_interface__, st->s___dlpack_c_exchange_api__};
    if (PyType_Check(x))
        return 0;
    if (PyCapsule_CheckExact(x) || PyObject_CheckBuffer(x))
        return 1;
    for (int i = 0; i < 4; i++) {
        PyObject *found = PyObject_GetAttr(x, names[i]);
        Py_XDECREF(found);
        if (found)
            return 1;
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "%U of a %s object cannot be read", names[i],
                          Py_TYPE(x)->tp_name);
            return -1;
        }
        PyErr_Clear();
    }
    return 0;
}

const pv_framework pv_framework_protocols = {
    .name = "",
    .call = "",
    .index = PV_PROTOCOLS,
    .state_size = sizeof(pv_known_tables),
    .owned = pv_known_tables_owned,
    .import = protocols_import,
};
