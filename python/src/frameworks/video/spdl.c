// SPDX-License-Identifier: Apache-2.0
// SPDL: CUDABuffer and CPUBuffer, arrays N, H * 3 / 2, W. They say nothing of format and colour.

#include "base/args.h"
#include "base/errors.h"
#include "frameworks/video/video.h"

static int read_buffer(pv_state *st, PyObject *x, const char *interface, pv_video_source *source)
{
    int ndim = 0;
    int64_t shape[4];
    PyObject *dict = pv_video_get(st, x, interface);
    PyObject *extents = dict && PyDict_Check(dict) ? PyDict_GetItem(dict, st->s_shape) : NULL;
    int rc = extents ? pv_parse_dims(st, "shape", extents, 4, &ndim, shape) : -1;
    Py_XDECREF(dict);
    if (rc && !PyErr_Occurred())
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED, "%s of a %s object has no shape", interface,
                  Py_TYPE(x)->tp_name);
    if (rc)
        return -1;
    if (ndim > 2 && shape[0] * (ndim > 3 ? shape[1] : 1) != 1) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the %s has %lld frames; pass one of them, such as "
                  "spdl.io.to_torch(buffer)[0], with format=",
                  Py_TYPE(x)->tp_name, (long long)shape[0]);
        return -1;
    }
    source->layout = ndim == 4   ? PIXVIEW_LAYOUT_NCHW
                     : ndim == 3 ? PIXVIEW_LAYOUT_CHW
                                 : PIXVIEW_LAYOUT_HW;
    return pv_video_read_planes(st, x, source);
}

static int read_gpu(pv_state *st, PyObject *x, pv_video_source *source)
{
    return read_buffer(st, x, "__cuda_array_interface__", source);
}

static int read_host(pv_state *st, PyObject *x, pv_video_source *source)
{
    return read_buffer(st, x, "__array_interface__", source);
}

const pv_video_adapter pv_video_spdl_gpu = {"CUDABuffer", "__cuda_array_interface__", read_gpu};
const pv_video_adapter pv_video_spdl_host = {"CPUBuffer", "__array_interface__", read_host};
