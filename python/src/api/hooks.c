// SPDX-License-Identifier: Apache-2.0
// What the bench and the tests need of the module.

#include <string.h>

#include "api/api.h"
#include "cuda/filters.h"
#include "host/host.h"

// What an empty call costs: the floor of every figure in bench/overhead.py.
PyObject *pv_nop(PyObject *module, PyObject *ignored)
{
    (void)module, (void)ignored;
    Py_RETURN_NONE;
}

// For bench/host.py: as many threads for a large host move; 0: as the environment says again.
PyObject *pv_host_threads(PyObject *module, PyObject *count)
{
    (void)module;
    long threads = PyLong_AsLong(count);
    if (threads == -1 && PyErr_Occurred())
        return NULL;
    pixviewi_host_hooks.threads = (int)threads;
    Py_RETURN_NONE;
}

// Frees the tables of filters that GPUs keep, and has each keep at most so many bytes of them.
PyObject *pv_keep_filters(PyObject *module, PyObject *most)
{
    (void)module;
    long long bytes = PyLong_AsLongLong(most);
    if (bytes == -1 && PyErr_Occurred())
        return NULL;
    pixviewi_cuda_keep_filters(bytes);
    Py_RETURN_NONE;
}

// Forces the slower ways that other builds of cv2, torch and CuPy would take.
PyObject *pv_force(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"gpumat", "torch_table", "cupy_shortcuts", "torch_memory", NULL};
    const char *gpumat = NULL;
    int table = -1, shortcuts = -1, memory = -1;
    pv_hooks *hooks = &pv_get_state(module)->hooks;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$zppp:_force", names, &gpumat, &table,
                                     &shortcuts, &memory))
        return NULL;
    if (gpumat)
        hooks->gpumat_public = strcmp(gpumat, "public") == 0;
    if (table >= 0)
        hooks->torch_without_table = !table;
    if (shortcuts >= 0)
        hooks->cupy_public = !shortcuts;
    if (memory >= 0) {
        hooks->torch_without_shim = !memory;
        hooks->torch_shim_at_once = memory;
    }
    Py_RETURN_NONE;
}
