// SPDX-License-Identifier: Apache-2.0
// The element types that pixview knows: this list is the only one.
#ifndef PIXVIEWI_DTYPE_H
#define PIXVIEWI_DTYPE_H

#include "pixview/pixview.h"

// X(code, bits, name, typestr of the array interfaces, format of the buffer protocol (PEP 3118, with
// NumPy's Zf and Zd), OpenCV's depth; those from 8 on exist in OpenCV 5 only). NULL and -1: none.
// bfloat16 has no typestr: ml_dtypes writes it as "<V2", which any two opaque bytes are as well.
#define PIXVIEWI_DTYPES(X)                       \
    X(BOOL, 8, "bool", "|b1", "?", 9)            \
    X(UINT, 8, "uint8", "|u1", "B", 0)           \
    X(UINT, 16, "uint16", "<u2", "H", 2)         \
    X(UINT, 32, "uint32", "<u4", "I", 12)        \
    X(UINT, 64, "uint64", "<u8", "Q", 10)        \
    X(INT, 8, "int8", "|i1", "b", 1)             \
    X(INT, 16, "int16", "<i2", "h", 3)           \
    X(INT, 32, "int32", "<i4", "i", 4)           \
    X(INT, 64, "int64", "<i8", "q", 11)          \
    X(FLOAT, 16, "float16", "<f2", "e", 7)       \
    X(FLOAT, 32, "float32", "<f4", "f", 5)       \
    X(FLOAT, 64, "float64", "<f8", "d", 6)       \
    X(BFLOAT, 16, "bfloat16", NULL, NULL, 8)     \
    X(COMPLEX, 64, "complex64", "<c8", "Zf", -1) \
    X(COMPLEX, 128, "complex128", "<c16", "Zd", -1)

typedef struct pixviewi_dtype_row {
    pixview_dtype dtype;
    const char *name, *typestr, *format;
    int opencv_depth;
} pixviewi_dtype_row;

#define PIXVIEWI_COUNT_DTYPE(...) +1
enum { PIXVIEWI_DTYPE_COUNT = 0 PIXVIEWI_DTYPES(PIXVIEWI_COUNT_DTYPE) };
#undef PIXVIEWI_COUNT_DTYPE

extern const pixviewi_dtype_row pixviewi_dtypes[PIXVIEWI_DTYPE_COUNT]
    __attribute__((visibility("hidden")));

// Its row in that table; NULL if pixview does not know it.
const pixviewi_dtype_row *pixviewi_dtype_find(pixview_dtype dtype);

#endif
