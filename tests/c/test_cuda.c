// SPDX-License-Identifier: Apache-2.0
// What is asked of the driver, by whom, and what is put back, with one (fake) GPU.
#include "fake.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"

enum { LEGACY = 1, PER_THREAD = 2 };

// ---- look-ups ---------------------------------------------------------------------------------

static void test_first(void)
{
    int count = 0, device = 7;
    char name[128];
    int major, minor, version;
    REQUIRE_OK(pixviewi_cuda_device_count(&count, err));
    REQUIRE_INT(count, 1);
    REQUIRE_CALLS("cuInit cuDeviceGetCount");
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_device_count(&count, err));
    REQUIRE_OK(pixviewi_cuda_pointer_device(&count, &device, err));
    REQUIRE_INT(device, 0);
    REQUIRE_CALLS(""); // one GPU: nothing to ask
    REQUIRE_INT(fake_contexts_made(), 0);
    REQUIRE_OK(pixviewi_cuda_describe(0, name, &major, &minor, &version, err));
    REQUIRE_TEXT(name, "Fake GPU 0");
    REQUIRE_INT(major, 9);
    REQUIRE_INT(version, 13000);
    REQUIRE_OK(pixviewi_cuda_describe(0, NULL, NULL, NULL, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "101", pixviewi_cuda_describe(5, NULL, NULL, NULL, NULL, err));
    REQUIRE_INT(fake_contexts_made(), 0);
}

static void test_warm_up(void)
{
    uint64_t a = fake_stream(0);
    fake_reset();
    fake_set_capture(a, 1, 10);
    REQUIRE_OK(pixviewi_cuda_warm_up(0, err)); // in a capture, too
    REQUIRE_INT(fake_capture_status(a), 1);
    REQUIRE_INT(fake_capture_mode(), 0);
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_warm_up(0, err));
    REQUIRE_WORK("");
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "GPU 3 of 1", pixviewi_cuda_warm_up(3, err));
}

// ---- owners that cannot let go yet -------------------------------------------------------------

static int released;

static void count_release(pixview_owner *self)
{
    (void)self;
    released++;
}

static pixview_owner *used(const pixviewi_stream_dep *dep)
{
    pixview_owner *owner = pixviewi_owner_new(count_release);
    REQUIRE(owner && pixviewi_cuda_add_dep_take(owner, dep));
    released = 0;
    return owner;
}

static void test_release_waits_for_the_capture(void)
{
    uint64_t a = fake_stream(0), b = fake_stream(0);
    const pixviewi_stream_dep ways[] = {
        {.consumer = a, .home = b}, // one of them captures
        {.consumer = b, .home = a}, //
        {.consumer = b, .home = 0}, // the legacy stream is blocked
        {.consumer = 0, .home = b}, //
        {.consumer = a, .home = a}, // the memory goes back into the capture
        {.consumer = b, .home = b}, // and where nothing is in the way
    };
    for (int i = 0; i < 6; i++) {
        pixview_owner *owner = used(&ways[i]);
        fake_reset();
        fake_set_capture(a, 1, 10);
        pixview_owner_unref(owner);
        if (i == 5) {
            REQUIRE_INT(released, 1);
            continue;
        }
        for (int k = 0; k < 3; k++) {
            REQUIRE_INT(released, 0);
            REQUIRE_INT(pixviewi_deferred_owners, 1);
            pixviewi_poll_deferred_owners();
        }
        REQUIRE_WORK("");
        REQUIRE_INT(fake_capture_status(a), 1);
        fake_set_capture(a, 0, 0);
        pixviewi_poll_deferred_owners();
        REQUIRE_INT(released, 1);
        REQUIRE_INT(pixviewi_deferred_owners, 0);
        REQUIRE_WORK(ways[i].consumer == ways[i].home ? "" : "record wait"); // before it let go
    }
    fake_reset();
    pixviewi_poll_deferred_owners();
    REQUIRE_CALLS("");
}

