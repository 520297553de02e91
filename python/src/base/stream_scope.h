// SPDX-License-Identifier: Apache-2.0
// The stream of a call that names none: the legacy default stream, or that of the using_stream block around.
#ifndef PV_BASE_STREAM_SCOPE_H
#define PV_BASE_STREAM_SCOPE_H

#include <stdatomic.h>

#include "base/state.h"

// A stream, and the Python object that keeps it from being destroyed. NULL: nothing has to, since it is
// a default stream or its library never destroys it. PV_UNKEPT: nothing is known to keep it, so its
// handle is used in the call that it came with, and never stored.
#define PV_UNKEPT Py_None
typedef struct pv_stream {
    pixview_stream handle;
    PyObject *object;
} pv_stream;

extern atomic_int pv_stream_scopes; // using_stream blocks of all threads
// Of this thread's innermost block, if its stream is of that device (-1: whichever). Borrowed.
pv_stream pv_scope_stream(int device);

// Is it the stream of this thread's block? Then stream->object, which is owned, is what keeps that.
bool pv_scope_keeps(int device, pv_stream *stream);

static inline pv_stream pv_default_stream(int device)
{
    if (atomic_load_explicit(&pv_stream_scopes, memory_order_relaxed) == 0)
        return (pv_stream){PIXVIEW_STREAM_LEGACY, NULL};
    return pv_scope_stream(device);
}

// 0, or -1 with the error. `device` -1: any, for a default stream. `object` may be NULL.
int pv_scope_push(pixview_stream handle, int device, PyObject *object);
int pv_scope_pop(void);

#endif
