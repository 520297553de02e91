// SPDX-License-Identifier: Apache-2.0
#include "convert/device_of.h"

#include "base/errors.h"
#include "convert/import.h"
#include "descriptor/image.h"

static int require_gpu(pv_state *st, pixview_device device)
{
    if (pixviewi_on_device(device))
        return 0;
    pv_raisef(st, PIXVIEW_E_DEVICE, "x is in host memory, which has no stream");
    return -1;
}

int pv_import_to_look(pv_state *st, PyObject *x, pv_imported *out)
{
    pv_options options = {.to = &pv_framework_image, .copy = -1, .planning = true};
    pv_imported_begin(out, x);
    int rc = pv_import(st, x, &options, out);
    pv_imported_clear(out);
    return rc ? rc : require_gpu(st, out->image.device);
}

static int device_by_framework(pv_state *st, const pv_framework *framework, PyObject *x,
                               pixview_device *out)
{
    int rc = framework->device_of(st, x, out);
    if (rc && !PyErr_ExceptionMatches(st->Error))
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "the device of a %s object cannot be read",
                      Py_TYPE(x)->tp_name);
    return rc;
}

int pv_gpu_of(pv_state *st, const pv_framework *framework, PyObject *x, int *out)
{
    pixview_device device;
    pv_imported in;
    if (framework->device_of ? device_by_framework(st, framework, x, &device)
                             : pv_import_to_look(st, x, &in))
        return -1;
    if (!framework->device_of)
        device = in.image.device;
    *out = device.id;
    return require_gpu(st, device);
}
