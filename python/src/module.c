// The module pixview._core: functions, state, and nothing else.

#include <stddef.h>
#include <string.h>

#include "base/state.h"
#include "host/host.h"

// ---- conversions -----------------------------------------------------------------------------------

typedef struct {
    PyObject *x, *to, *layout, *src_layout, *copy, *contiguous, *allow_readonly, *stream;
} arguments;

static int parse_request(pv_state *st, const arguments *a, pv_request *req)
{
    req->has_stream = a->stream && a->stream != Py_None;
    req->stream = PIXVIEW_STREAM_LEGACY;
    if (pv_parse_layout(st, "layout", a->layout, &req->layout) ||
        pv_parse_layout(st, "src_layout", a->src_layout, &req->src_layout) ||
        pv_parse_copy(a->copy, &req->copy) ||
        pv_parse_bool("contiguous", a->contiguous, &req->contiguous) ||
        pv_parse_bool("allow_readonly", a->allow_readonly, &req->allow_readonly)) {
        return -1;
    }
    if (!req->has_stream)
        return 0;
    req->stream_object =
        PyLong_Check(a->stream) ? NULL : a->stream; // an int is the caller's to keep
    return pv_parse_stream(st, a->stream, &req->stream);
}

static PyObject *convert_with(pv_state *st, PyObject *const *args, Py_ssize_t nargs,
                              PyObject *kwnames, const char *name, pv_kind to)
{
    pv_request req = {.to = to, .copy = -1};
    if (PIXVIEWI_LIKELY(nargs == 1 && !kwnames))
        return pv_convert(st, args[0], &req);
    arguments a = {NULL};
    const pv_keyword keywords[] = {{"x", &a.x},
                                   {"src_layout", &a.src_layout},
                                   {"copy", &a.copy},
                                   {"stream", &a.stream},
                                   {"allow_readonly", &a.allow_readonly},
                                   {"layout", &a.layout},
                                   {"contiguous", &a.contiguous}};
    int known = to == PV_GPUMAT ? 5 : 7;
    if (pv_parse_args(name, args, nargs, kwnames, 1, keywords, known) ||
        parse_request(st, &a, &req))
        return NULL;
    return pv_convert(st, a.x, &req);
}

// Inlined for each kind.
static PIXVIEWI_INLINE PyObject *convert(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                                         PyObject *kwnames, const char *name, pv_kind to)
{
    pv_state *st = pv_get_state(module);
    bool plain = nargs == 1 && !kwnames;
    if (PIXVIEWI_LIKELY(plain && to == PV_TORCH))
        return pv_to_torch(st, args[0]);
    if (PIXVIEWI_LIKELY(plain && to == PV_GPUMAT))
        return pv_to_gpumat(st, args[0]);
    return convert_with(st, args, nargs, kwnames, name, to);
}

#define CONVERSION(function, name, kind)                                                     \
    PIXVIEWI_HOT static PyObject *function(PyObject *m, PyObject *const *args, Py_ssize_t n, \
                                           PyObject *kw)                                     \
    {                                                                                        \
        return convert(m, args, n, kw, name, kind);                                          \
    }
CONVERSION(as_torch, "as_torch", PV_TORCH)
CONVERSION(as_cupy, "as_cupy", PV_CUPY)
CONVERSION(as_numpy, "as_numpy", PV_NUMPY)
CONVERSION(as_gpumat, "as_gpumat", PV_GPUMAT)

static PyObject *view(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    pv_state *st = pv_get_state(module);
    pv_request req = {.to = PV_IMAGE, .copy = -1};
    arguments a = {NULL};
    const pv_keyword keywords[] = {{"x", &a.x},
                                   {"layout", &a.layout},
                                   {"src_layout", &a.src_layout},
                                   {"copy", &a.copy},
                                   {"stream", &a.stream}};
    if (pv_parse_args("view", args, nargs, kwnames, 1, keywords, 5) || parse_request(st, &a, &req))
        return NULL;
    return pv_convert(st, a.x, &req);
}

static PyObject *plan(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    pv_state *st = pv_get_state(module);
    pv_request req = {.copy = -1, .planning = true};
    arguments a = {NULL};
    const pv_keyword keywords[] = {{"x", &a.x},
                                   {"to", &a.to},
                                   {"layout", &a.layout},
                                   {"src_layout", &a.src_layout},
                                   {"contiguous", &a.contiguous}};
    if (pv_parse_args("plan", args, nargs, kwnames, 2, keywords, 5) ||
        pv_parse_kind("to", a.to, &req.to) || parse_request(st, &a, &req)) {
        return NULL;
    }
    return pv_plan_object(st, a.x, &req);
}

