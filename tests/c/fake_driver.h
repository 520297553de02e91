// SPDX-License-Identifier: Apache-2.0
// A CUDA driver without a GPU: device memory is host memory that it knows, kernels run on the CPU.
//
// Built as a library that pixview loads like the real driver (PIXVIEW_LIBCUDA names it), so tests
// go through dlopen and dlsym too. It exports the driver's entry points under their current names,
// and the old ABI's names, which end the test: whoever calls those is wrong. Python tests use the
// functions below through ctypes; load the same file, and it is the same driver.
#ifndef FAKE_DRIVER_H
#define FAKE_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Exported also where everything else is hidden.
#pragma GCC visibility push(default)

// ---- the log ----

// Names of all calls since the last reset, separated by spaces ("cuCtxGetCurrent cuLaunchKernel").
// Valid until the next call of the driver.
const char *fake_calls(void);
// The same without look-ups and housekeeping, in short: launch, copy, alloc, free, record, wait,
// sync, load.
const char *fake_work(void);
int fake_call_count(void);
// Forgets the log, failures, captures, their launches, and waits. Memory, streams and contexts stay.
void fake_reset(void);

// ---- failures ----

void fake_fail_at(int n, int code); // the nth call from now on, counted from 1; 0: none
void fake_fail_call(const char *name, int code); // every call of that entry point; NULL: none
void fake_set_driver_version(int version);       // 13000 unless told

// ---- devices, contexts ----

// Before pixview's first driver call: pixview asks once. The environment's FAKE_CUDA_DEVICES does
// the same. 1 unless told.
void fake_set_device_count(int count);
int fake_current_device(void);            // of this thread's context; -1: none
void fake_set_current_device(int device); // what a framework did before; -1: no context
int fake_context_depth(void);             // contexts that this thread has on its stack
int fake_contexts_made(void);             // bits: primary contexts that somebody retained
int fake_capture_mode(void);              // of this thread: 0 global, 1 thread-local, 2 relaxed
int fake_mode_at_fault(void);             // the same when the call of fake_fail_at failed

// ---- memory ----

// No other process can open it: neither handle can be had for it.
void *fake_malloc(int device, size_t size);
// As cudaMalloc: another process can open it by cuIpcGetMemHandle. Each costs a file descriptor, as do
// the next.
void *fake_malloc_shared(int device, size_t size);
// As torch's expandable segments: mapped memory that can be had by no handle.
void *fake_malloc_expandable(int device, size_t size);
void fake_free(void *ptr); // of those three
// Foreign memory as device memory; device -1: pinned host memory.
void fake_register(void *ptr, size_t size, int device);
// Managed memory of a GPU, its pages on the host.
void fake_register_managed(void *ptr, size_t size, int device);
void fake_unregister(void *ptr);
int fake_live_blocks(void); // from cuMemAllocAsync and not yet freed
int fake_live_events(void);
void fake_set_pending(int queries); // so many event queries answer "not yet"
void fake_reset_device(
    int device);              // its events and memory are dead; a new context, the same address
uint64_t fake_freed_on(void); // the stream of the last cuMemFreeAsync

// ---- streams ----

uint64_t fake_stream(int device); // a new, blocking stream
uint64_t fake_stream_non_blocking(
    int device); // as torch's: its capture leaves the legacy stream alone
// Its handle is dead from now on: the driver would crash on it. And how often one was given to it.
void fake_destroy_stream(uint64_t handle);
int fake_dead_uses(void);
// Was `consumer` made to wait for work that `producer` had recorded, since the reset?
int fake_waited(uint64_t consumer, uint64_t producer);
int fake_wait_count(void);
// status: 0 none, 1 active, 2 broken. A blocking stream that captures makes the legacy stream
// answer 906, and a free outside of relaxed mode breaks it, as the real driver does.
void fake_set_capture(uint64_t stream, int status, uint64_t id);
int fake_capture_status(uint64_t stream);

// ---- several processes ----

// A process started with FAKE_CUDA_FIRST=k in its environment sees the GPUs from the kth on, as with
// CUDA_VISIBLE_DEVICES: its ordinal 0 has the UUID, and can open the memory, of GPU k.

// What the GPUs can share, all unless told: memory by descriptor, events. FAKE_CUDA_SHAREABLE of the
// environment does the same.
enum { FAKE_VMM_FD = 1, FAKE_IPC_EVENT = 2 };
void fake_set_shareable(int bits);
// 0: no GPU reaches another's memory. So does FAKE_CUDA_NO_PEER=1 in the environment.
void fake_set_peers(int can);
// Handles, mappings and reserved addresses of cuMem..., memory and events of cuIpcOpen... that are alive.
int fake_live_shared(void);
// What fake_waited takes for the stream on which another process recorded an event.
enum { FAKE_IPC_STREAM = 3 };
// How often a stream was made to wait for what another process had recorded, since the reset.
int fake_ipc_waits(void);

// ---- graphs ----

// What was launched on streams of the capture `id`, since the reset, is launched again.
void fake_replay(uint64_t id);
// Its launches are forgotten, and what it owns is let go of.
void fake_destroy_graph(uint64_t id);
int fake_user_objects(void); // that are alive

// ---- GpuMats ----

// The function that frees in a table of a cv::cuda::GpuMat::Allocator. It notes how often it was called,
// on which GPU, and whether the caller held the lock that `is_held` asks for.
void fake_gpumat_free(void *allocator, void *header);
void fake_gpumat_watch(int (*is_held)(void));
extern int fake_gpumat_frees, fake_gpumat_freed_on, fake_gpumat_freed_locked;

// ---- kernels ----

// Of these bytes a kernel may touch only those with a mark; the rest of the memory stays as it is.
// `marks` is the caller's; NULL: all bytes again.
void fake_set_marks(const void *start, size_t size, const uint8_t *marks);
// Inside: what a running kernel touches has to be aligned, and memory of its device.
void fake_touch(const void *at, size_t size, size_t alignment);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
