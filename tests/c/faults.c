// Fault sweep: the nth allocation, or the nth call of the driver, fails, for every n until a run
// comes through. Each failure has the right status and a message, leaves outputs NULL, and leaks
// nothing: no memory, no count, no device memory, no pushed context.
#include "fake.h"

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"

// ---- malloc, through --wrap -------------------------------------------------------------------

static int fail_in, live;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *ptr);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *ptr);

void *__wrap_malloc(size_t size)
{
    void *ptr = fail_in > 0 && --fail_in == 0 ? NULL : __real_malloc(size);
    live += ptr != NULL;
    return ptr;
}
void *__wrap_calloc(size_t count, size_t size)
{
    void *ptr = fail_in > 0 && --fail_in == 0 ? NULL : __real_calloc(count, size);
    live += ptr != NULL;
    return ptr;
}
void __wrap_free(void *ptr)
{
    live -= ptr != NULL;
    __real_free(ptr);
}

// ---- what is swept: each returns a status, and cleans up what it got ---------------------------

static uint8_t near[1 << 12] __attribute__((aligned(64))), *far;
static int deleted, device_blocks;

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

static pixview_status owner(pixview_error *err)
{
    pixview_owner *made = (pixview_owner *)near;
    deleted = 0;
    pixview_status status = pixview_owner_create(NULL, count_release, &made, err);
    REQUIRE((made == NULL) == (status != PIXVIEW_OK));
    pixview_owner_unref(made);
    REQUIRE_INT(deleted, status == PIXVIEW_OK);
    return status;
}

static pixview_status import(pixview_error *err)
{
    int64_t shape[3] = {4, 4, 3};
    DlManaged tensor = {.version = {1, 0},
                        .deleter = count_deleter,
                        .tensor = {near, {PIXVIEW_DEVICE_CPU, 0}, 3, {1, 8, 1}, shape, NULL, 0}};
    pixview_image image;
    deleted = 0;
    pixview_status status =
        pixview_image_from_dlpack_take(&tensor, PIXVIEW_LAYOUT_HWC, &image, err);
    REQUIRE_INT(deleted, 0);
    if (status == PIXVIEW_OK)
        pixview_owner_unref(image.owner);
    return status;
}

static pixview_status export(pixview_error *err)
{
    pixview_image image = make_image(near, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, U8, CPU);
    struct DLManagedTensorVersioned *first = (void *)near, *second = (void *)near;
    struct DLManagedTensor *third = (void *)near;
    pixview_status status = pixview_owner_create(NULL, count_release, &image.owner, err);
    if (status != PIXVIEW_OK)
        return status;
    first = NULL;
    status = pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_HWC, &first, err); // embedded
    if (status == PIXVIEW_OK) {
        status = pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_HWC, &second, err);
        REQUIRE((second == NULL) == (status != PIXVIEW_OK));
    }
    if (status == PIXVIEW_OK) {
        status = pixview_image_to_dlpack_legacy(&image, PIXVIEW_LAYOUT_HWC, &third, err);
        REQUIRE((third == NULL) == (status != PIXVIEW_OK));
        if (third)
            third->deleter(third);
        second->deleter(second);
    }
    if (first)
        first->deleter(first);
    REQUIRE_INT(pixviewi_owner_count(image.owner), 1);
    pixview_owner_unref(image.owner);
    return status;
}

static pixview_status copy(const int64_t *shape, const int64_t *strides, bool to_host,
                           pixview_error *err)
{
    pixview_image host = make_image(near, PIXVIEW_LAYOUT_HWC, shape, NULL, U8, CPU);
    pixview_image gpu = make_image(far, PIXVIEW_LAYOUT_HWC, shape, strides, U8, GPU0);
    return to_host ? pixview_copy(&gpu, &host, NULL, err) : pixview_copy(&host, &gpu, NULL, err);
}

static pixview_status on_gpu(pixview_error *err)
{
    pixview_image src = make_image(far, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, U8, GPU0);
    pixview_image dst = make_image(far + 64, PIXVIEW_LAYOUT_CHW, LIST(3, 4, 4), NULL, U8, GPU0);
    return pixview_copy(&src, &dst, NULL, err);
}

