// SPDX-License-Identifier: Apache-2.0
// Moves in host memory against their specification: every loop, on every instruction set that this
// processor has, at random and at the extents where vectors end.
#include <math.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "copy/backend.h"
#include "copy/reference.h"
#include "host/host.h"
#include "images.h"

// ---- one move and its specification -----------------------------------------------------------

enum { SIZE = 1 << 17 };
static char *src, *dst, *wanted; // the middle of larger blocks: ASan sees what leaves them

// Equal, or both NaN of the type `dtype`.
static bool same(const char *a, const char *b, pixview_dtype dtype)
{
    uint16_t half_a, half_b;
    float single_a, single_b;
    int64_t size = pixview_dtype_size(dtype);
    if (memcmp(a, b, (size_t)size) == 0)
        return true;
    memcpy(&half_a, a, sizeof half_a), memcpy(&half_b, b, sizeof half_b);
    if (size == 2) {
        uint16_t infinite = dtype.code == PIXVIEW_DTYPE_BFLOAT ? 0x7f80 : 0x7c00;
        return (half_a & 0x7fff) > infinite && (half_b & 0x7fff) > infinite;
    }
    memcpy(&single_a, a, sizeof single_a), memcpy(&single_b, b, sizeof single_b);
    return size == 4 && isnan(single_a) && isnan(single_b);
}

static const char *describe(const pixviewi_copy_op *op)
{
    static char text[512];
    const int64_t *s = op->src.strides, *d = op->dst.strides, *n = op->shape;
    snprintf(text, sizeof text,
             "%s: %s to %s, %d %d %d %d, strides %d %d %d %d to %d %d %d %d, lists %d %d, swap %d",
             pixviewi_host_loops()->name, pixview_dtype_name(op->src.dtype),
             pixview_dtype_name(op->dst.dtype), (int)n[0], (int)n[1], (int)n[2], (int)n[3],
             (int)s[0], (int)s[1], (int)s[2], (int)s[3], (int)d[0], (int)d[1], (int)d[2], (int)d[3],
             op->src.images != NULL, op->dst.images != NULL, op->affine.swap_rb);
    return text;
}

// `dst` and `wanted` begin equal, so whatever is written beside the image shows too.
static void require_equal(const pixviewi_copy_op *op)
{
    if (memcmp(dst, wanted, SIZE) == 0)
        return;
    int64_t size = pixview_dtype_size(op->dst.dtype);
    bool floats = !op->affine.is_identity && size > 1;
    for (int64_t i = 0; i < SIZE; i++)
        if (dst[i] != wanted[i] &&
            !(floats && same(dst + i / size * size, wanted + i / size * size, op->dst.dtype)))
            FAIL("%s: byte %d is %#x, not %#x", describe(op), (int)i, (uint8_t)dst[i],
                 (uint8_t)wanted[i]);
}

static void shift_dst(pixviewi_copy_op *op, pixview_image *images, int64_t by)
{
    if (!op->dst.images)
        op->dst.data += by;
    for (int64_t n = 0; op->dst.images && n < op->shape[0]; n++)
        images[n].data = (char *)images[n].data + by;
}

static bool every_set = true; // of instructions; or the best alone

// The slow one into `wanted`, and the fast ones into the same places of dst.
static void check(pixviewi_copy_op *op, pixview_image *dst_images)
{
    static int round;
    memset(wanted, ++round, SIZE);
    shift_dst(op, dst_images, wanted - dst);
    pixviewi_run_reference(op);
    shift_dst(op, dst_images, dst - wanted);
    for (int k = 0; every_set ? pixviewi_host_known_loops(k) != NULL : k == 0; k++) {
        pixviewi_host_hooks.loops = every_set ? pixviewi_host_known_loops(k) : NULL;
        memset(dst, round, SIZE);
        pixviewi_host_run(op);
        require_equal(op);
    }
}

// ---- at random --------------------------------------------------------------------------------

