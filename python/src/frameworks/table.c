// SPDX-License-Identifier: Apache-2.0
// The table of frameworks: which one an object belongs to, and their states.

#include "frameworks/table.h"

#include <assert.h>
#include <stdio.h>

#include "base/errors.h"
#include "base/pyref.h"

const pv_framework *const pv_frameworks[PV_FRAMEWORK_COUNT] = {
#define X(name, NAME) [PV_##NAME] = &pv_framework_##name,
    PV_FRAMEWORKS(X)
#undef X
        [PV_IMAGE] = &pv_framework_image,
    [PV_VIDEO_FRAME] = &pv_framework_video_frame,
    [PV_PROTOCOLS] = &pv_framework_protocols,
};

_Static_assert((int)PV_FRAMEWORK_COUNT <= (int)PV_FRAMEWORKS_MOST, "pv_state has room for all");

void pv_frameworks_find(pv_state *st)
{
    for (int i = 0; i < PV_FRAMEWORK_COUNT; i++)
        if (!st->framework_type[i] && pv_frameworks[i]->find)
            pv_frameworks[i]->find(st);
}

PIXVIEWI_HOT const pv_framework *pv_framework_of(pv_state *st, PyObject *x)
{
    PyTypeObject *type = Py_TYPE(x);
    for (int i = 0; i < PV_PROTOCOLS; i++)
        if (st->framework_type[i] == type || st->framework_subtype[i] == type)
            return pv_frameworks[i];
    pv_frameworks_find(st);
    for (int i = 0; i < PV_PROTOCOLS; i++)
        if (st->framework_type[i] && PyType_IsSubtype(type, st->framework_type[i]))
            return pv_frameworks[i];
    return &pv_framework_protocols;
}

void pv_note_counted_again(pv_state *st, pixview_owner *owner)
{
    PyObject *source = pv_pyref_source(owner);
    const pv_framework *from = source ? pv_framework_of(st, source) : &pv_framework_protocols;
    st->counted_again = from->count_write || from->owner_of;
}

static inline bool is_exact(const pv_state *st, const PyTypeObject *type)
{
    for (int i = 0; i < PV_PROTOCOLS; i++)
        if (st->framework_type[i] == type || st->framework_subtype[i] == type)
            return true;
    return false;
}

// The second look is for a framework that was imported, but never seen before.
bool pv_imports_without_python(pv_state *st, PyObject *x)
{
    return is_exact(st, Py_TYPE(x)) ||
           (pv_framework_of(st, x) != &pv_framework_protocols && is_exact(st, Py_TYPE(x)));
}

const char *pv_framework_names(unsigned with, unsigned without, char out[PV_FRAMEWORK_NAMES])
{
    size_t length = 0;
    out[0] = '\0';
    for (int i = 0; i < PV_TARGETS && length < PV_FRAMEWORK_NAMES; i++) {
        const pv_framework *framework = pv_frameworks[i];
        if ((framework->flags & with) != with || framework->flags & without)
            continue;
        int more = snprintf(out + length, PV_FRAMEWORK_NAMES - length, "%s'%s'", length ? ", " : "",
                            framework->name);
        length += (size_t)more;
    }
    assert(length < PV_FRAMEWORK_NAMES);
    return out;
}

int pv_parse_framework(const char *what, PyObject *value, const pv_framework **out)
{
    for (int i = 0; i < PV_TARGETS && PyUnicode_Check(value); i++) {
        if (PyUnicode_CompareWithASCIIString(value, pv_frameworks[i]->name) != 0)
            continue;
        *out = pv_frameworks[i];
        return 0;
    }
    char names[PV_FRAMEWORK_NAMES];
    pv_raise_python(PyUnicode_Check(value) ? PyExc_ValueError : PyExc_TypeError,
                    "%s=%R is not one of %s", what, value, pv_framework_names(0, 0, names));
    return -1;
}

int pv_framework_prepare(pv_state *st, const pv_framework *framework)
{
    if (framework->need && framework->need(st))
        return -1;
    st->framework_ready |= 1U << framework->index;
    return 0;
}

// ---- states ---------------------------------------------------------------------------------------

int pv_frameworks_init(pv_state *st)
{
    for (int i = 0; i < PV_FRAMEWORK_COUNT; i++) {
        assert(pv_frameworks[i]->index == i);
        size_t size = pv_frameworks[i]->state_size;
        if (size && !(st->framework_state[i] = PyMem_Calloc(1, size))) {
            PyErr_Format(PyExc_MemoryError, "no memory for a framework's state (%zu bytes)", size);
            return -1;
        }
    }
    st->framework_type[PV_IMAGE] = (PyTypeObject *)Py_NewRef(st->image_type);
    st->framework_type[PV_VIDEO_FRAME] = (PyTypeObject *)Py_NewRef(st->video_frame_type);
    return 0;
}

static PyObject **owned_object(pv_state *st, int framework, int i)
{
    const size_t *owned = pv_frameworks[framework]->owned;
    char *state = st->framework_state[framework];
    return state && owned && owned[i] != PV_OWNED_END ? (PyObject **)(state + owned[i]) : NULL;
}

int pv_frameworks_traverse(pv_state *st, visitproc visit, void *arg)
{
    PyObject **object;
    for (int i = 0; i < PV_FRAMEWORK_COUNT; i++) {
        Py_VISIT(st->framework_type[i]);
        Py_VISIT(st->framework_subtype[i]);
        for (int k = 0; (object = owned_object(st, i, k)); k++)
            Py_VISIT(*object);
    }
    return 0;
}

void pv_frameworks_clear(pv_state *st)
{
    PyObject **object;
    for (int i = 0; i < PV_FRAMEWORK_COUNT; i++) {
        Py_CLEAR(st->framework_type[i]);
        Py_CLEAR(st->framework_subtype[i]);
        for (int k = 0; (object = owned_object(st, i, k)); k++)
            Py_CLEAR(*object);
    }
}

void pv_frameworks_free(pv_state *st)
{
    for (int i = 0; i < PV_FRAMEWORK_COUNT; i++) {
        PyMem_Free(st->framework_state[i]);
        st->framework_state[i] = NULL;
    }
}
