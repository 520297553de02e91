// SPDX-License-Identifier: Apache-2.0
// Conversions and batches that are refused, before anything is written or queued.
#include "fake.h"

#include <math.h>

static const pixview_dtype I8 = {PIXVIEW_DTYPE_INT, 8, 1}, I16 = {PIXVIEW_DTYPE_INT, 16, 1};

static pixview_convert_params plain(void)
{
    return (pixview_convert_params){.struct_size = sizeof(pixview_convert_params)};
}

static uint8_t in[8192] __attribute__((aligned(16))), out[8192] __attribute__((aligned(16)));

#define REFUSED(status, part, call)                                 \
    do {                                                            \
        REQUIRE_FAILS(status, part, call);                          \
        for (size_t byte_ = 0; byte_ < sizeof out; byte_++)         \
            if (out[byte_] != 0)                                    \
                FAIL("%s failed and wrote byte %zu", #call, byte_); \
    } while (0)

static void test_refused_values(void)
{
    const double bad[] = {NAN, INFINITY, -INFINITY}, fine[40] = {1, 1, 1}, zero[3] = {1, 0, 1},
                 tiny[3] = {1, 1, 1e-300};
    pixview_image src = make_image(in, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8, CPU);
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_CHW, LIST(3, 4, 5), NULL, F32, CPU);
    pixview_convert_params params = plain();
#define TRY(part, field)                                                             \
    do {                                                                             \
        params = plain(), params.channels = 3;                                       \
        field;                                                                       \
        REFUSED(PIXVIEW_E_INVALID, part, pixview_convert(&src, &dst, &params, err)); \
    } while (0)
    for (int i = 0; i < 3; i++) {
        double entries[3] = {1, 1, bad[i]};
        TRY("std[2]", params.std = entries);
        TRY("mean[2]", params.mean = entries);
        TRY("scale", params.scale = bad[i]);
    }
    TRY("std[1]=0", params.std = zero);
    TRY("does not fit float32", params.std = tiny);
    TRY("does not fit float32", params.scale = 1e300);
#undef TRY
    params = plain(), params.mean = fine, params.channels = 2;
    REFUSED(PIXVIEW_E_LAYOUT, "2 entries", pixview_convert(&src, &dst, &params, err));
    params.channels = 0;
    REFUSED(PIXVIEW_E_LAYOUT, "0 entries", pixview_convert(&src, &dst, &params, err));
    src = make_image(in, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 40), NULL, U8, CPU);
    dst = make_image(out, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 40), NULL, F32, CPU);
    params.channels = 40;
    REFUSED(PIXVIEW_E_UNSUPPORTED, "at most 32", pixview_convert(&src, &dst, &params, err));
    params.swap_rb = true;
    REFUSED(PIXVIEW_E_LAYOUT, "swap_rb needs 3 or 4", pixview_convert(&src, &dst, &params, err));
}

static void test_refused_types(void)
{
    static const pixview_dtype no_source[] = {{1, 32, 1}, {1, 64, 1}, {0, 64, 1}, {2, 64, 1},
                                              {5, 64, 1}, {6, 8, 1},  {5, 128, 1}},
                               no_result[] = {
                                   {0, 8, 1}, {1, 16, 1}, {0, 32, 1}, {2, 64, 1}, {6, 8, 1}};
    for (size_t i = 0; i < sizeof no_source / sizeof no_source[0]; i++) {
        pixview_image src =
            make_image(in, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, no_source[i], CPU);
        pixview_image dst = make_image(out, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, F32, CPU);
        REFUSED(PIXVIEW_E_DTYPE, "sources are", pixview_convert(&src, &dst, NULL, err));
    }
    for (size_t i = 0; i < sizeof no_result / sizeof no_result[0]; i++) {
        pixview_image src = make_image(in, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, F32, CPU);
        pixview_image dst =
            make_image(out, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, no_result[i], CPU);
        REFUSED(PIXVIEW_E_DTYPE, "results are", pixview_convert(&src, &dst, NULL, err));
    }
    // Equal types, but with values: the result has to be one of those that take values.
    pixview_image src = make_image(in, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, I16, CPU);
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, I16, CPU);
    pixview_convert_params params = plain();
    params.scale = 2;
    REFUSED(PIXVIEW_E_DTYPE, "int16", pixview_convert(&src, &dst, &params, err));
}

