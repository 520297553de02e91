// The common case of pixview_image_init, inlined into the adapters on the path of every view.
#ifndef PIXVIEWI_IMAGE_INIT_H
#define PIXVIEWI_IMAGE_INIT_H

#include "descriptor/status.h"

// complex128 is two doubles.
static inline int64_t pixviewi_alignment(int64_t itemsize) { return itemsize <= 8 ? itemsize : 8; }

// What pixview_image_init does for nearly every image there is: a known dtype, not empty, N up to 2^10,
// the other extents up to 2^16, strides from 0 to 2^40 and an address below 2^62, so that nothing can
// overflow and every byte is in the address space. False, with *out as it was, for all others and for
// bad ones: pixview_image_init sees to them. A third of its instructions; a test compares the two.
// `itemsize`: pixview_dtype_size.
static PIXVIEWI_INLINE bool pixviewi_init_common(pixview_image *out, void *data,
                                                 const int64_t *shape, const int64_t *strides,
                                                 pixview_dtype dtype, int64_t itemsize,
                                                 pixview_device device, pixview_layout layout)
{
    uint64_t address = (uintptr_t)data;
    int64_t n = 1, h, w, c = 1, sn = 0, sh, sw, sc = 0;
    switch (layout) {
    case PIXVIEW_LAYOUT_HW:
        h = shape[0], w = shape[1];
        sh = strides[0], sw = strides[1];
        break;
    case PIXVIEW_LAYOUT_CHW:
        c = shape[0], h = shape[1], w = shape[2];
        sc = strides[0], sh = strides[1], sw = strides[2];
        break;
    case PIXVIEW_LAYOUT_HWC:
        h = shape[0], w = shape[1], c = shape[2];
        sh = strides[0], sw = strides[1], sc = strides[2];
        break;
    case PIXVIEW_LAYOUT_NCHW:
        n = shape[0], c = shape[1], h = shape[2], w = shape[3];
        sn = strides[0], sc = strides[1], sh = strides[2], sw = strides[3];
        break;
    case PIXVIEW_LAYOUT_NHWC:
        n = shape[0], h = shape[1], w = shape[2], c = shape[3];
        sn = strides[0], sh = strides[1], sw = strides[2], sc = strides[3];
        break;
    default:
        return false;
    }
    // Minus 1, so that 0 and negative extents are out as well, and NULL.
    uint64_t large = ((uint64_t)h - 1) | ((uint64_t)w - 1) | ((uint64_t)c - 1);
    if ((((uint64_t)n - 1) >> 10 | large >> 16 | (address - 1) >> 62) != 0 || itemsize == 0)
        return false;
    int64_t pixel = c * itemsize, row = w * pixel;
    sc = c == 1 ? itemsize : sc;
    sw = w == 1 ? pixel : sw;
    sh = h == 1 ? row : sh;
    sn = n == 1 ? h * row : sn;
    uint64_t strides_all = (uint64_t)(sn | sh | sw | sc);
    if ((strides_all >> 40) != 0 ||
        ((address | strides_all) & (uint64_t)(pixviewi_alignment(itemsize) - 1)) != 0)
        return false;
    int64_t *extents = out->shape, *steps = out->strides;
    extents[PIXVIEW_AXIS_N] = n, extents[PIXVIEW_AXIS_H] = h, extents[PIXVIEW_AXIS_W] = w,
    extents[PIXVIEW_AXIS_C] = c;
    steps[PIXVIEW_AXIS_N] = sn, steps[PIXVIEW_AXIS_H] = sh, steps[PIXVIEW_AXIS_W] = sw,
    steps[PIXVIEW_AXIS_C] = sc;
    out->data = data;
    out->dtype = dtype;
    out->device = device;
    out->flags = 0;
    out->stream = PIXVIEW_STREAM_LEGACY;
    out->owner = NULL;
    out->reserved = 0;
    return true;
}

#endif
