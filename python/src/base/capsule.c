// SPDX-License-Identifier: Apache-2.0
#include "base/capsule.h"

#include "base/errors.h"
#include "descriptor/dlpack_abi.h"

static void drop_versioned(PyObject *capsule)
{
    if (!PyCapsule_IsValid(capsule, "dltensor_versioned"))
        return; // consumed
    DlManaged *m = PyCapsule_GetPointer(capsule, "dltensor_versioned");
    m->deleter(m);
}

static void drop_legacy(PyObject *capsule)
{
    if (!PyCapsule_IsValid(capsule, "dltensor"))
        return;
    DlManagedLegacy *m = PyCapsule_GetPointer(capsule, "dltensor");
    m->deleter(m);
}

PyObject *pv_capsule_versioned(pv_state *st, const pixview_image *image, pixview_layout layout,
                               uint64_t flags)
{
    DlManaged *m;
    if (pixview_image_to_dlpack(image, layout, &m, &st->error))
        return pv_raise(st, &st->error);
    m->flags |= flags;
    PyObject *capsule = PyCapsule_New(m, "dltensor_versioned", drop_versioned);
    if (!capsule)
        m->deleter(m);
    return capsule;
}

PyObject *pv_capsule_legacy(pv_state *st, const pixview_image *image, pixview_layout layout)
{
    DlManagedLegacy *m;
    if (pixview_image_to_dlpack_legacy(image, layout, &m, &st->error))
        return pv_raise(st, &st->error);
    PyObject *capsule = PyCapsule_New(m, "dltensor", drop_legacy);
    if (!capsule)
        m->deleter(m);
    return capsule;
}
