// SPDX-License-Identifier: Apache-2.0
// The one source of the version: the build, the Python package and `pixview doctor` read it here.
#ifndef PIXVIEW_VERSION_H
#define PIXVIEW_VERSION_H

#define PIXVIEW_VERSION_MAJOR 0
#define PIXVIEW_VERSION_MINOR 1
#define PIXVIEW_VERSION_PATCH 0

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

// The version of the library that runs, as MAJOR * 10000 + MINOR * 100 + PATCH; the macros are those of
// the header that was compiled with.
PIXVIEW_API int32_t pixview_version(void);

#ifdef __cplusplus
}
#endif

#endif