// A use of this very capture ends inside it; one from before would miss the work it is about.
static void test_release_inside_the_capture(void)
{
    uint64_t a = fake_stream(0), b = fake_stream(0);
    for (int inside = 0; inside < 2; inside++) {
        pixview_owner *owner =
            used(&(pixviewi_stream_dep){.consumer = a, .home = b, .capture = inside ? 10 : 0});
        fake_reset();
        fake_set_capture(a, 1, 10);
        fake_set_capture(b, 1, 10);
        pixview_owner_unref(owner);
        REQUIRE_INT(released, inside);
        REQUIRE_WORK(inside ? "record wait" : "");
        fake_reset();
        pixviewi_poll_deferred_owners();
        REQUIRE_INT(released, 1);
    }
}

// pixview_copy drains too, for those who use the library from C.
static void test_a_copy_tries_again(void)
{
    uint64_t a = fake_stream(0);
    uint8_t near[2] = {1, 2};
    pixview_image src = make_image(near, PIXVIEW_LAYOUT_HW, LIST(1, 1), NULL, U8, CPU);
    pixview_image dst = make_image(near + 1, PIXVIEW_LAYOUT_HW, LIST(1, 1), NULL, U8, CPU);
    pixview_owner *owner = used(&(pixviewi_stream_dep){.consumer = a, .home = 0});
    fake_reset();
    fake_set_capture(a, 1, 10);
    pixview_owner_unref(owner);
    REQUIRE_OK(pixview_copy(&src, &dst, NULL, err));
    REQUIRE_INT(released, 0);
    fake_reset();
    REQUIRE_OK(pixview_copy(&src, &dst, NULL, err));
    REQUIRE_INT(released, 1);
}

// Many that wait are not all asked each time, and each gets its turn.
static void test_long_queue(void)
{
    enum { COUNT = 100 };
    uint64_t a = fake_stream(0), b = fake_stream(0), c = fake_stream(0);
    released = 0;
    fake_reset();
    fake_set_capture(a, 1, 10);
    fake_set_capture(c, 1, 11);
    for (int i = 0; i < COUNT; i++) {
        pixview_owner *owner = pixviewi_owner_new(count_release);
        pixviewi_stream_dep dep = {.consumer = i % 2 ? a : c, .home = b};
        REQUIRE(owner && pixviewi_cuda_add_dep_take(owner, &dep));
        pixview_owner_unref(owner);
    }
    fake_reset();
    fake_set_capture(c, 1, 11);
    pixviewi_poll_deferred_owners();
    REQUIRE(fake_call_count() < 200);
    for (int i = 0; i < 2 * COUNT; i++)
        pixviewi_poll_deferred_owners();
    REQUIRE_INT(released, COUNT / 2);
    REQUIRE_INT(pixviewi_deferred_owners, COUNT / 2);
    fake_set_capture(c, 0, 0);
    pixviewi_drain_deferred_owners(true);
    REQUIRE_INT(released, COUNT);
    REQUIRE_INT(pixviewi_deferred_owners, 0);
    fake_reset();
}

static void *drop_and_try(void *arg)
{
    pixview_owner **owners = arg;
    for (int i = 0; i < 200; i++) {
        pixview_owner_unref(owners[i]);
        pixviewi_poll_deferred_owners();
    }
    return NULL;
}

static atomic_int released_anywhere;

static void count_anywhere(pixview_owner *self)
{
    (void)self;
    atomic_fetch_add(&released_anywhere, 1);
}

