// SPDX-License-Identifier: Apache-2.0
// Memory that belongs to no framework: host memory, or stream-ordered memory of the driver.
#ifndef PV_BASE_PLAIN_MEMORY_H
#define PV_BASE_PLAIN_MEMORY_H

#include "base/state.h"

// nbytes of host memory (64-byte aligned), or of the GPU on `stream`, to which they go back. 0, or -1
// with the error.
int pv_allocate_bytes(pv_state *st, int64_t nbytes, pixview_device device, pixview_stream stream,
                      pixview_owner **owner, void **data);

// An image of shape and dtype of `like`, packed in `layout`, with an owner. `keep`, which may be NULL,
// keeps the stream alive.
int pv_allocate_plain(pv_state *st, const pixview_image *like, pixview_layout layout,
                      pixview_device device, pixview_stream stream, PyObject *keep,
                      pixview_image *out);

// Over memory at `data`: shape and dtype of `like`, packed in `layout`. The owner and stream of *out stay.
int pv_describe_packed(pv_state *st, const pixview_image *like, pixview_layout layout, void *data,
                       pixview_device device, pixview_image *out);

#endif
