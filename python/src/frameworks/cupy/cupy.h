// SPDX-License-Identifier: Apache-2.0
// CuPy: there is no C API and no exchange table in CuPy 13 to 15, so structs are read after a check.
#ifndef PV_CUPY_H
#define PV_CUPY_H

#include "frameworks/table.h"

typedef struct pv_cupy {
    PyObject *module, *cuda;
    PyObject *unowned_memory, *memory_pointer;
    // ndarray's base's _init, a shorter way than its constructor, and CuPy's C function behind
    // get_current_stream. NULL: not there.
    PyObject *init;
    intptr_t (*stream_handle)(int device);
    PyObject *kw_memptr_strides; // ("memptr", "strides") for the constructor
    bool checked, in_place;      // may fields be read in place? (abi.c)
} pv_cupy;

static inline pv_cupy *pv_cupy_of(pv_state *st) { return st->framework_state[PV_CUPY]; }

bool pv_cupy_in_place(pv_state *st); // abi.c: may plain arrays be read in place?
// abi.c: the fields of a plain cupy.ndarray. False: use its attributes.
bool pv_cupy_fields(pv_state *st, PyObject *x, void **data, int *device, int *ndim,
                    const int64_t **shape, const int64_t **strides, pixview_dtype *dtype);

// import.c
int pv_cupy_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in);
int pv_cupy_device_of(pv_state *st, PyObject *x, pixview_device *out);
int pv_cupy_owner_of(pv_state *st, PyObject *x, pixview_owner **out);

// stream.c
int pv_cupy_current_stream(pv_state *st, int device, pv_stream *out);
int pv_cupy_stream_handle(pv_state *st, PyObject *value, pixview_stream *out);
int pv_cupy_only_names_stream(pv_state *st, PyObject *value, pixview_stream handle);

// export.c
PyObject *pv_cupy_export_take(pv_state *st, pixview_image *image, const pv_plan *plan,
                              PyObject *stream_object);

// memory.c
int pv_cupy_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                     const pv_plan *plan, pv_allocation *out);
int pv_cupy_allocate_bytes(pv_state *st, int device, int64_t nbytes, pv_allocation *out,
                           void **data);

#endif
