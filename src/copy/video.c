// SPDX-License-Identifier: Apache-2.0
// The inner form of frames, and what a list that contains some is checked for.
#include "copy/video.h"

#include "descriptor/image.h"
#include "descriptor/overlap.h"
#include "descriptor/status.h"
#include "descriptor/video.h"

enum { H = PIXVIEW_AXIS_H, W = PIXVIEW_AXIS_W, C = PIXVIEW_AXIS_C };

// ---- samples ----------------------------------------------------------------------------------

// One channel of a plane.
static pixviewi_component component(const pixview_image *plane, int channel, int64_t step)
{
    return (pixviewi_component){(char *)plane->data + channel * plane->strides[C],
                                plane->strides[H], step};
}

static void set_packed(const pixview_video_frame *frame, pixviewi_samples *out)
{
    const pixview_image *plane = &frame->planes[0];
    int64_t one = plane->strides[C];
    bool y_first = frame->format == PIXVIEW_VIDEO_FORMAT_YUYV;
    out->of[PIXVIEWI_Y] = component(plane, y_first ? 0 : 1, 2 * one);
    out->of[PIXVIEWI_U] = component(plane, y_first ? 1 : 0, 4 * one);
    out->of[PIXVIEWI_V] = component(plane, y_first ? 3 : 2, 4 * one);
}

static void set_samples(const pixview_video_frame *frame, pixviewi_samples *out)
{
    const pixviewi_video_row *row = pixviewi_video_find(frame->format);
    const pixview_image *planes = frame->planes;
    *out = (pixviewi_samples){.shift_x = row->shift_x,
                              .shift_y = row->shift_y,
                              .bytes = row->bits == 8 ? 1 : 2,
                              .down = row->down,
                              .most = (1 << row->bits) - 1,
                              .has_chroma = row->planes != PIXVIEWI_VIDEO_GRAY};
    if (row->planes == PIXVIEWI_VIDEO_PACKED) {
        set_packed(frame, out);
        return;
    }
    bool pairs = row->planes == PIXVIEWI_VIDEO_PAIRS,
         v_first = frame->format == PIXVIEW_VIDEO_FORMAT_NV21;
    for (int i = 0; i < 3; i++) {
        const pixview_image *plane = &planes[!out->has_chroma ? 0 : pairs && i == 2 ? 1 : i];
        int channel = pairs && i > 0 ? (i == 2) != v_first : 0;
        out->of[i] = component(plane, channel, plane->strides[W]);
    }
}

static pixview_image face_of(const pixview_video_frame *frame, const pixviewi_samples *samples)
{
    const pixview_image *first = &frame->planes[0];
    pixview_image face = *first;
    face.data = samples->of[PIXVIEWI_Y].data;
    face.dtype = (pixview_dtype){PIXVIEW_DTYPE_UINT, 8, 1};
    face.shape[H] = frame->height;
    face.shape[W] = frame->width;
    face.shape[C] = 3;
    face.strides[W] = samples->of[PIXVIEWI_Y].step;
    face.strides[C] = 0;
    return face;
}

void pixviewi_video_read(const pixview_video_frame *frame, pixview_image *face, pixviewi_video *out)
{
    set_samples(frame, &out->samples);
    out->colour = pixviewi_colour_of(frame);
    *face = face_of(frame, &out->samples);
}

void pixviewi_video_write(const pixview_video_frame *frame, pixview_video_siting siting,
                          pixview_image *face, pixviewi_video_target *out)
{
    set_samples(frame, &out->samples);
    pixviewi_weights_of(frame, out->weights);
    out->on_column = siting != PIXVIEW_VIDEO_SITING_CENTER;
    out->on_row = siting == PIXVIEW_VIDEO_SITING_TOP_LEFT;
    *face = face_of(frame, &out->samples);
}

void pixviewi_video_move(pixviewi_samples *s, int64_t y, int64_t x)
{
    if (s->bytes == 0) // an image among the frames: its address is the face's
        return;
    for (int i = 0; i < 3; i++)
        s->of[i].data = pixviewi_sample_at(s, i, y, x);
    s->phase_y = (int32_t)((y + s->phase_y) & ((1 << s->shift_y) - 1));
    s->phase_x = (int32_t)((x + s->phase_x) & ((1 << s->shift_x) - 1));
}

// ---- checks -----------------------------------------------------------------------------------

// Y, U or V of what shows of the frame, as an image.
static pixview_image image_of(const pixview_image *face, const pixviewi_samples *s, int part)
{
    pixview_image image = *face;
    image.data = s->of[part].data;
    image.dtype.bits = (uint8_t)(8 * s->bytes);
    image.strides[H] = s->of[part].row_step;
    image.strides[W] = s->of[part].step;
    image.shape[C] = 1;
    if (part != PIXVIEWI_Y) {
        image.shape[H] = ((face->shape[H] - 1 + s->phase_y) >> s->shift_y) + 1;
        image.shape[W] = ((face->shape[W] - 1 + s->phase_x) >> s->shift_x) + 1;
    }
    return image;
}

static bool shares_memory(const pixview_image *face, const pixviewi_samples *s,
                          const pixview_image *other)
{
    pixviewi_range whole = pixviewi_image_range(other);
    for (int part = 0; part < 3; part++) {
        pixview_image image = image_of(face, s, part);
        if (pixviewi_ranges_meet(pixviewi_image_range(&image), whole) &&
            pixview_image_overlaps(&image, other))
            return true;
    }
    return false;
}

// Kernels count the steps between samples in 32 bits. Of an image among the frames its face has them.
static pixview_status check_steps(const pixview_image *face, const pixviewi_samples *s, int64_t i,
                                  const char *name, pixview_error *err)
{
    for (int part = 0; part < 3; part++) {
        int64_t step = s->bytes ? s->of[part].step : face->strides[W];
        if (step < INT32_MIN || step > INT32_MAX)
            return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                                 "%s[%lld]: columns are %lld bytes apart, and a GPU takes frames "
                                 "of less than 2^31; copy the planes",
                                 name, (long long)i, (long long)step);
    }
    return PIXVIEW_OK;
}

// What kernels do not do.
static pixview_status check_for_gpu(const pixview_image *faces, const pixviewi_video *videos,
                                    int64_t count, const char *name, pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    for (int64_t i = 0; i < count && status == PIXVIEW_OK; i++)
        status = check_steps(&faces[i], &videos[i].samples, i, name, err);
    return status;
}

pixview_status pixviewi_check_videos(const pixview_image *faces, const pixviewi_video *videos,
                                     int64_t count, const pixview_image *dst,
                                     const pixview_convert_params *params, const char *name,
                                     pixview_error *err)
{
    const pixview_geometry *geometry = params->geometry;
    bool pillow = geometry && geometry->interpolation >= PIXVIEW_INTERPOLATION_PIL_BILINEAR;
    for (int64_t i = 0; i < count; i++) {
        if (!videos[i].samples.bytes)
            continue;
        if (pillow && videos[i].colour.deep)
            return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                                 "%s[%lld] is a video frame of more than 8 bits, and Pillow's "
                                 "filters are for 8 bits; use interpolation 'linear' or 'area'",
                                 name, (long long)i);
        if (shares_memory(&faces[i], &videos[i].samples, dst))
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "a plane of %s[%lld] and the batch share memory; use memory of "
                                 "its own",
                                 name, (long long)i);
    }
    return pixviewi_on_device(dst->device) ? check_for_gpu(faces, videos, count, name, err)
                                           : PIXVIEW_OK;
}
