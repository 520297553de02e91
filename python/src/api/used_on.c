// used_on: one more stream that works on a view. The view's owner makes the stream of its memory wait for
// that one too, when it lets go. No register of views is kept for this, since filling one would slow
// every conversion down: each kind of view leads to its owner by itself.

#include "base/state.h"

// ---- the owner of a torch tensor --------------------------------------------------------------------
//
// torch's storage (StorageImpl, whose address is UntypedStorage._cdata) keeps our DLPack struct in the
// context of its deleter: directly, or one pointer further (a std::function that captured it). Both
// are looked through word by word, without a layout taken for granted: a struct is ours if it names
// our deleter, points to itself and shows the storage's memory.

enum { STORAGE_WORDS = 12, CONTEXT_WORDS = 8 };

static pixview_owner *owner_at(uintptr_t word, const void *data)
{
    union {
        DlManaged managed;
        DlManagedLegacy legacy;
    } copy;
    void *at = (void *)word;
    pixview_owner *owner = NULL;
    if (word % sizeof(void *) || word < 4096 || !pv_read_safely(at, &copy, sizeof copy))
        return NULL;
    if (pixviewi_dlpack_is_ours(&copy.managed, at) && copy.managed.tensor.data == data)
        owner = ((pixviewi_slot *)at)->owner;
    else if (pixviewi_dlpack_legacy_is_ours(&copy.legacy, at) && copy.legacy.tensor.data == data)
        owner = pixviewi_dlpack_legacy_owner(at);
    return owner;
}

static pixview_owner *search_storage(const void *storage, const void *data)
{
    uintptr_t words[STORAGE_WORDS], inner[CONTEXT_WORDS];
    if (!pv_read_safely(storage, words, sizeof words))
        return NULL;
    for (int i = 0; i < STORAGE_WORDS; i++) {
        if (words[i] == (uintptr_t)data)
            continue; // pixels
        pixview_owner *owner = owner_at(words[i], data);
        if (owner)
            return owner;
        if (words[i] % sizeof(void *) || words[i] < 4096 ||
            !pv_read_safely((void *)words[i], inner, sizeof inner))
            continue;
        for (int k = 0; k < CONTEXT_WORDS; k++)
            if ((owner = owner_at(inner[k], data)))
                return owner;
    }
    return NULL;
}

static int address_from(PyObject *value, void **out)
{
    *out = value ? PyLong_AsVoidPtr(value) : NULL;
    Py_XDECREF(value);
    return PyErr_Occurred() ? -1 : 0;
}

static int tensor_owner(PyObject *x, pixview_owner **out)
{
    void *address = NULL, *data = NULL;
    PyObject *storage = PyObject_CallMethod(x, "untyped_storage", NULL);
    int rc = storage && !address_from(PyObject_GetAttrString(storage, "_cdata"), &address) &&
                     !address_from(PyObject_CallMethod(storage, "data_ptr", NULL), &data)
                 ? 0
                 : -1;
    if (rc == 0 && data)
        *out = search_storage(address, data);
    Py_XDECREF(storage);
    return rc;
}

// ---- the owner of the others ------------------------------------------------------------------------

static int array_owner(pv_state *st, PyObject *x, pixview_owner **out)
{
    PyObject *pointer = PyObject_GetAttr(x, st->s_data);
    PyObject *memory = pointer ? PyObject_GetAttrString(pointer, "mem") : NULL;
    PyObject *keeper = memory ? PyObject_GetAttrString(memory, "_owner") : NULL;
    Py_XDECREF(pointer);
    Py_XDECREF(memory);
    if (!keeper) { // memory of a pool: not a view
        bool absent = PyErr_ExceptionMatches(PyExc_AttributeError);
        if (absent)
            PyErr_Clear();
        return absent ? 0 : -1;
    }
    if (Py_IS_TYPE(keeper, st->image_type))
        *out = ((pv_image *)keeper)->image.owner; // x keeps it
    Py_DECREF(keeper);
    return 0;
}

static pixview_owner *gpumat_owner(pv_state *st, PyObject *x)
{
    if (Py_IS_TYPE(x, st->gpumat.subtype))
        return pv_gpumat_subtype_owner(x);
    const pv_gpumat *g = pv_gpumat_in_place(&st->gpumat) ? pv_gpumat_header(x) : NULL;
    if (!g || !g->refcount || g->allocator != &pv_gpumat_our_allocator)
        return NULL;
    return pv_gpumat_counted_owner(g);
}

static int find_owner(pv_state *st, pv_kind kind, PyObject *x, pixview_owner **out)
{
    switch (kind) {
    case PV_TORCH:
        return tensor_owner(x, out);
    case PV_CUPY:
        return array_owner(st, x, out);
    case PV_GPUMAT:
        *out = gpumat_owner(st, x);
        return 0;
    case PV_IMAGE:
        *out = ((pv_image *)x)->image.owner;
        return 0;
    default:
        return 0;
    }
}

// ---- the call -----------------------------------------------------------------------------------------

static int refuse(pv_state *st, pv_kind kind, PyObject *x)
{
    pv_raisef(
        st, PIXVIEW_E_UNSUPPORTED,
        kind == PV_IMAGE
            ? "this %s owns no memory (from_pointer without owner=): order the streams before "
              "the memory is used again"
            : "this %s is no view that pixview made: its own library has to know of the "
              "stream; for a tensor that is record_stream, else let the stream of the memory "
              "wait before it is freed",
        Py_TYPE(x)->tp_name);
    return -1;
}

static int add(pv_state *st, PyObject *x, PyObject *stream_object, pixview_stream stream)
{
    int device;
    pixview_owner *owner = NULL;
    pv_kind kind = pv_kind_of(st, x);
    if (kind == PV_OTHER || kind == PV_NUMPY)
        return refuse(st, kind, x);
    if (pv_gpu_of(st, kind, x, &device) || find_owner(st, kind, x, &owner))
        return -1;
    if (owner)
        return pv_owner_used_on(st, owner, device, stream, stream_object);
    return kind == PV_TORCH ? pv_record_stream(st, x, device, stream) : refuse(st, kind, x);
}

PyObject *pv_used_on(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    pv_state *st = pv_get_state(module);
    PyObject *view = NULL, *value = NULL;
    const pv_keyword keywords[] = {{"view", &view}, {"stream", &value}};
    pixview_stream stream = PIXVIEW_STREAM_LEGACY;
    if (pv_parse_args("used_on", args, nargs, kwnames, 2, keywords, 2) ||
        (value != Py_None && pv_parse_stream(st, value, &stream))) {
        return NULL;
    }
    if (stream == PIXVIEW_STREAM_NONE) {
        PyErr_SetString(PyExc_ValueError,
                        "stream=-1 means no ordering; it is no stream to wait for");
        return NULL;
    }
    bool keep = value != Py_None && !PyLong_Check(value); // an int is the caller's to keep
    if (add(st, view, keep ? value : NULL, stream))
        return NULL;
    Py_RETURN_NONE;
}
