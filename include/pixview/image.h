// SPDX-License-Identifier: Apache-2.0
// The one descriptor: an image in memory, wherever it lives and whoever owns it.
//
// Canonical order is N,H,W,C. The order of axes that a framework uses (its "layout") exists only
// at the edges: pixview_image_init reads one, pixview_image_axes writes one.
#ifndef PIXVIEW_IMAGE_H
#define PIXVIEW_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

// Element type in DLPack's codes (dlpack.h 1.3, DLDataType). lanes is always 1.
typedef struct pixview_dtype {
    uint8_t code;
    uint8_t bits;
    uint16_t lanes;
} pixview_dtype;

enum {
    PIXVIEW_DTYPE_INT = 0,
    PIXVIEW_DTYPE_UINT = 1,
    PIXVIEW_DTYPE_FLOAT = 2,
    PIXVIEW_DTYPE_BFLOAT = 4,
    PIXVIEW_DTYPE_COMPLEX = 5,
    PIXVIEW_DTYPE_BOOL = 6
};

// Device in DLPack's codes (dlpack.h 1.3, DLDevice).
typedef struct pixview_device {
    int32_t type;
    int32_t id;
} pixview_device;

enum {
    PIXVIEW_DEVICE_CPU = 1,
    PIXVIEW_DEVICE_CUDA = 2,
    PIXVIEW_DEVICE_CUDA_HOST = 3,    // pinned host memory
    PIXVIEW_DEVICE_CUDA_MANAGED = 13 // managed memory, id is the device it was made for
};

typedef enum pixview_layout {
    PIXVIEW_LAYOUT_NONE = 0,
    PIXVIEW_LAYOUT_HW,
    PIXVIEW_LAYOUT_CHW,
    PIXVIEW_LAYOUT_HWC,
    PIXVIEW_LAYOUT_NCHW,
    PIXVIEW_LAYOUT_NHWC
} pixview_layout;

enum {
    PIXVIEW_AXIS_N = 0,
    PIXVIEW_AXIS_H = 1,
    PIXVIEW_AXIS_W = 2,
    PIXVIEW_AXIS_C = 3
}; // index into shape and strides

enum { PIXVIEW_FLAG_READ_ONLY = 1u << 0 }; // pixview_image.flags

// A CUDA stream handle. 0 and 1 both mean the legacy default stream, 2 the per-thread one.
typedef uintptr_t pixview_stream;
#define PIXVIEW_STREAM_LEGACY ((pixview_stream)0)
#define PIXVIEW_STREAM_NONE   ((pixview_stream) - 1) // no ordering: the caller has seen to it

// Counted owner of memory. See pixview_owner_create.
typedef struct pixview_owner pixview_owner;

// Zeroed is not a valid image: fill it with pixview_image_init. Copying the struct copies no count.
typedef struct pixview_image {
    void *data;       // address of element (0,0,0,0), any byte offset applied; may be NULL if empty
    int64_t shape[4]; // N,H,W,C, each >= 0
    int64_t strides[4]; // BYTES; any sign, 0 allowed; meaningless where the extent is 1 or 0
    pixview_dtype dtype;
    pixview_device device;
    uint32_t flags;        // PIXVIEW_FLAG_READ_ONLY
    pixview_stream stream; // what was queued last on the memory is in this stream
    pixview_owner *owner;  // may be NULL: borrowed memory
    uint64_t reserved;     // must be 0
} pixview_image;

// Makes an owner with a count of one. `release(ctx)` runs exactly once, at the last unref, on
// whatever thread that happens.
//
// ctx       may be NULL.
// Memory:   *out is released with pixview_owner_unref. On failure *out is NULL and release is not called.
// Returns:  PIXVIEW_OK, PIXVIEW_E_INVALID (release or out is NULL), PIXVIEW_E_MEMORY
// Thread-safety: safe; ref and unref too.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_owner_create(void *ctx,
                                                                  void (*release)(void *ctx),
                                                                  pixview_owner **out,
                                                                  pixview_error *err);
PIXVIEW_API void pixview_owner_ref(pixview_owner *owner);   // NULL is allowed
PIXVIEW_API void pixview_owner_unref(pixview_owner *owner); // NULL is allowed

