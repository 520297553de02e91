// See fake_driver.h. What the real driver would refuse is refused with its code, what only a GPU
// would notice (memory of nobody, a kernel without its context) ends the test with a message.
#include "fake_driver.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cuda/driver.h"
#include "kernels/args.h"

#define EXPORT __attribute__((visibility("default")))
#define API    EXPORT int

// The prototypes are those of pixview's table, so the two cannot differ.
#define PROTOTYPE(name, symbol, parameters) API symbol parameters;
PIXVIEWI_DRIVER_FUNCTIONS(PROTOTYPE)
PIXVIEWI_DRIVER_OPTIONAL(PROTOTYPE)

enum {
    OK = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    CONTEXT_IS_DESTROYED = 709,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALIDATED = 901,
    CAPTURE_ISOLATION = 905,
    CAPTURE_IMPLICIT = 906
};
enum { LEGACY = 1, PER_THREAD = 2, RELAXED = 2, ACTIVE = 1, BROKEN = 2 };
enum { MAX_DEVICES = 16, MAX_RANGES = 4096, MAX_STREAMS = 256, MAX_WAITS = 4096, MAX_STACK = 32 };

static struct {
    pthread_mutex_t lock;
    char calls[1 << 16], work[1 << 14];
    int call_count;
    int fail_in, fail_code;
    char fail_name[64];
    int fail_name_code;
    int version, devices, made, dead;
    struct range {
        char *start;
        size_t size;
        int device, owned;
    } ranges[MAX_RANGES];
    struct stream {
        int device, capture;
        uint64_t id;
    } streams[MAX_STREAMS];
    int stream_count;
    struct {
        uint64_t consumer, producer;
    } waits[MAX_WAITS];
    int wait_count;
    int live_events, pending_queries;
    uint64_t freed_on;
    int resets[MAX_DEVICES];
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .version = 13000, .devices = -1};

static _Thread_local struct {
    int stack[MAX_STACK], depth;
    int mode;
} thread;

typedef struct fake_event {
    int used, device, resets; // it dies with a reset
    uint64_t recorded, id;    // stream, and its capture
} fake_event;

static int contexts[MAX_DEVICES]; // a context is the address of its entry

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "fake driver: %s\n", what);
    abort();
}

// ---- log and failures -------------------------------------------------------------------------

static void append(char *log, size_t size, const char *word)
{
    size_t used = strlen(log);
    if (used + strlen(word) + 2 < size)
        snprintf(log + used, size - used, "%s%s", used ? " " : "", word);
}

// Every entry point begins with this; what it returns, if not 0, is the call's result.
static int enter(const char *name, const char *work)
{
    int code = OK;
    pthread_mutex_lock(&fake.lock);
    append(fake.calls, sizeof fake.calls, name);
    if (work)
        append(fake.work, sizeof fake.work, work);
    fake.call_count++;
    if (fake.fail_in > 0 && --fake.fail_in == 0)
        code = fake.fail_code;
    if (fake.fail_name[0] && strcmp(fake.fail_name, name) == 0)
        code = fake.fail_name_code;
    pthread_mutex_unlock(&fake.lock);
    return code;
}
#define ENTER(work)                          \
    do {                                     \
        int entered = enter(__func__, work); \
        if (entered)                         \
            return entered;                  \
    } while (0)

const char *fake_calls(void) { return fake.calls; }
const char *fake_work(void) { return fake.work; }
int fake_call_count(void) { return fake.call_count; }

void fake_reset(void)
{
    pthread_mutex_lock(&fake.lock);
    fake.calls[0] = fake.work[0] = fake.fail_name[0] = 0;
    fake.call_count = fake.fail_in = fake.wait_count = fake.pending_queries = 0;
    for (int i = 0; i < fake.stream_count; i++)
        fake.streams[i].capture = 0;
    pthread_mutex_unlock(&fake.lock);
}