static const pixview_dtype from_types[] = {
    {PIXVIEW_DTYPE_UINT, 8, 1},    {PIXVIEW_DTYPE_INT, 8, 1},   {PIXVIEW_DTYPE_UINT, 16, 1},
    {PIXVIEW_DTYPE_INT, 16, 1},    {PIXVIEW_DTYPE_INT, 32, 1},  {PIXVIEW_DTYPE_FLOAT, 16, 1},
    {PIXVIEW_DTYPE_BFLOAT, 16, 1}, {PIXVIEW_DTYPE_FLOAT, 32, 1}};
static const pixview_dtype to_types[] = {{PIXVIEW_DTYPE_UINT, 8, 1},
                                         {PIXVIEW_DTYPE_FLOAT, 16, 1},
                                         {PIXVIEW_DTYPE_BFLOAT, 16, 1},
                                         {PIXVIEW_DTYPE_FLOAT, 32, 1}};

static void random_extents(int64_t shape[4], uint64_t *seed)
{
    static const int channels[] = {1, 2, 3, 3, 3, 4, 4, 5, 8, 16, 17};
    shape[0] = 1 + next_random(seed) % 3;
    shape[1] = next_random(seed) % 12;
    shape[2] = next_random(seed) % 68;
    shape[3] = channels[next_random(seed) % 11];
    if (next_random(seed) % 4 == 0)
        shape[1 + next_random(seed) % 2] = 1;
    while (shape[0] * shape[1] * shape[2] * shape[3] > SIZE / 128)
        shape[1 + next_random(seed) % 2] /= 2;
}

static void random_values(pixviewi_affine *affine, int64_t channels, bool changed, uint64_t *seed)
{
    *affine = (pixviewi_affine){.is_identity = !changed, .channels = 1};
    affine->swap_rb = (channels == 3 || channels == 4) && next_random(seed) % 2;
    if (channels <= PIXVIEWI_MAX_CHANNELS && next_random(seed) % 2)
        affine->channels = (int32_t)channels;
    static const float a[] = {1, 1.0f / 255, -3.5f, 0.017f, 250},
                       b[] = {-0.0f, 1, -2.1f, 114, 0.4f};
    for (int c = 0; c < affine->channels; c++) {
        affine->scale[c] = a[next_random(seed) % 5];
        affine->bias[c] = b[next_random(seed) % 5];
    }
    affine->pad = (float)(next_random(seed) % 300) - 20;
    fill_random(affine->pad_bits, sizeof affine->pad_bits, next_random(seed));
}

// Separate images where the batch has them, the sources perhaps smaller.
static void make_list(const pixview_image *batch, pixview_image *images, bool smaller,
                      uint64_t *seed)
{
    for (int64_t n = 0; n < batch->shape[0]; n++) {
        images[n] = *batch;
        images[n].shape[0] = 1;
        images[n].data = (char *)batch->data + n * batch->strides[0];
        if (smaller && batch->shape[1] > 0 && batch->shape[2] > 0) {
            images[n].shape[1] -= next_random(seed) % (uint32_t)(batch->shape[1] + 1);
            images[n].shape[2] -= next_random(seed) % (uint32_t)(batch->shape[2] + 1);
            if (pixview_image_is_empty(&images[n]))
                images[n].data = NULL;
        }
    }
}

