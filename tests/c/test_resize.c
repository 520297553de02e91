// SPDX-License-Identifier: Apache-2.0
// Resizing in host memory against its specification, what pixview_stack and pixview_placement_fit refuse, and which
// lists go to which kernel.
#include "copy/batch.h"
#include "copy/filter.h"
#include "copy/geometry.h"
#include "copy/reference.h"
#include "cuda/select/resize.h"
#include "host/host.h"
#include "images.h"
#include "pixview/pixview.h"

enum { SIZE = 1 << 20, IMAGES = 3 };
static char *src, *dst, *wanted;

static const pixview_dtype sources[] = {{PIXVIEW_DTYPE_UINT, 8, 1},
                                        {PIXVIEW_DTYPE_UINT, 16, 1},
                                        {PIXVIEW_DTYPE_FLOAT, 16, 1},
                                        {PIXVIEW_DTYPE_BFLOAT, 16, 1},
                                        {PIXVIEW_DTYPE_FLOAT, 32, 1}};
static const pixview_dtype results[] = {{PIXVIEW_DTYPE_UINT, 8, 1},
                                        {PIXVIEW_DTYPE_FLOAT, 16, 1},
                                        {PIXVIEW_DTYPE_BFLOAT, 16, 1},
                                        {PIXVIEW_DTYPE_FLOAT, 32, 1}};

#ifdef __SANITIZE_THREAD__ // which has no use for one thread
enum { ROUNDS = 20, THREADED = 20 };
#else
enum { ROUNDS = 1000, THREADED = 100 };
#endif

// ---- at random --------------------------------------------------------------------------------

// Finite numbers of the type: a NaN's bits differ from machine to machine.
static void fill_source(pixview_dtype dtype, uint64_t *seed)
{
    fill_random(src, SIZE, next_random(seed));
    if (dtype.code == PIXVIEW_DTYPE_UINT)
        return;
    for (int64_t i = dtype.bits / 8 - 1; i < SIZE; i += dtype.bits / 8)
        src[i] &= (char)0xbf; // small exponents
}

static int64_t extent(uint64_t *seed)
{
    uint64_t kind = next_random(seed) % 8;
    return kind == 0 ? 1 : kind == 1 ? 2 : 1 + (int64_t)(next_random(seed) % 44);
}

typedef struct job {
    pixview_image images[IMAGES], batch;
    pixview_geometry geometry;
    pixview_convert_params params;
    double mean[8], std[8];
} job;

static void make_images(job *j, int64_t count, int64_t channels, pixview_dtype dtype,
                        uint64_t *seed)
{
    for (int64_t n = 0; n < count; n++) {
        int64_t shape[] = {1, extent(seed), extent(seed), channels};
        char *memory = src + n * (SIZE / IMAGES / 64 * 64);
        j->images[n] = random_image(memory, SIZE / IMAGES, shape, dtype, CPU, true, seed);
    }
}

static void make_values(job *j, int64_t channels, bool changed, uint64_t *seed)
{
    j->params = (pixview_convert_params){.struct_size = sizeof j->params,
                                         .geometry = &j->geometry,
                                         .swap_rb = channels >= 3 && next_random(seed) % 2,
                                         .pad_value = (double)(next_random(seed) % 100)};
    if (!changed)
        return;
    j->params.scale = 1.0 / 255;
    j->params.channels = next_random(seed) % 2 ? (int32_t)channels : 1;
    for (int c = 0; c < j->params.channels; c++) {
        j->mean[c] = 0.1 * c + 0.3;
        j->std[c] = 0.2 + 0.1 * c;
    }
    j->params.mean = j->mean;
    j->params.std = j->std;
}

