// SPDX-License-Identifier: Apache-2.0
// What the fault sweep calls: every public function, and some of the library's own.
#include "faults.h"

#include "cuda/device.h"
#include "cuda/filters.h"
#include "cuda/memory.h"
#include "cuda/stream.h"

enum { SIZE = 1 << 16, MANY = 800 };

static uint8_t near[SIZE] __attribute__((aligned(64))), pinned[SIZE] __attribute__((aligned(64)));
static pixview_status share_frame(pixview_error *err);
static uint8_t *far;
static uint64_t stream_a, stream_b;
static int deleted;

void prepare_fault_cases(void)
{
    far = fake_malloc(0, SIZE);
    fake_register(pinned, SIZE, -1);
    stream_a = fake_stream(0);
    stream_b = fake_stream(0);
}

void warm_fault_cases(void) { REQUIRE_INT(share_frame(NULL), PIXVIEW_OK); }

void end_fault_cases(void)
{
    fake_unregister(pinned);
    fake_free(far);
}

static void count_release(void *ctx)
{
    (void)ctx;
    deleted++;
}
static void count_deleter(DlManaged *self)
{
    (void)self;
    deleted++;
}
static void count_legacy(DlManagedLegacy *self)
{
    (void)self;
    deleted++;
}

static pixview_image image_at(void *data, pixview_layout layout, const int64_t *shape,
                              const int64_t *strides, pixview_device device)
{
    return make_image(data, layout, shape, strides, U8, device);
}

// ---- Owners -----------------------------------------------------------------------------------

static pixview_status create_owner(pixview_error *err)
{
    pixview_owner *made = (pixview_owner *)near;
    deleted = 0;
    pixview_status status = pixview_owner_create(NULL, count_release, &made, err);
    REQUIRE((made == NULL) == (status != PIXVIEW_OK));
    REQUIRE_INT(deleted, 0);
    pixview_owner_ref(made);
    pixview_owner_unref(made);
    pixview_owner_unref(made);
    REQUIRE_INT(deleted, status == PIXVIEW_OK);
    return status;
}

// The release orders two streams.
static pixview_status add_dependency(pixview_error *err)
{
    pixview_owner *parent = NULL, *child = NULL;
    deleted = 0;
    pixview_status status = pixview_owner_create(NULL, count_release, &parent, err);
    if (status != PIXVIEW_OK)
        return status;
    child = pixviewi_owner_nested(parent);
    if (!child || !pixviewi_cuda_add_dep_take(
                      child, &(pixviewi_stream_dep){.consumer = stream_a, .home = stream_b}))
        status = pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory");
    REQUIRE_INT(pixviewi_owner_count(parent), child ? 2 : 1);
    pixview_owner_unref(child);
    REQUIRE_INT(pixviewi_owner_count(parent), 1);
    pixview_owner_unref(parent);
    REQUIRE_INT(deleted, 1);
    return status;
}

// ---- DLPack -----------------------------------------------------------------------------------

static int64_t tensor_shape[3] = {4, 4, 3};
#define TENSOR {near, {PIXVIEW_DEVICE_CPU, 0}, 3, {1, 8, 1}, tensor_shape, NULL, 0}

// The deleter runs once, with the image's owner; never where there is none.
static pixview_status end_import(pixview_status status, pixview_image *image)
{
    REQUIRE_INT(deleted, 0);
    pixview_owner_unref(image->owner);
    REQUIRE_INT(deleted, status == PIXVIEW_OK);
    return status;
}

static pixview_status import(pixview_error *err)
{
    DlManaged tensor = {.version = {1, 0}, .deleter = count_deleter, .tensor = TENSOR};
    pixview_image image = {0};
    deleted = 0;
    return end_import(pixview_image_from_dlpack_take(&tensor, PIXVIEW_LAYOUT_HWC, &image, err),
                      &image);
}

