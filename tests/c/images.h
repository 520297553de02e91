// SPDX-License-Identifier: Apache-2.0
// Images of any layout, made at random, and their elements one by one.
#ifndef IMAGES_H
#define IMAGES_H

#include "harness.h"

static inline char *element(const pixview_image *image, const int64_t *at)
{
    char *address = image->data;
    for (int axis = 0; axis < 4; axis++)
        address += at[axis] * image->strides[axis];
    return address;
}

#define FOR_EACH(at, image)                                           \
    for ((at)[0] = 0; (at)[0] < (image)->shape[0]; (at)[0]++)         \
        for ((at)[1] = 0; (at)[1] < (image)->shape[1]; (at)[1]++)     \
            for ((at)[2] = 0; (at)[2] < (image)->shape[2]; (at)[2]++) \
                for ((at)[3] = 0; (at)[3] < (image)->shape[3]; (at)[3]++)

static const pixview_dtype random_dtypes[] = {
    {1, 8, 1}, {2, 16, 1}, {2, 32, 1}, {2, 64, 1}, {5, 128, 1}};

static inline void random_shape(int64_t shape[4], uint64_t *seed)
{
    static const int64_t extents[4][6] = {
        {1, 1, 1, 2, 3, 0}, {1, 2, 5, 6, 4, 3}, {1, 2, 5, 7, 8, 16}, {1, 3, 3, 4, 2, 5}};
    for (int axis = 0; axis < 4; axis++)
        shape[axis] = extents[axis][next_random(seed) % 6];
}

// Some layout, packed or with gaps between rows, images and elements; perhaps backwards; as a
// source perhaps repeated.
static inline pixview_image random_image(char *memory, int64_t size, const int64_t *shape,
                                         pixview_dtype dtype, pixview_device device, bool source,
                                         uint64_t *seed)
{
    static const uint8_t orders[5][4] = {
        {0, 3, 1, 2}, {0, 1, 2, 3}, {3, 0, 1, 2}, {1, 2, 3, 0}, {2, 1, 3, 0}};
    const uint8_t *order = orders[next_random(seed) % 5];
    int64_t itemsize = pixview_dtype_size(dtype), align = itemsize > 8 ? 8 : itemsize;
    int64_t step = itemsize, low = 0, strides[4];
    bool gaps = next_random(seed) % 2;
    for (int i = 3; i >= 0; i--) {
        int axis = order[i];
        if (gaps && next_random(seed) % 3 == 0)
            step += align * (int64_t)(next_random(seed) % 5);
        strides[axis] = step;
        step *= shape[axis] > 1 ? shape[axis] : 1;
        if (gaps && next_random(seed) % 8 == 0 && shape[axis] > 1) {
            low += (shape[axis] - 1) * strides[axis];
            strides[axis] = -strides[axis];
        }
        if (source && next_random(seed) % 16 == 0)
            strides[axis] = 0;
    }
    REQUIRE(step < size - 64);
    char *data = memory + low + align * (int64_t)(next_random(seed) % 3);
    return make_image(data, PIXVIEW_LAYOUT_NHWC, shape, strides, dtype, device);
}

#endif