static void make_job(job *j, uint64_t *seed)
{
    static const int channel_counts[] = {1, 3, 3, 4};
    int64_t count = 1 + (int64_t)(next_random(seed) % IMAGES);
    int64_t channels = channel_counts[next_random(seed) % 4];
    int interpolation = (int)(next_random(seed) % 6);
    pixview_dtype from =
        interpolation >= PIXVIEW_INTERPOLATION_PIL_BILINEAR ? U8 : sources[next_random(seed) % 5];
    bool changed = next_random(seed) % 2;
    pixview_dtype to = changed ? results[next_random(seed) % 4] : from;
    int64_t shape[] = {count, extent(seed), extent(seed), channels};
    fill_source(from, seed);
    make_images(j, count, channels, from, seed);
    j->batch = random_image(dst, SIZE, shape, to, CPU, false, seed);
    j->geometry = (pixview_geometry){.struct_size = sizeof j->geometry,
                                     .fit = 1 + next_random(seed) % 3,
                                     .align = next_random(seed) % 2,
                                     .no_scaleup = next_random(seed) % 4 == 0,
                                     .interpolation = (pixview_interpolation)interpolation};
    make_values(j, channels, changed, seed);
}

static void run_reference(job *j, int64_t count)
{
    pixviewi_copy_op op;
    pixviewi_filters filters = {.count = 0};
    pixview_image batch = j->batch;
    batch.data = (char *)batch.data + (wanted - dst);
    pixview_error error;
    REQUIRE(pixviewi_stack_op(j->images, NULL, count, &batch, &j->params, "srcs", &op, &error) ==
            0);
    if (pixviewi_has_filters(&op)) {
        REQUIRE(pixviewi_filters_make(&op, &filters, &error) == 0);
        op.filters = &filters;
    }
    pixviewi_run_reference(&op);
    pixviewi_filters_free(&filters);
}

static void require_wanted(const job *j, int round)
{
    if (memcmp(dst, wanted, SIZE) != 0)
        FAIL("round %d, %s: %s to %s, interpolation %d, fit %d, canvas %d x %d", round,
             pixviewi_host_loops()->name, pixview_dtype_name(j->images[0].dtype),
             pixview_dtype_name(j->batch.dtype), (int)j->geometry.interpolation,
             (int)j->geometry.fit, (int)j->batch.shape[1], (int)j->batch.shape[2]);
}

// By the loops of every instruction set.
static void test_at_random(int rounds)
{
    uint64_t seed = 20261129;
    for (int round = 0; round < rounds; round++) {
        job j;
        make_job(&j, &seed);
        int64_t count = j.batch.shape[0];
        memset(wanted, round, SIZE);
        run_reference(&j, count);
        for (int k = 0; pixviewi_host_known_loops(k); k++) {
            pixviewi_host_hooks.loops = pixviewi_host_known_loops(k);
            memset(dst, round, SIZE);
            REQUIRE_OK(pixview_stack(j.images, count, &j.batch, &j.params, err));
            require_wanted(&j, round);
        }
    }
}

// Bytes in memory of their own, behind which a sanitizer sees every read, and rows of several chunks.
static void resize_own(int layout, int64_t channels, int interpolation, const int64_t *widths)
{
    uint64_t seed = (uint64_t)widths[0];
    int64_t size = 5 * widths[0] * channels;
    int64_t hwc[] = {5, widths[0], channels}, chw[] = {channels, 5, widths[0]};
    char *own = malloc((size_t)size);
    job j;
    REQUIRE(own);
    fill_random(own, size, seed);
    j.images[0] = layout == PIXVIEW_LAYOUT_HWC
                      ? make_image(own, PIXVIEW_LAYOUT_HWC, hwc, NULL, U8, CPU)
                      : make_image(own, PIXVIEW_LAYOUT_CHW, chw, NULL, U8, CPU);
    j.batch = make_image(dst, PIXVIEW_LAYOUT_NCHW, (const int64_t[]){1, channels, 3, widths[1]},
                         NULL, U8, CPU);
    j.geometry = (pixview_geometry){.struct_size = sizeof j.geometry,
                                    .fit = PIXVIEW_FIT_STRETCH,
                                    .interpolation = (pixview_interpolation)interpolation};
    make_values(&j, channels, false, &seed);
    REQUIRE_OK(pixview_stack(j.images, 1, &j.batch, &j.params, err));
    run_reference(&j, 1);
    if (memcmp(dst, wanted, (size_t)(3 * widths[1] * channels)) != 0)
        FAIL("%d channels, layout %d, interpolation %d, %d to %d columns", (int)channels, layout,
             interpolation, (int)widths[0], (int)widths[1]);
    free(own);
}