static pixview_status import_legacy(pixview_error *err)
{
    DlManagedLegacy tensor = {.deleter = count_legacy, .tensor = TENSOR};
    pixview_image image = {0};
    deleted = 0;
    return end_import(
        pixview_image_from_dlpack_legacy_take(&tensor, PIXVIEW_LAYOUT_HWC, &image, err), &image);
}

// The first lies in the owner, the second is a block of its own.
static pixview_status export_owned(pixview_error *err)
{
    pixview_image image = image_at(near, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, CPU);
    struct DLManagedTensorVersioned *out[2] = {(void *)near, (void *)near};
    pixview_status status = pixview_owner_create(NULL, count_release, &image.owner, err);
    for (int i = 0; i < 2 && status == PIXVIEW_OK; i++) {
        status = pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_HWC, &out[i], err);
        REQUIRE((out[i] == NULL) == (status != PIXVIEW_OK));
    }
    for (int i = 0; i < 2; i++)
        if (out[i] && out[i] != (void *)near)
            out[i]->deleter(out[i]);
    REQUIRE(!image.owner || pixviewi_owner_count(image.owner) == 1);
    pixview_owner_unref(image.owner);
    return status;
}

static pixview_status export_borrowed(pixview_error *err)
{
    pixview_image image = image_at(near, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, CPU);
    struct DLManagedTensorVersioned *out = (void *)near;
    pixview_status status = pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_HWC, &out, err);
    REQUIRE((out == NULL) == (status != PIXVIEW_OK));
    if (out)
        out->deleter(out);
    return status;
}

static pixview_status export_legacy(pixview_error *err)
{
    pixview_image image = image_at(near, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, CPU);
    struct DLManagedTensor *out = (void *)near;
    pixview_status status = pixview_owner_create(NULL, count_release, &image.owner, err);
    if (status != PIXVIEW_OK)
        return status;
    status = pixview_image_to_dlpack_legacy(&image, PIXVIEW_LAYOUT_HWC, &out, err);
    REQUIRE((out == NULL) == (status != PIXVIEW_OK));
    if (out)
        out->deleter(out);
    REQUIRE_INT(pixviewi_owner_count(image.owner), 1);
    pixview_owner_unref(image.owner);
    return status;
}

// ---- Copies -----------------------------------------------------------------------------------

static pixview_status copy(pixview_image src, pixview_image dst, pixview_error *err)
{
    return pixview_copy(&src, &dst, NULL, err);
}

static pixview_status across(const int64_t *strides, bool to_host, pixview_error *err)
{
    pixview_image host = image_at(near, PIXVIEW_LAYOUT_HWC, LIST(8, 8, 3), NULL, CPU);
    pixview_image gpu = image_at(far, PIXVIEW_LAYOUT_HWC, LIST(8, 8, 3), strides, GPU0);
    return to_host ? copy(gpu, host, err) : copy(host, gpu, err);
}
#define PLANAR    LIST(8, 1, 64)
#define SCATTERED LIST(64, 8, 2)

static pixview_status upload_rows(pixview_error *err) { return across(LIST(64, 3, 1), false, err); }
static pixview_status upload_planar(pixview_error *err) { return across(PLANAR, false, err); }
static pixview_status upload_scattered(pixview_error *err) { return across(SCATTERED, false, err); }
static pixview_status download_rows(pixview_error *err)
{
    return across(LIST(64, 3, 1), true, err);
}
static pixview_status download_planar(pixview_error *err) { return across(PLANAR, true, err); }
static pixview_status download_scattered(pixview_error *err)
{
    return across(SCATTERED, true, err);
}

