// SPDX-License-Identifier: Apache-2.0
// Video frames read as RGB: against formulas in double, in planes of every shape, resized, and in lists.
#include "cuda/select/decode.h"
#include "video_pictures.h"

// ---- colours ----------------------------------------------------------------------------------
static void compare_bytes(const picture *p, score *all)
{
    for (int64_t y = 0; y < p->h; y++)
        for (int64_t x = 0; x < p->w; x++) {
            double rgb[3];
            to_rgb(p, y, x, rgb);
            for (int c = 0; c < 3; c++) {
                int from = p->frame.order == PIXVIEW_VIDEO_ORDER_BGR ? 2 - c : c;
                double wanted = floor(clip(rgb[from], 255) + 0.5);
                double apart = fabs(wanted - result[(y * p->w + x) * 3 + c]);
                bool halfway = fabs(rgb[from] - floor(rgb[from]) - 0.5) < 1e-9; // either is right
                all->values++;
                all->differ += apart > 0 && !halfway;
                all->most = apart > all->most ? apart : all->most;
            }
        }
}

// An 8-bit pixel is a byte; a deeper one keeps its fraction.
static void compare_floats(const picture *p)
{
    const float *floats = (const float *)(void *)other;
    double allowed = ldexp(1, p->is->bits - 20); // half a unit of each of three coefficients
    for (int64_t y = 0; y < p->h; y++)
        for (int64_t x = 0; x < p->w; x++) {
            double rgb[3];
            to_rgb(p, y, x, rgb);
            for (int c = 0; c < 3; c++) {
                int64_t at = (y * p->w + x) * 3 + c;
                int from = p->frame.order == PIXVIEW_VIDEO_ORDER_BGR ? 2 - c : c;
                double wanted = p->is->bits == 8 ? result[at] : clip(rgb[from], 255);
                if (!(fabs((double)floats[at] - wanted) <= (p->is->bits == 8 ? 0 : allowed)))
                    FAIL("%s: %.9g, not %.9g", p->is->name, (double)floats[at], wanted);
            }
        }
}

static void test_colours(void)
{
    static picture p;
    uint64_t seed = 16;
    // Of 16 bits 0.60 % of random values, BT.601 limited, and 0.78 % of GRAY16, of which fewer are clipped.
    static const double limits[] = {[8] = 0.0002, [10] = 0.0002, [12] = 0.0003, [16] = 0.007};
    for (int matrix = 1; matrix <= MATRICES; matrix++)
        for (int range = 1; range <= 2; range++) {
            score scores[17] = {{0, 0, 0}};
            if (matrix == PIXVIEW_VIDEO_MATRIX_OPENCV && range == PIXVIEW_VIDEO_RANGE_FULL)
                continue;
            for (int i = 0; i < LAYOUTS; i++) {
                make_picture(&p, &layouts[i], MOST_H - i % 2, MOST_W - i % 3, &seed);
                describe(&p, matrix, range, i % 2);
                convert(&p.frame, result, U8);
                compare_bytes(&p, &scores[layouts[i].bits]);
                if (i % 4 == matrix % 4 && 12 * p.h * p.w <= SIZE) {
                    convert(&p.frame, other, F32);
                    compare_floats(&p);
                }
            }
            for (int bits = 8; bits <= 16; bits++) {
                const score *s = &scores[bits];
                double part = s->values ? (double)s->differ / (double)s->values : 0;
                bool opencv =
                    matrix ==
                    PIXVIEW_VIDEO_MATRIX_OPENCV; // integers of 8 bits; a quarter of them is none
                double limit = !opencv || bits == 16 ? limits[bits] : bits == 8 ? 0 : 0.001;
                if (s->most > 1 || (s->values && part > limit))
                    FAIL("matrix %d, range %d, %d bits: %.5f %% differ, by %g", matrix, range, bits,
                         100 * part, s->most);
            }
        }
}

// ---- names ------------------------------------------------------------------------------------

