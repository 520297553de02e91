// SPDX-License-Identifier: Apache-2.0
// What an adapter does with what it found: facts, unless a keyword says them, and planes at addresses.

#include "base/errors.h"
#include "cuda/device.h"
#include "frameworks/video/video.h"

void pv_video_source_clear(pv_video_source *source)
{
    for (int i = 0; i < 3; i++)
        Py_CLEAR(source->objects[i]);
}

int pv_video_says_format(pv_state *st, PyObject *x, const char *word, pv_video_source *source)
{
    pixview_video_params said = source->params;
    if (source->params.format != PIXVIEW_VIDEO_FORMAT_NONE)
        return 0;
    pv_video_format_of_word(word, &said);
    if (said.format != PIXVIEW_VIDEO_FORMAT_NONE) {
        source->params = said;
        return 0;
    }
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              "the %s object has the format '%s', which is no video format that pixview reads; "
              "pass format= if its planes are those of another, or have the decoder convert it",
              Py_TYPE(x)->tp_name, word);
    return -1;
}

void pv_video_says_colour(pv_video_source *source, pixview_video_matrix matrix,
                          pixview_video_range range)
{
    if (source->params.matrix == PIXVIEW_VIDEO_MATRIX_NONE)
        source->params.matrix = matrix;
    if (source->params.range == PIXVIEW_VIDEO_RANGE_NONE)
        source->params.range = range;
}

void pv_video_says_size(pv_video_source *source, int64_t height, int64_t width)
{
    if (source->params.height)
        return;
    source->params.height = height;
    source->params.width = width;
}

int pv_video_find_gpu(pv_state *st, pv_video_source *source, void *address)
{
    if (source->has_device)
        return 0;
    source->device.type = PIXVIEW_DEVICE_CUDA;
    if (!pixviewi_cuda_pointer_device(address, &source->device.id, &st->error))
        return 0;
    return pv_fail(st);
}

static int add_image(pv_state *st, pv_video_source *source, void *address, int64_t pitch,
                     const int64_t shape[3])
{
    pixview_dtype dtype = pixviewi_video_dtype(pixviewi_video_find(source->params.format));
    int64_t item = dtype.bits / 8;
    const int64_t strides[3] = {pitch ? pitch : shape[1] * shape[2] * item, shape[2] * item, item};
    pixview_image *image = &source->images[source->count];
    if (pixview_image_init(image, address, 3, shape, strides, dtype, source->device,
                           PIXVIEW_LAYOUT_HWC, &st->error)) {
        (void)pv_fail(st);
        pv_errors_prefix_item(st, "planes", source->count);
        return -1;
    }
    image->stream = pixview_image_on_host(image) ? PIXVIEW_STREAM_NONE : source->stream.handle;
    source->count++;
    return 0;
}

int pv_video_add_address(pv_state *st, pv_video_source *source, void *address, int64_t pitch,
                         int64_t height, int64_t width)
{
    int64_t shape[3];
    pixviewi_video_plane_shape(pixviewi_video_find(source->params.format), source->count, height,
                               width, shape);
    return add_image(st, source, address, pitch, shape);
}

int pv_video_add_surface(pv_state *st, pv_video_source *source, void *address, int64_t pitch,
                         int64_t rows, int64_t samples)
{
    const int64_t shape[3] = {rows, samples, 1};
    source->is_surface = true;
    return add_image(st, source, address, pitch, shape);
}