void fake_fail_at(int n, int code)
{
    fake.fail_in = n;
    fake.fail_code = code;
}
void fake_fail_call(const char *name, int code)
{
    snprintf(fake.fail_name, sizeof fake.fail_name, "%s", name ? name : "");
    fake.fail_name_code = code;
}
void fake_set_driver_version(int version) { fake.version = version; }

// ---- devices and contexts ---------------------------------------------------------------------

static int device_count(void)
{
    if (fake.devices < 0) {
        const char *text = getenv("FAKE_CUDA_DEVICES");
        fake.devices = text ? atoi(text) : 1;
    }
    return fake.devices;
}

void fake_set_device_count(int count) { fake.devices = count < MAX_DEVICES ? count : MAX_DEVICES; }
int fake_current_device(void) { return thread.depth ? thread.stack[thread.depth - 1] : -1; }
void fake_set_current_device(int device)
{
    thread.depth = device >= 0;
    thread.stack[0] = device;
}
int fake_context_depth(void) { return thread.depth; }
int fake_contexts_made(void) { return fake.made; }
int fake_capture_mode(void) { return thread.mode; }

API cuInit(unsigned flags)
{
    ENTER(NULL);
    return flags ? INVALID_VALUE : OK;
}
API cuDriverGetVersion(int *version)
{
    ENTER(NULL);
    *version = fake.version;
    return OK;
}
API cuGetErrorName(int code, const char **name)
{
    *name = code == OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_FAKE";
    return OK;
}
API cuGetErrorString(int code, const char **text)
{
    *text = code == OUT_OF_MEMORY ? "out of memory" : "made up by a test";
    return OK;
}
API cuDeviceGetCount(int *count)
{
    ENTER(NULL);
    *count = device_count();
    return OK;
}
API cuDeviceGet(int *device, int ordinal)
{
    ENTER(NULL);
    if (ordinal < 0 || ordinal >= device_count())
        return INVALID_DEVICE;
    *device = ordinal;
    return OK;
}
API cuDeviceGetName(char *name, int length, int device)
{
    ENTER(NULL);
    snprintf(name, (size_t)length, "Fake GPU %d", device);
    return OK;
}
API cuDeviceGetAttribute(int *value, int attribute, int device)
{
    ENTER(NULL);
    if (device < 0 || device >= device_count())
        return INVALID_DEVICE;
    *value = attribute == 75 ? 9 : 0; // compute capability 9.0
    return OK;
}
API cuDevicePrimaryCtxRetain(void **context, int device)
{
    ENTER(NULL);
    if (device < 0 || device >= device_count())
        return INVALID_DEVICE;
    fake.made |= 1 << device;
    fake.dead &= ~(1 << device);
    *context = &contexts[device];
    return OK;
}
API cuCtxGetCurrent(void **context)
{
    ENTER(NULL);
    *context = thread.depth ? &contexts[fake_current_device()] : NULL;
    return OK;
}
API cuCtxPushCurrent_v2(void *context)
{
    ENTER(NULL);
    if (!context || thread.depth == MAX_STACK)
        return INVALID_CONTEXT;
    thread.stack[thread.depth++] = (int)((int *)context - contexts);
    return OK;
}
API cuCtxPopCurrent_v2(void **context)
{
    ENTER(NULL);
    if (!thread.depth)
        return INVALID_CONTEXT;
    *context = &contexts[thread.stack[--thread.depth]];
    return OK;
}

API cuCtxGetDevice(int *device)
{
    ENTER(NULL);
    *device = fake_current_device();
    return thread.depth ? OK : INVALID_CONTEXT;
}
// A reset makes another context at the same address. NULL asks for the current one.
API cuCtxGetId(void *context, unsigned long long *id)
{
    ENTER(NULL);
    if (!context && !thread.depth)
        return INVALID_CONTEXT;
    int device = context ? (int)((int *)context - contexts) : fake_current_device();
    if (fake.dead & 1 << device)
        return CONTEXT_IS_DESTROYED;
    *id = 1 + (unsigned long long)device + MAX_DEVICES * (unsigned long long)fake.resets[device];
    return OK;
}
void fake_reset_device(int device)
{
    fake.resets[device]++;
    fake.dead |= 1 << device;
}

