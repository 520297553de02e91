// SPDX-License-Identifier: Apache-2.0
// Overlap: exact for crops and slices of one buffer, compared with a slow count of every byte. And of
// lists: how many pairs of images are compared.
#include "harness.h"
#include "pixview/pixview.h"

static uint8_t memory[1 << 14] __attribute__((aligned(64)));

static void mark(const pixview_image *image, uint8_t *seen, uint8_t bit)
{
    const int64_t *shape = image->shape, *strides = image->strides;
    int64_t size = pixview_dtype_size(image->dtype);
    for (int64_t n = 0; n < shape[0]; n++)
        for (int64_t h = 0; h < shape[1]; h++)
            for (int64_t w = 0; w < shape[2]; w++)
                for (int64_t c = 0; c < shape[3]; c++)
                    for (int64_t b = 0; b < size; b++)
                        seen[(uint8_t *)image->data - memory + n * strides[0] + h * strides[1] +
                             w * strides[2] + c * strides[3] + b] |= bit;
}

static bool share_slowly(const pixview_image *a, const pixview_image *b)
{
    static uint8_t seen[sizeof memory];
    memset(seen, 0, sizeof seen);
    mark(a, seen, 1);
    mark(b, seen, 2);
    return memchr(seen, 3, sizeof seen) != NULL;
}

static void check(const pixview_image *a, const pixview_image *b)
{
    REQUIRE_INT(pixview_image_overlaps(a, b), share_slowly(a, b));
    REQUIRE_INT(pixview_image_overlaps(b, a), share_slowly(a, b));
}

// Crops, single channels, single images and steps of one buffer of any layout: exact.
static pixview_image random_part(const pixview_image *whole, uint64_t *seed)
{
    pixview_image part = *whole;
    for (int axis = 0; axis < 4; axis++) {
        int64_t extent = whole->shape[axis];
        int64_t first = next_random(seed) % extent;
        int64_t count = 1 + next_random(seed) % (extent - first);
        int64_t step = next_random(seed) % 4 ? 1 : 2;
        part.data = (char *)part.data + first * part.strides[axis];
        part.shape[axis] = (count + step - 1) / step;
        part.strides[axis] *= step;
        if (next_random(seed) % 4 == 0) { // backwards
            part.data = (char *)part.data + (part.shape[axis] - 1) * part.strides[axis];
            part.strides[axis] = -part.strides[axis];
        }
    }
    return part;
}

static void test_parts(void)
{
    pixview_image whole[] = {
        make_image(memory, PIXVIEW_LAYOUT_NHWC, LIST(3, 6, 7, 3), LIST(6 * 64, 64, 3, 1), U8, CPU),
        make_image(memory, PIXVIEW_LAYOUT_NCHW, LIST(3, 3, 6, 7), NULL, U8, CPU),
        make_image(memory, PIXVIEW_LAYOUT_NCHW, LIST(2, 3, 6, 7), LIST(2000, 400, 64, 4), F32, CPU),
    };
    uint64_t seed = 7;
    int shared = 0;
    for (int round = 0; round < 60000; round++) {
        const pixview_image *from = &whole[round % 3];
        pixview_image a = random_part(from, &seed), b = random_part(from, &seed);
        bool got = pixview_image_overlaps(&a, &b), wanted = share_slowly(&a, &b);
        if (got != wanted)
            FAIL("round %d: %d, not %d", round, got, wanted);
        shared += wanted;
    }
    REQUIRE(shared > 5000 && shared < 55000);
}

// Unrelated strides: never a wrong "no".
static void test_any(void)
{
    uint64_t seed = 3;
    int exact = 0, rounds = 40000;
    for (int round = 0; round < rounds; round++) {
        pixview_image image[2];
        for (int k = 0; k < 2; k++) {
            int64_t shape[4], strides[4];
            for (int i = 0; i < 4; i++) {
                shape[i] = 1 + next_random(&seed) % 4;
                strides[i] = (int64_t)(next_random(&seed) % 121) - 60;
            }
            image[k] = make_image(memory + 2000 + next_random(&seed) % 500, PIXVIEW_LAYOUT_NHWC,
                                  shape, strides, U8, CPU);
        }
        bool got = pixview_image_overlaps(&image[0], &image[1]);
        bool wanted = share_slowly(&image[0], &image[1]);
        REQUIRE(got || !wanted);
        exact += got == wanted;
    }
    REQUIRE(exact > rounds * 9 / 10);
}

