// SPDX-License-Identifier: Apache-2.0
// Tables of weights: on a GPU, which keeps them up to a limit; in a graph capture, where others live as long as the
// graph; and how they are found.
#include "copy/filter.h"
#include "cuda/driver.h"
#include "cuda/filters.h"
#include "descriptor/owner.h"
#include "fake.h"
#include "images.h"

enum { H = 37, W = 53, CANVAS = 16, SOURCE = H * W * 3, OUT = CANVAS * CANVAS * 3 };

static uint8_t near[SOURCE], wanted[OUT];
static uint8_t *far, *out;

static pixview_status stack_into(uint8_t *to, uint8_t *from, int interpolation,
                                 pixview_device device, pixview_stream stream, pixview_error *err)
{
    pixview_geometry geometry = {.struct_size = sizeof geometry,
                                 .fit = PIXVIEW_FIT_STRETCH,
                                 .interpolation = (pixview_interpolation)interpolation};
    pixview_convert_params params = {
        .struct_size = sizeof params, .geometry = &geometry, .stream = stream};
    const int64_t source[] = {H, W, 3}, batch[] = {1, CANVAS, CANVAS, 3};
    pixview_image image = make_image(from, PIXVIEW_LAYOUT_HWC, source, NULL, U8, device);
    pixview_image result = make_image(to, PIXVIEW_LAYOUT_NHWC, batch, NULL, U8, device);
    return pixview_stack(&image, 1, &result, &params, err);
}

static pixview_status stack_captured(int interpolation, pixview_stream stream, pixview_error *err)
{
    const pixview_device gpu = {PIXVIEW_DEVICE_CUDA, 0};
    return stack_into(out, far, interpolation, gpu, stream, err);
}

// ---- captures -----------------------------------------------------------------------------------

static void require_replay(uint64_t graph, int interpolation, uint64_t seed)
{
    const pixview_device host = {PIXVIEW_DEVICE_CPU, 0};
    fill_random(near, SOURCE, seed);
    memcpy(far, near, SOURCE);
    memset(out, 0, OUT);
    REQUIRE_OK(stack_into(wanted, near, interpolation, host, PIXVIEW_STREAM_NONE, err));
    fake_replay(graph);
    REQUIRE(memcmp(out, wanted, OUT) == 0);
}

static void test_replays(void)
{
    uint64_t stream = fake_stream(0);
    int blocks = fake_live_blocks();
    for (int way = PIXVIEWI_AREA; way <= PIXVIEWI_PIL_LANCZOS; way++) {
        uint64_t graph = 100 + (uint64_t)way;
        fake_set_capture(stream, 1, graph);
        REQUIRE_OK(stack_captured(way, stream, err));
        REQUIRE_INT(fake_capture_status(stream), 1);
        REQUIRE_INT(fake_capture_mode(), 0);
        fake_set_capture(stream, 0, 0);
        REQUIRE_OK(stack_captured(way, stream, err)); // whose own tables come and go
        pixviewi_poll_deferred_owners();
        REQUIRE_INT(fake_live_blocks(), blocks + 1);
        require_replay(graph, way, 1);
        require_replay(graph, way, 2);
        fake_destroy_graph(graph);
        REQUIRE_INT(fake_user_objects(), 0);
        REQUIRE_INT(fake_live_blocks(), blocks + 1); // nothing is freed there
        pixviewi_poll_deferred_owners();
        REQUIRE_INT(fake_live_blocks(), blocks);
    }
    fake_reset();
}

static void require_whole(uint64_t stream, uint64_t graph, int blocks)
{
    REQUIRE_INT(fake_capture_status(stream), 1);
    REQUIRE_INT(fake_capture_mode(), 0);
    fake_fail_call(NULL, 0);
    fake_set_capture(stream, 0, 0);
    fake_destroy_graph(graph);
    pixviewi_poll_deferred_owners();
    REQUIRE_INT(fake_user_objects(), 0);
    REQUIRE_INT(fake_live_blocks(), blocks);
    for (int i = 0; i < OUT; i++)
        REQUIRE_INT(out[i], 7);
    fake_reset();
}

static void test_failures(void)
{
    static const char *const calls[] = {"cuMemAllocAsync", "cuMemcpy2DAsync_v2",
                                        "cuUserObjectCreate", "cuGraphRetainUserObject"};
    uint64_t stream = fake_stream(0);
    int blocks = fake_live_blocks();
    memset(out, 7, OUT);
    for (int i = 0; i < 4; i++) {
        fake_set_capture(stream, 1, 200);
        fake_fail_call(calls[i], 2);
        REQUIRE_FAILS(PIXVIEW_E_CUDA, "OUT_OF_MEMORY", stack_captured(PIXVIEWI_AREA, stream, err));
        require_whole(stream, 200, blocks);
    }
}

