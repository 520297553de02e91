// SPDX-License-Identifier: Apache-2.0
// What video frames refuse, and who owns their planes.
#include "video_pictures.h"

static void refuse_planes(void)
{
    pixview_video_frame out = {.width = 77};
    pixview_video_params p =
        params_of("NV12", PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED);
    pixview_image planes[3] = {
        make_image(memory, PIXVIEW_LAYOUT_HW, LIST(8, 10), LIST(16, 1), U8, CPU),
        make_image(memory + 256, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 2), LIST(16, 2, 1), U8, CPU)};
    const pixview_image good = planes[1];
#define REFUSED(code, text) \
    REQUIRE_FAILS(code, text, pixview_video_frame_init(&out, planes, 2, &p, err))
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "out is NULL",
                  pixview_video_frame_init(NULL, planes, 2, &p, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "planes is NULL",
                  pixview_video_frame_init(&out, NULL, 2, &p, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "params is NULL",
                  pixview_video_frame_init(&out, planes, 2, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "NV12 has 2 planes, but there are 3",
                  pixview_video_frame_init(&out, planes, 3, &p, err));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "there are -1",
                  pixview_video_frame_init(&out, planes, -1, &p, err));
    p.struct_size--;
    REFUSED(PIXVIEW_E_INVALID, "struct_size");
    p.struct_size++, p.matrix = 0;
    REFUSED(PIXVIEW_E_LAYOUT, "'bt709'");
    p.matrix = 6;
    REFUSED(PIXVIEW_E_LAYOUT, "matrix=6");
    p.matrix = PIXVIEW_VIDEO_MATRIX_BT709, p.range = 0;
    REFUSED(PIXVIEW_E_LAYOUT, "pass 'limited'");
    p.range = 3;
    REFUSED(PIXVIEW_E_LAYOUT, "range=3");
    p.range = PIXVIEW_VIDEO_RANGE_FULL, p.matrix = PIXVIEW_VIDEO_MATRIX_OPENCV;
    REFUSED(PIXVIEW_E_LAYOUT, "matrix 'opencv'");
    p.matrix = PIXVIEW_VIDEO_MATRIX_BT709, p.order = 2;
    REFUSED(PIXVIEW_E_INVALID, "order=2");
    p.order = 0, p.chroma = 1;
    REFUSED(PIXVIEW_E_INVALID, "chroma=1");
    p.chroma = 0, p.format = 99;
    REFUSED(PIXVIEW_E_LAYOUT, "format=99");
    p.format = PIXVIEW_VIDEO_FORMAT_P010;
    REFUSED(PIXVIEW_E_DTYPE, "plane 0 (Y) of P010 is uint8");
    p.format = PIXVIEW_VIDEO_FORMAT_NV24;
    REFUSED(PIXVIEW_E_LAYOUT,
            "plane 1 (UV) of NV24 has N,H,W,C = 1,4,5,2, but a frame of height 8, "
            "width 10 needs 1,8,10,2");
    p.format = PIXVIEW_VIDEO_FORMAT_NV21;
    planes[1] = make_image(memory + 256, PIXVIEW_LAYOUT_HW, LIST(4, 11), NULL, U8, CPU);
    REFUSED(PIXVIEW_E_LAYOUT, "plane 1 (VU)");
    p.format = PIXVIEW_VIDEO_FORMAT_NV12;
    planes[1] =
        make_image(memory + 256, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 2), LIST(17, 2, 1), U8, CPU);
    REFUSED(PIXVIEW_E_LAYOUT, "plane 1 (UV) of NV12 has rows 17 bytes apart");
    planes[1] = good;
    planes[1].device = GPU0;
    REFUSED(PIXVIEW_E_DEVICE, "plane 1 (UV) is on device type 2");
    planes[1] = good;
    planes[1].reserved = 1;
    REFUSED(PIXVIEW_E_INVALID, "reserved");
    planes[1] = good;
    planes[1].shape[0] = 2;
    REFUSED(PIXVIEW_E_LAYOUT, "N,H,W,C = 2,");
    planes[1] = good, p.height = 9;
    REFUSED(PIXVIEW_E_LAYOUT, "the planes have 8 rows and 10 columns");
    p.height = 0, p.width = -1;
    REFUSED(PIXVIEW_E_LAYOUT, "width=-1");
    p.width = 0;
    planes[0].shape[3] = 2, planes[0].strides[3] = 1;
    REFUSED(PIXVIEW_E_LAYOUT, "plane 0 (Y)");
    planes[0].shape[3] = 1, planes[0].shape[1] = 0;
    REFUSED(PIXVIEW_E_LAYOUT, "height 0");
    p.format = PIXVIEW_VIDEO_FORMAT_YUYV;
    planes[0] = make_image(memory, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 4), LIST(64, 8, 1), U8, CPU);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "a group has 4 samples",
                  pixview_video_frame_init(&out, planes, 1, &p, err));
    REQUIRE_INT(out.width, 77);
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "frame is NULL", pixview_video_frame_validate(NULL, err));
}

