// SPDX-License-Identifier: Apache-2.0
// A raw pointer with any numbers: pixview_image_init accepts exactly what arithmetic without limits accepts,
// and all that asks an accepted image stays within int64.
#include "fuzz.h"

typedef __int128 wide;

typedef struct numbers {
    uintptr_t address;
    int ndim;
    int64_t shape[4], strides[4];
    bool has_strides;
    pixview_dtype dtype;
    pixview_layout layout;
} numbers;

static numbers take_numbers(fuzz_input *in)
{
    numbers n = {.layout = take_layout(in)};
    uint8_t flags = take_byte(in);
    n.ndim = pixview_layout_rank(n.layout) + (flags % 64 == 1 ? 1 : flags % 64 == 2 ? -1 : 0);
    if (flags % 64 == 3)
        n.layout = (pixview_layout)take_number(in);
    n.has_strides = flags & 128;
    n.dtype = take_dtype(in);
    n.address = (uintptr_t)take_number(in);
    for (int i = 0; i < 4; i++) {
        n.shape[i] = take_number(in);
        n.strides[i] = take_number(in);
    }
    return n;
}

static bool fits(wide value) { return value >= INT64_MIN && value <= INT64_MAX; }

// The header's rules.
static bool is_allowed(const numbers *n)
{
    wide size = pixview_dtype_size(n->dtype), count = 1, low = 0, high = size, step = size;
    int rank = pixview_layout_rank(n->layout);
    bool empty = false, aligned;
    if (rank == 0 || n->ndim != rank || size == 0)
        return false;
    for (int i = 0; i < rank; i++) {
        if (n->shape[i] < 0)
            return false;
        count *= n->shape[i] > 1 ? n->shape[i] : 1; // below 2^126: checked at each step
        if (!fits(count * size))
            return false;
        empty |= n->shape[i] == 0;
    }
    if (empty)
        return true;
    int64_t alignment = size > 8 ? 8 : (int64_t)size;
    aligned = n->address % (uintptr_t)alignment == 0;
    for (int i = rank - 1; i >= 0; i--) {
        wide stride = n->has_strides ? n->strides[i] : step;
        step *= n->shape[i];
        if (n->shape[i] == 1)
            continue;
        *(stride < 0 ? &low : &high) += (n->shape[i] - 1) * stride;
        aligned &= stride % alignment == 0;
    }
    return aligned && n->address && fits(high) && fits(low) && fits(high - low) &&
           (wide)n->address + low >= 0 && (wide)n->address + high <= UINTPTR_MAX;
}

static void check_axes(const pixview_image *image)
{
    for (int i = PIXVIEW_LAYOUT_HW; i <= PIXVIEW_LAYOUT_NHWC; i++) {
        pixview_layout layout = (pixview_layout)i;
        pixview_error error;
        pixview_image again;
        int ndim;
        int64_t shape[4], strides[4];
        pixview_status status = pixview_image_axes(image, layout, &ndim, shape, strides, &error);
        if (status != PIXVIEW_OK) {
            require_failed(status, &error);
            REQUIRE(!pixview_image_is_packed(image, layout));
            continue;
        }
        REQUIRE_OK(pixview_image_init(&again, image->data, ndim, shape, strides, image->dtype,
                                      image->device, layout, err));
        REQUIRE(memcmp(again.shape, image->shape, sizeof again.shape) == 0);
        for (int axis = 0; axis < 4; axis++)
            REQUIRE(image->shape[axis] <= 1 || pixview_image_is_empty(image) ||
                    again.strides[axis] == image->strides[axis]);
        REQUIRE_INT(pixview_image_is_packed(&again, layout),
                    pixview_image_is_packed(image, layout));
        struct DLManagedTensorVersioned *tensor;
        status = pixview_image_to_dlpack(image, layout, &tensor, &error);
        if (status == PIXVIEW_OK)
            tensor->deleter(tensor);
        else
            require_failed(status, &error);
    }
}

static void check_crop(const pixview_image *image, fuzz_input *in)
{
    int64_t y = take_number(in), x = take_number(in), h = take_number(in), w = take_number(in);
    int64_t rows = image->shape[PIXVIEW_AXIS_H], columns = image->shape[PIXVIEW_AXIS_W];
    bool inside =
        y >= 0 && x >= 0 && h >= 0 && w >= 0 && (wide)y + h <= rows && (wide)x + w <= columns;
    pixview_image crop;
    pixview_error error;
    pixview_status status = pixview_image_crop(image, y, x, h, w, &crop, &error);
    REQUIRE_INT(status == PIXVIEW_OK, inside);
    if (status != PIXVIEW_OK) {
        require_failed(status, &error);
        return;
    }
    REQUIRE_OK(pixview_image_validate(&crop, err));
    REQUIRE_INT(crop.shape[PIXVIEW_AXIS_H], h);
    REQUIRE_INT(pixview_image_overlaps(&crop, image), !pixview_image_is_empty(&crop));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, data + size};
    pixview_image image[2];
    pixview_error error;
    for (int i = 0; i < 2; i++) {
        numbers n = take_numbers(&in);
        pixview_status status =
            pixview_image_init(&image[i], (void *)n.address, n.ndim, n.shape,
                               n.has_strides ? n.strides : NULL, n.dtype, CPU, n.layout, &error);
        REQUIRE_INT(status == PIXVIEW_OK, is_allowed(&n));
        if (status != PIXVIEW_OK) {
            require_failed(status, &error);
            return 0;
        }
        REQUIRE_OK(pixview_image_validate(&image[i], err));
        check_axes(&image[i]);
        check_crop(&image[i], &in);
        status = pixview_image_check_interleaved(&image[i], &error);
        if (status != PIXVIEW_OK)
            require_failed(status, &error);
    }
    REQUIRE_INT(pixview_image_overlaps(&image[0], &image[1]),
                pixview_image_overlaps(&image[1], &image[0]));
    return 0;
}
