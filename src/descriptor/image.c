// SPDX-License-Identifier: Apache-2.0
// The descriptor: made, checked, cropped, asked.
//
// Every image that pixview_image_init or _crop made is normalized: its extents are >= 0, its byte
// range fits the address space, and the strides of axes of extent 1 (of all axes when the image is
// empty) are those of a packed NHWC image, so that later checks need no special case for them.
// pixview_image_init and _check_interleaved are on the path of every view: no printf on success.
#include "descriptor/axes.h"
#include "descriptor/base.h"

#include "descriptor/image_init.h"
#include <assert.h>
#include <string.h>

enum { N = PIXVIEW_AXIS_N, H = PIXVIEW_AXIS_H, W = PIXVIEW_AXIS_W, C = PIXVIEW_AXIS_C };

bool pixview_image_is_empty(const pixview_image *image)
{
    const int64_t *shape = image->shape; // one branch
    return (shape[N] == 0) | (shape[H] == 0) | (shape[W] == 0) | (shape[C] == 0);
}

bool pixview_image_on_host(const pixview_image *image)
{
    return image->device.type == PIXVIEW_DEVICE_CPU ||
           image->device.type == PIXVIEW_DEVICE_CUDA_HOST;
}

int64_t pixview_image_nbytes(const pixview_image *image)
{
    return image->shape[N] * image->shape[H] * image->shape[W] * image->shape[C] *
           pixview_dtype_size(image->dtype);
}

// ---- Normalizing ---------------------------------------------------------------------------------

// Where canonical axis `axis` stands in the caller's arrays.
static int position_of(const pixviewi_axes *axes, int axis)
{
    for (int i = 0; i < axes->rank; i++)
        if (axes->axis[i] == axis)
            return i;
    return -1;
}

__attribute__((cold)) static pixview_status fail_negative(const pixview_image *image,
                                                          const pixviewi_axes *axes,
                                                          pixview_error *err)
{
    int axis = 0;
    while (axis < C && image->shape[axis] >= 0)
        axis++;
    return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "shape[%d]=%lld is negative",
                         position_of(axes, axis), (long long)image->shape[axis]);
}

__attribute__((cold)) static pixview_status fail_extent(const pixview_image *image,
                                                        pixview_error *err)
{
    const int64_t *shape = image->shape, *strides = image->strides;
    return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                         "shape (N,H,W,C) %lld,%lld,%lld,%lld with strides %lld,%lld,%lld,%lld "
                         "from address %p leaves the address space",
                         (long long)shape[N], (long long)shape[H], (long long)shape[W],
                         (long long)shape[C], (long long)strides[N], (long long)strides[H],
                         (long long)strides[W], (long long)strides[C], image->data);
}

__attribute__((cold)) static pixview_status fail_alignment(const pixview_image *image,
                                                           const pixviewi_axes *axes,
                                                           int64_t alignment, pixview_error *err)
{
    for (int axis = 0; axis < 4; axis++)
        if (image->strides[axis] % alignment != 0)
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "strides[%d]=%lld is not a multiple of the alignment %lld of %s; "
                                 "copy the data to packed memory, or view it as bytes",
                                 position_of(axes, axis), (long long)image->strides[axis],
                                 (long long)alignment, pixview_dtype_name(image->dtype));
    return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                         "data=%p is not a multiple of the alignment %lld of %s; copy the data to "
                         "aligned memory, or view it as bytes",
                         image->data, (long long)alignment, pixview_dtype_name(image->dtype));
}

// Strides of a packed image in the order `axes`; false if they leave int64. Axes of extent 0 count
// as 1, so that the strides of an empty image mean something too.
static inline bool pack(const int64_t *shape, const uint8_t *order, int rank, int64_t itemsize,
                        int64_t *strides)
{
    bool overflow = false;
    int64_t step = itemsize;
    for (int i = rank - 1; i >= 0; i--) {
        int axis = order[i];
        strides[axis] = step;
        overflow |= __builtin_mul_overflow(step, shape[axis] > 1 ? shape[axis] : 1, &step);
    }
    return !overflow;
}