static pixview_status gather(pixview_error *err)
{
    pixview_image srcs[2] = {
        make_image(far, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, U8, GPU0),
        make_image(far + 64, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, U8, GPU0)};
    pixview_image dst =
        make_image(far + 128, PIXVIEW_LAYOUT_NCHW, LIST(2, 3, 4, 4), NULL, F32, GPU0);
    return pixview_stack(srcs, 2, &dst, NULL, err);
}

static pixview_status split(pixview_error *err)
{
    pixview_image src =
        make_image(far + 128, PIXVIEW_LAYOUT_NCHW, LIST(2, 3, 4, 4), NULL, U8, GPU0);
    pixview_image dsts[2] = {
        make_image(far, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, U8, GPU0),
        make_image(far + 64, PIXVIEW_LAYOUT_HWC, LIST(4, 4, 3), NULL, U8, GPU0)};
    return pixview_unstack(&src, dsts, 2, NULL, err);
}

static pixview_status upload(pixview_error *err)
{
    return copy(LIST(8, 8, 3), LIST(64, 3, 1), false, err);
}
static pixview_status upload_planar(pixview_error *err)
{
    return copy(LIST(8, 8, 3), LIST(8, 1, 64), false, err);
}
static pixview_status upload_scattered(pixview_error *err)
{
    return copy(LIST(8, 8, 3), LIST(64, 8, 2), false, err);
}
static pixview_status download_planar(pixview_error *err)
{
    return copy(LIST(8, 8, 3), LIST(8, 1, 64), true, err);
}
static pixview_status download_scattered(pixview_error *err)
{
    return copy(LIST(8, 8, 3), LIST(64, 8, 2), true, err);
}

static pixview_status order(pixview_error *err)
{
    static uint64_t a, b;
    if (!a)
        a = fake_stream(0), b = fake_stream(0);
    return pixviewi_cuda_order(0, a, b, NULL, err);
}

static pixview_status device_block(pixview_error *err)
{
    void *data = near;
    pixview_owner *block = (pixview_owner *)near;
    pixview_status status = pixviewi_cuda_alloc(0, 64, 0, &data, &block, err);
    REQUIRE((data == NULL) == (status != PIXVIEW_OK));
    REQUIRE((block == NULL) == (status != PIXVIEW_OK));
    pixview_owner_unref(block);
    return status;
}

static pixview_status use(pixview_error *err)
{
    pixview_owner *parent = pixviewi_owner_new(NULL), *child = NULL;
    pixview_status status = PIXVIEW_E_MEMORY;
    pixviewi_fail(err, status, "no memory");
    if (!parent)
        return status;
    pixviewi_owner_set_release(parent, (void (*)(pixview_owner *))(void (*)(void))count_deleter);
    child = pixviewi_owner_nested(parent);
    if (child &&
        pixviewi_cuda_add_dep_take(child, &(pixviewi_stream_dep){.consumer = 0, .home = 16}))
        status = PIXVIEW_OK;
    REQUIRE_INT(pixviewi_owner_count(parent), child ? 2 : 1);
    pixview_owner_unref(child);
    pixview_owner_unref(parent);
    if (status == PIXVIEW_OK && err)
        err->code = 0;
    return status;
}

// ---- the sweeps -------------------------------------------------------------------------------

