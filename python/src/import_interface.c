// __cuda_array_interface__ (versions 2 and 3) and __array_interface__ (version 3): dictionaries.
//
// Neither has an owner field: the object that showed the dictionary is held. The CUDA one has no
// device either: the driver is asked for the pointer's.

#include "state.h"

typedef struct {
    PyObject *shape, *typestr, *data, *strides, *stream, *mask; // borrowed; None counts as absent
} entries;

static PyObject *entry(PyObject *dict, PyObject *key)
{
    PyObject *value = PyDict_GetItemWithError(dict, key); // borrowed
    return value == Py_None ? NULL : value;
}

static int read_entries(pv_state *st, PyObject *interface, const char *what, entries *out)
{
    if (!PyDict_Check(interface)) {
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED, "%s is a %s object instead of a dictionary", what,
                  Py_TYPE(interface)->tp_name);
        return -1;
    }
    *out = (entries){entry(interface, st->s_shape),  entry(interface, st->s_typestr),
                     entry(interface, st->s_data),   entry(interface, st->s_strides),
                     entry(interface, st->s_stream), entry(interface, st->s_mask)};
    if (PyErr_Occurred())
        return -1;
    if (out->mask) {
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
                  "%s has a mask, which no image can carry: fill it first", what);
        return -1;
    }
    if (out->shape && out->typestr && out->data)
        return 0;
    pv_raisef(st, PIXVIEW_E_UNSUPPORTED, "%s has no '%s'", what,
              !out->shape     ? "shape"
              : !out->typestr ? "typestr"
                              : "data");
    return -1;
}

static int parse_typestr(pv_state *st, PyObject *x, PyObject *typestr, pixview_dtype *out)
{
    const char *text = PyUnicode_Check(typestr) ? PyUnicode_AsUTF8(typestr) : NULL;
    pixview_error err;
    if (!text) {
        pv_raise_from(st, PIXVIEW_E_DTYPE, "typestr is %R instead of a string", typestr);
        return -1;
    }
    if (pixview_typestr_parse(text, out, &err) == PIXVIEW_OK)
        return 0;
    // ml_dtypes' bfloat16 has the typestr of two raw bytes; only its dtype tells.
    PyObject *dtype = PyObject_GetAttr(x, st->s_dtype);
    bool bfloat = dtype && pv_parse_dtype(st, dtype, out) == 0 && out->code == PIXVIEW_BFLOAT;
    Py_XDECREF(dtype);
    PyErr_Clear();
    if (bfloat)
        return 0;
    pv_raise(st, &err);
    return -1;
}

// data is (pointer, read-only); in __array_interface__ it may be a buffer instead, whose memory a
// memoryview then keeps.
static int parse_data(pv_state *st, PyObject *data, pv_source *src, void **pointer, bool *readonly)
{
    if (PyTuple_Check(data) && PyTuple_GET_SIZE(data) == 2) {
        PyObject *address = PyTuple_GET_ITEM(data, 0);
        *pointer = PyLong_Check(address) ? PyLong_AsVoidPtr(address) : NULL;
        int flag = PyObject_IsTrue(PyTuple_GET_ITEM(data, 1));
        *readonly = flag > 0;
        if (PyLong_Check(address) && flag >= 0 && !PyErr_Occurred())
            return 0;
    } else if (PyObject_CheckBuffer(data)) {
        src->keep = PyMemoryView_FromObject(data);
        if (src->keep) {
            *pointer = PyMemoryView_GET_BUFFER(src->keep)->buf;
            *readonly = PyMemoryView_GET_BUFFER(src->keep)->readonly;
            return 0;
        }
    }
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "data is %R instead of (address, read-only flag)",
                  data);
    return -1;
}

// 0 is not allowed (ambiguous, CUDA array interface 3); absent: nothing to wait for.
static int parse_stream(pv_state *st, PyObject *stream, pixview_stream *out)
{
    *out = PIXVIEW_STREAM_NONE;
    if (!stream)
        return 0;
    unsigned long long handle = PyLong_Check(stream) ? PyLong_AsUnsignedLongLong(stream) : 0;
    if (handle && !PyErr_Occurred()) {
        *out = (pixview_stream)handle;
        return 0;
    }
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                  "stream is %R; the CUDA array interface allows None, 1, 2 or a handle", stream);
    return -1;
}

static int find_device(pv_state *st, bool cuda, void *data, const int64_t *shape, int ndim,
                       pixview_device *out)
{
    *out = (pixview_device){cuda ? PIXVIEW_CUDA : PIXVIEW_CPU, 0};
    bool empty = !data;
    for (int i = 0; i < ndim; i++)
        empty |= shape[i] == 0;
    pixview_error err;
    if (!cuda || empty || pixviewi_cuda_pointer_device(data, &out->id, &err) == PIXVIEW_OK)
        return 0;
    pv_raise(st, &err);
    return -1;
}

int pv_import_interface(pv_state *st, PyObject *x, PyObject *interface, bool cuda,
                        const pv_request *req, pv_source *src)
{
    const char *what = cuda ? "__cuda_array_interface__" : "__array_interface__";
    entries e;
    pixview_dtype dtype;
    pixview_device device;
    pixview_stream stream;
    void *data = NULL;
    bool readonly = false;
    int ndim, same = -1;
    int64_t shape[4], strides[4];
    if (read_entries(st, interface, what, &e) || parse_typestr(st, x, e.typestr, &dtype) ||
        pv_parse_dims(st, "shape", e.shape, 4, &ndim, shape) ||
        (e.strides && pv_parse_dims(st, "strides", e.strides, 4, &same, strides)) ||
        parse_data(st, e.data, src, &data, &readonly) ||
        parse_stream(st, cuda ? e.stream : NULL, &stream) ||
        find_device(st, cuda, data, shape, ndim, &device)) {
        return -1;
    }
    if (e.strides && same != ndim) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "%s has %d extents but %d strides", what, ndim, same);
        return -1;
    }
    if (pv_source_init(st, src, PV_OTHER, req, data, ndim, shape, e.strides ? strides : NULL, dtype,
                       device)) {
        return -1;
    }
    src->image.stream = stream;
    if (readonly)
        src->image.flags |= PIXVIEW_READ_ONLY;
    return 0;
}
