// SPDX-License-Identifier: Apache-2.0
// The fake driver's virtual memory: handles are files in memory, so they cross processes as the real
// driver's do. No call needs a context.
//
// The name of a file says that it is one of these, and of which GPU.
#include "fake_state.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_NAME "fake-cuda-memory-of-gpu-"

enum { MAX_ENTRIES = 1024 };
static const size_t GRANULARITY = (size_t)2 << 20;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct allocation {
    uint64_t handle; // 0: none
    size_t size;
    int fd, device, handle_types;
} allocations[MAX_ENTRIES];
static struct reservation {
    char *start;
    size_t size;
} reservations[MAX_ENTRIES];
// It holds the memory by itself, so its allocation may be released.
static struct mapping {
    char *start;
    size_t size;
    int device, handle_types;
    unsigned access;
    uint64_t id;
} mappings[MAX_ENTRIES];

#define FIRST_OF(table, condition)          \
    for (int i = 0; i < MAX_ENTRIES; i++) { \
        if (condition)                      \
            return &(table)[i];             \
    }                                       \
    return NULL

static struct allocation *find_allocation(uint64_t handle)
{
    FIRST_OF(allocations, allocations[i].handle == handle);
}
static struct reservation *find_reservation(const char *start)
{
    FIRST_OF(reservations, reservations[i].start == start);
}
static struct mapping *find_mapping(const char *start)
{
    FIRST_OF(mappings, mappings[i].start == start);
}
static struct mapping *overlapping(const char *start, size_t size)
{
    FIRST_OF(mappings, mappings[i].start && mappings[i].start < start + size &&
                           start < mappings[i].start + mappings[i].size);
}
static struct reservation *reservation_around(const char *start, size_t size)
{
    FIRST_OF(reservations, reservations[i].start && start >= reservations[i].start &&
                               start + size <= reservations[i].start + reservations[i].size);
}

// An entry of its table, which has to have one.
static void *needed(void *entry)
{
    if (!entry)
        give_up("too many handles, mappings or reserved addresses");
    return entry;
}

static bool whole(size_t bytes) { return bytes && bytes % GRANULARITY == 0; }

int fake_live_shared(void)
{
    int count = live_opened();
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_ENTRIES; i++)
        count += (allocations[i].handle != 0) + (reservations[i].start != NULL) +
                 (mappings[i].start != NULL);
    pthread_mutex_unlock(&lock);
    return count;
}

// ---- handles ----------------------------------------------------------------------------------

static int check_prop(const pixviewi_mem_prop *prop)
{
    if (!prop || prop->type != CU_MEM_PINNED || prop->location.type != CU_MEM_ON_DEVICE ||
        prop->handle_types & ~CU_MEM_HANDLE_FD)
        return INVALID_VALUE;
    if (prop->location.id < 0 || prop->location.id >= device_count())
        return INVALID_DEVICE;
    return prop->handle_types && !is_shareable(FAKE_VMM_FD) ? NOT_SUPPORTED : OK;
}

static uint64_t add_allocation(int fd, size_t size, int device, int handle_types)
{
    static uint64_t last = 0x7000; // a handle is no address, and none is given twice
    pthread_mutex_lock(&lock);
    struct allocation *made = needed(find_allocation(0));
    *made = (struct allocation){++last, size, fd, device, handle_types};
    uint64_t handle = made->handle;
    pthread_mutex_unlock(&lock);
    return handle;
}

