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
    } ranges[MAX_RANGES];
    struct stream {
        int device, capture, dead, non_blocking;
        uint64_t id;
    } streams[MAX_STREAMS], own_stream; // of the threads
    int stream_count, dead_uses;
    struct {
        uint64_t consumer, producer;
    } waits[MAX_WAITS];
    int wait_count;
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

struct range find_range(const void *ptr, size_t size); // that holds it; start NULL: none

#endif
