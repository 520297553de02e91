// SPDX-License-Identifier: Apache-2.0
// The geometry of pixview_stack: what its params promise, checked, and what is made of them.
#ifndef PIXVIEWI_COPY_GEOMETRY_H
#define PIXVIEWI_COPY_GEOMETRY_H

#include "copy/operation.h"

// Is the struct sound, and can images of that type be sampled like that?
pixview_status pixviewi_check_geometry(const pixview_geometry *geometry, pixview_dtype dtype,
                                       pixview_error *err);

// How its images go on canvases of the batch's size.
pixview_placement_params pixviewi_geometry_params(const pixview_geometry *geometry,
                                                  const pixview_image *batch);

// What pixview_placement_fit refuses: of any image, and of one of that size.
pixview_status pixviewi_check_placing(const pixview_placement_params *params, pixview_error *err);
pixview_status pixviewi_check_placed(int64_t h, int64_t w, const pixview_placement_params *params,
                                     pixview_error *err);

// The regions of the images, each a new image; *out is freed with free(). An error names images by `name`.
pixview_status pixviewi_geometry_crop(const pixview_image *images, const pixview_roi *rois,
                                      int64_t count, const char *name, pixview_image **out,
                                      pixview_error *err);

// geometry->placements, of images that were placed.
void pixviewi_write_placements(const pixview_image *images, int64_t count,
                               const pixview_image *batch, const pixview_geometry *geometry);

pixviewi_resize pixviewi_resize_of(const pixview_geometry *geometry);

#endif
