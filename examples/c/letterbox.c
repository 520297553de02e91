// SPDX-License-Identifier: Apache-2.0
// Two images of their own sizes, and a region of one of them, become one normalised batch of 640 x 640, each with
// its ratio kept and padded; then a box that a model found on the canvas goes back to its image.
//
//     cc letterbox.c $(pkg-config --cflags --libs pixview) -ldl -lm -o letterbox && ./letterbox
//
// In host memory. With addresses in a GPU's memory, and its device, the same call queues one kernel.
#include <stdio.h>
#include <stdlib.h>

#include <pixview/pixview.h>

enum { COUNT = 3, SIDE = 640, C = 3 };

static void check(pixview_status status, const pixview_error *err)
{
    if (status == PIXVIEW_OK)
        return;
    fprintf(stderr, "%s: %s\n", pixview_status_name(status), err->message);
    exit(1);
}

static pixview_image frame(int64_t h, int64_t w, unsigned char value)
{
    const pixview_dtype u8 = {PIXVIEW_DTYPE_UINT, 8, 1};
    const pixview_device cpu = {PIXVIEW_DEVICE_CPU, 0};
    const int64_t shape[] = {h, w, C};
    pixview_error err;
    pixview_image image;
    unsigned char *data = malloc((size_t)(h * w * C));
    if (!data)
        exit(1);
    for (int64_t i = 0; i < h * w * C; i++)
        data[i] = value;
    check(pixview_image_init(&image, data, 3, shape, NULL, u8, cpu, PIXVIEW_LAYOUT_HWC, &err),
          &err);
    return image;
}

int main(void)
{
    const pixview_dtype f32 = {PIXVIEW_DTYPE_FLOAT, 32, 1};
    const int64_t shape[] = {COUNT, C, SIDE, SIDE};
    pixview_image images[COUNT] = {frame(1080, 1920, 50), frame(480, 640, 100)};
    images[2] = images[0];
    const pixview_roi rois[COUNT] = {{0, 0, 1080, 1920}, {0, 0, 480, 640}, {100, 200, 300, 200}};
    pixview_placement placements[COUNT];
    const pixview_geometry geometry = {.struct_size = sizeof geometry,
                                       .fit = PIXVIEW_FIT_LETTERBOX,
                                       .rois = rois,
                                       .placements = placements};
    const pixview_convert_params params = {
        .struct_size = sizeof params, .scale = 1.0 / 255, .pad_value = 114, .geometry = &geometry};
    pixview_image batch;
    pixview_error err;
    float *data = malloc(sizeof(float) * COUNT * C * SIDE * SIDE);
    if (!data)
        return 1;
    check(pixview_image_init(&batch, data, 4, shape, NULL, f32, images[0].device,
                             PIXVIEW_LAYOUT_NCHW, &err),
          &err);
    check(pixview_stack(images, COUNT, &batch, &params, &err), &err);

    const pixview_placement *p = &placements[0];
    double x = (320 - (double)p->x) / p->scale_x + p->source_x;
    double y = (320 - (double)p->y) / p->scale_y + p->source_y;
    printf("frame 0 lies at rows %d to %d; the canvas's middle is its (%.0f, %.0f)\n", (int)p->y,
           (int)(p->y + p->h), x, y);
    bool right = p->y == 140 && x == 960 && y == 540 && data[0] > 0.44f && data[0] < 0.45f;
    for (int i = 0; i < 2; i++)
        free(images[i].data);
    free(data);
    return right ? 0 : 1;
}
