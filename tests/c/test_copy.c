// SPDX-License-Identifier: Apache-2.0
// Copies: every element where it belongs and nothing else touched, on the host, on a (fake) GPU and
// between the two; what is refused; what is asked of the driver.
#include "fake.h"

#include "copy/copy_plan.h"
#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"
#include "images.h"
#include "kernels/args.h"

enum { SIZE = 1 << 16 };

// `block` is the memory of dst as it was before.
static void require_copied(const pixview_image *src, const pixview_image *dst, char *block,
                           const char *memory, size_t size)
{
    int64_t at[4], itemsize = pixview_dtype_size(src->dtype);
    FOR_EACH(at, src)
    memcpy(block + (element(dst, at) - memory), element(src, at), (size_t)itemsize);
    for (size_t i = 0; memcmp(block, memory, size) != 0; i++)
        if (block[i] != memory[i])
            FAIL("byte %zu of the destination is %d, not %d", i, memory[i], block[i]);
}

// ---- random images ----------------------------------------------------------------------------

static void random_copies(pixview_device from, pixview_device to, int rounds, uint64_t seed)
{
    char *src = from.type == PIXVIEW_DEVICE_CUDA ? fake_malloc(from.id, SIZE) : malloc(SIZE);
    char *dst = to.type == PIXVIEW_DEVICE_CUDA ? fake_malloc(to.id, SIZE) : malloc(SIZE);
    char *before = malloc(SIZE);
    fill_random(src, SIZE, seed);
    for (int round = 0; round < rounds; round++) {
        int64_t shape[4];
        random_shape(shape, &seed);
        pixview_dtype dtype = random_dtypes[next_random(&seed) % 5];
        pixview_image a = random_image(src, SIZE, shape, dtype, from, true, &seed);
        pixview_image b = random_image(dst, SIZE, shape, dtype, to, false, &seed);
        fill_random(dst, SIZE, (uint64_t)round);
        memcpy(before, dst, SIZE);
        REQUIRE_OK(pixview_copy(&a, &b, NULL, err));
        require_copied(&a, &b, before, dst, SIZE);
        fake_reset();
    }
    REQUIRE_INT(fake_live_blocks(), 0);
    from.type == PIXVIEW_DEVICE_CUDA ? fake_free(src) : free(src);
    to.type == PIXVIEW_DEVICE_CUDA ? fake_free(dst) : free(dst);
    free(before);
}

// The channel loops, at widths around the vector sizes.
static void test_channels(void)
{
    char *src = malloc(SIZE), *dst = malloc(SIZE), *before = malloc(SIZE);
    fill_random(src, SIZE, 1);
    for (int64_t width = 1; width <= 130; width += width < 40 ? 1 : 13)
        for (int64_t channels = 1; channels <= 5; channels++)
            for (int k = 0; k < 20; k++) {
                const int64_t planar[] = {channels, 3, width}, mixed[] = {3, width, channels};
                pixview_image a =
                    make_image(src, k & 1 ? PIXVIEW_LAYOUT_CHW : PIXVIEW_LAYOUT_HWC,
                               k & 1 ? planar : mixed, NULL, random_dtypes[k % 5], CPU);
                pixview_image b =
                    make_image(dst, k & 2 ? PIXVIEW_LAYOUT_CHW : PIXVIEW_LAYOUT_HWC,
                               k & 2 ? planar : mixed, NULL, random_dtypes[k % 5], CPU);
                fill_random(dst, SIZE, (uint64_t)k);
                memcpy(before, dst, SIZE);
                REQUIRE_OK(pixview_copy(&a, &b, NULL, err));
                require_copied(&a, &b, before, dst, SIZE);
            }
    free(src), free(dst), free(before);
}

// ---- refused ----------------------------------------------------------------------------------

