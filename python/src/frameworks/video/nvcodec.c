// SPDX-License-Identifier: Apache-2.0
// PyNvVideoCodec: DecodedFrame. It says its format alone.
//
// Its array interface writes strides in elements for 16 bits, and 0 for the legacy stream; its dense planes are
// read by address. A decoder on another stream names none: an event is recorded behind each frame.

#include "base/args.h"
#include "base/errors.h"
#include "cuda/context.h"
#include "cuda/stream.h"
#include "frameworks/streams.h"
#include "frameworks/video/video.h"

// A new reference to frame.cuda()[0].__cuda_array_interface__; NULL with an error.
static PyObject *first_interface(pv_state *st, PyObject *x)
{
    PyObject *planes = PyObject_CallMethod(x, "cuda", NULL);
    PyObject *first = planes ? PySequence_GetItem(planes, 0) : NULL;
    PyObject *dict = first ? PyObject_GetAttr(first, st->s___cuda_array_interface__) : NULL;
    Py_XDECREF(first);
    Py_XDECREF(planes);
    if (dict && PyDict_Check(dict))
        return dict;
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "cuda() of a %s object gives no planes",
                  Py_TYPE(x)->tp_name);
    Py_XDECREF(dict);
    return NULL;
}

// The size, and whether the decoder works on the legacy stream.
static int read_interface(pv_state *st, PyObject *x, int64_t shape[4], bool *legacy)
{
    PyObject *dict = first_interface(st, x);
    if (!dict)
        return -1;
    int ndim = 0;
    int64_t stream = 0;
    PyObject *extents = PyDict_GetItem(dict, st->s_shape); // borrowed
    PyObject *number = PyDict_GetItem(dict, st->s_stream);
    int rc = extents ? pv_parse_dims(st, "shape", extents, 4, &ndim, shape) : -1;
    if (rc == 0 && number && number != Py_None)
        rc = pv_video_number_of(st, x, "stream", number, &stream);
    *legacy = stream == 0 || stream == 1;
    Py_DECREF(dict);
    if (!PyErr_Occurred() && ndim >= 2)
        return rc;
    if (!PyErr_Occurred())
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED, "cuda() of a %s object shows no H and W",
                  Py_TYPE(x)->tp_name);
    return -1;
}

// Device memory, or with use_device_memory=False that of the host.
static int read_place(pv_state *st, PyObject *x, pv_video_source *source)
{
    long type = 0, id = 0;
    if (source->has_device)
        return 0;
    PyObject *pair = PyObject_CallMethodNoArgs(x, st->s___dlpack_device__);
    bool ok = pair && PyTuple_Check(pair) && PyTuple_GET_SIZE(pair) == 2;
    if (ok) {
        type = PyLong_AsLong(PyTuple_GET_ITEM(pair, 0));
        id = PyLong_AsLong(PyTuple_GET_ITEM(pair, 1));
    }
    Py_XDECREF(pair);
    source->device = (pixview_device){(int32_t)type, (int32_t)id};
    if (ok && !PyErr_Occurred())
        return 0;
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "__dlpack_device__() of a %s object fails",
                  Py_TYPE(x)->tp_name);
    return -1;
}

// Without an event, and on a stream that it does not name, it has to be done with all that it queued.
static int wait_for_decoder(pv_state *st, void *event, const pv_video_source *source)
{
    pixviewi_scope scope;
    void *stream = pixviewi_stream_handle(source->stream.handle);
    pixview_status status = pixviewi_scope_enter(&scope, source->device.id, &st->error);
    int code = 0;
    if (status == PIXVIEW_OK)
        code = event ? scope.driver->stream_wait(stream, event, 0)
                     : scope.driver->context_synchronize();
    if (code)
        status =
            pixviewi_driver_fail(&st->error, scope.driver, code, "cannot wait for the decoder");
    pixviewi_scope_leave(&scope);
    return status ? pv_fail(st) : 0;
}

// The frame's stream comes after the decoder's.
static int order(pv_state *st, PyObject *x, bool legacy, pv_video_source *source)
{
    int64_t event;
    if (source->device.type == PIXVIEW_DEVICE_CPU || source->stream.handle == PIXVIEW_STREAM_NONE)
        return 0;
    source->is_overwritten = !legacy;
    if (pv_video_get_number(st, x, "decoder_stream_event", &event))
        return -1;
    if (event || !legacy)
        return wait_for_decoder(st, (void *)(uintptr_t)event, source);
    return pixviewi_cuda_order(source->device.id, PIXVIEW_STREAM_LEGACY, source->stream.handle,
                               NULL, &st->error)
               ? pv_fail(st)
               : 0;
}

static int add_planes(pv_state *st, PyObject *x, const int64_t shape[4], pv_video_source *source)
{
    int count = pixviewi_video_plane_count(pixviewi_video_find(source->params.format));
    for (int i = 0; i < count; i++) {
        PyObject *address = PyObject_CallMethod(x, "GetPtrToPlane", "i", i);
        int64_t at = 0;
        int rc = address ? pv_video_number_of(st, x, "GetPtrToPlane()", address, &at) : -1;
        Py_XDECREF(address);
        if (!address)
            pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "GetPtrToPlane(%d) of a %s object fails", i,
                          Py_TYPE(x)->tp_name);
        if (rc || pv_video_add_address(st, source, (void *)(uintptr_t)at, 0, shape[0], shape[1]))
            return -1;
    }
    return 0;
}

static int read_nvcodec(pv_state *st, PyObject *x, pv_video_source *source)
{
    char word[PV_VIDEO_WORD];
    int64_t shape[4];
    bool legacy;
    if (pv_video_get_inner_word(st, x, "format", "name", word) ||
        pv_video_says_format(st, x, word, source) || read_interface(st, x, shape, &legacy) ||
        read_place(st, x, source) || order(st, x, legacy, source))
        return -1;
    pv_video_says_size(source, shape[0], shape[1]);
    return add_planes(st, x, shape, source);
}

const pv_video_adapter pv_video_nvcodec = {"DecodedFrame", "GetPtrToPlane", read_nvcodec};
