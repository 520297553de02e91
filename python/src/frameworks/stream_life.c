// SPDX-License-Identifier: Apache-2.0
#include "frameworks/stream_life.h"

#include "frameworks/streams.h"
#include "frameworks/table.h"

int pv_stream_only_named(pv_state *st, PyObject *value, pixview_stream handle)
{
    int rc = 0;
    for (int i = 0; i < PV_FRAMEWORK_COUNT && rc == 0; i++)
        if (pv_frameworks[i]->only_names_stream)
            rc = pv_frameworks[i]->only_names_stream(st, value, handle);
    return rc;
}

bool pv_stream_current(pv_state *st, int library, int device, pv_stream *out)
{
    const pv_framework *framework = pv_frameworks[library];
    *out = (pv_stream){0, NULL};
    if (!framework->current_stream)
        return false;
    if (!st->framework_type[library] && framework->find)
        framework->find(st);
    if (!st->framework_type[library])
        return false;
    if (framework->current_stream(st, device, out) == 0)
        return true;
    Py_CLEAR(out->object);
    PyErr_Clear();
    return false;
}

void pv_stream_find_keeper(pv_state *st, int device, pv_stream *stream)
{
    if (pv_stream_lasts(stream->handle, stream->object) || pv_scope_keeps(device, stream))
        return;
    for (int i = 0; i < PV_FRAMEWORK_COUNT; i++) {
        pv_stream now;
        if (!pv_stream_current(st, i, device, &now))
            continue;
        if (now.handle == stream->handle && now.object != PV_UNKEPT) {
            Py_XSETREF(stream->object, now.object);
            return;
        }
        Py_XDECREF(now.object);
    }
}

pv_stream pv_end_stream_kept(pv_state *st, const pv_options *options, int device)
{
    pv_stream stream = pv_end_stream(options, device);
    Py_XINCREF(stream.object);
    pv_stream_find_keeper(st, device, &stream);
    return stream;
}
