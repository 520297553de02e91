// SPDX-License-Identifier: Apache-2.0
// Two GPUs: the pointer says which, the work goes there, and the caller's context is put back.
#include "fake.h"

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"

static int device_of(const void *ptr)
{
    int device = 7;
    REQUIRE_OK(pixviewi_cuda_pointer_device(ptr, &device, err));
    return device;
}

// A question to the driver for each address where a context is current; without one, which that
// question needs, two.
static void test_pointer(int current)
{
    int device = 7;
    char local[8], pinned[8], foreign[64], managed[8];
    const char *one = "cuPointerGetAttributes";
    const char *two = "cuPointerGetAttributes cuPointerGetAttribute cuPointerGetAttribute";
    void *a = fake_malloc(0, 64), *b = fake_malloc(1, 64);
    fake_register(pinned, sizeof pinned, -1);
    fake_register(foreign, sizeof foreign, 1);
    fake_register_managed(managed, sizeof managed, 1);
    fake_set_current_device(current);
    REQUIRE_INT(device_of(a), 0);
    fake_reset();
    REQUIRE_INT(device_of((char *)b + 63), 1);
    REQUIRE_CALLS(current < 0 ? two : one);
    REQUIRE_INT(device_of(foreign + 10), 1);
    REQUIRE_INT(device_of(managed), 1);
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "not GPU memory",
                  pixviewi_cuda_pointer_device(local, &device, err));
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "not GPU memory",
                  pixviewi_cuda_pointer_device(pinned, &device, err));
    REQUIRE_INT(device, 0);
    fake_fail_call(current < 0 ? "cuPointerGetAttribute" : "cuPointerGetAttributes", 4);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "(4)", pixviewi_cuda_pointer_device(a, &device, err));
    fake_reset();
    REQUIRE_INT(fake_contexts_made(), 0);
    fake_set_current_device(-1);
    fake_unregister(pinned);
    fake_unregister(foreign);
    fake_unregister(managed);
    fake_free(a);
    fake_free(b);
}

static void test_work(void)
{
    uint8_t *far = fake_malloc(1, 256), near[24] = {1, 2, 3};
    uint64_t a = fake_stream(1), b = fake_stream(1);
    pixview_image host = make_image(near, PIXVIEW_LAYOUT_HWC, LIST(2, 4, 3), NULL, U8, CPU);
    pixview_image src = make_image(far, PIXVIEW_LAYOUT_HWC, LIST(2, 4, 3), NULL, U8, GPU1);
    pixview_image dst = make_image(far + 128, PIXVIEW_LAYOUT_CHW, LIST(3, 2, 4), NULL, U8, GPU1);
    pixview_copy_params params = {sizeof params, a};
    fake_set_current_device(0);
    REQUIRE_OK(pixview_copy(&host, &src, &params, err));
    REQUIRE_OK(pixview_copy(&src, &dst, &params, err));
    REQUIRE_OK(pixviewi_cuda_order(1, a, b, NULL, err));
    REQUIRE_INT(far[128 + 8], 2); // G of the first pixel
    REQUIRE_INT(fake_current_device(), 0);
    REQUIRE_INT(fake_context_depth(), 1);
    REQUIRE_INT(fake_contexts_made(), 2); // none on GPU 0, which holds none of the data
    fake_set_current_device(-1);
    fake_free(far);
}

// Where the context is current, as under torch, a launch asks for it and its number, and whether the
// legacy stream may be touched, and nothing else.
// Where none is, no call may fail: compute-sanitizer reports such as errors.
static void test_launch_calls(void)
{
    uint8_t *far = fake_malloc(1, 256);
    pixview_image src = make_image(far, PIXVIEW_LAYOUT_HWC, LIST(2, 4, 3), NULL, U8, GPU1);
    pixview_image dst = make_image(far + 128, PIXVIEW_LAYOUT_CHW, LIST(3, 2, 4), NULL, U8, GPU1);
    REQUIRE_OK(pixview_copy(&src, &dst, NULL, err));
    fake_set_current_device(1);
    fake_reset();
    REQUIRE_OK(pixview_copy(&src, &dst, NULL, err));
    REQUIRE_CALLS("cuCtxGetCurrent cuCtxGetId cuStreamIsCapturing cuLaunchKernel");
    fake_reset();
    REQUIRE_OK(pixview_stack(&src, 1, &dst, NULL, err));
    REQUIRE_CALLS("cuCtxGetCurrent cuCtxGetId cuStreamIsCapturing cuLaunchKernel");
    fake_set_current_device(0); // its number is not that of the kernels' context
    REQUIRE_OK(pixview_copy(&src, &dst, NULL, err));
    REQUIRE_INT(fake_current_device(), 0);
    fake_set_current_device(1);
    fake_reset_device(1); // kernels die with their context
    fake_reset();
    REQUIRE_OK(pixview_copy(&src, &dst, NULL, err));
    REQUIRE(strstr(fake_calls(), "cuModuleLoadData"));
    fake_set_current_device(1);
    fake_reset();
    fake_fail_call("cuCtxGetId", 1); // as where the driver has no such function
    REQUIRE_OK(pixview_copy(&src, &dst, NULL, err));
    fake_reset();
    fake_set_current_device(-1);
    REQUIRE_OK(pixview_copy(&src, &dst, NULL, err));
    fake_reset();
    REQUIRE_OK(pixview_copy(&src, &dst, NULL, err));
    REQUIRE_CALLS("cuCtxGetCurrent cuCtxPushCurrent_v2 cuCtxGetId cuStreamIsCapturing "
                  "cuLaunchKernel cuCtxPopCurrent_v2");
    fake_free(far);
}

// A driver that lacks an entry point, or is not there, is an error that says so.
static void test_without_driver(void)
{
    int count = 7;
    REQUIRE(setenv("PIXVIEW_LIBCUDA", "/nonexistent/libcuda.so.1", 1) == 0);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "install the NVIDIA driver",
                  pixviewi_cuda_device_count(&count, err));
    REQUIRE_INT(count, 0);
}

static void test_old_driver(void)
{
    int count = 7;
    REQUIRE(setenv("PIXVIEW_LIBCUDA", "libm.so.6", 1) == 0);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "no cuInit; pixview needs R525",
                  pixviewi_cuda_device_count(&count, err));
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "no cuInit", pixviewi_cuda_order(0, 16, 32, NULL, err));
    pixviewi_cuda_with_device(0, free, malloc(1)); // called all the same
}

static void test_no_device(void)
{
    int count = 7;
    use_fake_driver(0);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "(100)", pixviewi_cuda_device_count(&count, err));
    REQUIRE_INT(count, 0);
}

// The table is loaded once, so each of these is a process.
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "without") == 0) {
        test_without_driver();
    } else if (strcmp(what, "old") == 0) {
        test_old_driver();
    } else if (strcmp(what, "none") == 0) {
        test_no_device();
    } else {
        use_fake_driver(2);
        test_pointer(-1);
        test_pointer(1);
        test_work();
        test_launch_calls();
    }
    return 0;
}
