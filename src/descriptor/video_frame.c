// SPDX-License-Identifier: Apache-2.0
// Frames: made of planes or of one surface, checked, cropped, counted.
#include <string.h>

#include "descriptor/image.h"
#include "descriptor/status.h"
#include "descriptor/video.h"

enum { N = PIXVIEW_AXIS_N, H = PIXVIEW_AXIS_H, W = PIXVIEW_AXIS_W, C = PIXVIEW_AXIS_C };

// ---- what a frame says of itself --------------------------------------------------------------

static pixview_status check_colour(const pixviewi_video_row *row, pixview_video_matrix matrix,
                                   pixview_video_range range, pixview_error *err)
{
    bool gray = row->planes == PIXVIEWI_VIDEO_GRAY && matrix == PIXVIEW_VIDEO_MATRIX_NONE;
    if (!gray && !pixview_video_matrix_name(matrix)[0])
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "matrix=%d: the %s frame does not say how its colours were made; pass "
                             "'bt601', 'bt709', 'bt2020', 'smpte240m' or 'opencv' (HD is mostly "
                             "bt709)",
                             (int)matrix, row->name);
    if (!pixview_video_range_name(range)[0])
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "range=%d: the %s frame does not say which values it uses; pass "
                             "'limited' (most video) or 'full'",
                             (int)range, row->name);
    if (matrix == PIXVIEW_VIDEO_MATRIX_OPENCV && range != PIXVIEW_VIDEO_RANGE_LIMITED)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "matrix 'opencv' with range 'full': cv2.cvtColor has limited range "
                             "only; pass 'limited', or matrix 'bt601'");
    return PIXVIEW_OK;
}

static pixview_status check_header(const pixview_video_frame *frame, pixview_error *err)
{
    const pixviewi_video_row *row = pixviewi_video_find(frame->format);
    if (!row)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "format=%d is no video format; pass one such as 'NV12' or 'P010' (a "
                             "released frame has none)",
                             (int)frame->format);
    if ((int)frame->order < 0 || frame->order > PIXVIEW_VIDEO_ORDER_BGR ||
        frame->chroma != PIXVIEW_VIDEO_CHROMA_NEAREST || frame->reserved != 0)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "order=%d is RGB (0) or BGR (1), chroma=%d is nearest (0), and "
                             "reserved=%u is 0",
                             (int)frame->order, (int)frame->chroma, (unsigned)frame->reserved);
    pixview_status status = check_colour(row, frame->matrix, frame->range, err);
    if (status != PIXVIEW_OK)
        return status;
    if (frame->plane_count != pixviewi_video_plane_count(row))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "%s has %d planes, but there are %d", row->name,
                             (int)pixviewi_video_plane_count(row), (int)frame->plane_count);
    if (frame->height < 1 || frame->width < 1 || frame->height > INT32_MAX ||
        frame->width > INT32_MAX)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "a frame of height %lld, width %lld; each must be 1 to 2^31 - 1",
                             (long long)frame->height, (long long)frame->width);
    return PIXVIEW_OK;
}

// ---- planes -----------------------------------------------------------------------------------

__attribute__((cold)) static pixview_status fail_plane_shape(const pixview_video_frame *frame,
                                                             int32_t plane, const int64_t want[3],
                                                             pixview_error *err)
{
    const int64_t *got = frame->planes[plane].shape;
    return pixviewi_fail(
        err, PIXVIEW_E_LAYOUT,
        "plane %d (%s) of %s has N,H,W,C = %lld,%lld,%lld,%lld, but a frame of height %lld, width "
        "%lld needs 1,%lld,%lld,%lld",
        (int)plane, pixviewi_video_plane_name(frame->format, plane),
        pixview_video_format_name(frame->format), (long long)got[N], (long long)got[H],
        (long long)got[W], (long long)got[C], (long long)frame->height, (long long)frame->width,
        (long long)want[0], (long long)want[1], (long long)want[2]);
}