static void test_postponed_by_threads(void)
{
    enum { THREADS = 4, EACH = 200 };
    static pixview_owner *owners[THREADS][EACH];
    uint64_t a = fake_stream(0), b = fake_stream(0);
    pthread_t threads[THREADS];
    fake_reset();
    fake_set_capture(a, 1, 10);
    for (int i = 0; i < THREADS * EACH; i++) {
        pixview_owner *owner = pixviewi_owner_new(count_anywhere);
        pixviewi_stream_dep dep = {.consumer = i % 3 ? a : b, .home = b};
        REQUIRE(owner && pixviewi_cuda_add_dep_take(owner, &dep));
        owners[i / EACH][i % EACH] = owner;
    }
    for (int i = 0; i < THREADS; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, drop_and_try, owners[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    fake_reset();
    pixviewi_drain_deferred_owners(true);
    REQUIRE_INT(released_anywhere, THREADS * EACH);
    REQUIRE_INT(pixviewi_deferred_owners, 0);
}

// The use of a stream that its framework destroyed must not keep the memory for ever, and its work may still
// run.
static void test_release_with_a_dead_stream(void)
{
    pixview_owner *owner = used(&(pixviewi_stream_dep){.consumer = 0xdead00, .home = 0});
    fake_reset();
    fake_fail_call("cuStreamIsCapturing", 400);
    pixview_owner_unref(owner);
    REQUIRE_INT(released, 1);
    REQUIRE_WORK("sync");
    fake_reset();
}

// ---- memory -----------------------------------------------------------------------------------

static void test_memory(void)
{
    void *data = &data;
    pixview_owner *owner = (pixview_owner *)data;
    uint64_t a = fake_stream(0);
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_alloc(0, 0, a, &data, &owner, err));
    REQUIRE_CALLS("");
    REQUIRE(data == NULL && owner == NULL);
    REQUIRE_OK(pixviewi_cuda_alloc(0, 100, a, &data, &owner, err));
    REQUIRE_INT(fake_live_blocks(), 1);
    memset(data, 1, 100);
    pixview_owner_unref(owner);
    REQUIRE_INT(fake_live_blocks(), 0);
    REQUIRE_INT(fake_freed_on(), a);
    REQUIRE_WORK("alloc free");
    // Handle 2 means another stream on another thread.
    REQUIRE_OK(pixviewi_cuda_alloc(0, 100, PER_THREAD, &data, &owner, err));
    pixview_owner_unref(owner);
    REQUIRE_INT(fake_freed_on(), LEGACY);

    fake_fail_call("cuMemAllocAsync", 2);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "OUT_OF_MEMORY",
                  pixviewi_cuda_alloc(0, 100, a, &data, &owner, err));
    REQUIRE(data == NULL && owner == NULL);
    fake_reset();
}

// Allocating and freeing in the middle of somebody's capture does not break it.
static void test_memory_in_capture(void)
{
    void *data;
    pixview_owner *owner;
    uint64_t a = fake_stream(0), b = fake_stream(0);
    fake_reset();
    fake_set_capture(a, 1, 10);
    REQUIRE_OK(pixviewi_cuda_alloc(0, 100, b, &data, &owner, err));
    pixview_owner_unref(owner);
    REQUIRE_INT(fake_capture_status(a), 1);
    REQUIRE_INT(fake_live_blocks(), 0);
    REQUIRE_INT(fake_capture_mode(), 0);
    // On the stream itself it would be the graph's.
    REQUIRE_OK(pixviewi_cuda_alloc(0, 100, a, &data, &owner, err));
    REQUIRE_WORK("alloc free alloc sync");
    pixview_owner_unref(owner);
    REQUIRE_INT(fake_live_blocks(), 1); // until the capture has ended
    fake_set_capture(a, 0, 0);
    pixviewi_poll_deferred_owners();
    REQUIRE_INT(fake_live_blocks(), 0);
    REQUIRE_INT(fake_freed_on(), a);
    fake_reset();
}

// What does not fit the driver's limits goes in pieces. Widths of gigabytes are claimed, not used:
// the copies fail at once, and the log tells.
static void test_rows(void)
{
    enum { ROWS = 3, PITCH = 64, WIDTH = 40 };
    char near[ROWS * WIDTH], *far = fake_malloc(0, ROWS * PITCH);
    fill_random(near, sizeof near, 1);
    fake_reset();
    REQUIRE_OK(
        pixviewi_cuda_copy_rows(0, far, PITCH, near, WIDTH, WIDTH, ROWS, false, true, 0, err));
    REQUIRE_WORK("copy sync");
    for (int i = 0; i < ROWS; i++)
        REQUIRE(memcmp(far + i * PITCH, near + i * WIDTH, WIDTH) == 0);
    memset(near, 0, sizeof near);
    REQUIRE_OK(
        pixviewi_cuda_copy_rows(0, near, WIDTH, far, PITCH, WIDTH, ROWS, true, true, 0, err));
    for (int i = 0; i < ROWS; i++)
        REQUIRE(memcmp(far + i * PITCH, near + i * WIDTH, WIDTH) == 0);
    fake_reset();
    // One row: its pitch means nothing.
    REQUIRE_OK(pixviewi_cuda_copy_rows(0, near, 0, far, 0, WIDTH, 1, true, true, 0, err));
    REQUIRE_WORK("copy sync");
    fake_fail_call("cuMemcpy2DAsync_v2", 700);
    REQUIRE_FAILS(
        PIXVIEW_E_CUDA, "700",
        pixviewi_cuda_copy_rows(0, far, PITCH, near, WIDTH, WIDTH, ROWS, false, true, 0, err));
    REQUIRE_HAS(fake_work(), "copy sync"); // no piece stays on its way
    fake_reset();
    fake_free(far);
}

