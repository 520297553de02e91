// SPDX-License-Identifier: Apache-2.0
// stream_of: the stream on which the producer of an object works.

#include "api/api.h"
#include "base/errors.h"
#include "convert/device_of.h"
#include "convert/import.h"
#include "descriptor/stream.h"

static int find_stream(pv_state *st, PyObject *x, pixview_stream *out)
{
    const pv_framework *framework = pv_framework_of(st, x);
    pv_imported in;
    if (framework->current_stream) {
        pv_stream stream = {0, NULL};
        int device;
        if (pv_gpu_of(st, framework, x, &device))
            return -1;
        int rc = framework->current_stream(st, device, &stream);
        *out = stream.handle;
        Py_XDECREF(stream.object);
        return rc;
    }
    int rc = pv_import_to_look(st, x, &in);
    *out = in.image.stream;
    return rc;
}

PyObject *pv_stream_of(PyObject *module, PyObject *x)
{
    pv_state *st = pv_get_state(module);
    pixview_stream stream;
    if (find_stream(st, x, &stream))
        return NULL;
    if (stream == PIXVIEW_STREAM_NONE)
        return PyLong_FromLong(-1);
    return PyLong_FromUnsignedLongLong(pixviewi_stream_normalize(stream));
}
