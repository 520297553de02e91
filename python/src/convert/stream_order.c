// Order between the streams of a view's two ends, at the conversion and at the release.
//
// At the conversion the consumer's stream waits for the producer's. When the view dies, the producer's
// stream waits for the consumer's, so that the memory does not go back to a pool, and the source is
// not written again, before the consumer's work is done. Nothing at all is done when the two are the
// same, as they are when everything runs on the legacy default stream, and nothing is ordered across
// the border of a graph capture: what a graph reads has to be ready before it is replayed.

#include "base/state.h"

static pixview_stream normal(pixview_stream stream)
{
    return stream == 1 ? PIXVIEW_STREAM_LEGACY : stream;
}

static bool same(pixview_stream a, pixview_stream b) { return normal(a) == normal(b); }

static int add(pixview_owner *owner, const pixviewi_use *use)
{
    Py_XINCREF((PyObject *)use->keep);
    if (pixviewi_owner_add_use(owner, use))
        return 0;
    Py_XDECREF((PyObject *)use->keep);
    PyErr_NoMemory();
    return -1;
}

static int add_use(pixview_owner *owner, int device, pixview_stream stream, pixview_stream back,
                   uint64_t capture, PyObject *keep)
{
    pixviewi_use use = {.stream = stream,
                        .back = back,
                        .capture = capture,
                        .device = device,
                        .keep = keep,
                        .drop_keep = pv_drop_object};
    return same(stream, back) ? 0 : add(owner, &use);
}

int pv_set_home(pixview_owner *owner, pixview_stream home, PyObject *keep)
{
    pixviewi_use kept = {.stream = PIXVIEW_STREAM_NONE,
                         .back = PIXVIEW_STREAM_NONE,
                         .keep = keep,
                         .drop_keep = pv_drop_object};
    if (home != PIXVIEW_STREAM_NONE)
        owner->home = home;
    return keep && !owner->uses ? add(owner, &kept) : 0;
}

int pv_check_join(pv_state *st, const pixviewi_joint *joint, bool given, pixview_stream producer,
                  pixview_stream consumer)
{
    pixview_error err;
    if (PIXVIEWI_LIKELY(joint->join <= PIXVIEWI_JOIN_YES ||
                        (joint->join == PIXVIEWI_JOIN_APART && !given))) {
        return 0;
    }
    (void)!pixviewi_cuda_fail_join(joint->join, producer, consumer, &err);
    pv_raise(st, &err);
    return -1;
}

