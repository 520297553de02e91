// SPDX-License-Identifier: Apache-2.0
// The fake driver's cuIpc...: memory of fake_malloc_shared and events, for other processes.
//
// A handle names a file that the exporting process holds open; others open it through /proc, as long
// as that process lives and the file is the same.
#include "fake_state.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY = 0x6d656d, EVENT = 0x657674, MAX_OPENED = 1024 };

typedef struct ticket {
    int kind, pid, fd, gpu;
    uint64_t started, inode, size;
} ticket;
_Static_assert(sizeof(ticket) <= sizeof(pixviewi_ipc_handle), "a handle holds it");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct opened {
    ticket ticket;
    void *start; // NULL: none
    int device, count;
} opened[MAX_OPENED];
static int opened_events;

int live_opened(void)
{
    int count = __atomic_load_n(&opened_events, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&lock);
    for (int i = 0; i < MAX_OPENED; i++)
        count += opened[i].start != NULL;
    pthread_mutex_unlock(&lock);
    return count;
}

// ---- handles ----------------------------------------------------------------------------------

// When the process began, in the kernel's ticks: with its number that is one process. 0: none.
static uint64_t start_of(int pid)
{
    char path[64], text[1024];
    unsigned long long started = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    const char *at = strrchr(text, ')'); // ends the name, which may hold anything
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, "%llu", &started) == 1 ? started : 0;
}

static int write_ticket(pixviewi_ipc_handle *handle, int kind, int fd, int device, size_t size)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return INVALID_VALUE;
    ticket made = {kind, getpid(), fd, gpu_of(device), start_of(getpid()), status.st_ino, size};
    memset(handle, 0, sizeof *handle);
    memcpy(handle->bytes, &made, sizeof made);
    return OK;
}

static bool is_own(const ticket *from)
{
    return from->pid == getpid() && from->started == start_of(from->pid);
}

// Of a process that is gone there is none; its number may be another's by now.
static int open_file(const ticket *from)
{
    char path[64];
    struct stat status;
    if (!from->started || start_of(from->pid) != from->started)
        return -1;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", from->pid, from->fd);
    if (stat(path, &status) != 0 || status.st_ino != from->inode)
        return -1;
    return open(path, O_RDWR | O_CLOEXEC);
}

// May the current device use what is that GPU's? What is not visible here may be opened all the same.
static int check_opening(const ticket *from, int kind)
{
    if (from->kind != kind)
        return INVALID_VALUE;
    if (is_own(from))
        return INVALID_CONTEXT;
    return from->gpu == gpu_of(fake_current_device()) || peers() ? OK : PEERS_UNSUPPORTED;
}

// ---- memory -----------------------------------------------------------------------------------

API cuIpcGetMemHandle(pixviewi_ipc_handle *handle, uint64_t pointer)
{
    ENTER(NULL);
    if (!thread.depth)
        return INVALID_CONTEXT;
    struct range range = find_range((void *)(uintptr_t)pointer, 1);
    if (!range.start || range.owned != SHARED)
        return INVALID_VALUE;
    return write_ticket(handle, MEMORY, range.fd, range.device, range.size);
}

static struct opened *find_opened(const ticket *from, int device)
{
    for (int i = 0; i < MAX_OPENED; i++)
        if (opened[i].start && opened[i].device == device &&
            memcmp(&opened[i].ticket, from, sizeof *from) == 0)
            return &opened[i];
    return NULL;
}
static struct opened *find_start(const void *start)
{
    for (int i = 0; i < MAX_OPENED; i++)
        if (opened[i].start == start)
            return &opened[i];
    return NULL;
}

