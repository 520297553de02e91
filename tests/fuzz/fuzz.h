// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share: numbers read from the input, most of them such as lie at an edge. An input
// that has ended gives zeros.
#ifndef FUZZ_H
#define FUZZ_H

#include "harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct fuzz_input {
    const uint8_t *at, *end;
} fuzz_input;

static inline uint8_t take_byte(fuzz_input *in) { return in->at < in->end ? *in->at++ : 0; }

// 0 .. count - 1
static inline int take_choice(fuzz_input *in, int count) { return take_byte(in) % count; }

static inline uint64_t take_word(fuzz_input *in)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word |= (uint64_t)take_byte(in) << (8 * i);
    return word;
}

// Small, or near a power of two, of either sign, or any.
static inline int64_t take_number(fuzz_input *in)
{
    uint8_t kind = take_byte(in);
    if (kind < 0xa0)
        return (int64_t)kind - 0x10;
    if (kind == 0xff)
        return (int64_t)take_word(in);
    uint64_t power = 1ull << (kind % 64);
    uint64_t near = power + (uint64_t)(int8_t)take_byte(in);
    return (int64_t)(kind & 1 ? near : 0 - near);
}

static inline pixview_layout take_layout(fuzz_input *in)
{
    return (pixview_layout)(PIXVIEW_LAYOUT_HW + take_choice(in, 5));
}

// One that pixview knows, seldom another.
static inline pixview_dtype take_dtype(fuzz_input *in)
{
    static const pixview_dtype known[] = {{6, 8, 1},  {1, 8, 1},   {1, 16, 1}, {1, 32, 1},
                                          {1, 64, 1}, {0, 8, 1},   {0, 16, 1}, {0, 32, 1},
                                          {0, 64, 1}, {2, 16, 1},  {2, 32, 1}, {2, 64, 1},
                                          {4, 16, 1}, {5, 128, 1}, {5, 64, 1}};
    uint8_t which = take_byte(in);
    if (which == 0xff)
        return (pixview_dtype){take_byte(in), take_byte(in), take_byte(in)};
    return known[which % 15];
}

// Every failure has a code and a text that ends.
static inline void require_failed(pixview_status status, const pixview_error *err)
{
    REQUIRE_INT(err->code, status);
    REQUIRE(err->message[0] && memchr(err->message, 0, sizeof err->message));
}

#endif