// ---- streams and events -----------------------------------------------------------------------

enum { FIRST_STREAM = 0x1000, STREAM_STEP = 0x100 };

static struct stream *find_stream(uint64_t handle)
{
    uint64_t index = (handle - FIRST_STREAM) / STREAM_STEP;
    if (handle < FIRST_STREAM || handle % STREAM_STEP || index >= (uint64_t)fake.stream_count)
        return NULL;
    return &fake.streams[index];
}

// Is the handle one of the current context? The default streams belong to every context.
static int check_stream(uint64_t handle)
{
    if (!thread.depth)
        return INVALID_CONTEXT;
    if (handle <= PER_THREAD)
        return OK;
    const struct stream *stream = find_stream(handle);
    return stream && stream->device == fake_current_device() ? OK : INVALID_HANDLE;
}

static int capturing(void)
{
    for (int i = 0; i < fake.stream_count; i++)
        if (fake.streams[i].capture == ACTIVE)
            return 1;
    return 0;
}

static void break_captures(void)
{
    for (int i = 0; i < fake.stream_count; i++)
        if (fake.streams[i].capture == ACTIVE)
            fake.streams[i].capture = BROKEN;
}

// What the legacy stream must not be asked while a blocking stream captures.
static int touch_legacy(uint64_t handle)
{
    if (handle > LEGACY || !capturing())
        return OK;
    break_captures();
    return CAPTURE_IMPLICIT;
}

uint64_t fake_stream(int device)
{
    if (fake.stream_count == MAX_STREAMS)
        give_up("too many streams");
    fake.streams[fake.stream_count].device = device;
    return FIRST_STREAM + STREAM_STEP * (uint64_t)fake.stream_count++;
}
void fake_set_capture(uint64_t handle, int status, uint64_t id)
{
    struct stream *stream = find_stream(handle);
    if (!stream)
        give_up("no such stream");
    stream->capture = status;
    stream->id = id;
}
int fake_capture_status(uint64_t handle)
{
    const struct stream *stream = find_stream(handle);
    return stream ? stream->capture : -1;
}
int fake_waited(uint64_t consumer, uint64_t producer)
{
    for (int i = 0; i < fake.wait_count; i++)
        if (fake.waits[i].consumer == (consumer ? consumer : LEGACY) &&
            fake.waits[i].producer == (producer ? producer : LEGACY))
            return 1;
    return 0;
}
int fake_wait_count(void) { return fake.wait_count; }
int fake_live_events(void) { return fake.live_events; }
void fake_set_pending(int queries) { fake.pending_queries = queries; }

