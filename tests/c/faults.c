// SPDX-License-Identifier: Apache-2.0
// Fault sweep: the nth allocation, or the nth call of the driver, fails, for every n until a run
// comes through. Each failure has the right status and a message, leaves outputs NULL, and leaks
// nothing: no memory, no count, no device memory, no event, no pushed context.
// usage: faults SYMBOLS, the list of public names: each of them has a case
#include "faults.h"

#include <sys/wait.h>
#include <unistd.h>

#include "cuda/device.h"
#include "cuda/event.h"
#include "cuda/filters.h"
#include "descriptor/owner_cache.h"

int cuThreadExchangeStreamCaptureMode(int *mode);

static int injected;

// ---- malloc, through --wrap -------------------------------------------------------------------

static int fail_in, live, asked; // the allocation that fails; blocks; allocations

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
    asked++;
    return ptr;
}
void *__wrap_calloc(size_t count, size_t size)
{
    void *ptr = fail_in > 0 && --fail_in == 0 ? NULL : __real_calloc(count, size);
    live += ptr != NULL;
    asked++;
    return ptr;
}
void __wrap_free(void *ptr)
{
    live -= ptr != NULL;
    __real_free(ptr);
}

// ---- Did it fail in a release? That has nobody to tell, so it fails in silence. -----------------

static int failing_call; // the number of the driver call that fails; 0: an allocation fails
static bool in_release;

void __real_pixview_owner_unref(pixview_owner *owner);
void __wrap_pixview_owner_unref(pixview_owner *owner);
void __real_pixviewi_drain_deferred_owners(bool all);
void __wrap_pixviewi_drain_deferred_owners(bool all);

static void note_release(int calls, int allocations)
{
    in_release |= failing_call ? calls < failing_call && failing_call <= fake_call_count()
                               : allocations > 0 && fail_in == 0;
}
void __wrap_pixview_owner_unref(pixview_owner *owner)
{
    int calls = fake_call_count(), allocations = fail_in;
    __real_pixview_owner_unref(owner);
    note_release(calls, allocations);
}
void __wrap_pixviewi_drain_deferred_owners(bool all)
{
    int calls = fake_call_count(), allocations = fail_in;
    __real_pixviewi_drain_deferred_owners(all);
    note_release(calls, allocations);
}

// ---- One run ------------------------------------------------------------------------------------

typedef struct sweep_way {
    const char *name;
    bool cold;   // the device was reset: kernels are loaded again
    int current; // the device whose context is current before; -1: none
    bool no_err; // err is NULL
} sweep_way;

static const sweep_way ways[] = {
    {"no context", false, -1, false},
    {"no err", false, -1, true},
    {"another GPU's context", false, 1, false},
    {"after a reset", true, -1, false},
};

typedef struct state {
    int blocks, device_blocks, events;
} state;

// What the library keeps for the next call would hide a leak, and spare it an allocation.
static void empty_caches(void)
{
    pixviewi_scope scope;
    pixviewi_event *event;
    pixviewi_cuda_keep_filters(PIXVIEWI_KEPT_FILTERS);
    free(pixviewi_owner_cache_take(1));
    fake_reset();
    fake_fail_call("cuEventCreate", 999);
    if (pixviewi_scope_enter(&scope, 0, NULL) == PIXVIEW_OK) {
        while (pixviewi_event_take(&scope, 0, &event, NULL) == PIXVIEW_OK) {
            scope.driver->event_destroy(event->handle);
            free(event);
        }
        pixviewi_scope_leave(&scope);
    }
    fake_reset();
}

// As a framework does that goes on after a reset.
static void restart_device(void)
{
    pixviewi_scope scope;
    fake_reset_device(0);
    REQUIRE_INT(pixviewi_scope_enter(&scope, 0, NULL), PIXVIEW_OK);
    (void)pixviewi_scope_live_context(&scope);
    pixviewi_scope_leave(&scope);
    fake_reset();
}

static state state_now(void) { return (state){live, fake_live_blocks(), fake_live_events()}; }