static void refuse_surfaces(void)
{
    pixview_video_frame out;
    pixview_video_params p =
        params_of("NV12", PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED);
    pixview_video_surface s = {
        .struct_size = sizeof s, .data = memory, .pitch = 16, .device = CPU, .nbytes = 16 * 12};
    p.height = 8, p.width = 10;
#undef REFUSED
#define REFUSED(code, text) \
    REQUIRE_FAILS(code, text, pixview_video_frame_init_surface(&out, &s, &p, err))
    REQUIRE_OK(pixview_video_frame_init_surface(&out, &s, &p, err));
    s.struct_size--;
    REFUSED(PIXVIEW_E_INVALID, "surface->struct_size");
    s.struct_size++, s.coded_rows = 9;
    REFUSED(PIXVIEW_E_LAYOUT, "plane 1 (UV) ends at byte 202 of a surface of 192");
    s.coded_rows = 7;
    REFUSED(PIXVIEW_E_LAYOUT, "coded_rows=7 is less than the height 8");
    s.coded_rows = 0, s.pitch = 9;
    REFUSED(PIXVIEW_E_LAYOUT, "pitch=9 puts rows of plane 0 (Y) 9 bytes apart, which have 10");
    p.width = 9; // UV has 10 bytes
    s.pitch = 9;
    REFUSED(PIXVIEW_E_LAYOUT, "plane 1 (UV) 9 bytes apart");
    p.width = 10, s.pitch = 13;
    REFUSED(PIXVIEW_E_LAYOUT, "13 bytes");
    p.format = PIXVIEW_VIDEO_FORMAT_YUV420P;
    REFUSED(PIXVIEW_E_LAYOUT, "pitch=13 is odd");
    p.format = PIXVIEW_VIDEO_FORMAT_NV12, s.pitch = INT64_MAX / 2;
    REFUSED(PIXVIEW_E_LAYOUT, "address space");
    s.pitch = 0;
    REFUSED(PIXVIEW_E_LAYOUT, "pitch=0");
    s.pitch = 16, s.data = NULL;
    REFUSED(PIXVIEW_E_LAYOUT, "data is NULL");
    s.data = memory, p.height = 0;
    REFUSED(PIXVIEW_E_LAYOUT, "height 0");
    p.height = INT64_MAX;
    REFUSED(PIXVIEW_E_LAYOUT, "2^31 - 1");
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "surface is NULL",
                  pixview_video_frame_init_surface(&out, NULL, &p, err));
}

static const pixview_video_frame *gpu_frame(void)
{
    static pixview_video_frame frame;
    pixview_video_params params =
        params_of("NV12", PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED);
    pixview_video_surface surface = {
        .struct_size = sizeof surface, .data = memory, .pitch = 16, .device = GPU0};
    params.height = 8, params.width = 10;
    REQUIRE_OK(pixview_video_frame_init_surface(&frame, &surface, &params, err));
    return &frame;
}

