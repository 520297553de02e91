// SPDX-License-Identifier: Apache-2.0
// Layouts: their names, and what an image looks like with its axes in the order of one.
#include "descriptor/axes.h"

#include <string.h>

enum { N = PIXVIEW_AXIS_N, H = PIXVIEW_AXIS_H, W = PIXVIEW_AXIS_W, C = PIXVIEW_AXIS_C };

const pixviewi_axes pixviewi_layouts[] = {
    [PIXVIEW_LAYOUT_NONE] = {"", 0, {0}, {N, H, W, C}},
    [PIXVIEW_LAYOUT_HW] = {"HW", 2, {H, W}, {N, C}},
    [PIXVIEW_LAYOUT_CHW] = {"CHW", 3, {C, H, W}, {N}},
    [PIXVIEW_LAYOUT_HWC] = {"HWC", 3, {H, W, C}, {N}},
    [PIXVIEW_LAYOUT_NCHW] = {"NCHW", 4, {N, C, H, W}, {0}},
    [PIXVIEW_LAYOUT_NHWC] = {"NHWC", 4, {N, H, W, C}, {0}},
};

pixview_layout pixview_layout_parse(const char *name)
{
    for (int i = PIXVIEW_LAYOUT_HW; name && i <= PIXVIEW_LAYOUT_NHWC; i++)
        if (strcmp(pixviewi_layouts[i].name, name) == 0)
            return (pixview_layout)i;
    return PIXVIEW_LAYOUT_NONE;
}

const char *pixview_layout_name(pixview_layout layout)
{
    const pixviewi_axes *axes = pixviewi_layout_axes(layout);
    return axes ? axes->name : "";
}

_Static_assert(PIXVIEW_LAYOUT_HW == 1 && PIXVIEW_LAYOUT_CHW == 2 && PIXVIEW_LAYOUT_HWC == 3 &&
                   PIXVIEW_LAYOUT_NCHW == 4 && PIXVIEW_LAYOUT_NHWC == 5,
               "pixviewi_rank computes with them");

int pixview_layout_rank(pixview_layout layout)
{
    return pixviewi_layout_axes(layout) ? pixviewi_rank(layout) : 0;
}

__attribute__((cold)) pixview_status pixviewi_fail_absent(const pixview_image *image,
                                                          const pixviewi_axes *axes,
                                                          pixview_error *err)
{
    int i = 0;
    while (image->shape[axes->absent[i]] == 1)
        i++;
    int axis = axes->absent[i];
    return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                         "layout %s has no axis %c, but the image has %lld along it; ask for %s",
                         axes->name, "NHWC"[axis], (long long)image->shape[axis],
                         axis == PIXVIEW_AXIS_N ? "NHWC or NCHW" : "HWC or CHW");
}

pixview_status pixview_image_axes(const pixview_image *image, pixview_layout layout, int *ndim,
                                  int64_t *shape, int64_t *strides, pixview_error *err)
{
    const pixviewi_axes *axes = pixviewi_layout_axes(layout);
    if (!image || !axes || !ndim || !shape || !strides)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "NULL, or layout %d is none", (int)layout);
    if (pixviewi_has_absent(image, axes))
        return pixviewi_fail_absent(image, axes, err);
    pixviewi_order_axes(image, axes, pixview_dtype_size(image->dtype), 0, shape, strides);
    *ndim = axes->rank;
    return PIXVIEW_OK;
}
