// SPDX-License-Identifier: Apache-2.0
// A cv2.cuda.GpuMat object without calling cv2: `GpuMat()` parses arguments and gives the GIL away and
// back for a header of 64 bytes, which costs more than everything else in a view.
//
// cv2 keeps the header in a std::shared_ptr. Its control block is made here, in C, as libstdc++ lays
// it out: a vtable {D1, D0, dispose, destroy, get_deleter} and two counts of 1. OpenCV drops it like
// its own: `dispose` does what ~GpuMat does, `destroy` frees the block. The self-check reads a real
// control block first and sees ours disposed and destroyed once; otherwise GpuMat() is called.

#include "frameworks/opencv/object.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor/base.h"

typedef struct {
    void *const *vtable;
    int32_t use_count, weak_count;
    pv_gpumat header;
} control_block;

typedef struct { // std::shared_ptr<GpuMat>, behind the PyObject
    pv_gpumat *header;
    control_block *control;
} shared_ptr;

static shared_ptr *shared_of(PyObject *object)
{
    return (shared_ptr *)((char *)object + sizeof(PyObject));
}

static void destroyed(void *self) { (void)self; }

static void *get_deleter(void *self, const void *type)
{
    (void)self, (void)type;
    return NULL;
}

PIXVIEWI_HOT static void dispose(void *self)
{
    pv_gpumat *header = &((control_block *)self)->header;
    assert(!header->refcount || *header->refcount > 0);
    if (header->refcount && pv_gpumat_drop(header))
        pv_gpumat_free(header);
}

static int probe_disposed, probe_destroyed;

static void probe_dispose(void *self)
{
    (void)self;
    probe_disposed++;
}

static void probe_destroy(void *self)
{
    (void)self;
    probe_destroyed += probe_disposed; // after dispose, or it does not count
}

static const struct {
    ptrdiff_t offset_to_top;
    const void *rtti;
    void *functions[5];
} block_vtable = {0, NULL, {destroyed, destroyed, dispose, free, get_deleter}},
  probe_vtable = {0, NULL, {destroyed, destroyed, probe_dispose, probe_destroy, get_deleter}};

static PyObject *object_around(PyTypeObject *type, control_block *block)
{
    PyObject *object = type->tp_alloc(type, 0);
    if (object)
        *shared_of(object) = (shared_ptr){&block->header, block};
    return object;
}

PIXVIEWI_HOT PyObject *pv_gpumat_object_new(const pv_gpumat_abi *abi, PyTypeObject *type)
{
    if (!abi->make_object)
        return PyObject_CallNoArgs((PyObject *)type);
    control_block *block = malloc(sizeof *block);
    if (!block)
        return PyErr_Format(PyExc_MemoryError, "no memory for a GpuMat header (%zu bytes)",
                            sizeof *block);
    *block = (control_block){block_vtable.functions, 1, 1, {.allocator = abi->default_allocator}};
    PyObject *object = object_around(type, block);
    if (!object)
        free(block);
    return object;
}

const char *pv_gpumat_object_check(PyTypeObject *type, bool (*read)(const void *, void *, size_t))
{
    static control_block probe; // outlives whatever a wrong guess does with it
    PyObject *real = PyObject_CallNoArgs((PyObject *)type);
    control_block block;
    bool fits = real && read(shared_of(real)->control, &block, offsetof(control_block, header)) &&
                block.use_count == 1 && block.weak_count == 1;
    Py_XDECREF(real);
    if (!fits)
        return "the shared_ptr is not libstdc++'s";
    probe_disposed = probe_destroyed = 0;
    probe = (control_block){probe_vtable.functions, 1, 1, {.flags = 0}};
    PyObject *object = object_around(type, &probe);
    Py_XDECREF(object);
    return object && probe_disposed == 1 && probe_destroyed == 1
               ? NULL
               : "the shared_ptr does not let go of our control block";
}
