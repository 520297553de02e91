// SPDX-License-Identifier: Apache-2.0
// The real driver and the real kernels: what goes up, over and down again comes back the same, for
// images of any layout. Skipped where there is no GPU, or no kernel in the build.
#include "images.h"

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"

enum { SIZE = 1 << 16 };

static void require_equal(const pixview_image *a, const pixview_image *b, int round)
{
    int64_t at[4];
    size_t itemsize = (size_t)pixview_dtype_size(a->dtype);
    FOR_EACH(at, a)
    if (memcmp(element(a, at), element(b, at), itemsize) != 0)
        FAIL("round %d: element %d,%d,%d,%d differs", round, (int)at[0], (int)at[1], (int)at[2],
             (int)at[3]);
}

static void test_round_trips(int rounds, uint64_t seed)
{
    char *up = malloc(SIZE), *down = malloc(SIZE);
    void *far[2];
    pixview_owner *owners[2];
    for (int i = 0; i < 2; i++)
        REQUIRE_OK(pixviewi_cuda_alloc(0, SIZE, PIXVIEW_STREAM_LEGACY, &far[i], &owners[i], err));
    fill_random(up, SIZE, seed);
    for (int round = 0; round < rounds; round++) {
        int64_t shape[4];
        random_shape(shape, &seed);
        pixview_dtype dtype = random_dtypes[next_random(&seed) % 5];
        pixview_image a = random_image(up, SIZE, shape, dtype, CPU, true, &seed);
        pixview_image b = random_image(far[0], SIZE, shape, dtype, GPU0, false, &seed);
        pixview_image c = random_image(far[1], SIZE, shape, dtype, GPU0, false, &seed);
        pixview_image d = random_image(down, SIZE, shape, dtype, CPU, false, &seed);
        REQUIRE_OK(pixview_copy(&a, &b, NULL, err));
        REQUIRE_OK(pixview_copy(&b, &c, NULL, err));
        REQUIRE_OK(pixview_copy(&c, &d, NULL, err));
        require_equal(&a, &d, round);
    }
    for (int i = 0; i < 2; i++)
        pixview_owner_unref(owners[i]);
    free(up), free(down);
}

// More than 2^31 elements: the index arithmetic of the kernel is 64-bit then. Only a few pixels are
// compared, the rest would take minutes.
static void test_huge(void)
{
    const int64_t h = 30000, w = 30000, bytes = h * w * 3;
    void *mixed, *planar;
    pixview_owner *owners[2];
    REQUIRE_OK(pixviewi_cuda_alloc(0, bytes, PIXVIEW_STREAM_LEGACY, &mixed, &owners[0], err));
    REQUIRE_OK(pixviewi_cuda_alloc(0, bytes, PIXVIEW_STREAM_LEGACY, &planar, &owners[1], err));
    pixview_image src = make_image(mixed, PIXVIEW_LAYOUT_HWC, LIST(h, w, 3), NULL, U8, GPU0);
    pixview_image dst = make_image(planar, PIXVIEW_LAYOUT_CHW, LIST(3, h, w), NULL, U8, GPU0);
    for (int64_t k = 0; k < 2; k++) {
        uint8_t up[4 * 4 * 3], down[4 * 4 * 3];
        pixview_image host = make_image(up, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, U8, CPU), part;
        fill_random(up, sizeof up, (uint64_t)k + 1);
        REQUIRE_OK(pixview_image_crop(&src, k * (h - 4), k * (w - 4), 4, 4, &part, err));
        REQUIRE_OK(pixview_copy(&host, &part, NULL, err));
        REQUIRE_OK(pixview_copy(&src, &dst, NULL, err));
        REQUIRE_OK(pixview_image_crop(&dst, k * (h - 4), k * (w - 4), 4, 4, &part, err));
        host.data = down;
        REQUIRE_OK(pixview_copy(&part, &host, NULL, err));
        REQUIRE(memcmp(up, down, sizeof up) == 0);
    }
    for (int i = 0; i < 2; i++)
        pixview_owner_unref(owners[i]);
}

int main(void)
{
    int count;
    pixview_error error;
    if (pixviewi_cuda_device_count(&count, &error) != PIXVIEW_OK)
        SKIP(error.message);
    if (!pixviewi_cuda_has_kernels())
        SKIP("built without kernels");
    test_round_trips(3000, 1);
    test_huge();
    return 0;
}
