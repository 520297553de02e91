// SPDX-License-Identifier: Apache-2.0
#include "convert/align.h"

#include "base/plain_memory.h"
#include "convert/copy.h"
#include "frameworks/stream_life.h"
#include "frameworks/streams.h"

// Image n of the batch, with the bytes of an element as its last axis.
static pixview_image bytes_of(const pixview_image *image, int64_t n)
{
    const int64_t *shape = image->shape, *strides = image->strides;
    pixview_image out = *image;
    out.data = (char *)image->data + n * strides[PIXVIEW_AXIS_N];
    out.dtype = (pixview_dtype){PIXVIEW_DTYPE_UINT, 8, 1};
    for (int axis = 0; axis < 3; axis++) {
        out.shape[axis] = shape[axis + 1];
        out.strides[axis] = strides[axis + 1];
    }
    out.shape[3] = pixview_dtype_size(image->dtype);
    out.strides[3] = 1;
    return out;
}

// The stream that may read the memory: a producer that named none made it ready for its consumer's.
static int reading_stream(pv_state *st, pv_imported *in, const pv_options *options)
{
    pv_stream stream = {PIXVIEW_STREAM_LEGACY, NULL};
    if (in->image.stream != PIXVIEW_STREAM_NONE)
        return 0;
    if (pv_consumer_stream(st, options, in->image.device, &stream))
        return -1;
    in->image.stream = stream.handle;
    Py_XSETREF(in->stream_object, stream.object);
    return 0;
}

int pv_align_source(pv_state *st, pv_imported *in, const pv_options *options)
{
    if (!in->unaligned)
        return 0;
    pixview_image aligned;
    pixview_device device = in->image.device;
    if (pixview_image_on_host(&in->image))
        device = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
    if (reading_stream(st, in, options) ||
        pv_allocate_plain(st, &in->image, PIXVIEW_LAYOUT_NHWC, device,
                          pv_stream_stored(in->image.stream, in->stream_object), in->stream_object,
                          &aligned))
        return -1;
    int rc = 0;
    for (int64_t n = 0; n < aligned.shape[PIXVIEW_AXIS_N] && rc == 0; n++) {
        pixview_image from = bytes_of(&in->image, n), to = bytes_of(&aligned, n);
        rc = pv_copy_on_streams(st, &from, &to, to.stream, false, NULL);
    }
    if (rc == 0) {
        pixview_image read = in->image;
        in->image = aligned;
        aligned = read;
        in->unaligned = false;
    }
    pixview_owner_unref(aligned.owner);
    return rc;
}