// The upload goes on when it returns, and its source is held until its event has passed, which here
// is at the second look.
static pixview_status upload_pinned(const int64_t *strides, pixview_error *err)
{
    pixview_image host = image_at(pinned, PIXVIEW_LAYOUT_HWC, LIST(8, 8, 3), NULL, CPU);
    deleted = 0;
    pixview_status status = pixview_owner_create(NULL, count_release, &host.owner, err);
    if (status != PIXVIEW_OK)
        return status;
    fake_set_pending(1);
    status = copy(host, image_at(far, PIXVIEW_LAYOUT_HWC, LIST(8, 8, 3), strides, GPU0), err);
    pixview_owner_unref(host.owner);
    fake_set_pending(0);
    pixviewi_drain_deferred_owners(true);
    REQUIRE_INT(deleted, 1);
    return status;
}
static pixview_status pinned_rows(pixview_error *err) { return upload_pinned(LIST(64, 3, 1), err); }
static pixview_status pinned_planar(pixview_error *err) { return upload_pinned(PLANAR, err); }
static pixview_status pinned_scattered(pixview_error *err) { return upload_pinned(SCATTERED, err); }

static pixview_status copy_on_gpu(pixview_error *err)
{
    return copy(image_at(far, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, GPU0),
                image_at(far + 64, PIXVIEW_LAYOUT_CHW, LIST(3, 4, 4), NULL, GPU0), err);
}
static pixview_status copy_on_host(pixview_error *err)
{
    return copy(image_at(near, PIXVIEW_LAYOUT_HWC, LIST(64, 64, 3), NULL, CPU),
                image_at(near + SIZE / 2, PIXVIEW_LAYOUT_CHW, LIST(3, 64, 64), NULL, CPU), err);
}

static const pixview_convert_params scaled = {.struct_size = sizeof scaled, .scale = 0.5};

static pixview_status convert(void *memory, pixview_device device, pixview_error *err)
{
    pixview_image src = image_at(memory, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, device);
    pixview_image dst =
        make_image((char *)memory + 1024, PIXVIEW_LAYOUT_CHW, LIST(3, 4, 4), NULL, F32, device);
    return pixview_convert(&src, &dst, &scaled, err);
}
static pixview_status convert_on_gpu(pixview_error *err) { return convert(far, GPU0, err); }
static pixview_status convert_on_host(pixview_error *err) { return convert(near, CPU, err); }
static pixview_status convert_upload(pixview_error *err)
{
    pixview_image src = image_at(near, PIXVIEW_LAYOUT_HWC, LIST(8, 8, 3), NULL, CPU);
    pixview_image dst = image_at(far, PIXVIEW_LAYOUT_HWC, LIST(8, 8, 3), PLANAR, GPU0);
    return pixview_convert(&src, &dst, NULL, err);
}

// ---- Lists ------------------------------------------------------------------------------------

// `count` images of 2 x 2 grey pixels, in as many pitches as told, and a batch of them.
typedef struct batch {
    pixview_image images[MANY], whole;
} batch;

static batch *lists(void *memory, int count, int pitches, pixview_device device)
{
    static batch made;
    enum { ROOM = SIZE / 2 / MANY };
    REQUIRE(count <= MANY);
    for (int i = 0; i < count; i++)
        made.images[i] = image_at((char *)memory + ROOM * i, PIXVIEW_LAYOUT_HW, LIST(2, 2),
                                  LIST(2 + i % pitches % (ROOM / 2), 1), device);
    made.whole = image_at((char *)memory + SIZE / 2, PIXVIEW_LAYOUT_NCHW, LIST(count, 1, 2, 2),
                          NULL, device);
    return &made;
}

static pixview_status stack(void *memory, int count, int pitches, pixview_device device,
                            pixview_error *err)
{
    batch *all = lists(memory, count, pitches, device);
    return pixview_stack(all->images, count, &all->whole, NULL, err);
}
static pixview_status unstack(void *memory, int count, int pitches, pixview_device device,
                              pixview_error *err)
{
    batch *all = lists(memory, count, pitches, device);
    return pixview_unstack(&all->whole, all->images, count, NULL, err);
}

