// SPDX-License-Identifier: Apache-2.0
#include "share/handle.h"

#include <string.h>

#include "descriptor/overlap.h"
#include "share/ledger.h"

static const char MAGIC[8] = "pxvh\0\0\1"; // the last is the version

// FNV-1a.
static uint64_t checksum_of(const pixviewi_handle *handle)
{
    const unsigned char *at = (const unsigned char *)&handle->process;
    const unsigned char *end = (const unsigned char *)(handle + 1);
    uint64_t sum = 14695981039346656037u;
    for (; at < end; at++)
        sum = (sum ^ *at) * 1099511628211u;
    return sum;
}

void pixviewi_handle_seal(pixviewi_handle *handle, uint8_t bytes[PIXVIEW_HANDLE_BYTES])
{
    memcpy(handle->magic, MAGIC, sizeof MAGIC);
    handle->checksum = checksum_of(handle);
    memset(bytes, 0, PIXVIEW_HANDLE_BYTES);
    memcpy(bytes, handle, sizeof *handle);
}

pixview_image pixviewi_handle_image(const pixviewi_handle *handle, void *base, int device)
{
    bool host = handle->kind == PIXVIEWI_SEGMENT_HOST;
    pixview_image image = {
        .data = base ? (char *)base + handle->offset : NULL,
        .dtype = handle->dtype,
        .device = {host ? PIXVIEW_DEVICE_CPU : PIXVIEW_DEVICE_CUDA, host ? 0 : device},
        .flags = handle->flags,
    };
    memcpy(image.shape, handle->shape, sizeof image.shape);
    memcpy(image.strides, handle->strides, sizeof image.strides);
    return image;
}

// As if the segment began at an address where nothing can wrap.
static bool is_inside(const pixviewi_handle *handle)
{
    char *base = (char *)((uintptr_t)1 << 62);
    if (handle->segment_size <= 0 || handle->segment_size > (int64_t)1 << 60 ||
        handle->offset < 0 || handle->offset > handle->segment_size)
        return false;
    pixview_image image = pixviewi_handle_image(handle, base, 0);
    if (pixview_image_validate(&image, NULL) != PIXVIEW_OK)
        return false;
    pixviewi_range range = pixviewi_image_range(&image);
    return range.low >= (uintptr_t)base &&
           range.beyond <= (uintptr_t)base + (uintptr_t)handle->segment_size;
}

static bool is_in_range(const pixviewi_handle *handle)
{
    if (handle->kind < PIXVIEWI_SEGMENT_HOST || handle->kind > PIXVIEWI_SEGMENT_IPC ||
        handle->layout > PIXVIEW_LAYOUT_NHWC || handle->flags & ~(unsigned)PIXVIEW_FLAG_READ_ONLY)
        return false;
    if (!handle->segment) {
        pixview_image image = pixviewi_handle_image(handle, NULL, 0);
        return pixview_image_validate(&image, NULL) == PIXVIEW_OK;
    }
    return handle->entry < PIXVIEWI_ENTRIES && handle->slot < PIXVIEWI_SEGMENTS &&
           (handle->ticket < PIXVIEWI_TICKETS || handle->ticket == PIXVIEWI_NO_TICKET) &&
           is_inside(handle);
}

pixview_status pixviewi_handle_read(const void *bytes, size_t size, pixviewi_handle *out,
                                    pixview_error *err)
{
    if (!bytes || size != PIXVIEW_HANDLE_BYTES)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "a handle has %d bytes, not %zu",
                             PIXVIEW_HANDLE_BYTES, bytes ? size : 0);
    memcpy(out, bytes, sizeof *out);
    if (memcmp(out->magic, MAGIC, sizeof MAGIC) != 0)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "these bytes are no handle of this version of pixview; both processes "
                             "need the same");
    if (out->checksum != checksum_of(out) || !is_in_range(out))
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "the handle is damaged; send it again");
    return PIXVIEW_OK;
}
