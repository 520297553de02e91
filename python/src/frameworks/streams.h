// SPDX-License-Identifier: Apache-2.0
// Handles of streams, and the stream that a result will be used on.
#ifndef PV_FRAMEWORKS_STREAMS_H
#define PV_FRAMEWORKS_STREAMS_H

#include "frameworks/framework.h"

// A handle, or -1 for no ordering. 0, or -1 with an error.
int pv_stream_from_int(PyObject *value, pixview_stream *out);
// An attribute that may be absent: *out is NULL then. 0, or -1 with what the lookup raised.
int pv_find_attribute(PyObject *value, PyObject *name, PyObject **out);
// For pv_framework.stream_handle: the attribute `name` is the handle. 1: value has none.
int pv_stream_from_attribute(PyObject *value, PyObject *name, pixview_stream *out);
// For pv_framework.only_names_stream: torch's id of a stream that it does not own is the handle itself.
int pv_stream_named_by_id(pv_state *st, PyObject *value, pixview_stream handle);
// Of an end that has no stream of its own: what was passed, or the default. Borrowed.
static inline pv_stream pv_end_stream(const pv_options *options, int device)
{
    return options->has_stream ? (pv_stream){options->stream, options->stream_object}
                               : pv_default_stream(device);
}

// The stream on which the target will use memory of `device`; out->object is owned. 0 or -1.
int pv_consumer_stream(pv_state *st, const pv_options *options, pixview_device device,
                       pv_stream *out);

#endif