// A driver that lacks one of the functions; and a thread whose own stream captures.
static void test_refused(void)
{
    pixviewi_driver *driver = (pixviewi_driver *)(uintptr_t)pixviewi_driver_get(NULL);
    const pixviewi_driver before = *driver;
    uint64_t stream = fake_stream(0);
    int blocks = fake_live_blocks();
    memset(out, 7, OUT);
    for (int lacks = 0; lacks < 4; lacks++) {
        fake_set_capture(stream, 1, 300);
        driver->capture_info = lacks == 0 ? NULL : before.capture_info;
        driver->user_object_create = lacks == 1 ? NULL : before.user_object_create;
        driver->user_object_release = lacks == 2 ? NULL : before.user_object_release;
        driver->graph_retain = lacks == 3 ? NULL : before.graph_retain;
        REQUIRE_FAILS(PIXVIEW_E_CUDA, "(900): the tables of interpolation 'area'",
                      stack_captured(PIXVIEWI_PIL_BICUBIC, stream, err));
        REQUIRE_WORK("");
        require_whole(stream, 300, blocks);
    }
    *driver = before;
    fake_set_capture(stream, 1, 300);
    fake_set_capture(2, 1, 301);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "the thread's default stream",
                  stack_captured(PIXVIEWI_PIL_BICUBIC, stream, err));
    REQUIRE_INT(fake_capture_status(2), 1);
    REQUIRE_WORK("");
    require_whole(stream, 300, blocks);
}

// ---- kept ---------------------------------------------------------------------------------------

static void require_stacked(int way, uint64_t stream, const char *work)
{
    const pixview_device host = {PIXVIEW_DEVICE_CPU, 0};
    memset(out, 0, OUT);
    fake_reset();
    REQUIRE_OK(stack_captured(way, stream, err));
    REQUIRE_WORK(work);
    REQUIRE_OK(stack_into(wanted, near, way, host, PIXVIEW_STREAM_NONE, err));
    REQUIRE(memcmp(out, wanted, OUT) == 0);
}

static void fill_source(void)
{
    fill_random(near, SOURCE, 5);
    memcpy(far, near, SOURCE);
}

static void test_kept(void)
{
    uint64_t a = fake_stream(0), b = fake_stream(0);
    int blocks = fake_live_blocks();
    fill_source();
    pixviewi_cuda_keep_filters(1 << 20);
    for (int way = PIXVIEWI_AREA; way <= PIXVIEWI_PIL_LANCZOS; way++) {
        require_stacked(way, a, "alloc copy sync launch");
        require_stacked(way, b, "launch");
    }
    REQUIRE_INT(fake_live_blocks(), blocks + 4);
    fake_reset_device(0);
    require_stacked(PIXVIEWI_AREA, a, "load alloc copy sync launch");
    require_stacked(PIXVIEWI_AREA, a, "launch");
    pixviewi_cuda_keep_filters(0);
    require_stacked(PIXVIEWI_AREA, a, "alloc copy launch free");
    require_stacked(PIXVIEWI_AREA, a, "alloc copy launch free");
    fake_reset();
}

// A capture uses what is there, and leaves what was not: no graph owns it.
static void test_kept_in_a_capture(void)
{
    enum { GRAPH = 500 };
    uint64_t stream = fake_stream(0);
    pixviewi_cuda_keep_filters(1 << 20);
    fake_set_capture(stream, 1, GRAPH);
    REQUIRE_OK(stack_captured(PIXVIEWI_AREA, stream, err));
    REQUIRE_INT(fake_capture_status(stream), 1);
    fake_set_capture(stream, 0, 0);
    REQUIRE_INT(fake_user_objects(), 0);
    require_replay(GRAPH, PIXVIEWI_AREA, 1);
    fake_destroy_graph(GRAPH);
    fill_source();
    require_stacked(PIXVIEWI_AREA, stream, "launch");
    pixviewi_cuda_keep_filters(0);
    fake_reset();
}

// Up to the limit; what is beyond it goes with the call.
static void test_limit(void)
{
    uint64_t stream = fake_stream(0);
    fill_source();
    pixviewi_cuda_keep_filters(1 << 11);
    require_stacked(PIXVIEWI_PIL_BILINEAR, stream, "alloc copy sync launch");
    require_stacked(PIXVIEWI_PIL_LANCZOS, stream, "alloc copy launch free");
    require_stacked(PIXVIEWI_PIL_BILINEAR, stream, "launch");
    pixviewi_cuda_keep_filters(0);
    fake_reset();
}

