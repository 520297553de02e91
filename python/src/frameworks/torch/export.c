// SPDX-License-Identifier: Apache-2.0
// Descriptor -> torch.Tensor: through torch's exchange table, or a DLPack capsule before torch 2.10.

#include <assert.h>

#include "base/capsule.h"
#include "base/errors.h"
#include "descriptor/dlpack.h"
#include "descriptor/dlpack_abi.h"
#include "descriptor/image.h"
#include "descriptor/status.h"
#include "frameworks/torch/torch.h"

// torch's table does not initialise CUDA by itself, and its first CUDA tensor may be this one. A torch
// without CUDA, or without a driver, says so when the tensor is used; making it is no error.
static void init_cuda(pv_state *st)
{
    pv_torch *torch = pv_torch_of(st);
    PyObject *cuda = PyObject_GetAttr(torch->module, st->s_cuda);
    PyObject *result = cuda ? PyObject_CallMethod(cuda, "init", NULL) : NULL;
    Py_XDECREF(result);
    Py_XDECREF(cuda);
    PyErr_Clear();
    torch->cuda_ready = true;
}

// torch knows plain CPU and CUDA memory: pinned memory is the one, managed memory the other.
static DlDevice torch_device(pixview_device device)
{
    if (device.type == PIXVIEW_DEVICE_CUDA_HOST)
        return (DlDevice){PIXVIEW_DEVICE_CPU, 0};
    if (device.type == PIXVIEW_DEVICE_CUDA_MANAGED)
        return (DlDevice){PIXVIEW_DEVICE_CUDA, device.id};
    return (DlDevice){device.type, device.id};
}

static PyObject *through_capsule(pv_state *st, const pixview_image *image, pixview_layout layout)
{
    pixview_image shown = *image; // torch has no const, and plain CPU and CUDA memory only
    DlDevice device = torch_device(image->device);
    shown.flags = 0;
    shown.device = (pixview_device){device.type, device.id};
    PyObject *capsule = pv_capsule_legacy(st, &shown, layout);
    if (!capsule)
        return NULL;
    PyObject *args[] = {pv_torch_of(st)->module, capsule};
    PyObject *tensor = PyObject_VectorcallMethod(st->s_from_dlpack, args, 2, NULL);
    Py_DECREF(capsule);
    return tensor;
}

// torch may fail after it has adopted the struct, and then its deleter may have run.
// During the call the slot has two counts, torch's and ours: what is left tells.
static PyObject *adopt_slot(pv_state *st, const DlExchange *table, pixviewi_dlpack *slot)
{
    void *tensor = NULL;
    atomic_store_explicit(&slot->count, 2, memory_order_relaxed);
    int rc = table->to_py(&slot->managed, &tensor);
    if (rc == 0 && tensor) {
        // Nobody else has the tensor yet.
        atomic_store_explicit(&slot->count, 1, memory_order_relaxed);
        return tensor;
    }
    if (atomic_load_explicit(&slot->count, memory_order_acquire) == 2)
        pixviewi_dlpack_unref(slot);
    pixviewi_dlpack_unref(slot);
    return pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "torch cannot hold this image");
}

// A capsule counts the owner up, so its count is given back here.
static PyObject *export_by_capsule_take(pv_state *st, pixview_image *image, pixview_layout layout)
{
    PyObject *tensor = through_capsule(st, image, layout);
    if (tensor) {
        pixview_owner_unref(image->owner);
        image->owner = NULL;
    }
    return tensor;
}

PIXVIEWI_HOT PyObject *pv_torch_export_take(pv_state *st, pixview_image *image, const pv_plan *plan,
                                            PyObject *stream_object)
{
    (void)stream_object; // torch keeps its own streams
    const DlExchange *table = pv_torch_table(st);
    if (!pv_torch_of(st)->cuda_ready && image->device.type != PIXVIEW_DEVICE_CPU)
        init_cuda(st);
    if (!table)
        return export_by_capsule_take(st, image, plan->layout);
    pixviewi_dlpack *slot;
    if (pixviewi_dlpack_new_take(image, plan->layout, &slot, &st->error))
        return pv_raise(st, &st->error);
    assert(!image->owner && slot->managed.manager_ctx == slot);
    slot->managed.tensor.device = torch_device(image->device);
    return adopt_slot(st, table, slot);
}

// For a tensor of torch's own memory: to_py gives back what its allocator made.
PyObject *pv_torch_tensor_take(pv_state *st, DlManaged *managed)
{
    void *tensor = NULL;
    if (pv_torch_table(st)->to_py(managed, &tensor) == 0 && tensor)
        return tensor;
    return pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "torch cannot take back its own memory");
}

pixview_status pv_torch_check_view(const pixview_image *image, pixview_error *err)
{
    const int64_t *s = image->strides;
    int64_t wrong = INT64_MIN | (pixviewi_itemsize(image) - 1); // sign, parts of an element
    if (((s[0] | s[1] | s[2] | s[3]) & wrong) == 0)
        return PIXVIEW_OK;
    int i = 0;
    while ((s[i] & wrong) == 0)
        i++;
    return pixviewi_fail(
        err, PIXVIEW_E_LAYOUT,
        "a stride of %lld bytes does not fit torch, which needs strides of 0 or more whole "
        "elements; NumPy, CuPy and pixview.view take any stride",
        (long long)s[i]);
}