API cuMemGetAllocationGranularity(size_t *bytes, const pixviewi_mem_prop *prop, int option)
{
    ENTER(NULL);
    int code = check_prop(prop);
    if (code || option < 0 || option > 1) // the least, the recommended
        return code ? code : INVALID_VALUE;
    *bytes = GRANULARITY;
    return OK;
}
API cuMemCreate(uint64_t *handle, size_t bytes, const pixviewi_mem_prop *prop,
                unsigned long long flags)
{
    ENTER("alloc");
    int code = check_prop(prop);
    if (code || !whole(bytes) || flags)
        return code ? code : INVALID_VALUE;
    char name[64];
    snprintf(name, sizeof name, FILE_NAME "%d", gpu_of(prop->location.id));
    int fd = new_file(name, bytes);
    if (fd < 0)
        return OUT_OF_MEMORY;
    *handle = add_allocation(fd, bytes, prop->location.id, prop->handle_types);
    return OK;
}
API cuMemRelease(uint64_t handle)
{
    ENTER("free");
    pthread_mutex_lock(&lock);
    struct allocation *gone = handle ? find_allocation(handle) : NULL;
    if (gone) {
        close(gone->fd);
        gone->handle = 0;
    }
    pthread_mutex_unlock(&lock);
    return gone ? OK : INVALID_VALUE;
}
API cuMemExportToShareableHandle(void *out, uint64_t handle, int type, unsigned long long flags)
{
    ENTER(NULL);
    pthread_mutex_lock(&lock);
    const struct allocation *found = handle ? find_allocation(handle) : NULL;
    bool can = found && type == CU_MEM_HANDLE_FD && found->handle_types & type && !flags;
    int fd = can ? fcntl(found->fd, F_DUPFD_CLOEXEC, 0) : -1;
    pthread_mutex_unlock(&lock);
    if (!can)
        return INVALID_VALUE;
    if (fd < 0)
        return OUT_OF_MEMORY;
    *(int *)out = fd;
    return OK;
}