// Groups of samples must not be cut by the pitch.
static pixview_status check_steps(const pixview_video_frame *frame, int32_t plane,
                                  pixview_error *err)
{
    const pixview_image *image = &frame->planes[plane];
    int64_t group = image->shape[C] * pixviewi_itemsize(image);
    const char *name = pixviewi_video_plane_name(frame->format, plane);
    if (image->shape[H] > 1 && image->strides[H] % group != 0)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "plane %d (%s) of %s has rows %lld bytes apart; that must be a "
                             "multiple of %lld: pass the decoder's pitch",
                             (int)plane, name, pixview_video_format_name(frame->format),
                             (long long)image->strides[H], (long long)group);
    if (image->shape[C] == 4 && image->shape[W] > 1 && image->strides[W] != 4 * image->strides[C])
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "plane %d (%s): groups are %lld bytes apart and samples %lld; a group "
                             "has 4 samples, so copy to dense rows",
                             (int)plane, name, (long long)image->strides[W],
                             (long long)image->strides[C]);
    return PIXVIEW_OK;
}

static pixview_status check_plane_place(const pixview_video_frame *frame, int32_t plane,
                                        pixview_error *err)
{
    const pixviewi_video_row *row = pixviewi_video_find(frame->format);
    const pixview_image *image = &frame->planes[plane], *first = &frame->planes[0];
    if (!pixview_dtype_equal(image->dtype, pixviewi_video_dtype(row)))
        return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                             "plane %d (%s) of %s is %s, but samples of %d bits are %s; pass a "
                             "view of that type, or the format that it is",
                             (int)plane, pixviewi_video_plane_name(frame->format, plane), row->name,
                             pixview_dtype_name(image->dtype), (int)row->bits,
                             pixview_dtype_name(pixviewi_video_dtype(row)));
    if (image->device.type != first->device.type || image->device.id != first->device.id)
        return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                             "plane %d (%s) is on device type %d, id %d, but plane 0 on type %d, "
                             "id %d; a frame lies on one device",
                             (int)plane, pixviewi_video_plane_name(frame->format, plane),
                             (int)image->device.type, (int)image->device.id,
                             (int)first->device.type, (int)first->device.id);
    return PIXVIEW_OK;
}

static pixview_status check_plane(const pixview_video_frame *frame, int32_t plane,
                                  pixview_error *err)
{
    int64_t want[3];
    const pixview_image *image = &frame->planes[plane];
    pixview_status status = pixview_image_validate(image, err);
    if (status || (status = check_plane_place(frame, plane, err)))
        return status;
    pixviewi_video_plane_shape(pixviewi_video_find(frame->format), plane, frame->height,
                               frame->width, want);
    if (image->shape[N] != 1 || memcmp(&image->shape[H], want, sizeof want) != 0)
        return fail_plane_shape(frame, plane, want, err);
    return check_steps(frame, plane, err);
}

pixview_status pixview_video_frame_validate(const pixview_video_frame *frame, pixview_error *err)
{
    if (!frame)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "frame is NULL");
    pixview_status status = check_header(frame, err);
    for (int32_t i = 0; i < frame->plane_count && status == PIXVIEW_OK; i++)
        status = check_plane(frame, i, err);
    return status;
}

// ---- made of planes ---------------------------------------------------------------------------

// Rows that are dense may be described with other axes: as the same samples with `want` for H, W and C.
static void regroup(pixview_image *image, const int64_t want[3])
{
    int64_t item = pixview_dtype_size(image->dtype), samples;
    const int64_t *shape = image->shape;
    bool dense = (shape[C] == 1 || image->strides[C] == item) &&
                 (shape[W] == 1 || image->strides[W] == shape[C] * item);
    if (shape[N] != 1 || shape[H] != want[0] || shape[C] == want[2] || !dense || item == 0 ||
        __builtin_mul_overflow(shape[W], shape[C], &samples) || samples != want[1] * want[2])
        return;
    image->shape[W] = want[1];
    image->shape[C] = want[2];
    image->strides[W] = want[2] * item;
    image->strides[C] = item;
}