static pixview_status stack_one(pixview_error *err) { return stack(far, 1, 1, GPU0, err); }
static pixview_status stack_long(pixview_error *err)
{
    pixview_status status = stack(far, MANY, 1, GPU0, err);
    REQUIRE(status != PIXVIEW_OK || strstr(fake_work(), "launch launch"));
    return status;
}
static pixview_status stack_pitches(pixview_error *err) { return stack(far, 200, 38, GPU0, err); }
static pixview_status stack_on_host(pixview_error *err) { return stack(near, 3, 1, CPU, err); }
static pixview_status stack_padded(pixview_error *err)
{
    pixview_convert_params params = {.struct_size = sizeof params, .scale = 0.5, .pad = true};
    batch *all = lists(far, 2, 1, GPU0);
    pixview_image dst =
        make_image(far + SIZE / 2, PIXVIEW_LAYOUT_NCHW, LIST(2, 1, 4, 4), NULL, F32, GPU0);
    return pixview_stack(all->images, 2, &dst, &params, err);
}
// With tables of weights, and regions.
static pixview_status stack_filtered(void *memory, pixview_device device, pixview_stream stream,
                                     pixview_error *err)
{
    pixview_geometry geometry = {.struct_size = sizeof geometry,
                                 .fit = PIXVIEW_FIT_STRETCH,
                                 .interpolation = PIXVIEW_INTERPOLATION_PIL_BICUBIC};
    pixview_convert_params params = {
        .struct_size = sizeof params, .geometry = &geometry, .stream = stream};
    pixview_roi rois[] = {{0, 0, 2, 2}, {1, 0, 1, 2}};
    geometry.rois = rois;
    batch *all = lists(memory, 2, 1, device);
    pixview_image dst = make_image((char *)memory + SIZE / 2, PIXVIEW_LAYOUT_NCHW, LIST(2, 1, 4, 4),
                                   NULL, U8, device);
    return pixview_stack(all->images, 2, &dst, &params, err);
}
static pixview_status filter_on_host(pixview_error *err)
{
    return stack_filtered(near, CPU, PIXVIEW_STREAM_LEGACY, err);
}
static pixview_status filter_on_gpu(pixview_error *err)
{
    return stack_filtered(far, GPU0, stream_a, err);
}
static pixview_status filter_unkept(pixview_error *err)
{
    pixviewi_cuda_keep_filters(0);
    return filter_on_gpu(err);
}
static pixview_status filter_in_capture(pixview_error *err)
{
    enum { GRAPH = 400 };
    pixviewi_cuda_keep_filters(0);
    fake_set_capture(stream_a, 1, GRAPH);
    pixview_status status = stack_filtered(far, GPU0, stream_a, err);
    REQUIRE_INT(fake_capture_status(stream_a), 1);
    fake_set_capture(stream_a, 0, 0);
    fake_destroy_graph(GRAPH);
    REQUIRE_INT(fake_user_objects(), 0);
    pixviewi_poll_deferred_owners();
    return status;
}
static pixview_status unstack_one(pixview_error *err) { return unstack(far, 1, 1, GPU0, err); }
static pixview_status unstack_long(pixview_error *err) { return unstack(far, MANY, 1, GPU0, err); }
static pixview_status unstack_on_host(pixview_error *err) { return unstack(near, 3, 1, CPU, err); }

// ---- Video ------------------------------------------------------------------------------------

static pixview_status init_frame(void *memory, pixview_device device, pixview_video_frame *out,
                                 pixview_error *err)
{
    pixview_video_params params = {.struct_size = sizeof params,
                                   .format = pixview_video_format_parse("nv12"),
                                   .matrix = pixview_video_matrix_parse("bt709"),
                                   .range = pixview_video_range_parse("tv"),
                                   .height = 4,
                                   .width = 4};
    pixview_video_surface surface = {
        .struct_size = sizeof surface, .data = memory, .pitch = 4, .device = device};
    return pixview_video_frame_init_surface(out, &surface, &params, err);
}