static pixview_status copy_a_little(pixview_stream stream, pixview_error *err)
{
    uint8_t *far = fake_malloc(0, 64);
    pixview_image src = make_image(far, PIXVIEW_LAYOUT_HWC, LIST(2, 3, 3), NULL, U8, GPU0);
    pixview_image dst = make_image(far + 32, PIXVIEW_LAYOUT_CHW, LIST(3, 2, 3), NULL, U8, GPU0);
    pixview_copy_params params = {sizeof params, stream};
    pixview_status status = pixview_copy(&src, &dst, &params, err);
    fake_free(far);
    return status;
}

// From pinned memory with an owner the copy is not waited for: the owner is held until it is done.
static void test_pinned_upload(void)
{
    enum { SIZE = 96 };
    uint8_t pinned[SIZE], *far = fake_malloc(0, SIZE);
    uint64_t a = fake_stream(0);
    fake_register(pinned, SIZE, -1);
    fill_random(pinned, SIZE, 2);
    pixview_image src = make_image(pinned, PIXVIEW_LAYOUT_HWC, LIST(4, 8, 3), NULL, U8, CPU);
    pixview_image dst = make_image(far, PIXVIEW_LAYOUT_HWC, LIST(4, 8, 3), NULL, U8, GPU0);
    pixview_copy_params params = {sizeof params, a};
    fake_reset();
    REQUIRE_OK(pixview_copy(&src, &dst, &params, err)); // of nobody: it is waited for
    REQUIRE_WORK("copy sync");
    released = 0;
    src.owner = pixviewi_owner_new(count_release);
    fake_reset();
    REQUIRE_OK(pixview_copy(&src, &dst, &params, err));
    REQUIRE_WORK("copy record query"); // done at once, as the fake driver works
    REQUIRE(memcmp(far, pinned, SIZE) == 0);
    for (int pending = 1; pending < 4; pending++) {
        fake_reset();
        fake_set_pending(pending);
        REQUIRE_OK(pixview_copy(&src, &dst, &params, err));
        REQUIRE_INT(pixviewi_owner_count(src.owner), 2);
        for (int i = 1; i < pending; i++) {
            pixviewi_poll_deferred_owners();
            REQUIRE_INT(pixviewi_deferred_owners, 1);
        }
        pixviewi_poll_deferred_owners();
        REQUIRE_INT(pixviewi_deferred_owners, 0);
        REQUIRE_INT(pixviewi_owner_count(src.owner), 1);
    }
    // While somebody captures the event is asked in relaxed mode; the copy may be part of a graph.
    uint64_t captured = fake_stream(0);
    fake_reset();
    fake_set_capture(captured, 1, 10);
    fake_set_pending(1);
    REQUIRE_OK(pixview_copy(&src, &dst, &params, err));
    REQUIRE_INT(pixviewi_deferred_owners, 1);
    pixviewi_poll_deferred_owners();
    REQUIRE_INT(pixviewi_deferred_owners, 0);
    REQUIRE_WORK("copy record query query");
    REQUIRE_INT(fake_capture_status(captured), 1);
    fake_reset();
    fake_set_capture(a, 1, 10);
    REQUIRE_OK(pixview_copy(&src, &dst, &params, err));
    REQUIRE_WORK("copy");
    REQUIRE_INT(fake_capture_status(a), 1);
    // What has to be waited for may not.
    pixview_image near_image = src, no_owner = src;
    uint8_t pageable[SIZE] = {0};
    no_owner.owner = NULL;
    near_image.data = pageable;
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "(900)", pixview_copy(&no_owner, &dst, &params, err));
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "(900)", pixview_copy(&near_image, &dst, &params, err));
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "(900)", pixview_copy(&dst, &near_image, &params, err));
    pixview_image planes = make_image(far, PIXVIEW_LAYOUT_CHW, LIST(3, 4, 8), NULL, U8, GPU0);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "(900)", pixview_copy(&src, &planes, &params, err)); // staged
    REQUIRE_INT(fake_capture_status(a), 1);
    params.stream = PIXVIEW_STREAM_LEGACY; // which the capture of `a` forbids
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "(906)", pixview_copy(&src, &dst, &params, err));
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "(900)", pixview_copy(&dst, &near_image, &params, err));
    REQUIRE_INT(fake_capture_status(a), 1);
    params.stream = a;
    fake_reset();
    // An event that cannot be recorded: then the host waits after all, and the call says so.
    fake_fail_call("cuEventRecord", 999);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "999", pixview_copy(&src, &dst, &params, err));
    REQUIRE_WORK("copy record sync copy record sync"); // with err, and with NULL
    fake_reset();
    REQUIRE_INT(released, 0);
    pixview_owner_unref(src.owner);
    REQUIRE_INT(released, 1);
    fake_unregister(pinned);
    fake_free(far);
}

