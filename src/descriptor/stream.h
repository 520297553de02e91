// SPDX-License-Identifier: Apache-2.0
// Stream handles as numbers. CUDA has two numbers for the legacy default stream, 0 and 1, and one for the
// calling thread's default stream, 2.
#ifndef PIXVIEWI_STREAM_H
#define PIXVIEWI_STREAM_H

#include "pixview/pixview.h"

#define PIXVIEWI_STREAM_CUDA_LEGACY     ((pixview_stream)1) // CU_STREAM_LEGACY
#define PIXVIEWI_STREAM_CUDA_PER_THREAD ((pixview_stream)2) // CU_STREAM_PER_THREAD

static inline bool pixviewi_stream_is_legacy(pixview_stream stream)
{
    return stream == PIXVIEW_STREAM_LEGACY || stream == PIXVIEWI_STREAM_CUDA_LEGACY;
}

// Equal for two handles of one stream.
static inline pixview_stream pixviewi_stream_normalize(pixview_stream stream)
{
    return pixviewi_stream_is_legacy(stream) ? PIXVIEW_STREAM_LEGACY : stream;
}

static inline bool pixviewi_stream_same(pixview_stream a, pixview_stream b)
{
    return pixviewi_stream_normalize(a) == pixviewi_stream_normalize(b);
}

// The per-thread stream is another one on the thread that releases. The legacy stream, which waits for it,
// stands in.
static inline pixview_stream pixviewi_stream_on_any_thread(pixview_stream stream)
{
    return stream == PIXVIEWI_STREAM_CUDA_PER_THREAD ? PIXVIEW_STREAM_LEGACY : stream;
}

#endif
