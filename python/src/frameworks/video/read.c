// SPDX-License-Identifier: Apache-2.0
// Which adapter reads an object.

#include "frameworks/video/video.h"

#include <string.h>

#include "base/errors.h"

static const pv_video_adapter *const adapters[] = {&pv_video_pyav,
                                                   &pv_video_nvcodec,
                                                   &pv_video_torchcodec,
                                                   &pv_video_vali,
                                                   &pv_video_spdl_gpu,
                                                   &pv_video_spdl_host,
                                                   NULL};

static bool is_named(const PyTypeObject *type, const char *word)
{
    const char *dot = strrchr(type->tp_name, '.');
    return strcmp(dot ? dot + 1 : type->tp_name, word) == 0;
}

static bool has_base_named(const PyTypeObject *type, const char *word)
{
    for (; type; type = type->tp_base)
        if (is_named(type, word))
            return true;
    return false;
}

// 1, 0, or -1 with an error: a name alone may be that of any library's type.
static int recognises(pv_state *st, const pv_video_adapter *adapter, PyObject *x)
{
    if (PyType_Check(x) || !has_base_named(Py_TYPE(x), adapter->type))
        return 0;
    PyObject *found =
        adapter->attribute ? PyObject_GetAttrString(x, adapter->attribute) : Py_NewRef(Py_None);
    Py_XDECREF(found);
    if (found)
        return 1;
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "%s of a %s object cannot be read",
                      adapter->attribute, Py_TYPE(x)->tp_name);
        return -1;
    }
    PyErr_Clear();
    return 0;
}

int pv_video_read(pv_state *st, PyObject *x, pv_video_source *source)
{
    for (int i = 0; adapters[i]; i++) {
        int known = recognises(st, adapters[i], x);
        if (known)
            return known < 0 ? -1 : adapters[i]->read(st, x, source);
    }
    return pv_video_read_planes(st, x, source);
}