// Whether a capture is in the way is asked once for each copy, however many rows it queues, and once
// more before an event is recorded for what is held.
static void test_transfer_calls(void)
{
    enum { SIZE = 96 };
    uint8_t near[SIZE], pinned[SIZE], *far = fake_malloc(0, 2 * SIZE);
    pixview_copy_params params = {sizeof params, PIXVIEW_STREAM_LEGACY};
    pixview_image host = make_image(near, PIXVIEW_LAYOUT_CHW, LIST(3, 4, 8), NULL, U8, CPU);
    pixview_image gpu =
        make_image(far, PIXVIEW_LAYOUT_CHW, LIST(3, 4, 8), LIST(64, 16, 1), U8, GPU0);
    pixview_image held = host;
    fake_register(pinned, SIZE, -1);
    held.data = pinned;
    held.owner = pixviewi_owner_new(count_release);
    fake_set_current_device(0);
    const struct {
        const pixview_image *src, *dst;
        int questions;
    } pairs[] = {{&gpu, &host, 1}, {&host, &gpu, 1}, {&held, &gpu, 2}};
    for (int i = 0; i < 3; i++) {
        fake_reset();
        REQUIRE_OK(pixview_copy(pairs[i].src, pairs[i].dst, &params, err));
        REQUIRE_HAS(fake_work(), "copy");
        int asked = 0;
        for (const char *at = fake_calls(); (at = strstr(at, "cuStreamIsCapturing")); at++)
            asked++;
        REQUIRE_INT(asked, pairs[i].questions);
    }
    fake_set_current_device(-1);
    pixview_owner_unref(held.owner);
    fake_unregister(pinned);
    fake_free(far);
}

// After cv2.cuda.resetDevice() the old context's memory and streams are dead: neither freed nor ordered.
static void test_reset(void)
{
    void *data;
    pixview_owner *block;
    uint64_t a = fake_stream(0), b = fake_stream(0);
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_alloc(0, 100, a, &data, &block, err));
    pixview_owner *ordered = used(&(pixviewi_stream_dep){.consumer = a, .home = b});
    uint64_t before = pixviewi_cuda_context(0);
    REQUIRE(before && pixviewi_cuda_same_context(0, before));
    fake_reset_device(0);
    fake_reset();
    REQUIRE(!pixviewi_cuda_same_context(0, before));
    pixview_owner_unref(block);
    pixview_owner_unref(ordered);
    REQUIRE_WORK("");
    REQUIRE_INT(released, 1);
    REQUIRE_INT(fake_live_blocks(), 1);
    REQUIRE_OK(copy_a_little(a, err)); // makes the context anew, and loads the kernels again
    REQUIRE_WORK("load launch");
    REQUIRE(pixviewi_cuda_context(0) != before);
    fake_reset();
    REQUIRE_OK(copy_a_little(a, err));
    REQUIRE_WORK("launch");
    REQUIRE(pixviewi_cuda_same_context(0, 0));
}

// ---- kernels ----------------------------------------------------------------------------------

