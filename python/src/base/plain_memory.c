// SPDX-License-Identifier: Apache-2.0
#include "base/plain_memory.h"

#include <assert.h>
#include <stdlib.h>

#include "base/errors.h"
#include "base/pyref.h"
#include "cuda/memory.h"
#include "descriptor/owner.h"

static void free_plain(pixview_owner *owner) { free(*(void **)pixviewi_owner_held(owner)); }

static int allocate_host(int64_t nbytes, pixview_owner **owner, void **data)
{
    *owner = pixviewi_owner_new(free_plain);
    if (!*owner || posix_memalign(data, 64, nbytes > 0 ? (size_t)nbytes : 1) != 0) {
        PyErr_Format(PyExc_MemoryError, "no host memory for %lld bytes", (long long)nbytes);
        return -1;
    }
    *(void **)pixviewi_owner_held(*owner) = *data;
    return 0;
}

int pv_allocate_bytes(pv_state *st, int64_t nbytes, pixview_device device, pixview_stream stream,
                      pixview_owner **owner, void **data)
{
    if (device.type == PIXVIEW_DEVICE_CPU)
        return allocate_host(nbytes, owner, data);
    if (stream == PIXVIEW_STREAM_NONE) // the source is ordered already, but memory needs a stream
        stream = PIXVIEW_STREAM_LEGACY;
    if (!pixviewi_cuda_alloc(device.id, nbytes, stream, data, owner, &st->error))
        return 0;
    return pv_fail(st);
}

int pv_describe_packed(pv_state *st, const pixview_image *like, pixview_layout layout, void *data,
                       pixview_device device, pixview_image *out)
{
    int ndim;
    int64_t shape[4], strides[4];
    pixview_owner *owner = out->owner;
    pixview_stream stream = out->stream;
    pixview_status status = pixview_image_axes(like, layout, &ndim, shape, strides, &st->error);
    if (status == PIXVIEW_OK)
        status = pixview_image_init(out, data, ndim, shape, NULL, like->dtype, device, layout,
                                    &st->error);
    out->owner = owner;
    out->stream = stream;
    if (status == PIXVIEW_OK)
        return 0;
    return pv_fail(st);
}

int pv_allocate_plain(pv_state *st, const pixview_image *like, pixview_layout layout,
                      pixview_device device, pixview_stream stream, PyObject *keep,
                      pixview_image *out)
{
    pixview_image made = {.owner = NULL, .stream = stream};
    void *data = NULL;
    if (device.type == PIXVIEW_DEVICE_CUDA_MANAGED) // a copy of managed memory is not managed
        device.type = PIXVIEW_DEVICE_CUDA;
    if (pv_allocate_bytes(st, pixview_image_nbytes(like), device, stream, &made.owner, &data) ||
        pv_describe_packed(st, like, layout, data, device, &made) ||
        // Memory of a GPU goes back to its stream.
        (keep && device.type != PIXVIEW_DEVICE_CPU && made.owner &&
         pv_pyref_keep(made.owner, keep))) {
        pixview_owner_unref(made.owner);
        return -1;
    }
    assert(made.device.type == device.type);
    *out = made;
    return 0;
}
