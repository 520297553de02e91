// SPDX-License-Identifier: Apache-2.0
// The specification of every move: element types, rounding, lists, padding, channels.
#include <math.h>

#include "copy/reference.h"
#include "images.h"

static const pixview_dtype I8 = {PIXVIEW_DTYPE_INT, 8, 1}, I16 = {PIXVIEW_DTYPE_INT, 16, 1},
                           I32 = {PIXVIEW_DTYPE_INT, 32, 1}, F16 = {PIXVIEW_DTYPE_FLOAT, 16, 1},
                           BF16 = {PIXVIEW_DTYPE_BFLOAT, 16, 1};

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// A row of `count` elements from one type to another, by a * x + b.
static void convert_row(pixview_dtype from, const void *src, pixview_dtype to, void *dst,
                        int64_t count, float a, float b)
{
    int64_t in = pixview_dtype_size(from), out = pixview_dtype_size(to);
    pixviewi_copy_op op = {
        .shape = {1, 1, count, 1},
        .src = {.dtype = from, .data = (char *)(uintptr_t)src, .strides = {0, 0, in, in}},
        .dst = {.dtype = to, .data = dst, .strides = {0, 0, out, out}},
        .affine = {.channels = 1, .scale = {a}, .bias = {b}},
    };
    pixviewi_run_reference(&op);
}

// ---- values -----------------------------------------------------------------------------------

static void test_to_u8(void)
{
    static const struct {
        float in;
        int out;
    } table[] = {{0, 0},         {-0.0f, 0},    {0.5f, 0},      {0.50001f, 1}, {1.5f, 2},
                 {2.5f, 2},      {-0.6f, 0},    {-1e30f, 0},    {254.5f, 254}, {254.50002f, 255},
                 {255.4f, 255},  {255.5f, 255}, {300, 255},     {1e30f, 255},  {INFINITY, 255},
                 {-INFINITY, 0}, {NAN, 0},      {0x1p-149f, 0}, {127.5f, 128}, {128.5f, 128}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint8_t out = 77;
        convert_row(F32, &table[i].in, U8, &out, 1, 1, -0.0f);
        if (out != table[i].out)
            FAIL("%g gives %d, not %d", (double)table[i].in, out, table[i].out);
    }
}

static void test_from_integers(void)
{
    float out[4];
    convert_row(U8, (uint8_t[]){0, 1, 128, 255}, F32, out, 4, 1, -0.0f);
    REQUIRE(out[0] == 0 && out[1] == 1 && out[2] == 128 && out[3] == 255);
    convert_row(I8, (int8_t[]){0, -1, -128, 127}, F32, out, 4, 1, -0.0f);
    REQUIRE(out[0] == 0 && out[1] == -1 && out[2] == -128 && out[3] == 127);
    convert_row(U16, (uint16_t[]){0, 1, 32768, 65535}, F32, out, 4, 1, -0.0f);
    REQUIRE(out[0] == 0 && out[1] == 1 && out[2] == 32768 && out[3] == 65535);
    convert_row(I16, (int16_t[]){0, -1, -32768, 32767}, F32, out, 4, 1, -0.0f);
    REQUIRE(out[0] == 0 && out[1] == -1 && out[2] == -32768 && out[3] == 32767);
    // 2^24 + 1 and + 3 lie between floats: to even.
    convert_row(I32, (int32_t[]){16777217, 16777219, INT32_MIN, INT32_MAX}, F32, out, 4, 1, -0.0f);
    REQUIRE(out[0] == 0x1p24f && out[1] == 16777220 && out[2] == -0x1p31f && out[3] == 0x1p31f);
}

// One rounding: the product alone would round to 1 + 2^-11, and the sum to 0.
static void test_fused(void)
{
    float in = 1 + 0x1p-12f, out;
    convert_row(F32, &in, F32, &out, 1, in, -1 - 0x1p-11f);
    REQUIRE(out == 0x1p-24f);
    in = -0.0f; // the identity keeps the sign of zero
    convert_row(F32, &in, F32, &out, 1, 1, -0.0f);
    REQUIRE_INT(bits_of(out), 0x80000000);
}