API cuStreamGetCtx(void *handle, void **context)
{
    ENTER(NULL);
    const struct stream *stream = find_stream((uintptr_t)handle);
    if (!stream)
        return INVALID_HANDLE;
    *context = &contexts[stream->device];
    return OK;
}
API cuThreadExchangeStreamCaptureMode(int *mode)
{
    ENTER(NULL);
    int before = thread.mode;
    thread.mode = *mode;
    *mode = before;
    return OK;
}
API cuStreamIsCapturing(void *handle, int *status)
{
    ENTER(NULL);
    const struct stream *stream = find_stream((uintptr_t)handle);
    if ((uintptr_t)handle <= LEGACY && capturing())
        return CAPTURE_IMPLICIT; // and harms nothing
    *status = stream ? stream->capture : 0;
    return OK;
}
API cuStreamGetCaptureInfo_v2(void *handle, int *status, uint64_t *id, void **graph,
                              const void ***dependencies, size_t *count)
{
    ENTER(NULL);
    if (graph || dependencies || count)
        return INVALID_VALUE; // not made up here
    const struct stream *stream = find_stream((uintptr_t)handle);
    *status = stream ? stream->capture : 0;
    if (stream)
        *id = stream->id;
    return OK;
}
API cuStreamSynchronize(void *handle)
{
    ENTER("sync");
    const struct stream *stream = find_stream((uintptr_t)handle);
    if (stream && stream->capture)
        return CAPTURE_UNSUPPORTED;
    int code = check_stream((uintptr_t)handle);
    return code ? code : touch_legacy((uintptr_t)handle);
}
static fake_event *new_event(void)
{
    static fake_event events[1024];
    for (int i = 0; i < 1024; i++)
        if (!__atomic_exchange_n(&events[i].used, 1, __ATOMIC_SEQ_CST))
            return &events[i];
    give_up("too many events");
}
API cuEventCreate(void **event, unsigned flags)
{
    ENTER(NULL);
    if (!thread.depth)
        return INVALID_CONTEXT;
    if (flags != 2)
        give_up("an event with timing: it costs time on the GPU");
    fake_event *made = new_event();
    made->device = fake_current_device();
    made->resets = fake.resets[made->device];
    __atomic_add_fetch(&fake.live_events, 1, __ATOMIC_SEQ_CST);
    *event = made;
    return OK;
}
static void check_event(const fake_event *event)
{
    if (event->resets != fake.resets[event->device])
        give_up("an event of a context that was reset");
}
API cuEventDestroy_v2(void *event)
{
    ENTER(NULL);
    check_event(event);
    memset(event, 0, sizeof(fake_event));
    __atomic_sub_fetch(&fake.live_events, 1, __ATOMIC_SEQ_CST);
    return OK;
}
API cuEventQuery(void *event)
{
    ENTER("query");
    check_event(event);
    if (thread.mode != RELAXED && capturing()) {
        break_captures();
        return CAPTURE_UNSUPPORTED;
    }
    if (fake.pending_queries == 0)
        return OK;
    fake.pending_queries--;
    return NOT_READY;
}
API cuEventRecord(void *handle, void *on)
{
    ENTER("record");
    fake_event *event = handle;
    check_event(event);
    int code = check_stream((uintptr_t)on);
    if (code)
        return code;
    if (event->device != fake_current_device())
        return INVALID_HANDLE;
    code = touch_legacy((uintptr_t)on);
    if (code)
        return code;
    const struct stream *stream = find_stream((uintptr_t)on);
    event->recorded = (uintptr_t)on ? (uintptr_t)on : LEGACY;
    event->id = stream && stream->capture ? stream->id : 0;
    return OK;
}
API cuStreamWaitEvent(void *consumer, void *handle, unsigned flags)
{
    ENTER("wait");
    const fake_event *event = handle;
    int code = touch_legacy((uintptr_t)consumer);
    if (code || flags)
        return code ? code : INVALID_VALUE;
    const struct stream *stream = find_stream((uintptr_t)consumer);
    uint64_t id = stream && stream->capture ? stream->id : 0;
    if (id != event->id) { // a wait on what another capture, or none, recorded
        break_captures();
        return CAPTURE_ISOLATION;
    }
    pthread_mutex_lock(&fake.lock);
    if (event->recorded && fake.wait_count < MAX_WAITS) {
        fake.waits[fake.wait_count].consumer = consumer ? (uintptr_t)consumer : LEGACY;
        fake.waits[fake.wait_count++].producer = event->recorded;
    }
    pthread_mutex_unlock(&fake.lock);
    return OK;
}

// ---- memory -----------------------------------------------------------------------------------

enum { FOREIGN, HOST_OWNED, DRIVER_OWNED };

static void add_range(void *ptr, size_t size, int device, int owned)
{
    pthread_mutex_lock(&fake.lock);
    int i = 0;
    while (i < MAX_RANGES && fake.ranges[i].start)
        i++;
    if (i == MAX_RANGES)
        give_up("too many blocks");
    fake.ranges[i] = (struct range){ptr, size, device, owned};
    pthread_mutex_unlock(&fake.lock);
}

// The range that holds [ptr, ptr + size), or a copy of nothing.
static struct range find_range(const void *ptr, size_t size)
{
    struct range found = {0};
    pthread_mutex_lock(&fake.lock);
    for (int i = 0; i < MAX_RANGES && !found.start; i++) {
        const struct range *range = &fake.ranges[i];
        if (range->start && (const char *)ptr >= range->start &&
            (const char *)ptr + size <= range->start + range->size)
            found = *range;
    }
    pthread_mutex_unlock(&fake.lock);
    return found;
}

