// SPDX-License-Identifier: Apache-2.0
// Status names, and the one function that fills a pixview_error. Nothing here allocates or logs.
#include <stdarg.h>
#include <stdio.h>

#include "pixview/version.h"

#include "descriptor/status.h"

int32_t pixview_version(void)
{
    return PIXVIEW_VERSION_MAJOR * 10000 + PIXVIEW_VERSION_MINOR * 100 + PIXVIEW_VERSION_PATCH;
}

const char *pixview_status_name(pixview_status status)
{
    switch (status) {
    case PIXVIEW_OK:
        return "PIXVIEW_OK";
    case PIXVIEW_E_INVALID:
        return "PIXVIEW_E_INVALID";
    case PIXVIEW_E_LAYOUT:
        return "PIXVIEW_E_LAYOUT";
    case PIXVIEW_E_DTYPE:
        return "PIXVIEW_E_DTYPE";
    case PIXVIEW_E_DEVICE:
        return "PIXVIEW_E_DEVICE";
    case PIXVIEW_E_READONLY:
        return "PIXVIEW_E_READONLY";
    case PIXVIEW_E_UNSUPPORTED:
        return "PIXVIEW_E_UNSUPPORTED";
    case PIXVIEW_E_CUDA:
        return "PIXVIEW_E_CUDA";
    case PIXVIEW_E_MEMORY:
        return "PIXVIEW_E_MEMORY";
    case PIXVIEW_E_SHARE:
        return "PIXVIEW_E_SHARE";
    case PIXVIEW_E_TIMEOUT:
        return "PIXVIEW_E_TIMEOUT";
    default:
        return "PIXVIEW_E_?";
    }
}

#undef pixviewi_fail // for clang-tidy
pixview_status pixviewi_fail(pixview_error *err, pixview_status code, const char *format, ...)
{
    if (err) {
        err->code = code;
        err->driver_code = 0;
        va_list args;
        va_start(args, format);
        vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return code;
}