static void random_move(bool changed, uint64_t *seed)
{
    int64_t shape[4];
    pixview_image images[3];
    pixview_dtype to = random_dtypes[next_random(seed) % 5], from = to;
    random_extents(shape, seed);
    if (changed) {
        from = from_types[next_random(seed) % 8];
        to = to_types[next_random(seed) % 4];
    }
    pixview_image a = random_image(src, SIZE, shape, from, CPU, true, seed);
    pixview_image b = random_image(dst, SIZE, shape, to, CPU, false, seed);
    pixviewi_copy_op op = {.src = {.dtype = from, .data = a.data, .strides = {0}},
                           .dst = {.dtype = to, .data = b.data, .strides = {0}}};
    memcpy(op.shape, shape, sizeof shape);
    memcpy(op.src.strides, a.strides, sizeof a.strides);
    memcpy(op.dst.strides, b.strides, sizeof b.strides);
    random_values(&op.affine, shape[3], changed, seed);
    int list = (int)(next_random(seed) % 4);
    if (list == 1) {
        make_list(&a, images, next_random(seed) % 2, seed);
        op.src.images = images;
    } else if (list == 2) {
        make_list(&b, images, false, seed);
        op.dst.images = images;
    } else if (list == 3) {
        uint64_t other = *seed;
        op.src.pad_rows = (int64_t)(next_random(&other) % (uint32_t)(shape[1] + 1));
        op.src.pad_cols = (int64_t)(next_random(&other) % (uint32_t)(shape[2] + 1));
    }
    check(&op, images);
}

static void test_random(int rounds, uint64_t seed)
{
    for (int round = 0; round < rounds; round++) {
        random_move(false, &seed);
        random_move(true, &seed);
    }
}

// ---- where vectors end ------------------------------------------------------------------------

static void test_widths(void)
{
    static const pixview_layout layouts[] = {PIXVIEW_LAYOUT_CHW, PIXVIEW_LAYOUT_HWC};
    static const int channels[] = {1, 2, 3, 4, 5, 8, 16};
    for (int64_t width = 1; width <= 67; width++)
        for (int k = 0; k < 7 * 5 * 4 * 2 * 2; k++) {
            int64_t c = channels[k % 7], odd = k / 70 % 2, swap = k / 140 % 2;
            pixview_dtype dtype = random_dtypes[k / 7 % 5];
            pixview_layout in = layouts[k / 280 % 2], out = layouts[k / 35 % 2];
            int64_t size = pixview_dtype_size(dtype), align = size > 8 ? 8 : size;
            pixview_image a = make_image(
                src + odd * align, in,
                in == PIXVIEW_LAYOUT_CHW ? LIST(c, 3, width) : LIST(3, width, c), NULL, dtype, CPU);
            pixview_image b =
                make_image(dst + odd * align, out,
                           out == PIXVIEW_LAYOUT_CHW ? LIST(c, 3, width) : LIST(3, width, c), NULL,
                           dtype, CPU);
            pixviewi_copy_op op = {
                .src = {.dtype = dtype, .data = a.data, .strides = {0}},
                .dst = {.dtype = dtype, .data = b.data, .strides = {0}},
                .affine = {.is_identity = true, .swap_rb = swap && (c == 3 || c == 4)}};
            memcpy(op.shape, a.shape, sizeof a.shape);
            memcpy(op.src.strides, a.strides, sizeof a.strides);
            memcpy(op.dst.strides, b.strides, sizeof b.strides);
            check(&op, NULL);
        }
}

// Three of four channels, up to the last byte of memory of their own.
static void test_alpha(void)
{
    for (int64_t width = 1; width <= 67; width++)
        for (int k = 0; k < 5 * 2 * 2; k++) {
            pixview_dtype dtype = random_dtypes[k % 5];
            int64_t size = pixview_dtype_size(dtype), bytes = (4 * width - 1) * size;
            bool planar = k / 5 % 2, swap = k / 10;
            char *tight = malloc((size_t)bytes);
            fill_random(tight, (size_t)bytes, (uint64_t)width);
            pixviewi_copy_op op = {
                .shape = {1, 1, width, 3},
                .src = {.dtype = dtype, .data = tight, .strides = {0, 0, 4 * size, size}},
                .dst = {.dtype = dtype, .data = dst, .strides = {0, 0, 3 * size, size}},
                .affine = {.is_identity = true, .swap_rb = swap}};
            if (planar)
                op.dst.strides[2] = size, op.dst.strides[3] = width * size;
            check(&op, NULL);
            free(tight);
        }
}

