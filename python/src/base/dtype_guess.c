// SPDX-License-Identifier: Apache-2.0
// What somebody means by the name of an element type that is none of ours: for messages alone.

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/dtypes.h"

// "u8" and "i8" count bytes to NumPy and bits to others.
static const struct {
    const char *name, *meant;
} nicknames[] = {
    {"float", "'float32' or 'float64'?"},
    {"int", "'int32' or 'int64'?"},
    {"u8", "'uint8', or NumPy's u8, 'uint64'?"},
    {"i8", "'int8', or NumPy's i8, 'int64'?"},
    {"half", "'float16'?"},
    {"double", "'float64'?"},
    {"long", "'int64'?"},
    {"byte", "'uint8'?"},
    {"bf16", "'bfloat16'?"},
};

// A letter and a number of bytes or bits: "f4", "f32", "u1", "u16".
static bool short_name(const char *text, pixview_dtype *out)
{
    static const char letters[] = "iuf"; // in the order of DLPack's codes
    const char *letter = *text ? strchr(letters, *text) : NULL;
    if (!letter || !isdigit((unsigned char)text[1]))
        return false;
    char *end;
    unsigned long size = strtoul(text + 1, &end, 10);
    if (*end || size > 64)
        return false;
    uint8_t bits = (uint8_t)(size <= 8 ? 8 * size : size);
    *out = (pixview_dtype){(uint8_t)(letter - letters), bits, 1};
    return pixview_dtype_size(*out) > 0;
}

void pv_guess_dtype(const char *text, char *out, size_t n)
{
    char name[16];
    size_t length = 0;
    pixview_dtype dtype;
    text += *text && strchr("<>=|!", *text); // a byte order, as in a typestr
    for (; text[length] && length < sizeof name - 1; length++)
        name[length] = (char)tolower((unsigned char)text[length]);
    name[length] = *out = '\0';
    if (text[length])
        return;
    if (pixview_dtype_parse(name, &dtype) || short_name(name, &dtype))
        snprintf(out, n, "'%s'?", pixview_dtype_name(dtype));
    for (size_t i = 0; i < sizeof nicknames / sizeof *nicknames; i++)
        if (strcmp(nicknames[i].name, name) == 0)
            snprintf(out, n, "%s", nicknames[i].meant);
}
