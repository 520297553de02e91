// NumPy's type strings, as the array interfaces carry them: order, kind, bytes ("<f4").
//
// bfloat16 has none: ml_dtypes writes it as "<V2", which any two opaque bytes are as well.
#include <string.h>

#include "descriptor/internal.h"

static const struct {
    char text[5];
    pixview_dtype dtype;
} known[] = {
    {"|b1", {PIXVIEW_DTYPE_BOOL, 8, 1}},     {"|u1", {PIXVIEW_DTYPE_UINT, 8, 1}},
    {"<u2", {PIXVIEW_DTYPE_UINT, 16, 1}},    {"<u4", {PIXVIEW_DTYPE_UINT, 32, 1}},
    {"<u8", {PIXVIEW_DTYPE_UINT, 64, 1}},    {"|i1", {PIXVIEW_DTYPE_INT, 8, 1}},
    {"<i2", {PIXVIEW_DTYPE_INT, 16, 1}},     {"<i4", {PIXVIEW_DTYPE_INT, 32, 1}},
    {"<i8", {PIXVIEW_DTYPE_INT, 64, 1}},     {"<f2", {PIXVIEW_DTYPE_FLOAT, 16, 1}},
    {"<f4", {PIXVIEW_DTYPE_FLOAT, 32, 1}},   {"<f8", {PIXVIEW_DTYPE_FLOAT, 64, 1}},
    {"<c8", {PIXVIEW_DTYPE_COMPLEX, 64, 1}}, {"<c16", {PIXVIEW_DTYPE_COMPLEX, 128, 1}},
};
enum { KNOWN = sizeof known / sizeof known[0] };

static bool order_fits(char order, int64_t size)
{
    return order == '<' || order == '=' || (order == '|' && size == 1);
}

pixview_status pixview_typestr_parse(const char *typestr, pixview_dtype *out, pixview_error *err)
{
    if (!typestr || !out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "typestr or out is NULL");
    for (int i = 0; i < KNOWN; i++)
        if (typestr[0] && strcmp(known[i].text + 1, typestr + 1) == 0 &&
            order_fits(typestr[0], pixview_dtype_size(known[i].dtype))) {
            *out = known[i].dtype;
            return PIXVIEW_OK;
        }
    if (typestr[0] == '>')
        return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                             "typestr '%.40s' is big-endian; convert it to the native byte order",
                             typestr);
    return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                         "typestr '%.40s' is none of b1, i1 to i8, u1 to u8, f2 to f8, c8, c16",
                         typestr);
}

const char *pixview_typestr(pixview_dtype dtype)
{
    for (int i = 0; i < KNOWN; i++)
        if (pixview_dtype_equal(known[i].dtype, dtype))
            return known[i].text;
    return NULL;
}
