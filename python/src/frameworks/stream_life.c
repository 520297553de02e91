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

void pv_stream_find_keeper(pv_state *st, int device, pv_stream *stream)
{
    if (pv_stream_lasts(stream->handle, stream->object) || pv_scope_keeps(device, stream))
        return;
    pv_frameworks_find(st);
    for (int i = 0; i < PV_FRAMEWORK_COUNT; i++) {
        const pv_framework *framework = pv_frameworks[i];
        pv_stream now = {0, NULL};
        if (!framework->current_stream || !st->framework_type[i])
            continue;
        bool found = framework->current_stream(st, device, &now) == 0 &&
                     now.handle == stream->handle && now.object != PV_UNKEPT;
        PyErr_Clear(); // a library that cannot tell keeps nothing
        if (found) {
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