static int remove_range(const void *ptr, int owned)
{
    int removed = 0;
    pthread_mutex_lock(&fake.lock);
    for (int i = 0; i < MAX_RANGES && !removed; i++)
        if (fake.ranges[i].start == ptr && fake.ranges[i].owned == owned) {
            fake.ranges[i].start = NULL;
            removed = 1;
        }
    pthread_mutex_unlock(&fake.lock);
    return removed;
}

static void *new_block(size_t size) { return aligned_alloc(512, (size + 511) / 512 * 512); }

void *fake_malloc(int device, size_t size)
{
    void *ptr = new_block(size);
    if (ptr)
        add_range(ptr, size, device, HOST_OWNED);
    return ptr;
}
void fake_free(void *ptr)
{
    if (!ptr)
        return;
    if (!remove_range(ptr, HOST_OWNED))
        give_up("fake_free of a pointer that fake_malloc did not give");
    free(ptr);
}
void fake_register(void *ptr, size_t size, int device) { add_range(ptr, size, device, FOREIGN); }
void fake_unregister(void *ptr) { remove_range(ptr, FOREIGN); }
int fake_live_blocks(void)
{
    int count = 0;
    for (int i = 0; i < MAX_RANGES; i++)
        count += fake.ranges[i].start && fake.ranges[i].owned == DRIVER_OWNED;
    return count;
}
uint64_t fake_freed_on(void) { return fake.freed_on; }

API cuPointerGetAttribute(void *value, int attribute, uint64_t pointer)
{
    ENTER(NULL);
    struct range range = find_range((void *)(uintptr_t)pointer, 1);
    if (!range.start)
        return INVALID_VALUE;
    if (attribute == 2) // memory type: 1 host, 2 device
        *(unsigned *)value = range.device < 0 ? 1 : 2;
    else if (attribute == 8) // managed
        *(unsigned *)value = 0;
    else if (attribute == 9)
        *(int *)value = range.device;
    else
        return INVALID_VALUE;
    return OK;
}

// Allocating and freeing break a capture, unless in relaxed mode.
static int touch_memory(void)
{
    if (thread.mode == RELAXED || !capturing())
        return OK;
    break_captures();
    return CAPTURE_UNSUPPORTED;
}

API cuMemAllocAsync(uint64_t *pointer, size_t bytes, void *stream)
{
    ENTER("alloc");
    int code = check_stream((uintptr_t)stream);
    code = code ? code : touch_memory();
    if (code || bytes == 0)
        return code ? code : INVALID_VALUE;
    void *block = new_block(bytes);
    if (!block)
        return OUT_OF_MEMORY;
    add_range(block, bytes, fake_current_device(), DRIVER_OWNED);
    *pointer = (uint64_t)(uintptr_t)block;
    return OK;
}
API cuMemFreeAsync(uint64_t pointer, void *stream)
{
    ENTER("free");
    int code = check_stream((uintptr_t)stream);
    code = code ? code : touch_memory();
    if (code)
        return code;
    if (!remove_range((void *)(uintptr_t)pointer, DRIVER_OWNED))
        give_up("cuMemFreeAsync of a pointer that cuMemAllocAsync did not give");
    __atomic_store_n(&fake.freed_on, (uintptr_t)stream, __ATOMIC_SEQ_CST);
    free((void *)(uintptr_t)pointer);
    return OK;
}

static void check_device_rows(const void *start, size_t pitch, const pixviewi_memcpy2d *copy)
{
    struct range range = find_range(start, pitch * (copy->height - 1) + copy->width);
    if (!range.start || range.device != fake_current_device())
        give_up("a copy of rows leaves the memory of the current device");
}