// Rows of a crop, of memory that ends with the last.
static void test_rows(void)
{
    enum { ROWS = 3 };
    for (int64_t size = 250; size <= 700; size += size < 420 ? 1 : 37)
        for (int64_t at = 0; at < 64; at += 13) {
            int64_t step = size + at, bytes = (ROWS - 1) * step + size;
            char *tight = malloc((size_t)bytes);
            fill_random(tight, (size_t)bytes, (uint64_t)size);
            pixviewi_copy_op op = {
                .shape = {1, ROWS, size, 1},
                .src = {.dtype = U8, .data = tight, .strides = {0, step, 1, 1}},
                .dst = {.dtype = U8, .data = dst + at, .strides = {0, size + 5, 1, 1}},
                .affine.is_identity = true};
            check(&op, NULL);
            free(tight);
        }
}

// As if no cache held it: to planes and back, dst anywhere in a line.
static void test_past_the_cache(void)
{
    pixviewi_host_hooks.cache = 1;
    for (int64_t width = 1024; width < 1200; width += width % 2 ? 41 : 23)
        for (int k = 0; k < 5 * 3 * 2 * 2; k++) {
            pixview_dtype dtype = random_dtypes[k % 5];
            int64_t size = pixview_dtype_size(dtype), channels = 2 + k / 5 % 3;
            // Planes a whole number of lines apart, or not.
            int64_t plane = (width * size + 63) / 64 * 64 + (k / 15 % 2 ? 0 : size);
            for (int64_t at = 0; at < 64; at += 16) {
                pixviewi_operand pixels = {.dtype = dtype,
                                           .strides = {0, 0, channels * size, size}};
                pixviewi_operand planes = {.dtype = dtype, .strides = {0, 0, size, plane}};
                pixviewi_copy_op op = {
                    .shape = {1, 1, width, channels},
                    .src = k / 30 ? pixels : planes,
                    .dst = k / 30 ? planes : pixels,
                    .affine = {.is_identity = true, .swap_rb = channels == 3 && width % 2}};
                op.src.data = src;
                op.dst.data = dst + at;
                check(&op, NULL);
            }
        }
    pixviewi_host_hooks.cache = 0;
}

// ---- steps on either end ----------------------------------------------------------------------

// One row: strides of a pixel and of a channel, planar or not, `step` pixels from one to the next.
static void stepped(int64_t strides[4], bool planar, int64_t step, int64_t width, int64_t channels,
                    int64_t size)
{
    int64_t apart = step < 0 ? -step : step;
    strides[2] = (planar ? 1 : channels) * step * size;
    strides[3] = planar ? (apart > 0 ? apart : 1) * width * size : size;
}

// The source fills memory of its own from its first to its last byte, at an odd address.
static void check_stepped(pixviewi_copy_op *op, int64_t size)
{
    int64_t low = 0, high = size;
    for (int k = 1; k < 4; k++) {
        int64_t reach = (op->shape[k] - 1) * op->src.strides[k];
        *(reach < 0 ? &low : &high) += reach;
    }
    char *tight = malloc((size_t)(high - low + 1));
    fill_random(tight, (size_t)(high - low + 1), (uint64_t)(high - low));
    op->src.data = tight + 1 - low;
    check(op, NULL);
    free(tight);
}

static void check_row(int64_t width, int64_t channels, int64_t size, int64_t step, int64_t apart,
                      int order)
{
    pixview_dtype dtype = random_dtypes[__builtin_ctzll((uint64_t)size)];
    pixviewi_copy_op op = {.shape = {1, 1, width, channels},
                           .src.dtype = dtype,
                           .dst.dtype = dtype,
                           .affine.is_identity = true};
    stepped(op.src.strides, order % 2, step, width, channels, size);
    stepped(op.dst.strides, order / 2, apart, width, channels, size);
    op.affine.swap_rb = channels == 3 && width % 2;
    op.dst.data = dst + 1 - (apart < 0 ? (width - 1) * op.dst.strides[2] : 0);
    check_stepped(&op, size);
}

