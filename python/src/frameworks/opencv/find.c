// SPDX-License-Identifier: Apache-2.0
// Finding cv2's GpuMat, and its row in the table.

#include "frameworks/find.h"
#include "base/errors.h"
#include "frameworks/opencv/opencv.h"

static void gpumat_find(pv_state *st)
{
    PyObject *module = pv_find_module("cv2");
    PyObject *cuda = module ? PyObject_GetAttr(module, st->s_cuda) : NULL;
    Py_XDECREF(module);
    PyTypeObject *type = pv_find_type(cuda, st->s_GpuMat);
    PyErr_Clear();
    if (!type) {
        Py_XDECREF(cuda);
        return;
    }
    pv_opencv_of(st)->cuda = cuda;
    st->framework_type[PV_GPUMAT] = type;
}

static int gpumat_need(pv_state *st)
{
    if (pv_need_module(st, &pv_framework_gpumat, "cv2",
                       "install an OpenCV built with CUDA (see docs/opencv-cuda.md); the GpuMat "
                       "of PyPI's opencv-python computes nothing"))
        return -1;
    return pv_gpumat_check(st);
}

static int gpumat_warm_up(pv_state *st)
{
    return st->framework_type[PV_GPUMAT] ? pv_gpumat_check(st) : 0;
}

static PyObject *gpumat_row(pv_state *st)
{
    if (!st->framework_type[PV_GPUMAT])
        Py_RETURN_NONE;
    if (pv_gpumat_check(st)) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyObject *row = Py_BuildValue("{sOsOsssssS}", "cuda", Py_False, "cn_shift", Py_None, "read",
                                      "none", "own", "none", "reason", value ? value : Py_None);
        Py_XDECREF(type);
        Py_XDECREF(value);
        Py_XDECREF(traceback);
        return row;
    }
    const pv_gpumat_abi *abi = pv_gpumat_abi_of(st);
    bool in_place = pv_gpumat_in_place(st);
    return Py_BuildValue("{sOsissssss}", "cuda", abi->cuda ? Py_True : Py_False, "cn_shift",
                         abi->cn_shift, "read", in_place ? "struct" : "public", "own",
                         in_place && abi->own_native ? "native" : "subtype", "reason",
                         st->hooks.gpumat_public ? "forced by a test" : abi->reason);
}

static int gpumat_report(pv_state *st, PyObject *dict)
{
    PyObject *row = gpumat_row(st);
    int rc = row ? PyDict_SetItemString(dict, "gpumat", row) : -1;
    Py_XDECREF(row);
    return rc;
}

static const size_t gpumat_owned[] = {offsetof(pv_opencv, cuda), PV_OWNED_END};

const pv_framework pv_framework_gpumat = {
    .name = "gpumat",
    .call = "as_gpumat",
    .index = PV_GPUMAT,
    .flags = PV_ON_GPU | PV_OWN_AXES | PV_NO_BATCH | PV_WRITABLE | PV_NO_STREAM,
    .state_size = sizeof(pv_opencv),
    .owned = gpumat_owned,
    .find = gpumat_find,
    .need = gpumat_need,
    .import = pv_gpumat_import,
    .hold = pv_gpumat_hold,
    .check = pv_gpumat_check_image,
    .check_view = pixview_image_check_interleaved,
    .export_take = pv_gpumat_export_take,
    .allocate = pv_gpumat_allocate,
    .stream_handle = pv_gpumat_stream_handle,
    .owner_of = pv_gpumat_owner_of,
    .batch_key = pv_gpumat_batch_key,
    .import_alike = pv_gpumat_import_alike,
    .warm_up = gpumat_warm_up,
    .report = gpumat_report,
};