static void test_refused_places(void)
{
    pixview_image src = make_image(in, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8, CPU);
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, F32, CPU), other;
    pixview_convert_params params = plain();
    REFUSED(PIXVIEW_E_INVALID, "NULL", pixview_convert(NULL, &dst, NULL, err));
    REFUSED(PIXVIEW_E_INVALID, "NULL", pixview_stack(NULL, 1, &dst, NULL, err));
    REFUSED(PIXVIEW_E_INVALID, "NULL", pixview_unstack(&src, NULL, 1, NULL, err));
    params.struct_size = 16;
    REFUSED(PIXVIEW_E_INVALID, "struct_size=16", pixview_convert(&src, &dst, &params, err));
    REFUSED(PIXVIEW_E_INVALID, "struct_size", pixview_stack(&src, 1, &dst, &params, err));
    REFUSED(PIXVIEW_E_INVALID, "struct_size", pixview_unstack(&src, &dst, 1, &params, err));
    other = dst, other.flags = PIXVIEW_FLAG_READ_ONLY;
    REFUSED(PIXVIEW_E_READONLY, "read-only", pixview_convert(&src, &other, NULL, err));
    REFUSED(PIXVIEW_E_READONLY, "read-only", pixview_stack(&src, 1, &other, NULL, err));
    REFUSED(PIXVIEW_E_READONLY, "dsts[0]", pixview_unstack(&src, &other, 1, NULL, err));
    other = make_image(out, PIXVIEW_LAYOUT_HWC, LIST(4, 6, 3), NULL, F32, CPU);
    REFUSED(PIXVIEW_E_LAYOUT, "5 along W", pixview_convert(&src, &other, NULL, err));
    other = make_image(out, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(0, 12, 4), F32, CPU);
    REFUSED(PIXVIEW_E_LAYOUT, "overlaps itself", pixview_convert(&src, &other, NULL, err));
    REFUSED(PIXVIEW_E_LAYOUT, "overlaps itself", pixview_stack(&src, 1, &other, NULL, err));
    REFUSED(PIXVIEW_E_LAYOUT, "overlaps itself", pixview_unstack(&src, &other, 1, NULL, err));
    other = make_image(out + 32, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8, CPU);
    REFUSED(PIXVIEW_E_LAYOUT, "share memory", pixview_convert(&other, &dst, NULL, err));
    other = src, other.device.type = 77;
    REFUSED(PIXVIEW_E_DEVICE, "77", pixview_convert(&other, &dst, NULL, err));
    REFUSED(PIXVIEW_E_DEVICE, "srcs[0]", pixview_stack(&other, 1, &dst, NULL, err));
    other = src, other.data = NULL;
    REFUSED(PIXVIEW_E_LAYOUT, "NULL", pixview_convert(&other, &dst, NULL, err));
}

static void test_refused_lists(void)
{
    enum { N = 4 };
    pixview_image srcs[N], dsts[N];
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_NHWC, LIST(N, 4, 5, 3), NULL, U8, CPU);
    pixview_image batch = make_image(in, PIXVIEW_LAYOUT_NHWC, LIST(N, 4, 5, 3), NULL, U8, CPU);
    pixview_convert_params params = plain();
    params.pad = true;
#define FRESH()                                                                               \
    for (int i = 0; i < N; i++) {                                                             \
        srcs[i] = make_image(in + i * 64, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8, CPU);  \
        dsts[i] = make_image(out + i * 64, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8, CPU); \
    }
