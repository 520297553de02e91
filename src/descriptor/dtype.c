// SPDX-License-Identifier: Apache-2.0
// Element types: size, name, equality, type strings.
#include "descriptor/dtype.h"

#include <string.h>

#include "descriptor/status.h"

#define ROW(code, bits, name, typestr, format, depth) \
    {{PIXVIEW_DTYPE_##code, bits, 1}, name, typestr, format, depth},
const pixviewi_dtype_row pixviewi_dtypes[] = {PIXVIEWI_DTYPES(ROW)};
#undef ROW

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
    if (dtype.lanes != 1 || dtype.code >= sizeof sizes || (bits & (bits - 1)) != 0)
        return 0;
    return sizes[dtype.code] & bits >> 3;
}

bool pixview_dtype_equal(pixview_dtype a, pixview_dtype b)
{
    return a.code == b.code && a.bits == b.bits && a.lanes == b.lanes;
}

const pixviewi_dtype_row *pixviewi_dtype_find(pixview_dtype dtype)
{
    for (int i = 0; i < PIXVIEWI_DTYPE_COUNT; i++)
        if (pixview_dtype_equal(pixviewi_dtypes[i].dtype, dtype))
            return &pixviewi_dtypes[i];
    return NULL;
}

const char *pixview_dtype_name(pixview_dtype dtype)
{
    const pixviewi_dtype_row *row = pixviewi_dtype_find(dtype);
    return row ? row->name : "?";
}

bool pixview_dtype_parse(const char *name, pixview_dtype *out)
{
    for (int i = 0; name && i < PIXVIEWI_DTYPE_COUNT; i++)
        if (strcmp(pixviewi_dtypes[i].name, name) == 0) {
            *out = pixviewi_dtypes[i].dtype;
            return true;
        }
    return false;
}

// ---- NumPy's type strings: order, kind, bytes ("<f4") -------------------------------------------

// '|' says that the order does not matter. Decoders write it for several bytes as well: native, then.
static bool order_fits(char order) { return order == '<' || order == '=' || order == '|'; }

pixview_status pixview_typestr_parse(const char *typestr, pixview_dtype *out, pixview_error *err)
{
    if (!typestr || !out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "typestr or out is NULL");
    for (int i = 0; typestr[0] && i < PIXVIEWI_DTYPE_COUNT; i++) {
        const pixviewi_dtype_row *row = &pixviewi_dtypes[i];
        if (row->typestr && strcmp(row->typestr + 1, typestr + 1) == 0 && order_fits(typestr[0])) {
            *out = row->dtype;
            return PIXVIEW_OK;
        }
    }
    if (typestr[0] == '>')
        return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                             "typestr '%.40s' is big-endian; convert it to the native byte order",
                             typestr);
    for (int i = 0; i < PIXVIEWI_DTYPE_COUNT; i++)
        if (pixviewi_dtypes[i].typestr && strcmp(pixviewi_dtypes[i].typestr + 1, typestr) == 0)
            return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                                 "typestr '%s' has no byte order; write '<%s' for little-endian",
                                 typestr, typestr);
    return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                         "typestr '%.40s' is no byte order (<, = or |) and one of b1, i1 to i8, u1 "
                         "to u8, f2 to f8, c8, c16",
                         typestr);
}

const char *pixview_typestr(pixview_dtype dtype)
{
    const pixviewi_dtype_row *row = pixviewi_dtype_find(dtype);
    return row ? row->typestr : NULL;
}
