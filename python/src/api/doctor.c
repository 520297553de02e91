// pixview._core._doctor: what `pixview doctor` prints, as a dictionary.

#include <string.h>

#include "api/api.h"
#include "cuda/device.h"
#include "cuda/module.h"
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
    PyObject *dict = PyDict_New();
    pv_frameworks_find(st);
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