static void test_refused(void)
{
    static uint8_t a[4096] __attribute__((aligned(16))), b[4096] __attribute__((aligned(16)));
    pixview_image src = make_image(a, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8, CPU);
    pixview_image dst = make_image(b, PIXVIEW_LAYOUT_CHW, LIST(3, 4, 5), NULL, U8, CPU), other;
    pixview_copy_params params = {sizeof params, PIXVIEW_STREAM_LEGACY};
    REQUIRE_OK(pixview_copy(&src, &dst, &params, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL", pixview_copy(&src, NULL, &params, err));
    params.struct_size = 8;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "struct_size=8", pixview_copy(&src, &dst, &params, err));
    params = (pixview_copy_params){sizeof params, PIXVIEW_STREAM_NONE};
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "STREAM_NONE", pixview_copy(&src, &dst, &params, err));
    other = src, other.reserved = 5;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "reserved", pixview_copy(&other, &dst, NULL, err));
    other = dst, other.flags = PIXVIEW_FLAG_READ_ONLY;
    REQUIRE_FAILS(PIXVIEW_E_READONLY, "read-only", pixview_copy(&src, &other, NULL, err));
    other = src, other.flags = PIXVIEW_FLAG_READ_ONLY;
    REQUIRE_OK(pixview_copy(&other, &dst, NULL, err));
    other = make_image(b, PIXVIEW_LAYOUT_CHW, LIST(3, 4, 5), NULL, U16, CPU);
    REQUIRE_FAILS(PIXVIEW_E_DTYPE, "uint16", pixview_copy(&src, &other, NULL, err));
    other = make_image(b, PIXVIEW_LAYOUT_HWC, LIST(3, 4, 5), NULL, U8, CPU);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "4 along H", pixview_copy(&src, &other, NULL, err));
    other = make_image(b, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(0, 3, 1), U8, CPU);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "overlaps itself", pixview_copy(&src, &other, NULL, err));
    other = make_image(b, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(12, 3, 1), U8, CPU);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "overlaps itself", pixview_copy(&src, &other, NULL, err));
    other = make_image(a + 59, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8, CPU);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "share memory", pixview_copy(&src, &other, NULL, err));
    other = src, other.device.type = 77;
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "77", pixview_copy(&other, &dst, NULL, err));
    src.device = GPU0, dst.device = GPU1;
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "through host memory", pixview_copy(&src, &dst, NULL, err));
}

// One half of a pitched buffer into the other.
static void test_halves(void)
{
    static uint8_t buffer[8 * 64];
    pixview_image mat =
        make_image(buffer, PIXVIEW_LAYOUT_HWC, LIST(8, 20, 3), LIST(64, 3, 1), U8, CPU);
    pixview_image left, right;
    fill_random(buffer, sizeof buffer, 5);
    REQUIRE_OK(pixview_image_crop(&mat, 0, 0, 8, 10, &left, err));
    REQUIRE_OK(pixview_image_crop(&mat, 0, 10, 8, 10, &right, err));
    REQUIRE_OK(pixview_copy(&left, &right, NULL, err));
    for (int y = 0; y < 8; y++)
        REQUIRE(memcmp(buffer + y * 64, buffer + y * 64 + 30, 30) == 0);
}

// ---- the plan ---------------------------------------------------------------------------------

static void test_plan(void)
{
    static uint8_t a[4096] __attribute__((aligned(64))), b[4096] __attribute__((aligned(64)));
    pixview_image src = make_image(a, PIXVIEW_LAYOUT_HWC, LIST(8, 16, 3), LIST(64, 3, 1), U8, CPU);
    pixview_image dst = make_image(b, PIXVIEW_LAYOUT_HWC, LIST(8, 16, 3), LIST(128, 3, 1), U8, CPU);
    pixviewi_copy_plan plan;
    // Pitched rows of 48 bytes move 16 at a time.
    REQUIRE_OK(pixviewi_copy_plan_checked(&src, &dst, &plan, err));
    REQUIRE_INT(plan.itemsize, 16);
    REQUIRE_INT(plan.count, 24);
    REQUIRE_INT(plan.shape[1], 1);
    REQUIRE_INT(plan.shape[2], 8);
    REQUIRE_INT(plan.shape[3], 3);
    REQUIRE_INT(plan.src_strides[2], 64);
    REQUIRE_INT(plan.dst_strides[2], 128);
    // An odd address narrows them.
    src.data = a + 4;
    REQUIRE_OK(pixviewi_copy_plan_checked(&src, &dst, &plan, err));
    REQUIRE_INT(plan.itemsize, 4);
    // Dense on both ends: one row.
    src = make_image(a, PIXVIEW_LAYOUT_NCHW, LIST(2, 3, 4, 5), NULL, F32, CPU);
    dst = make_image(b, PIXVIEW_LAYOUT_NCHW, LIST(2, 3, 4, 5), NULL, F32, CPU);
    REQUIRE_OK(pixviewi_copy_plan_checked(&src, &dst, &plan, err));
    REQUIRE_INT(plan.shape[2], 1);
    REQUIRE_INT(plan.itemsize * plan.shape[3], 480);
    // Interleaving keeps the channels inside.
    dst = make_image(b, PIXVIEW_LAYOUT_NHWC, LIST(2, 4, 5, 3), NULL, F32, CPU);
    REQUIRE_OK(pixviewi_copy_plan_checked(&src, &dst, &plan, err));
    REQUIRE_INT(plan.itemsize, 4);
    REQUIRE_INT(plan.shape[3], 3);
    REQUIRE_INT(plan.shape[2], 20);
    REQUIRE_INT(plan.src_strides[3], 80);
}

