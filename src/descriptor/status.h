// SPDX-License-Identifier: Apache-2.0
// How an error is reported.
#ifndef PIXVIEWI_STATUS_H
#define PIXVIEWI_STATUS_H

#include "descriptor/base.h"
#include "pixview/pixview.h"

// Fills err (may be NULL) and returns code, so that a check is one line: `return pixviewi_fail(...)`.
__attribute__((cold, format(printf, 3, 4))) pixview_status pixviewi_fail(pixview_error *err,
                                                                         pixview_status code,
                                                                         const char *format, ...);

// clang-tidy does not look into another file, and would follow paths where a failure is PIXVIEW_OK.
#ifdef __clang_analyzer__
#define pixviewi_fail(err, code, ...) (pixviewi_fail(err, code, __VA_ARGS__), code)
#endif

#endif