static void test_names(void)
{
    for (int i = 0; i < LAYOUTS; i++) {
        pixview_video_format format = pixview_video_format_parse(layouts[i].name);
        REQUIRE(format != PIXVIEW_VIDEO_FORMAT_NONE);
        REQUIRE_TEXT(pixview_video_format_name(format), layouts[i].name);
    }
    static const struct {
        const char *name;
        int format;
    } more[] = {{"nv12", PIXVIEW_VIDEO_FORMAT_NV12},
                {"yuv420p10le", PIXVIEW_VIDEO_FORMAT_YUV420P10},
                {"P016LE", PIXVIEW_VIDEO_FORMAT_P016},
                {"yuyv422", PIXVIEW_VIDEO_FORMAT_YUYV},
                {"gray", PIXVIEW_VIDEO_FORMAT_GRAY8},
                {"gray12le", PIXVIEW_VIDEO_FORMAT_GRAY12},
                {"YUV444_16Bit", PIXVIEW_VIDEO_FORMAT_YUV444P16},
                {"YUV444", PIXVIEW_VIDEO_FORMAT_YUV444P},
                {"i420", PIXVIEW_VIDEO_FORMAT_YUV420P},
                {"yuvj420p", 0},
                {"yuv420p10be", 0},
                {"NV1", 0},
                {"", 0},
                {NULL, 0}};
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        REQUIRE_INT(pixview_video_format_parse(more[i].name), more[i].format);
    REQUIRE_TEXT(pixview_video_format_name(99), "");
    REQUIRE_TEXT(pixview_video_format_name(-1), "");
    for (int i = 1; i <= MATRICES; i++)
        REQUIRE_INT(pixview_video_matrix_parse(pixview_video_matrix_name(i)), i);
    REQUIRE_INT(pixview_video_matrix_parse("BT709"), PIXVIEW_VIDEO_MATRIX_BT709);
    REQUIRE_INT(pixview_video_matrix_parse("709"), 0);
    REQUIRE_INT(pixview_video_matrix_parse(NULL), 0);
    REQUIRE_TEXT(pixview_video_matrix_name(6), "");
    REQUIRE_INT(pixview_video_range_parse("TV"), PIXVIEW_VIDEO_RANGE_LIMITED);
    REQUIRE_INT(pixview_video_range_parse("jpeg"), PIXVIEW_VIDEO_RANGE_FULL);
    REQUIRE_INT(pixview_video_range_parse(NULL), 0);
    REQUIRE_TEXT(pixview_video_range_name(PIXVIEW_VIDEO_RANGE_FULL), "full");
    REQUIRE_TEXT(pixview_video_range_name(3), "");
}

// ---- planes in other shapes, surfaces ---------------------------------------------------------

static void require_pixels(const picture *p, const pixview_video_frame *frame, const char *what)
{
    convert(&p->frame, result, U8);
    convert(frame, other, U8);
    if (memcmp(result, other, (size_t)(3 * p->h * p->w)) != 0)
        FAIL("%s: other pixels", what);
}

static void test_shapes(void)
{
    static picture p;
    pixview_video_frame frame;
    pixview_image planes[2];
    uint64_t seed = 3;
    make_picture(&p, find("NV12"), 12, 14, &seed);
    describe(&p, PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED, 0);
    pixview_video_params params =
        params_of("NV12", PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED);
    planes[0] = plane_of(&p, 0);
    planes[1] = make_image(memory + p.offset[1], PIXVIEW_LAYOUT_HW, LIST(6, 14),
                           LIST(p.pitch[1], 1), U8, CPU);
    REQUIRE_OK(pixview_video_frame_init(&frame, planes, 2, &params, err));
    require_pixels(&p, &frame, "UV of 6 x 14");
    make_picture(&p, find("UYVY"), 12, 14, &seed);
    describe(&p, PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED, 0);
    params.format = PIXVIEW_VIDEO_FORMAT_UYVY;
    for (int64_t c = 1; c <= 2; c++) {
        planes[0] = make_image(memory + p.offset[0], PIXVIEW_LAYOUT_HWC, LIST(12, 28 / c, c),
                               LIST(p.pitch[0], c, 1), U8, CPU);
        REQUIRE_OK(pixview_video_frame_init(&frame, planes, 1, &params, err));
        require_pixels(&p, &frame, "UYVY of other shapes");
    }
}

