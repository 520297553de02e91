// SPDX-License-Identifier: Apache-2.0
// The fake driver's memory: host memory that it knows, whose, and copies between.
#define _GNU_SOURCE // memfd_create
#include "fake_state.h"

#include <sys/mman.h>
#include <unistd.h>

uint64_t new_id(void) { return __atomic_add_fetch(&fake.last_id, 1, __ATOMIC_SEQ_CST); }

void add_range(struct range range)
{
    if (!range.access && range.device >= 0)
        range.access = 1u << range.device;
    if (!range.id)
        range.id = new_id();
    pthread_mutex_lock(&fake.lock);
    int i = 0;
    while (i < MAX_RANGES && fake.ranges[i].start)
        i++;
    if (i == MAX_RANGES)
        give_up("too many blocks");
    fake.ranges[i] = range;
    pthread_mutex_unlock(&fake.lock);
}

static void add_block(void *ptr, size_t size, int device, int owned)
{
    add_range((struct range){.start = ptr, .size = size, .device = device, .owned = owned});
}

// The range that holds [ptr, ptr + size), or a copy of nothing.
struct range find_range(const void *ptr, size_t size)
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

int reaches(int device, const struct range *range)
{
    return device >= 0 && (range->access >> device & 1);
}

struct range remove_range(const void *ptr, int owned)
{
    struct range removed = {0};
    pthread_mutex_lock(&fake.lock);
    for (int i = 0; i < MAX_RANGES && !removed.start; i++)
        if (fake.ranges[i].start == ptr && fake.ranges[i].owned == owned) {
            removed = fake.ranges[i];
            fake.ranges[i].start = NULL;
        }
    pthread_mutex_unlock(&fake.lock);
    return removed;
}

static void *new_block(size_t size) { return aligned_alloc(512, (size + 511) / 512 * 512); }

void *fake_malloc(int device, size_t size)
{
    void *ptr = new_block(size);
    if (ptr)
        add_block(ptr, size, device, HOST_OWNED);
    return ptr;
}

// ---- blocks with a file -----------------------------------------------------------------------

static size_t whole_pages(size_t size) { return (size + 4095) / 4096 * 4096; }

