// Lists of images: read, ordered, and held for the time of one call.
#ifndef PV_BATCH_H
#define PV_BATCH_H

#include "convert/convert.h"

// A stream that some image of the list was last used on.
typedef struct {
    pixview_stream handle;
    bool torch; // a torch tensor is among its images
    pixviewi_joint joint;
} pv_producer;

// The images of a list, in one block. What their import took is given back by pv_gather_clear.
typedef struct {
    PyObject *items; // owned tuple: the list may change while we read it
    pixview_image *images;
    Py_ssize_t count;
    pv_source first;        // of the first image; owns nothing
    PyObject *kept;         // owned list of what keeps memory and streams alive; may be NULL
    pv_producer *producers; // each stream once
    int producer_count;
    bool whole;        // `items` is one batch, all of its images in images[0]
    bool takes_stream; // stream= speaks of one of them
    pixview_image few[16];
    pv_producer some[4];
} pv_gather;

// `images`: a sequence or iterator of images, or one batch of rank 4. An empty list is a LayoutError.
int pv_gather_start(pv_state *st, PyObject *images, pv_gather *out);
// Reads the images of types that run Python to be read. They come first: such code could change the
// others.
int pv_gather_strangers(pv_state *st, pv_gather *g, const pv_request *req);
// The rest, and whether all are alike. `sizes_differ`: but for their H and W.
int pv_gather_rest(pv_state *st, pv_gather *g, const pv_request *req, bool sizes_differ);
void pv_gather_clear(pv_gather *g);

// import_gpumat.c, for lists of GpuMats of one size and type: of `like`, an image that was read from such
// a GpuMat, only address and pitch differ. False: read it in the general way. pv_gpumat_type gives what
// is asked for as `type`; -1: x is not that usual.
int pv_gpumat_type(pv_state *st, PyObject *x, const pixview_image *image);
bool pv_import_gpumat_alike(pv_state *st, PyObject *x, int type, const pixview_image *like,
                            pixview_image *out);

// In which the data of an imported object is ready: for one that ordered it itself, the stream that
// we named to it.
pixview_stream pv_producer_stream(const pv_source *src, const pv_request *req);

// Is x of one of the types that are read without running Python?
bool pv_reads_quietly(pv_state *st, PyObject *x);

// May they be ordered with `work`? Before anything is queued. `given`: see pv_check_join.
int pv_gather_ask(pv_state *st, pv_gather *g, pixview_device device, pixview_stream work,
                  bool given);
// `work` waits for every producer; and the reverse, because the sources may be written next.
int pv_gather_order(pv_state *st, const pv_gather *g, pixview_device device, pixview_stream work);
int pv_gather_order_back(pv_state *st, const pv_gather *g, pixview_device device,
                         pixview_stream work);

// Puts "NAME[index]: ", or "NAME: ", in front of the message of the exception that is set, if it is ours.
void pv_name_item(pv_state *st, const char *name, Py_ssize_t index);
void pv_name_argument(pv_state *st, const char *name);

#endif
