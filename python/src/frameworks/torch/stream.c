// torch's streams.

#include "base/errors.h"
#include "descriptor/dlpack_abi.h"
#include "frameworks/streams.h"
#include "frameworks/torch/torch.h"

// torch before 2.10
static int stream_by_name(pv_state *st, int device, pixview_stream *out)
{
    PyObject *cuda = PyObject_GetAttr(pv_torch_of(st)->module, st->s_cuda);
    PyObject *stream = cuda ? PyObject_CallMethod(cuda, "current_stream", "i", device) : NULL;
    PyObject *handle = stream ? PyObject_GetAttr(stream, st->s_cuda_stream) : NULL;
    int rc = handle ? pv_stream_from_int(handle, out) : -1;
    Py_XDECREF(handle);
    Py_XDECREF(stream);
    Py_XDECREF(cuda);
    return rc;
}

PIXVIEWI_HOT int pv_torch_stream(pv_state *st, int device, pixview_stream *out)
{
    const DlExchange *table = pv_torch_table(st);
    void *handle = NULL;
    if (!table)
        return stream_by_name(st, device, out);
    // The shim goes to the stream at once; the table looks for the accelerator first.
    int32_t (*shim)(int32_t, void **) = pv_torch_of(st)->shim.stream;
    if ((!shim || shim(device, &handle) != 0) &&
        table->current_work_stream(PIXVIEW_DEVICE_CUDA, device, &handle) != 0)
        return -1;
    *out = (pixview_stream)handle;
    return 0;
}

int pv_torch_current_stream(pv_state *st, int device, pv_stream *out)
{
    out->object = NULL;
    return pv_torch_stream(st, device, &out->handle);
}

int pv_torch_stream_handle(pv_state *st, PyObject *value, pixview_stream *out)
{
    return pv_stream_from_attribute(value, st->s_cuda_stream, out);
}

// torch hands a block back to the stream it was allocated on, which nobody can ask for: record_stream
// covers that one, whatever it is, and defers itself during a capture.
int pv_torch_record_stream(pv_state *st, PyObject *tensor, int device, pixview_stream consumer)
{
    PyObject *cuda = PyObject_GetAttr(pv_torch_of(st)->module, st->s_cuda);
    if (!cuda)
        return -1;
    PyObject *stream = consumer <= 1 ? PyObject_CallMethod(cuda, "default_stream", "i", device)
                                     : PyObject_CallMethod(cuda, "ExternalStream", "Ki",
                                                           (unsigned long long)consumer, device);
    PyObject *done = stream ? PyObject_CallMethod(tensor, "record_stream", "O", stream) : NULL;
    Py_DECREF(cuda);
    Py_XDECREF(stream);
    Py_XDECREF(done);
    if (done)
        return 0;
    // A torch without CUDA holds device memory of somebody else only, and has no allocator to tell.
    PyObject *version = PyObject_GetAttrString(pv_torch_of(st)->module, "version");
    PyObject *built = version ? PyObject_GetAttr(version, st->s_cuda) : NULL;
    bool without_cuda = built == Py_None;
    Py_XDECREF(version);
    Py_XDECREF(built);
    if (!without_cuda)
        return -1;
    PyErr_Clear();
    return 0;
}