static void test_halves_known(void)
{
    static const struct {
        float in;
        uint16_t f16, bf16;
    } table[] = {
        {0, 0, 0},
        {-0.0f, 0x8000, 0x8000},
        {1, 0x3c00, 0x3f80},
        {-2, 0xc000, 0xc000},
        {65504, 0x7bff, 0x4780},
        {65519, 0x7bff, 0x4780},
        {65520, 0x7c00, 0x4780}, // half way to what would be next: to even, infinity
        {INFINITY, 0x7c00, 0x7f80},
        {-INFINITY, 0xfc00, 0xff80},
        {0x1p-24f, 1, 0x3380},
        {0x1p-25f, 0, 0x3300}, // half way to zero: to even
        {0x1.8p-25f, 1, 0x3340},
        {0x1.8p-24f, 2, 0x33c0},
        {0x1p-14f, 0x0400, 0x3880},
        {0x1.ff8p-15f, 0x03ff, 0x3880}, // the largest subnormal
        {0x1.ffcp-15f, 0x0400, 0x3880}, // half way to the smallest normal
        {1 + 0x1p-11f, 0x3c00, 0x3f80},
        {1 + 0x1.8p-10f, 0x3c02, 0x3f80},
        {1 + 0x1p-8f, 0x3c04, 0x3f80},
        {1 + 0x1.8p-7f, 0x3c0c, 0x3f82},
        {0x1.fffffep127f, 0x7c00, 0x7f80},
        {0x1p-149f, 0, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        uint16_t f16, bf16;
        convert_row(F32, &table[i].in, F16, &f16, 1, 1, -0.0f);
        convert_row(F32, &table[i].in, BF16, &bf16, 1, 1, -0.0f);
        if (f16 != table[i].f16 || bf16 != table[i].bf16)
            FAIL("%a gives %#x and %#x, not %#x and %#x", (double)table[i].in, f16, bf16,
                 table[i].f16, table[i].bf16);
    }
}

// Every half is the number that its bits say, and comes back from float as it was, NaN as NaN. The
// host's loops run the same code, so that comparing with them shows nothing.
static void test_halves_return(void)
{
    static const pixview_dtype types[] = {{PIXVIEW_DTYPE_FLOAT, 16, 1},
                                          {PIXVIEW_DTYPE_BFLOAT, 16, 1}};
    for (int k = 0; k < 2; k++)
        for (uint32_t half = 0; half < 65536; half++) {
            uint16_t in = (uint16_t)half, back;
            float wide;
            convert_row(types[k], &in, F32, &wide, 1, 1, -0.0f);
            convert_row(F32, &wide, types[k], &back, 1, 1, -0.0f);
            uint16_t infinity = k ? 0x7f80 : 0x7c00;
            int exponent = in >> 10 & 31, mantissa = (in & 0x3ff) + (exponent ? 0x400 : 0);
            if (k == 0 && exponent < 31)
                REQUIRE(wide == ldexpf((float)(in >> 15 ? -mantissa : mantissa),
                                       (exponent ? exponent : 1) - 25));
            if ((in & 0x7fff) > infinity) {
                REQUIRE(isnan(wide));
                REQUIRE((back & 0x7fff) > infinity);
            } else {
                REQUIRE_INT(back, in);
            }
        }
}

// Against the compiler's own half type where it has one, and by the definition of nearest elsewhere.
static void test_halves_random(void)
{
    uint64_t seed = 3;
    for (int i = 0; i < 200000; i++) {
        float in = float_of(next_random(&seed) << 1 ^ next_random(&seed));
        if (i % 2) // where f16 is not zero or infinite
            in = ldexpf(1 + (float)next_random(&seed) * 0x1p-31f,
                        (int)(next_random(&seed) % 44) - 26);
        if (isnan(in))
            continue;
        uint16_t bf16, f16;
        convert_row(F32, &in, BF16, &bf16, 1, 1, -0.0f);
        uint32_t cut = bits_of(in) & 0xffff0000, next = cut + 0x10000;
        double low = fabs((double)in - (double)float_of(cut)),
               high = fabs((double)in - (isinf(float_of(next)) ? copysign(0x1p128, (double)in)
                                                               : (double)float_of(next)));
        bool up = !isinf(in) && (high < low || (high == low && (cut >> 16 & 1)));
        REQUIRE_INT(bf16, (up ? next : cut) >> 16);
        convert_row(F32, &in, F16, &f16, 1, 1, -0.0f);
#if defined(__FLT16_MANT_DIG__) && (defined(__SSE2__) || defined(__aarch64__))
        _Float16 half = (_Float16)in;
        uint16_t wanted;
        memcpy(&wanted, &half, sizeof wanted);
        REQUIRE_INT(f16, wanted);
#endif
    }
}

// ---- places -----------------------------------------------------------------------------------

// What a move is, written the other way round: from coordinates to bytes by the images' own strides.
static void require_moved(const pixviewi_copy_op *op, const pixview_image *srcs,
                          const pixview_image *dsts)
{
    int64_t at[4], size = pixview_dtype_size(op->dst.dtype);
    const pixview_image whole = {.shape = {op->shape[0], op->shape[1], op->shape[2], op->shape[3]}};
    FOR_EACH(at, &whole)
    {
        const pixview_image *src = &srcs[at[0]], *dst = &dsts[at[0]];
        int64_t to[4] = {0, at[1], at[2], at[3]}, from[4] = {0, at[1], at[2], at[3]};
        if (op->affine.swap_rb && at[3] != 1 && at[3] != 3)
            from[3] = 2 - at[3];
        bool inside = at[1] < src->shape[1] && at[2] < src->shape[2];
        const char *wanted = inside ? element(src, from) : (const char *)op->affine.pad_bits;
        if (memcmp(element(dst, to), wanted, (size_t)size) != 0)
            FAIL("element %d %d %d %d is wrong", (int)at[0], (int)at[1], (int)at[2], (int)at[3]);
    }
}

// Bits, with lists on either side, smaller images, swapped channels.
static void test_places(void)
{
    enum { N = 3, H = 4, W = 5, BYTES = 8192 };
    static char a[BYTES], b[BYTES];
    static const pixview_dtype types[] = {
        {1, 8, 1}, {2, 16, 1}, {2, 32, 1}, {2, 64, 1}, {5, 128, 1}};
    for (int round = 0; round < 5 * 2 * 3 * 4; round++) {
        pixview_dtype dtype = types[round % 5];
        bool swap = round / 5 % 2;
        int lists = round / 10 % 3, channels = 3 + round / 30 % 2; // 0 none, 1 src, 2 dst
        int64_t size = pixview_dtype_size(dtype);
        fill_random(a, sizeof a, (uint64_t)round), memset(b, 0, sizeof b);
        pixview_image src =
            make_image(a, PIXVIEW_LAYOUT_NHWC, LIST(N, H, W, channels), NULL, dtype, CPU);
        pixview_image dst =
            make_image(b, PIXVIEW_LAYOUT_NCHW, LIST(N, channels, H, W), NULL, dtype, CPU);
        pixview_image srcs[N], dsts[N];
        for (int64_t n = 0; n < N; n++) {
            srcs[n] = src, dsts[n] = dst;
            srcs[n].shape[0] = dsts[n].shape[0] = 1;
            srcs[n].data = a + n * src.strides[0];
            dsts[n].data = b + n * dst.strides[0];
            if (lists == 1) // the last, the middle and no row and column missing
                srcs[n].shape[1] -= n % 2, srcs[n].shape[2] -= n;
        }
        pixviewi_copy_op op = {.shape = {N, H, W, channels},
                               .src = {.dtype = dtype, .data = a},
                               .dst = {.dtype = dtype, .data = b},
                               .affine = {.is_identity = true, .swap_rb = swap}};
        memcpy(op.src.strides, src.strides, sizeof src.strides);
        memcpy(op.dst.strides, dst.strides, sizeof dst.strides);
        fill_random(op.affine.pad_bits, 16, 9);
        if (lists == 1)
            op.src.images = srcs, op.src.data = NULL;
        else if (lists == 2)
            op.dst.images = dsts, op.dst.data = NULL;
        pixviewi_run_reference(&op);
        require_moved(&op, srcs, dsts);
        for (int64_t i = N * H * W * channels * size; i < BYTES; i++)
            REQUIRE_INT(b[i], 0);
    }
}

// Values by the channel of the destination, the padding included.
static void test_channels(void)
{
    uint8_t in[3] = {10, 20, 30};
    float out[2][3];
    pixview_image image = make_image(in, PIXVIEW_LAYOUT_HWC, LIST(1, 1, 3), NULL, U8, CPU);
    pixviewi_copy_op op = {
        .shape = {1, 1, 2, 3},
        .src = {.dtype = U8, .images = &image},
        .dst = {.dtype = F32, .data = (char *)out, .strides = {24, 24, 12, 4}},
        .affine =
            {.swap_rb = true, .channels = 3, .scale = {1, 2, 4}, .bias = {0, -1, 5}, .pad = 114},
    };
    pixviewi_run_reference(&op);
    REQUIRE(out[0][0] == 30 && out[0][1] == 39 && out[0][2] == 45);
    REQUIRE(out[1][0] == 114 && out[1][1] == 227 && out[1][2] == 461);
    op.src = pixviewi_operand_of(&image); // the same as a batch that lacks a column
    op.src.pad_cols = 1;
    memset(out, 0, sizeof out);
    pixviewi_run_reference(&op);
    REQUIRE(out[0][0] == 30 && out[1][0] == 114 && out[1][2] == 461);
    op.shape[1] = 0; // nothing to do
    op.dst.data = NULL;
    pixviewi_run_reference(&op);
}

int main(void)
{
    test_to_u8();
    test_from_integers();
    test_fused();
    test_halves_known();
    test_halves_return();
    test_halves_random();
    test_places();
    test_channels();
    return 0;
}
