// SPDX-License-Identifier: Apache-2.0
// Conversions and batches: values by their formula, every image in its place and nothing else touched,
// and what the driver is asked for. What is refused: test_convert_refused.c.
#include "fake.h"

#include <math.h>
#include <sys/mman.h>

#include "copy/reference.h"
#include "descriptor/half.h"
#include "images.h"

enum { SIZE = 1 << 17 };

static const pixview_dtype I16 = {PIXVIEW_DTYPE_INT, 16, 1};

static pixview_convert_params plain(void)
{
    return (pixview_convert_params){.struct_size = sizeof(pixview_convert_params)};
}

// ---- values -----------------------------------------------------------------------------------

static double read_value(pixview_dtype dtype, const char *from)
{
    uint8_t u8 = (uint8_t)*from;
    int8_t i8 = (int8_t)u8;
    uint16_t u16 = 0;
    int32_t i32 = 0;
    float f32 = 0;
    memcpy(&u16, from, dtype.bits >= 16 ? 2 : 1);
    memcpy(&i32, from, dtype.bits >= 32 ? 4 : 1);
    memcpy(&f32, from, dtype.bits >= 32 ? 4 : 1);
    if (dtype.code == PIXVIEW_DTYPE_UINT)
        return dtype.bits == 8 ? u8 : u16;
    if (dtype.code == PIXVIEW_DTYPE_INT)
        return dtype.bits == 8 ? i8 : dtype.bits == 16 ? (int16_t)u16 : i32;
    if (dtype.bits == 32)
        return (double)f32;
    return (double)(dtype.code == PIXVIEW_DTYPE_BFLOAT ? pixviewi_bf16_to_float(u16)
                                                       : pixviewi_f16_to_float(u16));
}

// How far the result may be from the formula in double: its own rounding, and that of a and b.
static double tolerance(pixview_dtype dtype, double wanted, double in)
{
    double step = dtype.bits == 32                     ? 0x1p-23
                  : dtype.code == PIXVIEW_DTYPE_FLOAT  ? 0x1p-10
                  : dtype.code == PIXVIEW_DTYPE_BFLOAT ? 0x1p-7
                                                       : 0;
    double half_step = dtype.bits == 8 ? 0.5001 : fabs(wanted) * step * 0.5001 + 0x1p-25;
    return half_step + (fabs(in) + fabs(wanted) + 8) * 0x1p-22;
}

static void require_value(pixview_dtype dtype, const char *got, double wanted, double in)
{
    double value = read_value(dtype, got);
    if (dtype.bits == 8)
        wanted = !(wanted > 0) ? 0 : wanted > 255 ? 255 : wanted;
    if ((isnan(wanted) && isnan(value)) || (!isfinite(in) && value == wanted))
        return;
    double limit = dtype.bits == 32                     ? 0x1p128
                   : dtype.code == PIXVIEW_DTYPE_BFLOAT ? 0x1.ffp127
                                                        : 65520;
    if (fabs(wanted) >= limit * 0.9999 && dtype.bits != 8)
        return;
    if (!(fabs(value - wanted) <= tolerance(dtype, wanted, in)))
        FAIL("%g became %s %.9g, not %.9g", in, pixview_dtype_name(dtype), value, wanted);
}

static const double means[4] = {0.485, -3, 100, 0}, stds[4] = {0.229, 2, -57.375, 1};

