// SPDX-License-Identifier: Apache-2.0
// Order between the streams of a view's two ends, at the conversion and at the release.
//
// At the conversion the consumer's stream waits for the producer's. When the view dies, the producer's
// stream waits for the consumer's, so that the memory does not go back to a pool, and the source is
// not written again, before the consumer's work is done. Nothing at all is done when the two are the
// same, as they are when everything runs on the legacy default stream, and nothing is ordered across
// the border of a graph capture: what a graph reads has to be ready before it is replayed.

#include "convert/stream_order.h"

#include "base/errors.h"
#include "base/pyref.h"
#include "cuda/driver.h"
#include "cuda/stream.h"
#include "descriptor/owner.h"
#include "descriptor/status.h"
#include "descriptor/stream.h"
#include "frameworks/imported.h"
#include "frameworks/stream_life.h"
#include "frameworks/streams.h"
#include "frameworks/table.h"

// At the release `home` waits for `consumer`. `keep`, which may be NULL, keeps both alive.
static int add_consumer(pixview_owner *owner, int device, pixview_stream consumer,
                        pixview_stream home, uint64_t capture, PyObject *keep)
{
    pixviewi_stream_dep dep = {.consumer = consumer,
                               .home = home,
                               .capture = capture,
                               .device = device,
                               .keepalive = Py_XNewRef(keep),
                               .drop_keepalive = pv_pyref_drop};
    if (!pixviewi_stream_same(consumer, home) && pixviewi_cuda_add_dep_take(owner, &dep))
        return 0;
    Py_XDECREF(keep);
    if (pixviewi_stream_same(consumer, home))
        return 0;
    PyErr_NoMemory();
    return -1;
}

int pv_owner_set_alloc_stream(pixview_owner *owner, pixview_stream stream, PyObject *keep)
{
    if (stream != PIXVIEW_STREAM_NONE)
        pixviewi_owner_set_alloc_stream(owner, stream);
    return keep && !pixviewi_owner_deps(owner) ? pv_pyref_keep(owner, keep) : 0;
}

int pv_raise_if_unorderable(pv_state *st, const pixviewi_stream_relation *relation, bool given,
                            pixview_stream producer, pixview_stream consumer)
{
    if (relation->kind <= PIXVIEWI_STREAMS_ORDERABLE ||
        (relation->kind == PIXVIEWI_CAPTURE_MISMATCH && !given)) {
        return 0;
    }
    (void)!pixviewi_cuda_fail_relation(relation->kind, producer, consumer, &st->error);
    return pv_fail(st);
}

int pv_stream_relate(pv_state *st, pixview_device device, pixview_stream producer,
                     pixview_stream consumer, bool given, pixviewi_stream_relation *relation)
{
    *relation = (pixviewi_stream_relation){.kind = PIXVIEWI_STREAMS_SAME};
    if (producer == consumer)
        return 0;
    if (!pixviewi_cuda_stream_relation(device.id, producer, consumer, relation, &st->error))
        return pv_raise_if_unorderable(st, relation, given, producer, consumer);
    return pv_fail(st);
}

int pv_stream_relate_copy(pv_state *st, pixview_device device, pixview_stream producer,
                          pixview_stream work, bool given, pixviewi_stream_relation *relation)
{
    if (pv_stream_relate(st, device, producer, work, false, relation))
        return -1;
    if (relation->kind != PIXVIEWI_CAPTURE_MISMATCH || !relation->producer_captures)
        return pv_raise_if_unorderable(st, relation, given, producer, work);
    pixviewi_fail(&st->error, PIXVIEW_E_CUDA,
                  "CUDA_ERROR_STREAM_CAPTURE_ISOLATION (905): the source's stream %#llx is in a "
                  "graph capture and the result's %#llx is not, so the copy would run outside of "
                  "the graph; pass stream= of the capture, or call inside pixview.using_stream",
                  (unsigned long long)producer, (unsigned long long)work);
    st->error.driver_code = CU_CAPTURE_ISOLATION;
    return pv_fail(st);
}