static void test_division(void)
{
    uint64_t seed = 11;
    for (int round = 0; round < 2000000; round++) {
        uint32_t d = next_random(&seed) >> (next_random(&seed) % 31);
        uint32_t n = next_random(&seed) >> (next_random(&seed) % 31);
        d = d ? d : 1;
        n = round % 4 ? n : INT32_MAX - n % 3;
        n = round % 4 == 1 ? n / d * d : n;
        pixviewi_divisor by = pixviewi_divisor_of(d);
        if (pixviewi_divide(n, by) != n / d)
            FAIL("%u / %u is %u", n, d, pixviewi_divide(n, by));
    }
}

// ---- the driver's part ------------------------------------------------------------------------

static void test_calls(void)
{
    enum { BYTES = 100 * 64 };
    static uint8_t near[BYTES];
    uint8_t *far = fake_malloc(0, BYTES), *far2 = fake_malloc(0, BYTES);
    pixview_image host = make_image(near, PIXVIEW_LAYOUT_HWC, LIST(8, 16, 3), NULL, U8, CPU), dst;
    pixview_image gpu =
        make_image(far, PIXVIEW_LAYOUT_HWC, LIST(8, 16, 3), LIST(64, 3, 1), U8, GPU0);
    pixview_image planar = make_image(far2, PIXVIEW_LAYOUT_CHW, LIST(3, 8, 16), NULL, U8, GPU0);
    fake_reset();
    REQUIRE_OK(pixview_copy(&gpu, &planar, NULL, err));
    fake_reset();
    REQUIRE_OK(pixview_copy(&planar, &gpu, NULL, err));
    REQUIRE_WORK("launch"); // neither waits nor allocates
    fake_reset();
    REQUIRE_OK(pixview_copy(&gpu, &host, NULL, err));
    REQUIRE_WORK("copy sync");
    fake_reset();
    REQUIRE_OK(pixview_copy(&planar, &host, NULL, err));
    REQUIRE_WORK("copy sync"); // interleaved on the host
    fake_reset();
    REQUIRE_OK(pixview_copy(&host, &planar, NULL, err));
    REQUIRE_WORK("copy sync");
    // Every other column of many rows: nothing for a copy engine.
    dst = make_image(far, PIXVIEW_LAYOUT_HWC, LIST(100, 8, 3), LIST(64, 6, 1), U8, GPU0);
    host = make_image(near, PIXVIEW_LAYOUT_HWC, LIST(100, 8, 3), NULL, U8, CPU);
    fake_reset();
    REQUIRE_OK(pixview_copy(&host, &dst, NULL, err));
    REQUIRE_WORK("alloc copy sync launch free");
    fake_reset();
    REQUIRE_OK(pixview_copy(&dst, &host, NULL, err));
    REQUIRE_WORK("alloc launch copy sync free");
    // Nothing to copy: no call.
    fake_reset();
    gpu = make_image(NULL, PIXVIEW_LAYOUT_HWC, LIST(0, 8, 3), NULL, U8, GPU0);
    REQUIRE_OK(pixview_copy(&gpu, &gpu, NULL, err));
    REQUIRE_CALLS("");
    fake_free(far), fake_free(far2);
}

int main(void)
{
    use_fake_driver(1);
    test_refused();
    test_halves();
    test_plan();
    test_division();
    test_channels();
    random_copies(CPU, CPU, 6000, 1);
    REQUIRE_CALLS("");
    random_copies(GPU0, GPU0, 3000, 2);
    random_copies(CPU, GPU0, 3000, 3);
    random_copies(GPU0, CPU, 3000, 4);
    test_calls();
    return 0;
}