// Every pair of types, by the formula.
static void test_values(void)
{
    static const pixview_dtype from[] = {{1, 8, 1},  {0, 8, 1},  {1, 16, 1}, {0, 16, 1},
                                         {0, 32, 1}, {2, 16, 1}, {4, 16, 1}, {2, 32, 1}},
                               to[] = {{2, 16, 1}, {4, 16, 1}, {2, 32, 1}, {1, 8, 1}};
    static char a[SIZE], b[SIZE];
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 4 * 8; k++) {
            bool swap = k / 4 % 2, norm = k / 8 % 2, one = k / 16 % 2;
            pixview_dtype dtype = to[k % 4];
            pixview_image src =
                make_image(a, PIXVIEW_LAYOUT_HWC, LIST(16, 16, 4), NULL, from[i], CPU);
            pixview_image dst =
                make_image(b, PIXVIEW_LAYOUT_CHW, LIST(4, 16, 16), NULL, dtype, CPU);
            pixview_convert_params params = plain();
            params.swap_rb = swap;
            params.scale = norm ? 1 / 255.0 : 0;
            if (norm)
                params.mean = means, params.std = stds, params.channels = one ? 1 : 4;
            fill_random(a, sizeof a, (uint64_t)(i * 100 + k));
            REQUIRE_OK(pixview_convert(&src, &dst, &params, err));
            int64_t at[4];
            FOR_EACH(at, &dst)
            {
                int64_t other[4] = {0, at[1], at[2], at[3]}, c = norm && !one ? at[3] : 0;
                if (swap && at[3] % 2 == 0)
                    other[3] = 2 - at[3];
                double in = read_value(from[i], element(&src, other)), wanted = in;
                if (norm)
                    wanted = (in / 255 - means[c]) / stds[c];
                if (pixview_dtype_equal(from[i], dtype) && !norm)
                    REQUIRE(memcmp(element(&src, other), element(&dst, at), dtype.bits / 8) == 0);
                else
                    require_value(dtype, element(&dst, at), wanted, in);
            }
        }
}

// Equal types and no value: bits, whatever the type.
static void test_bits(void)
{
    double in[12] = {NAN, 1e300}, out[12] = {0};
    const double one = 1, zero = 0;
    pixview_convert_params params = plain();
    pixview_image src = make_image(in, PIXVIEW_LAYOUT_HWC, LIST(2, 2, 3), NULL, F64, CPU);
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_CHW, LIST(3, 2, 2), NULL, F64, CPU);
    params.swap_rb = true;
    params.mean = &zero, params.std = &one, params.channels = 1, params.scale = 1;
    REQUIRE_OK(pixview_convert(&src, &dst, &params, err));
    REQUIRE(memcmp(&out[8], &in[0], 8) == 0 && out[4] == 1e300);
}

// ---- batches ----------------------------------------------------------------------------------

typedef struct bundle {
    pixview_image whole, parts[8];
    int64_t count;
    char *memory, *list_memory, *before;
} bundle;

// `count` images at random places of one block and a batch in another, of one shape, some smaller.
static void make_batch(bundle *out, pixview_dtype from, pixview_dtype to, pixview_device device,
                       bool list_is_source, bool smaller, uint64_t *seed)
{
    int64_t shape[4];
    random_shape(shape, seed);
    shape[0] = out->count = 1 + next_random(seed) % 5;
    out->whole = random_image(out->memory, SIZE, shape, list_is_source ? to : from, device,
                              !list_is_source, seed);
    shape[0] = 1;
    for (int64_t i = 0; i < out->count; i++) {
        int64_t mine[4] = {1, shape[1], shape[2], shape[3]};
        if (smaller && mine[1] > 0 && mine[2] > 0)
            mine[1] -= next_random(seed) % 2, mine[2] -= next_random(seed) % (uint32_t)mine[2];
        out->parts[i] = random_image(out->list_memory + i * SIZE, SIZE, mine,
                                     list_is_source ? from : to, device, list_is_source, seed);
    }
}

// The same by pixviewi_run_reference, image by image, into `before`; then all bytes are compared.
static void require_gathered(const bundle *of, const pixview_convert_params *params)
{
    int64_t at[4];
    FOR_EACH(at, &of->whole)
    {
        const pixview_image *part = &of->parts[at[0]];
        int64_t from[4] = {0, at[1], at[2], at[3]};
        if (params->swap_rb && at[3] % 2 == 0)
            from[3] = 2 - at[3];
        bool inside = at[1] < part->shape[1] && at[2] < part->shape[2];
        char *to = of->before + (element(&of->whole, at) - of->memory);
        if (pixview_dtype_equal(part->dtype, of->whole.dtype)) {
            int64_t size = pixview_dtype_size(part->dtype);
            memset(to, 0, (size_t)size); // pad_value 0
            if (inside)
                memcpy(to, element(part, from), (size_t)size);
        } else {
            float value = inside ? (float)read_value(part->dtype, element(part, from)) : 0;
            memcpy(to, &value, sizeof value);
        }
    }
    REQUIRE(memcmp(of->before, of->memory, SIZE) == 0);
}

