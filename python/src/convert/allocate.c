#include "convert/allocate.h"

#include "frameworks/streams.h"

int pv_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                const pv_plan *plan, pv_allocation *out)
{
    bool host = pixview_image_on_host(&like->image);
    int rc = options->to->allocate(st, options, like, plan, out);
    // A GpuMat is used on the caller's stream; every other result on the stream of its memory.
    bool by_caller = options->has_stream ||
                     (options->to->flags & PV_NO_STREAM && !(options->to->flags & PV_OURS));
    pv_stream end = pv_end_stream(options, host ? -1 : like->image.device.id);
    out->consumer = by_caller ? end.handle : out->image.stream;
    out->consumer_object = by_caller ? end.object : NULL;
    return rc;
}

PyObject *pv_allocation_export(pv_state *st, const pv_options *options, const pv_plan *plan,
                               pv_allocation *allocation)
{
    if (allocation->object)
        return Py_NewRef(allocation->object);
    return options->to->export_take(st, &allocation->image, plan, allocation->stream_object);
}

void pv_allocation_clear(pv_allocation *allocation)
{
    pixview_owner_unref(allocation->image.owner);
    Py_XDECREF(allocation->object);
    Py_XDECREF(allocation->stream_object);
}
