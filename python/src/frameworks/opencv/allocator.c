// SPDX-License-Identifier: Apache-2.0
// A cv::cuda::GpuMat::Allocator made in C, so that OpenCV's own reference count holds our source.
//
// C++ calls these through an Itanium vtable (Linux): {offset to top, RTTI, D1, D0, allocate, free},
// the object's first word pointing behind the RTTI slot. They never throw. `free` runs once, at the
// last header over the memory, on whatever thread that is.

#include "descriptor/owner.h"
#include "frameworks/opencv/abi.h"

static void allocator_destroy(void *self) { (void)self; } // static objects

// After create() or upload() on our GpuMat OpenCV asks its header's allocator, us, for new memory.
// Declining makes it take its default allocator.
static bool decline_to_allocate(void *self, pv_gpumat *mat, int rows, int cols, size_t elem_size)
{
    (void)self, (void)mat, (void)rows, (void)cols, (void)elem_size;
    return false;
}

pixview_owner *pv_gpumat_counted_owner(const pv_gpumat *mat)
{
    return pixviewi_owner_of_export_count(mat->refcount);
}

static void free_owner(void *self, pv_gpumat *mat)
{
    (void)self;
    pixview_owner_unref(pv_gpumat_counted_owner(mat));
}

int pv_gpumat_probe_frees;

static void free_probe(void *self, pv_gpumat *mat)
{
    (void)self, (void)mat;
    pv_gpumat_probe_frees++;
}

static const struct {
    ptrdiff_t offset_to_top;
    const void *rtti;
    void *functions[4];
} our_vtable = {0, NULL, {allocator_destroy, allocator_destroy, decline_to_allocate, free_owner}},
  probe_allocator_vtable = {
      0, NULL, {allocator_destroy, allocator_destroy, decline_to_allocate, free_probe}};

pv_gpumat_allocator pv_gpumat_our_allocator = {our_vtable.functions};
pv_gpumat_allocator pv_gpumat_probe_allocator = {probe_allocator_vtable.functions};

bool pv_gpumat_drop(pv_gpumat *header)
{
    return __atomic_sub_fetch(header->refcount, 1, __ATOMIC_ACQ_REL) == 0;
}

void pv_gpumat_free(pv_gpumat *header)
{
    typedef void (*free_function)(void *self, pv_gpumat *mat);
    ((free_function)header->allocator->vtable[PV_GPUMAT_VTABLE_FREE])(header->allocator, header);
}