#define TRY(status, part, ...)                                          \
    do {                                                                \
        FRESH() __VA_ARGS__;                                            \
        REFUSED(status, part, pixview_stack(srcs, N, &dst, NULL, err)); \
    } while (0)
    FRESH()
    REFUSED(PIXVIEW_E_INVALID, "list of images is empty", pixview_stack(srcs, 0, &dst, NULL, err));
    REFUSED(PIXVIEW_E_INVALID, "list of images is empty", pixview_stack(NULL, 0, &dst, NULL, err));
    REFUSED(PIXVIEW_E_INVALID, "is empty", pixview_unstack(&batch, NULL, 0, NULL, err));
    REFUSED(PIXVIEW_E_INVALID, "is empty", pixview_stack_sources(NULL, 0, &dst, NULL, err));
    REFUSED(PIXVIEW_E_INVALID, "count=-1", pixview_unstack(&batch, dsts, -1, NULL, err));
    REFUSED(PIXVIEW_E_LAYOUT, "N = 4", pixview_stack(srcs, 3, &dst, NULL, err));
    REFUSED(PIXVIEW_E_LAYOUT, "N = 4", pixview_unstack(&batch, dsts, 3, NULL, err));
    REFUSED(PIXVIEW_E_INVALID, "pad", pixview_unstack(&batch, dsts, N, &params, err));
    TRY(PIXVIEW_E_LAYOUT, "srcs[2]", srcs[2].shape[1] = 3);
    TRY(PIXVIEW_E_LAYOUT, "srcs[1]", srcs[1].shape[3] = 4);
    TRY(PIXVIEW_E_LAYOUT, "srcs[1]", srcs[1] = batch);
    TRY(PIXVIEW_E_LAYOUT, "srcs[3]", srcs[3].data = NULL);
    TRY(PIXVIEW_E_LAYOUT, "srcs[3]", srcs[3].data = out + 7);
    TRY(PIXVIEW_E_LAYOUT, "srcs[0]", srcs[0].shape[2] = -1);
    TRY(PIXVIEW_E_INVALID, "srcs[1]", srcs[1].reserved = 1);
    TRY(PIXVIEW_E_DTYPE, "srcs[2] is int8, but srcs[0] is uint8", srcs[2].dtype = I8);
    TRY(PIXVIEW_E_DEVICE, "srcs[2]", srcs[2].device = GPU0);
    TRY(PIXVIEW_E_DTYPE, "srcs[2]", srcs[2].dtype = (pixview_dtype){9, 9, 9});
    FRESH() srcs[3].shape[1] = 5;
    REFUSED(PIXVIEW_E_LAYOUT, "cannot shrink", pixview_stack(srcs, N, &dst, &params, err));
    srcs[0] = batch, srcs[0].shape[1] = 5; // a batch by itself
    REFUSED(PIXVIEW_E_LAYOUT, "5 rows", pixview_convert(&srcs[0], &dst, &params, err));
    srcs[0] = batch, srcs[0].shape[0] = 3;
    REFUSED(PIXVIEW_E_LAYOUT, "3 images", pixview_convert(&srcs[0], &dst, &params, err));
    srcs[0] = batch, srcs[0].shape[3] = 2;
    REFUSED(PIXVIEW_E_LAYOUT, "2 channels", pixview_convert(&srcs[0], &dst, &params, err));
    FRESH() srcs[3].shape[3] = 2;
    REFUSED(PIXVIEW_E_LAYOUT, "srcs[3]", pixview_stack(srcs, N, &dst, &params, err));
    // The results of a split apart from each other.
    FRESH() dsts[3].data = out + 10;
    REFUSED(PIXVIEW_E_LAYOUT, "share memory", pixview_unstack(&batch, dsts, N, NULL, err));
    FRESH() dsts[2] = dsts[0];
    REFUSED(PIXVIEW_E_LAYOUT, "share memory", pixview_unstack(&batch, dsts, N, NULL, err));
    FRESH() dsts[1].shape[2] = 4;
    REFUSED(PIXVIEW_E_LAYOUT, "dsts[1]", pixview_unstack(&batch, dsts, N, NULL, err));
    REQUIRE_OK(pixview_stack(srcs, 1, &srcs[1], NULL, err)); // apart, in one buffer
#undef TRY
#undef FRESH
}

// Halves of one pitched buffer are apart, though their address ranges meet.
static void test_rectangles(void)
{
    static uint8_t sheet[8 * 64];
    pixview_image whole =
        make_image(sheet, PIXVIEW_LAYOUT_HWC, LIST(8, 20, 3), LIST(64, 3, 1), U8, CPU);
    pixview_image halves[2],
        batch = make_image(out, PIXVIEW_LAYOUT_NHWC, LIST(2, 8, 10, 3), NULL, U8, CPU);
    REQUIRE_OK(pixview_image_crop(&whole, 0, 0, 8, 10, &halves[0], err));
    REQUIRE_OK(pixview_image_crop(&whole, 0, 10, 8, 10, &halves[1], err));
    fill_random(out, 480, 6);
    REQUIRE_OK(pixview_unstack(&batch, halves, 2, NULL, err));
    for (int i = 0; i < 16; i++)
        REQUIRE(memcmp(sheet + i % 8 * 64 + i / 8 * 30, out + i * 30, 30) == 0);
    REQUIRE_OK(pixview_convert(&halves[0], &halves[1], NULL, err));
    memset(out, 0, sizeof out);
}

int main(void)
{
    use_fake_driver(2);
    test_refused_values();
    test_refused_types();
    test_refused_places();
    test_refused_lists();
    test_rectangles();
    REQUIRE_CALLS("");
    return 0;
}