// What lies between the planes, and behind rows, counts for nothing.
static void test_surface_of(const char *name, int64_t h, int64_t w, int64_t coded, int64_t pitch)
{
    static picture p;
    uint64_t seed = 4;
    const layout *l = find(name);
    int64_t after = coded;
    make_picture(&p, l, h, w, &seed);
    p.offset[0] = 0, p.pitch[0] = pitch;
    for (int i = 1; i < p.planes; i++) {
        p.pitch[i] = pitch * l->step[1] / l->x;
        p.offset[i] = i == 1 ? coded * pitch : p.offset[1] + (after + l->y - 1) / l->y * p.pitch[1];
    }
    pixview_video_surface surface = {.struct_size = sizeof surface,
                                     .data = memory,
                                     .pitch = pitch,
                                     .coded_rows = coded,
                                     .device = CPU,
                                     .flags = PIXVIEW_FLAG_READ_ONLY,
                                     .stream = 7};
    pixview_video_params params =
        params_of(name, PIXVIEW_VIDEO_MATRIX_BT601, PIXVIEW_VIDEO_RANGE_FULL);
    params.height = h, params.width = w;
    for (int poison = 0; poison < 2; poison++) {
        pixview_video_frame frame;
        memset(memory, poison ? 0xee : 0x11, SIZE);
        for (int part = 0; part < (is_gray(l) ? 1 : 3); part++)
            for (int64_t y = 0; y < h; y++)
                for (int64_t x = 0; x < w; x++)
                    put_sample(&p, part, y, x, p.yuv[part][y][x]);
        REQUIRE_OK(pixview_video_frame_init_surface(&frame, &surface, &params, err));
        REQUIRE(frame.planes[0].stream == 7 && frame.planes[p.planes - 1].flags == 1);
        convert(&frame, poison ? other : result, U8);
        p.frame = frame;
        score s = {0, 0, 0};
        if (!poison)
            compare_bytes(&p, &s);
        REQUIRE(s.most <= 1 && s.differ <= 1 + s.values / 100);
    }
    REQUIRE(memcmp(result, other, (size_t)(3 * h * w)) == 0);
}

static void test_surfaces(void)
{
    test_surface_of("NV12", 45, 31, 48, 64);
    test_surface_of("NV12", 45, 31, 45, 32);
    test_surface_of("NV21", 8, 8, 16, 8);
    test_surface_of("NV16", 9, 7, 9, 8);
    test_surface_of("NV24", 9, 7, 10, 7);
    test_surface_of("P010", 45, 31, 48, 64);
    test_surface_of("P216", 5, 5, 6, 12);
    test_surface_of("YUV420P", 45, 31, 47, 64);
    test_surface_of("YUV444P16", 5, 5, 6, 10);
    test_surface_of("UYVY", 5, 5, 5, 12);
    test_surface_of("GRAY10", 5, 5, 5, 10);
}

// ---- crops and regions ------------------------------------------------------------------------

static void require_part(const picture *p, int64_t y, int64_t x, int64_t h, int64_t w)
{
    for (int64_t i = 0; i < h; i++)
        if (memcmp(other + i * w * 3, result + ((y + i) * p->w + x) * 3, (size_t)(w * 3)) != 0)
            FAIL("%s: the part at %d, %d of %d x %d has other pixels in row %d", p->is->name,
                 (int)y, (int)x, (int)h, (int)w, (int)i);
}