// -1: no memory of cuMemCreate.
static int gpu_of_file(int fd)
{
    char path[64], name[64] = "";
    int gpu;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (readlink(path, name, sizeof name - 1) < 0)
        return -1;
    return sscanf(name, "/memfd:" FILE_NAME "%d (deleted)", &gpu) == 1 ? gpu : -1;
}
// The descriptor stays the caller's.
API cuMemImportFromShareableHandle(uint64_t *handle, void *os_handle, int type)
{
    ENTER(NULL);
    struct stat status;
    int theirs = (int)(intptr_t)os_handle, gpu = gpu_of_file(theirs);
    if (type != CU_MEM_HANDLE_FD || gpu < 0 || fstat(theirs, &status) != 0)
        return INVALID_VALUE;
    if (!is_shareable(FAKE_VMM_FD))
        return NOT_SUPPORTED;
    if (ordinal_of(gpu) < 0)
        return INVALID_DEVICE;
    int fd = fcntl(theirs, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return OUT_OF_MEMORY;
    *handle = add_allocation(fd, (size_t)status.st_size, ordinal_of(gpu), CU_MEM_HANDLE_FD);
    return OK;
}

// ---- addresses --------------------------------------------------------------------------------

static char *reserve(size_t bytes, size_t alignment)
{
    size_t size = bytes + alignment;
    char *all = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
    size_t before = (alignment - (uintptr_t)all % alignment) % alignment;
    if (before)
        munmap(all, before);
    munmap(all + before + bytes, size - before - bytes);
    return all + before;
}
// Where one would like it to be is a wish, here never fulfilled.
API cuMemAddressReserve(uint64_t *pointer, size_t bytes, size_t alignment, uint64_t wish,
                        unsigned long long flags)
{
    ENTER(NULL);
    (void)wish;
    if (!whole(bytes) || alignment & (alignment - 1) || flags)
        return INVALID_VALUE;
    char *start = reserve(bytes, alignment > GRANULARITY ? alignment : GRANULARITY);
    if (!start)
        return OUT_OF_MEMORY;
    pthread_mutex_lock(&lock);
    *(struct reservation *)needed(find_reservation(NULL)) = (struct reservation){start, bytes};
    pthread_mutex_unlock(&lock);
    *pointer = (uintptr_t)start;
    return OK;
}
API cuMemAddressFree(uint64_t pointer, size_t bytes)
{
    ENTER(NULL);
    char *start = (char *)(uintptr_t)pointer;
    pthread_mutex_lock(&lock);
    struct reservation *found = start ? find_reservation(start) : NULL;
    bool can = found && found->size == bytes && !overlapping(start, bytes);
    if (can) {
        found->start = NULL;
        munmap(start, bytes);
    }
    pthread_mutex_unlock(&lock);
    return can ? OK : INVALID_VALUE;
}

// ---- mappings ---------------------------------------------------------------------------------

static int map(char *start, size_t bytes, const struct allocation *from)
{
    if (!from || bytes != from->size || !reservation_around(start, bytes) ||
        (uintptr_t)start % GRANULARITY || overlapping(start, bytes))
        return INVALID_VALUE;
    struct mapping *made = needed(find_mapping(NULL));
    if (mmap(start, bytes, PROT_NONE, MAP_SHARED | MAP_FIXED, from->fd, 0) == MAP_FAILED)
        return OUT_OF_MEMORY;
    *made = (struct mapping){start, bytes, from->device, from->handle_types, 0, new_id()};
    return OK;
}
// Only all of an allocation, which is what the real driver is sure to take.
API cuMemMap(uint64_t pointer, size_t bytes, size_t offset, uint64_t handle,
             unsigned long long flags)
{
    ENTER(NULL);
    if (offset || flags || !handle)
        return INVALID_VALUE;
    pthread_mutex_lock(&lock);
    int code = map((char *)(uintptr_t)pointer, bytes, find_allocation(handle));
    pthread_mutex_unlock(&lock);
    return code;
}

static bool within(const struct mapping *mapping, const char *start, size_t bytes)
{
    return mapping->start && mapping->start >= start &&
           mapping->start + mapping->size <= start + bytes;
}
// Are [start, start + bytes) some mappings, each whole, and nothing else?
static bool all_mapped(const char *start, size_t bytes)
{
    size_t sum = 0;
    for (int i = 0; i < MAX_ENTRIES; i++)
        if (within(&mappings[i], start, bytes))
            sum += mappings[i].size;
    return bytes && sum == bytes;
}

static void unmap(struct mapping *mapping)
{
    remove_range(mapping->start, MAPPED);
    if (mmap(mapping->start, mapping->size, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
        give_up("cannot unmap");
    mapping->start = NULL;
}
API cuMemUnmap(uint64_t pointer, size_t bytes)
{
    ENTER(NULL);
    const char *start = (const char *)(uintptr_t)pointer;
    pthread_mutex_lock(&lock);
    bool can = all_mapped(start, bytes);
    for (int i = 0; can && i < MAX_ENTRIES; i++)
        if (within(&mappings[i], start, bytes))
            unmap(&mappings[i]);
    pthread_mutex_unlock(&lock);
    return can ? OK : INVALID_VALUE;
}

// The devices that are named get or lose access, the others keep theirs.
static int change_access(unsigned *devices, int owner, const pixviewi_mem_access *access,
                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int device = access[i].location.id;
        if (access[i].location.type != CU_MEM_ON_DEVICE ||
            (access[i].flags && access[i].flags != CU_MEM_READ_WRITE))
            return INVALID_VALUE;
        if (device < 0 || device >= device_count() || (device != owner && !peers()))
            return INVALID_DEVICE;
        *devices = access[i].flags ? *devices | 1u << device : *devices & ~(1u << device);
    }
    return OK;
}
// The driver knows the memory from when somebody may touch it.
static int set_access(struct mapping *mapping, const pixviewi_mem_access *access, size_t count)
{
    unsigned devices = mapping->access;
    int code = change_access(&devices, mapping->device, access, count);
    if (code)
        return code;
    if (mprotect(mapping->start, mapping->size, devices ? PROT_READ | PROT_WRITE : PROT_NONE) != 0)
        return OUT_OF_MEMORY;
    mapping->access = devices;
    remove_range(mapping->start, MAPPED);
    if (devices)
        add_range((struct range){mapping->start, mapping->size, mapping->device, MAPPED, devices,
                                 mapping->handle_types, -1, mapping->id});
    return OK;
}
API cuMemSetAccess(uint64_t pointer, size_t bytes, const pixviewi_mem_access *access, size_t count)
{
    ENTER(NULL);
    const char *start = (const char *)(uintptr_t)pointer;
    pthread_mutex_lock(&lock);
    int code = access && count && all_mapped(start, bytes) ? OK : INVALID_VALUE;
    for (int i = 0; code == OK && i < MAX_ENTRIES; i++)
        if (within(&mappings[i], start, bytes))
            code = set_access(&mappings[i], access, count);
    pthread_mutex_unlock(&lock);
    return code;
}
