// SPDX-License-Identifier: Apache-2.0
// Status codes and the caller-owned error struct.
#ifndef PIXVIEW_STATUS_H
#define PIXVIEW_STATUS_H

#include <stdint.h>

#if UINTPTR_MAX != 0xffffffffffffffff
#error "pixview needs a 64-bit system: CUDA has no other"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if defined(PIXVIEW_STATIC)
#define PIXVIEW_API __attribute__((visibility("hidden")))
#else
#define PIXVIEW_API __attribute__((visibility("default")))
#endif
#define PIXVIEW_NODISCARD __attribute__((warn_unused_result))

typedef int32_t pixview_status;

enum {
    PIXVIEW_OK = 0,
    PIXVIEW_E_INVALID = -1,  // an argument that no caller should pass (NULL, reserved field not 0)
    PIXVIEW_E_LAYOUT = -2,   // the result cannot have this shape, these strides or this axis order
    PIXVIEW_E_DTYPE = -3,    // the other side has no such element type, or a different one
    PIXVIEW_E_DEVICE = -4,   // the memory is on a device that the call cannot use
    PIXVIEW_E_READONLY = -5, // a writable result of read-only memory
    PIXVIEW_E_UNSUPPORTED = -6, // pixview does not support this object or protocol
    PIXVIEW_E_CUDA = -7,        // a driver call failed; pixview_error.driver_code is the CUresult
    PIXVIEW_E_MEMORY = -8,      // out of host memory
    PIXVIEW_E_SHARE =
        -9, // an image of another process that cannot be opened, or none can be shared
    PIXVIEW_E_TIMEOUT = -10 // nothing came in the time that was given
};

typedef struct pixview_error {
    pixview_status code;
    int32_t driver_code; // CUresult when code is PIXVIEW_E_CUDA, else 0
    char message[248];   // states the value, the limit and the fix; always terminated
} pixview_error;

// Name of a status, such as "PIXVIEW_E_LAYOUT". Never NULL; "PIXVIEW_E_?" for an unknown code.
PIXVIEW_API const char *pixview_status_name(pixview_status status);

#ifdef __cplusplus
}
#endif

#endif
