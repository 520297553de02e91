// SPDX-License-Identifier: Apache-2.0
// The parts of images that stack takes: regions (rois=), and the first channels (channels=).
#ifndef PV_PARTS_H
#define PV_PARTS_H

#include "convert/batch_import.h"
#include "pixview/convert.h"

typedef struct pv_parts {
    pixview_roi *rois;      // of all images, one after the other; NULL: whole images
    Py_ssize_t count;       // of rois
    Py_ssize_t *each;       // how many of them are of each image
    Py_ssize_t groups;      // images that rois= speaks of
    int64_t channels;       // 0: all
    pixview_image *images;  // the parts; borrow from the batch
    pixviewi_video *videos; // beside them, if the batch has some
    Py_ssize_t made;        // how many
} pv_parts;

// rois= and channels=. 0, or -1 with an error that names the argument.
int pv_parts_parse(pv_state *st, PyObject *rois, PyObject *channels, pv_parts *out);

// The parts of a list's or a batch's images, after its import. A list without rois= and channels= has none: made
// stays 0, unless `all`.
int pv_parts_make(pv_state *st, pv_parts *parts, const pv_batch *g, bool all);

void pv_parts_clear(pv_parts *parts);

#endif
