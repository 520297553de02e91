// SPDX-License-Identifier: Apache-2.0
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

static bool is_pooled(const pv_torch *torch, pixview_stream stream)
{
    for (int i = 0; i < torch->pooled_count; i++)
        if (torch->pooled[i] == stream)
            return true;
    return false;
}

static void note_pooled(pv_torch *torch, pixview_stream stream)
{
    if (torch->pooled_count < PV_TORCH_POOLED)
        torch->pooled[torch->pooled_count++] = stream;
}

// torch's own streams lie in pools and are never destroyed. One that was wrapped (ExternalStream) is the
// caller's, and can be the current one too: its id tells, which only the object has. Each of torch's is
// asked for once.
static void find_life(pv_state *st, int device, pv_stream *stream)
{
    pv_torch *torch = pv_torch_of(st);
    if (stream->handle <= 2 || is_pooled(torch, stream->handle) || pv_scope_keeps(device, stream))
        return;
    pixview_stream handle = 0, id = stream->handle;
    PyObject *cuda = PyObject_GetAttr(torch->module, st->s_cuda);
    PyObject *current = cuda ? PyObject_CallMethod(cuda, "current_stream", "i", device) : NULL;
    bool own = current && pv_stream_from_attribute(current, st->s_cuda_stream, &handle) == 0 &&
               handle == stream->handle &&
               pv_stream_from_attribute(current, st->s_stream_id, &id) == 0 && id != handle;
    Py_XDECREF(current);
    Py_XDECREF(cuda);
    PyErr_Clear(); // a torch that cannot tell
    if (own)
        note_pooled(torch, handle);
    else
        stream->object = Py_NewRef(PV_UNKEPT);
}

PIXVIEWI_HOT int pv_torch_current_stream(pv_state *st, int device, pv_stream *out)
{
    const DlExchange *table = pv_torch_table(st);
    void *handle = NULL;
    int rc = 0;
    out->object = NULL;
    if (!table) {
        rc = stream_by_name(st, device, &out->handle);
    } else {
        // The shim goes to the stream at once; the table looks for the accelerator first.
        int32_t (*shim)(int32_t, void **) = pv_torch_of(st)->shim.stream;
        if ((!shim || shim(device, &handle) != 0) &&
            table->current_work_stream(PIXVIEW_DEVICE_CUDA, device, &handle) != 0)
            return -1;
        out->handle = (pixview_stream)handle;
    }
    if (rc == 0 && out->handle > 2)
        find_life(st, device, out);
    return rc;
}

int pv_torch_stream_handle(pv_state *st, PyObject *value, pixview_stream *out)
{
    return pv_stream_from_attribute(value, st->s_cuda_stream, out);
}

int pv_torch_only_names_stream(pv_state *st, PyObject *value, pixview_stream handle)
{
    pv_torch *torch = pv_torch_of(st);
    if (handle <= 2 || is_pooled(torch, handle))
        return 0;
    int rc = pv_stream_named_by_id(st, value, handle);
    if (rc || !torch->module)
        return rc;
    PyObject *cuda = PyObject_GetAttr(torch->module, st->s_cuda);
    PyObject *type = cuda ? PyObject_GetAttrString(cuda, "Stream") : NULL;
    if (type && PyObject_IsInstance(value, type) > 0)
        note_pooled(torch, handle);
    Py_XDECREF(type);
    Py_XDECREF(cuda);
    PyErr_Clear();
    return 0;
}

// torch hands a block back to the stream it was allocated on, which nobody can ask for: record_stream
// covers that one, whatever it is, and defers itself during a capture. Not with a stream of somebody
// else's: torch would use its handle when the tensor dies, however late.
int pv_torch_record_stream(pv_state *st, PyObject *tensor, int device, pixview_stream stream)
{
    if (stream == 2 || (stream > 2 && !is_pooled(pv_torch_of(st), stream)))
        return 1;
    PyObject *cuda = PyObject_GetAttr(pv_torch_of(st)->module, st->s_cuda);
    if (!cuda)
        return -1;
    PyObject *object = stream <= 1 ? PyObject_CallMethod(cuda, "default_stream", "i", device)
                                   : PyObject_CallMethod(cuda, "ExternalStream", "Ki",
                                                         (unsigned long long)stream, device);
    PyObject *done = object ? PyObject_CallMethod(tensor, "record_stream", "O", object) : NULL;
    Py_DECREF(cuda);
    Py_XDECREF(object);
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