static pixview_status stack_frames_in(uint8_t *memory, pixview_device device, pixview_stream stream,
                                      pixview_error *err)
{
    pixview_video_frame frame;
    pixview_geometry geometry = {.struct_size = sizeof geometry,
                                 .fit = PIXVIEW_FIT_STRETCH,
                                 .interpolation = PIXVIEW_INTERPOLATION_AREA};
    pixview_convert_params params = {
        .struct_size = sizeof params, .geometry = &geometry, .stream = stream};
    pixview_roi rois[] = {{1, 1, 3, 3}, {0, 0, 2, 2}};
    geometry.rois = rois;
    REQUIRE(init_frame(memory, device, &frame, NULL) == PIXVIEW_OK);
    pixview_image image = image_at(memory + 64, PIXVIEW_LAYOUT_HWC, LIST(2, 2, 3), NULL, device);
    const pixview_source srcs[] = {{NULL, &frame}, {&image, NULL}};
    pixview_image dst =
        image_at(memory + SIZE / 2, PIXVIEW_LAYOUT_NCHW, LIST(2, 3, 4, 4), NULL, device);
    return pixview_stack_sources(srcs, 2, &dst, &params, err);
}
static pixview_status stack_frames(pixview_error *err)
{
    return stack_frames_in(near, CPU, PIXVIEW_STREAM_LEGACY, err);
}
static pixview_status filter_frames_on_gpu(pixview_error *err)
{
    return stack_frames_in(far, GPU0, stream_a, err);
}
static pixview_status frame_to_image(pixview_error *err)
{
    pixview_video_frame frame;
    REQUIRE(init_frame(near, CPU, &frame, NULL) == PIXVIEW_OK);
    pixview_image dst = image_at(near + 64, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, CPU);
    return pixview_video_to_image(&frame, &dst, NULL, err);
}
static pixview_status images_to_frames(pixview_error *err)
{
    pixview_video_frame frames[2];
    for (int i = 0; i < 2; i++)
        REQUIRE(init_frame(near + 32 * i, CPU, &frames[i], NULL) == PIXVIEW_OK);
    pixview_image src = image_at(near + 64, PIXVIEW_LAYOUT_NHWC, LIST(2, 4, 4, 3), NULL, CPU);
    return pixview_video_from_images(&src, frames, 2, NULL, PIXVIEW_VIDEO_SITING_LEFT, err);
}

static pixview_status frames(pixview_error *err)
{
    pixview_video_frame frame, crop;
    pixview_status status = init_frame(near, CPU, &frame, err);
    if (status || (status = pixview_video_frame_validate(&frame, err)) ||
        (status = pixview_video_frame_crop(&frame, 0, 2, 2, 2, &crop, err)))
        return status;
    pixview_video_frame_retain(&crop);
    pixview_video_frame_release(&crop);
    REQUIRE_TEXT(pixview_video_format_name(frame.format), "NV12");
    REQUIRE_TEXT(pixview_video_matrix_name(frame.matrix), "bt709");
    REQUIRE_TEXT(pixview_video_range_name(frame.range), "limited");
    const pixview_video_params params = {.struct_size = sizeof params,
                                         .format = frame.format,
                                         .matrix = frame.matrix,
                                         .range = frame.range};
    return pixview_video_frame_init(&crop, frame.planes, 2, &params, err);
}

// ---- Other processes -----------------------------------------------------------------------------