// ---- for doctor, bench and the tests ------------------------------------------------------------------

// What an empty call costs: the floor of every figure in bench/overhead.py.
static PyObject *nop(PyObject *module, PyObject *ignored)
{
    (void)module, (void)ignored;
    Py_RETURN_NONE;
}

// For bench/host.py: as many threads for a large host move; 0: as the environment says again.
static PyObject *host_threads(PyObject *module, PyObject *count)
{
    (void)module;
    long threads = PyLong_AsLong(count);
    if (threads == -1 && PyErr_Occurred())
        return NULL;
    pixviewi_host_hooks.threads = (int)threads;
    Py_RETURN_NONE;
}

// Forces the slower paths that other builds of cv2 and torch would take.
static PyObject *force(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"gpumat", "torch_table", "cupy_shortcuts", "torch_memory", NULL};
    const char *gpumat = NULL;
    int table = -1, shortcuts = -1, memory = -1;
    pv_state *st = pv_get_state(module);
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$zppp:_force", names, &gpumat, &table,
                                     &shortcuts, &memory))
        return NULL;
    if (gpumat)
        st->gpumat.forced_public = strcmp(gpumat, "public") == 0;
    if (table >= 0)
        st->torch_table_off = !table;
    if (shortcuts >= 0)
        st->cupy_shortcuts_off = !shortcuts;
    if (memory >= 0) {
        st->torch_memory_off = !memory;
        st->torch_shim.ready = memory;
    }
    Py_RETURN_NONE;
}

#define FAST(name, doc) \
    {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, doc}

#define FAST_NAMED(name, function, doc) \
    {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS, doc}

