// SPDX-License-Identifier: Apache-2.0
// Lists of images: read, ordered, and held for the time of one call.
#ifndef PV_CONVERT_BATCH_IMPORT_H
#define PV_CONVERT_BATCH_IMPORT_H

#include "convert/stream_order.h"
#include "copy/operation.h"
#include "cuda/stream.h"
#include "frameworks/table.h"

// A stream that some image of the list was last used on.
typedef struct {
    pixview_stream handle;
    bool records; // an image among them has to know who used it (pv_framework.record_stream)
    pixviewi_stream_relation relation;
} pv_producer;

// The images of a list, in one block. What their import took is given back by pv_batch_clear.
typedef struct {
    PyObject *items; // owned tuple: the list may change while we read it
    pixview_image *images;
    Py_ssize_t count;
    Py_ssize_t
        like_first; // of them, that were read as differing from the first by address and pitch alone
    pv_imported first;      // of the first image; owns nothing
    PyObject *kept;         // owned list of what keeps memory and streams alive; may be NULL
    pv_producer *producers; // each stream once
    int producer_count;
    bool is_batch;     // `items` is one batch, all of its images in images[0]
    bool takes_stream; // stream= applies to one of them
    // Beside images, if one of them is a video frame; NULL. A frame is held by items.
    pixviewi_video *videos;
    pixview_image few[16];
    pv_producer some[4];
} pv_batch;

// `images`: a sequence or iterator of images, or one batch of rank 4. An empty list is a LayoutError.
int pv_batch_begin(pv_state *st, PyObject *images, pv_batch *out);
// Reads the images of types that run Python to be read. They come first: such code could change the
// others.
int pv_batch_import_untrusted(pv_state *st, pv_batch *g, const pv_options *options);
// The rest.
int pv_batch_import_trusted(pv_state *st, pv_batch *g, const pv_options *options);
void pv_batch_clear(pv_batch *g);

// May they be ordered with `work`? Before anything is queued. `given`: see pv_raise_if_unorderable.
int pv_batch_relate_streams(pv_state *st, pv_batch *g, pixview_device device, pixview_stream work,
                            bool given);
// `work` waits for every producer; and the reverse, because the sources may be written next.
int pv_batch_wait_for_producers(pv_state *st, const pv_batch *g, pixview_device device,
                                pixview_stream work);
int pv_batch_producers_wait(pv_state *st, const pv_batch *g, pixview_device device,
                            pixview_stream work);

#endif
