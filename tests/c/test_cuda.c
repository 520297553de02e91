// What is asked of the driver, by whom, and what is put back, with one (fake) GPU.
#include "fake.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda/cuda.h"

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

// ---- order ------------------------------------------------------------------------------------

static void test_order(void)
{
    uint64_t a = fake_stream(0), b = fake_stream(0);
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_order(0, 0, LEGACY, err));
    REQUIRE_OK(pixviewi_cuda_order(0, a, a, err));
    REQUIRE_OK(pixviewi_cuda_order(0, PIXVIEW_STREAM_NONE, a, err));
    REQUIRE_OK(pixviewi_cuda_order(0, a, PIXVIEW_STREAM_NONE, err));
    REQUIRE_CALLS("");
    REQUIRE_OK(pixviewi_cuda_order(0, a, b, err));
    REQUIRE_WORK("record wait");
    REQUIRE(fake_waited(b, a) && !fake_waited(a, b));
    REQUIRE_INT(fake_live_events(), 1);
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_order(0, b, 0, err));
    REQUIRE_OK(pixviewi_cuda_order(0, PER_THREAD, a, err));
    REQUIRE_WORK("record wait record wait");
    REQUIRE(fake_waited(LEGACY, b) && fake_waited(a, PER_THREAD));
    REQUIRE_INT(fake_live_events(), 1); // the same again
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "GPU 1 of 1", pixviewi_cuda_order(1, a, b, err));
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "GPU -1", pixviewi_cuda_order(-1, a, b, err));
}

static void test_order_in_capture(void)
{
    uint64_t a = fake_stream(0), b = fake_stream(0), other = fake_stream(0);
    fake_reset();
    fake_set_capture(a, 1, 10);
    // One of the two captures: the graph is left alone.
    REQUIRE_OK(pixviewi_cuda_order(0, a, b, err));
    REQUIRE_OK(pixviewi_cuda_order(0, b, a, err));
    REQUIRE_WORK("");
    // A legacy event would break it, whoever asks.
    REQUIRE_OK(pixviewi_cuda_order(0, 0, b, err));
    REQUIRE_OK(pixviewi_cuda_order(0, b, 0, err));
    REQUIRE_WORK("");
    REQUIRE_INT(fake_capture_status(a), 1);
    // Both outside: as usual.
    REQUIRE_OK(pixviewi_cuda_order(0, b, other, err));
    REQUIRE_WORK("record wait");
    // Both in the same one: as usual, too. In two: nothing.
    fake_reset();
    fake_set_capture(a, 1, 10);
    fake_set_capture(b, 1, 10);
    fake_set_capture(other, 1, 11);
    REQUIRE_OK(pixviewi_cuda_order(0, a, b, err));
    REQUIRE_WORK("record wait");
    REQUIRE_OK(pixviewi_cuda_order(0, a, other, err));
    REQUIRE_WORK("record wait");
    REQUIRE_INT(fake_capture_status(a), 1);
    REQUIRE_INT(fake_capture_status(other), 1);
    fake_reset();
}

static void *order_once(void *streams)
{
    const uint64_t *pair = streams;
    REQUIRE_OK(pixviewi_cuda_order(0, pair[0], pair[1], err));
    REQUIRE_INT(fake_context_depth(), 0);
    return NULL;
}

// A thread's events go with it.
static void test_threads(void)
{
    pthread_t threads[4];
    uint64_t pair[2] = {fake_stream(0), fake_stream(0)};
    int before = fake_live_events();
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, order_once, pair), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    REQUIRE_INT(fake_live_events(), before);
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
    REQUIRE_OK(pixviewi_cuda_copy_rows(0, far, PITCH, near, WIDTH, WIDTH, ROWS, false, 0, err));
    REQUIRE_WORK("copy sync");
    for (int i = 0; i < ROWS; i++)
        REQUIRE(memcmp(far + i * PITCH, near + i * WIDTH, WIDTH) == 0);
    memset(near, 0, sizeof near);
    REQUIRE_OK(pixviewi_cuda_copy_rows(0, near, WIDTH, far, PITCH, WIDTH, ROWS, true, 0, err));
    for (int i = 0; i < ROWS; i++)
        REQUIRE(memcmp(far + i * PITCH, near + i * WIDTH, WIDTH) == 0);
    fake_reset();
    // One row: its pitch means nothing.
    REQUIRE_OK(pixviewi_cuda_copy_rows(0, near, 0, far, 0, WIDTH, 1, true, 0, err));
    REQUIRE_WORK("copy sync");
    fake_fail_call("cuMemcpy2DAsync_v2", 700);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "700",
                  pixviewi_cuda_copy_rows(0, far, PITCH, near, WIDTH, WIDTH, ROWS, false, 0, err));
    REQUIRE_HAS(fake_work(), "copy sync"); // no piece stays on its way
    fake_reset();
    fake_free(far);
}

// ---- kernels ----------------------------------------------------------------------------------

static pixview_status copy_a_little(pixview_stream stream, pixview_error *err)
{
    uint8_t *far = fake_malloc(0, 64);
    pixview_image src = make_image(far, PIXVIEW_HWC, LIST(2, 3, 3), NULL, U8, GPU0);
    pixview_image dst = make_image(far + 32, PIXVIEW_CHW, LIST(3, 2, 3), NULL, U8, GPU0);
    pixview_copy_params params = {sizeof params, stream};
    pixview_status status = pixview_copy(&src, &dst, &params, err);
    fake_free(far);
    return status;
}

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
    int status;
    REQUIRE(!pixviewi_exiting());
    pid_t child = fork();
    if (child == 0)
        _exit(pixviewi_cuda_gone() && !pixviewi_exiting() ? 0 : 1);
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
    REQUIRE_INT(fake_live_blocks(), 1); // the driver takes it with the process
}

int main(void)
{
    use_fake_driver(1);
    test_first();
    test_order();
    test_order_in_capture();
    test_threads();
    test_memory();
    test_memory_in_capture();
    test_rows();
    test_no_kernel_fits();
    test_launch();
    test_scope();
    test_fork();
    test_exit();
    return 0;
}
