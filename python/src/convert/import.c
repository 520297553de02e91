// SPDX-License-Identifier: Apache-2.0
// Import: the adapter of the object's framework reads it.

#include "convert/import.h"

#include <assert.h>
#include <string.h>

#include "base/errors.h"
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

static bool same_memory(const pixview_image *a, const pixview_image *b)
{
    return a->data == b->data && memcmp(a->shape, b->shape, sizeof a->shape) == 0 &&
           memcmp(a->strides, b->strides, sizeof a->strides) == 0 &&
           pixview_dtype_equal(a->dtype, b->dtype) && a->device.type == b->device.type &&
           a->device.id == b->device.id;
}

// Protocols vouch for what they gave, and plain types are read last.
int pv_check_unmoved(pv_state *st, PyObject *x, const pv_options *options,
                     const pixview_image *image)
{
    if (image->owner || pv_imports_without_python(st, x) ||
        pv_framework_of(st, x) == &pv_framework_protocols)
        return 0;
    pv_options again = *options;
    again.again = true;
    pv_imported in;
    pv_imported_begin(&in, x);
    int rc = pv_import(st, x, &again, &in);
    if (rc == 0 && !same_memory(&in.image, image)) {
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
                  "the memory of this %s changed while the call read its objects: something that "
                  "ran in it resized or replaced it",
                  Py_TYPE(x)->tp_name);
        rc = -1;
    }
    pv_imported_clear(&in);
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
