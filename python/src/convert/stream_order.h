// SPDX-License-Identifier: Apache-2.0
// Order between the streams of a view's two ends, at the conversion and at the release.
#ifndef PV_CONVERT_STREAM_ORDER_H
#define PV_CONVERT_STREAM_ORDER_H

#include "cuda/stream.h"
#include "frameworks/framework.h"

// All return 0, or -1 with an error.

// Before anything is queued: may the two streams be ordered? And then, if so, the wait.
int pv_stream_relate(pv_state *st, pixview_device device, pixview_stream producer,
                     pixview_stream consumer, bool given, pixviewi_stream_relation *relation);
// The same for a copy, which runs on `work`: outside of the capture that its source is in, it would be
// done once, and by no replay.
int pv_stream_relate_copy(pv_state *st, pixview_device device, pixview_stream producer,
                          pixview_stream work, bool given, pixviewi_stream_relation *relation);
int pv_stream_wait(pv_state *st, pixview_device device, pixview_stream producer,
                   pixview_stream consumer, const pixviewi_stream_relation *relation);
// Nothing is ordered across the border of a graph capture. That is an error where the user passed a
// stream (`given`), and where only the legacy stream is in the way.
int pv_raise_if_unorderable(pv_state *st, const pixviewi_stream_relation *relation, bool given,
                            pixview_stream producer, pixview_stream consumer);

// Orders a view's consumer after the source's stream, and makes the release undo it: the source's stream
// then waits for the consumer's. Makes image.owner where it has to.
int pv_order_view(pv_state *st, pv_imported *in, const pv_options *options);
// For an Image that is going to store its stream: one that may not be stored is replaced by the legacy
// stream, which waits for it now.
int pv_order_for_storing(pv_state *st, pixview_image *image, PyObject **stream_object);
// The same as pv_order_view for an Image that shows itself: orders `consumer` after it and gives *image an
// owner of its own (counted), whose release makes the Image's stream wait. `image_stream` keeps that.
int pv_order_image(pv_state *st, pixview_image *image, PyObject *image_stream,
                   const pv_stream *consumer);
// For memory that is lent out: orders `consumer` after the Image, whose own owner then makes the Image's
// stream wait when it lets go. A second call for the same consumer notes nothing new.
int pv_order_borrowed(pv_state *st, const pixview_image *image, PyObject *image_stream,
                      const pv_stream *consumer);

// A result whose memory belongs to image->stream is used on `consumer`, as `relation` allowed.
// `memory_stream`, which may be NULL, keeps the first.
int pv_owner_add_consumer(const pixview_image *image, const pv_stream *consumer,
                          const pixviewi_stream_relation *relation, PyObject *memory_stream);
// The owner's memory belongs to `stream`; `keep`, which may be NULL, keeps that alive.
int pv_owner_set_alloc_stream(pixview_owner *owner, pixview_stream stream, PyObject *keep);
// Makes the stream of the owner's memory wait for `user` too: at the release, or, if `user` may be gone
// by then, at once.
int pv_owner_used_on(pv_state *st, pixview_owner *owner, int device, const pv_stream *user);
// The same for an object that is no view; its framework records streams.
int pv_object_used_on(pv_state *st, PyObject *x, int device, const pv_stream *user);
// x, which was used on other streams, is back in the order of `home`.
int pv_record_home(pv_state *st, PyObject *x, int device, pixview_stream home);

#endif
