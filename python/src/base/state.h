// SPDX-License-Identifier: Apache-2.0
// State of one instance of the module. Everything reaches it by the module, or by the type of an Image.
#ifndef PV_BASE_STATE_H
#define PV_BASE_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

#include "descriptor/base.h"
#include "descriptor/dtype.h"
#include "pixview/pixview.h"

enum { PV_FRAMEWORKS_MOST = 8 }; // rows of the table in frameworks/table.c

#define PV_NAMES(X)              \
    X(_c_contiguous)             \
    X(_foreign_stream_ref)       \
    X(_init)                     \
    X(__array_interface__)       \
    X(__cuda_array_interface__)  \
    X(__cuda_stream__)           \
    X(__dlpack__)                \
    X(__dlpack_c_exchange_api__) \
    X(__dlpack_device__)         \
    X(GpuMat)                    \
    X(MemoryPointer)             \
    X(Tensor)                    \
    X(UnownedMemory)             \
    X(__enter__)                 \
    X(asarray)                   \
    X(cuda)                      \
    X(cudaPtr)                   \
    X(cuda_stream)               \
    X(data)                      \
    X(data_ptr)                  \
    X(device)                    \
    X(device_id)                 \
    X(dtype)                     \
    X(empty)                     \
    X(from_dlpack)               \
    X(get_current_stream)        \
    X(index)                     \
    X(is_conj)                   \
    X(is_neg)                    \
    X(mask)                      \
    X(max_version)               \
    X(memptr)                    \
    X(name)                      \
    X(ndarray)                   \
    X(offset)                    \
    X(ptr)                       \
    X(requires_grad)             \
    X(shape)                     \
    X(size)                      \
    X(step)                      \
    X(stream)                    \
    X(stream_id)                 \
    X(stride)                    \
    X(strides)                   \
    X(type)                      \
    X(typestr)                   \
    X(view)

// Set by tests alone (api/hooks.c): the ways that older or other builds of the frameworks would take.
typedef struct pv_hooks {
    bool gpumat_public;       // cv2's public calls instead of GpuMat's struct
    bool torch_without_table; // attributes and capsules instead of the exchange table
    bool torch_without_shim;  // a tensor instead of bytes from torch's allocator
    bool torch_shim_at_once;  // bytes for the first allocation too
    bool cupy_public;         // attributes and constructors instead of CuPy's structs
} pv_hooks;

typedef struct pv_state {
    PyTypeObject *image_type;
    PyTypeObject *video_frame_type;
    PyTypeObject *plan_type;
    PyTypeObject *share_type;
    PyTypeObject *pool_type;

    PyObject *Error, *LayoutError, *DtypeError, *DeviceError, *ReadOnlyError, *CudaError,
        *UnsupportedError, *ShareError, *ShareTimeoutError;

    // One entry a framework, in the order of frameworks/table.h.
    PyTypeObject *framework_type[PV_FRAMEWORKS_MOST]; // NULL: not in sys.modules when last looked
    PyTypeObject *framework_subtype[PV_FRAMEWORKS_MOST]; // made by pixview; NULL: none
    void *framework_state[PV_FRAMEWORKS_MOST];
    unsigned framework_ready; // a bit for each that was imported and checked

    bool counted_held;  // a view was made of an object whose framework counts writes
    bool counted_again; // ... and perhaps an object of that framework over such a view
    PyObject *numpy_dtypes[PIXVIEWI_DTYPE_COUNT]; // made on first need, by row of pixviewi_dtypes
    PyObject *torch_dtypes[PIXVIEWI_DTYPE_COUNT]; // met before
    PyObject *kw_stream_version, *kw_version, *kw_stream;
    PyObject *dlpack_version; // (1, 3)
    PyObject *empty_tuple;
    pv_hooks hooks;
    // What the core has to say, until it is raised: on the stack it would keep gcc from inlining.
    pixview_error error;

#define X(n) PyObject *s_##n;
    PV_NAMES(X)
#undef X
} pv_state;

static inline pv_state *pv_get_state(PyObject *module)
{
    return (pv_state *)PyModule_GetState(module);
}

#endif
