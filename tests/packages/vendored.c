// SPDX-License-Identifier: Apache-2.0
// Prints hashes of what copies, conversions and resizing make of pixels of no pattern: the same however the library was
// compiled. Includes pixview.h as a program does that has the two files of tools/amalgamate.py.
#include "pixview.h"

#include <stdio.h>
#include <stdlib.h>

enum { C = 3, SIDE = 48 };

static void check(pixview_status status, const pixview_error *err)
{
    if (status == PIXVIEW_OK)
        return;
    fprintf(stderr, "%s: %s\n", pixview_status_name(status), err->message);
    exit(1);
}

static uint8_t pixels[64 * 80 * C], planes[64 * 80 * C];
static float batch[C * SIDE * SIDE];

// FNV-1a of the bytes.
static void put(const char *name, int64_t h, int64_t w, const void *data, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3;
    printf("%s %dx%d %016llx\n", name, (int)h, (int)w, (unsigned long long)hash);
}

static pixview_image image_of(void *data, pixview_dtype dtype, pixview_layout layout, int ndim,
                              const int64_t *shape)
{
    const pixview_device cpu = {PIXVIEW_DEVICE_CPU, 0};
    pixview_image image;
    pixview_error err;
    check(pixview_image_init(&image, data, ndim, shape, NULL, dtype, cpu, layout, &err), &err);
    return image;
}

static void run(int64_t h, int64_t w)
{
    const pixview_dtype u8 = {PIXVIEW_DTYPE_UINT, 8, 1}, f32 = {PIXVIEW_DTYPE_FLOAT, 32, 1};
    const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
    const pixview_image src = image_of(pixels, u8, PIXVIEW_LAYOUT_HWC, 3, (int64_t[]){h, w, C});
    const pixview_image dst = image_of(planes, u8, PIXVIEW_LAYOUT_CHW, 3, (int64_t[]){C, h, w});
    const pixview_image out =
        image_of(batch, f32, PIXVIEW_LAYOUT_NCHW, 4, (int64_t[]){1, C, SIDE, SIDE});
    pixview_error err;
    check(pixview_copy(&src, &dst, NULL, &err), &err);
    put("planes", h, w, planes, (size_t)(C * h * w));
    for (int way = PIXVIEW_INTERPOLATION_LINEAR; way <= PIXVIEW_INTERPOLATION_PIL_LANCZOS; way++) {
        const pixview_geometry geometry = {.struct_size = sizeof geometry,
                                           .fit = PIXVIEW_FIT_LETTERBOX,
                                           .interpolation = (pixview_interpolation)way};
        const pixview_convert_params params = {.struct_size = sizeof params,
                                               .scale = 1.0 / 255,
                                               .mean = mean,
                                               .std = std,
                                               .channels = C,
                                               .swap_rb = true,
                                               .pad_value = 114,
                                               .geometry = &geometry};
        check(pixview_stack(&src, 1, &out, &params, &err), &err);
        put("batch", h, w, batch, sizeof batch);
    }
}

int main(void)
{
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)((x = x * 1664525 + 1013904223) >> 24);
    for (int64_t h = 1; h <= 64; h += 3)
        for (int64_t w = 1; w <= 80; w += 3)
            run(h, w);
    return 0;
}
