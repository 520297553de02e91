// SPDX-License-Identifier: Apache-2.0
// The module pixview._core: its functions and its state.

#include <stddef.h>

#include "api/api.h"
#include "base/pyref.h"
#include "descriptor/dlpack_abi.h"
#include "docs.h"
#include "image/docs.h"
#include "image/image.h"

#define FAST(name, function, doc) \
    {name, (PyCFunction)(void (*)(void))function, METH_FASTCALL | METH_KEYWORDS, doc}

static PyMethodDef module_methods[] = {
#define X(name, NAME) FAST("as_" #name, pv_call_as_##name, PV_DOC_as_##name),
    PV_FRAMEWORKS(X)
#undef X
        FAST("view", pv_call_view, PV_DOC_view),
    FAST("plan", pv_call_plan, PV_DOC_plan),
    FAST("from_pointer", pv_call_from_pointer, PV_DOC_from_pointer),
    FAST("copy_into", pv_call_copy_into, PV_DOC_copy_into),
    FAST("stack", pv_call_stack, PV_DOC_stack),
    FAST("unstack", pv_call_unstack, PV_DOC_unstack),
    FAST("used_on", pv_call_used_on, PV_DOC_used_on),
    FAST("warm_up", pv_call_warm_up, PV_DOC_warm_up),
    FAST("video_frame", pv_call_video_frame, PV_DOC_video_frame),
    FAST("to_video_frame", pv_call_to_video_frame, PV_DOC_to_video_frame),
    {"stream_of", pv_stream_of, METH_O, PV_DOC_stream_of},
    FAST("share", pv_share_call, PV_DOC_share),
    {"_video_frame_from_pickle", (PyCFunction)(void (*)(void))pv_video_frame_from_pickle,
     METH_FASTCALL, NULL},
    {"_share_from_bytes", pv_share_from_bytes, METH_O, NULL},
    {"_image_from_share", pv_image_from_share, METH_O, NULL},
    {"_placement", (PyCFunction)(void (*)(void))pv_placement, METH_FASTCALL, NULL},
    {"_stream_facts", pv_stream_facts, METH_O, NULL},
    {"_push_stream", pv_push_stream, METH_VARARGS, NULL},
    {"_pop_stream", pv_pop_stream, METH_NOARGS, NULL},
    {"_doctor", pv_doctor, METH_NOARGS, NULL},
    {"_image_from_pickle", (PyCFunction)(void (*)(void))pv_image_from_pickle, METH_FASTCALL, NULL},
    {"_nop", pv_nop, METH_O, NULL},
    {"_host_threads", pv_host_threads, METH_O, NULL},
    {"_keep_filters", pv_keep_filters, METH_O, NULL},
    {"_force", (PyCFunction)(void (*)(void))pv_force, METH_VARARGS | METH_KEYWORDS, NULL},
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
    return add_error(m, &st->Error, "Error", NULL, NULL, NULL,
                     "Base class of pixview's errors about "
                     "images, devices and objects.") ||
           add_error(m, &st->LayoutError, "LayoutError", st->Error, PyExc_ValueError,
                     PyExc_BufferError,
                     "The result cannot have this shape, these strides or this axis order.") ||
           add_error(m, &st->DtypeError, "DtypeError", st->Error, PyExc_TypeError, NULL,
                     "The result's library has no such element type, or the two ends have "
                     "different ones.") ||
           add_error(m, &st->DeviceError, "DeviceError", st->Error, PyExc_RuntimeError, NULL,
                     "The pixels are on a device that the call cannot use.") ||
           add_error(m, &st->ReadOnlyError, "ReadOnlyError", st->Error, PyExc_BufferError, NULL,
                     "Writable access to read-only memory.") ||
           add_error(m, &st->CudaError, "CudaError", st->Error, PyExc_RuntimeError, NULL,
                     "A call to the CUDA driver failed: .code is the CUresult, .name its name.") ||
           add_error(m, &st->UnsupportedError, "UnsupportedError", st->Error, PyExc_TypeError, NULL,
                     "The object implements no protocol that pixview reads; the message lists "
                     "those tried.") ||
           add_error(m, &st->ShareError, "ShareError", st->Error, PyExc_RuntimeError, NULL,
                     "An image of another process that cannot be opened, or one that cannot be "
                     "shared now.") ||
           add_error(m, &st->ShareTimeoutError, "ShareTimeoutError", st->ShareError,
                     PyExc_TimeoutError, NULL, "No frame of a pool became free in time.");
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
    st->kw_stream_version = PyTuple_Pack(2, st->s_stream, st->s_max_version);
    st->kw_version = PyTuple_Pack(1, st->s_max_version);
    st->kw_stream = PyTuple_Pack(1, st->s_stream);
    st->dlpack_version = Py_BuildValue("ii", DL_MAJOR, DL_MINOR);
    return st->kw_stream_version && st->kw_version && st->kw_stream && st->dlpack_version ? 0 : -1;
}

