// Finding torch, CuPy, NumPy and cv2. Nothing is imported here unless the user asked for it by name:
// whoever passes us a tensor has imported torch, so sys.modules knows it.

#include "base/state.h"

static PyObject *find_module(const char *name)
{
    PyObject *key = PyUnicode_FromString(name);
    PyObject *module = key ? PyImport_GetModule(key) : NULL;
    Py_XDECREF(key);
    if (!module)
        PyErr_Clear();
    return module;
}

static PyTypeObject *find_type(PyObject *module, PyObject *name)
{
    PyObject *type = module ? PyObject_GetAttr(module, name) : NULL;
    if (type && PyType_Check(type))
        return (PyTypeObject *)type;
    Py_XDECREF(type);
    PyErr_Clear(); // a module that is still being imported, or a stand-in
    return NULL;
}

// torch's exchange table, if every function of it is there.
static const DlExchange *find_table(pv_state *st, PyTypeObject *type)
{
    const DlExchange *table;
    if (pv_exchange_read(st, type, &table))
        PyErr_Clear();
    if (!table || !table->allocator || !table->from_py || !table->to_py ||
        !table->dltensor_from_py || !table->current_work_stream) {
        return NULL;
    }
    return table;
}

static void find_torch(pv_state *st)
{
    PyObject *module = find_module("torch");
    PyTypeObject *type = find_type(module, st->s_Tensor);
    if (!type) {
        Py_XDECREF(module);
        return;
    }
    st->torch = module;
    st->torch_table = find_table(st, type);
    pv_torch_shim_find(&st->torch_shim);
    st->tensor_type = type;
}

// CuPy's Cython API: the capsule's name is the C signature. NULL where CuPy has it otherwise.
static intptr_t (*find_cupy_stream(void))(int)
{
    PyObject *module = find_module("cupy_backends.cuda.stream");
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

static void find_cupy(pv_state *st)
{
    PyObject *module = find_module("cupy");
    PyTypeObject *type = find_type(module, st->s_ndarray);
    PyObject *cuda = type ? PyObject_GetAttr(module, st->s_cuda) : NULL;
    PyObject *memory = cuda ? PyObject_GetAttr(cuda, st->s_UnownedMemory) : NULL;
    PyObject *pointer = cuda ? PyObject_GetAttr(cuda, st->s_MemoryPointer) : NULL;
    if (memory && pointer) {
        st->cupy = module;
        st->cupy_cuda = cuda;
        st->cupy_unowned_memory = memory;
        st->cupy_memory_pointer = pointer;
        st->cupy_stream_handle = find_cupy_stream();
        st->cupy_init = PyObject_GetAttr((PyObject *)type->tp_base, st->s__init);
        PyErr_Clear();
        st->cupy_type = type;
        return;
    }
    PyErr_Clear();
    Py_XDECREF(module);
    Py_XDECREF(type);
    Py_XDECREF(cuda);
    Py_XDECREF(memory);
    Py_XDECREF(pointer);
}

static void find_numpy(pv_state *st)
{
    PyObject *module = find_module("numpy");
    st->numpy_type = find_type(module, st->s_ndarray);
    if (st->numpy_type) {
        st->numpy = module;
    } else {
        Py_XDECREF(module);
    }
}

static void find_cv2(pv_state *st)
{
    PyObject *module = find_module("cv2");
    PyObject *cuda = module ? PyObject_GetAttr(module, st->s_cuda) : NULL;
    Py_XDECREF(module);
    PyTypeObject *type = find_type(cuda, st->s_GpuMat);
    PyErr_Clear();
    if (type) {
        st->cv2_cuda = cuda;
        st->gpumat_type = type;
    } else {
        Py_XDECREF(cuda);
    }
}

void pv_frameworks_find(pv_state *st)
{
    if (!st->tensor_type)
        find_torch(st);
    if (!st->numpy_type)
        find_numpy(st);
    if (!st->gpumat_type)
        find_cv2(st);
    if (!st->cupy_type)
        find_cupy(st);
}

static bool same_type(PyTypeObject *a, PyTypeObject *b) { return a == b; }
static bool sub_type(PyTypeObject *a, PyTypeObject *b) { return b && PyType_IsSubtype(a, b); }

static inline pv_kind kind_by(pv_state *st, PyTypeObject *type,
                              bool (*is)(PyTypeObject *, PyTypeObject *))
{
    if (is(type, st->tensor_type))
        return PV_TORCH;
    if (is(type, st->gpumat_type))
        return PV_GPUMAT;
    if (is(type, st->cupy_type))
        return PV_CUPY;
    if (is(type, st->numpy_type))
        return PV_NUMPY;
    if (is(type, st->image_type))
        return PV_IMAGE;
    return PV_OTHER;
}

PIXVIEWI_HOT pv_kind pv_kind_of(pv_state *st, PyObject *x)
{
    pv_kind kind = kind_by(st, Py_TYPE(x), same_type);
    if (PIXVIEWI_LIKELY(kind != PV_OTHER))
        return kind;
    pv_frameworks_find(st);
    return kind_by(st, Py_TYPE(x), sub_type);
}

// Imports what the user named. `found` is the field that pv_frameworks_find fills.
static int need(pv_state *st, const char *name, const char *how, void *const *found)
{
    if (PIXVIEWI_LIKELY(*found != NULL))
        return 0;
    PyObject *module = PyImport_ImportModule(name);
    if (!module) {
        pv_raise_missing(name, how);
        return -1;
    }
    Py_DECREF(module);
    pv_frameworks_find(st);
    if (*found)
        return 0;
    pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
              "the module %s that was imported is not the one pixview knows", name);
    return -1;
}

int pv_need_torch(pv_state *st)
{
    return need(st, "torch", "pip install torch", (void *const *)&st->tensor_type);
}

int pv_need_cupy(pv_state *st)
{
    return need(st, "cupy", "pip install cupy-cuda12x, or cupy-cuda13x as the CUDA driver is",
                (void *const *)&st->cupy_type);
}

int pv_need_numpy(pv_state *st)
{
    return need(st, "numpy", "pip install numpy", (void *const *)&st->numpy_type);
}

int pv_need_cv2(pv_state *st)
{
    if (PIXVIEWI_LIKELY(st->gpumat.checked))
        return 0;
    if (need(st, "cv2",
             "install an OpenCV built with CUDA (docs/opencv-cuda.md builds one); pip install "
             "opencv-python has a GpuMat that computes nothing",
             (void *const *)&st->gpumat_type))
        return -1;
    return pv_gpumat_check(st);
}

static int find_needed(pv_state *st, pv_kind kind)
{
    switch (kind) {
    case PV_TORCH:
        return pv_need_torch(st);
    case PV_GPUMAT:
        return pv_need_cv2(st);
    case PV_CUPY:
        return pv_need_cupy(st);
    case PV_NUMPY:
        return pv_need_numpy(st);
    default:
        return 0;
    }
}

// Imported if need be: the user asked for it by name.
int pv_find_needed(pv_state *st, pv_kind kind)
{
    if (find_needed(st, kind))
        return -1;
    st->needed |= 1U << kind;
    return 0;
}
