// SPDX-License-Identifier: Apache-2.0
// pixview_image_init, inlined into the adapters on the path of every view.
#ifndef PIXVIEWI_IMAGE_INIT_H
#define PIXVIEWI_IMAGE_INIT_H

#include <assert.h>

#include "descriptor/status.h"

// complex128 is two doubles.
static inline int64_t pixviewi_alignment(int64_t itemsize) { return itemsize <= 8 ? itemsize : 8; }

// Extents and strides in the order N,H,W,C; absent axes get extent 1. False: there is no such layout.
static PIXVIEWI_INLINE bool pixviewi_canonical_axes(pixview_layout layout, const int64_t *shape,
                                                    const int64_t *strides, int64_t extents[4],
                                                    int64_t steps[4])
{
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
    extents[PIXVIEW_AXIS_N] = n, extents[PIXVIEW_AXIS_H] = h, extents[PIXVIEW_AXIS_W] = w,
    extents[PIXVIEW_AXIS_C] = c;
    steps[PIXVIEW_AXIS_N] = sn, steps[PIXVIEW_AXIS_H] = sh, steps[PIXVIEW_AXIS_W] = sw,
    steps[PIXVIEW_AXIS_C] = sc;
    return true;
}

// What pixview_image_init does for nearly every image there is: a known dtype, not empty, N up to 2^10,
// the other extents up to 2^16, strides from 0 to 2^40 and an address below 2^62, so that nothing can
// overflow and every byte is in the address space. False, with *out as it was, for all others and for
// bad ones: pixviewi_image_init_general sees to them. A third of its instructions; a test compares the
// two. `itemsize`: pixview_dtype_size.
static PIXVIEWI_INLINE bool pixviewi_init_common(pixview_image *out, void *data,
                                                 const int64_t *shape, const int64_t *strides,
                                                 pixview_dtype dtype, int64_t itemsize,
                                                 pixview_device device, pixview_layout layout)
{
    uint64_t address = (uintptr_t)data;
    int64_t extents[4], steps[4];
    if (!pixviewi_canonical_axes(layout, shape, strides, extents, steps))
        return false;
    const int64_t n = extents[PIXVIEW_AXIS_N], h = extents[PIXVIEW_AXIS_H],
                  w = extents[PIXVIEW_AXIS_W], c = extents[PIXVIEW_AXIS_C];
    // Minus 1, so that 0 and negative extents are out as well, and NULL.
    uint64_t large = ((uint64_t)h - 1) | ((uint64_t)w - 1) | ((uint64_t)c - 1);
    if ((((uint64_t)n - 1) >> 10 | large >> 16 | (address - 1) >> 62) != 0 || itemsize == 0)
        return false;
    int64_t pixel = c * itemsize, row = w * pixel;
    int64_t sc = c == 1 ? itemsize : steps[PIXVIEW_AXIS_C];
    int64_t sw = w == 1 ? pixel : steps[PIXVIEW_AXIS_W];
    int64_t sh = h == 1 ? row : steps[PIXVIEW_AXIS_H];
    int64_t sn = n == 1 ? h * row : steps[PIXVIEW_AXIS_N];
    uint64_t strides_all = (uint64_t)(sn | sh | sw | sc);
    if ((strides_all >> 40) != 0 ||
        ((address | strides_all) & (uint64_t)(pixviewi_alignment(itemsize) - 1)) != 0)
        return false;
    out->shape[PIXVIEW_AXIS_N] = n, out->shape[PIXVIEW_AXIS_H] = h;
    out->shape[PIXVIEW_AXIS_W] = w, out->shape[PIXVIEW_AXIS_C] = c;
    out->strides[PIXVIEW_AXIS_N] = sn, out->strides[PIXVIEW_AXIS_H] = sh;
    out->strides[PIXVIEW_AXIS_W] = sw, out->strides[PIXVIEW_AXIS_C] = sc;
    out->data = data;
    out->dtype = dtype;
    out->device = device;
    out->flags = 0;
    out->stream = PIXVIEW_STREAM_LEGACY;
    out->owner = NULL;
    out->reserved = 0;
    return true;
}

// Everything else, and the only one that reports. `out` and `shape` are not NULL.
pixview_status pixviewi_image_init_general(pixview_image *out, void *data, int ndim,
                                           const int64_t *shape, const int64_t *strides,
                                           pixview_dtype dtype, pixview_device device,
                                           pixview_layout layout, pixview_error *err);

// pixview_image_init for memory that may not be aligned to the element. Such an image may be read a byte at
// a time and no other way: no other function here takes it.
pixview_status pixviewi_image_init_unaligned(pixview_image *out, void *data, int ndim,
                                             const int64_t *shape, const int64_t *strides,
                                             pixview_dtype dtype, pixview_device device,
                                             pixview_layout layout, pixview_error *err);
// Is it aligned? `layout`: the order in which the caller knows the axes, for the message.
pixview_status pixviewi_image_check_aligned(const pixview_image *image, pixview_layout layout,
                                            pixview_error *err);

// `ndim` is the rank of `layout`, or the layout none. `strides` may be NULL.
static PIXVIEWI_INLINE pixview_status pixviewi_image_init(pixview_image *out, void *data, int ndim,
                                                          const int64_t *shape,
                                                          const int64_t *strides,
                                                          pixview_dtype dtype, int64_t itemsize,
                                                          pixview_device device,
                                                          pixview_layout layout, pixview_error *err)
{
    assert(itemsize == pixview_dtype_size(dtype));
    if (strides && pixviewi_init_common(out, data, shape, strides, dtype, itemsize, device, layout))
        return PIXVIEW_OK;
    return pixviewi_image_init_general(out, data, ndim, shape, strides, dtype, device, layout, err);
}

#endif