static void test_ends(void)
{
    static const int64_t widths[][2] = {{24, 8}, {16, 24}, {19, 16}, {75, 33}, {300, 700}};
    static const int64_t channels[] = {1, 3, 4};
    for (int i = 0; i < 5 * 3 * 6 * 2; i++)
        resize_own(i % 2 ? PIXVIEW_LAYOUT_HWC : PIXVIEW_LAYOUT_CHW, channels[i / 2 % 3], i / 6 % 6,
                   widths[i / 36]);
}

// ---- arguments --------------------------------------------------------------------------------

static void test_placement(void)
{
    pixview_placement_params p = {.struct_size = sizeof p, .canvas_h = 640, .canvas_w = 640};
    pixview_placement out;
    p.fit = PIXVIEW_FIT_LETTERBOX;
    REQUIRE_OK(pixview_placement_fit(1080, 1920, &p, &out, err));
    REQUIRE_INT(out.y, 140);
    REQUIRE_INT(out.h, 360);
    REQUIRE_INT(out.w, 640);
    REQUIRE(out.scale_y == 360.0 / 1080 && out.source_h == 1080 && out.source_y == 0);
    p.stride = 32;
    REQUIRE_OK(pixview_placement_fit(1080, 1920, &p, &out, err));
    REQUIRE_INT(out.canvas_h, 384);
    REQUIRE_INT(out.y, 12);
    p.stride = 0, p.fit = PIXVIEW_FIT_COVER;
    REQUIRE_OK(pixview_placement_fit(1080, 1920, &p, &out, err));
    REQUIRE_INT(out.resized_w, 1137);
    REQUIRE_INT(out.skip_x, 248); // round(248.5), to even
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL", pixview_placement_fit(1, 1, NULL, &out, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL", pixview_placement_fit(1, 1, &p, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "0 x 1", pixview_placement_fit(0, 1, &p, &out, err));
    p.stride = 32;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "stride=32", pixview_placement_fit(1, 1, &p, &out, err));
    p.stride = 0, p.fit = 4;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "fit=4", pixview_placement_fit(1, 1, &p, &out, err));
    p.fit = PIXVIEW_FIT_NONE;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "641 x 1", pixview_placement_fit(641, 1, &p, &out, err));
    p.canvas_h = -1;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "-1 x 640", pixview_placement_fit(1, 1, &p, &out, err));
    p.struct_size--;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "struct_size", pixview_placement_fit(1, 1, &p, &out, err));
}

#define SHAPE(...) ((const int64_t[]){__VA_ARGS__})