int pv_stream_wait(pv_state *st, pixview_device device, pixview_stream producer,
                   pixview_stream consumer, const pixviewi_stream_relation *relation)
{
    if (relation->kind != PIXVIEWI_STREAMS_ORDERABLE ||
        !pixviewi_cuda_wait(device.id, producer, consumer, &st->error)) {
        return 0;
    }
    return pv_fail(st);
}

// Both ends' streams, kept alive for the release; NULL when neither needs it.
static int keep_both(PyObject *a, PyObject *b, PyObject **out)
{
    *out = NULL;
    if (!a && !b)
        return 0;
    *out = PyTuple_Pack(2, a ? a : Py_None, b ? b : Py_None);
    return *out ? 0 : -1;
}

// The owner of this view alone: an Image's is shared with other views of it.
static int own_alone(pv_state *st, pv_imported *in)
{
    if (pv_imported_hold(st, in))
        return -1;
    if (!(in->from->flags & PV_OURS) || !in->image.owner)
        return 0;
    pixview_owner *alone = pixviewi_owner_nested(in->image.owner);
    if (!alone) {
        PyErr_NoMemory();
        return -1;
    }
    pixview_owner_unref(in->image.owner);
    in->image.owner = alone;
    return 0;
}

// torch hands memory back to the stream that it was allocated on, which nobody can ask for. `home`, which
// waits for all uses at the release, is recorded with what owns the memory of x in the end.
int pv_record_home(pv_state *st, PyObject *x, int device, pixview_stream home)
{
    enum { MOST = 16 }; // views of views
    for (int i = 0; x && i < MOST; i++) {
        const pv_framework *from = pv_framework_of(st, x);
        pixview_owner *owner = NULL;
        if (from->owner_of && from->owner_of(st, x, &owner))
            return -1;
        if (!owner)
            return from->record_stream && from->record_stream(st, x, device, home) < 0 ? -1 : 0;
        x = pv_pyref_source(owner);
    }
    return 0;
}

static int note_uses(pv_state *st, pv_imported *in, const pv_stream *consumer, uint64_t capture)
{
    int device = in->image.device.id;
    pixview_stream home = pv_stream_stored(in->image.stream, in->stream_object);
    pixview_stream user = pv_stream_stored(consumer->handle, consumer->object);
    PyObject *keep;
    if (own_alone(st, in))
        return -1;
    pixview_owner *owner = in->image.owner;
    if (!owner) // empty, or borrowed memory of a raw pointer
        return 0;
    if (pv_record_home(st, in->object, device, home) ||
        keep_both(in->stream_object, consumer->object, &keep))
        return -1;
    int rc = 0;
    if (home != PIXVIEW_STREAM_NONE)
        rc = add_consumer(owner, device, user, home, capture, keep);
    // Its pool takes memory back on the stream of the allocation.
    if (rc == 0 && in->from->flags & PV_FREES_ON_LEGACY && !pixviewi_stream_is_legacy(home))
        rc = add_consumer(owner, device, user, PIXVIEW_STREAM_LEGACY, capture, keep);
    Py_XDECREF(keep);
    return rc;
}

static int order_apart(pv_state *st, pv_imported *in, const pv_options *options,
                       const pv_stream *consumer)
{
    const pixview_image *image = &in->image;
    pixviewi_stream_relation relation;
    if (pixviewi_cuda_order(image->device.id, image->stream, consumer->handle, &relation,
                            &st->error)) {
        return pv_fail(st);
    }
    if (pv_raise_if_unorderable(st, &relation, options->has_stream, image->stream,
                                consumer->handle))
        return -1;
    return relation.kind == PIXVIEWI_CAPTURE_MISMATCH
               ? 0
               : note_uses(st, in, consumer, relation.capture);
}

PIXVIEWI_HOT int pv_order_view(pv_state *st, pv_imported *in, const pv_options *options)
{
    pixview_image *image = &in->image;
    pv_stream consumer = {0, NULL};
    if (pv_consumer_stream(st, options, image->device, &consumer) != 0) {
        Py_XDECREF(consumer.object);
        return -1;
    }
    pv_stream_find_keeper(st, image->device.id, &consumer);
    int rc = 0;
    if (image->stream != consumer.handle && !pixviewi_stream_same(image->stream, consumer.handle) &&
        consumer.handle != PIXVIEW_STREAM_NONE) {
        rc = order_apart(st, in, options, &consumer);
    }
    image->stream = consumer.handle;
    PyObject *before = in->stream_object;
    in->stream_object = consumer.object;
    if (before != NULL)
        Py_DECREF(before);
    return rc;
}

