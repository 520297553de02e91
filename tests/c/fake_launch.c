// SPDX-License-Identifier: Apache-2.0
// The fake driver's modules and launches: emulate.cpp runs the kernels.
#include "fake_state.h"

// Of emulate.cpp.
int emulate_find(const char *name);
size_t emulate_args_size(int kernel);
void emulate_run(int kernel, const void *args, unsigned blocks);

enum { MAX_KERNELS = 256 };

// A function is the address of its entry.
static struct fake_function {
    int device;
} functions[MAX_DEVICES][MAX_KERNELS];

// What the running kernel touched last, so that most accesses are quickly looked at.
static _Thread_local struct running {
    int device;
    struct range seen[4];
    int next;
} running;

static struct {
    const char *start;
    size_t size;
    const uint8_t *marks;
} marked;

void fake_set_marks(const void *start, size_t size, const uint8_t *marks)
{
    marked.start = start, marked.size = marks ? size : 0, marked.marks = marks;
}

static void check_marks(const char *at, size_t size)
{
    size_t offset = (size_t)(at - marked.start); // huge for what lies before
    if (offset < marked.size && memchr(marked.marks + offset, 0, size))
        give_up("a kernel touches bytes of a block that belong to no pixel");
}

void fake_touch(const void *at, size_t size, size_t alignment)
{
    const char *start = at;
    struct running *mine = &running; // looked up once: a call, with sanitizers a slow one
    if ((uintptr_t)at % alignment)
        give_up("a kernel was given an address or a stride that it cannot use");
    check_marks(start, size);
    for (int i = 0; i < 4; i++)
        if (start >= mine->seen[i].start &&
            start + size <= mine->seen[i].start + mine->seen[i].size)
            return;
    struct range range = find_range(at, size);
    if (!range.start || !reaches(mine->device, &range))
        give_up("a kernel leaves the memory of its device");
    mine->seen[mine->next++ % 4] = range;
}

void run_kernel(int device, int kernel, unsigned blocks, const void *args)
{
    memset(&running, 0, sizeof running);
    running.device = device;
    emulate_run(kernel, args, blocks);
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
    int index = (int)(function - functions[function->device]);
    if (capture_of((uintptr_t)stream))
        note_launch(capture_of((uintptr_t)stream), function->device, index, grid_x, params[0],
                    emulate_args_size(index));
    run_kernel(function->device, index, grid_x, params[0]);
    return OK;
}
