// SPDX-License-Identifier: Apache-2.0
// warm_up: what the first calls on a GPU would do.

#include "api/api.h"
#include "base/args.h"
#include "base/errors.h"
#include "cuda/device.h"
#include "frameworks/table.h"

PV_CALL(warm_up)
{
    pv_state *st = pv_get_state(module);
    PyObject *value = NULL;
    const pv_keyword keywords[] = {{"device", &value}};
    pixview_device device = {PIXVIEW_DEVICE_CUDA, 0};
    pixview_error err;
    pixview_status status;
    if (nargs == 0 && !kwnames)
        value = Py_None;
    if (pv_parse_args("warm_up", args, nargs, kwnames, 1, keywords, 1) ||
        (value != Py_None && pv_parse_device(value, &device))) {
        return NULL;
    }
    if (device.type != PIXVIEW_DEVICE_CUDA)
        return pv_raisef(st, PIXVIEW_E_DEVICE, "device=%R: only a GPU can be warmed up", value);
    pv_frameworks_find(st);
    for (int i = 0; i < PV_FRAMEWORK_COUNT; i++)
        if (pv_frameworks[i]->warm_up && pv_frameworks[i]->warm_up(st))
            return NULL;
    Py_BEGIN_ALLOW_THREADS;
    status = pixviewi_cuda_warm_up(device.id, &err);
    Py_END_ALLOW_THREADS;
    if (status)
        return pv_raise(st, &err);
    Py_RETURN_NONE;
}
