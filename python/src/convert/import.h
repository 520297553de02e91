#ifndef PV_CONVERT_IMPORT_H
#define PV_CONVERT_IMPORT_H

#include "frameworks/imported.h"

// Reads x into *in, which pv_imported_begin has cleared. 0, or -1 with an error.
int pv_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in);

#endif
