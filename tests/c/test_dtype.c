// SPDX-License-Identifier: Apache-2.0
// Sizes, names and type strings of every type there is, and of many that there are not.
#include "harness.h"

static const struct {
    pixview_dtype dtype;
    int size;
    const char *name, *typestr;
} known[] = {
    {{PIXVIEW_DTYPE_BOOL, 8, 1}, 1, "bool", "|b1"},
    {{PIXVIEW_DTYPE_INT, 8, 1}, 1, "int8", "|i1"},
    {{PIXVIEW_DTYPE_INT, 16, 1}, 2, "int16", "<i2"},
    {{PIXVIEW_DTYPE_INT, 32, 1}, 4, "int32", "<i4"},
    {{PIXVIEW_DTYPE_INT, 64, 1}, 8, "int64", "<i8"},
    {{PIXVIEW_DTYPE_UINT, 8, 1}, 1, "uint8", "|u1"},
    {{PIXVIEW_DTYPE_UINT, 16, 1}, 2, "uint16", "<u2"},
    {{PIXVIEW_DTYPE_UINT, 32, 1}, 4, "uint32", "<u4"},
    {{PIXVIEW_DTYPE_UINT, 64, 1}, 8, "uint64", "<u8"},
    {{PIXVIEW_DTYPE_FLOAT, 16, 1}, 2, "float16", "<f2"},
    {{PIXVIEW_DTYPE_FLOAT, 32, 1}, 4, "float32", "<f4"},
    {{PIXVIEW_DTYPE_FLOAT, 64, 1}, 8, "float64", "<f8"},
    {{PIXVIEW_DTYPE_BFLOAT, 16, 1}, 2, "bfloat16", NULL},
    {{PIXVIEW_DTYPE_COMPLEX, 64, 1}, 8, "complex64", "<c8"},
    {{PIXVIEW_DTYPE_COMPLEX, 128, 1}, 16, "complex128", "<c16"},
};
enum { KNOWN = sizeof known / sizeof known[0] };

static void test_known(void)
{
    for (int i = 0; i < KNOWN; i++) {
        pixview_dtype parsed = {0};
        REQUIRE_INT(pixview_dtype_size(known[i].dtype), known[i].size);
        REQUIRE_TEXT(pixview_dtype_name(known[i].dtype), known[i].name);
        REQUIRE(pixview_dtype_parse(known[i].name, &parsed));
        REQUIRE(pixview_dtype_equal(parsed, known[i].dtype));
        if (!known[i].typestr) {
            REQUIRE(pixview_typestr(known[i].dtype) == NULL);
            continue;
        }
        REQUIRE_TEXT(pixview_typestr(known[i].dtype), known[i].typestr);
        parsed = (pixview_dtype){0};
        REQUIRE_OK(pixview_typestr_parse(known[i].typestr, &parsed, err));
        REQUIRE(pixview_dtype_equal(parsed, known[i].dtype));
    }
}

// Exactly the types above have a size: every code, every width, a few lane counts.
static void test_unknown(void)
{
    int sized = 0;
    for (int code = 0; code < 256; code++)
        for (int bits = 0; bits < 256; bits++) {
            pixview_dtype dtype = {(uint8_t)code, (uint8_t)bits, 1};
            sized += pixview_dtype_size(dtype) != 0;
            REQUIRE(pixview_dtype_size(dtype) == 0 || strcmp(pixview_dtype_name(dtype), "?") != 0);
        }
    REQUIRE_INT(sized, KNOWN);
    REQUIRE_INT(pixview_dtype_size((pixview_dtype){PIXVIEW_DTYPE_UINT, 8, 2}), 0);
    REQUIRE_INT(pixview_dtype_size((pixview_dtype){PIXVIEW_DTYPE_UINT, 8, 0}), 0);
    REQUIRE_TEXT(pixview_dtype_name((pixview_dtype){10, 8, 1}), "?");
    REQUIRE(pixview_typestr((pixview_dtype){10, 8, 1}) == NULL);
}

static void test_parse(void)
{
    pixview_dtype dtype = {9, 9, 9};
    REQUIRE(!pixview_dtype_parse("float", &dtype));
    REQUIRE(!pixview_dtype_parse("", &dtype));
    REQUIRE(!pixview_dtype_parse(NULL, &dtype));
    REQUIRE_OK(pixview_typestr_parse("=f4", &dtype, err));
    REQUIRE(pixview_dtype_equal(dtype, F32));
    REQUIRE_OK(pixview_typestr_parse("<u1", &dtype, err));
    REQUIRE(pixview_dtype_equal(dtype, U8));
    REQUIRE_OK(pixview_typestr_parse("|f4", &dtype, err)); // of decoders: the native order
    REQUIRE(pixview_dtype_equal(dtype, F32));
    REQUIRE_FAILS(PIXVIEW_E_DTYPE, "no byte order", pixview_typestr_parse("f4", &dtype, err));
    REQUIRE_FAILS(PIXVIEW_E_DTYPE, "'>f4'", pixview_typestr_parse(">f4", &dtype, err));
    static const char *const bad[] = {"",    "<",   "f4",   "|f3", "<f4 ",   "<f16",
                                      "<V2", "|S1", "<U1",  "|O8", "<M8[s]", "<i3",
                                      "<f1", "|b2", "<u16", "<c4", "<f4f4",  "<i128"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        REQUIRE_FAILS(PIXVIEW_E_DTYPE, bad[i], pixview_typestr_parse(bad[i], &dtype, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL", pixview_typestr_parse(NULL, &dtype, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL", pixview_typestr_parse("<f4", NULL, err));
    REQUIRE(pixview_dtype_equal(dtype, F32)); // as the last success left it
}

int main(void)
{
    test_known();
    test_unknown();
    test_parse();
    return 0;
}
