// Order between the streams of a view's two ends, at the conversion and at the release.
#ifndef PV_CONVERT_STREAM_ORDER_H
#define PV_CONVERT_STREAM_ORDER_H

#include "cuda/stream.h"
#include "frameworks/framework.h"

// All return 0, or -1 with an error.

// Before anything is queued: may the two streams be ordered? And then, if so, the wait.
int pv_stream_relate(pv_state *st, pixview_device device, pixview_stream producer,
                     pixview_stream consumer, bool given, pixviewi_stream_relation *relation);
int pv_stream_wait(pv_state *st, pixview_device device, pixview_stream producer,
                   pixview_stream consumer, const pixviewi_stream_relation *relation);
// Nothing is ordered across the border of a graph capture. That is an error where the user passed a
// stream (`given`), and where only the legacy stream is in the way.
int pv_raise_if_unorderable(pv_state *st, const pixviewi_stream_relation *relation, bool given,
                            pixview_stream producer, pixview_stream consumer);

// Orders a view's consumer after the source's stream, and makes the release undo it: the source's stream
// then waits for the consumer's. Makes image.owner where it has to.
int pv_order_view(pv_state *st, pv_imported *in, const pv_options *options);
// The same for an Image that shows itself: orders `consumer` after it and gives *image an owner of its
// own (counted), whose release makes the Image's stream wait. `keep` keeps that stream alive.
int pv_order_image(pv_state *st, pixview_image *image, PyObject *keep, pixview_stream consumer);
// For memory that is lent out: orders `consumer` after the Image, whose own owner then makes the Image's
// stream wait when it lets go. A second call for the same consumer notes nothing new.
int pv_order_borrowed(pv_state *st, const pixview_image *image, PyObject *keep,
                      pixview_stream consumer);

// A result whose memory belongs to image->stream is used on `consumer`, as `relation` allowed. The
// objects, which may be NULL, keep the two streams alive.
int pv_owner_add_consumer(const pixview_image *image, pixview_stream consumer,
                          const pixviewi_stream_relation *relation, PyObject *memory_stream,
                          PyObject *consumer_stream);
// The owner's memory belongs to `stream`; `keep`, which may be NULL, keeps that alive.
int pv_owner_set_alloc_stream(pixview_owner *owner, pixview_stream stream, PyObject *keep);
// Makes the stream of the owner's memory wait for `stream` too, at the release.
int pv_owner_used_on(pv_state *st, pixview_owner *owner, int device, pixview_stream stream,
                     PyObject *keep);

#endif
