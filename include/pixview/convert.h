// SPDX-License-Identifier: Apache-2.0
// Conversions: a copy that changes values on the way, and the batches: many images into one and back.
//
// Everything here is one pass over the pixels, on a GPU one kernel launch (a list too long for the
// parameters of one launch takes several).
#ifndef PIXVIEW_CONVERT_H
#define PIXVIEW_CONVERT_H

#include "image.h"
#include "placement.h"

#ifdef __cplusplus
extern "C" {
#endif

// Element by element: out = (in * scale - mean[c]) / std[c], c being the channel of the destination,
// computed as one fused multiply-add in float32, in * a + b; a = scale / std and b = -mean / std are
// computed in double beforehand. The result is rounded to nearest even. uint8 saturates, NaN becomes 0.
//
// If everything but struct_size is zero, no value changes, only the element type.
typedef struct pixview_convert_params {
    size_t struct_size;    // sizeof(pixview_convert_params)
    pixview_stream stream; // stream of the work; 0: legacy default stream. Unused on host memory
    double scale;          // 0 means 1
    const double *mean;    // `channels` entries; NULL: 0
    const double *std;     // `channels` entries, none of them 0; NULL: 1
    int32_t channels;      // entries of mean and std: 1 (for every channel), or C, at most 32
    bool swap_rb;          // channel 0 becomes 2 and 2 becomes 0; C is 3 or 4
    bool pad;              // sources may be smaller: they lie at the top left, the rest is padded
    double pad_value;      // value of the padding, in units of the source
    const struct pixview_geometry
        *geometry; // resizes on the way, pixview_stack only; NULL: nothing
} pixview_convert_params;

// A part of an image: its first row and column, and how many.
typedef struct pixview_roi {
    int64_t y, x, h, w;
} pixview_roi;

// Each image is resized and placed on a canvas, the destination's H and W; what it does not cover gets
// pad_value. `pad` of the params is then implied.
typedef struct pixview_geometry {
    size_t struct_size; // sizeof(pixview_geometry)
    pixview_fit fit;
    pixview_align align;
    bool no_scaleup;
    pixview_interpolation interpolation;
    const pixview_roi
        *rois; // the part of each image that is taken, `count` entries; NULL: all of it
    pixview_placement
        *placements; // `count` entries, written if the call succeeds; NULL: not wanted
} pixview_geometry;

// Copies `src` into `dst` like pixview_copy, and also changes element type and values.
//
// Shapes:   equal extents; with params->pad, `src` may have fewer rows and columns. Strides as for
//           pixview_copy.
// dtypes:   | from                                            | to                           |
//           | uint8 int8 uint16 int16 int32 float16 bfloat16 float32 | float16 bfloat16 float32 uint8 |
//           | any, when no value changes                      | the same: bits move          |
// params    may be NULL (all defaults). Needs to live only until this function returns.
// err       may be NULL. Written only on failure, and then always.
// Memory:   src and dst are borrowed. Both must stay alive until `params->stream` has passed this work.
// Async:    on one GPU: queues one kernel and neither waits nor allocates. Between host and GPU only
//           where no value changes and no channel: then as pixview_copy.
// Returns:  PIXVIEW_OK
//           PIXVIEW_E_INVALID      NULL, struct_size of another library, PIXVIEW_STREAM_NONE on a GPU,
//                                  a scale, mean or std that is not finite or no float32, a std of 0
//           PIXVIEW_E_LAYOUT       extents differ, overlap, a destination that overlaps itself, another
//                                  number of means than channels, swap_rb with C other than 3 or 4
//           PIXVIEW_E_DTYPE        no row of the table; a pad_value that the element type does not hold
//           PIXVIEW_E_READONLY     dst is read-only
//           PIXVIEW_E_DEVICE       two GPUs, or host and GPU
//           PIXVIEW_E_UNSUPPORTED  pixview was built without kernels; a host-only build has none
//           PIXVIEW_E_MEMORY       no host memory to stage a copy between host and GPU
//           PIXVIEW_E_CUDA         the driver refused; dst is unspecified. Otherwise nothing was queued
// Thread-safety: safe, if no other thread writes dst or src.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_convert(const pixview_image *src,
                                                             const pixview_image *dst,
                                                             const pixview_convert_params *params,
                                                             pixview_error *err);

// Copies `count` separate images into the batch `dst`: image n becomes its n-th. Layouts, strides and
// pitches may differ from image to image; element types may not.
//
// Shapes:   dst has N = count, each source N = 1 and the H, W and C of dst; with params->pad at most
//           its H and W; with params->geometry any, from 1 on, and a region's.
// The rest  as for pixview_convert. An error names the first odd image by its index; PIXVIEW_E_INVALID
//           for count < 1 or an unsound geometry, PIXVIEW_E_LAYOUT for a region that is empty or leaves its
//           image, PIXVIEW_E_DTYPE for a list of several types or one that the interpolation is not for,
//           PIXVIEW_E_DEVICE for a list of several devices or on another than dst. `srcs` and all that params
//           point to need to live only until this returns.
// On a GPU  linear and nearest take one launch for some 200 images of one pitch, and no memory. The others
//           take one launch, and allocate and copy tables of weights before it, in the order of the stream. In a
//           graph capture this waits for the copy, and the graph keeps the tables (PIXVIEW_E_CUDA, 900, if the
//           per-thread default stream captures).
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_stack(const pixview_image *srcs, int64_t count,
                                                           const pixview_image *dst,
                                                           const pixview_convert_params *params,
                                                           pixview_error *err);

// The inverse: the n-th image of the batch `src` into dsts[n], all `count` of them. There is no
// padding (PIXVIEW_E_INVALID). Destinations may not share bytes with each other or with `src`
// (PIXVIEW_E_LAYOUT); a list is refused only if pixview_image_overlaps is true for two of its images.
// Finding out takes n log n where the address ranges are apart, and for columns, tiles or channels of one
// buffer; else each pair whose address ranges meet may be compared.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_unstack(const pixview_image *src,
                                                             const pixview_image *dsts,
                                                             int64_t count,
                                                             const pixview_convert_params *params,
                                                             pixview_error *err);

#ifdef __cplusplus
}
#endif

#endif
