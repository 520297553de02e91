// SPDX-License-Identifier: Apache-2.0
// The order of streams, which no graph capture may be disturbed by.
#ifndef PIXVIEWI_CUDA_STREAM_H
#define PIXVIEWI_CUDA_STREAM_H

#include "descriptor/owner.h"

struct pixviewi_scope;

// May an event join two streams now? Outside of any capture, and inside one that both belong to, yes.
typedef enum pixviewi_stream_relation_kind {
    PIXVIEWI_STREAMS_SAME, // the same stream (0 and 1 both mean legacy), or PIXVIEW_STREAM_NONE
    PIXVIEWI_STREAMS_ORDERABLE,
    PIXVIEWI_CAPTURE_MISMATCH, // exactly one captures, or each in its own: an event would break a capture
    PIXVIEWI_LEGACY_BLOCKED // neither captures, but one is the legacy stream, and touching that breaks
                            // the capture of the blocking stream that somebody else captures
} pixviewi_stream_relation_kind;

typedef struct pixviewi_stream_relation {
    pixviewi_stream_relation_kind kind;
    uint64_t capture;                          // that both are in; 0: none
    bool consumer_captures, producer_captures; // of CAPTURE_MISMATCH
} pixviewi_stream_relation;

pixview_status pixviewi_cuda_stream_relation(int device, pixview_stream producer,
                                             pixview_stream consumer,
                                             pixviewi_stream_relation *relation,
                                             pixview_error *err);

// Work queued on `consumer` from now on waits for what `producer` has queued so far: one record, one
// wait, no host wait. Only after STREAMS_ORDERABLE.
pixview_status pixviewi_cuda_wait(int device, pixview_stream producer, pixview_stream consumer,
                                  pixview_error *err);

// Both: asks, and waits if the answer is STREAMS_ORDERABLE. `relation` may be NULL.
pixview_status pixviewi_cuda_order(int device, pixview_stream producer, pixview_stream consumer,
                                   pixviewi_stream_relation *relation, pixview_error *err);

// PIXVIEW_E_CUDA with the error that the driver would have given: CUDA_ERROR_STREAM_CAPTURE_ISOLATION
// (905) or _IMPLICIT (906).
__attribute__((cold)) pixview_status pixviewi_cuda_fail_relation(pixviewi_stream_relation_kind kind,
                                                                 pixview_stream producer,
                                                                 pixview_stream consumer,
                                                                 pixview_error *err);

// May rows be copied on `stream`? PIXVIEW_E_CUDA (900) if the host would wait for them and the stream
// is in a capture or would break one, (906) if only the second.
pixview_status pixviewi_cuda_check_rows(int device, pixview_stream stream, bool wait,
                                        pixview_error *err);

// May work be queued on `stream`? On the legacy one it would break every capture of a blocking stream.
pixview_status pixviewi_cuda_check_work(const struct pixviewi_scope *scope, pixview_stream stream,
                                        pixview_error *err);

// Is the stream in a capture?
pixview_status pixviewi_cuda_captures(const struct pixviewi_scope *scope, pixview_stream stream,
                                      bool *captures, pixview_error *err);

// The graph that the stream's capture makes. NULL: the driver has no such question, or the capture is broken.
pixview_status pixviewi_cuda_captured_graph(const struct pixviewi_scope *scope,
                                            pixview_stream stream, void **graph,
                                            pixview_error *err);

// Adds a dependency whose home waits for its consumer when the owner lets go, or whose event has to pass
// first: fills in what ends it, its context, and streams that mean the same on any thread. Takes the
// keepalive; false, and nothing is taken: out of memory. If the driver fails then, the owner is kept and
// tried again: its memory may be in use.
bool pixviewi_cuda_add_dep_take(pixview_owner *owner, const pixviewi_stream_dep *dep);

// Holds the owner (counted) until the stream has passed what is queued on it now. In a capture there is
// nothing to wait for: what a graph reads has to live as long as the graph.
pixview_status pixviewi_cuda_hold_until(int device, pixview_stream stream, pixview_owner *owner,
                                        pixview_error *err);

#endif
