// pixview._core._doctor: what `pixview doctor` prints, as a dictionary.

#include "state.h"

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

static PyObject *gpumat_row(pv_state *st)
{
    pv_frameworks_find(st);
    if (!st->gpumat_type)
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
    const pv_gpumat_abi *abi = &st->gpumat;
    bool in_place = pv_gpumat_in_place(abi);
    return Py_BuildValue("{sOsissssss}", "cuda", abi->cuda ? Py_True : Py_False, "cn_shift",
                         abi->cn_shift, "read", in_place ? "struct" : "public", "own",
                         in_place && abi->own_native ? "native" : "subtype", "reason",
                         abi->forced_public ? "forced by a test" : abi->reason);
}

PyObject *pv_doctor(PyObject *module, PyObject *ignored)
{
    (void)ignored;
    pv_state *st = pv_get_state(module);
    PyObject *version = PyObject_GetAttrString(module, "__version__");
    PyObject *driver = driver_row();
    PyObject *gpumat = driver ? gpumat_row(st) : NULL;
    if (!version || !gpumat) {
        Py_XDECREF(version);
        Py_XDECREF(driver);
        return NULL;
    }
    const char *torch = !st->tensor_type ? NULL : pv_torch_by_table(st) ? "table" : "attributes";
    const char *cupy = !st->cupy_type ? NULL : pv_cupy_in_place(st) ? "struct" : "attributes";
    return Py_BuildValue("{sNsOsNsNszszsO}", "version", version, "kernels",
                         pixviewi_cuda_has_kernels() ? Py_True : Py_False, "driver", driver,
                         "gpumat", gpumat, "torch", torch, "cupy", cupy, "torch_memory",
                         pv_torch_memory_used(st) ? Py_True : Py_False);
}