static state begin(const sweep_way *way)
{
    empty_caches();
    if (way->cold)
        restart_device();
    fake_set_current_device(way->current);
    failing_call = 0;
    in_release = false;
    return state_now();
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

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcmp(name, *names) != 0)
        names++;
    return *names != NULL;
}

#define COMPLAIN(format, ...) \
    FAIL("%s (%s, %s), %s: " format, fault->function, fault->what, way->name, where, __VA_ARGS__)

static void require_error(const fault_case *fault, const sweep_way *way, const char *where,
                          pixview_status status, const pixview_error *error, pixview_status wanted)
{
    bool told = way->no_err || (error->code == wanted && error->message[0] &&
                                error->driver_code == (wanted == PIXVIEW_E_CUDA ? 999 : 0));
    if (status != wanted || !told)
        COMPLAIN("%s (\"%s\", %d), not %s", pixview_status_name(status), error->message,
                 error->driver_code, pixview_status_name(wanted));
    if (way->no_err && error->code)
        COMPLAIN("somebody wrote an error: %s", error->message);
}

// An event whose context is unknown is taken as one of before a reset, which is dead.
static const char *const forgets_event[] = {"cuEventDestroy_v2", "cuCtxGetId", NULL};

// `name`: the driver call that failed; "" for an allocation.
static void require_clean(const fault_case *fault, const sweep_way *way, const char *where,
                          const char *name, const state *before)
{
    int mode = 0;
    fake_fail_at(0, 0);
    if (strcmp(name, "cuCtxPopCurrent_v2") != 0 &&
        (fake_context_depth() != (way->current >= 0) || fake_current_device() != way->current))
        COMPLAIN("device %d is current, not %d", fake_current_device(), way->current);
    fake_set_current_device(-1);
    if (strcmp(name, "cuThreadExchangeStreamCaptureMode") != 0)
        REQUIRE_INT(fake_capture_mode(), 0);
    REQUIRE_INT(cuThreadExchangeStreamCaptureMode(&mode), 0);
    empty_caches();
    state now = state_now();
    // A release that fails cannot free, and cannot say so.
    bool lost = in_release && *name;
    if (now.blocks != before->blocks || now.device_blocks > before->device_blocks + lost ||
        now.events > before->events + (lost || is_one_of(name, forgets_event)))
        COMPLAIN("%d blocks, %d device blocks, %d events leaked", now.blocks - before->blocks,
                 now.device_blocks - before->device_blocks, now.events - before->events);
}

// ---- The sweeps -----------------------------------------------------------------------------------

// False: nothing was left to fail.
static bool fail_allocation(const fault_case *fault, const sweep_way *way, int n)
{
    pixview_error error = {0};
    char where[32];
    state before = begin(way);
    snprintf(where, sizeof where, "allocation %d", n);
    asked = 0;
    fail_in = n;
    pixview_status status = fault->run(way->no_err ? NULL : &error);
    bool failed = fail_in == 0;
    fail_in = 0;
    bool queued = strstr(fake_work(), "copy") || strstr(fake_work(), "launch");
    if (failed && in_release && status == PIXVIEW_OK) {
        if (!strstr(fake_work(), "sync"))
            COMPLAIN("%s: freed without order", fake_work());
    } else if (failed) {
        require_error(fault, way, where, status, &error, PIXVIEW_E_MEMORY);
        if (queued && !strstr(fake_work(), "sync"))
            COMPLAIN("%s: the caller may free what is still read", fake_work());
    } else {
        REQUIRE_INT(status, PIXVIEW_OK);
        REQUIRE(!fault->cannot_fail || !asked);
    }
    require_clean(fault, way, where, "", &before);
    return failed;
}

// What puts things back has nobody to tell either, and some questions have an answer without the driver.
static const char *const silent[] = {
    "cuCtxPopCurrent_v2",        // the last of each call
    "cuCtxGetId",                // older drivers lack it
    "cuStreamGetCaptureInfo_v2", // two captures are taken as different ones
    "cuPointerGetAttribute",     // the memory is taken as pageable
    "cuEventDestroy_v2",
    NULL};

