// SPDX-License-Identifier: Apache-2.0
// pixview._core._doctor: what `pixview doctor` prints, as a dictionary.

#include "api/api.h"
#include "cuda/device.h"
#include "cuda/module.h"
#include "kernels/kernels.h"

// What the embedded kernels were compiled for: machine code "sm_90", PTX "compute_75".
static PyObject *code_list(void)
{
    PyObject *text = PyUnicode_FromString(pixviewi_kernels_code);
    PyObject *list = text ? PyUnicode_Split(text, NULL, -1) : NULL;
    Py_XDECREF(text);
    return list;
}

static PyObject *device_row(int id)
{
    char name[128] = "";
    int major = 0, minor = 0;
    pixview_error err;
    if (pixviewi_cuda_describe(id, name, &major, &minor, NULL, &err)) {
        return Py_BuildValue("{sssO}", "name", err.message, "compute_capability", Py_None);
    }
    PyObject *kernels = pixviewi_cuda_load_kernels(id, &err) ? PyUnicode_FromString(err.message)
                                                             : Py_NewRef(Py_True);
    return Py_BuildValue("{sss(ii)sN}", "name", name, "compute_capability", major, minor, "kernels",
                         kernels);
}

static PyObject *driver_row(void)
{
    int count = 0, version = 0;
    pixview_error err;
    if (pixviewi_cuda_device_count(&count, &err))
        return Py_BuildValue("{ss}", "error", err.message);
    if (count > 0 && pixviewi_cuda_describe(0, NULL, NULL, NULL, &version, &err)) {
        return Py_BuildValue("{ss}", "error", err.message);
    }
    PyObject *devices = PyList_New(0);
    for (int i = 0; devices && i < count; i++) {
        PyObject *row = device_row(i);
        if (!row || PyList_Append(devices, row))
            Py_CLEAR(devices);
        Py_XDECREF(row);
    }
    return devices ? Py_BuildValue("{sisN}", "version", version, "devices", devices) : NULL;
}

static int add_row(PyObject *dict, const char *name, PyObject *value)
{
    int rc = value ? PyDict_SetItemString(dict, name, value) : -1;
    Py_XDECREF(value);
    return rc;
}

PyObject *pv_doctor(PyObject *module, PyObject *ignored)
{
    (void)ignored;
    pv_state *st = pv_get_state(module);
    pv_frameworks_find(st); // which clears errors
    PyObject *dict = PyDict_New();
    bool failed = !dict ||
                  add_row(dict, "version", PyObject_GetAttrString(module, "__version__")) ||
                  add_row(dict, "kernels", PyBool_FromLong(pixviewi_cuda_has_kernels())) ||
                  add_row(dict, "code", code_list()) || add_row(dict, "driver", driver_row());
    for (int i = 0; i < PV_FRAMEWORK_COUNT && !failed; i++)
        failed = pv_frameworks[i]->report && pv_frameworks[i]->report(st, dict);
    if (failed)
        Py_CLEAR(dict);
    return dict;
}
