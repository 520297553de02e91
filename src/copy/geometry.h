// The geometry of pixview_stack: what its params promise, checked, and what is made of them.
#ifndef PIXVIEWI_COPY_GEOMETRY_H
#define PIXVIEWI_COPY_GEOMETRY_H

#include "copy/operation.h"

// Is the struct sound, and can images of that type be sampled like that?
pixview_status pixviewi_check_geometry(const pixview_geometry *geometry, pixview_dtype dtype,
                                       pixview_error *err);

// Where an image of that size goes on a canvas of the batch's.
pixview_status pixviewi_geometry_place(const pixview_geometry *geometry, const pixview_image *image,
                                       const pixview_image *batch, pixview_placement *out,
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
