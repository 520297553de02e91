// SPDX-License-Identifier: Apache-2.0
// The pixels of frames: memory for them, RGB made of them, and them made of RGB.

#include "base/errors.h"
#include "base/plain_memory.h"
#include "convert/allocate.h"
#include "convert/copy.h"
#include "convert/video.h"
#include "copy/batch.h"
#include "copy/run.h"
#include "frameworks/imported.h"
#include "frameworks/stream_life.h"
#include "frameworks/table.h"

enum { N = PIXVIEW_AXIS_N, H = PIXVIEW_AXIS_H, W = PIXVIEW_AXIS_W, C = PIXVIEW_AXIS_C };

// ---- memory -----------------------------------------------------------------------------------

// BYTES of a row of the first plane, long enough for the others at the steps of pixview_video_surface.
static int64_t pitch_of(const pixviewi_video_row *row, int64_t width)
{
    int64_t item = row->bits == 8 ? 1 : 2, even = width + (width & row->shift_x);
    return row->planes == PIXVIEWI_VIDEO_PACKED ? 2 * even : even * item;
}

static int64_t bytes_of(const pixviewi_video_row *row, int64_t pitch, int64_t height, int64_t width)
{
    int64_t bytes = 0;
    for (int32_t i = 0; i < pixviewi_video_plane_count(row); i++) {
        int64_t shape[3];
        pixviewi_video_plane_shape(row, i, height, width, shape);
        bytes += shape[0] * (i == 0 ? pitch : pitch * shape[2] >> row->shift_x);
    }
    return bytes;
}

int pv_video_allocate(pv_state *st, const pixview_video_params *params, const pv_imported *like,
                      const pv_options *options, pv_allocation *made, pixview_video_frame *frame)
{
    const pixviewi_video_row *row = pixviewi_video_find(params->format);
    if (params->height < 1 || params->width < 1 || params->height > INT32_MAX ||
        params->width > INT32_MAX || params->height > (INT64_MAX >> 5) / params->width) {
        pv_raisef(
            st, PIXVIEW_E_LAYOUT,
            "a frame of %lld rows and %lld columns; at least 1 of each, and at most as many as "
            "64 bits of bytes hold",
            (long long)params->height, (long long)params->width);
        return -1;
    }
    int64_t pitch = pitch_of(row, params->width);
    const pv_plan plan = {.kind = PV_COPY, .layout = PIXVIEW_LAYOUT_HW};
    pv_imported all = *like;
    all.image.dtype = (pixview_dtype){PIXVIEW_DTYPE_UINT, 8, 1};
    all.image.shape[N] = all.image.shape[H] = all.image.shape[C] = 1;
    all.image.shape[W] = bytes_of(row, pitch, params->height, params->width);
    all.image.flags = 0;
    if (pv_allocate(st, options, &all, &plan, made))
        return -1;
    const pixview_video_surface surface = {.struct_size = sizeof surface,
                                           .data = made->image.data,
                                           .pitch = pitch,
                                           .nbytes = all.image.shape[W],
                                           .device = made->image.device,
                                           .stream = made->image.stream,
                                           .owner = made->image.owner};
    if (!pixview_video_frame_init_surface(frame, &surface, params, &st->error))
        return 0;
    return pv_fail(st);
}

PyObject *pv_video_export(pv_state *st, pv_allocation *made, pixview_video_frame *frame)
{
    if (pv_order_for_storing(st, &made->image, &made->stream_object))
        return NULL;
    for (int32_t i = 0; i < frame->plane_count; i++)
        frame->planes[i].stream = made->image.stream;
    return pv_video_frame_new(st, frame, made->stream_object);
}

// ---- from frames ------------------------------------------------------------------------------

static int check_destination(pv_state *st, const pixview_image *face, const pixview_image *to)
{
    const int64_t *a = to->shape, *b = face->shape;
    if (a[N] != 1 || a[H] != b[H] || a[W] != b[W] || a[C] != 3) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "dst has N,H,W,C = %lld,%lld,%lld,%lld, but the video frame is 1,%lld,%lld,3; "
                  "pixview.stack([frame], size=, fit=) resizes it",
                  (long long)a[N], (long long)a[H], (long long)a[W], (long long)a[C],
                  (long long)b[H], (long long)b[W]);
        return -1;
    }
    if (pixview_dtype_equal(to->dtype, face->dtype))
        return 0;
    pv_raisef(st, PIXVIEW_E_DTYPE,
              "dst is %s, but RGB of a video frame is uint8; pixview.stack([frame], dtype='%s') "
              "keeps all its bits",
              pixview_dtype_name(to->dtype), pixview_dtype_name(to->dtype));
    return -1;
}

