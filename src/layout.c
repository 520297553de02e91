// Layouts: their names, and what an image looks like with its axes in the order of one.
#include "layout.h"

#include <string.h>

enum { N = PIXVIEW_N, H = PIXVIEW_H, W = PIXVIEW_W, C = PIXVIEW_C };

const pixviewi_axes pixviewi_layouts[] = {
    [PIXVIEW_LAYOUT_NONE] = {"", 0, {0}, {N, H, W, C}},
    [PIXVIEW_HW] = {"HW", 2, {H, W}, {N, C}},
    [PIXVIEW_CHW] = {"CHW", 3, {C, H, W}, {N}},
    [PIXVIEW_HWC] = {"HWC", 3, {H, W, C}, {N}},
    [PIXVIEW_NCHW] = {"NCHW", 4, {N, C, H, W}, {0}},
    [PIXVIEW_NHWC] = {"NHWC", 4, {N, H, W, C}, {0}},
};

pixview_layout pixview_layout_parse(const char *name)
{
    for (int i = PIXVIEW_HW; name && i <= PIXVIEW_NHWC; i++)
        if (strcmp(pixviewi_layouts[i].name, name) == 0)
            return (pixview_layout)i;
    return PIXVIEW_LAYOUT_NONE;
}

const char *pixview_layout_name(pixview_layout layout)
{
    const pixviewi_axes *axes = pixviewi_layout_axes(layout);
    return axes ? axes->name : "";
}

int pixview_layout_rank(pixview_layout layout)
{
    const pixviewi_axes *axes = pixviewi_layout_axes(layout);
    return axes ? axes->rank : 0;
}

pixview_status pixview_image_axes(const pixview_image *image, pixview_layout layout, int *ndim,
                                  int64_t *shape, int64_t *strides, pixview_error *err)
{
    const pixviewi_axes *axes = pixviewi_layout_axes(layout);
    if (PIXVIEWI_UNLIKELY(!image || !axes || !ndim || !shape || !strides))
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "NULL, or layout %d is none", (int)layout);
    for (int i = 0; i < 4 - axes->rank; i++) {
        int axis = axes->absent[i];
        if (PIXVIEWI_UNLIKELY(image->shape[axis] != 1))
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "layout %s has no axis %c, but the image has %lld along it; "
                                 "ask for %s",
                                 axes->name, "NHWC"[axis], (long long)image->shape[axis],
                                 axis == PIXVIEW_N ? "NHWC or NCHW" : "HWC or CHW");
    }

    // An axis of extent 1 gets the stride it would have if its inner neighbour were packed: some
    // consumers compare the strides of such axes as well.
    int64_t step = pixview_dtype_size(image->dtype);
    for (int i = axes->rank - 1; i >= 0; i--) {
        int axis = axes->axis[i];
        shape[i] = image->shape[axis];
        strides[i] = image->shape[axis] > 1 ? image->strides[axis] : step;
        int64_t extent = shape[i] > 1 ? shape[i] : 1;
        if (__builtin_mul_overflow(strides[i], extent, &step))
            step = strides[i]; // any value would do
    }
    *ndim = axes->rank;
    return PIXVIEW_OK;
}
