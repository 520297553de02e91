// SPDX-License-Identifier: Apache-2.0
// Frames in copies: an image that stands for a frame, and the frame's inner form beside it.
//
// The image (its "face") has the frame's place and size, uint8 with C = 3, so that lists, geometry and placements
// treat it like any other. Its address and strides are those of Y alone: pixels are read through the inner form.
#ifndef PIXVIEWI_COPY_VIDEO_H
#define PIXVIEWI_COPY_VIDEO_H

#include "copy/operation.h"

// Of a frame that pixview_video_frame_validate has passed.
void pixviewi_video_read(const pixview_video_frame *frame, pixview_image *face,
                         pixviewi_video *out);
void pixviewi_video_write(const pixview_video_frame *frame, pixview_video_siting siting,
                          pixview_image *face, pixviewi_video_target *out);

// From pixel (y, x) on, any that is inside; the face is cropped by pixview_image_crop. Of an image nothing.
void pixviewi_video_move(pixviewi_samples *samples, int64_t y, int64_t x);

// The numbers of a format's colours (video_colour.c). Matrix and range fit each other.
pixviewi_colour pixviewi_colour_of(const pixview_video_frame *frame);
void pixviewi_weights_of(const pixview_video_frame *frame, pixviewi_weights out[3]);

// Can the frames among them be sampled like that, and have none of their planes a byte of dst? Errors name
// them by `name`.
pixview_status pixviewi_check_videos(const pixview_image *faces, const pixviewi_video *videos,
                                     int64_t count, const pixview_image *dst,
                                     const pixview_convert_params *params, const char *name,
                                     pixview_error *err);

#endif
