// SPDX-License-Identifier: Apache-2.0
// A VideoFrame of what an adapter found: planes as Images, in the order of one stream.

#include <assert.h>

#include "convert/video.h"

#include <string.h>

#include "base/errors.h"
#include "base/image_object.h"
#include "base/pyref.h"
#include "convert/allocate.h"
#include "convert/convert.h"
#include "convert/copy.h"
#include "cuda/context.h"
#include "frameworks/imported.h"
#include "frameworks/stream_life.h"
#include "frameworks/table.h"

enum { H = PIXVIEW_AXIS_H, W = PIXVIEW_AXIS_W, C = PIXVIEW_AXIS_C };

// ---- what is not said -------------------------------------------------------------------------

static int fail_fact(pv_state *st, PyObject *x, pixview_video_format format, const char *message)
{
    pv_raisef(st, PIXVIEW_E_LAYOUT, message, Py_TYPE(x)->tp_name,
              pixview_video_format_name(format));
    return -1;
}

static int check_facts(pv_state *st, PyObject *x, const pixview_video_params *params)
{
    const pixviewi_video_row *row = pixviewi_video_find(params->format);
    if (params->matrix == PIXVIEW_VIDEO_MATRIX_NONE && row->planes != PIXVIEWI_VIDEO_GRAY)
        return fail_fact(st, x, params->format,
                         "matrix=None, and the %s object of %s does not say how its colours were "
                         "made; pass matrix='bt709' (most HD video), 'bt601' (most SD video), "
                         "'bt2020', 'smpte240m' or 'opencv'");
    if (params->range == PIXVIEW_VIDEO_RANGE_NONE)
        return fail_fact(st, x, params->format,
                         "range=None, and the %s object of %s does not say which values it uses; "
                         "pass range='limited' (most video) or 'full'");
    return 0;
}

// ---- planes as Images -------------------------------------------------------------------------

static PyObject *read_object(pv_state *st, const pv_video_source *source, int i)
{
    PyObject *x = source->objects[i];
    pv_options options = {.to = &pv_framework_image,
                          .copy = 0,
                          .call = "video_frame",
                          .src_name = "the layout of the plane",
                          .interleaved = true,
                          .has_stream = source->has_stream,
                          .stream = source->stream.handle,
                          .stream_object = source->stream.object};
    options.src_layout = source->layout;
    PyObject *image = pv_convert(st, x, &options);
    pixview_image *read = image ? &((pv_image *)image)->image : NULL;
    if (!image)
        pv_errors_prefix_item(st, "planes", i);
    // Its producer was asked for no stream, which is the legacy one.
    else if (PyCapsule_CheckExact(x) && !source->has_stream && !pixview_image_on_host(read))
        read->stream = PIXVIEW_STREAM_LEGACY;
    return image;
}

// At an address: the object that it came from is held.
static PyObject *wrap_address(pv_state *st, PyObject *x, const pv_video_source *source, int i)
{
    pixview_image image = source->images[i];
    bool host = pixview_image_on_host(&image);
    pv_stream stream = {image.stream, host ? NULL : Py_XNewRef(source->stream.object)};
    PyObject *out = NULL;
    if (!host)
        pv_stream_find_keeper(st, image.device.id, &stream);
    if (pv_order_for_storing(st, &image, &stream.object) == 0 &&
        (image.owner = pv_pyref_owner(x)) &&
        pv_owner_set_alloc_stream(image.owner, image.stream, stream.object) == 0)
        out = pv_image_new(st, &image, PIXVIEW_LAYOUT_HWC, stream.object);
    pixview_owner_unref(image.owner);
    Py_XDECREF(stream.object);
    return out;
}

// All planes in the order of the first one's stream.
static PyObject *on_stream_of(pv_state *st, PyObject *plane, PyObject *first)
{
    const pv_image *image = (const pv_image *)plane, *lead = (const pv_image *)first;
    if (pixview_image_on_host(&image->image) || pixview_image_on_host(&lead->image) ||
        image->image.stream == lead->image.stream)
        return Py_NewRef(plane);
    const pv_options options = {.to = &pv_framework_image,
                                .copy = 0,
                                .has_stream = true,
                                .stream = lead->image.stream,
                                .stream_object = lead->stream_object};
    return pv_convert(st, plane, &options);
}