static void test_no_kernel_fits(void)
{
    static const int codes[] = {200, 209, 222};
    for (int i = 0; i < 3; i++) {
        fake_reset();
        fake_set_driver_version(12040);
        fake_fail_call("cuModuleLoadData", codes[i]);
        REQUIRE_FAILS(PIXVIEW_E_CUDA, "CUDA 12.4", copy_a_little(0, err));
        pixview_error error;
        REQUIRE_INT(pixviewi_cuda_load_kernels(0, &error), PIXVIEW_E_CUDA);
        REQUIRE_INT(error.driver_code, codes[i]);
        REQUIRE_HAS(error.message, "R580");
    }
    fake_fail_call("cuModuleLoadData", 2);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "OUT_OF_MEMORY", copy_a_little(0, err));
    fake_set_driver_version(13000);
    fake_reset();
}

static void test_launch(void)
{
    uint64_t a = fake_stream(0);
    REQUIRE_OK(copy_a_little(a, err)); // loads, after the failures above
    REQUIRE_WORK("load launch");
    fake_reset();
    REQUIRE_OK(copy_a_little(a, err));
    REQUIRE_WORK("launch");
    REQUIRE_OK(pixviewi_cuda_load_kernels(0, err));
    REQUIRE_WORK("launch");
    fake_fail_call("cuLaunchKernel", 719);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "719", copy_a_little(a, err));
    pixview_error error;
    REQUIRE_INT(copy_a_little(a, &error), PIXVIEW_E_CUDA);
    REQUIRE_INT(error.driver_code, 719);
    fake_reset();
    fake_set_capture(a, 1, 10); // into the capture
    REQUIRE_OK(copy_a_little(a, err));
    REQUIRE_INT(fake_capture_status(a), 1);
    fake_reset();
}

// ---- context, exit, fork ----------------------------------------------------------------------

static int seen_device, seen_mode;

static void look(void *arg)
{
    (void)arg;
    seen_device = fake_current_device();
    seen_mode = fake_capture_mode();
}

static void test_scope(void)
{
    REQUIRE_INT(fake_context_depth(), 0);
    pixviewi_cuda_with_device(0, look, NULL);
    REQUIRE_INT(seen_device, 0);
    REQUIRE_INT(seen_mode, 2);
    REQUIRE_INT(fake_context_depth(), 0);
    REQUIRE_INT(fake_capture_mode(), 0);
    fake_set_current_device(0); // as torch leaves it: nothing to push
    fake_reset();
    pixviewi_cuda_with_device(0, look, NULL);
    REQUIRE_CALLS("cuCtxGetCurrent cuThreadExchangeStreamCaptureMode "
                  "cuThreadExchangeStreamCaptureMode");
    fake_set_current_device(-1);
    seen_device = 5;
    pixviewi_cuda_with_device(9, look, NULL); // no such GPU: called all the same
    REQUIRE_INT(seen_device, -1);
    REQUIRE_INT(fake_capture_mode(), 0);
}

static void test_fork(void)
{
    int status, device;
    REQUIRE(!pixviewi_exiting());
    REQUIRE_OK(pixviewi_cuda_pointer_device(&status, &device, err));
    pid_t child = fork();
    if (child == 0) {
        bool refused = pixviewi_cuda_pointer_device(&status, &device, NULL) == PIXVIEW_E_CUDA;
        _exit(refused && pixviewi_cuda_unusable() && !pixviewi_exiting() ? 0 : 1);
    }
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE_INT(status, 0);
    REQUIRE(!pixviewi_exiting());
}

static void test_exit(void)
{
    void *data;
    pixview_owner *owner;
    REQUIRE_OK(pixviewi_cuda_alloc(0, 100, 0, &data, &owner, err));
    fake_reset();
    pixviewi_set_exiting();
    pixview_owner_unref(owner);
    REQUIRE_CALLS("");
    REQUIRE_INT(fake_live_blocks(),
                2); // the driver takes them with the process; one is of the reset
}

int main(void)
{
    use_fake_driver(1);
    test_first();
    test_release_waits_for_the_capture();
    test_release_inside_the_capture();
    test_a_copy_tries_again();
    test_long_queue();
    test_postponed_by_threads();
    test_release_with_a_dead_stream();
    test_memory();
    test_memory_in_capture();
    test_rows();
    test_no_kernel_fits();
    test_launch();
    test_warm_up();
    test_scope();
    test_pinned_upload();
    test_transfer_calls();
    test_reset();
    test_fork();
    test_exit();
    return 0;
}