// Describes memory whose axes stand in the order `layout`.
//
// ndim      must be the rank of `layout` (2, 3 or 4).
// strides   BYTES; may be NULL: packed, row-major.
// data      may be NULL if an extent is 0.
// err       may be NULL, here and everywhere below. Written only on failure, and then always.
// Memory:   nothing is taken; out->owner is NULL and out->stream is PIXVIEW_STREAM_LEGACY.
// Returns:  PIXVIEW_OK
//           PIXVIEW_E_INVALID  out is NULL, or layout is not one of the enum
//           PIXVIEW_E_LAYOUT   rank, a negative extent, byte extents beyond int64, NULL data with extents above 0,
//                              or data or a stride that is not a multiple of the element's alignment
//           PIXVIEW_E_DTYPE    not a type of pixview_dtype_size
// Thread-safety: safe.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_image_init(
    pixview_image *out, void *data, int ndim, const int64_t *shape, const int64_t *strides,
    pixview_dtype dtype, pixview_device device, pixview_layout layout, pixview_error *err);

// Shape and strides (BYTES) of `image` with its axes in the order `layout`. shape and strides hold
// four entries; *ndim gets the rank. Axes of size 1 are added or dropped; strides of axes that the
// layout adds are those of a packed axis.
//
// Returns:  PIXVIEW_OK; PIXVIEW_E_LAYOUT if an axis longer than 1 would be dropped
// Thread-safety: safe.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_image_axes(const pixview_image *image,
                                                                pixview_layout layout, int *ndim,
                                                                int64_t *shape, int64_t *strides,
                                                                pixview_error *err);

// Checks every rule that pixview_image_init checks, for an image filled by hand or by a foreign producer.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_image_validate(const pixview_image *image,
                                                                    pixview_error *err);

// The rectangle of h rows and w columns at (y, x), all in pixels. The owner is not counted up.
// PIXVIEW_E_LAYOUT if it leaves the image. `out` may be `image`.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_image_crop(const pixview_image *image,
                                                                int64_t y, int64_t x, int64_t h,
                                                                int64_t w, pixview_image *out,
                                                                pixview_error *err);

PIXVIEW_API bool pixview_image_is_empty(const pixview_image *image); // an extent is 0
PIXVIEW_API int64_t
pixview_image_nbytes(const pixview_image *image); // of the elements, padding not counted
PIXVIEW_API bool pixview_image_on_host(const pixview_image *image); // CPU or pinned memory

// Are the pixels of one image interleaved, each row dense: C stride = itemsize, W stride = C * itemsize,
// row stride >= W * C * itemsize, N = 1? An OpenCV Mat or GpuMat can describe only this. If not, err
// names the broken rule (PIXVIEW_E_LAYOUT).
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_image_check_interleaved(const pixview_image *image, pixview_error *err);

// Is the image dense, C-contiguous in `layout`? Axes of size 1 never matter; an empty image is.
PIXVIEW_API bool pixview_image_is_packed(const pixview_image *image, pixview_layout layout);

// Do the two share a byte? Exact for crops and slices of one buffer. With unrelated strides it may be
// true where only the address ranges meet. Images on different devices never do, nor
// does NULL.
PIXVIEW_API bool pixview_image_overlaps(const pixview_image *a, const pixview_image *b);

// Layouts and dtypes by name. Unknown names: PIXVIEW_LAYOUT_NONE, false.
PIXVIEW_API pixview_layout pixview_layout_parse(const char *name);
PIXVIEW_API const char *pixview_layout_name(pixview_layout layout); // "" for NONE
PIXVIEW_API int pixview_layout_rank(pixview_layout layout);         // 0 for NONE

// Bytes of one element; 0 for a type that pixview does not know: signed and unsigned 8 to 64 bits,
// float 16 to 64, bfloat16, complex 64 and 128, bool.
PIXVIEW_API int64_t pixview_dtype_size(pixview_dtype dtype);
PIXVIEW_API const char *pixview_dtype_name(
    pixview_dtype dtype); // NumPy's name; "bfloat16"; "?" if unknown
PIXVIEW_API bool pixview_dtype_parse(const char *name, pixview_dtype *out);
PIXVIEW_API bool pixview_dtype_equal(pixview_dtype a, pixview_dtype b);

// Array interface typestr (NumPy's, as in the CUDA array interface 3), such as "|u1" and "<f4".
// Reading refuses big-endian, structured and unknown types (PIXVIEW_E_DTYPE, the string is named); '|' before
// several bytes is the native order.
// Writing: NULL for bfloat16, which has no typestr.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_typestr_parse(const char *typestr,
                                                                   pixview_dtype *out,
                                                                   pixview_error *err);
PIXVIEW_API const char *pixview_typestr(pixview_dtype dtype);

#ifdef __cplusplus
}
#endif

#endif
