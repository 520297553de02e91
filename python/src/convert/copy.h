// SPDX-License-Identifier: Apache-2.0
// One copy into memory that exists, in the order of the streams.
#ifndef PV_CONVERT_COPY_H
#define PV_CONVERT_COPY_H

#include "convert/stream_order.h"
#include "cuda/stream.h"

// Queues work between two images, which is done by work(arg, stream, err), on the stream of `to`, or of `from` if that
// is in host memory.
typedef pixview_status (*pv_pixel_work)(const void *arg, pixview_stream stream, pixview_error *err);
int pv_work_on_streams(pv_state *st, const pixview_image *from, const pixview_image *to,
                       pixview_stream consumer, bool given, pixviewi_stream_relation *relation,
                       pv_pixel_work work, const void *arg);

// Queues the copy on the stream of the result's memory. `given`: the user passed a stream
// (pv_raise_if_unorderable). *relation, which may be NULL: did the consumer have to wait?
int pv_copy_on_streams(pv_state *st, const pixview_image *from, const pixview_image *to,
                       pixview_stream consumer, bool given, pixviewi_stream_relation *relation);

// An upload from pinned memory is under way when pixview_copy returns, and holds its source.
int pv_hold_pinned_source(pv_state *st, pv_imported *in, const pixview_image *to);

// May `dst`, an imported argument of that name, be written? 0, or -1 with the error.
int pv_check_writable(pv_state *st, const char *name, const pv_imported *dst);

// After it was written: the object whose memory it is has to know, which an Image or a GpuMat may keep.
int pv_count_write(pv_state *st, const pv_imported *dst);

#endif
