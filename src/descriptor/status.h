// How an error is reported.
#ifndef PIXVIEWI_STATUS_H
#define PIXVIEWI_STATUS_H

#include "pixview/pixview.h"

// By itself gcc inlines no function that has a pixview_error on its stack. On the path of every view.
#define PIXVIEWI_INLINE inline __attribute__((always_inline))

// Fills err (may be NULL) and returns code, so that a check is one line: `return pixviewi_fail(...)`.
__attribute__((cold, format(printf, 3, 4))) pixview_status pixviewi_fail(pixview_error *err,
                                                                         pixview_status code,
                                                                         const char *format, ...);

#endif