// Deleters run on any thread and know one interpreter; the end of another would be taken for the exit.
// The slot below covers isolated ones only, from 3.12 on.
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

static int module_exec(PyObject *module)
{
    pv_state *st = pv_get_state(module);
    char version[32];
    if (check_interpreter())
        return -1;
    PyOS_snprintf(version, sizeof version, "%d.%d.%d", PIXVIEW_VERSION_MAJOR, PIXVIEW_VERSION_MINOR,
                  PIXVIEW_VERSION_PATCH);
    if (intern_names(st) || add_errors(module, st) || pv_pyref_init(module) ||
        PyModule_AddStringConstant(module, "__version__", version)) {
        return -1;
    }
    st->image_type = pv_image_type_new(module);
    st->video_frame_type = pv_video_frame_type_new(module);
    st->plan_type = PyStructSequence_NewType(&plan_desc);
    st->share_type = pv_share_type_new(module);
    st->pool_type = pv_pool_type_new(module);
    if (!st->share_type || !st->pool_type || !st->image_type || !st->video_frame_type ||
        !st->plan_type || pv_exchange_publish(st, st->image_type) || pv_frameworks_init(st))
        return -1;
    return PyModule_AddObjectRef(module, "Image", (PyObject *)st->image_type) ||
                   PyModule_AddObjectRef(module, "VideoFrame", (PyObject *)st->video_frame_type) ||
                   PyModule_AddObjectRef(module, "Plan", (PyObject *)st->plan_type) ||
                   PyModule_AddObjectRef(module, "Share", (PyObject *)st->share_type) ||
                   PyModule_AddObjectRef(module, "Pool", (PyObject *)st->pool_type)
               ? -1
               : 0;
}

// Every object that the state owns, but for the interned names.
#define FIELD(name) offsetof(pv_state, name)
static const size_t module_owned[] = {
    FIELD(image_type),  FIELD(video_frame_type), FIELD(plan_type),         FIELD(Error),
    FIELD(LayoutError), FIELD(DtypeError),       FIELD(DeviceError),       FIELD(ReadOnlyError),
    FIELD(CudaError),   FIELD(UnsupportedError), FIELD(kw_stream_version), FIELD(kw_version),
    FIELD(share_type),  FIELD(pool_type),        FIELD(ShareError),        FIELD(ShareTimeoutError),
    FIELD(kw_stream),   FIELD(dlpack_version),   FIELD(empty_tuple),
};

static PyObject **owned_at(pv_state *st, size_t i)
{
    return (PyObject **)((char *)st + module_owned[i]);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    pv_state *st = pv_get_state(module);
    for (size_t i = 0; i < sizeof module_owned / sizeof module_owned[0]; i++)
        Py_VISIT(*owned_at(st, i));
    for (int i = 0; i < PIXVIEWI_DTYPE_COUNT; i++) {
        Py_VISIT(st->numpy_dtypes[i]);
        Py_VISIT(st->torch_dtypes[i]);
    }
    return pv_frameworks_traverse(st, visit, arg);
}

static int module_clear(PyObject *module)
{
    pv_state *st = pv_get_state(module);
    pv_exchange_withdraw(st);
    for (size_t i = 0; i < sizeof module_owned / sizeof module_owned[0]; i++)
        Py_CLEAR(*owned_at(st, i));
    for (int i = 0; i < PIXVIEWI_DTYPE_COUNT; i++) {
        Py_CLEAR(st->numpy_dtypes[i]);
        Py_CLEAR(st->torch_dtypes[i]);
    }
    pv_frameworks_clear(st);
#define X(n) Py_CLEAR(st->s_##n);
    PV_NAMES(X)
#undef X
    return 0;
}

static void module_free(void *module)
{
    module_clear(module);
    pv_frameworks_free(pv_get_state(module));
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
#if PY_VERSION_HEX >= 0x030c0000
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pixview._core",
    .m_doc = "The C half of pixview; use the names in the package `pixview`.",
    .m_size = sizeof(pv_state),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&module_def); }