int new_file(const char *name, size_t size)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd >= 0 && ftruncate(fd, (off_t)whole_pages(size)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}
void *map_file(int fd, size_t size)
{
    void *ptr = mmap(NULL, whole_pages(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return ptr == MAP_FAILED ? NULL : ptr;
}
void unmap_file(void *start, size_t size) { munmap(start, whole_pages(size)); }

// The file, which is what cuIpcGetMemHandle needs, stays open beside the memory.
static void *malloc_in_file(int device, size_t size, int owned)
{
    int fd = new_file("fake-cuda-block", size ? size : 1);
    void *ptr = fd < 0 ? NULL : map_file(fd, size ? size : 1);
    if (ptr)
        add_range((struct range){ptr, size, device, owned, .fd = fd});
    else if (fd >= 0)
        close(fd);
    return ptr;
}
void *fake_malloc_shared(int device, size_t size) { return malloc_in_file(device, size, SHARED); }
void *fake_malloc_expandable(int device, size_t size)
{
    return malloc_in_file(device, size, EXPANDABLE);
}

void fake_free(void *ptr)
{
    if (!ptr)
        return;
    if (remove_range(ptr, HOST_OWNED).start) {
        free(ptr);
        return;
    }
    struct range range = remove_range(ptr, SHARED);
    if (!range.start)
        range = remove_range(ptr, EXPANDABLE);
    if (!range.start)
        give_up("fake_free of a pointer that fake_malloc did not give");
    unmap_file(ptr, range.size ? range.size : 1);
    close(range.fd);
}
void fake_register(void *ptr, size_t size, int device) { add_block(ptr, size, device, FOREIGN); }
void fake_register_managed(void *ptr, size_t size, int device)
{
    add_block(ptr, size, device, MANAGED);
}
void fake_unregister(void *ptr)
{
    if (!remove_range(ptr, FOREIGN).start)
        remove_range(ptr, MANAGED);
}
int fake_live_blocks(void)
{
    int count = 0;
    for (int i = 0; i < MAX_RANGES; i++)
        count += fake.ranges[i].start && fake.ranges[i].owned == DRIVER_OWNED;
    return count;
}
uint64_t fake_freed_on(void) { return fake.freed_on; }

// Of memory of nobody all is zero. cuMemAllocAsync takes from a pool, which has an address.
static int attribute_of(const struct range *range, int attribute, void *value)
{
    bool host = range->device < 0 || range->owned == MANAGED; // managed memory may be there
    switch (attribute) {
    case CU_POINTER_MEMORY_TYPE:
        *(unsigned *)value = !range->start ? 0 : host ? CU_MEMORY_HOST : CU_MEMORY_DEVICE;
        return OK;
    case CU_POINTER_IS_MANAGED:
        *(unsigned *)value = range->owned == MANAGED;
        return OK;
    case CU_POINTER_DEVICE_ORDINAL:
        *(int *)value = range->device;
        return OK;
    case CU_POINTER_BUFFER_ID:
        *(uint64_t *)value = range->id;
        return OK;
    case CU_POINTER_IS_LEGACY_IPC_CAPABLE:
        *(unsigned *)value = range->owned == SHARED;
        return OK;
    case CU_POINTER_RANGE_START:
        *(uint64_t *)value = (uintptr_t)range->start;
        return OK;
    case CU_POINTER_RANGE_SIZE:
        *(size_t *)value = range->size;
        return OK;
    case CU_POINTER_HANDLE_TYPES:
        *(uint64_t *)value = (uint64_t)range->handle_types;
        return OK;
    case CU_POINTER_MEMPOOL:
        *(const void **)value = range->owned == DRIVER_OWNED ? &contexts[range->device] : NULL;
        return OK;
    default:
        return INVALID_VALUE;
    }
}
API cuPointerGetAttribute(void *value, int attribute, uint64_t pointer)
{
    ENTER(NULL);
    struct range range = find_range((void *)(uintptr_t)pointer, 1);
    return range.start ? attribute_of(&range, attribute, value) : INVALID_VALUE;
}
// Unlike the one above it needs a context, and succeeds for memory of nobody.
API cuPointerGetAttributes(unsigned count, int *attributes, void **values, uint64_t pointer)
{
    ENTER(NULL);
    if (!thread.depth)
        return INVALID_CONTEXT;
    struct range range = find_range((void *)(uintptr_t)pointer, 1);
    int code = count ? OK : INVALID_VALUE;
    for (unsigned i = 0; i < count && code == OK; i++)
        code = attribute_of(&range, attributes[i], values[i]);
    return code;
}

int touch_memory(void)
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
    if (fake_capture_status((uintptr_t)stream) == 1)
        give_up("memory of a graph: it can be launched only once");
    void *block = new_block(bytes);
    if (!block)
        return OUT_OF_MEMORY;
    add_block(block, bytes, fake_current_device(), DRIVER_OWNED);
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
    if (!remove_range((void *)(uintptr_t)pointer, DRIVER_OWNED).start)
        give_up("cuMemFreeAsync of a pointer that cuMemAllocAsync did not give");
    __atomic_store_n(&fake.freed_on, (uintptr_t)stream, __ATOMIC_SEQ_CST);
    free((void *)(uintptr_t)pointer);
    return OK;
}

static void check_device_rows(const void *start, size_t pitch, const pixviewi_memcpy2d *copy)
{
    struct range range = find_range(start, pitch * (copy->height - 1) + copy->width);
    if (!range.start || !reaches(fake_current_device(), &range))
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

// Between GPUs, or on one. The driver has a way between any two, be they peers or not.
API cuMemcpyAsync(uint64_t dst, uint64_t src, size_t bytes, void *stream)
{
    ENTER("copy");
    int code = check_stream((uintptr_t)stream);
    code = code ? code : touch_legacy((uintptr_t)stream);
    if (code || bytes == 0)
        return code;
    struct range from = find_range((void *)(uintptr_t)src, bytes);
    struct range to = find_range((void *)(uintptr_t)dst, bytes);
    if (!from.start || !to.start || from.device < 0 || to.device < 0)
        give_up("a copy between GPUs leaves their memory");
    memmove((void *)(uintptr_t)dst, (void *)(uintptr_t)src, bytes);
    return OK;
}