API cuMemcpy2DAsync_v2(const pixviewi_memcpy2d *copy, void *stream)
{
    ENTER("copy");
    int code = check_stream((uintptr_t)stream);
    code = code ? code : touch_legacy((uintptr_t)stream);
    if (code)
        return code;
    if (copy->src_x || copy->src_y || copy->dst_x || copy->dst_y || !copy->width ||
        copy->src_pitch < copy->width || copy->dst_pitch < copy->width ||
        copy->src_pitch > INT32_MAX || copy->dst_pitch > INT32_MAX)
        return INVALID_VALUE;
    const char *from = copy->src_type == 1 ? copy->src_host : (void *)(uintptr_t)copy->src_device;
    char *to = copy->dst_type == 1 ? copy->dst_host : (void *)(uintptr_t)copy->dst_device;
    if (copy->src_type == 2)
        check_device_rows(from, copy->src_pitch, copy);
    if (copy->dst_type == 2)
        check_device_rows(to, copy->dst_pitch, copy);
    for (size_t row = 0; row < copy->height; row++)
        memcpy(to + row * copy->dst_pitch, from + row * copy->src_pitch, copy->width);
    return OK;
}

// ---- kernels ----------------------------------------------------------------------------------

// Of emulate.cpp.
int emulate_find(const char *name);
void emulate_run(int kernel, const void *args, unsigned blocks);

enum { MAX_KERNELS = 256 };

// A function is the address of its entry.
static struct fake_function {
    int device;
} functions[MAX_DEVICES][MAX_KERNELS];

// What the running kernel touched last, so that most accesses are quickly looked at.
static _Thread_local struct {
    int device;
    struct range seen[4];
    int next;
} running;

void fake_touch(const void *at, size_t size, size_t alignment)
{
    const char *start = at;
    if ((uintptr_t)at % alignment)
        give_up("a kernel was given an address or a stride that it cannot use");
    for (int i = 0; i < 4; i++)
        if (start >= running.seen[i].start &&
            start + size <= running.seen[i].start + running.seen[i].size)
            return;
    struct range range = find_range(at, size);
    if (!range.start || range.device != running.device)
        give_up("a kernel leaves the memory of its device");
    running.seen[running.next++ % 4] = range;
}

API cuModuleLoadData(void **module, const void *image)
{
    ENTER("load");
    if (!thread.depth || !image)
        return INVALID_CONTEXT;
    *module = functions[fake_current_device()];
    return OK;
}
API cuModuleGetFunction(void **function, void *module, const char *name)
{
    ENTER(NULL);
    struct fake_function *list = module;
    int index = emulate_find(name);
    if (index < 0 || index >= MAX_KERNELS)
        return NOT_FOUND;
    list[index].device = fake_current_device();
    *function = &list[index];
    return OK;
}

API cuLaunchKernel(void *kernel, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                   unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                   void *stream, void **params, void **extra)
{
    ENTER("launch");
    const struct fake_function *function = kernel;
    int code = check_stream((uintptr_t)stream);
    code = code ? code : touch_legacy((uintptr_t)stream);
    if (code)
        return code;
    if (function->device != fake_current_device())
        return INVALID_HANDLE;
    if (grid_x == 0 || grid_x > INT32_MAX || grid_y != 1 || grid_z != 1 ||
        block_x != PIXVIEWI_THREADS || block_y != 1 || block_z != 1 || shared_bytes || extra)
        return INVALID_VALUE;
    memset(&running, 0, sizeof running);
    running.device = function->device;
    emulate_run((int)(function - functions[function->device]), params[0], grid_x);
    return OK;
}

// ---- the ABI of CUDA 3 --------------------------------------------------------------------------

#define OLD(name)   \
    API name(void); \
    API name(void) { give_up(#name " is the old ABI; use its _v2 name"); }
OLD(cuCtxPushCurrent)
OLD(cuCtxPopCurrent)
OLD(cuCtxDestroy)
OLD(cuDevicePrimaryCtxRelease)
OLD(cuEventDestroy)
OLD(cuStreamDestroy)
OLD(cuMemAlloc)
OLD(cuMemFree)
OLD(cuMemcpy2DAsync)
OLD(cuMemGetAddressRange)
OLD(cuIpcOpenMemHandle)
