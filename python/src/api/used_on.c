// SPDX-License-Identifier: Apache-2.0
// used_on: one more stream that works on a view. The view's owner makes the stream of its memory wait for
// that one too, when it lets go. There is no register of views, since filling one would slow every
// conversion down: each framework finds the owner behind its objects.

#include "api/api.h"
#include "base/args.h"
#include "base/errors.h"
#include "base/video_object.h"
#include "convert/device_of.h"
#include "convert/stream_order.h"
#include "frameworks/stream_argument.h"
#include "frameworks/stream_life.h"

static int refuse_use(pv_state *st, const pv_framework *framework, PyObject *x)
{
    pv_raisef(
        st, PIXVIEW_E_UNSUPPORTED,
        framework->flags & PV_OURS
            ? "this %s owns no memory (from_pointer without owner=); order the streams yourself "
              "before the memory is reused"
            : "this %s is no view that pixview made; call record_stream for a tensor, otherwise "
              "make the memory's stream wait before the memory is freed",
        Py_TYPE(x)->tp_name);
    return -1;
}

static int add_stream(pv_state *st, PyObject *x, pv_stream *stream)
{
    int device;
    pixview_owner *owner = NULL;
    const pv_framework *framework = pv_framework_of(st, x);
    if (!framework->owner_of)
        return refuse_use(st, framework, x);
    if (pv_gpu_of(st, framework, x, &device))
        return -1;
    if (framework->owner_of(st, x, &owner)) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "the memory of a %s object cannot be read",
                      Py_TYPE(x)->tp_name);
        return -1;
    }
    pv_stream_find_keeper(st, device, stream);
    if (owner)
        return pv_owner_used_on(st, owner, device, stream);
    return framework->record_stream ? pv_object_used_on(st, x, device, stream)
                                    : refuse_use(st, framework, x);
}

// Of a video frame each plane is a view.
static int add_stream_to_all(pv_state *st, PyObject *x, pv_stream *stream)
{
    PyObject *plane;
    if (!pv_is_video_frame(x))
        return add_stream(st, x, stream);
    for (Py_ssize_t i = 0; (plane = pv_video_frame_plane(x, i)); i++)
        if (add_stream(st, plane, stream))
            return -1;
    return 0;
}

PV_CALL(used_on)
{
    pv_state *st = pv_get_state(module);
    PyObject *view = NULL, *value = NULL;
    const pv_keyword keywords[] = {{"view", &view}, {"stream", &value}};
    pv_stream stream = {PIXVIEW_STREAM_LEGACY, NULL};
    if (pv_parse_args("used_on", args, nargs, kwnames, 2, keywords, 2) ||
        (value != Py_None && pv_parse_stream(st, value, &stream))) {
        return NULL;
    }
    if (stream.handle == PIXVIEW_STREAM_NONE) {
        PyErr_SetString(PyExc_ValueError,
                        "stream=-1 means no ordering and is not a stream; pass the stream that "
                        "uses the view");
        return NULL;
    }
    Py_XINCREF(stream.object);
    int rc = add_stream_to_all(st, view, &stream);
    Py_XDECREF(stream.object);
    if (rc)
        return NULL;
    Py_RETURN_NONE;
}