static void random_batches(pixview_device device, int rounds, uint64_t seed)
{
    bool gpu = device.type == PIXVIEW_DEVICE_CUDA;
    bundle b = {.memory = gpu ? fake_malloc(0, SIZE) : malloc(SIZE),
                .list_memory = gpu ? fake_malloc(0, 8 * SIZE) : malloc(8 * SIZE),
                .before = malloc(SIZE)};
    fill_random(b.list_memory, 8 * SIZE, seed);
    for (int round = 0; round < rounds; round++) {
        pixview_dtype from = random_dtypes[next_random(&seed) % 5], to = from;
        if (round % 3 == 0)
            from = round % 2 ? I16 : U8, to = F32;
        pixview_convert_params params = plain();
        params.pad = round % 2;
        make_batch(&b, from, to, device, true, params.pad, &seed);
        params.swap_rb = (b.whole.shape[3] == 3 || b.whole.shape[3] == 4) && round % 5 == 0;
        fill_random(b.memory, SIZE, (uint64_t)round);
        memcpy(b.before, b.memory, SIZE);
        REQUIRE_OK(pixview_stack(b.parts, b.count, &b.whole, &params, err));
        require_gathered(&b, &params);
        fake_reset();
    }
    gpu ? fake_free(b.memory) : free(b.memory);
    gpu ? fake_free(b.list_memory) : free(b.list_memory);
    free(b.before);
}

// A batch that is smaller than its destination, as its images one by one.
static void random_padded(pixview_device device, int rounds, uint64_t seed)
{
    bool gpu = device.type == PIXVIEW_DEVICE_CUDA;
    char *from = gpu ? fake_malloc(0, SIZE) : malloc(SIZE),
         *to = gpu ? fake_malloc(0, SIZE) : malloc(SIZE);
    char *wanted = malloc(SIZE), *start = malloc(SIZE);
    fill_random(from, SIZE, seed);
    for (int round = 0; round < rounds; round++) {
        int64_t shape[4], smaller[4];
        pixview_image images[5];
        pixview_dtype dtype = random_dtypes[next_random(&seed) % 5], result = dtype;
        if (round % 3 == 0)
            dtype = round % 2 ? I16 : U8, result = F32;
        random_shape(shape, &seed);
        shape[0] = 1 + next_random(&seed) % 5;
        memcpy(smaller, shape, sizeof shape);
        for (int k = 1; k < 3; k++)
            smaller[k] -= (int64_t)(next_random(&seed) % (uint32_t)(shape[k] + 1));
        pixview_image src = random_image(from, SIZE, smaller, dtype, device, true, &seed);
        pixview_image dst = random_image(to, SIZE, shape, result, device, false, &seed);
        for (int64_t n = 0; n < shape[0]; n++) {
            images[n] = src;
            images[n].shape[0] = 1;
            images[n].data = (char *)src.data + n * src.strides[0];
        }
        pixview_convert_params params = plain();
        params.pad = true, params.pad_value = 114;
        params.scale = round % 3 ? 0 : 0.25;
        params.swap_rb = (shape[3] == 3 || shape[3] == 4) && round % 5 == 0;
        fill_random(start, SIZE, (uint64_t)round);
        memcpy(to, start, SIZE);
        REQUIRE_OK(pixview_stack(images, shape[0], &dst, &params, err));
        memcpy(wanted, to, SIZE);
        memcpy(to, start, SIZE);
        REQUIRE_OK(pixview_convert(&src, &dst, &params, err));
        REQUIRE(memcmp(to, wanted, SIZE) == 0);
        fake_reset();
    }
    gpu ? fake_free(from) : free(from);
    gpu ? fake_free(to) : free(to);
    free(wanted);
    free(start);
}

