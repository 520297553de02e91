// SPDX-License-Identifier: Apache-2.0
// Copies between images of any layout, on the host, on a GPU, or between them.
#ifndef PIXVIEW_COPY_H
#define PIXVIEW_COPY_H

#include "image.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct pixview_copy_params {
    size_t struct_size; // sizeof(pixview_copy_params)
    pixview_stream
        stream; // queue for the work; 0: legacy default stream. Unused between host images
} pixview_copy_params;

// Copies `src` into `dst`; axes are matched by name (N, H, W, C), so a CHW source into an HWC
// destination interleaves.
//
// Shapes:   equal extents. Strides in BYTES; src strides may be 0 or negative, dst elements must not
//           overlap each other (a stride of 0 is refused), and src and dst must not overlap.
// dtypes:   equal on both sides; element size 1, 2, 4, 8 or 16. No value conversion.
// params    may be NULL (all defaults). Needs to live only until this function returns.
// err       may be NULL. Written only on failure, and then always.
// Memory:   src and dst are borrowed. Both must stay alive until `params->stream` has passed this work.
// Async:    between two images of one GPU: queues one kernel and neither waits nor allocates. To the
//           host: returns when the data is there. From the host: returns when src may be reused; but
//           from pinned memory with an owner at once: the owner is counted up until the copy is done
//           (a later pixview_copy lets go), and src must not be written before the stream has passed.
// Capture:  on the GPU, and rows from such pinned memory (with axes in another order they are staged);
//           other copies from or to the host are refused.
// Returns:  PIXVIEW_OK
//           PIXVIEW_E_INVALID      NULL, struct_size of another library, or PIXVIEW_STREAM_NONE
//           PIXVIEW_E_LAYOUT       extents differ, overlap, or a destination that overlaps itself
//           PIXVIEW_E_DTYPE        the dtypes differ
//           PIXVIEW_E_READONLY     dst is read-only
//           PIXVIEW_E_DEVICE       two different GPUs
//           PIXVIEW_E_UNSUPPORTED  pixview was built without kernels; a host-only build has none
//           PIXVIEW_E_MEMORY       no host memory to stage a copy between host and GPU
//           PIXVIEW_E_CUDA         the driver refused; dst is unspecified. Otherwise nothing was queued
// Thread-safety: safe, if no other thread writes dst or src.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_copy(const pixview_image *src,
                                                          const pixview_image *dst,
                                                          const pixview_copy_params *params,
                                                          pixview_error *err);

#ifdef __cplusplus
}
#endif

#endif