int pv_order_for_storing(pv_state *st, pixview_image *image, PyObject **stream_object)
{
    pixviewi_stream_relation relation;
    if (pixview_image_on_host(image) || pv_stream_lasts(image->stream, *stream_object))
        return 0;
    if (pixviewi_cuda_order(image->device.id, image->stream, PIXVIEW_STREAM_LEGACY, &relation,
                            &st->error))
        return pv_fail(st);
    if (pv_raise_if_unorderable(st, &relation, false, image->stream, PIXVIEW_STREAM_LEGACY))
        return -1;
    image->stream = PIXVIEW_STREAM_LEGACY;
    Py_CLEAR(*stream_object);
    return 0;
}

int pv_owner_add_consumer(const pixview_image *image, const pv_stream *consumer,
                          const pixviewi_stream_relation *relation, PyObject *memory_stream)
{
    PyObject *keep;
    if (pixview_image_on_host(image) || !image->owner ||
        relation->kind != PIXVIEWI_STREAMS_ORDERABLE)
        return 0;
    if (keep_both(memory_stream, consumer->object, &keep))
        return -1;
    int rc = add_consumer(image->owner, image->device.id,
                          pv_stream_stored(consumer->handle, consumer->object),
                          pv_stream_stored(image->stream, memory_stream), relation->capture, keep);
    Py_XDECREF(keep);
    return rc;
}

// The stream is the consumer library's, which passes its current one unasked. It is only wrong if it is
// outside of the capture that the Image was made in.
static int order_shown(pv_state *st, const pixview_image *image, pixview_stream consumer,
                       pixviewi_stream_relation *relation)
{
    *relation = (pixviewi_stream_relation){.kind = PIXVIEWI_STREAMS_SAME};
    if (!pixview_image_on_host(image) &&
        pixviewi_cuda_order(image->device.id, image->stream, consumer, relation, &st->error)) {
        return pv_fail(st);
    }
    bool given =
        !pixviewi_stream_same(consumer, PIXVIEW_STREAM_LEGACY) && !relation->consumer_captures;
    return pv_raise_if_unorderable(st, relation, given, image->stream, consumer);
}

// An Image's own stream is one that lasts.
static int add_user(pv_state *st, pixview_owner *owner, const pixview_image *image,
                    PyObject *image_stream, const pv_stream *consumer, uint64_t capture)
{
    PyObject *keep;
    if (pv_record_home(st, pv_pyref_source(owner), image->device.id, image->stream) ||
        keep_both(image_stream, consumer->object, &keep))
        return -1;
    int rc =
        add_consumer(owner, image->device.id, pv_stream_stored(consumer->handle, consumer->object),
                     image->stream, capture, keep);
    Py_XDECREF(keep);
    return rc;
}

int pv_order_image(pv_state *st, pixview_image *image, PyObject *image_stream,
                   const pv_stream *consumer)
{
    pixviewi_stream_relation relation;
    pv_note_export(st, image->owner);
    if (order_shown(st, image, consumer->handle, &relation))
        return -1;
    pixview_owner_ref(image->owner);
    if (!image->owner || relation.kind != PIXVIEWI_STREAMS_ORDERABLE)
        return 0;
    pixview_owner *alone = pixviewi_owner_nested(image->owner);
    pixview_owner_unref(image->owner);
    image->owner = alone;
    if (alone && add_user(st, alone, image, image_stream, consumer, relation.capture) == 0)
        return 0;
    if (!alone)
        PyErr_NoMemory();
    pixview_owner_unref(alone);
    return -1;
}