// How many pixels the first plane has.
static void size_of_plane(const pixviewi_video_row *row, const pixview_image *image,
                          int64_t *height, int64_t *width)
{
    *height = image->shape[H];
    *width = image->shape[W];
    if (row->planes == PIXVIEWI_VIDEO_PACKED && // two samples a pixel
        __builtin_mul_overflow(image->shape[W], image->shape[C], width))
        *width = 0;
    else if (row->planes == PIXVIEWI_VIDEO_PACKED)
        *width /= 2;
}

static void set_header(pixview_video_frame *frame, const pixview_video_params *params)
{
    const pixviewi_video_row *row = pixviewi_video_find(params->format);
    frame->format = params->format;
    frame->matrix = params->matrix;
    frame->range = params->range;
    frame->order = params->order;
    frame->chroma = params->chroma;
    frame->bits = row ? row->bits : 0;
}

static pixview_status check_params(const pixview_video_params *params, pixview_error *err)
{
    if (params->struct_size != sizeof *params)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "params->struct_size=%zu, but this library's is %zu",
                             params->struct_size, sizeof *params);
    return PIXVIEW_OK;
}

// A frame of all that the planes have.
static pixview_status describe_planes(pixview_video_frame *frame, const pixview_image *planes,
                                      int32_t count, const pixview_video_params *params,
                                      pixview_error *err)
{
    const pixviewi_video_row *row = pixviewi_video_find(params->format);
    set_header(frame, params);
    frame->plane_count = count;
    frame->height = frame->width = 1; // what check_header would refuse is said of the planes
    pixview_status status = check_header(frame, err);
    for (int32_t i = 0; i < count && status == PIXVIEW_OK; i++) {
        int64_t want[3];
        frame->planes[i] = planes[i];
        if ((status = pixview_image_validate(&planes[i], err)))
            break;
        if (i == 0)
            size_of_plane(row, &planes[0], &frame->height, &frame->width);
        pixviewi_video_plane_shape(row, i, frame->height, frame->width, want);
        regroup(&frame->planes[i], want);
    }
    return status ? status : pixview_video_frame_validate(frame, err);
}

pixview_status pixview_video_frame_init(pixview_video_frame *out, const pixview_image *planes,
                                        int32_t count, const pixview_video_params *params,
                                        pixview_error *err)
{
    pixview_video_frame frame;
    memset(&frame, 0, sizeof frame);
    if (!out || !planes || !params)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "%s is NULL",
                             !out      ? "out"
                             : !planes ? "planes"
                                       : "params");
    pixview_status status = check_params(params, err);
    if (status || (status = describe_planes(&frame, planes, count, params, err)))
        return status;
    int64_t h = params->height ? params->height : frame.height;
    int64_t w = params->width ? params->width : frame.width;
    if (h < 1 || w < 1 || h > frame.height || w > frame.width)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "height=%lld, width=%lld: the planes have %lld rows and %lld columns "
                             "of pixels",
                             (long long)params->height, (long long)params->width,
                             (long long)frame.height, (long long)frame.width);
    return pixview_video_frame_crop(&frame, 0, 0, h, w, out, err);
}

// ---- made of one surface ----------------------------------------------------------------------

