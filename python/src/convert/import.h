#ifndef PV_CONVERT_IMPORT_H
#define PV_CONVERT_IMPORT_H

#include "frameworks/imported.h"

// Reads x into *in, which pv_imported_begin has cleared. 0, or -1 with an error.
int pv_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in);

// The stream in which the data of an imported object is ready: if its producer ordered the data itself, the
// one that it was given.
pixview_stream pv_producer_stream(const pv_imported *in, const pv_options *options);

#endif
