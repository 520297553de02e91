// SPDX-License-Identifier: Apache-2.0
#ifndef PIXVIEWI_SHARE_POOL_H
#define PIXVIEWI_SHARE_POOL_H

#include "pixview/pixview.h"

// A copy of `image` in memory of its own that can be shared, dense in `layout` (which has its axes), on its stream.
// The caller's to release.
pixview_status pixviewi_pool_copy_alone(const pixview_image *image, pixview_layout layout,
                                        pixview_image *out, pixview_error *err);

#endif
