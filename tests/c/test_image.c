// SPDX-License-Identifier: Apache-2.0
// Images: what is accepted, what is refused and how it is said, crops and questions.
#include "harness.h"

static uint8_t memory[1 << 16] __attribute__((aligned(64)));

#define INIT(out, data, ndim, shape, strides, dtype, layout) \
    pixview_image_init(out, data, ndim, shape, strides, dtype, CPU, layout, err)

// ---- init -------------------------------------------------------------------------------------

static void test_init(void)
{
    pixview_image image = make_image(memory, PIXVIEW_LAYOUT_CHW, LIST(3, 4, 5), NULL, F32, GPU1);
    REQUIRE_PTR(image.data, memory);
    const int64_t shape[4] = {1, 4, 5, 3}, strides[4] = {240, 20, 4, 80};
    for (int i = 0; i < 4; i++) {
        REQUIRE_INT(image.shape[i], shape[i]);
        REQUIRE_INT(image.strides[i], strides[i]);
    }
    REQUIRE(pixview_dtype_equal(image.dtype, F32));
    REQUIRE_INT(image.device.type, PIXVIEW_DEVICE_CUDA);
    REQUIRE_INT(image.device.id, 1);
    REQUIRE_INT(image.flags, 0);
    REQUIRE_INT(image.stream, PIXVIEW_STREAM_LEGACY);
    REQUIRE(image.owner == NULL);
    REQUIRE_INT(image.reserved, 0);
    REQUIRE_INT(pixview_image_nbytes(&image), 240);
    REQUIRE(!pixview_image_on_host(&image));
    REQUIRE(!pixview_image_is_empty(&image));
}

