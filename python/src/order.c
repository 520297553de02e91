// Order between the streams of a view's two ends, at the conversion and at the release.
//
// At the conversion the consumer's stream waits for the producer's. When the view dies, the producer's
// stream waits for the consumer's, so that the memory does not go back to a pool, and the source is
// not written again, before the consumer's work is done. Nothing at all is done when the two are the
// same, as they are when everything runs on the legacy default stream.

#include "state.h"

static pixview_stream normal(pixview_stream stream)
{
    return stream == 1 ? PIXVIEW_STREAM_LEGACY : stream;
}

static bool same(pixview_stream a, pixview_stream b) { return normal(a) == normal(b); }

static int add_use(pixview_owner *owner, int device, pixview_stream stream, pixview_stream back,
                   PyObject *keep)
{
    if (same(stream, back))
        return 0;
    Py_XINCREF(keep);
    if (pixviewi_owner_add_use(owner, device, stream, back, keep, pv_drop_object))
        return 0;
    Py_XDECREF(keep);
    PyErr_NoMemory();
    return -1;
}

// torch hands a block back to the stream it was allocated on, which nobody can ask for: record_stream
// covers that one, whatever it is, and defers itself during a capture.
static int record_stream(pv_state *st, PyObject *tensor, int device, pixview_stream consumer)
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

static int note_uses(pv_state *st, pv_source *src, const pv_stream *consumer)
{
    int device = src->image.device.id;
    pixview_stream producer = src->image.stream;
    PyObject *keep;
    if (own_alone(st, src))
        return -1;
    pixview_owner *owner = src->image.owner;
    if (!owner) // empty, or borrowed memory of a raw pointer
        return 0;
    if (src->kind == PV_TORCH && record_stream(st, src->object, device, consumer->handle))
        return -1;
    if (keep_both(src->stream_object, consumer->object, &keep))
        return -1;
    // An exporter that ordered its data itself keeps its stream to itself: the legacy one stands in.
    int rc = 0;
    if (producer != PIXVIEW_STREAM_NONE)
        rc = add_use(owner, device, consumer->handle, producer, keep);
    // CuPy gives memory back to the stream of its allocation, most likely this one.
    if (rc == 0 && (src->kind == PV_CUPY || producer == PIXVIEW_STREAM_NONE))
        rc = add_use(owner, device, consumer->handle, PIXVIEW_STREAM_LEGACY, keep);
    Py_XDECREF(keep);
    return rc;
}

int pv_order_view(pv_state *st, pv_source *src, const pv_request *req)
{
    pixview_image *image = &src->image;
    pv_stream consumer = {0, NULL};
    pixview_error err;
    int rc = pv_consumer_stream(st, req, image->device, &consumer);
    if (rc == 0 && PIXVIEWI_UNLIKELY(!same(image->stream, consumer.handle)) &&
        consumer.handle != PIXVIEW_STREAM_NONE) {
        if (pixviewi_cuda_order(image->device.id, image->stream, consumer.handle, &err)) {
            pv_raise(st, &err);
            rc = -1;
        } else {
            rc = note_uses(st, src, &consumer);
        }
    }
    image->stream = consumer.handle;
    Py_XDECREF(consumer.object);
    return rc;
}

int pv_note_use(const pixview_image *image, pixview_stream consumer, PyObject *memory_stream,
                PyObject *consumer_stream)
{
    PyObject *keep;
    if (pixview_image_on_host(image) || !image->owner || consumer == PIXVIEW_STREAM_NONE ||
        image->stream == PIXVIEW_STREAM_NONE || same(consumer, image->stream)) {
        return 0;
    }
    if (keep_both(memory_stream, consumer_stream, &keep))
        return -1;
    int rc = add_use(image->owner, image->device.id, consumer, image->stream, keep);
    Py_XDECREF(keep);
    return rc;
}

int pv_order_image(pv_state *st, pixview_image *image, PyObject *keep, pixview_stream consumer)
{
    pixview_error err;
    pixview_stream producer = image->stream;
    pixview_owner_ref(image->owner);
    if (pixview_image_on_host(image) || consumer == PIXVIEW_STREAM_NONE ||
        producer == PIXVIEW_STREAM_NONE || same(producer, consumer)) {
        return 0;
    }
    if (pixviewi_cuda_order(image->device.id, producer, consumer, &err)) {
        pixview_owner_unref(image->owner);
        pv_raise(st, &err);
        return -1;
    }
    if (!image->owner)
        return 0;
    pixview_owner *alone = pixviewi_owner_wrap(image->owner);
    pixview_owner_unref(image->owner);
    image->owner = alone;
    if (alone && add_use(alone, image->device.id, consumer, producer, keep) == 0)
        return 0;
    if (!alone)
        PyErr_NoMemory();
    pixview_owner_unref(alone);
    return -1;
}