static void test_steps(void)
{
    static const int steps[] = {-7, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7, 15},
                     apart[] = {1, 2, 3, 5, -2}, widths[] = {1, 2, 3, 5, 16, 17, 31, 33, 67},
                     channels[] = {1, 2, 3, 4, 8};
    for (int k = 0; k < 12 * 5 * 5 * 4; k++)
        for (int64_t size = 1; size <= 16; size *= 2) {
            int64_t step = steps[k % 12], count = channels[k / 60 % 5];
            for (int w = 0; w < 9; w++)
                check_row(widths[w], count, size, step, apart[k / 12 % 5], k / 300);
            pixviewi_host_hooks.cache = k % 7 == 0; // for some of them past it
            check_row(2800 / size + 3, count, size, step, apart[k / 12 % 5], k / 300); // buffers
            pixviewi_host_hooks.cache = 0;
        }
}

// Windows: pixels of a source that share elements with their neighbours.
static void test_windows(void)
{
    for (int64_t width = 1; width <= 67; width++)
        for (int k = 0; k < 5 * 3 * 3; k++) {
            pixview_dtype dtype = random_dtypes[k % 5];
            int64_t size = pixview_dtype_size(dtype), channels = 2 + k / 5 % 3, step = k / 15 - 1;
            pixviewi_copy_op op = {
                .shape = {1, 1, width, channels},
                .src = {.dtype = dtype, .strides = {0, 0, step * size, size}},
                .dst = {.dtype = dtype, .data = dst, .strides = {0, 0, channels * size, size}},
                .affine.is_identity = true,
            };
            check_stepped(&op, size);
        }
}

// Rows to columns, more than a buffer holds.
static void test_stepped_transpose(void)
{
    for (int k = 0; k < 5 * 4 * 3; k++) {
        int64_t size = 1 << k % 5, step = k / 5 % 4 - 1, apart = 1 + k / 20 % 3;
        int64_t width = 90, height = 400 / size, row = (step < 0 ? -step : step) * width * size;
        if (step == 0) // a column
            step = 16, row = size;
        pixviewi_copy_op op = {
            .shape = {1, height, width, 1},
            .src = {.dtype = random_dtypes[k % 5], .strides = {0, row, step * size, 0}},
            .dst = {.dtype = random_dtypes[k % 5],
                    .data = dst + 1,
                    .strides = {0, apart * size, apart * height * size, 0}},
            .affine.is_identity = true,
        };
        check_stepped(&op, size);
    }
}

// ---- values -----------------------------------------------------------------------------------

static void convert_all(pixview_dtype from, pixview_dtype to, int64_t count, float a, float b)
{
    int64_t in = pixview_dtype_size(from), out = pixview_dtype_size(to);
    pixviewi_copy_op op = {
        .shape = {1, 1, count, 1},
        .src = {.dtype = from, .data = src, .strides = {0, 0, in, in}},
        .dst = {.dtype = to, .data = dst, .strides = {0, 0, out, out}},
        .affine = {.channels = 1, .scale = {a}, .bias = {b}},
    };
    check(&op, NULL);
}

// Every half, floats around every rounding, and random bits, by every pair of types.
static void test_values(void)
{
    uint64_t seed = 5;
    for (int type = 0; type < 8; type++)
        for (int to = 0; to < 4; to++)
            for (int k = 0; k < 12; k++) {
                float *floats = (float *)(void *)src;
                fill_random(src, SIZE, next_random(&seed));
                for (int i = 0; i < 65536 && (type == 5 || type == 6); i++)
                    ((uint16_t *)(void *)src)[i] = (uint16_t)i;
                for (int i = 0; i < SIZE / 4 && type == 7 && k % 3; i++)
                    floats[i] = k % 3 == 1 ? (float)(i % 1200) / 4 - 20 // halves and quarters
                                           : ldexpf(1 + (float)(i % 8192) / 4096, i % 45 - 27);
                int64_t count = SIZE / (pixview_dtype_size(from_types[type]) > 4 ? 8 : 4);
                if (type == 5 || type == 6)
                    count = to == 3 ? SIZE / 4 : SIZE / 2;
                static const float a[] = {1, 1.0f / 255, 0x1.234568p-3f, -7},
                                   b[] = {-0.0f, 0.5f, -0x1.fffffep4f, 3e-6f};
                convert_all(from_types[type], to_types[to], count, a[k / 3], b[k / 3]);
            }
}

