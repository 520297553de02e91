// SPDX-License-Identifier: Apache-2.0
#include "convert/allocate.h"

#include "base/errors.h"
#include "convert/stream_order.h"
#include "cuda/device.h"
#include "cuda/stream.h"
#include "descriptor/stream.h"
#include "frameworks/stream_life.h"
#include "frameworks/table.h"

// An upload waits and allocates, which would break a capture: on its stream, or, by the allocators of
// CuPy and OpenCV, on the current stream of a library.
static int check_upload(pv_state *st, const pv_options *options, const pv_stream *end)
{
    int device = pixviewi_cuda_current_device();
    pixview_stream work = end->handle == PIXVIEW_STREAM_NONE ? PIXVIEW_STREAM_LEGACY : end->handle;
    if (pixviewi_cuda_check_rows(device, work, true, &st->error))
        return pv_fail(st);
    for (int i = 0; i < PV_FRAMEWORK_COUNT; i++) {
        pv_stream now;
        if (!pv_stream_current(st, i, device, &now))
            continue;
        Py_XDECREF(now.object);
        bool works = pv_frameworks[i] == options->to || !pixviewi_stream_is_legacy(now.handle);
        if (works && pixviewi_cuda_check_rows(device, now.handle, true, &st->error))
            return pv_fail(st);
    }
    return 0;
}

int pv_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                const pv_plan *plan, pv_allocation *out)
{
    bool host = pixview_image_on_host(&like->image);
    pv_stream end = pv_end_stream_kept(st, options, host ? -1 : like->image.device.id);
    pv_options kept = *options;
    bool upload = host && !(options->to->flags & PV_ON_HOST);
    if (upload && check_upload(st, options, &end)) {
        Py_XDECREF(end.object);
        return -1;
    }
    if (kept.has_stream)
        kept.stream_object = end.object;
    int rc = options->to->allocate(st, &kept, like, plan, out);
    // A GpuMat is used on the caller's stream; every other result on the stream of its memory.
    bool by_caller = options->has_stream ||
                     (options->to->flags & PV_NO_STREAM && !(options->to->flags & PV_OURS));
    out->consumer = by_caller ? (pv_stream){end.handle, Py_XNewRef(end.object)}
                              : (pv_stream){out->image.stream, Py_XNewRef(out->stream_object)};
    Py_XDECREF(end.object);
    return rc;
}

PyObject *pv_allocation_export(pv_state *st, const pv_options *options, const pv_plan *plan,
                               pv_allocation *allocation)
{
    if (allocation->object)
        return Py_NewRef(allocation->object);
    if (options->to->flags & PV_OURS &&
        pv_order_for_storing(st, &allocation->image, &allocation->stream_object))
        return NULL;
    return options->to->export_take(st, &allocation->image, plan, allocation->stream_object);
}

void pv_allocation_clear(pv_allocation *allocation)
{
    pixview_owner_unref(allocation->image.owner);
    Py_XDECREF(allocation->object);
    Py_XDECREF(allocation->stream_object);
    Py_XDECREF(allocation->consumer.object);
}
