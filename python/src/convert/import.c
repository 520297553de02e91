// Import: the adapter of the object's framework reads it.

#include "convert/import.h"

#include <assert.h>

#include "base/pyref.h"
#include "frameworks/table.h"

PIXVIEWI_HOT int pv_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    pv_pyref_drain();
    assert(!in->image.owner && in->object == x); // pv_imported_begin
    in->from = pv_framework_of(st, x);
    return in->from->import(st, x, options, in);
}