// One rounding, also where the processor has no such instruction: products and sums that cancel, tie
// or lose their last bit.
static void test_fused(void)
{
    uint64_t seed = 21;
    float *in = (float *)(void *)src;
    for (int round = 0; round < 400; round++) {
        float a = ldexpf(1 + (float)next_random(&seed) * 0x1p-31f, round % 40 - 20);
        float b = ldexpf((float)next_random(&seed) * 0x1p-31f - 0.5f, round % 61 - 30);
        for (int i = 0; i < 256; i++) {
            in[i] = i % 2 ? ldexpf(1 + (float)(next_random(&seed) >> 8) * 0x1p-23f, i % 50 - 25)
                          : -b / a * (1 + (float)(i - 128) * 0x1p-24f);
        }
        convert_all(F32, F32, 256, a, b);
    }
}

// ---- threads ----------------------------------------------------------------------------------

typedef struct tally {
    atomic_int seen[1000];
    int pause; // microseconds
} tally;

static void count_piece(void *context, int64_t piece)
{
    tally *counts = context;
    if (counts->pause > 0)
        usleep((useconds_t)counts->pause);
    atomic_fetch_add(&counts->seen[piece], 1);
}

static void require_counted(int threads, int64_t pieces, int pause)
{
    tally counts = {.pause = pause};
    pixviewi_host_parallel(threads, pieces, count_piece, &counts);
    for (int64_t i = 0; i < 1000; i++)
        REQUIRE_INT(counts.seen[i], i < pieces);
}

static void *count_along(void *unused)
{
    for (int round = 0; round < 200; round++)
        require_counted(3, 20, 50);
    return unused;
}

// Thread sanitizer starts no threads after a fork with threads, and qemu-user ends itself there.
#if !defined(__SANITIZE_THREAD__) && !defined(EMULATED)
// A child has no workers; the parent's lock and job, if any, are not its own.
static void require_fork(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        require_counted(4, 50, 1);
        _exit(42);
    }
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}
#else
static void require_fork(void) {}
#endif

static void test_threads(void)
{
    for (int round = 0; round < 2000; round++)
        require_counted(1 + round % 5, round % 7 == 0 ? 1000 : round % 9, 0);
    for (int round = 0; round < 50; round++)
        require_counted(4, 7, 30);
    // Callers at the same time, and forks meanwhile.
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, count_along, NULL), 0);
    for (int round = 0; round < 20; round++)
        require_fork();
    for (int i = 0; i < 3; i++)
        REQUIRE_INT(pthread_join(threads[i], NULL), 0);
}

static void test_one_thread(void)
{
    test_random(4000, 1);
    test_widths();
    test_alpha();
    test_rows();
    test_past_the_cache();
    test_steps();
    test_windows();
    test_stepped_transpose();
    test_values();
    test_fused();
}

#ifdef __SANITIZE_THREAD__ // which has no use for one thread
enum { ONE_THREAD = false };
#else
enum { ONE_THREAD = true };
#endif

int main(void)
{
    src = malloc(SIZE), dst = malloc(SIZE), wanted = malloc(SIZE);
    fill_random(src, SIZE, 1);
    if (ONE_THREAD)
        test_one_thread();
    every_set = false;
    pixviewi_host_hooks.loops = NULL;
    pixviewi_host_hooks.threads = 3;
    pixviewi_host_hooks.share = 256; // whole moves in pieces
    test_random(3000, 2);
    test_threads();
    free(src), free(dst), free(wanted);
    return 0;
}