// Lowest and one past the highest byte, relative to data. False when they, or the bytes between them,
// leave int64: no object is that large, and whoever adds up or negates strides relies on it.
static inline bool byte_range(const pixview_image *image, int64_t itemsize, int64_t *low,
                              int64_t *high)
{
    bool overflow = false;
    *low = 0;
    *high = itemsize;
    for (int axis = 0; axis < 4; axis++) {
        int64_t reach;
        overflow |= __builtin_mul_overflow(image->shape[axis] - 1, image->strides[axis], &reach);
        overflow |= __builtin_add_overflow(*low, reach < 0 ? reach : 0, low);
        overflow |= __builtin_add_overflow(*high, reach > 0 ? reach : 0, high);
    }
    int64_t span;
    return !overflow && !__builtin_sub_overflow(*high, *low, &span);
}

static inline bool range_fits(uintptr_t data, int64_t low, int64_t high)
{
    uintptr_t end;
    return data >= (uintptr_t)0 - (uintptr_t)low &&
           !__builtin_add_overflow(data, (uintptr_t)high, &end);
}

static bool is_aligned(const pixview_image *image, int64_t itemsize)
{
    int64_t bits = (int64_t)(uintptr_t)image->data;
    for (int axis = 0; axis < 4; axis++)
        bits |= image->strides[axis];
    return (bits & (pixviewi_alignment(itemsize) - 1)) == 0;
}

// Checks everything but the alignment and rewrites the strides that mean nothing. `axes` is the order in
// which the caller knows the axes, for messages.
__attribute__((noinline)) static pixview_status normalize_unaligned(pixview_image *image,
                                                                    int64_t itemsize,
                                                                    const pixviewi_axes *axes,
                                                                    pixview_error *err)
{
    static const uint8_t canonical[4] = {N, H, W, C};
    assert(itemsize > 0 && (itemsize & (itemsize - 1)) == 0);
    const int64_t *shape = image->shape;
    if ((shape[N] | shape[H] | shape[W] | shape[C]) < 0)
        return fail_negative(image, axes, err);
    int64_t packed[4];
    if (!pack(shape, canonical, 4, itemsize, packed))
        return fail_extent(image, err);

    bool empty = pixview_image_is_empty(image);
    for (int axis = 0; axis < 4; axis++)
        if (shape[axis] == 1 || empty)
            image->strides[axis] = packed[axis];
    if (empty)
        return PIXVIEW_OK;

    int64_t low, high;
    if (!image->data)
        return pixviewi_fail(
            err, PIXVIEW_E_LAYOUT, "data is NULL, but the image has %lldx%lldx%lldx%lld elements",
            (long long)shape[N], (long long)shape[H], (long long)shape[W], (long long)shape[C]);
    if (!byte_range(image, itemsize, &low, &high) || !range_fits((uintptr_t)image->data, low, high))
        return fail_extent(image, err);
    return PIXVIEW_OK;
}

static pixview_status check_aligned(const pixview_image *image, int64_t itemsize,
                                    const pixviewi_axes *axes, pixview_error *err)
{
    return pixview_image_is_empty(image) || is_aligned(image, itemsize)
               ? PIXVIEW_OK
               : fail_alignment(image, axes, pixviewi_alignment(itemsize), err);
}

static pixview_status normalize(pixview_image *image, int64_t itemsize, const pixviewi_axes *axes,
                                pixview_error *err)
{
    pixview_status status = normalize_unaligned(image, itemsize, axes, err);
    return status == PIXVIEW_OK ? check_aligned(image, itemsize, axes, err) : status;
}

pixview_status pixviewi_image_check_aligned(const pixview_image *image, pixview_layout layout,
                                            pixview_error *err)
{
    return check_aligned(image, pixview_dtype_size(image->dtype), &pixviewi_layouts[layout], err);
}

__attribute__((cold)) static pixview_status fail_dtype(pixview_dtype dtype, pixview_error *err)
{
    return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                         "dtype code %d, %d bits, %d lanes is none of bool, (u)int8 to 64, "
                         "float16 to 64, bfloat16, complex64 and 128 with one lane",
                         dtype.code, dtype.bits, dtype.lanes);
}

