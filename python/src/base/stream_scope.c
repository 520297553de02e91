// SPDX-License-Identifier: Apache-2.0
#include "base/stream_scope.h"

#include <assert.h>
#include <stdlib.h>

#include "descriptor/stream.h"

typedef struct scope {
    pixview_stream handle;
    int device; // that the stream belongs to; -1: any, a default stream
    PyObject *object;
    struct scope *outer;
} scope;

// Blocks of all threads: while there is none, nobody looks at the thread's own.
atomic_int pv_stream_scopes;

static _Thread_local scope *innermost;

pv_stream pv_scope_stream(int device)
{
    const scope *mine = innermost;
    bool fits = mine && (device < 0 || mine->device < 0 || mine->device == device);
    return fits ? (pv_stream){mine->handle, mine->object}
                : (pv_stream){PIXVIEW_STREAM_LEGACY, NULL};
}

bool pv_scope_keeps(int device, pv_stream *stream)
{
    pv_stream mine = pv_default_stream(device);
    if (pixviewi_stream_is_legacy(mine.handle) || mine.handle != stream->handle)
        return false;
    Py_XSETREF(stream->object, Py_XNewRef(mine.object));
    return true;
}

int pv_scope_push(pixview_stream handle, int device, PyObject *object)
{
    scope *made = malloc(sizeof *made);
    if (!made) {
        PyErr_Format(PyExc_MemoryError, "no memory for a stream block (%zu bytes)", sizeof *made);
        return -1;
    }
    *made = (scope){handle, device, Py_XNewRef(object), innermost};
    innermost = made;
    atomic_fetch_add_explicit(&pv_stream_scopes, 1, memory_order_relaxed);
    return 0;
}

int pv_scope_pop(void)
{
    scope *mine = innermost;
    if (!mine) {
        PyErr_SetString(PyExc_RuntimeError,
                        "this thread did not enter using_stream, so it cannot leave it; leave it "
                        "on the thread that entered it");
        return -1;
    }
    assert(atomic_load(&pv_stream_scopes) > 0);
    innermost = mine->outer;
    atomic_fetch_sub_explicit(&pv_stream_scopes, 1, memory_order_relaxed);
    Py_XDECREF(mine->object);
    free(mine);
    return 0;
}
