// SPDX-License-Identifier: Apache-2.0
#include "convert/copy.h"

#include "base/errors.h"
#include "base/pyref.h"
#include "cuda/stream.h"
#include "descriptor/image_init.h"
#include "descriptor/owner.h"
#include "frameworks/imported.h"
#include "frameworks/table.h"

// The work waits for the producer, the producer waits for it (the source may be written next), and so does the
// consumer.
int pv_work_on_streams(pv_state *st, const pixview_image *from, const pixview_image *to,
                       pixview_stream consumer, bool given, pixviewi_stream_relation *relation,
                       pv_pixel_work run, const void *arg)
{
    bool from_host = pixview_image_on_host(from), to_host = pixview_image_on_host(to);
    pixview_device device = to_host ? from->device : to->device;
    pixview_stream work = to_host ? from->stream : to->stream;
    pixviewi_stream_relation before, after;
    if (work == PIXVIEW_STREAM_NONE)
        work = PIXVIEW_STREAM_LEGACY;
    pixview_stream producer = from_host ? work : from->stream;
    if (to_host)
        consumer = work;
    if (pv_stream_relate_copy(st, device, producer, work, given, &before) ||
        pv_stream_relate(st, device, work, consumer, given, &after) ||
        pv_stream_wait(st, device, producer, work, &before)) {
        return -1;
    }
    if (relation)
        *relation = after;
    pixview_error err;
    pixview_status status;
    PyThreadState *gil = pv_gil_release(to, from_host && to_host);
    status = run(arg, work, &err);
    pv_gil_acquire(gil);
    if (status) {
        pv_raise(st, &err);
        return -1;
    }
    return pv_stream_wait(st, device, work, producer, &before) ||
                   pv_stream_wait(st, device, work, consumer, &after)
               ? -1
               : 0;
}

static pixview_status copy_images(const void *arg, pixview_stream stream, pixview_error *err)
{
    const pixview_image *const *ends = arg;
    const pixview_copy_params params = {sizeof params, stream};
    return pixview_copy(ends[0], ends[1], &params, err);
}

int pv_copy_on_streams(pv_state *st, const pixview_image *from, const pixview_image *to,
                       pixview_stream consumer, bool given, pixviewi_stream_relation *relation)
{
    const pixview_image *ends[] = {from, to};
    return pv_work_on_streams(st, from, to, consumer, given, relation, copy_images, ends);
}

// An upload from pinned memory is under way when the call returns, and holds its source.
int pv_hold_pinned_source(pv_state *st, pv_imported *in, const pixview_image *to)
{
    bool upload = pixview_image_on_host(&in->image) && !pixview_image_on_host(to);
    return upload ? pv_imported_hold(st, in) : 0;
}

int pv_check_writable(pv_state *st, const char *name, const pv_imported *dst)
{
    if (dst->producer_copied) {
        pv_raisef(st, PIXVIEW_E_READONLY,
                  "%s's __dlpack__ returned a copy, so writing to it would not change the "
                  "object; pass the object that owns the memory",
                  name);
        return -1;
    }
    if (dst->unaligned && pixviewi_image_check_aligned(&dst->image, dst->layout, &st->error)) {
        (void)pv_fail(st);
        pv_errors_prefix(st, name);
        return -1;
    }
    return dst->from->check_writable ? dst->from->check_writable(st, name, dst) : 0;
}

// Counts a write of x. The new reference *out is what owns the memory of x, if x is a view of it.
static int count_one(pv_state *st, PyObject *x, PyObject **out)
{
    const pv_framework *from = pv_framework_of(st, x);
    pixview_owner *owner = NULL;
    *out = NULL;
    if (from->count_write && (from->count_write(st, x) || !st->counted_again))
        return PyErr_Occurred() ? -1 : 0;
    if (from->owner_of && from->owner_of(st, x, &owner)) {
        if (!from->count_write)
            return -1;
        PyErr_Clear(); // what cannot be asked has been counted itself
    }
    *out = Py_XNewRef(pv_pyref_source(owner));
    return 0;
}

int pv_count_write(pv_state *st, const pv_imported *dst)
{
    enum { MOST = 1000 }; // views of views; more is a circle
    PyObject *x = Py_NewRef(dst->object), *next;
    int rc = 0;
    for (int i = 0; x && rc == 0 && i < MOST; i++) {
        rc = count_one(st, x, &next);
        Py_SETREF(x, next);
    }
    Py_XDECREF(x);
    return rc;
}