static void test_halves(void)
{
    pixview_image mat =
        make_image(memory, PIXVIEW_LAYOUT_HWC, LIST(8, 10, 3), LIST(64, 3, 1), U8, CPU);
    pixview_image left, right, middle;
    REQUIRE_OK(pixview_image_crop(&mat, 0, 0, 8, 5, &left, err));
    REQUIRE_OK(pixview_image_crop(&mat, 0, 5, 8, 5, &right, err));
    REQUIRE_OK(pixview_image_crop(&mat, 3, 4, 1, 2, &middle, err));
    check(&left, &right);
    check(&left, &middle);
    check(&right, &middle);
    REQUIRE(!pixview_image_overlaps(&left, &right));
    REQUIRE(pixview_image_overlaps(&left, &middle));
}

static void test_devices(void)
{
    pixview_image a = make_image(memory, PIXVIEW_LAYOUT_HW, LIST(8, 8), NULL, U8, GPU0), b = a;
    REQUIRE(pixview_image_overlaps(&a, &b));
    b.device = GPU1;
    REQUIRE(!pixview_image_overlaps(&a, &b));
    b.device = CPU;
    REQUIRE(!pixview_image_overlaps(&a, &b));
    b.device.type = PIXVIEW_DEVICE_CUDA_MANAGED; // may be described as either
    REQUIRE(pixview_image_overlaps(&a, &b));
    a.device = CPU, b.device.type = PIXVIEW_DEVICE_CUDA_HOST;
    REQUIRE(pixview_image_overlaps(&a, &b));
    b.shape[PIXVIEW_AXIS_W] = 0;
    REQUIRE(!pixview_image_overlaps(&a, &b));
}

// Spans whose sum leaves int64.
static void test_far(void)
{
    const int64_t far = INT64_MAX - 64;
    char *low = (char *)16, *high = low + far;
    pixview_image a = make_image(low, PIXVIEW_LAYOUT_HW, LIST(2, 8), LIST(far, 1), U8, CPU);
    pixview_image b = make_image(high, PIXVIEW_LAYOUT_HW, LIST(2, 3), LIST(far - 99, 5), U8, CPU);
    pixview_image c = make_image(high, PIXVIEW_LAYOUT_HW, LIST(2, 3), LIST(-far + 99, 5), U8, CPU);
    REQUIRE(pixview_image_overlaps(&a, &b) && pixview_image_overlaps(&b, &a));
    REQUIRE(pixview_image_overlaps(&a, &c) && pixview_image_overlaps(&c, &a));
    REQUIRE(!pixview_image_overlaps(
        &b, &(pixview_image){low, {1, 1, 1, 1}, {0, 0, 0, 0}, U8, CPU, 0, 0, NULL, 0}));
}

// ---- lists --------------------------------------------------------------------------------------

static int64_t compared;
bool __real_pixview_image_overlaps(const pixview_image *a, const pixview_image *b);
bool __wrap_pixview_image_overlaps(const pixview_image *a, const pixview_image *b);
bool __wrap_pixview_image_overlaps(const pixview_image *a, const pixview_image *b)
{
    compared++;
    return __real_pixview_image_overlaps(a, b);
}

enum { MANY = 16000, H = 4, SHEET = MANY * H * 3 };
static uint8_t sheet[SHEET + 4096];
static pixview_image parts[MANY];

static pixview_status unstack(int64_t count)
{
    static uint8_t pixels[SHEET];
    const int64_t *shape = parts[0].shape;
    pixview_error error;
    pixview_image batch = make_image(pixels, PIXVIEW_LAYOUT_NHWC,
                                     LIST(count, shape[1], shape[2], shape[3]), NULL, U8, CPU);
    compared = 0;
    return pixview_unstack(&batch, parts, count, NULL, &error);
}

// Parts that lie side by side: few are compared. One of them moved a byte: refused.
static void require_apart(int64_t count)
{
    REQUIRE_INT(unstack(count), PIXVIEW_OK);
    REQUIRE(compared <= 2 * count); // one by one with the batch, and few with each other
    parts[count / 2].data = (char *)parts[count / 2].data + 1;
    REQUIRE_INT(unstack(count), PIXVIEW_E_LAYOUT);
}