static PyMethodDef methods[] = {
    FAST(as_torch,
         "as_torch($module, /, x, *, layout=None, src_layout=None, copy=None, contiguous=False,\n"
         "         allow_readonly=False, stream=None)\n--\n\n"
         "`x` as a torch.Tensor over the same memory, on the device it is on.\n\n"
         "x: GpuMat, torch tensor, CuPy or NumPy array, pixview.Image, or an object with "
         "__dlpack__,\n"
         "   __cuda_array_interface__, __array_interface__ or the buffer protocol.\n"
         "layout: axes of the result, 'HW' 'CHW' 'HWC' 'NCHW' 'NHWC'; by default those of torch "
         "(CHW)\n"
         "   in the rank of x. src_layout: axes of x, by default those usual where it comes from.\n"
         "copy: None copies only if no view is possible, False raises LayoutError then, True "
         "copies.\n"
         "contiguous: copy if the result would not be dense in its layout.\n"
         "allow_readonly: alias read-only memory (NumPy, JAX) instead of copying it.\n"
         "stream: of the GpuMat end: None (legacy default), an int handle, -1 (no ordering) or a "
         "stream.\n\n"
         "The result keeps x's memory alive. Errors: LayoutError, DtypeError, DeviceError,\n"
         "ReadOnlyError, CudaError, UnsupportedError."),
    FAST(as_cupy,
         "as_cupy($module, /, x, *, layout=None, src_layout=None, copy=None, contiguous=False,\n"
         "        allow_readonly=False, stream=None)\n--\n\n"
         "`x` as a cupy.ndarray over the same memory, axes H,W,C by default. Host memory is "
         "uploaded to\n"
         "CuPy's current device, only with copy=True. Arguments and errors as for as_torch."),
    FAST(as_numpy,
         "as_numpy($module, /, x, *, layout=None, src_layout=None, copy=None, contiguous=False,\n"
         "         allow_readonly=False, stream=None)\n--\n\n"
         "`x` as a numpy.ndarray over the same memory, axes H,W,C by default. Device memory is\n"
         "downloaded, only with copy=True, and the call then waits for the pixels. Read-only "
         "memory\n"
         "stays read-only. Arguments and errors as for as_torch."),
    FAST(as_gpumat,
         "as_gpumat($module, /, x, *, src_layout=None, copy=None, allow_readonly=False, "
         "stream=None)\n--\n\n"
         "`x` as a cv2.cuda.GpuMat of H rows, W columns and C channels.\n\n"
         "A view if the pixels are interleaved in memory (a permuted H,W,C or channels_last "
         "tensor, H,W,\n"
         "or C = 1) in rows of any pitch; one interleaving copy otherwise. N > 1, C above "
         "CV_CN_MAX and\n"
         "H or W above INT_MAX are a LayoutError. Host memory is uploaded, only with copy=True.\n"
         "stream: the stream that will use the GpuMat; None is the legacy default one, which "
         "cv2.cuda\n"
         "functions take without a stream. Other arguments and errors as for as_torch."),
    FAST(view,
         "view($module, /, x, *, layout=None, src_layout=None, copy=None, stream=None)\n--\n\n"
         "`x` as a pixview.Image over the same memory, in x's own axis order unless layout= is "
         "given.\n"
         "Imports no framework. Arguments and errors as for as_torch."),
    FAST(
        plan,
        "plan($module, /, x, to, *, layout=None, src_layout=None, contiguous=False)\n--\n\n"
        "What a conversion would do, without doing it: a Plan with .kind ('view' or 'copy') and\n"
        ".reason (why a copy, '' for a view). to: 'torch', 'cupy', 'numpy', 'gpumat' or 'image'.\n"
        "layout, src_layout, contiguous: as for as_torch. Raises what the conversion would raise."),
    {"from_pointer", (PyCFunction)(void (*)(void))pv_from_pointer, METH_FASTCALL | METH_KEYWORDS,
     "from_pointer($module, /, ptr, shape, dtype, *, strides=None, layout=None, device=None, "
     "owner=None,\n"
     "             stream=None, readonly=False)\n--\n\n"
     "The memory at address `ptr` as a pixview.Image.\n\n"
     "shape: 2 to 4 extents, in the order `layout` (by default HW, HWC or NHWC). strides: bytes; "
     "None\n"
     "is packed. dtype: NumPy, torch or CuPy dtype, or a string. device: None asks the driver "
     "which GPU\n"
     "the pointer belongs to; an int ordinal, 'cpu', 'cuda', 'cuda:1' or ('cuda', 1) says it. "
     "owner: kept\n"
     "alive by the Image and every view of it; None: the memory must outlive them. stream: in "
     "which the\n"
     "memory was last used; None is the legacy default stream. readonly: no writable view is given "
     "out.\n\n"
     "Errors: LayoutError (rank, extents, strides, alignment, NULL), DtypeError, DeviceError (a "
     "pointer or\n"
     "GPU that the driver does not know), CudaError (no driver to ask)."},
    {"copy_into", (PyCFunction)(void (*)(void))pv_copy_into, METH_FASTCALL | METH_KEYWORDS,
     "copy_into($module, /, dst, src, *, dst_layout=None, src_layout=None, stream=None)\n--\n\n"
     "Copies the pixels of src into the memory of dst and returns dst. Equal extents and dtypes; "
     "any\n"
     "layouts, strides and ROIs. Values are never converted: unequal dtypes are a DtypeError.\n"
     "ReadOnlyError if dst may not be written (read-only memory, a tensor that requires grad). "
     "Between\n"
     "host and GPU too. Work on a GPU is queued on dst's stream. A copy to the host waits until\n"
     "the pixels are there, one from the host until src may be written; from pinned memory it\n"
     "does not wait, and src must not be written before the stream has passed.\n"
     "dst_layout, src_layout, stream: as for as_torch. Errors: LayoutError (extents, overlap),\n"
     "DtypeError, DeviceError, ReadOnlyError, CudaError, UnsupportedError."},
    {"stream_of", pv_stream_of, METH_O,
     "stream_of($module, x, /)\n--\n\n"
     "The handle of the stream that x's producer works on, as an int; 0 is the legacy default "
     "one.\n\n"
     "Of a tensor or a CuPy array: torch's or CuPy's current stream on its GPU. Of an Image: its "
     "own.\n"
     "Of a GpuMat: the legacy one, or that of the using_stream block around the call. Of an "
     "object\n"
     "with the CUDA array interface: the one it names; -1 if it names none (its data is ready).\n"
     "DeviceError for host memory; else the errors of as_torch."},
    FAST_NAMED(
        "used_on", pv_used_on,
        "used_on($module, /, view, stream)\n--\n\n"
        "Tells pixview of a further stream that works on a view.\n\n"
        "A conversion knows two streams, those of its ends. If a third one uses the result, its "
        "memory\n"
        "has to wait for that one as well before it is used again: when the last view lets go, the "
        "stream\n"
        "of the memory waits for everything that `stream` has queued by then. The host does not "
        "wait.\n"
        "Nothing is ordered before: let `stream` wait for the producer yourself.\n\n"
        "view: a result of pixview on a GPU, a slice or header copy of one, or an Image. A tensor "
        "of\n"
        "torch's own memory gets record_stream(). stream: as stream= elsewhere (None: legacy); an "
        "object\n"
        "is kept alive, an int is yours to keep.\n"
        "Errors: UnsupportedError for what is no view of pixview's, DeviceError for host memory,\n"
        "CudaError if the driver does not know the stream, ValueError for -1."),
    FAST_NAMED(
        "warm_up", pv_warm_up,
        "warm_up($module, /, device=0)\n--\n\n"
        "Does now what the first calls on a GPU would do: makes its context and an event, loads "
        "the\n"
        "kernels, checks how cv2's GpuMat is read (if cv2 is imported). Never necessary; it takes "
        "these\n"
        "milliseconds out of the first frame. May be called again, and inside a graph capture.\n\n"
        "device: an ordinal, 'cuda:1' or ('cuda', 1). DeviceError if there is no such GPU, "
        "CudaError\n"
        "without a driver or if no kernel fits it."),
    {"_stream_facts", pv_stream_facts, METH_O, NULL},
    {"_push_stream", pv_push_stream, METH_VARARGS, NULL},
    {"_pop_stream", pv_pop_stream, METH_NOARGS, NULL},
    {"stack", (PyCFunction)(void (*)(void))pv_stack, METH_FASTCALL | METH_KEYWORDS, pv_stack_doc},
    {"unstack", (PyCFunction)(void (*)(void))pv_unstack, METH_FASTCALL | METH_KEYWORDS,
     pv_unstack_doc},
    {"_doctor", pv_doctor, METH_NOARGS, NULL},
    {"_nop", nop, METH_O, NULL},
    {"_host_threads", host_threads, METH_O, NULL},
    {"_force", (PyCFunction)(void (*)(void))force, METH_VARARGS | METH_KEYWORDS, NULL},
    {NULL, NULL, 0, NULL},
};

