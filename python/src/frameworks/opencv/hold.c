// SPDX-License-Identifier: Apache-2.0
// Holding a GpuMat's memory as OpenCV's own header copy does, and the owner behind a GpuMat of ours.

#include <assert.h>

#include "base/pyref.h"
#include "cuda/device.h"
#include "descriptor/owner.h"
#include "frameworks/opencv/opencv.h"

static void free_gpumat_memory(void *header) { pv_gpumat_free(header); }

typedef struct held_header {
    pv_gpumat header;
    uint64_t context;
    int device;
} held_header;
_Static_assert(sizeof(held_header) <= PIXVIEWI_OWNER_HELD, "a header fits");

// The last count frees: with cudaFree, so in the context of the memory and not under the GIL.
PIXVIEWI_HOT static void release_gpumat_header(pixview_owner *owner)
{
    held_header *held = pixviewi_owner_held(owner);
    pv_gpumat *header = &held->header;
    if (pixviewi_cuda_unusable())
        return; // OpenCV's static allocator may be gone
    if (!pv_gpumat_drop(header))
        return;
    if (!pixviewi_cuda_same_context(held->device, held->context))
        return; // the memory went with a reset of the device
    PyThreadState *gil = pv_gil_held() ? PyEval_SaveThread() : NULL;
    pixviewi_cuda_with_device(held->device, free_gpumat_memory, header);
    if (gil)
        PyEval_RestoreThread(gil);
}

PIXVIEWI_HOT pixview_owner *pv_gpumat_hold(pv_state *st, const pv_imported *in)
{
    pv_gpumat *g = pv_gpumat_in_place(st) ? pv_gpumat_header(in->object) : NULL;
    if (!g || !g->refcount || !pv_gpumat_abi_of(st)->own_native)
        return pv_pyref_owner(in->object);
    bool ours = g->allocator == &pv_gpumat_our_allocator;
    pixview_owner *owner = ours ? pixviewi_owner_nested(pv_gpumat_counted_owner(g))
                                : pixviewi_owner_new(release_gpumat_header);
    if (!owner) {
        PyErr_SetString(PyExc_MemoryError, "no memory for an owner");
        return NULL;
    }
    if (ours)
        return owner;
    int device = in->image.device.id;
    assert(*g->refcount > 0);
    __atomic_add_fetch(g->refcount, 1, __ATOMIC_ACQ_REL);
    *(held_header *)pixviewi_owner_held(owner) =
        (held_header){*g, pixviewi_cuda_context(device), device};
    return owner;
}

int pv_gpumat_owner_of(pv_state *st, PyObject *x, pixview_owner **out)
{
    if (Py_IS_TYPE(x, st->framework_subtype[PV_GPUMAT])) {
        *out = pv_gpumat_subtype_owner(x);
        return 0;
    }
    const pv_gpumat *g = pv_gpumat_in_place(st) ? pv_gpumat_header(x) : NULL;
    if (g && g->refcount && g->allocator == &pv_gpumat_our_allocator)
        *out = pv_gpumat_counted_owner(g);
    return 0;
}
