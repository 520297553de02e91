// Between the adapters: what is planned, and memory for a copy.
#ifndef PV_CONVERT_H
#define PV_CONVERT_H

#include "base/state.h"

typedef struct {
    enum { PV_SELF, PV_VIEW, PV_COPY } kind;
    pixview_layout layout; // of the result
    pixview_error why;     // of a copy
} pv_plan;

// Memory for a copy, from the framework that the result belongs to.
typedef struct {
    pixview_image image;       // writable; image.stream is the stream that the memory belongs to
    PyObject *stream_object;   // owned; keeps image.stream alive
    PyObject *object;          // owned; the finished array or GpuMat
    DlManaged *managed;        // owned; the torch tensor to be
    pixview_stream consumer;   // the stream that will use the result
    PyObject *consumer_object; // borrowed; keeps it alive
} pv_result;

// Asked before anything is queued: may the two streams be ordered? And then, if so, the wait.
int pv_ask(pv_state *st, pixview_device device, pixview_stream producer, pixview_stream consumer,
           bool given, pixviewi_joint *joint);
int pv_wait(pv_state *st, pixview_device device, pixview_stream producer, pixview_stream consumer,
            const pixviewi_joint *joint);

// An Image that is made without stream= stays in the order of its source.
static inline bool pv_keeps_stream(const pv_source *src, const pv_request *req)
{
    return req->to == PV_IMAGE && !req->has_stream && !src->stream_unkept;
}
// Orders and holds the source of views.
int pv_prepare_view(pv_state *st, pv_source *src, const pv_request *req);

int pv_make_plan(pv_state *st, const pv_source *src, const pv_request *req, pv_plan *plan);
// `given`: the user passed a stream (pv_check_join). *joint, which may be NULL: was the consumer made to
// wait for the stream of the result's memory?
int pv_copy_ordered(pv_state *st, const pixview_image *from, const pixview_image *to,
                    pixview_stream consumer, bool given, pixviewi_joint *joint);

int pv_hold_upload(pv_state *st, pv_source *src, const pixview_image *to);

int pv_allocate(pv_state *st, const pv_request *req, const pv_source *src, pixview_layout layout,
                pv_result *out);
PyObject *pv_result_finish(pv_state *st, const pv_request *req, pixview_layout layout,
                           pv_result *result);
void pv_result_clear(pv_result *result);

// Dense memory of nobody's framework: host (64-byte aligned) or stream-ordered device memory. The
// image gets shape and dtype of `like`, packed in `layout`, and an owner.
int pv_allocate_plain(pv_state *st, const pixview_image *like, pixview_layout layout,
                      pixview_device device, pixview_stream stream, PyObject *keep,
                      pixview_image *out);

// May a GpuMat of the cv2 at hand describe the image, interleaved or after a copy? -1 with the error.
int pv_gpumat_accepts(pv_state *st, const pixview_image *image);

// May `dst`, an imported argument of that name, be written? 0, or -1 with the error.
int pv_check_dst(pv_state *st, const char *name, const pv_source *dst);

// image_dlpack.c: methods of Image.
PyObject *pv_image_dlpack(PyObject *self, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames);
PyObject *pv_image_dlpack_device(PyObject *self, PyObject *ignored);

#endif