// A failure leaves `out` as it was.
static void test_refused(void)
{
    pixview_image image, before;
    memset(&image, 0xAB, sizeof image);
    before = image;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "out",
                  INIT(NULL, memory, 2, LIST(2, 2), NULL, U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "shape",
                  INIT(&image, memory, 2, NULL, NULL, U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "layout",
                  INIT(&image, memory, 0, LIST(2), NULL, U8, PIXVIEW_LAYOUT_NONE));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "layout",
                  INIT(&image, memory, 0, LIST(2), NULL, U8, (pixview_layout)77));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "rank 3",
                  INIT(&image, memory, 3, LIST(2, 2, 2), NULL, U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "shape[0]=-1",
                  INIT(&image, memory, 3, LIST(-1, 2, 2), NULL, U8, PIXVIEW_LAYOUT_CHW));
    REQUIRE_FAILS(
        PIXVIEW_E_LAYOUT, "shape[2]=-9223372036854775808",
        INIT(&image, memory, 3, LIST(3, 2, INT64_MIN), LIST(9, 3, 1), U8, PIXVIEW_LAYOUT_CHW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "NULL",
                  INIT(&image, NULL, 2, LIST(2, 2), LIST(2, 1), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(
        PIXVIEW_E_DTYPE, "3 lanes",
        INIT(&image, memory, 2, LIST(2, 2), NULL, ((pixview_dtype){1, 8, 3}), PIXVIEW_LAYOUT_HW));
    REQUIRE(memcmp(&image, &before, sizeof image) == 0);
}

static void test_alignment(void)
{
    pixview_image image;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "strides[1]=3 is not a multiple of the alignment 4",
                  INIT(&image, memory, 2, LIST(2, 2), LIST(64, 3), F32, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "strides[0]=66",
                  INIT(&image, memory, 3, LIST(2, 2, 3), LIST(66, 12, 4), F32, PIXVIEW_LAYOUT_HWC));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "alignment 4 of float32",
                  INIT(&image, memory + 2, 2, LIST(2, 2), NULL, F32, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "alignment 8",
                  INIT(&image, memory + 4, 2, LIST(2, 2), NULL, C128, PIXVIEW_LAYOUT_HW));
    // complex128 is two doubles.
    REQUIRE_OK(INIT(&image, memory + 8, 2, LIST(2, 2), LIST(40, 16), C128, PIXVIEW_LAYOUT_HW));
    // A stride along one element means nothing.
    REQUIRE_OK(INIT(&image, memory, 2, LIST(1, 2), LIST(3, 4), F32, PIXVIEW_LAYOUT_HW));
    REQUIRE_INT(image.strides[PIXVIEW_AXIS_H], 8);
    // Nor does anything where nothing is.
    REQUIRE_OK(INIT(&image, memory + 1, 2, LIST(0, 2), LIST(3, 5), F32, PIXVIEW_LAYOUT_HW));
    REQUIRE_INT(image.strides[PIXVIEW_AXIS_H], 8);
    REQUIRE_INT(image.strides[PIXVIEW_AXIS_W], 4);
}

// Extents and strides at the end of int64 and of the address space.
static void test_limits(void)
{
    const int64_t big = INT64_MAX, half = (int64_t)1 << 62;
    pixview_image image;
    char *end = (char *)UINTPTR_MAX;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "address space",
                  INIT(&image, memory, 2, LIST(half, 2), NULL, U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "address space",
                  INIT(&image, memory, 2, LIST(half, 4), LIST(0, 0), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "address space",
                  INIT(&image, memory, 2, LIST(3, 2), LIST(big, 1), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "address space",
                  INIT(&image, memory, 2, LIST(2, 2), LIST(half, half), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "address space",
                  INIT(&image, memory, 2, LIST(2, 2), LIST(INT64_MIN, 1), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "address space",
                  INIT(&image, end - 2, 2, LIST(2, 2), NULL, U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "address space",
                  INIT(&image, (char *)16, 2, LIST(18, 1), LIST(-1, 1), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "address space", // an empty image has extents too
                  INIT(&image, memory, 3, LIST(0, half, 4), NULL, U8, PIXVIEW_LAYOUT_HWC));
    // Above the middle there is room below, but no object has 2^63 bytes.
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "address space",
                  INIT(&image, end - 8, 2, LIST(2, 1), LIST(INT64_MIN, 1), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_FAILS(
        PIXVIEW_E_LAYOUT, "address space",
        INIT(&image, end - half - 1, 2, LIST(2, 2), LIST(half, -half), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_OK(INIT(&image, end - 4, 2, LIST(2, 2), NULL, U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_OK(INIT(&image, (char *)16, 2, LIST(17, 1), LIST(-1, 1), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_OK(INIT(&image, memory, 2, LIST(1, 2), LIST(big, 1), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_OK(INIT(&image, memory, 2, LIST(half, 1), LIST(0, 1), U8, PIXVIEW_LAYOUT_HW));
    REQUIRE_INT(pixview_image_nbytes(&image), half);
}

static void test_empty(void)
{
    pixview_image image = make_image(NULL, PIXVIEW_LAYOUT_HWC, LIST(0, 5, 3), NULL, U8, CPU);
    REQUIRE(pixview_image_is_empty(&image));
    REQUIRE_INT(pixview_image_nbytes(&image), 0);
    REQUIRE(pixview_image_is_packed(&image, PIXVIEW_LAYOUT_HWC));
    REQUIRE(!pixview_image_is_packed(&image, PIXVIEW_LAYOUT_HW)); // C is 3
    REQUIRE_OK(pixview_image_check_interleaved(&image, err));
    image = make_image(NULL, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 0), LIST(1, 1, 1), U8, CPU);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "channels", pixview_image_check_interleaved(&image, err));
}

// pixview_image_init has a short way and a long one: image by image, both say what a slow check of
// every element says.
static void test_random(void)
{
    static const pixview_layout layouts[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_CHW,
                                             PIXVIEW_LAYOUT_HWC, PIXVIEW_LAYOUT_NCHW,
                                             PIXVIEW_LAYOUT_NHWC};
    static const int64_t extents[] = {0, 1, 1, 2, 3, 5};
    static const pixview_dtype dtypes[] = {{1, 8, 1}, {2, 32, 1}, {5, 128, 1}};
    uint64_t seed = 1;
    int good = 0;
    for (int round = 0; round < 200000; round++) {
        pixview_layout layout = layouts[next_random(&seed) % 5];
        pixview_dtype dtype = dtypes[next_random(&seed) % 3];
        int rank = pixview_layout_rank(layout);
        int64_t size = pixview_dtype_size(dtype), align = size > 8 ? 8 : size;
        int64_t shape[4], strides[4];
        bool wanted = true, empty = false;
        for (int i = 0; i < rank; i++) {
            shape[i] = extents[next_random(&seed) % 6];
            strides[i] = (int64_t)(next_random(&seed) % 41) - 20;
            if (next_random(&seed) % 8)
                strides[i] *= size;
            empty |= shape[i] == 0;
        }
        // Near the bottom of the address space, so that negative strides leave it.
        int64_t data = (int64_t)(next_random(&seed) % 1000) * (next_random(&seed) % 8 ? size : 1);
        int64_t low = data;
        wanted = data != 0 && data % align == 0;
        for (int i = 0; i < rank; i++)
            if (shape[i] > 1) {
                wanted &= strides[i] % align == 0;
                low += strides[i] < 0 ? (shape[i] - 1) * strides[i] : 0;
            }
        wanted = (wanted && low >= 0) || empty;
        pixview_image image, again;
        pixview_error error;
        pixview_status status = pixview_image_init(&image, (void *)(uintptr_t)data, rank, shape,
                                                   strides, dtype, CPU, layout, &error);
        REQUIRE_INT(status, wanted ? PIXVIEW_OK : PIXVIEW_E_LAYOUT);
        if (!wanted)
            continue;
        good++;
        REQUIRE_OK(pixview_image_validate(&image, err));
        // Cropped to itself it goes the long way.
        REQUIRE_OK(pixview_image_crop(&image, 0, 0, image.shape[1], image.shape[2], &again, err));
        REQUIRE(memcmp(image.shape, again.shape, sizeof image.shape) == 0);
        REQUIRE(memcmp(image.strides, again.strides, sizeof image.strides) == 0);
        REQUIRE_PTR(again.data, image.data);
    }
    REQUIRE(good > 20000);
}

// Around the limits of the short way: what it takes, the long way takes as well, and alike.
static void test_random_large(void)
{
    static const int64_t extents[] = {1, 2, 1024, 1025, 65536, 65537, INT32_MAX, INT64_MAX};
    static const int64_t steps[] = {0, 1, -1, 3, 1ll << 39, (1ll << 40) - 1, 1ll << 40, 1ll << 50};
    static const uint64_t addresses[] = {4096,       1ull << 61, (1ull << 62) - 16,
                                         1ull << 62, 1ull << 63, UINT64_MAX - 4095};
    uint64_t seed = 2;
    int good = 0;
    for (int round = 0; round < 200000; round++) {
        pixview_layout layout = (pixview_layout)(1 + next_random(&seed) % 5);
        pixview_dtype dtype = next_random(&seed) % 2 ? (pixview_dtype)U8 : (pixview_dtype)C128;
        int64_t shape[4], strides[4];
        for (int i = 0; i < 4; i++) {
            shape[i] = extents[next_random(&seed) % (next_random(&seed) % 2 ? 8 : 3)];
            strides[i] = steps[next_random(&seed) % 8] * (next_random(&seed) % 4 ? 16 : 1);
        }
        pixview_image image, again;
        pixview_error error;
        void *data = (void *)(uintptr_t)addresses[next_random(&seed) % 6];
        if (pixview_image_init(&image, data, pixview_layout_rank(layout), shape, strides, dtype,
                               CPU, layout, &error))
            continue;
        good++;
        REQUIRE_OK(pixview_image_validate(&image, err));
        REQUIRE_OK(pixview_image_crop(&image, 0, 0, image.shape[1], image.shape[2], &again, err));
        REQUIRE(memcmp(image.shape, again.shape, sizeof image.shape) == 0);
        REQUIRE(memcmp(image.strides, again.strides, sizeof image.strides) == 0);
    }
    REQUIRE(good > 10000);
}

// ---- validate ---------------------------------------------------------------------------------

static void test_validate(void)
{
    pixview_image good = make_image(memory, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, F32, CPU),
                  image;
    REQUIRE_OK(pixview_image_validate(&good, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL", pixview_image_validate(NULL, err));
    image = good, image.reserved = 1;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "reserved=1", pixview_image_validate(&image, err));
    image = good, image.flags = 2;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "flags=2", pixview_image_validate(&image, err));
    image = good, image.dtype.bits = 24;
    REQUIRE_FAILS(PIXVIEW_E_DTYPE, "24 bits", pixview_image_validate(&image, err));
    image = good, image.shape[2] = -5;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "shape[2]=-5", pixview_image_validate(&image, err));
    image = good, image.strides[1] = 30;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "strides[1]=30", pixview_image_validate(&image, err));
    image = good, image.data = NULL;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "NULL", pixview_image_validate(&image, err));
    image = good, image.strides[0] = 1; // one image: no stride between images
    REQUIRE_OK(pixview_image_validate(&image, err));
}

// ---- crop -------------------------------------------------------------------------------------

static void test_crop(void)
{
    pixview_image image =
        make_image(memory, PIXVIEW_LAYOUT_HWC, LIST(8, 9, 3), LIST(64, 3, 1), U8, CPU);
    pixview_image crop, before;
    image.flags = PIXVIEW_FLAG_READ_ONLY;
    image.stream = 77;
    REQUIRE_OK(pixview_image_crop(&image, 2, 3, 4, 5, &crop, err));
    REQUIRE_PTR(crop.data, memory + 2 * 64 + 3 * 3);
    REQUIRE_INT(crop.shape[PIXVIEW_AXIS_H], 4);
    REQUIRE_INT(crop.shape[PIXVIEW_AXIS_W], 5);
    REQUIRE_INT(crop.strides[PIXVIEW_AXIS_H], 64);
    REQUIRE_INT(crop.flags, PIXVIEW_FLAG_READ_ONLY);
    REQUIRE_INT(crop.stream, 77);
    REQUIRE_OK(pixview_image_crop(&crop, 3, 4, 1, 1, &crop, err)); // in place
    REQUIRE_PTR(crop.data, memory + 5 * 64 + 7 * 3);
    REQUIRE_INT(crop.strides[PIXVIEW_AXIS_H], 3); // normalized again
    REQUIRE_OK(pixview_image_crop(&image, 8, 9, 0, 0, &crop, err));
    REQUIRE_PTR(crop.data, memory);
    REQUIRE(pixview_image_is_empty(&crop));

    before = crop;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "8 rows", pixview_image_crop(&image, 5, 0, 4, 1, &crop, err));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "9 columns",
                  pixview_image_crop(&image, 0, 9, 1, 1, &crop, err));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "y=-1", pixview_image_crop(&image, -1, 0, 1, 1, &crop, err));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "h=-1", pixview_image_crop(&image, 1, 0, -1, 1, &crop, err));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "not inside the image",
                  pixview_image_crop(&image, INT64_MAX, 0, 2, 1, &crop, err));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "not inside the image",
                  pixview_image_crop(&image, 0, 1, 1, INT64_MAX, &crop, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL", pixview_image_crop(NULL, 0, 0, 1, 1, &crop, err));
    REQUIRE(memcmp(&crop, &before, sizeof crop) == 0);
}

// ---- questions --------------------------------------------------------------------------------

static void check_refused(const char *part, pixview_layout layout, const int64_t *shape,
                          const int64_t *strides, pixview_dtype dtype)
{
    pixview_image image = make_image(memory + 4096, layout, shape, strides, dtype, GPU0);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, part, pixview_image_check_interleaved(&image, err));
}

static void check_taken(pixview_layout layout, const int64_t *shape, const int64_t *strides,
                        pixview_dtype dtype)
{
    pixview_image image = make_image(memory + 4096, layout, shape, strides, dtype, GPU0);
    REQUIRE_OK(pixview_image_check_interleaved(&image, err));
}

static void test_interleaved(void)
{
    check_taken(PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8);
    check_taken(PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(17, 3, 1), U8);   // any pitch
    check_taken(PIXVIEW_LAYOUT_CHW, LIST(3, 4, 5), LIST(1, 64, 3), U8);   // channels last
    check_taken(PIXVIEW_LAYOUT_CHW, LIST(1, 4, 5), NULL, F32);            // one plane
    check_taken(PIXVIEW_LAYOUT_HW, LIST(4, 1), LIST(12, 400), F32);       // one column
    check_taken(PIXVIEW_LAYOUT_HWC, LIST(1, 5, 3), LIST(-8, 12, 4), F32); // one row
    check_taken(PIXVIEW_LAYOUT_CHW, LIST(3, 1, 1), NULL, F32);            // one pixel
    check_taken(PIXVIEW_LAYOUT_NHWC, LIST(1, 4, 5, 3), NULL, F64);
    check_refused("2 images", PIXVIEW_LAYOUT_NHWC, LIST(2, 4, 5, 3), NULL, U8);
    check_refused("0 images", PIXVIEW_LAYOUT_NHWC, LIST(0, 4, 5, 3), NULL, U8);
    check_refused("channel stride 20", PIXVIEW_LAYOUT_CHW, LIST(3, 4, 5), NULL, U8);
    check_refused("channel stride -1", PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(64, 3, -1), U8);
    check_refused("pixel stride 4", PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(64, 4, 1), U8);
    check_refused("pixel stride -3", PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(64, -3, 1), U8);
    check_refused("row stride 14", PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(14, 3, 1), U8);
    check_refused("row stride 0", PIXVIEW_LAYOUT_HW, LIST(4, 5), LIST(0, 1), U8);
    check_refused("row stride -64", PIXVIEW_LAYOUT_HW, LIST(4, 5), LIST(-64, 1), U8);

    // By hand: unsettled strides of single axes do not count, unaligned ones of others do.
    pixview_image image =
        make_image(memory, PIXVIEW_LAYOUT_HWC, LIST(4, 1, 1), LIST(64, 8, 4), F32, CPU);
    image.strides[PIXVIEW_AXIS_N] = 1, image.strides[PIXVIEW_AXIS_W] = 1,
    image.strides[PIXVIEW_AXIS_C] = 0;
    REQUIRE_OK(pixview_image_check_interleaved(&image, err));
    image.strides[PIXVIEW_AXIS_H] = 66;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "row stride 66", pixview_image_check_interleaved(&image, err));
    image.strides[PIXVIEW_AXIS_H] = 64, image.data = memory + 2;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "multiple", pixview_image_check_interleaved(&image, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL", pixview_image_check_interleaved(NULL, err));
}

static void test_packed(void)
{
    pixview_image image = make_image(memory, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, F32, CPU);
    REQUIRE(pixview_image_is_packed(&image, PIXVIEW_LAYOUT_HWC));
    REQUIRE(pixview_image_is_packed(&image, PIXVIEW_LAYOUT_NHWC));
    REQUIRE(!pixview_image_is_packed(&image, PIXVIEW_LAYOUT_CHW));
    REQUIRE(!pixview_image_is_packed(&image, PIXVIEW_LAYOUT_HW));
    REQUIRE(!pixview_image_is_packed(&image, PIXVIEW_LAYOUT_NONE));
    image = make_image(memory, PIXVIEW_LAYOUT_HW, LIST(4, 5), NULL, F32, CPU);
    for (int layout = PIXVIEW_LAYOUT_HW; layout <= PIXVIEW_LAYOUT_NHWC; layout++)
        REQUIRE(pixview_image_is_packed(&image, (pixview_layout)layout));
    image = make_image(memory, PIXVIEW_LAYOUT_HW, LIST(4, 5), LIST(24, 4), F32, CPU);
    REQUIRE(!pixview_image_is_packed(&image, PIXVIEW_LAYOUT_HW));
    image = make_image(memory, PIXVIEW_LAYOUT_HW, LIST(1, 5), LIST(24, 4), F32, CPU);
    REQUIRE(pixview_image_is_packed(&image, PIXVIEW_LAYOUT_HW));
}

int main(void)
{
    test_init();
    test_refused();
    test_alignment();
    test_limits();
    test_empty();
    test_random();
    test_random_large();
    test_validate();
    test_crop();
    test_interleaved();
    test_packed();
    return 0;
}
