// SPDX-License-Identifier: Apache-2.0
// cv2.cuda.GpuMat: its struct is read and written in place after a self-check, cv2's public calls are used
// otherwise.
#ifndef PV_OPENCV_H
#define PV_OPENCV_H

#include "frameworks/opencv/abi.h"
#include "frameworks/table.h"

typedef struct pv_opencv {
    PyObject *cuda; // the module cv2.cuda
    pv_gpumat_abi abi;
} pv_opencv;

static inline pv_opencv *pv_opencv_of(pv_state *st) { return st->framework_state[PV_GPUMAT]; }
static inline pv_gpumat_abi *pv_gpumat_abi_of(pv_state *st) { return &pv_opencv_of(st)->abi; }

// May headers be read and written in place?
static inline bool pv_gpumat_in_place(pv_state *st)
{
    return pv_gpumat_abi_of(st)->read_struct && !st->hooks.gpumat_public;
}

// self_check.c: runs the self-check once. -1 with an error only when cv2's public calls fail too.
int pv_gpumat_check(pv_state *st);

// import.c
int pv_gpumat_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in);
int pv_gpumat_batch_key(pv_state *st, PyObject *x, const pixview_image *image);
Py_ssize_t pv_gpumat_import_alike(pv_state *st, PyObject *const *items, Py_ssize_t count, int key,
                                  const pixview_image *like, pixview_image *out);
int pv_gpumat_stream_handle(pv_state *st, PyObject *value, pixview_stream *out); // stream.c

// hold.c
pixview_owner *pv_gpumat_hold(pv_state *st, const pv_imported *in);
int pv_gpumat_owner_of(pv_state *st, PyObject *x, pixview_owner **out);

// export.c
int pv_gpumat_check_image(pv_state *st, const pixview_image *image, pv_plan *plan);
PyObject *pv_gpumat_export_take(pv_state *st, pixview_image *image, const pv_plan *plan,
                                PyObject *stream_object);

// memory.c
int pv_gpumat_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                       const pv_plan *plan, pv_allocation *out);

// subtype.c: the type made in C whose objects carry a pixview_owner. NULL with an error set when this
// cv2's type cannot be subclassed from C.
PyTypeObject *pv_gpumat_subtype(pv_state *st);
pixview_owner *pv_gpumat_subtype_owner(PyObject *object);                      // borrowed
void pv_gpumat_subtype_set_owner_take(PyObject *object, pixview_owner *owner); // takes the count

#endif
