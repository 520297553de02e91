// Descriptor -> torch.Tensor: through torch's exchange table, or a DLPack capsule before torch 2.10.

#include "base/state.h"

// torch's table does not initialise CUDA by itself, and its first CUDA tensor may be this one. A torch
// without CUDA, or without a driver, says so when the tensor is used; making it is no error.
static void init_cuda(pv_state *st)
{
    PyObject *cuda = PyObject_GetAttr(st->torch, st->s_cuda);
    PyObject *result = cuda ? PyObject_CallMethod(cuda, "init", NULL) : NULL;
    Py_XDECREF(result);
    Py_XDECREF(cuda);
    PyErr_Clear();
    st->torch_cuda_ready = true;
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
    PyObject *capsule = pv_image_capsule(st, &shown, layout, false);
    if (!capsule)
        return NULL;
    PyObject *args[] = {st->torch, capsule};
    PyObject *tensor = PyObject_VectorcallMethod(st->s_from_dlpack, args, 2, NULL);
    Py_DECREF(capsule);
    return tensor;
}

// torch may fail after it has adopted the struct, and then its deleter may have run.
// During the call the slot has two counts, torch's and ours: what is left tells.
static PyObject *adopt(pv_state *st, pixviewi_slot *slot)
{
    void *tensor = NULL;
    atomic_store_explicit(&slot->count, 2, memory_order_relaxed);
    int rc = st->torch_table->to_py(&slot->managed, &tensor);
    if (PIXVIEWI_LIKELY(rc == 0 && tensor)) {
        // Nobody else has the tensor yet.
        atomic_store_explicit(&slot->count, 1, memory_order_relaxed);
        return tensor;
    }
    if (atomic_load_explicit(&slot->count, memory_order_acquire) == 2)
        pixviewi_slot_unref(slot);
    pixviewi_slot_unref(slot);
    return pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "torch cannot hold this image");
}

PIXVIEWI_HOT PyObject *pv_export_torch(pv_state *st, pixview_image *image, pixview_layout layout)
{
    if (PIXVIEWI_UNLIKELY(!st->torch_cuda_ready && image->device.type != PIXVIEW_DEVICE_CPU))
        init_cuda(st);
    if (PIXVIEWI_UNLIKELY(!pv_torch_by_table(st))) {
        return through_capsule(st, image, layout);
    }
    pixview_error err;
    pixviewi_slot *slot;
    if (pixviewi_slot_take(image, layout, &slot, &err))
        return pv_raise(st, &err);
    slot->managed.tensor.device = torch_device(image->device);
    return adopt(st, slot);
}

// For a tensor of torch's own memory: to_py gives back what its allocator made.
PyObject *pv_export_managed_to_torch(pv_state *st, DlManaged *managed)
{
    void *tensor = NULL;
    if (st->torch_table->to_py(managed, &tensor) == 0 && tensor)
        return tensor;
    return pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "torch cannot take back its own memory");
}
