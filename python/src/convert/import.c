// Import: the adapter of the object's framework reads it.

#include "convert/import.h"

#include <assert.h>

#include "base/pyref.h"
#include "descriptor/stream.h"
#include "frameworks/stream_life.h"
#include "frameworks/streams.h"
#include "frameworks/table.h"

static void find_keeper(pv_state *st, pv_imported *in)
{
    pv_stream stream = {in->image.stream, in->stream_object};
    if (!PyErr_Occurred())
        pv_stream_find_keeper(st, in->image.device.id, &stream);
    in->stream_object = stream.object;
}

PIXVIEWI_HOT int pv_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    pv_pyref_drain();
    assert(!in->image.owner && in->object == x); // pv_imported_begin
    in->from = pv_framework_of(st, x);
    int rc = in->from->import(st, x, options, in);
    if (in->stream_object == PV_UNKEPT)
        find_keeper(st, in);
    return rc;
}

// A DLPack producer (whose import is owned) made its data ready for the stream that we named to it.
pixview_stream pv_producer_stream(const pv_imported *in, const pv_options *options)
{
    bool asked = in->image.stream == PIXVIEW_STREAM_NONE && in->from == &pv_framework_protocols &&
                 in->image.owner && options->to->flags & PV_NO_STREAM;
    pixview_stream stream =
        asked ? pv_end_stream(options, in->image.device.id).handle : in->image.stream;
    return pixviewi_stream_normalize(stream);
}