static void check_driver_fault(const fault_case *fault, const sweep_way *way, int n,
                               pixview_status status, const pixview_error *error,
                               const state *before)
{
    char name[64], where[96];
    nth_call(n, name);
    snprintf(where, sizeof where, "call %d, %s", n, name);
    bool leaves = strcmp(name, "cuThreadExchangeStreamCaptureMode") == 0 && fake_mode_at_fault();
    bool may_be_silent = in_release || leaves || is_one_of(name, silent);
    if (status != PIXVIEW_OK || !may_be_silent)
        require_error(fault, way, where, status, error, PIXVIEW_E_CUDA);
    require_clean(fault, way, where, name, before);
}

static bool fail_call(const fault_case *fault, const sweep_way *way, int n)
{
    pixview_error error = {0};
    state before = begin(way);
    failing_call = n;
    fake_fail_at(n, 999);
    pixview_status status = fault->run(way->no_err ? NULL : &error);
    bool failed = fake_call_count() >= n;
    if (!failed) {
        REQUIRE_INT(status, PIXVIEW_OK);
        REQUIRE(!fault->cannot_fail || fake_call_count() == 0);
        require_clean(fault, way, "no fault", "", &before);
    } else {
        check_driver_fault(fault, way, n, status, &error, &before);
    }
    return failed;
}

static void sweep(const fault_case *fault)
{
    int faults = 0;
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        for (int n = 1; fail_allocation(fault, &ways[w], n); n++)
            faults++;
        for (int n = 1; fail_call(fault, &ways[w], n); n++)
            faults++;
    }
    if (!faults && !fault->cannot_fail)
        FAIL("%s (%s): nothing was there to fail", fault->function, fault->what);
    injected += faults;
}

// ---- The start of the driver, once in a process: each fault is a child's ----------------------------

static int start_in_child(const fault_case *fault, int n)
{
    pixview_error error = {0}, again = {0};
    state before = state_now();
    failing_call = n;
    fake_reset();
    fake_set_current_device(-1);
    fake_fail_at(n, 999);
    pixview_status status = fault->run(&error);
    if (fake_call_count() < n)
        return 0;
    check_driver_fault(fault, &ways[0], n, status, &error, &before);
    // What could not start stays so, and says why each time.
    if (fault->run(&again) != PIXVIEW_OK)
        REQUIRE_TEXT(again.message, error.message);
    return 1;
}

static void sweep_start(const fault_case *fault)
{
    for (int n = 1, status = 1 << 8; status == 1 << 8; n++) {
        fflush(NULL);
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0)
            _exit(start_in_child(fault, n));
        REQUIRE(waitpid(child, &status, 0) == child);
        if (status != 0 && status != 1 << 8)
            FAIL("%s at the start: see above", fault->function);
        injected += status != 0;
    }
}

// ---- The table and the public names ---------------------------------------------------------------

static bool has_case(const char *name)
{
    for (int i = 0; i < fault_case_count; i++)
        if (strcmp(fault_cases[i].function, name) == 0)
            return true;
    return false;
}

static void require_all(const char *path)
{
    char line[128], *end;
    int names = 0;
    FILE *list = fopen(path, "r");
    REQUIRE(list != NULL);
    while (fgets(line, sizeof line, list)) {
        if (line[0] == '#')
            continue;
        if ((end = strchr(line, '\n')))
            *end = 0;
        names++;
        if (!has_case(line))
            FAIL("%s has no case in fault_cases.c", line);
    }
    fclose(list);
    REQUIRE(names > 0);
}

int main(int argc, char **argv)
{
    REQUIRE_INT(argc, 2);
    require_all(argv[1]);
    use_fake_driver(2);
    prepare_fault_cases();
    sweep_start(&fault_cases[0]);
    warm_fault_cases();
    for (int i = 0; i < fault_case_count; i++)
        sweep(&fault_cases[i]);
    end_fault_cases();
    printf("%d faults injected\n", injected);
    return 0;
}