static const struct {
    const char *name;
    pixview_status (*run)(pixview_error *err);
} cases[] = {
    {"owner", owner},
    {"import", import},
    {"export", export},
    {"order", order},
    {"device block", device_block},
    {"on gpu", on_gpu},
    {"gather", gather},
    {"split", split},
    {"upload", upload},
    {"upload planar", upload_planar},
    {"upload scattered", upload_scattered},
    {"download planar", download_planar},
    {"download scattered", download_scattered},
    {"use", use},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void require_failed(const char *name, int n, pixview_status status, pixview_status wanted,
                           const pixview_error *error)
{
    if (status != wanted || error->code != wanted || !error->message[0])
        FAIL("%s, fault %d: %s (\"%s\"), not %s", name, n, pixview_status_name(status),
             error->message, pixview_status_name(wanted));
}

static void require_clean(const char *name, int n, int blocks)
{
    if (live != blocks)
        FAIL("%s, fault %d: %d blocks leaked", name, n, live - blocks);
    if (fake_context_depth() || fake_capture_mode())
        FAIL("%s, fault %d: the context or capture mode was not put back", name, n);
}

static void sweep_memory(int i)
{
    for (int n = 1;; n++) {
        pixview_error error = {0};
        int blocks = live;
        fail_in = n;
        pixview_status status = cases[i].run(&error);
        bool failed = fail_in == 0;
        fail_in = 0;
        if (!failed) { // nothing is left to fail
            REQUIRE_INT(status, PIXVIEW_OK);
            break;
        }
        require_failed(cases[i].name, n, status, PIXVIEW_E_MEMORY, &error);
        require_clean(cases[i].name, n, blocks);
        REQUIRE_INT(fake_live_blocks(), 0);
    }
}

// The nth word of the log.
static void nth_call(int n, char name[64])
{
    const char *log = fake_calls();
    while (--n > 0 && (log = strchr(log, ' ')))
        log++;
    REQUIRE(log != NULL);
    snprintf(name, 64, "%.*s", (int)strcspn(log, " "), log);
}

// Did a release not get as far as the free, or not through it?
static bool lost_block(const char *name)
{
    return strcmp(name, "cuMemFreeAsync") == 0 ||
           (strstr(fake_work(), "alloc") && !strstr(fake_work(), "free"));
}

// A release, or what puts things back, has nobody to tell: such calls may fail in silence.
static bool may_be_silent(int i, const char *name)
{
    static const char *const silent[] = {"cuCtxPopCurrent_v2", "cuThreadExchangeStreamCaptureMode",
                                         "cuCtxGetId"}; // the last: older drivers lack it
    for (int k = 0; k < 3; k++)
        if (strcmp(name, silent[k]) == 0)
            return true;
    // After an allocation it may be the release that asks.
    bool asks = strncmp(name, "cuCtx", 5) == 0 || strcmp(name, "cuStreamIsCapturing") == 0;
    bool releasing = asks && strstr(fake_work(), "alloc");
    return cases[i].run == use || releasing || lost_block(name);
}

static void sweep_driver(int i)
{
    for (int n = 1;; n++) {
        pixview_error error = {0};
        char name[64];
        int blocks = live;
        fake_reset();
        fake_fail_at(n, 999);
        pixview_status status = cases[i].run(&error);
        if (fake_call_count() < n) {
            REQUIRE_INT(status, PIXVIEW_OK);
            break;
        }
        nth_call(n, name);
        if (status != PIXVIEW_OK) {
            require_failed(cases[i].name, n, status, PIXVIEW_E_CUDA, &error);
            REQUIRE_INT(error.driver_code, 999);
        } else if (!may_be_silent(i, name)) {
            FAIL("%s: call %d (%s) failed, and nobody noticed", cases[i].name, n, name);
        }
        bool pools = cases[i].run == order ||
                     cases[i].run == use; // an event is put into the pool, or was forgotten there
        if (pools ? live > blocks + 1 : live != blocks)
            FAIL("%s, call %d: %d blocks leaked", cases[i].name, n, live - blocks);
        if (strcmp(name, "cuMemAllocAsync") == 0 || !lost_block(name))
            REQUIRE_INT(fake_live_blocks(), device_blocks);
        device_blocks = fake_live_blocks();
        if (strcmp(name, "cuCtxPopCurrent_v2") != 0)
            REQUIRE_INT(fake_context_depth(), 0);
        fake_set_current_device(-1);
    }
}

int main(void)
{
    use_fake_driver(1);
    far = fake_malloc(0, 1 << 12);
    REQUIRE_INT(live, 0);
    for (int i = 0; i < CASES; i++)
        sweep_memory(i);
    for (int i = 0; i < CASES; i++)
        sweep_driver(i);
    fake_free(far);
    return 0;
}