static pixview_status check_surface(const pixview_video_surface *surface,
                                    const pixview_video_params *params, pixview_error *err)
{
    const pixviewi_video_row *row = pixviewi_video_find(params->format);
    bool separate = row->planes == PIXVIEWI_VIDEO_PLANAR;
    if (surface->struct_size != sizeof *surface)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "surface->struct_size=%zu, but this library's is %zu",
                             surface->struct_size, sizeof *surface);
    if (surface->coded_rows && surface->coded_rows < params->height)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "coded_rows=%lld is less than the height %lld: it is the rows of Y "
                             "with those that do not show",
                             (long long)surface->coded_rows, (long long)params->height);
    if (surface->pitch < 1 || surface->coded_rows > INT32_MAX || surface->nbytes < 0)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "pitch=%lld, coded_rows=%lld, nbytes=%lld: a pitch is at least 1, "
                             "and coded_rows at most 2^31 - 1",
                             (long long)surface->pitch, (long long)surface->coded_rows,
                             (long long)surface->nbytes);
    if (separate && row->shift_x && surface->pitch % 2 != 0)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "pitch=%lld is odd, but the rows of U and V are half as far apart; "
                             "pass the planes one by one",
                             (long long)surface->pitch);
    return PIXVIEW_OK;
}

// One plane, `offset` bytes behind the beginning; *offset becomes that of the next.
static pixview_status add_plane(const pixview_video_surface *surface,
                                const pixview_video_params *params, int32_t plane, int64_t *offset,
                                pixview_image *out, pixview_error *err)
{
    const pixviewi_video_row *row = pixviewi_video_find(params->format);
    int64_t shape[3], coded[3], pitch = surface->pitch, size, after, end;
    pixviewi_video_plane_shape(row, plane, params->height, params->width, shape);
    pixviewi_video_plane_shape(row, plane,
                               surface->coded_rows ? surface->coded_rows : params->height,
                               params->width, coded);
    int64_t item = row->bits == 8 ? 1 : 2, dense = shape[1] * shape[2] * item;
    if (plane > 0 && __builtin_mul_overflow(pitch, shape[2], &pitch))
        pitch = INT64_MAX;
    pitch >>= plane > 0 ? row->shift_x : 0; // NV12: half of two
    const char *name = pixviewi_video_plane_name(params->format, plane);
    if (pitch < dense)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "pitch=%lld puts rows of plane %d (%s) %lld bytes apart, which have "
                             "%lld bytes",
                             (long long)surface->pitch, (int)plane, name, (long long)pitch,
                             (long long)dense);
    if (__builtin_mul_overflow(pitch, coded[0], &size) ||
        __builtin_add_overflow(*offset, size, &after) || after > INT64_MAX / 2)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "pitch=%lld leaves the address space",
                             (long long)surface->pitch);
    end = *offset + pitch * (shape[0] - 1) + dense;
    if (surface->nbytes && end > surface->nbytes)
        return pixviewi_fail(
            err, PIXVIEW_E_LAYOUT,
            "plane %d (%s) ends at byte %lld of a surface of %lld; check pitch=%lld "
            "and coded_rows=%lld",
            (int)plane, name, (long long)end, (long long)surface->nbytes, (long long)surface->pitch,
            (long long)surface->coded_rows);
    const int64_t strides[3] = {pitch, shape[2] * item, item};
    void *data = surface->data ? (void *)((uintptr_t)surface->data + (uintptr_t)*offset) : NULL;
    *offset = after;
    pixview_status status =
        pixview_image_init(out, data, 3, shape, strides, pixviewi_video_dtype(row), surface->device,
                           PIXVIEW_LAYOUT_HWC, err);
    if (status != PIXVIEW_OK)
        return status;
    out->flags = surface->flags;
    out->stream = surface->stream;
    out->owner = surface->owner;
    return PIXVIEW_OK;
}

