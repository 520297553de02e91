// SPDX-License-Identifier: Apache-2.0
// cv::cuda::GpuMat as it lies in memory (OpenCV 4.8 to 5.0, LP64), and what the self-check found out
// about the cv2 at hand. None of it is public API of OpenCV: nothing is read or written through these
// structs before pv_gpumat_check has compared every field with cv2's public calls.
#ifndef PV_GPUMAT_ABI_H
#define PV_GPUMAT_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <Python.h>

#include "pixview/pixview.h"

typedef struct pv_gpumat {
    int32_t flags;
    int32_t rows, cols;
    size_t step; // bytes
    uint8_t *data;
    int32_t *refcount; // NULL: a header over foreign memory
    uint8_t *datastart;
    const uint8_t *dataend;
    struct pv_gpumat_allocator *allocator;
} pv_gpumat;

typedef struct pv_gpumat_allocator {
    void *const *vtable; // Itanium C++ ABI: {D1, D0, allocate, free}
} pv_gpumat_allocator;

enum {
    PV_GPUMAT_MAGIC = 0x42FF0000,
    PV_GPUMAT_CONTINUOUS = 1 << 14,
    PV_GPUMAT_TYPE_MASK = 0xFFF,
    PV_GPUMAT_VTABLE_FREE = 3,
    PV_GPUMAT_DEPTHS = 13 // in OpenCV 5
};

typedef struct pv_gpumat_abi {
    bool checked;
    bool cuda;        // this cv2 was built with CUDA: a fresh header names an allocator
    bool read_struct; // fields may be read and written
    bool own_native;  // OpenCV's own count and our allocator hold the source
    bool make_object; // objects may be made without calling cv2 (object.c)
    int cn_shift;     // 3 in OpenCV 4, 5 in OpenCV 5
    int cn_max;       // CV_CN_MAX
    int depth_count;  // 8 in OpenCV 4
    pixview_dtype depths[PV_GPUMAT_DEPTHS];
    pv_gpumat_allocator *default_allocator;
    char reason[160]; // why the fast path is not in use; "" when it is
} pv_gpumat_abi;

// The 64-byte header inside a cv2.cuda.GpuMat; NULL for an object made without __init__.
// Only after read_struct.
static inline pv_gpumat *pv_gpumat_header(PyObject *object)
{
    return *(pv_gpumat **)((char *)object + sizeof(PyObject));
}

// depth.c: the depths of this build, from its cn_shift.
void pv_gpumat_fill_depths(pv_gpumat_abi *abi);
// OpenCV's depth code of a dtype for this build, -1 when it has none; and back (false: unknown).
int pv_gpumat_depth(const pv_gpumat_abi *abi, pixview_dtype dtype);
static inline bool pv_gpumat_dtype(const pv_gpumat_abi *abi, int depth, pixview_dtype *out)
{
    if (depth < 0 || depth >= abi->depth_count)
        return false;
    *out = abi->depths[depth];
    return true;
}

// Our allocator: `allocate` declines, `free` drops the pixview_owner whose export count is the
// header's refcount.
extern pv_gpumat_allocator pv_gpumat_our_allocator;
pixview_owner *pv_gpumat_counted_owner(const pv_gpumat *mat); // of such a header; borrowed
// The same with a counter in place of an owner, for the self-check.
extern pv_gpumat_allocator pv_gpumat_probe_allocator;
extern int pv_gpumat_probe_frees;

// The two halves of GpuMat::release for a header with a count: drop it (true: it was the last), and
// let the allocator free the memory.
bool pv_gpumat_drop(pv_gpumat *header);
void pv_gpumat_free(pv_gpumat *header);

#endif