static void test_parts(void)
{
    static picture p;
    uint64_t seed = 5;
    for (int i = 0; i < LAYOUTS; i++) {
        make_picture(&p, &layouts[i], 17, 19, &seed);
        describe(&p, PIXVIEW_VIDEO_MATRIX_BT2020, PIXVIEW_VIDEO_RANGE_LIMITED, 1);
        convert(&p.frame, result, U8);
        for (int round = 0; round < 40; round++) {
            pixview_roi roi = {(int64_t)(next_random(&seed) % 17),
                               (int64_t)(next_random(&seed) % 19), 0, 0};
            roi.h = 1 + (int64_t)(next_random(&seed) % (uint64_t)(17 - roi.y));
            roi.w = 1 + (int64_t)(next_random(&seed) % (uint64_t)(19 - roi.x));
            pixview_placement placed;
            pixview_geometry geometry = {.struct_size = sizeof geometry,
                                         .fit = PIXVIEW_FIT_STRETCH,
                                         .rois = &roi,
                                         .placements = &placed};
            pixview_convert_params params = {.struct_size = sizeof params, .geometry = &geometry};
            pixview_image dst =
                make_image(other, PIXVIEW_LAYOUT_HWC, LIST(roi.h, roi.w, 3), NULL, U8, CPU);
            REQUIRE_OK(pixview_video_to_image(&p.frame, &dst, &params, err));
            require_part(&p, roi.y, roi.x, roi.h, roi.w);
            REQUIRE(placed.source_y == (double)roi.y && placed.source_x == (double)roi.x);
            pixview_video_frame cut;
            bool begins = roi.y % p.is->y == 0 && roi.x % p.is->x == 0;
            if (!begins) {
                REQUIRE_FAILS(
                    PIXVIEW_E_LAYOUT, "inside a sample of plane",
                    pixview_video_frame_crop(&p.frame, roi.y, roi.x, roi.h, roi.w, &cut, err));
                continue;
            }
            REQUIRE_OK(pixview_video_frame_crop(&p.frame, roi.y, roi.x, roi.h, roi.w, &cut, err));
            convert(&cut, other, U8);
            require_part(&p, roi.y, roi.x, roi.h, roi.w);
        }
    }
}

// ---- resized, in lists with images ------------------------------------------------------------

// A frame is resized as the image that it is, of bytes or, if it is deeper, of floats.
static void test_resized_as(const char *name, int interpolation, pixview_dtype to, uint64_t *seed)
{
    static picture p;
    make_picture(&p, find(name), 31, 43, seed);
    describe(&p, PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED, 0);
    bool deep = p.is->bits > 8;
    convert(&p.frame, spare, deep ? F32 : U8);
    pixview_image image =
        make_image(spare, PIXVIEW_LAYOUT_HWC, LIST(31, 43, 3), NULL, deep ? F32 : U8, CPU);
    static const double mean[] = {0.4, 0.5, 0.6}, std[] = {0.2, 0.3, 0.25};
    pixview_geometry geometry = {.struct_size = sizeof geometry,
                                 .fit = PIXVIEW_FIT_LETTERBOX,
                                 .interpolation = (pixview_interpolation)interpolation};
    pixview_convert_params params = {.struct_size = sizeof params,
                                     .geometry = &geometry,
                                     .pad_value = 114,
                                     .scale = 1 / 255.0,
                                     .mean = mean,
                                     .std = std,
                                     .channels = 3,
                                     .swap_rb = true};
    if (to.bits == 8)
        params.scale = 0.5, params.mean = params.std = NULL;
    for (int grow = 0; grow < 2; grow++) {
        int64_t h = grow ? 57 : 20, w = grow ? 60 : 30;
        pixview_image a = make_image(result, PIXVIEW_LAYOUT_CHW, LIST(3, h, w), NULL, to, CPU);
        pixview_image b = make_image(other, PIXVIEW_LAYOUT_CHW, LIST(3, h, w), NULL, to, CPU);
        REQUIRE_OK(pixview_video_to_image(&p.frame, &a, &params, err));
        REQUIRE_OK(pixview_stack(&image, 1, &b, &params, err));
        if (memcmp(result, other, (size_t)pixview_image_nbytes(&a)) != 0)
            FAIL("%s: interpolation %d, to %s", name, interpolation, pixview_dtype_name(to));
    }
}

