// SPDX-License-Identifier: Apache-2.0
// Finding CuPy, and its row in the table.

#include "frameworks/find.h"
#include "frameworks/array.h"
#include "frameworks/cupy/cupy.h"

// CuPy's Cython API: the capsule's name is the C signature. NULL where CuPy has it otherwise.
static intptr_t (*find_cupy_stream(void))(int)
{
    PyObject *module = pv_find_module("cupy_backends.cuda.stream");
    PyObject *api = module ? PyObject_GetAttrString(module, "__pyx_capi__") : NULL;
    PyObject *capsule =
        api && PyDict_Check(api) ? PyDict_GetItemString(api, "get_stream_ptr") : NULL; // borrowed
    void *function = NULL;
    if (capsule && PyCapsule_IsValid(capsule, "intptr_t (int)"))
        function = PyCapsule_GetPointer(capsule, "intptr_t (int)");
    Py_XDECREF(api);
    Py_XDECREF(module);
    PyErr_Clear();
    return (intptr_t (*)(int))function;
}

static void cupy_find(pv_state *st)
{
    pv_cupy *cupy = pv_cupy_of(st);
    PyObject *module = pv_find_module("cupy");
    PyTypeObject *type = pv_find_type(module, st->s_ndarray);
    PyObject *cuda = type ? PyObject_GetAttr(module, st->s_cuda) : NULL;
    PyObject *memory = cuda ? PyObject_GetAttr(cuda, st->s_UnownedMemory) : NULL;
    PyObject *pointer = cuda ? PyObject_GetAttr(cuda, st->s_MemoryPointer) : NULL;
    PyObject *keywords = pointer ? PyTuple_Pack(2, st->s_memptr, st->s_strides) : NULL;
    if (memory && keywords) {
        *cupy = (pv_cupy){.module = module,
                          .cuda = cuda,
                          .unowned_memory = memory,
                          .memory_pointer = pointer,
                          .kw_memptr_strides = keywords,
                          .stream_handle = find_cupy_stream(),
                          .init = PyObject_GetAttr((PyObject *)type->tp_base, st->s__init)};
        PyErr_Clear();
        st->framework_type[PV_CUPY] = type;
        return;
    }
    PyErr_Clear();
    Py_XDECREF(module);
    Py_XDECREF(type);
    Py_XDECREF(cuda);
    Py_XDECREF(memory);
    Py_XDECREF(pointer);
    Py_XDECREF(keywords);
}

static int cupy_need(pv_state *st)
{
    return pv_need_module(st, &pv_framework_cupy, "cupy",
                          "pip install cupy-cuda12x or cupy-cuda13x, to match the CUDA driver");
}

static int cupy_report(pv_state *st, PyObject *dict)
{
    const char *way = !st->framework_type[PV_CUPY] ? NULL
                      : pv_cupy_in_place(st)       ? "struct"
                                                   : "attributes";
    PyObject *text = Py_BuildValue("z", way);
    int rc = text ? PyDict_SetItemString(dict, "cupy", text) : -1;
    Py_XDECREF(text);
    return rc;
}

static const size_t cupy_owned[] = {offsetof(pv_cupy, module),
                                    offsetof(pv_cupy, cuda),
                                    offsetof(pv_cupy, unowned_memory),
                                    offsetof(pv_cupy, memory_pointer),
                                    offsetof(pv_cupy, init),
                                    offsetof(pv_cupy, kw_memptr_strides),
                                    PV_OWNED_END};

const pv_framework pv_framework_cupy = {
    .name = "cupy",
    .call = "as_cupy",
    .index = PV_CUPY,
    .flags = PV_ON_GPU | PV_WRITABLE | PV_FREES_ON_LEGACY,
    .state_size = sizeof(pv_cupy),
    .owned = cupy_owned,
    .find = cupy_find,
    .need = cupy_need,
    .import = pv_cupy_import,
    .check = pv_array_check,
    .export_take = pv_cupy_export_take,
    .allocate = pv_cupy_allocate,
    .allocate_bytes = pv_cupy_allocate_bytes,
    .current_stream = pv_cupy_current_stream,
    .stream_handle = pv_cupy_stream_handle,
    .only_names_stream = pv_cupy_only_names_stream,
    .device_of = pv_cupy_device_of,
    .owner_of = pv_cupy_owner_of,
    .report = cupy_report,
};