static int read_planes(pv_state *st, PyObject *x, const pv_video_source *source, PyObject **planes)
{
    for (int i = 0; i < source->count; i++) {
        PyObject *read =
            source->objects[i] ? read_object(st, source, i) : wrap_address(st, x, source, i);
        planes[i] = read && i > 0 ? on_stream_of(st, read, planes[0]) : Py_XNewRef(read);
        Py_XDECREF(read);
        if (!planes[i])
            return -1;
    }
    return 0;
}

// ---- the frame --------------------------------------------------------------------------------

// U and V that take turns in memory, and were given apart: one plane of both.
static int join_chroma(pv_state *st, const pixview_video_params *params, pixview_image *planes)
{
    const pixview_image *u = &planes[1], *v = &planes[2];
    int64_t item = pixview_dtype_size(u->dtype);
    bool swapped = params->format == PIXVIEW_VIDEO_FORMAT_NV21;
    const pixview_image *first = swapped ? v : u, *second = swapped ? u : v;
    pixview_image both = *first;
    if ((intptr_t)second->data - (intptr_t)first->data != item || u->strides[W] != 2 * item ||
        memcmp(u->shape, v->shape, sizeof u->shape) != 0 ||
        memcmp(u->strides, v->strides, sizeof u->strides) != 0 || u->shape[C] != 1 ||
        !pixview_dtype_equal(u->dtype, v->dtype)) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "3 planes, but %s has 2, and U and V do not take turns in memory: pass Y and UV, "
                  "or the planar format of the three",
                  pixview_video_format_name(params->format));
        return -1;
    }
    both.shape[C] = 2;
    both.strides[C] = item;
    planes[1] = both;
    return 0;
}

static int fail_surface(pv_state *st, const pixview_image *all, const pixviewi_video_row *row)
{
    const int64_t *shape = all->shape;
    const char *type = pixview_dtype_name(pixviewi_video_dtype(row));
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              "one array of all planes of %s is (%s, W) of %s with dense rows, but this one has "
              "N,H,W,C = %lld,%lld,%lld,%lld of %s; pass planes that are apart as a tuple",
              row->name,
              row->shift_y   ? "H * 3 / 2"
              : row->shift_x ? "H * 2"
                             : "H * 3",
              type, (long long)shape[0], (long long)shape[H], (long long)shape[W],
              (long long)shape[C], pixview_dtype_name(all->dtype));
    return -1;
}

// Rows of Y in an array that has all planes, one below the other; 0: it has no whole number of them.
static int64_t coded_rows(const pixviewi_video_row *row, int64_t rows)
{
    if (!row->shift_y)
        return rows % (row->shift_x ? 2 : 3) ? 0 : rows / (row->shift_x ? 2 : 3);
    int64_t luma = rows * 2 / 3; // and chroma rounded up
    return luma + (luma + 1) / 2 == rows ? luma : 0;
}

static int split_surface(pv_state *st, const pixview_image *all, const pixview_video_params *given,
                         pixview_video_frame *frame)
{
    pixview_video_params params = *given;
    const pixviewi_video_row *row = pixviewi_video_find(params.format);
    const int64_t *shape = all->shape;
    int64_t item = pixview_dtype_size(all->dtype), width = shape[W];
    int64_t rows = shape[H] < INT32_MAX ? coded_rows(row, shape[H]) : 0;
    if (rows < 1 || shape[0] != 1 || shape[C] != 1 || (width > 1 && all->strides[W] != item) ||
        !pixview_dtype_equal(all->dtype, pixviewi_video_dtype(row)))
        return fail_surface(st, all, row);
    if (!params.height) {
        params.height = rows;
        params.width = width;
    }
    const pixview_video_surface surface = {.struct_size = sizeof surface,
                                           .data = all->data,
                                           .pitch = all->strides[H],
                                           .coded_rows = rows,
                                           .nbytes =
                                               all->strides[H] * (shape[H] - 1) + width * item,
                                           .device = all->device,
                                           .flags = all->flags,
                                           .stream = all->stream,
                                           .owner = all->owner};
    if (params.width <= width &&
        !pixview_video_frame_init_surface(frame, &surface, &params, &st->error))
        return 0;
    if (params.width <= width)
        return pv_fail(st);
    pv_raisef(st, PIXVIEW_E_LAYOUT, "size=(%lld, %lld), but the array has %lld columns",
              (long long)params.height, (long long)params.width, (long long)width);
    return -1;
}

