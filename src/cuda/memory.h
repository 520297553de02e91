// SPDX-License-Identifier: Apache-2.0
// Device memory of our own, and rows to and from the host.
#ifndef PIXVIEWI_MEMORY_H
#define PIXVIEWI_MEMORY_H

#include "pixview/pixview.h"

// Stream-ordered device memory, freed on the same stream when the owner's count drops to zero.
pixview_status pixviewi_cuda_alloc(int device, int64_t nbytes, pixview_stream stream, void **data,
                                   pixview_owner **owner, pixview_error *err);

// Rows of `width` bytes. Kinds by the devices: one of the two is the host. `wait`: until they are there.
// Only after pixviewi_cuda_check_rows.
pixview_status pixviewi_cuda_copy_rows(int device, void *dst, int64_t dst_pitch, const void *src,
                                       int64_t src_pitch, int64_t width, int64_t rows, bool to_host,
                                       bool wait, pixview_stream stream, pixview_error *err);

// Host memory that the GPU reads by itself, so that a copy from it is under way when the call returns.
bool pixviewi_cuda_is_pinned(const void *ptr);

#endif