// All in this process, and in host memory: the driver's part is swept in Python.
static pixview_status share_image(const pixview_image *image, pixview_error *err)
{
    uint8_t handle[PIXVIEW_HANDLE_BYTES];
    pixview_share *share = (void *)near;
    pixview_image opened = {0};
    pixview_open_plan plan;
    pixview_layout layout;
    int64_t pid;
    pixview_status status = pixview_share_create(image, NULL, &share, err);
    REQUIRE((share == NULL) == (status != PIXVIEW_OK));
    if (status || (status = pixview_share_send(share, handle, err)))
        return status;
    if (!(status = pixview_share_describe(handle, sizeof handle, &opened, &layout, &pid, err)) &&
        !(status = pixview_share_plan(handle, sizeof handle, -1, &plan, err)))
        status = pixview_share_open(handle, sizeof handle, NULL, &opened, &layout, err);
    if (status != PIXVIEW_OK)
        pixview_share_decline(handle, sizeof handle);
    pixview_owner_unref(opened.owner);
    pixview_share_release(share);
    return status;
}

static pixview_status share_frame(pixview_error *err)
{
    const pixview_pool_params params = {.struct_size = sizeof params,
                                        .frames = 2,
                                        .dtype = U8,
                                        .device = CPU,
                                        .layout = PIXVIEW_LAYOUT_HWC,
                                        .shape = {4, 4, 3}};
    pixview_pool *pool = (void *)near;
    pixview_image frame = {0};
    pixview_status status = pixview_pool_create(&params, &pool, err);
    REQUIRE((pool == NULL) == (status != PIXVIEW_OK));
    if (status != PIXVIEW_OK)
        return status;
    if (!(status = pixview_pool_get(pool, 0, 0, &frame, err)))
        status = share_image(&frame, err);
    pixview_owner_unref(frame.owner);
    REQUIRE_INT(pixview_pool_idle(pool), 2);
    pixview_pool_release(pool);
    return status;
}

static pixview_status share_copied(pixview_error *err)
{
    pixview_image image = image_at(near, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, CPU);
    return share_image(&image, err);
}

// ---- The library's own, which the Python extension calls ------------------------------------------

static pixview_status order(pixview_error *err)
{
    return pixviewi_cuda_order(0, stream_a, stream_b, NULL, err);
}

static pixview_status allocate(pixview_error *err)
{
    void *data = near;
    pixview_owner *block = (pixview_owner *)near;
    pixview_status status = pixviewi_cuda_alloc(0, 64, 0, &data, &block, err);
    REQUIRE((data == NULL) == (status != PIXVIEW_OK));
    REQUIRE((block == NULL) == (status != PIXVIEW_OK));
    pixview_owner_unref(block);
    return status;
}

static pixview_status warm_up(pixview_error *err) { return pixviewi_cuda_warm_up(0, err); }

static pixview_status query_pointer(pixview_error *err)
{
    int device = -1;
    pixview_status status = pixviewi_cuda_query_pointer(far, &device, err);
    REQUIRE_INT(device, 0);
    return status;
}

static pixview_status query_stream(pixview_error *err)
{
    int device = -1;
    return pixviewi_cuda_stream_device(stream_a, &device, err);
}

static pixview_status describe(pixview_error *err)
{
    return pixviewi_cuda_describe(0, NULL, NULL, NULL, NULL, err);
}

// ---- Those that cannot fail for want of anything ----------------------------------------------------

static pixview_status names(pixview_error *err)
{
    pixview_dtype dtype;
    REQUIRE(pixview_dtype_parse("uint8", &dtype) && pixview_dtype_equal(dtype, U8));
    REQUIRE_INT(pixview_dtype_size(dtype), 1);
    REQUIRE_TEXT(pixview_dtype_name(dtype), "uint8");
    REQUIRE_INT(pixview_layout_rank(pixview_layout_parse("HWC")), 3);
    REQUIRE_TEXT(pixview_layout_name(PIXVIEW_LAYOUT_HWC), "HWC");
    REQUIRE_TEXT(pixview_status_name(PIXVIEW_OK), "PIXVIEW_OK");
    REQUIRE(pixview_version() > 0);
    REQUIRE_TEXT(pixview_typestr(U8), "|u1");
    return pixview_typestr_parse("|u1", &dtype, err);
}

