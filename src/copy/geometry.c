// SPDX-License-Identifier: Apache-2.0
#include "copy/geometry.h"

#include <stdlib.h>

_Static_assert((int)PIXVIEW_INTERPOLATION_PIL_LANCZOS == (int)PIXVIEWI_PIL_LANCZOS, "in one order");

static bool has_between(pixview_dtype dtype)
{
    if (dtype.code == PIXVIEW_DTYPE_UINT)
        return dtype.bits <= 16;
    return dtype.code == PIXVIEW_DTYPE_BFLOAT ||
           (dtype.code == PIXVIEW_DTYPE_FLOAT && dtype.bits <= 32);
}

pixview_status pixviewi_check_geometry(const pixview_geometry *geometry, pixview_dtype dtype,
                                       pixview_error *err)
{
    if (geometry->struct_size != sizeof *geometry)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "geometry->struct_size is %zu, but this library's is %zu",
                             geometry->struct_size, sizeof *geometry);
    if (geometry->interpolation < PIXVIEW_INTERPOLATION_LINEAR ||
        geometry->interpolation > PIXVIEW_INTERPOLATION_PIL_LANCZOS)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "interpolation=%d is unknown",
                             (int)geometry->interpolation);
    bool pillow = geometry->interpolation >= PIXVIEW_INTERPOLATION_PIL_BILINEAR;
    if (geometry->interpolation == PIXVIEW_INTERPOLATION_NEAREST ||
        (pillow ? dtype.code == PIXVIEW_DTYPE_UINT && dtype.bits == 8 : has_between(dtype)))
        return PIXVIEW_OK;
    return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                         "%s images cannot be interpolated like that: %s; convert them, or use "
                         "interpolation 'nearest'",
                         pixview_dtype_name(dtype),
                         pillow ? "Pillow's filters are for uint8"
                                : "linear and area are for uint8, uint16, float16, bfloat16 and "
                                  "float32");
}

pixview_placement_params pixviewi_geometry_params(const pixview_geometry *geometry,
                                                  const pixview_image *batch)
{
    return (pixview_placement_params){.struct_size = sizeof(pixview_placement_params),
                                      .canvas_h = batch->shape[PIXVIEW_AXIS_H],
                                      .canvas_w = batch->shape[PIXVIEW_AXIS_W],
                                      .fit = geometry->fit,
                                      .align = geometry->align,
                                      .no_scaleup = geometry->no_scaleup};
}

static pixview_status crop_one(const pixview_image *image, const pixview_roi *roi, int64_t index,
                               const char *name, pixview_image *out, pixview_error *err)
{
    if (roi->h >= 1 && roi->w >= 1 &&
        pixview_image_crop(image, roi->y, roi->x, roi->h, roi->w, out, NULL) == PIXVIEW_OK)
        return PIXVIEW_OK;
    return pixviewi_fail(
        err, PIXVIEW_E_LAYOUT,
        "rois[%lld] y=%lld x=%lld h=%lld w=%lld of %s[%lld], which has %lld rows and %lld "
        "columns: a region has at least one pixel, all inside the image",
        (long long)index, (long long)roi->y, (long long)roi->x, (long long)roi->h,
        (long long)roi->w, name, (long long)index, (long long)image->shape[PIXVIEW_AXIS_H],
        (long long)image->shape[PIXVIEW_AXIS_W]);
}

pixview_status pixviewi_geometry_crop(const pixview_image *images, const pixview_roi *rois,
                                      int64_t count, const char *name, pixview_image **out,
                                      pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    *out = count > 0 ? malloc((size_t)count * sizeof **out) : NULL;
    if (count > 0 && !*out)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for %lld regions", (long long)count);
    for (int64_t i = 0; i < count && status == PIXVIEW_OK; i++)
        status = crop_one(&images[i], &rois[i], i, name, &(*out)[i], err);
    if (status == PIXVIEW_OK)
        return PIXVIEW_OK;
    free(*out);
    *out = NULL;
    return status;
}

pixviewi_resize pixviewi_resize_of(const pixview_geometry *geometry)
{
    return (pixviewi_resize){
        {(int)geometry->fit, geometry->align == PIXVIEW_ALIGN_CENTER, geometry->no_scaleup},
        (int)geometry->interpolation};
}

void pixviewi_write_placements(const pixview_image *images, int64_t count,
                               const pixview_image *batch, const pixview_geometry *geometry)
{
    const pixview_placement_params params = pixviewi_geometry_params(geometry, batch);
    for (int64_t i = 0; i < count; i++) {
        const int64_t *shape = images[i].shape;
        pixview_placement *placed = &geometry->placements[i];
        (void)!pixview_placement_fit(shape[PIXVIEW_AXIS_H], shape[PIXVIEW_AXIS_W], &params, placed,
                                     NULL); // it was checked
        if (!geometry->rois)
            continue;
        placed->source_y += (double)geometry->rois[i].y;
        placed->source_x += (double)geometry->rois[i].x;
    }
}