// Only the device that opened it reaches it.
static struct opened *open_memory(const ticket *from, int device)
{
    struct opened *made = find_start(NULL);
    if (!made)
        give_up("too much memory of other processes");
    int fd = open_file(from);
    void *start = fd < 0 ? NULL : map_file(fd, from->size);
    if (fd >= 0)
        close(fd);
    if (!start)
        return NULL;
    int owner = ordinal_of(from->gpu);
    add_range((struct range){start, from->size, owner < 0 ? device : owner, OPENED, 1u << device,
                             .fd = -1});
    *made = (struct opened){*from, start, device, 0};
    return made;
}
API cuIpcOpenMemHandle_v2(uint64_t *pointer, pixviewi_ipc_handle handle, unsigned flags)
{
    ENTER(NULL);
    int code = thread.depth ? touch_memory() : INVALID_CONTEXT;
    if (code)
        return code;
    ticket from;
    memcpy(&from, handle.bytes, sizeof from);
    code = flags == CU_IPC_LAZY_PEER ? check_opening(&from, MEMORY) : INVALID_VALUE;
    if (code)
        return code;
    pthread_mutex_lock(&lock);
    struct opened *found = find_opened(&from, fake_current_device());
    if (!found)
        found = open_memory(&from, fake_current_device());
    if (found) {
        found->count++;
        *pointer = (uintptr_t)found->start;
    }
    pthread_mutex_unlock(&lock);
    return found ? OK : INVALID_VALUE;
}
API cuIpcCloseMemHandle(uint64_t pointer)
{
    ENTER(NULL);
    int code = thread.depth ? touch_memory() : INVALID_CONTEXT;
    if (code)
        return code;
    void *start = (void *)(uintptr_t)pointer;
    pthread_mutex_lock(&lock);
    struct opened *found = start ? find_start(start) : NULL;
    if (found && --found->count == 0) {
        remove_range(start, OPENED);
        unmap_file(start, found->ticket.size);
        found->start = NULL;
    }
    pthread_mutex_unlock(&lock);
    return found ? OK : INVALID_VALUE;
}

// ---- events -----------------------------------------------------------------------------------

int share_event(fake_event *event)
{
    event->fd = new_file("fake-cuda-event", sizeof *event->shared);
    event->shared = event->fd < 0 ? NULL : map_file(event->fd, sizeof *event->shared);
    if (!event->shared && event->fd >= 0)
        close(event->fd);
    return event->shared != NULL;
}

void drop_shared_event(fake_event *event)
{
    if (!event->shared)
        return;
    if (event->opened)
        __atomic_sub_fetch(&opened_events, 1, __ATOMIC_SEQ_CST);
    else {
        __atomic_store_n(&event->shared->destroyed, 1, __ATOMIC_SEQ_CST);
        close(event->fd);
    }
    unmap_file(event->shared, sizeof *event->shared);
}

void note_shared_record(fake_event *event, uint64_t stream)
{
    struct shared_event *shared = event->shared;
    __atomic_store_n(&shared->stream, stream, __ATOMIC_SEQ_CST);
    __atomic_store_n(&shared->recorder, getpid(), __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&shared->records, 1, __ATOMIC_SEQ_CST);
}

uint64_t shared_producer(const fake_event *event)
{
    struct shared_event *shared = event->shared;
    if (__atomic_load_n(&shared->destroyed, __ATOMIC_SEQ_CST))
        give_up("a wait for an event that the process that made it has destroyed");
    if (!__atomic_load_n(&shared->records, __ATOMIC_SEQ_CST))
        return 0;
    if (__atomic_load_n(&shared->recorder, __ATOMIC_SEQ_CST) != getpid())
        return FAKE_IPC_STREAM;
    return __atomic_load_n(&shared->stream, __ATOMIC_SEQ_CST);
}

API cuIpcGetEventHandle(pixviewi_ipc_handle *handle, void *of)
{
    ENTER(NULL);
    const fake_event *event = of;
    if (!thread.depth)
        return INVALID_CONTEXT;
    if (!event->shared || event->opened)
        return INVALID_HANDLE;
    return write_ticket(handle, EVENT, event->fd, event->device, sizeof *event->shared);
}
API cuIpcOpenEventHandle(void **event, pixviewi_ipc_handle handle)
{
    ENTER(NULL);
    if (!thread.depth)
        return INVALID_CONTEXT;
    ticket from;
    memcpy(&from, handle.bytes, sizeof from);
    int code = check_opening(&from, EVENT);
    if (code)
        return code;
    int fd = open_file(&from);
    struct shared_event *shared = fd < 0 ? NULL : map_file(fd, sizeof *shared);
    if (fd >= 0)
        close(fd);
    if (!shared)
        return INVALID_VALUE;
    fake_event *made = new_event();
    made->shared = shared;
    made->opened = 1;
    __atomic_add_fetch(&opened_events, 1, __ATOMIC_SEQ_CST);
    *event = made;
    return OK;
}
