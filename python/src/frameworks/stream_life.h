// SPDX-License-Identifier: Apache-2.0
// How long a stream lasts, and so how long its handle may be kept: docs/streams.md has the rule.
#ifndef PV_FRAMEWORKS_STREAM_LIFE_H
#define PV_FRAMEWORKS_STREAM_LIFE_H

#include "frameworks/framework.h"

// Does `value` only name the stream, which somebody else keeps (an ExternalStream)? -1 with an error.
int pv_stream_only_named(pv_state *st, PyObject *value, pixview_stream handle);

// The current stream of a library, by its index in the table; out->object is owned. false: it is not
// imported, has none, or cannot tell. No error is left.
bool pv_stream_current(pv_state *st, int library, int device, pv_stream *out);

// Of a stream of that GPU which nothing is known to keep: looks for what does, and puts it into
// stream->object, which is owned: what using_stream was given, or the current stream of a library.
void pv_stream_find_keeper(pv_state *st, int device, pv_stream *stream);

// Of an end that has no stream of its own: pv_end_stream with what keeps it; the object is owned.
pv_stream pv_end_stream_kept(pv_state *st, const pv_options *options, int device);

// May the handle be stored, to be used after the call?
static inline bool pv_stream_lasts(pixview_stream handle, const PyObject *object)
{
    return object != PV_UNKEPT || handle <= 2 || handle == PIXVIEW_STREAM_NONE;
}

// What is stored for it: if it may be gone by then, the legacy stream, which waits for blocking ones.
static inline pixview_stream pv_stream_stored(pixview_stream handle, const PyObject *object)
{
    return pv_stream_lasts(handle, object) ? handle : PIXVIEW_STREAM_LEGACY;
}

#endif
