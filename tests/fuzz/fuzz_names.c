// SPDX-License-Identifier: Apache-2.0
// Layouts, element types and type strings by name: what is read is written the same, all else is refused.
#include "descriptor/dtype.h"
#include "fuzz.h"

static void check_layout(const char *text)
{
    pixview_layout layout = pixview_layout_parse(text);
    bool known = false;
    for (int i = PIXVIEW_LAYOUT_HW; i <= PIXVIEW_LAYOUT_NHWC; i++)
        known |= strcmp(pixview_layout_name((pixview_layout)i), text) == 0;
    REQUIRE_INT(layout != PIXVIEW_LAYOUT_NONE, known);
    if (known)
        REQUIRE_TEXT(pixview_layout_name(layout), text);
    REQUIRE_INT(pixview_layout_rank(layout), known ? (int)strlen(text) : 0);
}

static void check_dtype(const char *text)
{
    pixview_dtype dtype;
    bool known = false;
    for (int i = 0; i < PIXVIEWI_DTYPE_COUNT; i++)
        known |= strcmp(pixviewi_dtypes[i].name, text) == 0;
    REQUIRE_INT(pixview_dtype_parse(text, &dtype), known);
    if (known)
        REQUIRE_TEXT(pixview_dtype_name(dtype), text);
}

static void check_typestr(const char *text)
{
    pixview_dtype dtype;
    pixview_error error;
    pixview_status status = pixview_typestr_parse(text, &dtype, &error);
    REQUIRE_INT(pixview_typestr_parse(text, &dtype, NULL), status);
    if (status != PIXVIEW_OK) {
        REQUIRE_INT(status, PIXVIEW_E_DTYPE);
        require_failed(status, &error);
        return;
    }
    const char *written = pixview_typestr(dtype);
    REQUIRE_TEXT(written + 1, text + 1);
    REQUIRE(text[0] == '<' || text[0] == '=' || text[0] == '|');
    REQUIRE_INT(pixview_dtype_size(dtype), atoi(text + 2));
}

// Any three numbers.
static void check_codes(fuzz_input *in)
{
    pixview_dtype dtype = {take_byte(in), take_byte(in), (uint16_t)take_word(in)}, again;
    bool known = pixviewi_dtype_find(dtype) != NULL;
    REQUIRE_INT(pixview_dtype_size(dtype), known ? dtype.bits / 8 : 0);
    REQUIRE_INT(strcmp(pixview_dtype_name(dtype), "?") != 0, known);
    if (known)
        REQUIRE(pixview_dtype_parse(pixview_dtype_name(dtype), &again) &&
                pixview_dtype_equal(dtype, again));
    int layout = (int)take_number(in);
    bool listed = layout >= PIXVIEW_LAYOUT_HW && layout <= PIXVIEW_LAYOUT_NHWC;
    REQUIRE_INT(pixview_layout_rank((pixview_layout)layout) != 0, listed);
    REQUIRE_INT(pixview_layout_name((pixview_layout)layout)[0] != 0, listed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, data + size};
    char *text = malloc(size + 1); // exactly as long as the input
    REQUIRE(text);
    memcpy(text, data, size);
    text[size] = 0;
    check_layout(text);
    check_dtype(text);
    check_typestr(text);
    check_codes(&in);
    free(text);
    return 0;
}
