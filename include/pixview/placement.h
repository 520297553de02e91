// SPDX-License-Identifier: Apache-2.0
// Where an image goes on a canvas of another size: numbers only, no pixels and no GPU.
#ifndef PIXVIEW_PLACEMENT_H
#define PIXVIEW_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum pixview_fit {
    PIXVIEW_FIT_NONE = 0,  // no scaling: top left, the rest is padded
    PIXVIEW_FIT_STRETCH,   // each axis by itself
    PIXVIEW_FIT_LETTERBOX, // keeps the ratio, padded: the numbers of ultralytics' LetterBox
    PIXVIEW_FIT_COVER      // keeps the ratio, cut off: of torchvision's Resize and CenterCrop
} pixview_fit;

typedef enum pixview_align { PIXVIEW_ALIGN_CENTER = 0, PIXVIEW_ALIGN_TOP_LEFT } pixview_align;

// How pixels between pixels are made. On 8-bit images the bytes are those that the named library makes.
typedef enum pixview_interpolation {
    // cv2.resize's INTER_LINEAR (of its x86 builds) on uint8; on uint16 and floats between pixel centres, in
    // float32. Not for other types.
    PIXVIEW_INTERPOLATION_LINEAR = 0,
    PIXVIEW_INTERPOLATION_NEAREST, // cv2.resize's INTER_NEAREST; any type
    // The mean of what a pixel covers; for uint8 rounded half to even, at most 1 off. Types as for LINEAR.
    PIXVIEW_INTERPOLATION_AREA,
    PIXVIEW_INTERPOLATION_PIL_BILINEAR, // Pillow's Image.resize, with its antialias; uint8 only
    PIXVIEW_INTERPOLATION_PIL_BICUBIC,
    PIXVIEW_INTERPOLATION_PIL_LANCZOS
} pixview_interpolation;

typedef struct pixview_placement_params {
    size_t struct_size; // sizeof(pixview_placement_params)
    int64_t canvas_h, canvas_w;
    pixview_fit fit;
    pixview_align align; // FIT_NONE is always top left
    bool no_scaleup;     // an image smaller than the canvas keeps its size
    int64_t
        stride; // above 0, for LETTERBOX: the canvas loses whole strides of padding. 0: it keeps its size
} pixview_placement_params;

// The image is resized to resized_h x resized_w; of that, the part from skip_y, skip_x on lies on the
// canvas at y, x, h, w. Extents and offsets are in pixels.
typedef struct pixview_placement {
    int64_t canvas_h, canvas_w;
    int64_t y, x, h, w;
    int64_t resized_h, resized_w, skip_y, skip_x;
    // The region of the image that the part shows, and pixels of the canvas for each of the image: the point
    // (cx, cy) of the canvas is (cx - x) / scale_x + source_x, (cy - y) / scale_y + source_y of the image.
    double source_y, source_x, source_h, source_w;
    double scale_y, scale_x;
} pixview_placement;

// Places an image of src_h x src_w. Products and quotients are computed in double and rounded half to even,
// as Python's round() does; COVER cuts the longer edge off to an integer, as torchvision's int() does.
//
// err       may be NULL. Written only on failure, and then always.
// Returns:  PIXVIEW_OK
//           PIXVIEW_E_INVALID  NULL, struct_size of another library, an unknown fit or align
//           PIXVIEW_E_LAYOUT   an extent of the image or the canvas below 1 or above 2^31 - 1, a negative
//                              stride, one without LETTERBOX, FIT_NONE of an image larger than the canvas
// Thread-safety: safe.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_placement_fit(int64_t src_h, int64_t src_w, const pixview_placement_params *params,
                      pixview_placement *out, pixview_error *err);

#ifdef __cplusplus
}
#endif

#endif