// ---- state ---------------------------------------------------------------------------------------------

static int add_error(PyObject *module, PyObject **out, const char *name, PyObject *base,
                     PyObject *b, PyObject *c, const char *doc)
{
    PyObject *bases = !b ? PyTuple_Pack(1, base ? base : PyExc_Exception)
                         : (c ? PyTuple_Pack(3, base, b, c) : PyTuple_Pack(2, base, b));
    char full[64];
    PyOS_snprintf(full, sizeof full, "pixview.%s", name);
    *out = bases ? PyErr_NewExceptionWithDoc(full, doc, bases, NULL) : NULL;
    Py_XDECREF(bases);
    return *out ? PyModule_AddObjectRef(module, name, *out) : -1;
}

static int add_errors(PyObject *m, pv_state *st)
{
    return add_error(m, &st->Error, "Error", NULL, NULL, NULL, "Every error of pixview.") ||
           add_error(m, &st->LayoutError, "LayoutError", st->Error, PyExc_ValueError,
                     PyExc_BufferError,
                     "Shape, strides or layout cannot be described, or viewed, as asked.") ||
           add_error(m, &st->DtypeError, "DtypeError", st->Error, PyExc_TypeError, NULL,
                     "The element type has no equal on the other side.") ||
           add_error(m, &st->DeviceError, "DeviceError", st->Error, PyExc_RuntimeError, NULL,
                     "The memory is on another device than the call needs.") ||
           add_error(m, &st->ReadOnlyError, "ReadOnlyError", st->Error, PyExc_BufferError, NULL,
                     "Writable access to read-only memory.") ||
           add_error(m, &st->CudaError, "CudaError", st->Error, PyExc_RuntimeError, NULL,
                     "The CUDA driver refused: .code is the CUresult, .name its name.") ||
           add_error(m, &st->UnsupportedError, "UnsupportedError", st->Error, PyExc_TypeError, NULL,
                     "An object that pixview cannot read; the message lists the protocols tried.");
}

static PyStructSequence_Field plan_fields[] = {
    {"kind", "'view' or 'copy'"}, {"reason", "why a copy is needed; '' for a view"}, {NULL, NULL}};
static PyStructSequence_Desc plan_desc = {"pixview.Plan", "What a conversion would do.",
                                          plan_fields, 2};