static void test_resized(void)
{
    static const pixview_dtype f16 = {PIXVIEW_DTYPE_FLOAT, 16, 1};
    uint64_t seed = 6;
    for (int interpolation = 0; interpolation <= PIXVIEW_INTERPOLATION_PIL_LANCZOS; interpolation++)
        for (int i = 0; i < 3; i++) {
            pixview_dtype to = i == 0 ? U8 : i == 1 ? F32 : f16;
            test_resized_as("NV12", interpolation, to, &seed);
            test_resized_as("YUYV", interpolation, to, &seed);
            if (interpolation <= PIXVIEW_INTERPOLATION_AREA) {
                test_resized_as("P010", interpolation, to, &seed);
                test_resized_as("YUV444P12", interpolation, to, &seed);
            }
        }
}

// Frames of several depths and an image in one list, with and without a geometry.
static void test_mixed(void)
{
    static picture p;
    uint64_t seed = 7;
    static const char *const names[] = {"NV12", "P010"};
    for (int i = 0; i < 2; i++) {
        make_picture(&p, find(names[i]), 20, 30, &seed);
        describe(&p, PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED, 0);
        fill_random(spare, 20 * 30 * 3, 8);
        pixview_image image = make_image(spare, PIXVIEW_LAYOUT_HWC, LIST(20, 30, 3), NULL, U8, CPU);
        pixview_source list[] = {{&image, NULL}, {NULL, &p.frame}, {&image, NULL}};
        pixview_geometry geometry = {.struct_size = sizeof geometry, .fit = PIXVIEW_FIT_STRETCH};
        pixview_convert_params params = {.struct_size = sizeof params, .pad = true, .pad_value = 9};
        for (int resized = 0; resized < 2; resized++) {
            params.geometry = resized ? &geometry : NULL;
            int64_t h = 24, w = 33, one = h * w * 3;
            pixview_image batch =
                make_image(result, PIXVIEW_LAYOUT_NHWC, LIST(3, h, w, 3), NULL, U8, CPU);
            REQUIRE_OK(pixview_stack_sources(list, 3, &batch, &params, err));
            for (int64_t n = 0; n < 3; n++) {
                pixview_image alone =
                    make_image(other, PIXVIEW_LAYOUT_HWC, LIST(h, w, 3), NULL, U8, CPU);
                if (n == 1)
                    REQUIRE_OK(pixview_video_to_image(&p.frame, &alone, &params, err));
                else
                    REQUIRE_OK(pixview_stack(&image, 1, &alone, &params, err));
                if (memcmp(other, result + n * one, (size_t)one) != 0)
                    FAIL("%s: source %d of a list, resized %d", names[i], (int)n, resized);
            }
        }
    }
}

// More threads than a launch has: left to the kernel that takes any list.
static void test_huge_frames(void)
{
    enum { SIDE = 1 << 18 };
    pixview_image face = {.shape = {1, SIDE, SIDE, 3}};
    pixviewi_video video = {.samples = {.shift_x = 1, .bytes = 1}};
    pixviewi_copy_op op = {.shape = {1, SIDE, SIDE, 3}, .resizes = true};
    for (int part = 0; part < 3; part++)
        video.samples.of[part] = (pixviewi_component){(char *)result + (part == PIXVIEWI_V), SIDE,
                                                      part == PIXVIEWI_Y ? 1 : 2};
    op.src = (pixviewi_operand){.dtype = U8, .images = &face, .videos = &video};
    op.dst = (pixviewi_operand){.dtype = U8, .strides = {0, INT64_C(3) * SIDE, 3, 1}, .data = NULL};
    REQUIRE(!pixviewi_decode_suits(&op));
    op.shape[1] = face.shape[1] = SIDE / 8;
    REQUIRE(pixviewi_decode_suits(&op));
}

int main(void)
{
    test_huge_frames();
    test_names();
    test_colours();
    test_shapes();
    test_surfaces();
    test_parts();
    test_resized();
    test_mixed();
    return 0;
}
