// SPDX-License-Identifier: Apache-2.0
// Four images of their own, one of them a region of a larger one, become one normalised batch: in host
// memory, and on a GPU if there is one. Both must give the same numbers.
//
//     cc stack.c $(pkg-config --cflags --libs pixview) -ldl -lm -o stack && ./stack
//
// pixview allocates nothing and needs no CUDA to build; a program that uses a GPU has its own memory
// and context. This one asks the driver itself, so that it runs without CUDA too.
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pixview/pixview.h>

enum { COUNT = 4, H = 480, W = 640, C = 3 };

static const pixview_dtype U8 = {PIXVIEW_DTYPE_UINT, 8, 1}, F32 = {PIXVIEW_DTYPE_FLOAT, 32, 1};
static const double mean[C] = {0.485, 0.456, 0.406}, std[C] = {0.229, 0.224, 0.225};

static void check(pixview_status status, const pixview_error *err)
{
    if (status == PIXVIEW_OK)
        return;
    fprintf(stderr, "%s: %s\n", pixview_status_name(status), err->message);
    exit(1);
}

// ---- memory, of the host or of a GPU ----------------------------------------------------------

typedef struct memory {
    pixview_device device;
    void *library; // of the driver; NULL: the host
    int (*alloc)(unsigned long long *pointer, size_t bytes, void *stream);
    int (*release)(unsigned long long pointer, void *stream);
} memory;

static void *get(const memory *from, size_t bytes)
{
    unsigned long long pointer = 0;
    if (!from->library)
        return malloc(bytes);
    return from->alloc(&pointer, bytes, NULL) == 0 ? (void *)(size_t)pointer : NULL;
}

static void put(const memory *from, void *data)
{
    if (!from->library)
        free(data);
    else if (data)
        from->release((unsigned long long)(size_t)data, NULL);
}

// The first GPU, through the driver's library. False: there is none.
static bool find_gpu(const char *driver, memory *out)
{
    int device = 0;
    void *context = NULL, *library = dlopen(driver, RTLD_NOW);
    if (!library)
        return false;
    // An object pointer from dlsym becomes a function pointer by its bytes, as POSIX has it.
    struct {
        int (*init)(unsigned), (*get)(int *, int), (*retain)(void **, int), (*push)(void *);
    } cuda;
    *(void **)&cuda.init = dlsym(library, "cuInit");
    *(void **)&cuda.get = dlsym(library, "cuDeviceGet");
    *(void **)&cuda.retain = dlsym(library, "cuDevicePrimaryCtxRetain");
    *(void **)&cuda.push = dlsym(library, "cuCtxPushCurrent_v2");
    *(void **)&out->alloc = dlsym(library, "cuMemAllocAsync");
    *(void **)&out->release = dlsym(library, "cuMemFreeAsync");
    if (!cuda.init || !cuda.get || !cuda.retain || !cuda.push || !out->alloc || !out->release ||
        cuda.init(0) || cuda.get(&device, 0) || cuda.retain(&context, device) || cuda.push(context))
        return false;
    out->library = library;
    out->device = (pixview_device){PIXVIEW_DEVICE_CUDA, 0};
    return true;
}

// ---- the batch --------------------------------------------------------------------------------

static pixview_image describe(void *data, pixview_layout layout, const int64_t *shape,
                              const int64_t *strides, pixview_dtype dtype, pixview_device device)
{
    pixview_image image;
    pixview_error err;
    check(pixview_image_init(&image, data, pixview_layout_rank(layout), shape, strides, dtype,
                             device, layout, &err),
          &err);
    return image;
}

// A picture with rows of `pitch` bytes, filled on the host and copied to where it belongs.
static pixview_image make_picture(const memory *where, int seed, int64_t rows, int64_t pitch)
{
    const int64_t shape[3] = {rows, W, C}, strides[3] = {pitch, C, 1};
    const pixview_device cpu = {PIXVIEW_DEVICE_CPU, 0};
    pixview_error err;
    unsigned char *pixels = malloc((size_t)(rows * pitch));
    void *data = get(where, (size_t)(rows * pitch));
    if (!pixels || !data)
        exit(1);
    for (int64_t i = 0; i < rows * pitch; i++)
        pixels[i] = (unsigned char)(i * 31 + i / pitch * 7 + seed * 50);
    pixview_image host = describe(pixels, PIXVIEW_LAYOUT_HWC, shape, strides, U8, cpu);
    pixview_image image = describe(data, PIXVIEW_LAYOUT_HWC, shape, strides, U8, where->device);
    check(pixview_copy(&host, &image, NULL, &err), &err); // an upload, or a plain copy
    free(pixels);
    return image;
}

// Four pictures, each with its own pitch, as one batch of planes; `result` gets it in host memory.
static pixview_status stack(const memory *where, float *result, pixview_error *err)
{
    const int64_t shape[4] = {COUNT, C, H, W};
    const pixview_device cpu = {PIXVIEW_DEVICE_CPU, 0};
    pixview_image whole[COUNT], images[COUNT];
    void *data = get(where, sizeof(float) * COUNT * C * H * W);
    if (!data)
        exit(1);
    pixview_image batch = describe(data, PIXVIEW_LAYOUT_NCHW, shape, NULL, F32, where->device);
    pixview_image host = describe(result, PIXVIEW_LAYOUT_NCHW, shape, NULL, F32, cpu);
    for (int i = 0; i < COUNT; i++) {
        int64_t rows = i == 3 ? 2 * H : H;
        whole[i] = make_picture(where, i, rows, W * C + 32 * i);
        check(pixview_image_crop(&whole[i], rows - H, 0, H, W, &images[i], err), err);
    }

    pixview_convert_params params = {.struct_size = sizeof params, .scale = 1 / 255.0};
    params.mean = mean;
    params.std = std;
    params.channels = C;
    params.swap_rb = true;
    pixview_status status = pixview_stack(images, COUNT, &batch, &params, err);
    if (status == PIXVIEW_OK) // to the host it waits until the numbers are there
        status = pixview_copy(&batch, &host, NULL, err);

    for (int i = 0; i < COUNT; i++)
        put(where, whole[i].data);
    put(where, data);
    return status;
}

int main(int argc, char **argv)
{
    const size_t count = (size_t)COUNT * C * H * W;
    float *on_host = malloc(count * sizeof(float)), *on_gpu = malloc(count * sizeof(float));
    memory host = {.device = {PIXVIEW_DEVICE_CPU, 0}}, gpu = {.library = NULL};
    pixview_error err;
    if (!on_host || !on_gpu)
        return 1;
    check(stack(&host, on_host, &err), &err);
    // The first pixel of the second picture: red comes from blue's place.
    float first = on_host[C * H * W],
          wanted = (float)(((50 + 62) % 256 / 255.0 - mean[0]) / std[0]);
    printf("host: first value of the second picture %.5f\n", (double)first);
    if (fabsf(first - wanted) > 1e-5f) {
        fprintf(stderr, "it should be %.5f\n", (double)wanted);
        return 1;
    }

    int status = 0;
    if (!find_gpu(argc > 1 ? argv[1] : "libcuda.so.1", &gpu)) {
        printf("GPU:  none here\n");
    } else if (stack(&gpu, on_gpu, &err) == PIXVIEW_E_UNSUPPORTED) {
        printf("GPU:  %s\n", err.message); // a pixview that was built without kernels
    } else {
        status = memcmp(on_host, on_gpu, count * sizeof(float)) != 0;
        printf("GPU:  %s\n", status ? "other numbers than on the host" : "the same numbers");
    }
    free(on_host);
    free(on_gpu);
    return status;
}
