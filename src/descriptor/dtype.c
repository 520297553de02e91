// Element types: size, name, equality. The table is the list of all types that pixview knows.
#include <string.h>

#include "descriptor/internal.h"

static const struct {
    pixview_dtype dtype;
    const char *name;
} known[] = {
    {{PIXVIEW_DTYPE_BOOL, 8, 1}, "bool"},
    {{PIXVIEW_DTYPE_UINT, 8, 1}, "uint8"},
    {{PIXVIEW_DTYPE_UINT, 16, 1}, "uint16"},
    {{PIXVIEW_DTYPE_UINT, 32, 1}, "uint32"},
    {{PIXVIEW_DTYPE_UINT, 64, 1}, "uint64"},
    {{PIXVIEW_DTYPE_INT, 8, 1}, "int8"},
    {{PIXVIEW_DTYPE_INT, 16, 1}, "int16"},
    {{PIXVIEW_DTYPE_INT, 32, 1}, "int32"},
    {{PIXVIEW_DTYPE_INT, 64, 1}, "int64"},
    {{PIXVIEW_DTYPE_FLOAT, 16, 1}, "float16"},
    {{PIXVIEW_DTYPE_FLOAT, 32, 1}, "float32"},
    {{PIXVIEW_DTYPE_FLOAT, 64, 1}, "float64"},
    {{PIXVIEW_DTYPE_BFLOAT, 16, 1}, "bfloat16"},
    {{PIXVIEW_DTYPE_COMPLEX, 64, 1}, "complex64"},
    {{PIXVIEW_DTYPE_COMPLEX, 128, 1}, "complex128"},
};
enum { KNOWN = sizeof known / sizeof known[0] };

// Sizes that each code may have, as a set of powers of two.
static const uint8_t sizes[8] = {
    [PIXVIEW_DTYPE_INT] = 1 | 2 | 4 | 8, [PIXVIEW_DTYPE_UINT] = 1 | 2 | 4 | 8,
    [PIXVIEW_DTYPE_FLOAT] = 2 | 4 | 8,   [PIXVIEW_DTYPE_BFLOAT] = 2,
    [PIXVIEW_DTYPE_COMPLEX] = 8 | 16,    [PIXVIEW_DTYPE_BOOL] = 1,
};

int64_t pixview_dtype_size(pixview_dtype dtype)
{
    // 8 to 128 bits with a single one set are the sizes 1 to 16.
    unsigned bits = dtype.bits;
    if (PIXVIEWI_UNLIKELY(dtype.lanes != 1 || dtype.code >= sizeof sizes ||
                          (bits & (bits - 1)) != 0))
        return 0;
    return sizes[dtype.code] & bits >> 3;
}

bool pixview_dtype_equal(pixview_dtype a, pixview_dtype b)
{
    return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}

const char *pixview_dtype_name(pixview_dtype dtype)
{
    for (int i = 0; i < KNOWN; i++)
        if (pixview_dtype_equal(known[i].dtype, dtype))
            return known[i].name;
    return "?";
}

bool pixview_dtype_parse(const char *name, pixview_dtype *out)
{
    for (int i = 0; name && i < KNOWN; i++)
        if (strcmp(known[i].name, name) == 0) {
            *out = known[i].dtype;
            return true;
        }
    return false;
}