// What was gathered comes back when it is split.
static void random_splits(pixview_device device, int rounds, uint64_t seed)
{
    bool gpu = device.type == PIXVIEW_DEVICE_CUDA;
    bundle b = {.memory = gpu ? fake_malloc(0, SIZE) : malloc(SIZE),
                .list_memory = gpu ? fake_malloc(0, 8 * SIZE) : malloc(8 * SIZE)};
    char *before = malloc(8 * SIZE);
    for (int round = 0; round < rounds; round++) {
        pixview_dtype dtype = random_dtypes[next_random(&seed) % 5];
        make_batch(&b, dtype, dtype, device, false, false, &seed);
        fill_random(b.memory, SIZE, (uint64_t)round);
        fill_random(b.list_memory, 8 * SIZE, (uint64_t)round + 1);
        memcpy(before, b.list_memory, 8 * SIZE);
        REQUIRE_OK(pixview_unstack(&b.whole, b.parts, b.count, NULL, err));
        int64_t at[4];
        FOR_EACH(at, &b.whole)
        {
            int64_t to[4] = {0, at[1], at[2], at[3]};
            memcpy(before + (element(&b.parts[at[0]], to) - b.list_memory), element(&b.whole, at),
                   (size_t)pixview_dtype_size(dtype));
        }
        REQUIRE(memcmp(before, b.list_memory, 8 * SIZE) == 0);
        fake_reset();
    }
    gpu ? fake_free(b.memory) : free(b.memory);
    gpu ? fake_free(b.list_memory) : free(b.list_memory);
    free(before);
}

// One launch, whatever the number; nothing at all for an empty batch.
static void test_calls(void)
{
    enum { COUNT = 64 };
    char *far = fake_malloc(0, SIZE), *out = fake_malloc(0, SIZE);
    pixview_image srcs[COUNT];
    for (int i = 0; i < COUNT; i++)
        srcs[i] =
            make_image(far + i * 128, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(16, 3, 1), U8, GPU0);
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_NCHW, LIST(COUNT, 3, 4, 5), NULL, F32, GPU0);
    pixview_convert_params params = plain();
    REQUIRE_OK(pixview_stack(srcs, COUNT, &dst, &params, err)); // loads the kernels
    fake_reset();
    REQUIRE_OK(pixview_stack(srcs, COUNT, &dst, &params, err));
    REQUIRE_WORK("launch");
    fake_reset();
    dst = make_image(out, PIXVIEW_LAYOUT_NCHW, LIST(COUNT, 3, 4, 5), NULL, U8, GPU0);
    REQUIRE_OK(pixview_unstack(&dst, srcs, COUNT, &params, err));
    REQUIRE_WORK("launch");
    fake_reset();
    REQUIRE_OK(pixview_convert(&srcs[0], &srcs[1], NULL, err));
    REQUIRE_WORK("launch");
    fake_reset();
    params.stream = PIXVIEW_STREAM_NONE;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "STREAM_NONE", pixview_stack(srcs, COUNT, &dst, &params, err));
    for (int i = 0; i < COUNT; i++)
        srcs[i] = make_image(NULL, PIXVIEW_LAYOUT_HWC, LIST(0, 5, 3), NULL, U8, GPU0);
    dst = make_image(NULL, PIXVIEW_LAYOUT_NCHW, LIST(COUNT, 3, 0, 5), NULL, F32, GPU0);
    REQUIRE_OK(pixview_stack(srcs, COUNT, &dst, NULL, err));
    REQUIRE_WORK("");
    fake_free(far), fake_free(out);
}

