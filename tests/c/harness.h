// SPDX-License-Identifier: Apache-2.0
// Plain asserts that print both values and end the test. A test is a program: 0 passed, 77 skipped.
#ifndef HARNESS_H
#define HARNESS_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor/dlpack.h"
#include "descriptor/image.h"
#include "descriptor/owner.h"
#include "descriptor/stream.h"

#define FAIL(...)                                       \
    do {                                                \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
        fprintf(stderr, __VA_ARGS__);                   \
        fputc('\n', stderr);                            \
        abort();                                        \
    } while (0)

#define REQUIRE(condition)          \
    do {                            \
        if (!(condition))           \
            FAIL("%s", #condition); \
    } while (0)

#define REQUIRE_INT(got, wanted)                                          \
    do {                                                                  \
        int64_t got_ = (int64_t)(got), wanted_ = (int64_t)(wanted);       \
        if (got_ != wanted_)                                              \
            FAIL("%s is %" PRId64 ", not %" PRId64, #got, got_, wanted_); \
    } while (0)

#define REQUIRE_PTR(got, wanted)                           \
    do {                                                   \
        const void *got_ = (got), *wanted_ = (wanted);     \
        if (got_ != wanted_)                               \
            FAIL("%s is %p, not %p", #got, got_, wanted_); \
    } while (0)

#define REQUIRE_TEXT(got, wanted)                                  \
    do {                                                           \
        const char *got_ = (got), *wanted_ = (wanted);             \
        if (strcmp(got_, wanted_) != 0)                            \
            FAIL("%s is \"%s\", not \"%s\"", #got, got_, wanted_); \
    } while (0)

#define REQUIRE_HAS(text, part)                               \
    do {                                                      \
        const char *text_ = (text), *part_ = (part);          \
        if (!strstr(text_, part_))                            \
            FAIL("\"%s\" does not say \"%s\"", text_, part_); \
    } while (0)

// The call sees `err` as a fresh pixview_error *. Success must leave it alone.
#define REQUIRE_OK(call)                                                             \
    do {                                                                             \
        pixview_error error_ = {.code = 12345}, *err = &error_;                      \
        pixview_status status_ = (call);                                             \
        (void)err;                                                                   \
        if (status_ != PIXVIEW_OK)                                                   \
            FAIL("%s: %s: %s", #call, pixview_status_name(status_), error_.message); \
        if (error_.code != 12345)                                                    \
            FAIL("%s: wrote err on success", #call);                                 \
    } while (0)

// Failure must fill it; `part` is in the message. A NULL err has to be survived as well.
#define REQUIRE_FAILS(wanted, part, call)                                             \
    do {                                                                              \
        pixview_error error_ = {.code = 12345}, *err = &error_;                       \
        pixview_status status_ = (call);                                              \
        if (status_ != (wanted) || error_.code != (wanted))                           \
            FAIL("%s: %s (err: %s: %s), not %s", #call, pixview_status_name(status_), \
                 pixview_status_name(error_.code), error_.message, #wanted);          \
        if (!error_.message[0] || !memchr(error_.message, 0, sizeof error_.message))  \
            FAIL("%s: empty or endless message", #call);                              \
        if ((error_.driver_code != 0) && status_ != PIXVIEW_E_CUDA)                   \
            FAIL("%s: driver_code is %d", #call, error_.driver_code);                 \
        if (!strstr(error_.message, part))                                            \
            FAIL("%s: \"%s\" does not say \"%s\"", #call, error_.message, part);      \
        err = NULL;                                                                   \
        if ((call) != (wanted))                                                       \
            FAIL("%s: another status without err", #call);                            \
    } while (0)

#define SKIP(why)                     \
    do {                              \
        printf("skipped: %s\n", why); \
        exit(77);                     \
    } while (0)

// ---- what many tests need ---------------------------------------------------------------------

static const pixview_dtype U8 __attribute__((unused)) = {PIXVIEW_DTYPE_UINT, 8, 1};
static const pixview_dtype U16 __attribute__((unused)) = {PIXVIEW_DTYPE_UINT, 16, 1};
static const pixview_dtype F32 __attribute__((unused)) = {PIXVIEW_DTYPE_FLOAT, 32, 1};
static const pixview_dtype F64 __attribute__((unused)) = {PIXVIEW_DTYPE_FLOAT, 64, 1};
static const pixview_dtype C128 __attribute__((unused)) = {PIXVIEW_DTYPE_COMPLEX, 128, 1};
static const pixview_device CPU __attribute__((unused)) = {PIXVIEW_DEVICE_CPU, 0};
static const pixview_device GPU0 __attribute__((unused)) = {PIXVIEW_DEVICE_CUDA, 0};
static const pixview_device GPU1 __attribute__((unused)) = {PIXVIEW_DEVICE_CUDA, 1};

#define LIST(...) ((const int64_t[]){__VA_ARGS__})

static inline pixview_image make_image(void *data, pixview_layout layout, const int64_t *shape,
                                       const int64_t *strides, pixview_dtype dtype,
                                       pixview_device device)
{
    pixview_image image = {0};
    REQUIRE_OK(pixview_image_init(&image, data, pixview_layout_rank(layout), shape, strides, dtype,
                                  device, layout, err));
    return image;
}

// A small generator, the same on every machine.
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

// Beyond a prime number of bytes the same again, which no stride meets: most of a test's time went into these.
static inline void fill_random(void *data, size_t size, uint64_t seed)
{
    enum { PERIOD = 16381 };
    size_t filled = size < PERIOD ? size : PERIOD;
    for (size_t i = 0; i < filled; i++)
        ((uint8_t *)data)[i] = (uint8_t)next_random(&seed);
    for (; filled < size; filled *= 2)
        memcpy((char *)data + filled, data, filled < size - filled ? filled : size - filled);
}

#endif
