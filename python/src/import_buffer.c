// Host memory: NumPy arrays and everything else with the buffer protocol (PEP 3118).

#include <string.h>

#include "state.h"

static int fill(pv_state *st, const Py_buffer *b, pv_kind kind, const pv_request *req,
                pv_source *src)
{
    pixview_dtype dtype;
    int64_t shape[4], strides[4];
    if (b->suboffsets) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the buffer has suboffsets (pointers to rows); make it one array");
        return -1;
    }
    if (pv_dtype_from_format(st, b->format, b->itemsize, &dtype))
        return -1;
    for (int i = 0; i < b->ndim && i < 4; i++) {
        shape[i] = b->shape[i];
        strides[i] = b->strides[i];
    }
    if (pv_source_init(st, src, kind, req, b->buf, b->ndim, shape, strides, dtype,
                       (pixview_device){PIXVIEW_CPU, 0})) {
        return -1;
    }
    src->image.stream = PIXVIEW_STREAM_NONE;
    if (b->readonly)
        src->image.flags |= PIXVIEW_READ_ONLY;
    return 0;
}

// Arrays without a buffer format, such as ml_dtypes' bfloat16, still have an array interface.
static int import_by_interface(pv_state *st, PyObject *x, const pv_request *req, pv_source *src)
{
    PyErr_Clear();
    PyObject *interface = PyObject_GetAttr(x, st->s___array_interface__);
    if (!interface)
        return -1;
    int rc = pv_import_interface(st, x, interface, false, req, src);
    Py_DECREF(interface);
    src->kind = PV_NUMPY;
    return rc;
}

// The buffer is given back at once: a NumPy array does not move its memory while it is referenced.
int pv_import_numpy(pv_state *st, PyObject *x, const pv_request *req, pv_source *src)
{
    Py_buffer buffer;
    if (PyObject_GetBuffer(x, &buffer, PyBUF_RECORDS_RO) != 0)
        return import_by_interface(st, x, req, src);
    int rc = fill(st, &buffer, PV_NUMPY, req, src);
    PyBuffer_Release(&buffer);
    return rc;
}

// Other exporters (bytearray, mmap) may move their memory once the buffer is given back, so a
// memoryview keeps it.
int pv_import_buffer(pv_state *st, PyObject *x, const pv_request *req, pv_source *src)
{
    src->keep = PyMemoryView_FromObject(x);
    if (!src->keep) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "the buffer of a %s object cannot be read",
                      Py_TYPE(x)->tp_name);
        return -1;
    }
    return fill(st, PyMemoryView_GET_BUFFER(src->keep), PV_OTHER, req, src);
}