// Between host and GPU only what pixview_copy does.
static void test_between(void)
{
    static uint8_t near[256];
    char *far = fake_malloc(0, 256), *wide = fake_malloc(0, 1024);
    pixview_image host = make_image(near, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8, CPU);
    pixview_image gpu = make_image(far, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8, GPU0);
    pixview_image floats = make_image(wide, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, F32, GPU0);
    pixview_image batch = make_image(wide, PIXVIEW_LAYOUT_NHWC, LIST(1, 4, 5, 3), NULL, U8, GPU0);
    fill_random(near, sizeof near, 8);
    REQUIRE_OK(pixview_convert(&host, &gpu, NULL, err));
    REQUIRE(memcmp(near, far, 60) == 0);
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "copy it there first",
                  pixview_convert(&host, &floats, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "srcs[0] is in host memory, but the batch is in device memory",
                  pixview_stack(&host, 1, &batch, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "dsts[0] is in host memory",
                  pixview_unstack(&batch, &host, 1, NULL, err));
    floats.device.id = 1;
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "GPU 0 and the destination on GPU 1",
                  pixview_convert(&gpu, &floats, NULL, err));
    batch.device.id = 1;
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "srcs[0] is on GPU 0 and the batch on GPU 1",
                  pixview_stack(&gpu, 1, &batch, NULL, err));
    fake_free(far), fake_free(wide);
}

// ---- padding ----------------------------------------------------------------------------------

static void test_padding(void)
{
    static const struct {
        pixview_dtype dtype;
        double value;
        bool fits;
        uint64_t bits;
    } table[] = {
        {{1, 8, 1}, 114, true, 114},
        {{1, 8, 1}, 256, false, 0},
        {{1, 8, 1}, -1, false, 0},
        {{1, 8, 1}, 0.5, false, 0},
        {{1, 8, 1}, NAN, false, 0},
        {{0, 8, 1}, -128, true, 0x80},
        {{0, 8, 1}, 128, false, 0},
        {{1, 64, 1}, 0x1p63, true, (uint64_t)1 << 63},
        {{1, 64, 1}, 0x1p64, false, 0},
        {{0, 64, 1}, -5, true, (uint64_t)-5},
        {{2, 16, 1}, 1.5, true, 0x3e00},
        {{2, 16, 1}, 70000, false, 0},
        {{2, 16, 1}, INFINITY, true, 0x7c00},
        {{4, 16, 1}, -2, true, 0xc000},
        {{4, 16, 1}, 3.4e38, false, 0}, // rounds to infinity
        {{2, 32, 1}, 1, true, 0x3f800000},
        {{2, 32, 1}, 1e39, false, 0},
        {{2, 64, 1}, 1, true, 0x3ff0000000000000},
        {{5, 64, 1}, 1, true, 0x3f800000},
        {{6, 8, 1}, 1, true, 1},
        {{6, 8, 1}, 2, false, 0},
    };
    static char a[64] __attribute__((aligned(16))), b[64] __attribute__((aligned(16)));
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        pixview_dtype dtype = table[i].dtype;
        bool fits = table[i].fits;
        pixview_image src = make_image(a, PIXVIEW_LAYOUT_HW, LIST(1, 1), NULL, dtype, CPU);
        pixview_image dst = make_image(b, PIXVIEW_LAYOUT_HW, LIST(1, 2), NULL, dtype, CPU);
        pixview_convert_params params = plain();
        params.pad = true, params.pad_value = table[i].value;
        if (!fits) {
            REQUIRE_FAILS(PIXVIEW_E_DTYPE, "pad_value", pixview_convert(&src, &dst, &params, err));
            continue;
        }
        REQUIRE_OK(pixview_convert(&src, &dst, &params, err));
        if (memcmp(b + dtype.bits / 8, &table[i].bits, dtype.bits == 64 ? 8 : dtype.bits / 8) != 0)
            FAIL("pad_value %g of %s", table[i].value, pixview_dtype_name(dtype));
    }
}