static int describe(pv_state *st, const pv_video_source *source, PyObject *const *images,
                    pixview_video_frame *frame)
{
    pixview_image planes[3];
    int count = source->count;
    assert(count > 0);
    for (int i = 0; i < count; i++)
        planes[i] = ((const pv_image *)images[i])->image;
    if (source->is_surface)
        return split_surface(st, &planes[0], &source->params, frame);
    if (count == 3 && pixviewi_video_plane_count(pixviewi_video_find(source->params.format)) == 2) {
        if (join_chroma(st, &source->params, planes))
            return -1;
        count = 2;
    }
    if (!pixview_video_frame_init(frame, planes, count, &source->params, &st->error))
        return 0;
    return pv_fail(st);
}

// ---- copies -----------------------------------------------------------------------------------

// The decoder writes the surface again on a stream that no event of ours can hold up.
static int finish(pv_state *st, const pixview_image *image)
{
    pixviewi_scope scope;
    pixview_status status = pixviewi_scope_enter(&scope, image->device.id, &st->error);
    int code = status ? 0 : scope.driver->stream_synchronize(pixviewi_stream_handle(image->stream));
    if (code)
        status = pixviewi_driver_fail(&st->error, scope.driver, code,
                                      "cannot wait for the copy of a frame");
    pixviewi_scope_leave(&scope);
    return status ? pv_fail(st) : 0;
}

static PyObject *copy_frame(pv_state *st, const pixview_video_frame *frame, PyObject *stream_object,
                            bool wait)
{
    const pixview_video_params params = {.struct_size = sizeof params,
                                         .format = frame->format,
                                         .matrix = frame->matrix,
                                         .range = frame->range,
                                         .order = frame->order,
                                         .chroma = frame->chroma,
                                         .height = frame->height,
                                         .width = frame->width};
    const pv_imported like = {.image = frame->planes[0],
                              .from = &pv_framework_video_frame,
                              .stream_object = stream_object};
    const pv_options options = {.to = &pv_framework_image};
    pv_allocation made = {.object = NULL};
    pixview_video_frame copy;
    PyObject *out = NULL;
    int rc = pv_video_allocate(st, &params, &like, &options, &made, &copy);
    for (int32_t i = 0; i < frame->plane_count && rc == 0; i++)
        rc = pv_copy_on_streams(st, &frame->planes[i], &copy.planes[i], copy.planes[i].stream,
                                false, NULL);
    if (rc == 0 && wait && !pixview_image_on_host(&copy.planes[0]))
        rc = finish(st, &copy.planes[0]);
    if (rc == 0)
        out = pv_video_export(st, &made, &copy);
    pv_allocation_clear(&made);
    return out;
}

// ---- entry ------------------------------------------------------------------------------------

PyObject *pv_video_make(pv_state *st, PyObject *x, const pv_video_source *source, bool copy)
{
    PyObject *planes[3] = {NULL, NULL, NULL}, *out = NULL;
    pixview_video_frame frame;
    if (check_facts(st, x, &source->params) == 0 && read_planes(st, x, source, planes) == 0 &&
        describe(st, source, planes, &frame) == 0) {
        assert(planes[0]);
        PyObject *stream_object = ((pv_image *)planes[0])->stream_object;
        out = copy ? copy_frame(st, &frame, stream_object, source->is_overwritten)
                   : pv_video_frame_new(st, &frame, stream_object);
    }
    for (int i = 0; i < 3; i++)
        Py_XDECREF(planes[i]);
    return out;
}
