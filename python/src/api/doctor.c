// pixview._core._doctor: what `pixview doctor` prints, as a dictionary.

#include <string.h>

#include "base/state.h"
#include "kernels/kernels.h"

// A fatbin is a head (magic, version, its own size; the size of the rest) and code objects, each with a
// head of its own: kind, its size and that of the code, and at byte 28 the architecture.
enum { FATBIN_MAGIC = (int)0xba55ed50, FATBIN_HEAD = 16, PTX = 1, CODE_HEAD = 32 };

typedef struct {
    uint16_t kind, version;
    uint32_t head;
    uint64_t size;
    uint32_t other[3], architecture;
} code_head;

_Static_assert(sizeof(code_head) == CODE_HEAD, "of NVIDIA's format");

static int append_code(PyObject *list, const code_head *code)
{
    PyObject *name =
        PyUnicode_FromFormat(code->kind == PTX ? "compute_%u" : "sm_%u", code->architecture);
    int rc = name ? PyList_Append(list, name) : -1;
    Py_XDECREF(name);
    return rc;
}

// What the embedded kernels were compiled for: machine code "sm_90", PTX "compute_75". A format that
// is not the one above ends the list.
static PyObject *code_list(void)
{
    PyObject *list = PyList_New(0);
    uint64_t at = FATBIN_HEAD, size = pixviewi_kernels_fatbin_size;
    int magic;
    memcpy(&magic, pixviewi_kernels_fatbin, sizeof magic);
    while (list && magic == FATBIN_MAGIC && at + CODE_HEAD <= size) {
        code_head code;
        memcpy(&code, pixviewi_kernels_fatbin + at, sizeof code);
        if (code.head < CODE_HEAD || code.head > size - at || code.size > size - at - code.head)
            break;
        if (append_code(list, &code))
            Py_CLEAR(list);
        at += code.head + code.size;
    }
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
    PyObject *code = gpumat ? code_list() : NULL;
    if (!version || !code) {
        Py_XDECREF(version);
        Py_XDECREF(driver);
        Py_XDECREF(gpumat);
        return NULL;
    }
    const char *torch = !st->tensor_type ? NULL : pv_torch_by_table(st) ? "table" : "attributes";
    const char *cupy = !st->cupy_type ? NULL : pv_cupy_in_place(st) ? "struct" : "attributes";
    return Py_BuildValue("{sNsOsNsNsNszszsO}", "version", version, "kernels",
                         pixviewi_cuda_has_kernels() ? Py_True : Py_False, "code", code, "driver",
                         driver, "gpumat", gpumat, "torch", torch, "cupy", cupy, "torch_memory",
                         pv_torch_memory_used(st) ? Py_True : Py_False);
}