static void test_arguments(void)
{
    pixview_image image = make_image(src, PIXVIEW_LAYOUT_HWC, SHAPE(6, 7, 3), NULL, U8, CPU);
    pixview_image batch = make_image(dst, PIXVIEW_LAYOUT_NCHW, SHAPE(1, 3, 8, 8), NULL, U8, CPU);
    pixview_geometry g = {.struct_size = sizeof g, .fit = PIXVIEW_FIT_STRETCH};
    pixview_convert_params p = {.struct_size = sizeof p, .geometry = &g};
    pixview_roi roi = {1, 2, 3, 4};
    pixview_placement placed;
    g.rois = &roi, g.placements = &placed;
    REQUIRE_OK(pixview_stack(&image, 1, &batch, &p, err));
    REQUIRE(placed.source_y == 1 && placed.source_x == 2 && placed.source_h == 3);
    REQUIRE(placed.scale_x == 2 && placed.w == 8);
    roi.w = 6;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "rois[0] y=1 x=2 h=3 w=6 of srcs[0]",
                  pixview_stack(&image, 1, &batch, &p, err));
    roi.w = 0;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "at least one pixel",
                  pixview_stack(&image, 1, &batch, &p, err));
    g.rois = NULL;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "count=0", pixview_stack(&image, 0, &batch, &p, err));
    g.interpolation = 6;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "interpolation=6", pixview_stack(&image, 1, &batch, &p, err));
    g.interpolation = PIXVIEW_INTERPOLATION_PIL_BICUBIC;
    pixview_image floats = make_image(src, PIXVIEW_LAYOUT_HWC, SHAPE(6, 7, 3), NULL, F32, CPU);
    REQUIRE_FAILS(PIXVIEW_E_DTYPE, "Pillow", pixview_stack(&floats, 1, &batch, &p, err));
    g.struct_size--;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "geometry->struct_size",
                  pixview_stack(&image, 1, &batch, &p, err));
    g.struct_size++;
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "geometry", pixview_unstack(&batch, &image, 1, &p, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "geometry", pixview_convert(&image, &image, &p, err));
}

// Which kernel a list of `count` images of `side` rows and columns goes to, onto canvases of 64.
static int kernel_of(int64_t side, int64_t count, int64_t channels, bool planar)
{
    static pixview_image images[IMAGES];
    pixviewi_copy_op op = {.shape = {count, 64, 64, channels}, .resizes = true};
    for (int64_t i = 0; i < count; i++)
        images[i] = (pixview_image){.shape = {1, side, side, channels}};
    op.resize.fit.fit = PIXVIEWI_FIT_STRETCH;
    op.affine.is_identity = true;
    op.src = (pixviewi_operand){.dtype = U8, .images = images};
    op.dst = (pixviewi_operand){.dtype = U8, .strides = {64 * 64 * channels, 64, 1, 64 * 64}};
    if (!planar)
        memcpy(op.dst.strides, LIST(64 * 64 * channels, 64 * channels, channels, 1),
               sizeof op.dst.strides);
    pixviewi_resize_launch launch;
    pixviewi_resize_begin(&launch, &op);
    return launch.kernel;
}

static void test_kernels(void)
{
    REQUIRE(kernel_of(127, 3, 3, true) == PIXVIEWI_KERNEL_COLUMNS);
    REQUIRE(kernel_of(8, 1, 1, true) == PIXVIEWI_KERNEL_COLUMNS);
    REQUIRE(kernel_of(128, 3, 3, true) == PIXVIEWI_KERNEL_RESIZE); // as much to read as to compute
    REQUIRE(kernel_of(127, 3, 3, false) == PIXVIEWI_KERNEL_RESIZE);
    REQUIRE(kernel_of(127, 3, 4, true) == PIXVIEWI_KERNEL_RESIZE);
    REQUIRE(kernel_of(INT32_MAX, 3, 3, true) == PIXVIEWI_KERNEL_RESIZE); // more than 2^63 pixels
}

int main(void)
{
    test_kernels();
    src = malloc(SIZE), dst = malloc(SIZE), wanted = malloc(SIZE);
    REQUIRE(src && dst && wanted);
    test_at_random(ROUNDS);
    for (int i = 0; pixviewi_host_known_loops(i); i++) {
        pixviewi_host_hooks.loops = pixviewi_host_known_loops(i);
        test_ends();
    }
    pixviewi_host_hooks.threads = 3; // bands of an image each
    pixviewi_host_hooks.share = 1;
    test_at_random(THREADED);
    test_placement();
    test_arguments();
    free(src), free(dst), free(wanted);
    return 0;
}