pixview_status pixviewi_image_init_unaligned(pixview_image *out, void *data, int ndim,
                                             const int64_t *shape, const int64_t *strides,
                                             pixview_dtype dtype, pixview_device device,
                                             pixview_layout layout, pixview_error *err)
{
    const pixviewi_axes *axes = pixviewi_layout_axes(layout);
    if (!axes)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "layout is none of HW, CHW, HWC, NCHW, NHWC");
    if (ndim != axes->rank)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "rank %d, but layout %s has %d axes", ndim,
                             axes->name, axes->rank);
    int64_t itemsize = pixview_dtype_size(dtype);
    if (itemsize == 0)
        return fail_dtype(dtype, err);
    pixview_image image = {
        .data = data, .dtype = dtype, .device = device, .stream = PIXVIEW_STREAM_LEGACY};
    pixviewi_canonical_axes(layout, shape, strides ? strides : shape, image.shape, image.strides);
    if (!strides && !pack(image.shape, axes->axis, ndim, itemsize, image.strides))
        return fail_extent(&image, err);
    pixview_status status = normalize_unaligned(&image, itemsize, axes, err);
    if (status == PIXVIEW_OK)
        *out = image;
    return status;
}

pixview_status pixviewi_image_init_general(pixview_image *out, void *data, int ndim,
                                           const int64_t *shape, const int64_t *strides,
                                           pixview_dtype dtype, pixview_device device,
                                           pixview_layout layout, pixview_error *err)
{
    pixview_image image;
    pixview_status status = pixviewi_image_init_unaligned(&image, data, ndim, shape, strides, dtype,
                                                          device, layout, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_image_check_aligned(&image, layout, err);
    if (status == PIXVIEW_OK)
        *out = image;
    return status;
}

pixview_status pixview_image_init(pixview_image *out, void *data, int ndim, const int64_t *shape,
                                  const int64_t *strides, pixview_dtype dtype,
                                  pixview_device device, pixview_layout layout, pixview_error *err)
{
    if (!out || !shape)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "%s is NULL", out ? "shape" : "out");
    if (ndim != pixview_layout_rank(layout)) // which reports it
        return pixviewi_image_init_general(out, data, ndim, shape, strides, dtype, device, layout,
                                           err);
    return pixviewi_image_init(out, data, ndim, shape, strides, dtype, pixview_dtype_size(dtype),
                               device, layout, err);
}

pixview_status pixview_image_validate(const pixview_image *image, pixview_error *err)
{
    if (!image)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "image is NULL");
    if (image->reserved != 0 || (image->flags & ~(uint32_t)PIXVIEW_FLAG_READ_ONLY))
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "reserved=%llu or flags=%u has unknown bits; initialise images with "
                             "pixview_image_init",
                             (unsigned long long)image->reserved, (unsigned)image->flags);
    int64_t itemsize = pixview_dtype_size(image->dtype);
    if (itemsize == 0)
        return fail_dtype(image->dtype, err);
    pixview_image copy = *image;
    return normalize(&copy, itemsize, &pixviewi_layouts[PIXVIEW_LAYOUT_NHWC], err);
}

pixview_status pixview_image_crop(const pixview_image *image, int64_t y, int64_t x, int64_t h,
                                  int64_t w, pixview_image *out, pixview_error *err)
{
    if (!image || !out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "image or out is NULL");
    // Subtractions, because y + h may leave int64.
    if (y < 0 || x < 0 || h < 0 || w < 0 || h > image->shape[H] || w > image->shape[W] ||
        y > image->shape[H] - h || x > image->shape[W] - w)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "crop y=%lld x=%lld h=%lld w=%lld is not inside the image of %lld "
                             "rows and %lld columns",
                             (long long)y, (long long)x, (long long)h, (long long)w,
                             (long long)image->shape[H], (long long)image->shape[W]);
    int64_t itemsize = pixview_dtype_size(image->dtype);
    if (itemsize == 0)
        return fail_dtype(image->dtype, err);
    const int64_t shape[4] = {image->shape[N], h, w, image->shape[C]};
    char *data = image->data;
    // A row or column that is not there has no address.
    if (shape[N] && h && w && shape[C])
        data += y * image->strides[H] + x * image->strides[W];
    const uint32_t flags = image->flags; // *out may be *image
    const pixview_stream stream = image->stream;
    pixview_owner *owner = image->owner;
    const uint64_t reserved = image->reserved;
    if (pixviewi_init_common(out, data, shape, image->strides, image->dtype, itemsize,
                             image->device, PIXVIEW_LAYOUT_NHWC)) {
        out->flags = flags;
        out->stream = stream;
        out->owner = owner;
        out->reserved = reserved;
        return PIXVIEW_OK;
    }
    pixview_image crop = *image;
    crop.data = data;
    memcpy(crop.shape, shape, sizeof shape);
    pixview_status status = normalize(&crop, itemsize, &pixviewi_layouts[PIXVIEW_LAYOUT_NHWC], err);
    if (status == PIXVIEW_OK)
        *out = crop;
    return status;
}