typedef struct reading {
    const pixview_image *face, *to;
    const pixviewi_video *video;
} reading;

static pixview_status read_frame(const void *arg, pixview_stream stream, pixview_error *err)
{
    const reading *what = arg;
    pixview_convert_params params = {.struct_size = sizeof params, .stream = stream};
    pixviewi_copy_op op;
    pixview_status status =
        pixviewi_stack_op(what->face, what->video, 1, what->to, &params, "src", &op, err);
    return status || pixview_image_is_empty(what->to)
               ? status
               : pixviewi_run(&op, what->to->device, stream, err);
}

static int frame_on_streams(pv_state *st, const pv_imported *in, const pixview_image *to,
                            pixview_stream consumer, bool given, pixviewi_stream_relation *relation)
{
    const reading what = {&in->image, to, &in->video->video};
    return pv_work_on_streams(st, &in->image, to, consumer, given, relation, read_frame, &what);
}

// in->image becomes RGB in the memory that the frame is in.
static int make_rgb(pv_state *st, pv_imported *in)
{
    pixview_image rgb;
    pixview_device device = in->image.device;
    if (pixview_image_on_host(&in->image))
        device = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
    if (pv_allocate_plain(st, &in->image, PIXVIEW_LAYOUT_NHWC, device,
                          pv_stream_stored(in->image.stream, in->stream_object), in->stream_object,
                          &rgb))
        return -1;
    int rc = frame_on_streams(st, in, &rgb, rgb.stream, false, NULL);
    if (rc == 0) {
        pixview_image face = in->image;
        in->image = rgb;
        in->video = NULL;
        rgb = face;
    }
    pixview_owner_unref(rgb.owner);
    return rc;
}

int pv_copy_imported(pv_state *st, pv_imported *in, const pv_options *options,
                     const pixview_image *to, pixview_stream consumer,
                     pixviewi_stream_relation *relation)
{
    if (in->video && check_destination(st, &in->image, to))
        return -1;
    if (in->video && pixview_image_on_host(&in->image) != pixview_image_on_host(to) &&
        make_rgb(st, in))
        return -1;
    if (in->video)
        return frame_on_streams(st, in, to, consumer, options->has_stream, relation);
    return pv_hold_pinned_source(st, in, to) ||
                   pv_copy_on_streams(st, &in->image, to, consumer, options->has_stream, relation)
               ? -1
               : 0;
}

// ---- to frames --------------------------------------------------------------------------------

typedef struct writing_at {
    const pv_video_writing *what;
    pixview_convert_params params;
} writing_at;

static pixview_status write_frames(const void *arg, pixview_stream stream, pixview_error *err)
{
    const writing_at *at = arg;
    pixview_convert_params params = at->params;
    params.stream = stream;
    return pixview_video_from_images(at->what->src, at->what->frames, at->what->count, &params,
                                     at->what->siting, err);
}

// The work is ordered with the stream of the first frame. `back`: the others wait for it; else it for them.
static int order_others(pv_state *st, const pv_video_writing *writing, bool given, bool back)
{
    const pixview_image *first = &writing->frames[0].planes[0];
    for (int64_t i = 1; i < writing->count && !pixview_image_on_host(first); i++) {
        pixview_stream work = first->stream, other = writing->frames[i].planes[0].stream;
        pixviewi_stream_relation relation;
        if (work == PIXVIEW_STREAM_NONE)
            work = PIXVIEW_STREAM_LEGACY;
        if (pv_stream_relate(st, first->device, back ? work : other, back ? other : work, given,
                             &relation) ||
            pv_stream_wait(st, first->device, back ? work : other, back ? other : work, &relation))
            return -1;
    }
    return 0;
}

int pv_video_write(pv_state *st, const pv_video_writing *writing, pixview_stream consumer,
                   bool given, pixviewi_stream_relation *relation)
{
    writing_at at = {writing, {.struct_size = sizeof at.params}};
    if (writing->params)
        at.params = *writing->params;
    return order_others(st, writing, given, false) ||
                   pv_work_on_streams(st, writing->src, &writing->frames[0].planes[0], consumer,
                                      given, relation, write_frames, &at) ||
                   order_others(st, writing, given, true)
               ? -1
               : 0;
}

int pv_video_count_write(pv_state *st, PyObject *frame)
{
    PyObject *plane;
    int rc = 0;
    for (Py_ssize_t i = 0; rc == 0 && (plane = pv_video_frame_plane(frame, i)); i++) {
        pv_imported dst;
        pv_imported_begin(&dst, plane);
        rc = pv_count_write(st, &dst);
    }
    return rc;
}
