// SPDX-License-Identifier: Apache-2.0
#ifndef PV_CONVERT_IMPORT_H
#define PV_CONVERT_IMPORT_H

#include "frameworks/imported.h"

// Reads x into *in, which pv_imported_begin has cleared. 0, or -1 with an error.
int pv_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in);

// Of a subclass of a framework's type, read as *image: is its memory still what it was? A reader's code
// that ran since may have resized it, whether or not a reference is held. 0, or -1 with an error.
int pv_check_unmoved(pv_state *st, PyObject *x, const pv_options *options,
                     const pixview_image *image);

// The stream in which the data of an imported object is ready: if its producer ordered the data itself, the
// one that it was given.
pixview_stream pv_producer_stream(const pv_imported *in, const pv_options *options);

#endif
