// Status codes and the caller-owned error struct.
#ifndef PIXVIEW_STATUS_H
#define PIXVIEW_STATUS_H

#include <stdint.h>

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
    PIXVIEW_E_LAYOUT = -2,   // shape, strides or layout cannot be described or viewed as asked
    PIXVIEW_E_DTYPE = -3,    // the element type has no equal on the other side
    PIXVIEW_E_DEVICE = -4,   // the memory is on another device than the call needs
    PIXVIEW_E_READONLY = -5, // a writable result was asked of read-only memory
    PIXVIEW_E_UNSUPPORTED = -6, // the object or protocol is not one that pixview knows
    PIXVIEW_E_CUDA = -7,        // the driver refused; pixview_error.driver_code holds the CUresult
    PIXVIEW_E_MEMORY = -8       // out of host memory
};

typedef struct pixview_error {
    pixview_status code;
    int32_t driver_code; // CUresult when code is PIXVIEW_E_CUDA, else 0
    char message[248];   // names the value, the limit and the fix; always terminated
} pixview_error;

// Name of a status, such as "PIXVIEW_E_LAYOUT". Never NULL; "PIXVIEW_E_?" for an unknown code.
PIXVIEW_API const char *pixview_status_name(pixview_status status);

#ifdef __cplusplus
}
#endif

#endif