static int intern_names(pv_state *st)
{
#define X(n)                                           \
    if (!(st->s_##n = PyUnicode_InternFromString(#n))) \
        return -1;
    PV_NAMES(X)
#undef X
    st->empty_tuple = PyTuple_New(0);
    st->kw_memptr_strides = PyTuple_Pack(2, st->s_memptr, st->s_strides);
    st->kw_stream_version = PyTuple_Pack(2, st->s_stream, st->s_max_version);
    st->kw_version = PyTuple_Pack(1, st->s_max_version);
    st->kw_stream = PyTuple_Pack(1, st->s_stream);
    st->dlpack_version = Py_BuildValue("ii", DL_MAJOR, DL_MINOR);
    return st->kw_memptr_strides && st->kw_stream_version && st->kw_version && st->kw_stream &&
                   st->dlpack_version
               ? 0
               : -1;
}

// Deleters run on any thread and know one interpreter; the end of another would be taken for the exit.
// The slot below only speaks of isolated ones, from 3.12 on.
static int check_interpreter(void)
{
    if (PyInterpreterState_Get() == PyInterpreterState_Main())
        return 0;
    PyErr_SetString(
        PyExc_ImportError,
        "pixview works in the main interpreter only, and this is a sub-interpreter: use "
        "threads or processes (under mod_wsgi: WSGIApplicationGroup %{GLOBAL})");
    return -1;
}

static int exec(PyObject *module)
{
    pv_state *st = pv_get_state(module);
    char version[32];
    if (check_interpreter())
        return -1;
    PyOS_snprintf(version, sizeof version, "%d.%d.%d", PIXVIEW_VERSION_MAJOR, PIXVIEW_VERSION_MINOR,
                  PIXVIEW_VERSION_PATCH);
    st->gpumat_lock = PyThread_allocate_lock();
    if (!st->gpumat_lock) {
        PyErr_NoMemory();
        return -1;
    }
    if (intern_names(st) || add_errors(module, st) || pv_hold_init(module) ||
        PyModule_AddStringConstant(module, "__version__", version)) {
        return -1;
    }
    st->image_type = pv_image_type_new(module);
    st->plan_type = PyStructSequence_NewType(&plan_desc);
    if (!st->image_type || !st->plan_type || pv_exchange_publish(st, st->image_type))
        return -1;
    return PyModule_AddObjectRef(module, "Image", (PyObject *)st->image_type) ||
                   PyModule_AddObjectRef(module, "Plan", (PyObject *)st->plan_type)
               ? -1
               : 0;
}

// Every object that the state owns, but for the interned names.
#define FIELD(name) offsetof(pv_state, name)
static const size_t owned[] = {
    FIELD(image_type),
    FIELD(plan_type),
    FIELD(Error),
    FIELD(LayoutError),
    FIELD(DtypeError),
    FIELD(DeviceError),
    FIELD(ReadOnlyError),
    FIELD(CudaError),
    FIELD(UnsupportedError),
    FIELD(torch),
    FIELD(tensor_type),
    FIELD(cupy),
    FIELD(cupy_cuda),
    FIELD(cupy_type),
    FIELD(cupy_unowned_memory),
    FIELD(cupy_memory_pointer),
    FIELD(cupy_init),
    FIELD(numpy),
    FIELD(numpy_type),
    FIELD(cv2_cuda),
    FIELD(gpumat_type),
    FIELD(gpumat.subtype),
    FIELD(kw_memptr_strides),
    FIELD(kw_stream_version),
    FIELD(kw_version),
    FIELD(kw_stream),
    FIELD(dlpack_version),
    FIELD(empty_tuple),
};

static PyObject **owned_at(pv_state *st, size_t i) { return (PyObject **)((char *)st + owned[i]); }

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    pv_state *st = pv_get_state(module);
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        Py_VISIT(*owned_at(st, i));
    for (int i = 0; i < PV_DTYPE_COUNT; i++)
        Py_VISIT(st->numpy_dtypes[i]);
    for (int i = 0; i < PV_KNOWN_TABLES; i++)
        Py_VISIT(st->known_tables[i].ref);
    return 0;
}

static int clear(PyObject *module)
{
    pv_state *st = pv_get_state(module);
    pv_exchange_withdraw(st);
    for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++)
        Py_CLEAR(*owned_at(st, i));
    for (int i = 0; i < PV_DTYPE_COUNT; i++)
        Py_CLEAR(st->numpy_dtypes[i]);
    for (int i = 0; i < PV_KNOWN_TABLES; i++) {
        st->known_tables[i].type = NULL;
        Py_CLEAR(st->known_tables[i].ref);
    }
#define X(n) Py_CLEAR(st->s_##n);
    PV_NAMES(X)
#undef X
    return 0;
}

static void module_free(void *module)
{
    clear(module);
    PyThread_type_lock lock = pv_get_state(module)->gpumat_lock;
    if (lock)
        PyThread_free_lock(lock);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, exec},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

struct PyModuleDef pv_module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pixview._core",
    .m_doc = "The C half of pixview; use the names in the package `pixview`.",
    .m_size = sizeof(pv_state),
    .m_methods = methods,
    .m_slots = module_slots,
    .m_traverse = traverse,
    .m_clear = clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&pv_module_def); }