static void cut(const pixview_image *whole, int64_t rows, int64_t columns, int64_t channels)
{
    const int64_t *shape = whole->shape, step[3] = {rows, columns, channels};
    int64_t count = 0;
    for (int64_t y = 0; y < shape[1]; y += rows)
        for (int64_t x = 0; x < shape[2]; x += columns)
            for (int64_t c = 0; c < shape[3]; c += channels, count++) {
                parts[count] = *whole;
                parts[count].data =
                    sheet + y * whole->strides[1] + x * whole->strides[2] + c * whole->strides[3];
                memcpy(parts[count].shape + 1, step, sizeof step);
            }
    require_apart(count);
}

static void test_many(void)
{
    const pixview_layout mixed = PIXVIEW_LAYOUT_HWC, planar = PIXVIEW_LAYOUT_CHW;
    pixview_image whole = make_image(sheet, mixed, LIST(H, MANY, 3), NULL, U8, CPU);
    cut(&whole, H, 1, 3); // columns
    cut(&whole, 2, 4, 3); // tiles
    whole = make_image(sheet, planar, LIST(3, H, MANY), NULL, U8, CPU);
    cut(&whole, H, 1, 3);
    cut(&whole, 1, 8, 3);
    whole = make_image(sheet, mixed, LIST(H, 7, 1000), LIST(7 * 1000 + 5, 1000, 1), U8, CPU);
    cut(&whole, H, 7, 1); // channels, of rows with a gap
    cut(&whole, H, 1, 10);
    whole = make_image(sheet, mixed, LIST(100, 100, 3), LIST(512, 3, 1), U8, CPU);
    cut(&whole, 2, 2, 3);
    cut(&whole, 2, 2, 1);
}

// Lists of equal parts anywhere in a buffer, and of unrelated ones: as pair by pair.
static void test_lists(void)
{
    uint64_t seed = 5;
    int refused = 0, rounds = 3000;
    for (int round = 0; round < rounds; round++) {
        int64_t count = 9 + next_random(&seed) % 12, shape[3], strides[2][3];
        bool share = false;
        for (int i = 0; i < 3; i++)
            shape[i] = 1 + next_random(&seed) % 3;
        for (int k = 0; k < 2; k++) {
            strides[k][2] = 1 + next_random(&seed) % 4;
            strides[k][1] = strides[k][2] * shape[2] * (1 + next_random(&seed) % 9);
            strides[k][0] = strides[k][1] * shape[1] * (1 + next_random(&seed) % 9);
        }
        int odd = (int)(next_random(&seed) % 2), step = 1 + (int)(next_random(&seed) % 64);
        for (int64_t i = 0; i < count; i++) {
            int64_t at = next_random(&seed) % 4 ? i * step : next_random(&seed) % 3000;
            parts[i] = make_image(sheet + at, PIXVIEW_LAYOUT_HWC, shape,
                                  strides[odd && next_random(&seed) % 8 == 0], U8, CPU);
        }
        for (int64_t i = 0; i < count && !share; i++)
            for (int64_t k = i + 1; k < count && !share; k++)
                share = pixview_image_overlaps(&parts[i], &parts[k]);
        pixview_status status = unstack(count);
        if (status != (share ? PIXVIEW_E_LAYOUT : PIXVIEW_OK))
            FAIL("round %d: %s", round, pixview_status_name(status));
        refused += share;
    }
    REQUIRE(refused > rounds / 10 && refused < rounds * 9 / 10);
}

static void test_null(void)
{
    char pixels[12];
    pixview_image image = make_image(pixels, PIXVIEW_LAYOUT_HW, LIST(3, 4), NULL, U8, CPU);
    REQUIRE(!pixview_image_overlaps(NULL, NULL));
    REQUIRE(!pixview_image_overlaps(&image, NULL));
    REQUIRE(!pixview_image_overlaps(NULL, &image));
}

int main(void)
{
    test_null();
    test_many();
    test_lists();
    test_far();
    test_halves();
    test_parts();
    test_any();
    test_devices();
    return 0;
}
