// SPDX-License-Identifier: Apache-2.0
// cv2.cuda.Stream.

#include "base/errors.h"
#include "frameworks/opencv/opencv.h"
#include "frameworks/streams.h"

// A stock cv2 aborts the process in Stream.cudaPtr(), so nothing of it is called there.
static int handle_from_cv2(pv_state *st, PyObject *value, PyObject *method, pixview_stream *out)
{
    bool found = st->framework_type[PV_GPUMAT] != NULL;
    if (found && pv_gpumat_check(st))
        return -1;
    if (found && !pv_gpumat_abi_of(st)->cuda) {
        pv_raisef(st, PIXVIEW_E_DEVICE,
                  "stream=%R: this cv2 was built without CUDA and has no streams", value);
        return -1;
    }
    PyObject *handle = PyObject_CallNoArgs(method);
    int rc = handle ? pv_stream_from_int(handle, out) : -1;
    Py_XDECREF(handle);
    return rc;
}

int pv_gpumat_stream_handle(pv_state *st, PyObject *value, pixview_stream *out)
{
    PyObject *method;
    if (pv_find_attribute(value, st->s_cudaPtr, &method))
        return -1;
    int rc = method ? handle_from_cv2(st, value, method, out) : 1;
    Py_XDECREF(method);
    return rc;
}