static pixview_status descriptor(pixview_error *err)
{
    pixview_image image, crop;
    int64_t shape[4], strides[4];
    int ndim;
    pixview_status status =
        pixview_image_init(&image, far, 3, LIST(4, 4, 3), NULL, U8, GPU0, PIXVIEW_LAYOUT_HWC, err);
    if (status || (status = pixview_image_validate(&image, err)) ||
        (status = pixview_image_crop(&image, 1, 1, 2, 2, &crop, err)) ||
        (status = pixview_image_axes(&crop, PIXVIEW_LAYOUT_CHW, &ndim, shape, strides, err)))
        return status;
    REQUIRE_INT(pixview_image_nbytes(&crop), 12);
    REQUIRE(!pixview_image_is_empty(&crop) && !pixview_image_on_host(&crop));
    REQUIRE(!pixview_image_is_packed(&crop, PIXVIEW_LAYOUT_HWC));
    REQUIRE(pixview_image_overlaps(&image, &crop));
    return pixview_image_check_interleaved(&image, err);
}

static pixview_status placement(pixview_error *err)
{
    pixview_placement_params params = {
        .struct_size = sizeof params, .canvas_h = 8, .canvas_w = 8, .fit = PIXVIEW_FIT_LETTERBOX};
    pixview_placement placed;
    return pixview_placement_fit(3, 4, &params, &placed, err);
}

static const char descriptor_only[] = "computes with the caller's struct";
static const char constant[] = "returns or reads a constant";

