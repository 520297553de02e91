// SPDX-License-Identifier: Apache-2.0
// What the parts of the fake driver share; fake_driver.h is for those who use it.
#ifndef FAKE_STATE_H
#define FAKE_STATE_H

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
    NOT_INITIALIZED = 3,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    PEERS_UNSUPPORTED = 217,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_READY = 600,
    CONTEXT_IS_DESTROYED = 709,
    NOT_SUPPORTED = 801,
    CAPTURE_UNSUPPORTED = 900,
    CAPTURE_INVALIDATED = 901,
    CAPTURE_ISOLATION = 905,
    CAPTURE_IMPLICIT = 906
};
enum { LEGACY = 1, PER_THREAD = 2, RELAXED = 2, ACTIVE = 1, BROKEN = 2 };
enum { MAX_DEVICES = 16, MAX_RANGES = 4096, MAX_STREAMS = 256, MAX_WAITS = 4096, MAX_STACK = 32 };

// Whose a range is. SHARED: of fake_malloc_shared; MAPPED: by cuMemMap; OPENED: another process's.
enum { FOREIGN, HOST_OWNED, DRIVER_OWNED, MANAGED, SHARED, EXPANDABLE, MAPPED, OPENED };

extern struct fake_state {
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
        unsigned access; // bits: devices that reach it
        int handle_types, fd;
        uint64_t id; // no two blocks have the same, ever
    } ranges[MAX_RANGES];
    uint64_t last_id;
    struct stream {
        int device, capture, dead, non_blocking;
        uint64_t id;
    } streams[MAX_STREAMS], own_stream; // of the threads
    int stream_count, dead_uses;
    struct {
        uint64_t consumer, producer;
    } waits[MAX_WAITS];
    int wait_count, ipc_waits;
    int live_events, pending_queries;
    uint64_t freed_on;
    int resets[MAX_DEVICES];
} fake;

extern _Thread_local struct fake_thread {
    int stack[MAX_STACK], depth;
    int mode, mode_at_fault;
} thread;

extern int contexts[MAX_DEVICES]; // a context is the address of its entry

_Noreturn void give_up(const char *what);

// Every entry point begins with this; what it returns, if not 0, is the call's result.
int enter(const char *name, const char *work);
#define ENTER(work)                          \
    do {                                     \
        int entered = enter(__func__, work); \
        if (entered)                         \
            return entered;                  \
    } while (0)

// The graph of that capture keeps the launch, whose argument has `size` bytes.
void note_launch(uint64_t capture, int device, int kernel, unsigned blocks, const void *args,
                 size_t size);
void run_kernel(int device, int kernel, unsigned blocks, const void *args);
// Of the capture that a stream is in; 0: none.
uint64_t capture_of(uint64_t handle);
void *graph_of(uint64_t capture);
void forget_graphs(void); // all launches; what graphs own stays

// Is the handle one of the current context? The default streams belong to every context.
int check_stream(uint64_t handle);
int capturing(void);
void break_captures(void);
// What the legacy stream must not be asked while a blocking stream captures.
int touch_legacy(uint64_t handle);

// ---- memory ----

// Fills what is 0: `access`, the range's own device, and `id`.
void add_range(struct range range);
struct range remove_range(const void *ptr, int owned); // a copy; start NULL: there was none
struct range find_range(const void *ptr, size_t size); // that holds it; start NULL: none
int reaches(int device, const struct range *range);
uint64_t new_id(void);
// Allocating and freeing break a capture, unless in relaxed mode.
int touch_memory(void);

// ---- several processes ----

int device_count(void);
// A GPU's number for all processes, and its ordinal in this one; -1: not visible here.
int gpu_of(int device);
int ordinal_of(int gpu);
int peers(void);                             // may GPUs reach each other's memory?
int is_shareable(int what);                  // FAKE_VMM_FD or FAKE_IPC_EVENT
int new_file(const char *name, size_t size); // memory with a descriptor; -1: none
void *map_file(int fd, size_t size);         // NULL: not
void unmap_file(void *start, size_t size);
int live_opened(void); // of what fake_live_shared counts, that of cuIpcOpen...

// What processes see of an event of theirs.
struct shared_event {
    int records, recorder, destroyed;
    uint64_t stream; // the recorder's
};
typedef struct fake_event {
    int used, device, resets; // it dies with a reset
    uint64_t recorded, id;    // stream, and its capture
    struct shared_event *shared;
    int fd, opened; // another process's
} fake_event;
fake_event *new_event(void); // of the current device
int share_event(fake_event *event);
void drop_shared_event(fake_event *event);
void note_shared_record(fake_event *event, uint64_t stream);
uint64_t shared_producer(const fake_event *event); // 0: nothing was recorded

#endif