// torch hands a block back to the stream it was allocated on, which nobody can ask for: record_stream
// covers that one, whatever it is, and defers itself during a capture.
int pv_record_stream(pv_state *st, PyObject *tensor, int device, pixview_stream consumer)
{
    PyObject *cuda = PyObject_GetAttr(st->torch, st->s_cuda);
    if (!cuda)
        return -1;
    PyObject *stream = same(consumer, PIXVIEW_STREAM_LEGACY)
                           ? PyObject_CallMethod(cuda, "default_stream", "i", device)
                           : PyObject_CallMethod(cuda, "ExternalStream", "Ki",
                                                 (unsigned long long)consumer, device);
    PyObject *done = stream ? PyObject_CallMethod(tensor, "record_stream", "O", stream) : NULL;
    Py_DECREF(cuda);
    Py_XDECREF(stream);
    Py_XDECREF(done);
    if (done)
        return 0;
    // A torch without CUDA holds device memory of somebody else only, and has no allocator to tell.
    PyObject *version = PyObject_GetAttrString(st->torch, "version");
    PyObject *built = version ? PyObject_GetAttr(version, st->s_cuda) : NULL;
    bool without_cuda = built == Py_None;
    Py_XDECREF(version);
    Py_XDECREF(built);
    if (!without_cuda)
        return -1;
    PyErr_Clear();
    return 0;
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
static int own_alone(pv_state *st, pv_source *src)
{
    if (pv_source_hold(st, src))
        return -1;
    if (src->kind != PV_IMAGE || !src->image.owner)
        return 0;
    pixview_owner *alone = pixviewi_owner_wrap(src->image.owner);
    if (!alone) {
        PyErr_NoMemory();
        return -1;
    }
    pixview_owner_unref(src->image.owner);
    src->image.owner = alone;
    return 0;
}

static int note_uses(pv_state *st, pv_source *src, const pv_stream *consumer, uint64_t capture)
{
    int device = src->image.device.id;
    pixview_stream producer = src->stream_unkept ? PIXVIEW_STREAM_NONE : src->image.stream;
    PyObject *keep;
    if (own_alone(st, src))
        return -1;
    pixview_owner *owner = src->image.owner;
    if (!owner) // empty, or borrowed memory of a raw pointer
        return 0;
    if (src->kind == PV_TORCH && pv_record_stream(st, src->object, device, consumer->handle))
        return -1;
    if (keep_both(src->stream_object, consumer->object, &keep))
        return -1;
    // An exporter that ordered its data itself keeps its stream to itself: the legacy one stands in.
    int rc = 0;
    if (producer != PIXVIEW_STREAM_NONE)
        rc = add_use(owner, device, consumer->handle, producer, capture, keep);
    // CuPy gives memory back to the stream of its allocation, most likely this one.
    if (rc == 0 && (src->kind == PV_CUPY || producer == PIXVIEW_STREAM_NONE))
        rc = add_use(owner, device, consumer->handle, PIXVIEW_STREAM_LEGACY, capture, keep);
    Py_XDECREF(keep);
    return rc;
}

static int order_apart(pv_state *st, pv_source *src, const pv_request *req,
                       const pv_stream *consumer)
{
    const pixview_image *image = &src->image;
    pixviewi_joint joint;
    pixview_error err;
    if (pixviewi_cuda_order(image->device.id, image->stream, consumer->handle, &joint, &err)) {
        pv_raise(st, &err);
        return -1;
    }
    if (pv_check_join(st, &joint, req->has_stream, image->stream, consumer->handle))
        return -1;
    return joint.join == PIXVIEWI_JOIN_APART ? 0 : note_uses(st, src, consumer, joint.capture);
}

PIXVIEWI_HOT int pv_order_view(pv_state *st, pv_source *src, const pv_request *req)
{
    pixview_image *image = &src->image;
    pv_stream consumer = {0, NULL};
    if (PIXVIEWI_UNLIKELY(pv_consumer_stream(st, req, image->device, &consumer) != 0)) {
        Py_XDECREF(consumer.object);
        return -1;
    }
    int rc = 0;
    if (PIXVIEWI_UNLIKELY(image->stream != consumer.handle) &&
        !same(image->stream, consumer.handle) && consumer.handle != PIXVIEW_STREAM_NONE) {
        rc = order_apart(st, src, req, &consumer);
    }
    image->stream = consumer.handle;
    if (PIXVIEWI_UNLIKELY(consumer.object != NULL))
        Py_DECREF(consumer.object);
    return rc;
}

int pv_note_use(const pixview_image *image, pixview_stream consumer, const pixviewi_joint *joint,
                PyObject *memory_stream, PyObject *consumer_stream)
{
    PyObject *keep;
    if (pixview_image_on_host(image) || !image->owner || joint->join != PIXVIEWI_JOIN_YES)
        return 0;
    if (keep_both(memory_stream, consumer_stream, &keep))
        return -1;
    int rc = add_use(image->owner, image->device.id, consumer, image->stream, joint->capture, keep);
    Py_XDECREF(keep);
    return rc;
}

// The stream is the consumer library's, which passes its current one unasked. It is only wrong if it is
// outside of the capture that the Image was made in.
static int order_shown(pv_state *st, const pixview_image *image, pixview_stream consumer,
                       pixviewi_joint *joint)
{
    pixview_error err;
    *joint = (pixviewi_joint){.join = PIXVIEWI_JOIN_NOTHING};
    if (!pixview_image_on_host(image) &&
        pixviewi_cuda_order(image->device.id, image->stream, consumer, joint, &err)) {
        pv_raise(st, &err);
        return -1;
    }
    bool given = !same(consumer, PIXVIEW_STREAM_LEGACY) && !joint->consumer_captures;
    return pv_check_join(st, joint, given, image->stream, consumer);
}

int pv_order_image(pv_state *st, pixview_image *image, PyObject *keep, pixview_stream consumer)
{
    pixviewi_joint joint;
    if (order_shown(st, image, consumer, &joint))
        return -1;
    pixview_owner_ref(image->owner);
    if (!image->owner || joint.join != PIXVIEWI_JOIN_YES)
        return 0;
    pixview_owner *alone = pixviewi_owner_wrap(image->owner);
    pixview_owner_unref(image->owner);
    image->owner = alone;
    if (alone &&
        add_use(alone, image->device.id, consumer, image->stream, joint.capture, keep) == 0) {
        return 0;
    }
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
    const pixviewi_use *use = __atomic_load_n(&owner->uses, __ATOMIC_ACQUIRE);
    stream = stream == 2 ? PIXVIEW_STREAM_LEGACY : stream; // as pixviewi_owner_add_use keeps it
    back = back == 2 ? PIXVIEW_STREAM_LEGACY : back;
    for (; use; use = use->next) {
        if (same(use->stream, stream) && same(use->back, back) && use->capture == capture &&
            use->drop_keep == pv_drop_object && keeps_as_well(st, use->keep, keep))
            return true;
    }
    return false;
}

int pv_order_borrowed(pv_state *st, const pixview_image *image, PyObject *keep,
                      pixview_stream consumer)
{
    pixviewi_joint joint;
    if (order_shown(st, image, consumer, &joint))
        return -1;
    if (!image->owner || joint.join != PIXVIEWI_JOIN_YES ||
        noted(st, image->owner, consumer, image->stream, joint.capture, NULL)) {
        return 0;
    }
    return add_use(image->owner, image->device.id, consumer, image->stream, joint.capture, keep);
}

// What the release of a view's owner lets go of in the end.
static PyObject *source_of(const pixview_owner *owner)
{
    const pixview_owner *parent;
    while ((parent = pixviewi_owner_parent(owner)))
        owner = parent;
    return pv_held_object(owner);
}

int pv_owner_used_on(pv_state *st, pixview_owner *owner, int device, pixview_stream stream,
                     PyObject *keep)
{
    pixviewi_joint joint;
    pixview_error err;
    if (same(stream, owner->home))
        return 0;
    if (pixviewi_cuda_ask(device, stream, owner->home, &joint, &err)) { // is it a stream at all?
        pv_raise(st, &err);
        return -1;
    }
    PyObject *source = source_of(owner);
    pv_kind kind = source ? pv_kind_of(st, source) : PV_OTHER;
    if (kind == PV_TORCH && pv_record_stream(st, source, device, stream))
        return -1;
    // A program may say it once for each frame.
    if (!noted(st, owner, stream, owner->home, joint.capture, keep) &&
        add_use(owner, device, stream, owner->home, joint.capture, keep))
        return -1;
    if (kind != PV_CUPY || noted(st, owner, stream, PIXVIEW_STREAM_LEGACY, joint.capture, keep))
        return 0;
    return add_use(owner, device, stream, PIXVIEW_STREAM_LEGACY, joint.capture, keep);
}
