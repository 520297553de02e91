// SPDX-License-Identifier: Apache-2.0
// Overlap against a count of every byte: exact for parts of one pitched buffer, and never a wrong "no".
#include "fuzz.h"

enum { ROOM = 4096 };

static uint8_t room[ROOM] __attribute__((aligned(64)));

static bool mark(const pixview_image *image, uint8_t *seen, uint8_t bit)
{
    int64_t at[4], size = pixview_dtype_size(image->dtype);
    bool met = false;
    for (at[0] = 0; at[0] < image->shape[0]; at[0]++)
        for (at[1] = 0; at[1] < image->shape[1]; at[1]++)
            for (at[2] = 0; at[2] < image->shape[2]; at[2]++)
                for (at[3] = 0; at[3] < image->shape[3]; at[3]++) {
                    int64_t offset = (uint8_t *)image->data - room;
                    for (int axis = 0; axis < 4; axis++)
                        offset += at[axis] * image->strides[axis];
                    for (int64_t b = 0; b < size; b++) {
                        seen[offset + b] |= bit;
                        met |= seen[offset + b] == 3;
                    }
                }
    return met;
}

// A part of each axis: from where, how many, by which step, perhaps backwards.
static pixview_image take_part(const pixview_image *whole, fuzz_input *in)
{
    pixview_image part = *whole;
    for (int axis = 0; axis < 4; axis++) {
        uint8_t bits = take_byte(in);
        int64_t extent = whole->shape[axis], first = bits % extent;
        int64_t step = 1 + bits / 64, count = 1 + take_byte(in) % (extent - first);
        part.data = (char *)part.data + first * part.strides[axis];
        part.shape[axis] = (count + step - 1) / step;
        part.strides[axis] *= step;
        if (bits & 32) {
            part.data = (char *)part.data + (part.shape[axis] - 1) * part.strides[axis];
            part.strides[axis] = -part.strides[axis];
        }
    }
    return part;
}

// Any strides that stay in the room.
static bool take_any(pixview_image *out, fuzz_input *in)
{
    static const pixview_dtype types[] = {{1, 8, 1}, {1, 16, 1}, {1, 64, 1}};
    pixview_dtype dtype = types[take_choice(in, 3)];
    int64_t size = pixview_dtype_size(dtype), low = 0, high = size, shape[4], strides[4];
    for (int axis = 0; axis < 4; axis++) {
        shape[axis] = 1 + take_choice(in, 5);
        strides[axis] = (int8_t)take_byte(in) * size;
        int64_t reach = (shape[axis] - 1) * strides[axis];
        *(reach < 0 ? &low : &high) += reach;
    }
    int64_t at = take_byte(in) * size - low;
    return at + high <= ROOM && pixview_image_init(out, room + at, 4, shape, strides, dtype, CPU,
                                                   PIXVIEW_LAYOUT_NHWC, NULL) == PIXVIEW_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t shape[4] = {2, 5, 6, 3};
    static const int64_t strides[3][4] = {
        {1024, 64, 3, 1}, {540, 6, 1, 30}, {1280, 96, 12, 4}}; // pitched, planes, floats
    static uint8_t seen[ROOM];
    fuzz_input in = {data, data + size};
    pixview_image a, b;
    uint8_t way = take_byte(&in);
    bool exact = way < 192;
    if (exact) {
        pixview_image whole = make_image(room, PIXVIEW_LAYOUT_NHWC, shape, strides[way % 3],
                                         way % 3 == 2 ? F32 : U8, CPU);
        a = take_part(&whole, &in);
        b = take_part(&whole, &in);
    } else if (!take_any(&a, &in) || !take_any(&b, &in)) {
        return 0;
    }
    memset(seen, 0, sizeof seen);
    bool wanted = mark(&a, seen, 1);
    wanted |= mark(&b, seen, 2);
    bool got = pixview_image_overlaps(&a, &b);
    REQUIRE_INT(pixview_image_overlaps(&b, &a), got);
    REQUIRE(exact ? got == wanted : got || !wanted);
    return 0;
}
