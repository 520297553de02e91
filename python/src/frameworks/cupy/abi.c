// SPDX-License-Identifier: Apache-2.0
// cupy.ndarray and MemoryPointer as they lie in memory (CuPy 13 to 14, Cython cdef classes). None of it
// is public: on first need an array with known values is made through CuPy's constructors and every
// field that is used is compared. Reading attributes, the other way, costs more than the whole rest of
// a view.

#include <string.h>

#include "base/args.h"
#include "base/dtypes.h"
#include "base/probe_memory.h"
#include "frameworks/cupy/cupy.h"

typedef struct { // std::vector<Py_ssize_t>, of libstdc++ and libc++ alike
    const int64_t *begin, *end, *capacity;
} vector;

typedef struct {
    PyObject_HEAD
    void *vtable;
    intptr_t ptr; // the offset into its memory applied
    int device_id;
    PyObject *mem;
} memory_pointer;

typedef struct {
    PyObject_HEAD
    void *vtable;
    PyObject *weakrefs;
    Py_ssize_t size;
    vector shape, strides; // strides: bytes
    int c_contiguous, f_contiguous, index_32_bits;
    PyObject *dtype;
    memory_pointer *data;
    PyObject *base;
} array;

// Made-up values for the check; the address is never followed.
static const int64_t known_shape[] = {3, 5, 7}, known_strides[] = {400, 70, 1};
enum { DATA = 0x40000000, OFFSET = 48, DEVICE = 1 };

static bool holds_dims(const vector *v, const int64_t *expected)
{
    int64_t found[3];
    return v->end - v->begin == 3 && pv_probe_memory(v->begin, found, sizeof found) &&
           memcmp(found, expected, sizeof found) == 0;
}

static bool cupy_fields_fit(pv_state *st, PyObject *x, PyObject *pointer, PyObject *dtype)
{
    array a;
    memory_pointer m;
    if (st->framework_type[PV_CUPY]->tp_base->tp_basicsize < (Py_ssize_t)sizeof a ||
        !pv_probe_memory(x, &a, sizeof a) || !pv_probe_memory(pointer, &m, sizeof m)) {
        return false;
    }
    return a.size == 3 * 5 * 7 && holds_dims(&a.shape, known_shape) &&
           holds_dims(&a.strides, known_strides) && a.dtype == dtype &&
           (PyObject *)a.data == pointer && m.ptr == DATA + OFFSET && m.device_id == DEVICE;
}

static void check_cupy_structs(pv_state *st)
{
    pv_cupy *cupy = pv_cupy_of(st);
    PyObject *dtype = pv_numpy_dtype(st, (pixview_dtype){PIXVIEW_DTYPE_INT, 8, 1});
    PyObject *memory =
        PyObject_CallFunction(cupy->unowned_memory, "iiOi", DATA, 1 << 16, Py_None, DEVICE);
    PyObject *pointer =
        memory ? PyObject_CallFunction(cupy->memory_pointer, "Oi", memory, OFFSET) : NULL;
    PyObject *args[] = {pv_dims(3, known_shape), dtype, pointer, pv_dims(3, known_strides)};
    PyObject *x = NULL;
    if (args[0] && dtype && pointer && args[3])
        x = PyObject_Vectorcall((PyObject *)st->framework_type[PV_CUPY], args, 2,
                                cupy->kw_memptr_strides);
    cupy->in_place = x && cupy_fields_fit(st, x, pointer, dtype);
    cupy->checked = true;
    Py_XDECREF(x);
    Py_XDECREF(args[0]);
    Py_XDECREF(args[3]);
    Py_XDECREF(pointer);
    Py_XDECREF(memory);
    PyErr_Clear();
}

bool pv_cupy_in_place(pv_state *st)
{
    pv_cupy *cupy = pv_cupy_of(st);
    if (!cupy->checked)
        check_cupy_structs(st);
    return cupy->in_place && !st->hooks.cupy_public;
}

bool pv_cupy_fields(pv_state *st, PyObject *x, void **data, int *device, int *ndim,
                    const int64_t **shape, const int64_t **strides, pixview_dtype *dtype)
{
    if (!pv_cupy_in_place(st) || Py_TYPE(x) != st->framework_type[PV_CUPY])
        return false;
    const array *a = (const array *)x;
    if (!a->data || !pv_known_dtype(st, a->dtype, dtype))
        return false;
    *data = (void *)a->data->ptr;
    *device = a->data->device_id;
    *ndim = (int)(a->shape.end - a->shape.begin);
    *shape = a->shape.begin;
    *strides = a->strides.begin;
    return true;
}