// In units of the source, and normalised like a pixel: a fraction may be what gives 0.
static void test_padded_values(void)
{
    uint8_t in = 20;
    float out[4];
    const double mean = 0.5, std = 0.25;
    pixview_image src = make_image(&in, PIXVIEW_LAYOUT_HW, LIST(1, 1), NULL, U8, CPU);
    pixview_image dst = make_image(out, PIXVIEW_LAYOUT_HW, LIST(2, 2), NULL, F32, CPU);
    pixview_convert_params params = plain();
    params.scale = 1 / 255.0, params.mean = &mean, params.std = &std, params.channels = 1;
    params.pad = true, params.pad_value = 127.5;
    REQUIRE_OK(pixview_convert(&src, &dst, &params, err));
    REQUIRE(fabsf(out[0] - (20 / 255.0f - 0.5f) * 4) < 1e-6f);
    for (int i = 1; i < 4; i++)
        REQUIRE(fabsf(out[i]) < 1e-6f);
    params.pad_value = 1e39;
    REQUIRE_FAILS(PIXVIEW_E_DTYPE, "does not fit float32",
                  pixview_convert(&src, &dst, &params, err));
}

// ---- far apart --------------------------------------------------------------------------------

// Offsets beyond 2^32 bytes, in memory that is only touched where the image lies.
static void test_far_apart(void)
{
    int64_t step = (int64_t)5 << 30;
    char *room = mmap(NULL, (size_t)step * 2, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return;
    uint8_t small[12];
    fill_random(small, sizeof small, 4);
    pixview_image parts[2] = {
        make_image(small, PIXVIEW_LAYOUT_HWC, LIST(1, 2, 3), NULL, U8, CPU),
        make_image(small + 6, PIXVIEW_LAYOUT_HWC, LIST(1, 2, 3), NULL, U8, CPU)};
    pixview_image dst = make_image(room, PIXVIEW_LAYOUT_NCHW, LIST(2, 3, 1, 2),
                                   LIST(step, step / 5, 8, 4), F32, CPU);
    REQUIRE_OK(pixview_stack(parts, 2, &dst, NULL, err));
    int64_t at[4];
    FOR_EACH(at, &dst)
    {
        float got;
        memcpy(&got, element(&dst, at), sizeof got);
        REQUIRE(got == (float)small[at[0] * 6 + at[2] * 3 + at[3]]);
    }
    munmap(room, (size_t)step * 2);
}

// Strides along extents of 1 and 0 mean nothing, in an image filled by hand.
static void test_strides_that_mean_nothing(void)
{
    const int64_t least = INT64_MIN;
    uint8_t pixel[3] = {1, 2, 3}, room[2 * 4 * 5 * 3];
    pixview_convert_params params = plain();
    params.pad = true;
    params.pad_value = 9;
    pixview_image parts[2] = {
        {pixel, {1, 1, 1, 3}, {least, least, least, 1}, U8, CPU, 0, 0, NULL, 0},
        {NULL, {1, 0, 5, 3}, {least, least, least, least}, U8, CPU, 0, 0, NULL, 0}};
    pixview_image dst = make_image(room, PIXVIEW_LAYOUT_NHWC, LIST(2, 4, 5, 3), NULL, U8, CPU);
    pixview_image first = make_image(room, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), NULL, U8, CPU);
    for (int way = 0; way < 2; way++) {
        memset(room, 0, sizeof room);
        if (way == 0)
            REQUIRE_OK(pixview_stack(parts, 2, &dst, &params, err));
        else
            REQUIRE_OK(pixview_convert(parts, &first, &params, err));
        for (int i = 0; i < (way == 0 ? 120 : 60); i++)
            REQUIRE_INT(room[i], i < 3 ? pixel[i] : 9);
    }
}

int main(void)
{
    use_fake_driver(2);
    test_strides_that_mean_nothing();
    test_values();
    test_bits();
    test_padding();
    test_padded_values();
    test_far_apart();
    random_batches(CPU, 1500, 1);
    random_splits(CPU, 500, 2);
    random_padded(CPU, 1000, 5);
    REQUIRE_CALLS("");
    test_between();
    random_batches(GPU0, 800, 3);
    random_splits(GPU0, 300, 4);
    random_padded(GPU0, 800, 6);
    test_calls();
    return 0;
}
