// SPDX-License-Identifier: Apache-2.0
// Names of layouts, and images written out in the order of one.
#include "harness.h"

static const pixview_layout all[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_CHW, PIXVIEW_LAYOUT_HWC,
                                     PIXVIEW_LAYOUT_NCHW, PIXVIEW_LAYOUT_NHWC};

static void test_names(void)
{
    for (int i = 0; i < 5; i++) {
        REQUIRE_INT(pixview_layout_parse(pixview_layout_name(all[i])), all[i]);
        REQUIRE_INT(pixview_layout_rank(all[i]), (int)strlen(pixview_layout_name(all[i])));
    }
    static const char *const bad[] = {"", "hwc", "HWCN", "H", "CHWN"};
    for (int i = 0; i < 5; i++)
        REQUIRE_INT(pixview_layout_parse(bad[i]), PIXVIEW_LAYOUT_NONE);
    REQUIRE_INT(pixview_layout_parse(NULL), PIXVIEW_LAYOUT_NONE);
    REQUIRE_TEXT(pixview_layout_name(PIXVIEW_LAYOUT_NONE), "");
    REQUIRE_TEXT(pixview_layout_name((pixview_layout)6), "");
    REQUIRE_INT(pixview_layout_rank((pixview_layout)-1), 0);
}

static void check_axes(const pixview_image *image, pixview_layout layout, int rank,
                       const int64_t *shape, const int64_t *strides)
{
    int ndim = -1;
    int64_t got_shape[4], got_strides[4];
    REQUIRE_OK(pixview_image_axes(image, layout, &ndim, got_shape, got_strides, err));
    REQUIRE_INT(ndim, rank);
    for (int i = 0; i < rank; i++) {
        REQUIRE_INT(got_shape[i], shape[i]);
        REQUIRE_INT(got_strides[i], strides[i]);
    }
}

static void test_axes(void)
{
    static uint8_t pixels[1 << 12];
    pixview_image image =
        make_image(pixels, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(64, 3, 1), U8, CPU);
    check_axes(&image, PIXVIEW_LAYOUT_HWC, 3, LIST(4, 5, 3), LIST(64, 3, 1));
    check_axes(&image, PIXVIEW_LAYOUT_CHW, 3, LIST(3, 4, 5), LIST(1, 64, 3));
    check_axes(&image, PIXVIEW_LAYOUT_NCHW, 4, LIST(1, 3, 4, 5), LIST(3, 1, 64, 3));
    check_axes(&image, PIXVIEW_LAYOUT_NHWC, 4, LIST(1, 4, 5, 3), LIST(256, 64, 3, 1));

    int ndim = -1;
    int64_t shape[4], strides[4];
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "no axis C",
                  pixview_image_axes(&image, PIXVIEW_LAYOUT_HW, &ndim, shape, strides, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "layout 0",
                  pixview_image_axes(&image, PIXVIEW_LAYOUT_NONE, &ndim, shape, strides, err));
    REQUIRE_INT(ndim, -1);

    // Axes of extent 1 look packed, whatever the layout.
    image = make_image(pixels, PIXVIEW_LAYOUT_HW, LIST(4, 5), LIST(64, 4), F32, CPU);
    check_axes(&image, PIXVIEW_LAYOUT_HW, 2, LIST(4, 5), LIST(64, 4));
    check_axes(&image, PIXVIEW_LAYOUT_HWC, 3, LIST(4, 5, 1), LIST(64, 4, 4));
    check_axes(&image, PIXVIEW_LAYOUT_CHW, 3, LIST(1, 4, 5), LIST(256, 64, 4));
    check_axes(&image, PIXVIEW_LAYOUT_NCHW, 4, LIST(1, 1, 4, 5), LIST(256, 256, 64, 4));

    image = make_image(pixels, PIXVIEW_LAYOUT_NHWC, LIST(2, 1, 5, 3), LIST(64, 999, 3, 1), U8, CPU);
    check_axes(&image, PIXVIEW_LAYOUT_NCHW, 4, LIST(2, 3, 1, 5), LIST(64, 1, 15, 3));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "no axis N",
                  pixview_image_axes(&image, PIXVIEW_LAYOUT_HWC, &ndim, shape, strides, err));
    // No image is not one image.
    image = make_image(NULL, PIXVIEW_LAYOUT_NHWC, LIST(0, 4, 5, 3), NULL, U8, CPU);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "no axis N",
                  pixview_image_axes(&image, PIXVIEW_LAYOUT_HWC, &ndim, shape, strides, err));
}

// Reading and writing in one layout gives back what was read.
static void test_round_trip(void)
{
    static uint8_t pixels[1 << 14];
    for (int i = 0; i < 5; i++) {
        int rank = pixview_layout_rank(all[i]);
        const int64_t shape[4] = {2, 3, 4, 5}, strides[4] = {-1000, 300, 0, -20};
        pixview_image image = make_image(pixels + 8000, all[i], shape, strides, F32, CPU);
        check_axes(&image, all[i], rank, shape, strides);
    }
}

int main(void)
{
    test_names();
    test_axes();
    test_round_trip();
    return 0;
}