// Does `kept` keep alive the stream that `keep` would? Two objects of one type and one handle both own it
// or both do not, but for cv2's: wrapStream makes Streams that own none.
static bool keeps_as_well(pv_state *st, PyObject *kept, PyObject *keep)
{
    return !keep || kept == keep ||
           (kept && Py_TYPE(kept) == Py_TYPE(keep) && !PyTuple_CheckExact(keep) &&
            !PyObject_HasAttr(keep, st->s_cudaPtr));
}

// Is it noted already that `back` waits for `stream`, and is that kept alive?
static bool noted(pv_state *st, const pixview_owner *owner, pixview_stream stream,
                  pixview_stream back, uint64_t capture, PyObject *keep)
{
    const pixviewi_stream_dep *dep = pixviewi_owner_deps(owner);
    stream = pixviewi_stream_on_any_thread(stream); // as the dependency keeps it
    back = pixviewi_stream_on_any_thread(back);
    for (; dep; dep = dep->next) {
        if (pixviewi_stream_same(dep->consumer, stream) && pixviewi_stream_same(dep->home, back) &&
            dep->capture == capture && dep->drop_keepalive == pv_pyref_drop &&
            keeps_as_well(st, dep->keepalive, keep))
            return true;
    }
    return false;
}

int pv_order_borrowed(pv_state *st, const pixview_image *image, PyObject *image_stream,
                      const pv_stream *consumer)
{
    pixviewi_stream_relation relation;
    if (order_shown(st, image, consumer->handle, &relation))
        return -1;
    if (!image->owner || relation.kind != PIXVIEWI_STREAMS_ORDERABLE ||
        noted(st, image->owner, pv_stream_stored(consumer->handle, consumer->object), image->stream,
              relation.capture, NULL))
        return 0;
    return add_user(st, image->owner, image, image_stream, consumer, relation.capture);
}

// What cannot be stored is waited for at once.
static int wait_now(pv_state *st, pixview_device gpu, pixview_stream stream, pixview_stream home)
{
    pixviewi_stream_relation relation;
    return pv_stream_relate(st, gpu, stream, home, true, &relation) ||
                   pv_stream_wait(st, gpu, stream, home, &relation)
               ? -1
               : 0;
}

static int add_user_once(pv_state *st, pixview_owner *owner, int device, const pv_stream *user,
                         pixview_stream home)
{
    pixviewi_stream_relation relation;
    bool lasts = pv_stream_lasts(user->handle, user->object);
    if (pixviewi_cuda_stream_relation(device, user->handle, home, &relation, &st->error))
        return pv_fail(st); // it is no stream at all
    // A program may say it once for each frame.
    if (noted(st, owner, user->handle, home, relation.capture, lasts ? user->object : NULL))
        return 0;
    if (!lasts)
        return wait_now(st, (pixview_device){PIXVIEW_DEVICE_CUDA, device}, user->handle, home);
    return add_consumer(owner, device, user->handle, home, relation.capture, user->object);
}

int pv_owner_used_on(pv_state *st, pixview_owner *owner, int device, const pv_stream *user)
{
    pixview_stream home = pixviewi_owner_alloc_stream(owner);
    if (pixviewi_stream_same(user->handle, home))
        return 0;
    PyObject *source = pv_pyref_source(owner);
    const pv_framework *from = source ? pv_framework_of(st, source) : &pv_framework_protocols;
    if (add_user_once(st, owner, device, user, home) || pv_record_home(st, source, device, home))
        return -1;
    return from->flags & PV_FREES_ON_LEGACY && !pixviewi_stream_is_legacy(home)
               ? add_user_once(st, owner, device, user, PIXVIEW_STREAM_LEGACY)
               : 0;
}

int pv_object_used_on(pv_state *st, PyObject *x, int device, const pv_stream *user)
{
    const pv_framework *from = pv_framework_of(st, x);
    pv_stream home;
    int rc = from->record_stream(st, x, device, user->handle);
    if (rc <= 0)
        return rc;
    if (from->current_stream(st, device, &home))
        return -1;
    rc = wait_now(st, (pixview_device){PIXVIEW_DEVICE_CUDA, device}, user->handle, home.handle);
    if (rc == 0)
        rc = from->record_stream(st, x, device, pv_stream_stored(home.handle, home.object));
    Py_XDECREF(home.object);
    return rc < 0 ? -1 : 0;
}
