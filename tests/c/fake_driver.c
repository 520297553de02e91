// SPDX-License-Identifier: Apache-2.0
// See fake_driver.h. What the real driver would refuse is refused with its code, what only a GPU
// would notice (memory of nobody, a kernel without its context) ends the test with a message.
//
// Here the log, devices and contexts; streams, memory and launches are in files of their own.
#include "fake_state.h"

#include <unistd.h>

struct fake_state fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .version = 13000, .devices = -1};
_Thread_local struct fake_thread thread;
int contexts[MAX_DEVICES];

_Noreturn void give_up(const char *what)
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

int enter(const char *name, const char *work)
{
    int code = OK;
    pthread_mutex_lock(&fake.lock);
    append(fake.calls, sizeof fake.calls, name);
    if (work)
        append(fake.work, sizeof fake.work, work);
    fake.call_count++;
    if (fake.fail_in > 0 && --fake.fail_in == 0) {
        code = fake.fail_code;
        thread.mode_at_fault = thread.mode;
    }
    if (fake.fail_name[0] && strcmp(fake.fail_name, name) == 0)
        code = fake.fail_name_code;
    pthread_mutex_unlock(&fake.lock);
    return code;
}

const char *fake_calls(void) { return fake.calls; }
const char *fake_work(void) { return fake.work; }
int fake_call_count(void) { return fake.call_count; }

void fake_reset(void)
{
    pthread_mutex_lock(&fake.lock);
    fake.calls[0] = fake.work[0] = fake.fail_name[0] = 0;
    fake.call_count = fake.fail_in = fake.wait_count = fake.pending_queries = 0;
    fake.ipc_waits = 0;
    for (int i = 0; i < fake.stream_count; i++)
        fake.streams[i].capture = 0;
    fake.own_stream.capture = 0;
    forget_graphs();
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

// What a test or else the environment says; -1: not asked yet.
static int setting(int *value, const char *name, int otherwise)
{
    int known = __atomic_load_n(value, __ATOMIC_RELAXED);
    if (known < 0) {
        const char *text = getenv(name);
        known = text ? atoi(text) : otherwise;
        __atomic_store_n(value, known, __ATOMIC_RELAXED);
    }
    return known;
}

static int first_gpu = -1, no_peers = -1, shareable = -1;

int device_count(void) { return setting(&fake.devices, "FAKE_CUDA_DEVICES", 1); }
int gpu_of(int device) { return setting(&first_gpu, "FAKE_CUDA_FIRST", 0) + device; }
int ordinal_of(int gpu)
{
    int device = gpu - gpu_of(0);
    return device >= 0 && device < device_count() ? device : -1;
}
int peers(void) { return !setting(&no_peers, "FAKE_CUDA_NO_PEER", 0); }
int is_shareable(int what)
{
    return (setting(&shareable, "FAKE_CUDA_SHAREABLE", FAKE_VMM_FD | FAKE_IPC_EVENT) & what) != 0;
}
void fake_set_shareable(int bits) { shareable = bits; }
void fake_set_peers(int can) { no_peers = !can; }

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
int fake_mode_at_fault(void) { return thread.mode_at_fault; }

// As the real driver does: a child of the process that called it first cannot start it.
API cuInit(unsigned flags)
{
    static pid_t process;
    ENTER(NULL);
    if (!process)
        process = getpid();
    return flags ? INVALID_VALUE : process == getpid() ? OK : NOT_INITIALIZED;
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
    *value = attribute == CU_COMPUTE_MAJOR          ? 9 // compute capability 9.0
             : attribute == CU_DEVICE_HAS_VMM       ? 1
             : attribute == CU_DEVICE_HAS_FD        ? is_shareable(FAKE_VMM_FD)
             : attribute == CU_DEVICE_HAS_IPC_EVENT ? is_shareable(FAKE_IPC_EVENT)
                                                    : 0;
    return OK;
}
API cuDeviceGetUuid_v2(unsigned char uuid[16], int device)
{
    ENTER(NULL);
    if (device < 0 || device >= device_count())
        return INVALID_DEVICE;
    memcpy(uuid, "pixviewfake-gpu", 15);
    uuid[15] = (unsigned char)gpu_of(device);
    return OK;
}
// A GPU is no peer of itself.
API cuDeviceCanAccessPeer(int *can, int device, int peer)
{
    ENTER(NULL);
    if (device < 0 || device >= device_count() || peer < 0 || peer >= device_count())
        return INVALID_DEVICE;
    *can = device != peer && peers();
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
