// SPDX-License-Identifier: Apache-2.0
// pixview: one image in memory, many views of it.
//
// What holds everywhere:
//   - strides are in BYTES, extents in elements, streams are CUstream handles as integers;
//   - NULL is an error unless the comment says "may be NULL";
//   - functions that can fail return a pixview_status and write `err` (may be NULL) only on failure;
//   - `*out` is set to NULL, or left as it was for value structs, when a function fails;
//   - memory is borrowed unless the name ends in `_take`;
//   - nothing here logs, aborts, or needs CUDA, OpenCV or Python to be installed.
#ifndef PIXVIEW_PIXVIEW_H
#define PIXVIEW_PIXVIEW_H

#include "convert.h"
#include "copy.h"
#include "dlpack.h"
#include "image.h"
#include "placement.h"
#include "share.h"
#include "status.h"
#include "version.h"
#include "video.h"

#endif