static void refuse_copies(void)
{
    static picture p;
    uint64_t seed = 13;
    make_picture(&p, find("P010"), 8, 10, &seed);
    describe(&p, PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED, 0);
    pixview_geometry g = {.struct_size = sizeof g, .fit = PIXVIEW_FIT_STRETCH};
    pixview_convert_params params = {.struct_size = sizeof params, .geometry = &g};
    pixview_image dst = make_image(other, PIXVIEW_LAYOUT_HWC, LIST(8, 10, 3), NULL, U8, CPU);
    pixview_image floats = make_image(spare, PIXVIEW_LAYOUT_HWC, LIST(8, 10, 3), NULL, F32, CPU);
    pixview_image far = dst, wide = dst, inside = dst;
    pixview_source both = {&dst, &p.frame}, none = {NULL, NULL};
    pixview_source list[2] = {{NULL, &p.frame}, {&floats, NULL}};
    pixview_image two = make_image(result, PIXVIEW_LAYOUT_NHWC, LIST(2, 8, 10, 3), NULL, U8, CPU);
    pixview_roi roi = {0, 0, 9, 10};
#define TO_IMAGE(code, text, dst, params) \
    REQUIRE_FAILS(code, text, pixview_video_to_image(&p.frame, dst, params, err))
    TO_IMAGE(PIXVIEW_E_INVALID, "dst is NULL", NULL, NULL);
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "src is NULL", pixview_video_to_image(NULL, &dst, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "both", pixview_stack_sources(&both, 1, &dst, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "neither", pixview_stack_sources(&none, 1, &dst, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "count=0", pixview_stack_sources(list, 0, &dst, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL", pixview_stack_sources(NULL, 1, &dst, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_MEMORY, "no memory",
                  pixview_stack_sources(list, INT64_MAX, &dst, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_DTYPE, "srcs[1] is float32, but srcs[0] is uint8",
                  pixview_stack_sources(list, 2, &two, NULL, err));
    g.interpolation = PIXVIEW_INTERPOLATION_PIL_BICUBIC;
    TO_IMAGE(PIXVIEW_E_DTYPE, "srcs[0] is a video frame of more than 8 bits", &dst, &params);
    g.interpolation = 0, g.rois = &roi;
    TO_IMAGE(PIXVIEW_E_LAYOUT, "rois[0]", &dst, &params);
    wide.shape[3] = 4;
    TO_IMAGE(PIXVIEW_E_LAYOUT, "H,W,C = 8,10,3", &wide, NULL);
    wide = dst, wide.shape[1] = 7;
    TO_IMAGE(PIXVIEW_E_LAYOUT, "H,W,C = 8,10,3", &wide, NULL);
    inside.data = p.frame.planes[1].data; // under UV alone
    TO_IMAGE(PIXVIEW_E_LAYOUT, "share memory", &inside, NULL);
    far.device = GPU0;
    TO_IMAGE(PIXVIEW_E_DEVICE, "host", &far, NULL);
    dst.dtype = F64, dst.strides[3] = 8, dst.strides[2] = 24, dst.strides[1] = 240;
    TO_IMAGE(PIXVIEW_E_DTYPE, "float64", &dst, NULL);
    g = (pixview_geometry){.struct_size = sizeof g, .fit = PIXVIEW_FIT_STRETCH};
    pixview_video_frame apart = *gpu_frame();
    apart.planes[0].strides[PIXVIEW_AXIS_W] = INT64_C(1) << 31;
    REQUIRE_FAILS(PIXVIEW_E_UNSUPPORTED, "srcs[0]: columns are 2147483648 bytes apart",
                  pixview_video_to_image(&apart, &far, &params, err));
    pixview_video_frame_release(&p.frame);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "srcs[0]: format=0",
                  pixview_video_to_image(&p.frame, &wide, NULL, err));
}

static void refuse_writes(void)
{
    static picture p;
    uint64_t seed = 14;
    make_picture(&p, find("NV12"), 8, 10, &seed);
    describe(&p, PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED, 0);
    pixview_image src = make_image(other, PIXVIEW_LAYOUT_NHWC, LIST(1, 8, 10, 3), NULL, U8, CPU);
    pixview_image two = make_image(other, PIXVIEW_LAYOUT_NHWC, LIST(2, 8, 10, 3), NULL, U8, CPU);
    pixview_image bad = src;
    pixview_geometry g = {.struct_size = sizeof g};
    pixview_convert_params params = {.struct_size = sizeof params, .pad = true};
    pixview_video_frame twice[2] = {p.frame, p.frame}, frame = p.frame;
#define WRITE(code, text, src, dsts, count, params, siting) \
    REQUIRE_FAILS(code, text, pixview_video_from_images(src, dsts, count, params, siting, err))
    WRITE(PIXVIEW_E_INVALID, "src is NULL", NULL, &frame, 1, NULL, 0);
    WRITE(PIXVIEW_E_INVALID, "dsts is NULL", &src, NULL, 1, NULL, 0);
    WRITE(PIXVIEW_E_INVALID, "count=0", &src, &frame, 0, NULL, 0);
    WRITE(PIXVIEW_E_INVALID, "siting=3", &src, &frame, 1, NULL, 3);
    WRITE(PIXVIEW_E_INVALID, "pad and geometry", &src, &frame, 1, &params, 0);
    params.pad = false, params.geometry = &g;
    WRITE(PIXVIEW_E_INVALID, "pad and geometry", &src, &frame, 1, &params, 0);
    params.geometry = NULL, params.scale = INFINITY;
    WRITE(PIXVIEW_E_INVALID, "finite", &src, &frame, 1, &params, 0);
    params.struct_size--;
    WRITE(PIXVIEW_E_INVALID, "struct_size", &src, &frame, 1, &params, 0);
    WRITE(PIXVIEW_E_LAYOUT, "N = 1, C = 3, but 2", &src, twice, 2, NULL, 0);
    WRITE(PIXVIEW_E_LAYOUT, "planes of dsts[0] and dsts[1] share", &two, twice, 2, NULL, 0);
    bad.shape[1] = 7;
    WRITE(PIXVIEW_E_LAYOUT, "dsts[0] has height 8, width 10", &bad, &frame, 1, NULL, 0);
    bad = src, bad.data = memory;
    WRITE(PIXVIEW_E_LAYOUT, "plane 0 of dsts[0] and src", &bad, &frame, 1, NULL, 0);
    bad = src, bad.device = GPU0;
    WRITE(PIXVIEW_E_DEVICE, "src is in device memory", &bad, &frame, 1, NULL, 0);
    bad = src, bad.dtype.bits = 32; // uint32
    for (int i = 0; i < 4; i++)
        bad.strides[i] *= 4;
    WRITE(PIXVIEW_E_DTYPE, "uint32", &bad, &frame, 1, NULL, 0);
    frame.planes[1].flags = PIXVIEW_FLAG_READ_ONLY;
    WRITE(PIXVIEW_E_READONLY, "plane 1 of dsts[0]", &src, &frame, 1, NULL, 0);
    frame = p.frame, frame.planes[1].strides[1] = 0;
    WRITE(PIXVIEW_E_LAYOUT, "plane 1 of dsts[0]", &src, &frame, 1, NULL, 0);
    frame = p.frame, frame.planes[1].data = frame.planes[0].data;
    WRITE(PIXVIEW_E_LAYOUT, "share memory", &src, &frame, 1, NULL, 0);
    pixview_video_frame_release(&frame);
    WRITE(PIXVIEW_E_LAYOUT, "dsts[0]: format=0", &src, &frame, 1, NULL, 0);
}

// Whatever the numbers: a surface that is accepted lies in its bytes (the sanitizer looks), and so does its crop.
static void test_surfaces_at_random(void)
{
    uint64_t seed = 18;
    int accepted = 0;
    for (int round = 0; round < 20000; round++) {
        pixview_video_frame frame, cut;
        int64_t nbytes = 1 + next_random(&seed) % 600;
        void *block = malloc((size_t)nbytes);
        REQUIRE(block);
        memset(block, round, (size_t)nbytes);
        pixview_video_surface s = {.struct_size = sizeof s,
                                   .data = block,
                                   .pitch = next_random(&seed) % 48,
                                   .coded_rows =
                                       next_random(&seed) % 2 ? next_random(&seed) % 20 : 0,
                                   .nbytes = nbytes,
                                   .device = CPU};
        pixview_video_params p =
            params_of(layouts[next_random(&seed) % LAYOUTS].name, PIXVIEW_VIDEO_MATRIX_BT709, 1);
        p.height = next_random(&seed) % 16, p.width = next_random(&seed) % 24;
        if (pixview_video_frame_init_surface(&frame, &s, &p, NULL) == PIXVIEW_OK) {
            int64_t y = next_random(&seed) % 16, x = next_random(&seed) % 24;
            accepted++;
            convert(&frame, result, U8);
            if (pixview_video_frame_crop(&frame, y, x, 3, 2, &cut, NULL) == PIXVIEW_OK)
                convert(&cut, result, U8);
        }
        free(block);
    }
    REQUIRE(accepted > 1000 && accepted < 19000);
}

static int released;

static void count_release(void *ctx)
{
    (void)ctx;
    released++;
}

static void test_owners(void)
{
    static picture p;
    uint64_t seed = 15;
    pixview_video_frame cut;
    make_picture(&p, find("NV12"), 8, 10, &seed);
    describe(&p, PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED, 0);
    for (int i = 0; i < 2; i++)
        REQUIRE_OK(pixview_owner_create(NULL, count_release, &p.frame.planes[i].owner, err));
    REQUIRE_OK(pixview_video_frame_crop(&p.frame, 2, 2, 4, 4, &cut, err));
    pixview_video_frame_retain(&cut);
    pixview_video_frame_release(&p.frame);
    REQUIRE_INT(released, 0);
    pixview_video_frame_release(&cut);
    REQUIRE_INT(released, 2);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "released", pixview_video_frame_validate(&cut, err));
    pixview_video_frame_release(&cut);
    pixview_video_frame_release(NULL);
    pixview_video_frame_retain(NULL);
    REQUIRE_INT(released, 2);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "format=0",
                  pixview_video_frame_crop(&cut, 0, 0, 1, 1, &p.frame, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "out is NULL",
                  pixview_video_frame_crop(&cut, 0, 0, 1, 1, NULL, err));
}

static void refuse_crops(void)
{
    static picture p;
    uint64_t seed = 17;
    pixview_video_frame out;
    make_picture(&p, find("NV12"), 8, 10, &seed);
    describe(&p, PIXVIEW_VIDEO_MATRIX_BT709, PIXVIEW_VIDEO_RANGE_LIMITED, 0);
#define CROP(text, ...)                   \
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, text, \
                  pixview_video_frame_crop(&p.frame, __VA_ARGS__, &out, err))
    CROP("y=1, x=0 begins inside a sample of plane 1 (UV), which covers 2 x 2", 1, 0, 2, 2);
    CROP("y=0, x=3", 0, 3, 2, 2);
    CROP("leaves a frame of height 8, width 10", 0, 0, 9, 2);
    CROP("h=0", 0, 0, 0, 2);
    CROP("y=-2", -2, 0, 2, 2);
    CROP("leaves", 0, 0, 1, INT64_MAX);
}

int main(void)
{
    test_owners();
    test_surfaces_at_random();
    refuse_planes();
    refuse_surfaces();
    refuse_copies();
    refuse_writes();
    refuse_crops();
    return 0;
}
