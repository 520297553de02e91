// SPDX-License-Identifier: Apache-2.0
// What pixview.Image shows: attributes, array interfaces, buffer protocol, DLPack capsules, exchange table.
#ifndef PV_IMAGE_H
#define PV_IMAGE_H

#include "base/image_object.h"

PyTypeObject *pv_image_type_new(PyObject *module);       // type.c
PyTypeObject *pv_video_frame_type_new(PyObject *module); // video_frame.c

// Methods and slots of the type, as Python calls them.
PyObject *pv_image_array_interface(PyObject *self, void *closure); // interfaces.c
PyObject *pv_image_cuda_array_interface(PyObject *self, void *closure);
PyObject *pv_image_array(PyObject *self, PyObject *args, PyObject *kwargs);
int pv_image_getbuffer(PyObject *self, Py_buffer *view, int flags); // buffer.c
void pv_image_releasebuffer(PyObject *self, Py_buffer *view);
PyObject *pv_image_dlpack(PyObject *self, PyObject *const *args, Py_ssize_t nargs, // dlpack.c
                          PyObject *kwnames);
PyObject *pv_image_tobytes(PyObject *self, PyObject *ignored); // pickle.c
PyObject *pv_image_copy(PyObject *self, PyObject *ignored);
PyObject *pv_image_deepcopy(PyObject *self, PyObject *memo);
PyObject *pv_image_reduce_ex(PyObject *self, PyObject *protocol);
PyObject *pv_image_dlpack_device(PyObject *self, PyObject *ignored);

// _core._image_from_pickle(memory, shape, dtype, layout, readonly): what pickles call (pickle.c).
PyObject *pv_image_from_pickle(PyObject *module, PyObject *const *args, Py_ssize_t nargs);
// The same for a VideoFrame (video_frame.c).
PyObject *pv_video_frame_from_pickle(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

// exchange.c: gives the type its exchange table, and the table the state to make Images with.
int pv_exchange_publish(pv_state *st, PyTypeObject *type);
void pv_exchange_withdraw(pv_state *st);

static inline pv_state *pv_image_state(PyObject *self)
{
    return PyType_GetModuleState(Py_TYPE(self));
}
static inline pv_image *pv_image_of(PyObject *self) { return (pv_image *)self; }
static inline bool pv_image_on_host(PyObject *self)
{
    return pixview_image_on_host(&pv_image_of(self)->image);
}
// Of the first element; 0 if there is none.
static inline PyObject *pv_image_address(PyObject *self)
{
    const pixview_image *image = &pv_image_of(self)->image;
    return PyLong_FromVoidPtr(pixview_image_is_empty(image) ? NULL : image->data);
}
// Shape and strides (bytes) in the order of the Image's own layout. Cannot fail: checked when made.
static inline int pv_image_axes(PyObject *self, int64_t *shape, int64_t *strides)
{
    int ndim = 0;
    pixview_status status = pixview_image_axes(&pv_image_of(self)->image, pv_image_of(self)->layout,
                                               &ndim, shape, strides, NULL);
    return status ? 0 : ndim;
}

// share.c: pixview.share, the type Share, and what pickles call.
PyTypeObject *pv_share_type_new(PyObject *module);
PyObject *pv_share_call(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                        PyObject *kwnames);
PyObject *pv_share_from_bytes(PyObject *module, PyObject *value);
PyObject *pv_image_from_share(PyObject *module, PyObject *value);
PyObject *pv_image_reduce_by_share(PyObject *self); // of an Image in device memory
PyTypeObject *pv_pool_type_new(PyObject *module);   // pool.c

#endif
