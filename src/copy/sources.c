// SPDX-License-Identifier: Apache-2.0
// pixview_stack_sources and pixview_video_to_image: a list whose frames became images, then pixview_stack.
#include <stdlib.h>
#include <string.h>

#include "copy/batch.h"
#include "copy/video.h"

static pixview_status read_source(const pixview_source *source, int64_t index, pixview_image *face,
                                  pixviewi_video *video, pixview_error *err)
{
    pixview_error why = {0};
    if (!source->image == !source->frame)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "srcs[%lld] has %s; set one of image and frame", (long long)index,
                             source->image ? "both an image and a frame"
                                           : "neither image nor frame");
    if (source->image) {
        *face = *source->image;
        memset(video, 0, sizeof *video);
        return PIXVIEW_OK; // checked with the list
    }
    pixview_status status = pixview_video_frame_validate(source->frame, &why);
    if (status != PIXVIEW_OK)
        return pixviewi_fail(err, status, "srcs[%lld]: %.200s", (long long)index, why.message);
    pixviewi_video_read(source->frame, face, video);
    return PIXVIEW_OK;
}

static pixview_status read_sources(const pixview_source *srcs, int64_t count, pixview_image *faces,
                                   pixviewi_video *videos, pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    for (int64_t i = 0; i < count && status == PIXVIEW_OK; i++)
        status = read_source(&srcs[i], i, &faces[i], &videos[i], err);
    return status;
}

pixview_status pixview_stack_sources(const pixview_source *srcs, int64_t count,
                                     const pixview_image *dst, const pixview_convert_params *params,
                                     pixview_error *err)
{
    pixview_image *faces = NULL;
    pixviewi_video *videos = NULL;
    size_t bytes;
    if ((!srcs && count) || !dst)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "srcs or dst is NULL");
    pixview_status status = pixviewi_check_count(count, err);
    if (status)
        return status;
    if (!__builtin_mul_overflow((size_t)count, sizeof *videos, &bytes)) {
        videos = malloc(bytes);
        faces = malloc((size_t)count * sizeof *faces); // which is smaller
    }
    status = faces && videos ? read_sources(srcs, count, faces, videos, err)
                             : pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for %lld sources",
                                             (long long)count);
    if (status == PIXVIEW_OK)
        status = pixviewi_stack_list(faces, videos, count, dst, params, err);
    free(faces);
    free(videos);
    return status;
}

pixview_status pixview_video_to_image(const pixview_video_frame *src, const pixview_image *dst,
                                      const pixview_convert_params *params, pixview_error *err)
{
    const pixview_source source = {NULL, src};
    if (!src || !dst)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "%s is NULL", src ? "dst" : "src");
    return pixview_stack_sources(&source, 1, dst, params, err);
}
