// Kernels: the embedded image loaded once per device, and the launch of the general copy.
#include "driver.h"

#include <pthread.h>

#include "kernels/copy_args.h"
#include "kernels/kernels.h"

enum { THREADS = 256, UNROLL = 4, MAX_BLOCKS = 1 << 20 };

// By log2 of the element size; the last is 16 bytes that are only aligned to 8.
enum { COPY_16_BY_8 = 5, COPY_KERNELS = 6 };
static const char *const copy_names[COPY_KERNELS] = {
    "pixview_copy_1", "pixview_copy_2",  "pixview_copy_4",
    "pixview_copy_8", "pixview_copy_16", "pixview_copy_16_by_8",
};

typedef struct kernels {
    atomic_bool ready;
    void *copy[COPY_KERNELS];
} kernels;

bool pixviewi_cuda_has_kernels(void) { return pixviewi_kernels_fatbin_size > 0; }

// ---- Loading ----------------------------------------------------------------------------------

__attribute__((cold)) static pixview_status fail_load(const pixviewi_driver *driver, int code,
                                                      pixview_error *err)
{
    if (code != CU_INVALID_IMAGE && code != CU_NO_BINARY_FOR_GPU &&
        code != CU_UNSUPPORTED_PTX_VERSION)
        return pixviewi_driver_fail(err, driver, code, "cannot load the kernels");
    int version = 0;
    driver->driver_version(&version);
    pixviewi_fail(err, PIXVIEW_E_CUDA,
                  "no kernel fits this GPU and driver (CUDA error %d; the driver is for CUDA "
                  "%d.%d): update the NVIDIA driver (R580 runs every build, R525 release wheels). "
                  "Views work without kernels",
                  code, version / 1000, version % 1000 / 10);
    if (err)
        err->driver_code = code;
    return PIXVIEW_E_CUDA;
}

// The context of the device is current.
static pixview_status load(const pixviewi_driver *driver, kernels *into, pixview_error *err)
{
    void *module = NULL;
    int code = driver->module_load(&module, pixviewi_kernels_fatbin);
    if (code != CU_SUCCESS)
        return fail_load(driver, code, err);
    for (int i = 0; i < COPY_KERNELS; i++) {
        code = driver->module_function(&into->copy[i], module, copy_names[i]);
        if (code != CU_SUCCESS)
            return fail_load(driver, code, err);
    }
    return PIXVIEW_OK;
}

// A module is never unloaded: launches of it may still be queued.
static pixview_status kernels_of(pixviewi_scope *scope, int device, const kernels **out,
                                 pixview_error *err)
{
    static kernels loaded[PIXVIEWI_MAX_DEVICES];
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

    kernels *mine = &loaded[device];
    pixview_status status = PIXVIEW_OK;
    *out = mine;
    if (PIXVIEWI_LIKELY(atomic_load_explicit(&mine->ready, memory_order_acquire)))
        return PIXVIEW_OK;
    pthread_mutex_lock(&lock);
    if (!atomic_load_explicit(&mine->ready, memory_order_relaxed)) {
        status = pixviewi_scope_relax(scope, err);
        if (status == PIXVIEW_OK)
            status = load(scope->driver, mine, err);
        if (status == PIXVIEW_OK)
            atomic_store_explicit(&mine->ready, true, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static pixview_status check_built(pixview_error *err)
{
    if (pixviewi_cuda_has_kernels())
        return PIXVIEW_OK;
    return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                         "pixview was built without kernels, so it cannot copy on a GPU; install a "
                         "wheel, or build with nvcc on the PATH");
}

pixview_status pixviewi_cuda_load_kernels(int device, pixview_error *err)
{
    pixviewi_scope scope;
    const kernels *table;
    pixview_status status = check_built(err);
    if (status == PIXVIEW_OK)
        status = pixviewi_scope_enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    status = kernels_of(&scope, device, &table, err);
    pixviewi_scope_leave(&scope);
    return status;
}

// ---- Launching --------------------------------------------------------------------------------

static pixviewi_copy_args make_args(const pixviewi_copy_plan *plan)
{
    pixviewi_copy_args args = {
        .src = plan->src,
        .dst = plan->dst,
        .count = plan->count,
        .narrow = plan->count <= INT32_MAX,
    };
    for (int i = 0; i < 4; i++) {
        args.shape[i] = plan->shape[i];
        args.src_strides[i] = plan->src_strides[i];
        args.dst_strides[i] = plan->dst_strides[i];
        if (args.narrow)
            pixviewi_divide_prepare((uint32_t)plan->shape[i], &args.magic[i], &args.shift[i]);
    }
    return args;
}

static void *pick(const kernels *table, const pixviewi_copy_args *args, int64_t itemsize)
{
    uint64_t bits = (uint64_t)(uintptr_t)args->src | (uint64_t)(uintptr_t)args->dst;
    for (int i = 0; i < 4; i++)
        bits |= (uint64_t)args->src_strides[i] | (uint64_t)args->dst_strides[i];
    if (itemsize == 16 && bits % 16 != 0)
        return table->copy[COPY_16_BY_8];
    return table->copy[__builtin_ctzll((unsigned long long)itemsize)];
}

pixview_status pixviewi_cuda_launch_copy(int device, const pixviewi_copy_plan *plan,
                                         pixview_stream stream, pixview_error *err)
{
    pixviewi_scope scope;
    const kernels *table;
    if (plan->count == 0)
        return PIXVIEW_OK;
    pixview_status status = check_built(err);
    if (status == PIXVIEW_OK)
        status = pixviewi_scope_enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    status = kernels_of(&scope, device, &table, err);
    if (status == PIXVIEW_OK) {
        pixviewi_copy_args args = make_args(plan);
        void *params[] = {&args};
        int64_t blocks = (plan->count - 1) / (THREADS * UNROLL) + 1;
        int code =
            scope.driver->launch(pick(table, &args, plan->itemsize),
                                 (unsigned)(blocks < MAX_BLOCKS ? blocks : MAX_BLOCKS), 1, 1,
                                 THREADS, 1, 1, 0, pixviewi_stream_handle(stream), params, NULL);
        if (code != CU_SUCCESS)
            status = pixviewi_driver_fail(err, scope.driver, code, "cannot launch the copy");
    }
    pixviewi_scope_leave(&scope);
    return status;
}

// ---- Telling ----------------------------------------------------------------------------------

pixview_status pixviewi_cuda_describe(int device, char name[128], int *major, int *minor,
                                      int *driver_version, pixview_error *err)
{
    const pixviewi_driver *driver = pixviewi_driver_get(err);
    if (!driver)
        return PIXVIEW_E_CUDA;
    int handle = 0, version = 0, capability[2] = {0, 0};
    char text[128] = "";
    int code = driver->device_get(&handle, device);
    if (code == CU_SUCCESS)
        code = driver->device_name(text, sizeof text, handle);
    if (code == CU_SUCCESS)
        code = driver->device_attribute(&capability[0], CU_COMPUTE_MAJOR, handle);
    if (code == CU_SUCCESS)
        code = driver->device_attribute(&capability[1], CU_COMPUTE_MINOR, handle);
    if (code == CU_SUCCESS)
        code = driver->driver_version(&version);
    if (code != CU_SUCCESS)
        return pixviewi_driver_fail(err, driver, code, "cannot describe the GPU");
    if (name)
        __builtin_memcpy(name, text, sizeof text);
    if (major)
        *major = capability[0];
    if (minor)
        *minor = capability[1];
    if (driver_version)
        *driver_version = version;
    return PIXVIEW_OK;
}