// The thread's own stream captures: nothing can be waited for there.
static void test_not_kept(void)
{
    uint64_t stream = fake_stream(0);
    fill_source();
    pixviewi_cuda_keep_filters(1 << 20);
    fake_set_capture(2, 1, 501);
    REQUIRE_OK(stack_captured(PIXVIEWI_AREA, stream, err));
    REQUIRE_WORK("alloc copy launch free");
    REQUIRE_INT(fake_capture_status(2), 1);
    fake_set_capture(2, 0, 0);
    require_stacked(PIXVIEWI_AREA, stream, "alloc copy sync launch");
    pixviewi_cuda_keep_filters(0);
    fake_reset();
}

// ---- finding them -------------------------------------------------------------------------------

// Thousands of sizes, twice each: all found, with some comparisons for each.
static void test_many_sizes(void)
{
    enum { SIZES = 5000, IMAGES = 2 * SIZES };
    pixview_image *images = calloc(IMAGES, sizeof *images);
    pixviewi_copy_op op = {.shape = {IMAGES, 8, 8, 3},
                           .src.images = images,
                           .resizes = true,
                           .resize = {{PIXVIEWI_FIT_STRETCH, 0, 0}, PIXVIEWI_PIL_BILINEAR}};
    pixviewi_filters filters;
    REQUIRE(images);
    for (int64_t n = 0; n < IMAGES; n++) {
        images[n].shape[PIXVIEW_AXIS_H] = 1 + n % SIZES % 100;
        images[n].shape[PIXVIEW_AXIS_W] = 101 + n % SIZES;
    }
    REQUIRE_OK(pixviewi_filters_make(&op, &filters, err));
    REQUIRE_INT(filters.count, 100 + SIZES);
    REQUIRE(filters.compared < 4 * 2 * IMAGES);
    for (int64_t n = 0; n < IMAGES; n++)
        for (int axis = 0; axis < 2; axis++) {
            const pixviewi_filter *f = &filters.items[filters.of_image[n][axis]];
            REQUIRE_INT(f->axis.source, images[n].shape[axis ? PIXVIEW_AXIS_W : PIXVIEW_AXIS_H]);
        }
    pixviewi_filters_free(&filters);
    free(images);
}

// Frames become images first, in memory that no graph could keep.
static void test_frames(void)
{
    const pixview_device gpu = {PIXVIEW_DEVICE_CUDA, 0};
    const int64_t batch[] = {1, CANVAS, CANVAS, 3};
    uint64_t stream = fake_stream(0);
    int blocks = fake_live_blocks();
    pixview_video_frame frame;
    pixview_video_params says = {.struct_size = sizeof says,
                                 .format = PIXVIEW_VIDEO_FORMAT_NV12,
                                 .matrix = PIXVIEW_VIDEO_MATRIX_BT709,
                                 .range = PIXVIEW_VIDEO_RANGE_LIMITED,
                                 .height = 32,
                                 .width = 32};
    pixview_video_surface surface = {
        .struct_size = sizeof surface, .data = far, .pitch = 32, .device = gpu};
    REQUIRE_OK(pixview_video_frame_init_surface(&frame, &surface, &says, err));
    pixview_geometry geometry = {.struct_size = sizeof geometry,
                                 .fit = PIXVIEW_FIT_STRETCH,
                                 .interpolation = PIXVIEW_INTERPOLATION_PIL_BICUBIC};
    pixview_convert_params params = {
        .struct_size = sizeof params, .geometry = &geometry, .stream = stream};
    pixview_image result = make_image(out, PIXVIEW_LAYOUT_NHWC, batch, NULL, U8, gpu);
    REQUIRE_OK(pixview_video_to_image(&frame, &result, &params, err));
    REQUIRE_INT(fake_live_blocks(), blocks);
    memset(out, 7, OUT);
    fake_set_capture(stream, 1, 600);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "(900)", pixview_video_to_image(&frame, &result, &params, err));
    require_whole(stream, 600, blocks);
    pixview_video_frame_release(&frame);
}

int main(void)
{
    use_fake_driver(1);
    test_many_sizes();
    far = fake_malloc(0, SOURCE);
    out = fake_malloc(0, OUT);
    pixviewi_cuda_keep_filters(0);
    test_replays();
    test_failures();
    test_refused();
    test_kept();
    test_kept_in_a_capture();
    test_limit();
    test_not_kept();
    test_frames();
    fake_free(far);
    fake_free(out);
    return 0;
}