const fault_case fault_cases[] = {
    // The first also starts the driver.
    {"pixview_copy", "upload of rows", upload_rows, NULL},
    {"pixview_copy", "upload, planar", upload_planar, NULL},
    {"pixview_copy", "upload, scattered", upload_scattered, NULL},
    {"pixview_copy", "download of rows", download_rows, NULL},
    {"pixview_copy", "download, planar", download_planar, NULL},
    {"pixview_copy", "download, scattered", download_scattered, NULL},
    {"pixview_copy", "pinned upload of rows", pinned_rows, NULL},
    {"pixview_copy", "pinned upload, planar", pinned_planar, NULL},
    {"pixview_copy", "pinned upload, scattered", pinned_scattered, NULL},
    {"pixview_copy", "on a GPU", copy_on_gpu, NULL},
    {"pixview_copy", "on the host", copy_on_host, "loops over the caller's memory"},
    {"pixview_convert", "on a GPU", convert_on_gpu, NULL},
    {"pixview_convert", "upload", convert_upload, NULL},
    {"pixview_convert", "on the host", convert_on_host, "loops over the caller's memory"},
    {"pixview_stack", "one", stack_one, NULL},
    {"pixview_stack", "several launches", stack_long, NULL},
    {"pixview_stack", "many pitches", stack_pitches, NULL},
    {"pixview_stack", "padded", stack_padded, NULL},
    {"pixview_stack", "filtered, in host memory", filter_on_host, NULL},
    {"pixview_stack", "filtered, on a GPU", filter_on_gpu, NULL},
    {"pixview_stack", "filtered, tables not kept", filter_unkept, NULL},
    {"pixview_stack", "filtered, in a capture", filter_in_capture, NULL},
    {"pixview_stack", "on the host", stack_on_host, "loops over the caller's memory"},
    {"pixview_unstack", "one", unstack_one, NULL},
    {"pixview_unstack", "several launches", unstack_long, NULL},
    {"pixview_unstack", "on the host", unstack_on_host, NULL},
    {"pixview_stack_sources", "with regions, in host memory", stack_frames, NULL},
    {"pixview_stack_sources", "with regions, on a GPU", filter_frames_on_gpu, NULL},
    {"pixview_video_to_image", "", frame_to_image, NULL},
    {"pixview_video_from_images", "", images_to_frames, NULL},
    {"pixview_image_from_dlpack_take", "", import, NULL},
    {"pixview_image_from_dlpack_legacy_take", "", import_legacy, NULL},
    {"pixview_image_to_dlpack", "with an owner, twice", export_owned, NULL},
    {"pixview_image_to_dlpack", "borrowed memory", export_borrowed, NULL},
    {"pixview_image_to_dlpack_legacy", "", export_legacy, NULL},
    {"pixview_owner_create", "", create_owner, NULL},
    {"pixview_owner_ref", "", create_owner, NULL},
    {"pixview_owner_unref", "that orders streams", add_dependency, NULL},
    {"pixviewi_cuda_order", "", order, NULL},
    {"pixviewi_cuda_alloc", "", allocate, NULL},
    {"pixviewi_cuda_warm_up", "", warm_up, NULL},
    {"pixviewi_cuda_query_pointer", "", query_pointer, NULL},
    {"pixviewi_cuda_stream_device", "", query_stream, NULL},
    {"pixviewi_cuda_describe", "", describe, NULL},
    {"pixview_pool_create", "", share_frame, NULL},
    {"pixview_pool_get", "", share_frame, NULL},
    {"pixview_pool_idle", "", share_frame, NULL},
    {"pixview_pool_release", "", share_frame, NULL},
    {"pixview_share_create", "", share_frame, NULL},
    {"pixview_share_decline", "", share_frame, NULL},
    {"pixview_share_describe", "", share_frame, NULL},
    {"pixview_share_open", "", share_frame, NULL},
    {"pixview_share_plan", "", share_frame, NULL},
    {"pixview_share_release", "", share_frame, NULL},
    {"pixview_share_send", "", share_frame, NULL},
    {"pixview_share_create", "of a copy", share_copied, NULL},
    {"pixview_placement_fit", "", placement, descriptor_only},
    {"pixview_image_init", "", descriptor, descriptor_only},
    {"pixview_image_validate", "", descriptor, descriptor_only},
    {"pixview_image_crop", "", descriptor, descriptor_only},
    {"pixview_image_axes", "", descriptor, descriptor_only},
    {"pixview_image_check_interleaved", "", descriptor, descriptor_only},
    {"pixview_image_is_empty", "", descriptor, descriptor_only},
    {"pixview_image_is_packed", "", descriptor, descriptor_only},
    {"pixview_image_nbytes", "", descriptor, descriptor_only},
    {"pixview_image_on_host", "", descriptor, descriptor_only},
    {"pixview_image_overlaps", "", descriptor, descriptor_only},
    {"pixview_video_frame_init", "", frames, descriptor_only},
    {"pixview_video_frame_init_surface", "", frames, descriptor_only},
    {"pixview_video_frame_validate", "", frames, descriptor_only},
    {"pixview_video_frame_crop", "", frames, descriptor_only},
    {"pixview_video_frame_retain", "", frames, descriptor_only},
    {"pixview_video_frame_release", "", frames, descriptor_only},
    {"pixview_video_format_name", "", frames, constant},
    {"pixview_video_format_parse", "", frames, constant},
    {"pixview_video_matrix_name", "", frames, constant},
    {"pixview_video_matrix_parse", "", frames, constant},
    {"pixview_video_range_name", "", frames, constant},
    {"pixview_video_range_parse", "", frames, constant},
    {"pixview_dtype_equal", "", names, constant},
    {"pixview_dtype_name", "", names, constant},
    {"pixview_dtype_parse", "", names, constant},
    {"pixview_dtype_size", "", names, constant},
    {"pixview_layout_name", "", names, constant},
    {"pixview_layout_parse", "", names, constant},
    {"pixview_layout_rank", "", names, constant},
    {"pixview_status_name", "", names, constant},
    {"pixview_version", "", names, constant},
    {"pixview_typestr", "", names, constant},
    {"pixview_typestr_parse", "", names, constant},
};
const int fault_case_count = sizeof fault_cases / sizeof *fault_cases;