// ---- Questions --------------------------------------------------------------------------------

__attribute__((cold)) static pixview_status fail_interleaved(const pixview_image *image,
                                                             int64_t itemsize, pixview_error *err)
{
    const int64_t *shape = image->shape, *strides = image->strides;
    if (itemsize == 0)
        return fail_dtype(image->dtype, err);
    if (shape[N] != 1)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "the batch has %lld images, but one is needed; pass them one by one",
                             (long long)shape[N]);
    if (shape[C] == 0)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "the image has no channels; 1 is the least");
    if (shape[C] > 1 && strides[C] != itemsize)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "channel stride %lld is not the itemsize %lld: the channels are not "
                             "interleaved; copy to HWC",
                             (long long)strides[C], (long long)itemsize);
    if (shape[W] > 1 && strides[W] != shape[C] * itemsize)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "pixel stride %lld is not channels x itemsize = %lld: the rows are "
                             "not dense; copy to HWC",
                             (long long)strides[W], (long long)(shape[C] * itemsize));
    if (shape[H] > 1 && strides[H] < shape[W] * shape[C] * itemsize)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "row stride %lld is less than the row's %lld bytes; copy the image",
                             (long long)strides[H], (long long)(shape[W] * shape[C] * itemsize));
    return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                         "row stride %lld or data %p is not a multiple of the itemsize %lld; copy "
                         "the image",
                         (long long)strides[H], image->data, (long long)itemsize);
}

PIXVIEWI_HOT pixview_status pixview_image_check_interleaved(const pixview_image *image,
                                                            pixview_error *err)
{
    if (!image)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "image is NULL");
    const int64_t *shape = image->shape, *strides = image->strides;
    int64_t itemsize = pixview_dtype_size(image->dtype);
    bool one = shape[N] == 1 && shape[C] > 0 && itemsize > 0;
    if (one) {
        if (shape[H] == 0 || shape[W] == 0)
            return PIXVIEW_OK;
        int64_t pixel = shape[C] * itemsize;
        int64_t bits = (int64_t)(uintptr_t)image->data | (shape[H] > 1 ? strides[H] : 0);
        if ((shape[C] == 1 || strides[C] == itemsize) && (shape[W] == 1 || strides[W] == pixel) &&
            (shape[H] == 1 || strides[H] >= shape[W] * pixel) && (bits & (itemsize - 1)) == 0)
            return PIXVIEW_OK;
    }
    return fail_interleaved(image, itemsize, err);
}

bool pixview_image_is_packed(const pixview_image *image, pixview_layout layout)
{
    const pixviewi_axes *axes = pixviewi_layout_axes(layout);
    if (!axes)
        return false;
    for (int i = 0; i < 4 - axes->rank; i++)
        if (image->shape[axes->absent[i]] != 1)
            return false;
    if (pixview_image_is_empty(image))
        return true;
    int64_t step = pixview_dtype_size(image->dtype);
    for (int i = axes->rank - 1; i >= 0; i--) {
        int axis = axes->axis[i];
        if (image->shape[axis] > 1 && image->strides[axis] != step)
            return false;
        step *= image->shape[axis];
    }
    return true;
}