pixview_status pixview_video_frame_init_surface(pixview_video_frame *out,
                                                const pixview_video_surface *surface,
                                                const pixview_video_params *params,
                                                pixview_error *err)
{
    pixview_video_frame frame;
    int64_t offset = 0;
    memset(&frame, 0, sizeof frame);
    if (!out || !surface || !params)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "%s is NULL",
                             !out       ? "out"
                             : !surface ? "surface"
                                        : "params");
    pixview_status status = check_params(params, err);
    if (status != PIXVIEW_OK)
        return status;
    set_header(&frame, params);
    frame.height = params->height;
    frame.width = params->width;
    const pixviewi_video_row *row = pixviewi_video_find(params->format);
    frame.plane_count = row ? pixviewi_video_plane_count(row) : 0;
    if ((status = check_header(&frame, err)) || (status = check_surface(surface, params, err)))
        return status;
    for (int32_t i = 0; i < frame.plane_count && status == PIXVIEW_OK; i++)
        status = add_plane(surface, params, i, &offset, &frame.planes[i], err);
    if (status || (status = pixview_video_frame_validate(&frame, err)))
        return status;
    *out = frame;
    return PIXVIEW_OK;
}

// ---- cropped ----------------------------------------------------------------------------------

static pixview_status check_crop(const pixview_video_frame *frame, int64_t y, int64_t x, int64_t h,
                                 int64_t w, pixview_error *err)
{
    const pixviewi_video_row *row = pixviewi_video_find(frame->format);
    if (y < 0 || x < 0 || h < 1 || w < 1 || y > frame->height - h || x > frame->width - w)
        return pixviewi_fail(
            err, PIXVIEW_E_LAYOUT,
            "the rectangle y=%lld x=%lld h=%lld w=%lld is empty, or leaves a frame "
            "of height %lld, width %lld",
            (long long)y, (long long)x, (long long)h, (long long)w, (long long)frame->height,
            (long long)frame->width);
    if ((y & row->shift_y) || (x & row->shift_x)) // a shift is 0 or 1
        return pixviewi_fail(
            err, PIXVIEW_E_LAYOUT,
            "a crop of %s at y=%lld, x=%lld begins inside a sample of plane %d (%s), which "
            "covers %d x %d pixels; pass %s, or a region (rois) of a stack",
            row->name, (long long)y, (long long)x, pixviewi_video_plane_count(row) > 1,
            pixviewi_video_plane_name(frame->format, pixviewi_video_plane_count(row) > 1),
            1 << row->shift_y, 1 << row->shift_x, row->shift_y ? "an even y and x" : "an even x");
    return PIXVIEW_OK;
}

pixview_status pixview_video_frame_crop(const pixview_video_frame *frame, int64_t y, int64_t x,
                                        int64_t h, int64_t w, pixview_video_frame *out,
                                        pixview_error *err)
{
    if (!out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "out is NULL");
    pixview_status status = pixview_video_frame_validate(frame, err);
    if (status || (status = check_crop(frame, y, x, h, w, err)))
        return status;
    const pixviewi_video_row *row = pixviewi_video_find(frame->format);
    pixview_video_frame cut = *frame;
    cut.height = h;
    cut.width = w;
    for (int32_t i = 0; i < frame->plane_count && status == PIXVIEW_OK; i++) {
        int64_t at[3], shape[3]; // y and x are whole groups
        pixviewi_video_plane_shape(row, i, y, x, at);
        pixviewi_video_plane_shape(row, i, h, w, shape);
        status = pixview_image_crop(&frame->planes[i], at[0], at[1], shape[0], shape[1],
                                    &cut.planes[i], err);
    }
    if (status == PIXVIEW_OK)
        *out = cut;
    return status;
}

// ---- counted ----------------------------------------------------------------------------------

void pixview_video_frame_retain(const pixview_video_frame *frame)
{
    for (int32_t i = 0; frame && i < frame->plane_count; i++)
        pixview_owner_ref(frame->planes[i].owner);
}

void pixview_video_frame_release(pixview_video_frame *frame)
{
    if (!frame)
        return;
    pixview_video_frame released = *frame;
    memset(frame, 0, sizeof *frame);
    for (int32_t i = 0; i < released.plane_count; i++)
        pixview_owner_unref(released.planes[i].owner);
}
