// SPDX-License-Identifier: Apache-2.0
// The fake driver's memory and events in two processes: they cross, and wrong uses are refused.
//
// The second process is this program once more, its part in the arguments, at the other end of a
// socket.
#define _GNU_SOURCE // memfd_create
#include "fake.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cuda/driver.h"

enum { MIB = 1 << 20, SIZE = 4 * MIB, REFUSED = 1, NO_CONTEXT = 201, OTHER_END = 17 };

#define MUST(call)          REQUIRE_INT(cuda->call, 0)
#define REFUSES(code, call) REQUIRE_INT(cuda->call, code)

static const pixviewi_driver *cuda;

// ---- two processes ----------------------------------------------------------------------------

typedef struct other {
    pid_t pid;
    int socket;
} other;

// `set` is of the form NAME=VALUE, for its environment, or NULL.
static other start(const char *part, char *set)
{
    int ends[2];
    char program[] = "/proc/self/exe", *name = strdup(part), *arguments[] = {program, name, NULL};
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (set)
            putenv(set);
        dup2(ends[1], OTHER_END);
        execv(program, arguments);
        _exit(99);
    }
    free(name);
    close(ends[1]);
    return (other){pid, ends[0]};
}
static int status_of(const other *process)
{
    int status;
    close(process->socket);
    REQUIRE(waitpid(process->pid, &status, 0) == process->pid);
    return status;
}
static void end(const other *process) { REQUIRE_INT(status_of(process), 0); }

static void tell(int socket, const void *what, size_t size)
{
    REQUIRE_INT(send(socket, what, size, MSG_NOSIGNAL), size);
}
static void hear(int socket, void *what, size_t size)
{
    REQUIRE_INT(recv(socket, what, size, 0), size);
}
static void step(int socket) { tell(socket, "", 1); }
static void await_step(int socket)
{
    char byte;
    hear(socket, &byte, 1);
}

static void pass_fd(int socket, int fd)
{
    char space[CMSG_SPACE(sizeof fd)] __attribute__((aligned(8))) = {0}, byte = 0;
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    REQUIRE_INT(sendmsg(socket, &message, 0), 1);
}
static int take_fd(int socket)
{
    int fd = -1;
    char space[CMSG_SPACE(sizeof fd)] __attribute__((aligned(8))) = {0}, byte;
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    REQUIRE_INT(recvmsg(socket, &message, MSG_CMSG_CLOEXEC), 1);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
    return fd;
}

// ---- memory with a descriptor -----------------------------------------------------------------

static pixviewi_mem_prop prop_of(int device)
{
    return (pixviewi_mem_prop){CU_MEM_PINNED, CU_MEM_HANDLE_FD, {CU_MEM_ON_DEVICE, device}, 0, {0}};
}
static pixviewi_mem_access access_of(int device)
{
    return (pixviewi_mem_access){{CU_MEM_ON_DEVICE, device}, CU_MEM_READ_WRITE};
}
static uint64_t attribute(const void *ptr, int which)
{
    uint64_t value = 0;
    MUST(pointer_attribute(&value, which, (uintptr_t)ptr));
    return value;
}
static void *as_fd(int fd) { return (void *)(intptr_t)fd; }

static uint8_t *map_for(uint64_t handle, size_t size, int device)
{
    uint64_t at;
    pixviewi_mem_access access = access_of(device);
    MUST(address_reserve(&at, size, 0, 0, 0));
    MUST(mem_map(at, size, 0, handle, 0));
    MUST(mem_set_access(at, size, &access, 1));
    return (uint8_t *)(uintptr_t)at;
}
static void unmap(const void *ptr, size_t size)
{
    MUST(mem_unmap((uintptr_t)ptr, size));
    MUST(address_free((uintptr_t)ptr, size));
}

// A kernel of `device` reads 24 bytes of `from`; the driver ends the process if it may not.
static void run_kernel_on(int device, uint8_t *from)
{
    pixview_device on = {PIXVIEW_DEVICE_CUDA, device};
    uint8_t *to = fake_malloc(device, 24);
    pixview_image src = make_image(from, PIXVIEW_LAYOUT_HWC, LIST(2, 4, 3), NULL, U8, on);
    pixview_image dst = make_image(to, PIXVIEW_LAYOUT_CHW, LIST(3, 2, 4), NULL, U8, on);
    pixview_copy_params params = {sizeof params, fake_stream(device)};
    REQUIRE_OK(pixview_copy(&src, &dst, &params, err));
    REQUIRE_INT(to[8], from[1]);
    fake_free(to);
}

static void other_maps(int socket)
{
    uint64_t handle, again;
    int fd = take_fd(socket);
    MUST(mem_import(&handle, as_fd(fd), CU_MEM_HANDLE_FD));
    MUST(mem_import(&again, as_fd(fd), CU_MEM_HANDLE_FD)); // it was not consumed
    MUST(mem_release(again));
    close(fd);
    step(socket);
    await_step(socket); // the exporter has neither handle, descriptor nor mapping now
    uint8_t *at = map_for(handle, SIZE, 0);
    MUST(mem_release(handle));
    REQUIRE_INT(at[SIZE - 1], 7);
    REQUIRE_INT(attribute(at, CU_POINTER_HANDLE_TYPES), CU_MEM_HANDLE_FD);
    fake_set_current_device(0);
    run_kernel_on(0, at);
    REQUIRE_INT(fake_live_shared(), 2);
    unmap(at, SIZE);
    REQUIRE_INT(fake_live_shared(), 0);
}

static void test_descriptor(void)
{
    int fd;
    uint64_t handle;
    pixviewi_mem_prop prop = prop_of(0);
    MUST(mem_create(&handle, SIZE, &prop, 0));
    MUST(mem_export(&fd, handle, CU_MEM_HANDLE_FD, 0));
    uint8_t *at = map_for(handle, SIZE, 0);
    REQUIRE_INT(fake_live_shared(), 3);
    fill_random(at, 24, 5);
    at[SIZE - 1] = 7;
    other process = start("maps", NULL);
    pass_fd(process.socket, fd);
    await_step(process.socket);
    close(fd);
    unmap(at, SIZE);
    MUST(mem_release(handle));
    REQUIRE_INT(fake_live_shared(), 0);
    step(process.socket);
    end(&process);
}

// What one writes the other reads, with the descriptor inherited.
static void other_inherits(int socket)
{
    int fd;
    uint64_t handle;
    hear(socket, &fd, sizeof fd);
    MUST(mem_import(&handle, as_fd(fd), CU_MEM_HANDLE_FD));
    uint8_t *at = map_for(handle, SIZE, 0);
    at[3] = 33;
    step(socket);
    await_step(socket);
    REQUIRE_INT(at[4], 44);
}
static void test_inherited(void)
{
    int fd;
    uint64_t handle;
    pixviewi_mem_prop prop = prop_of(0);
    MUST(mem_create(&handle, SIZE, &prop, 0));
    MUST(mem_export(&fd, handle, CU_MEM_HANDLE_FD, 0));
    int kept = dup(fd); // without close-on-exec
    uint8_t *at = map_for(handle, SIZE, 0);
    other process = start("inherits", NULL);
    tell(process.socket, &kept, sizeof kept);
    await_step(process.socket);
    REQUIRE_INT(at[3], 33);
    at[4] = 44;
    step(process.socket);
    end(&process);
    close(fd);
    close(kept);
    unmap(at, SIZE);
    MUST(mem_release(handle));
}

static void test_wrong_handles(void)
{
    int fd, plain = memfd_create("plain", MFD_CLOEXEC);
    size_t least = 0;
    uint64_t handle;
    pixviewi_mem_prop prop = prop_of(0), none = prop, elsewhere = prop_of(9);
    none.handle_types = 0;
    MUST(mem_granularity(&least, &prop, 0));
    REQUIRE_INT(least, 2 * MIB);
    REFUSES(REFUSED, mem_create(&handle, SIZE - 1, &prop, 0));
    REFUSES(REFUSED, mem_create(&handle, 0, &prop, 0));
    REFUSES(101, mem_create(&handle, SIZE, &elsewhere, 0));
    MUST(mem_create(&handle, SIZE, &none, 0));
    REFUSES(REFUSED, mem_export(&fd, handle, CU_MEM_HANDLE_FD, 0));
    MUST(mem_release(handle));
    REFUSES(REFUSED, mem_release(handle));
    REFUSES(REFUSED, mem_export(&fd, handle, CU_MEM_HANDLE_FD, 0));
    REFUSES(REFUSED, mem_import(&handle, as_fd(plain), CU_MEM_HANDLE_FD));
    REFUSES(REFUSED, mem_import(&handle, as_fd(-1), CU_MEM_HANDLE_FD));
    REFUSES(REFUSED, mem_import(&handle, as_fd(0), CU_MEM_HANDLE_FD));
    close(plain);
    fake_set_shareable(FAKE_IPC_EVENT);
    int has = 7;
    MUST(device_attribute(&has, CU_DEVICE_HAS_FD, 0));
    REQUIRE_INT(has, 0);
    REFUSES(801, mem_create(&handle, SIZE, &prop, 0));
    fake_set_shareable(FAKE_VMM_FD | FAKE_IPC_EVENT);
    fake_fail_call("cuMemCreate", 2);
    REFUSES(2, mem_create(&handle, SIZE, &prop, 0));
    fake_reset();
    REQUIRE_INT(fake_live_shared(), 0);
}

static void test_wrong_mappings(void)
{
    uint64_t handle, at, big = 4 * SIZE;
    pixviewi_mem_prop prop = prop_of(0);
    pixviewi_mem_access access = access_of(0);
    MUST(mem_create(&handle, SIZE, &prop, 0));
    REFUSES(REFUSED, address_reserve(&at, SIZE + 4096, 0, 0, 0));
    REFUSES(REFUSED, address_reserve(&at, SIZE, 3, 0, 0));
    MUST(address_reserve(&at, big, big, 0, 0));
    REQUIRE_INT(at % big, 0);
    REFUSES(REFUSED, mem_map(at, SIZE, 2 * MIB, handle, 0));
    REFUSES(REFUSED, mem_map(at, SIZE / 2, 0, handle, 0));
    REFUSES(REFUSED, mem_map(at, SIZE, 0, handle + 1, 0));
    REFUSES(REFUSED, mem_map(at + big, SIZE, 0, handle, 0));
    REFUSES(REFUSED, mem_set_access(at, SIZE, &access, 1));
    MUST(mem_map(at, SIZE, 0, handle, 0));
    MUST(mem_map(at + SIZE, SIZE, 0, handle, 0)); // the same memory once more
    REFUSES(REFUSED, mem_map(at, SIZE, 0, handle, 0));
    unsigned type;
    REFUSES(REFUSED, pointer_attribute(&type, CU_POINTER_MEMORY_TYPE, at)); // nobody may touch it
    MUST(mem_set_access(at, 2 * SIZE, &access, 1));
    *(uint8_t *)(uintptr_t)at = 9;
    REQUIRE_INT(*(uint8_t *)(uintptr_t)(at + SIZE), 9);
    REFUSES(REFUSED, mem_unmap(at, SIZE / 2));
    REFUSES(REFUSED, mem_unmap(at, 3 * SIZE));
    REFUSES(REFUSED, address_free(at, big)); // something is mapped
    MUST(mem_unmap(at, 2 * SIZE));
    REFUSES(REFUSED, mem_unmap(at, SIZE));
    REFUSES(REFUSED, address_free(at, SIZE));
    MUST(address_free(at, big));
    REFUSES(REFUSED, address_free(at, big));
    MUST(mem_release(handle));
    REQUIRE_INT(fake_live_shared(), 0);
}

// Whoever was given access, and nobody else.
static void test_access(void)
{
    uint64_t handle;
    pixviewi_mem_prop prop = prop_of(0);
    pixviewi_mem_access second = access_of(1), wrong = {{CU_MEM_ON_DEVICE, 1}, 2};
    MUST(mem_create(&handle, SIZE, &prop, 0));
    uint8_t *at = map_for(handle, SIZE, 0);
    uint64_t id = attribute(at, CU_POINTER_BUFFER_ID);
    fake_set_peers(0);
    REFUSES(101, mem_set_access((uintptr_t)at, SIZE, &second, 1));
    fake_set_peers(1);
    REFUSES(REFUSED, mem_set_access((uintptr_t)at, SIZE, &wrong, 1));
    MUST(mem_set_access((uintptr_t)at, SIZE, &second, 1));
    REQUIRE_INT(attribute(at, CU_POINTER_DEVICE_ORDINAL), 0);
    REQUIRE_INT(attribute(at, CU_POINTER_BUFFER_ID), id); // the same memory
    fake_set_current_device(0);
    run_kernel_on(0, at);
    run_kernel_on(1, at);
    unmap(at, SIZE);
    MUST(mem_release(handle));
    fake_set_current_device(-1);
}

// Ends by SIGABRT, for a copy of rows where device 1 may not.
static void other_strays(int socket)
{
    (void)socket;
    uint64_t handle;
    pixviewi_mem_prop prop = prop_of(0);
    uint8_t row[8];
    fake_set_device_count(2);
    MUST(mem_create(&handle, SIZE, &prop, 0));
    uint8_t *at = map_for(handle, SIZE, 0);
    pixviewi_memcpy2d copy = {.src_type = CU_MEMORY_DEVICE,
                              .src_device = (uintptr_t)at,
                              .src_pitch = 8,
                              .dst_type = CU_MEMORY_HOST,
                              .dst_host = row,
                              .dst_pitch = 8,
                              .width = 8,
                              .height = 1};
    fake_set_current_device(0);
    MUST(memcpy2d_async(&copy, NULL));
    fake_set_current_device(1);
    pixviewi_mem_access second = access_of(1), taken = {{CU_MEM_ON_DEVICE, 1}, 0};
    MUST(mem_set_access((uintptr_t)at, SIZE, &second, 1));
    MUST(memcpy2d_async(&copy, NULL));
    MUST(mem_set_access((uintptr_t)at, SIZE, &taken, 1));
    fclose(stderr); // what it says is expected
    cuda->memcpy2d_async(&copy, NULL);
}
static void test_stray(void)
{
    other process = start("strays", NULL);
    int status = status_of(&process);
    REQUIRE(WIFSIGNALED(status));
    REQUIRE_INT(WTERMSIG(status), SIGABRT);
}

// ---- memory with a handle of cuIpc ------------------------------------------------------------

static void other_opens(int socket)
{
    uint64_t at, again;
    pixviewi_ipc_handle handle, wrong;
    hear(socket, &handle, sizeof handle);
    REFUSES(NO_CONTEXT, ipc_open_memory(&at, handle, CU_IPC_LAZY_PEER));
    fake_set_current_device(0);
    REFUSES(REFUSED, ipc_open_memory(&at, handle, 0));
    MUST(ipc_open_memory(&at, handle, CU_IPC_LAZY_PEER));
    MUST(ipc_open_memory(&again, handle, CU_IPC_LAZY_PEER));
    REQUIRE_INT(again, at);
    REQUIRE_INT(fake_live_shared(), 1);
    uint8_t *bytes = (uint8_t *)(uintptr_t)at;
    run_kernel_on(0, bytes);
    REQUIRE_INT(attribute(bytes, CU_POINTER_RANGE_SIZE), 1000);
    REFUSES(REFUSED, ipc_get_memory(&wrong, at)); // not this process's to give
    bytes[999] = 99;
    MUST(ipc_close_memory(at));
    REQUIRE_INT(bytes[999], 99);
    MUST(ipc_close_memory(at));
    REFUSES(REFUSED, ipc_close_memory(at));
    REQUIRE_INT(fake_live_shared(), 0);
    step(socket);
    await_step(socket);
    REFUSES(REFUSED, ipc_open_memory(&at, handle, CU_IPC_LAZY_PEER)); // it was freed
    memset(&wrong, 0, sizeof wrong);
    REFUSES(REFUSED, ipc_open_memory(&at, wrong, CU_IPC_LAZY_PEER));
}

static void test_legacy(void)
{
    uint64_t at;
    pixviewi_ipc_handle handle;
    uint8_t *block = fake_malloc_shared(0, 1000);
    fill_random(block, 1000, 3);
    REFUSES(NO_CONTEXT, ipc_get_memory(&handle, (uintptr_t)block));
    fake_set_current_device(0);
    MUST(ipc_get_memory(&handle, (uintptr_t)block + 10));                // the whole block's
    REFUSES(NO_CONTEXT, ipc_open_memory(&at, handle, CU_IPC_LAZY_PEER)); // one's own
    other process = start("opens", NULL);
    tell(process.socket, &handle, sizeof handle);
    await_step(process.socket);
    REQUIRE_INT(block[999], 99);
    fake_free(block);
    step(process.socket);
    end(&process);
    fake_set_current_device(-1);
}

static void other_dies(int socket)
{
    pixviewi_ipc_handle handle;
    fake_set_current_device(0);
    MUST(ipc_get_memory(&handle, (uintptr_t)fake_malloc_shared(0, 64)));
    tell(socket, &handle, sizeof handle);
}
static void test_dead_exporter(void)
{
    uint64_t at;
    pixviewi_ipc_handle handle;
    other process = start("dies", NULL);
    hear(process.socket, &handle, sizeof handle);
    end(&process);
    fake_set_current_device(0);
    REFUSES(REFUSED, ipc_open_memory(&at, handle, CU_IPC_LAZY_PEER));
    fake_set_current_device(-1);
}

// ---- attributes -------------------------------------------------------------------------------

static void require_attributes(const void *ptr, size_t size, int legacy, int types, bool pool)
{
    const char *inside = (const char *)ptr + size - 1;
    REQUIRE_INT(attribute(inside, CU_POINTER_IS_LEGACY_IPC_CAPABLE), legacy);
    REQUIRE_INT(attribute(inside, CU_POINTER_HANDLE_TYPES), types);
    REQUIRE_INT(attribute(inside, CU_POINTER_MEMPOOL) != 0, pool);
    REQUIRE_INT(attribute(inside, CU_POINTER_RANGE_START), (uintptr_t)ptr);
    REQUIRE_INT(attribute(inside, CU_POINTER_RANGE_SIZE), size);
}

static void test_attributes(void)
{
    char local[64];
    uint64_t pooled, handle, last = 0;
    pixviewi_mem_prop prop = prop_of(1);
    pixviewi_ipc_handle ipc;
    fake_set_current_device(0);
    MUST(mem_alloc_async(&pooled, 100, NULL));
    MUST(mem_create(&handle, SIZE, &prop, 0));
    fake_register_managed(local, sizeof local, 0);
    void *plain = fake_malloc(0, 100), *shared = fake_malloc_shared(1, 100);
    void *expandable = fake_malloc_expandable(0, 100), *mapped = map_for(handle, SIZE, 1);
    require_attributes(plain, 100, 0, 0, false);
    require_attributes(shared, 100, 1, 0, false);
    require_attributes(expandable, 100, 0, 0, false);
    require_attributes(mapped, SIZE, 0, CU_MEM_HANDLE_FD, false);
    require_attributes((void *)(uintptr_t)pooled, 100, 0, 0, true);
    require_attributes(local, sizeof local, 0, 0, false);
    REQUIRE_INT(attribute(local, CU_POINTER_IS_MANAGED), 1);
    REQUIRE_INT(attribute(mapped, CU_POINTER_DEVICE_ORDINAL), 1);
    REQUIRE_INT((uintptr_t)shared % 512, 0);
    void *others[] = {plain, expandable, mapped, (void *)(uintptr_t)pooled, local};
    for (int i = 0; i < 5; i++)
        REFUSES(REFUSED, ipc_get_memory(&ipc, (uintptr_t)others[i]));
    for (int i = 0; i < 4; i++) { // an address that is used again is another buffer
        fake_free(shared);
        shared = fake_malloc_shared(1, 100);
        REQUIRE(attribute(shared, CU_POINTER_BUFFER_ID) > last);
        last = attribute(shared, CU_POINTER_BUFFER_ID);
    }
    fake_unregister(local);
    fake_free(plain);
    fake_free(shared);
    fake_free(expandable);
    unmap(mapped, SIZE);
    MUST(mem_release(handle));
    MUST(mem_free_async(pooled, NULL));
    fake_set_current_device(-1);
}

// ---- events -----------------------------------------------------------------------------------

static void other_waits(int socket)
{
    void *event, *again;
    pixviewi_ipc_handle handle, wrong;
    hear(socket, &handle, sizeof handle);
    REFUSES(NO_CONTEXT, ipc_open_event(&event, handle));
    fake_set_current_device(0);
    void *stream = (void *)(uintptr_t)fake_stream(0);
    MUST(ipc_open_event(&event, handle));
    MUST(ipc_open_event(&again, handle));
    REQUIRE_INT(fake_live_shared(), 2);
    MUST(event_destroy(again));
    REFUSES(400, ipc_get_event(&wrong, event));
    MUST(stream_wait(stream, event, 0)); // for nothing yet
    REQUIRE_INT(fake_ipc_waits(), 0);
    step(socket);
    await_step(socket);
    MUST(stream_wait(stream, event, 0));
    REQUIRE_INT(fake_ipc_waits(), 1);
    REQUIRE(fake_waited((uintptr_t)stream, FAKE_IPC_STREAM));
    fake_set_pending(1);
    REFUSES(600, event_query(event));
    MUST(event_query(event));
    fake_set_pending(9);
    MUST(event_synchronize(event));
    MUST(event_query(event));
    MUST(event_record(event, stream));
    MUST(event_destroy(event));
    REQUIRE_INT(fake_live_shared(), 0);
    REQUIRE_INT(fake_live_events(), 0);
    step(socket);
    await_step(socket);
    REFUSES(REFUSED, ipc_open_event(&event, handle)); // it was destroyed
}

static void test_events(void)
{
    void *event, *own;
    pixviewi_ipc_handle handle;
    fake_set_current_device(0);
    void *stream = (void *)(uintptr_t)fake_stream(0);
    REFUSES(REFUSED, event_create(&event, CU_EVENT_INTERPROCESS));
    MUST(event_create(&own, CU_EVENT_WITHOUT_TIMING));
    REFUSES(400, ipc_get_event(&handle, own));
    MUST(event_destroy(own));
    MUST(event_create(&event, CU_EVENT_INTERPROCESS | CU_EVENT_WITHOUT_TIMING));
    MUST(ipc_get_event(&handle, event));
    REFUSES(NO_CONTEXT, ipc_open_event(&own, handle));
    other process = start("waits", NULL);
    tell(process.socket, &handle, sizeof handle);
    await_step(process.socket);
    MUST(event_record(event, stream));
    MUST(stream_wait(NULL, event, 0));
    REQUIRE(fake_waited(0, (uintptr_t)stream)); // here it is known whose it is
    REQUIRE_INT(fake_ipc_waits(), 0);
    step(process.socket);
    await_step(process.socket);
    MUST(stream_wait(stream, event, 0)); // what the other recorded
    REQUIRE_INT(fake_ipc_waits(), 1);
    MUST(event_destroy(event));
    step(process.socket);
    end(&process);
    REQUIRE_INT(fake_live_events(), 0);
    fake_set_shareable(FAKE_VMM_FD);
    REFUSES(801, event_create(&event, CU_EVENT_INTERPROCESS | CU_EVENT_WITHOUT_TIMING));
    fake_set_shareable(FAKE_VMM_FD | FAKE_IPC_EVENT);
    fake_set_current_device(-1);
}

// ---- which GPU it is --------------------------------------------------------------------------

// Sees one GPU, the other process's second.
static void other_sees_second(int socket)
{
    unsigned char theirs[16], here[16];
    uint64_t handle, at;
    pixviewi_ipc_handle ipc;
    hear(socket, theirs, sizeof theirs);
    MUST(device_uuid(here, 0));
    REQUIRE(memcmp(here, theirs, sizeof here) == 0);
    int first = take_fd(socket), second = take_fd(socket);
    REFUSES(101, mem_import(&handle, as_fd(first), CU_MEM_HANDLE_FD));
    MUST(mem_import(&handle, as_fd(second), CU_MEM_HANDLE_FD));
    REQUIRE_INT(attribute(map_for(handle, SIZE, 0), CU_POINTER_DEVICE_ORDINAL), 0);
    hear(socket, &ipc, sizeof ipc); // of the first, which is not visible here
    fake_set_current_device(0);
    fake_set_peers(0);
    REFUSES(217, ipc_open_memory(&at, ipc, CU_IPC_LAZY_PEER));
    fake_set_peers(1);
    MUST(ipc_open_memory(&at, ipc, CU_IPC_LAZY_PEER));
}
static void test_which(void)
{
    int fds[2];
    uint64_t handle;
    unsigned char uuid[16];
    char first[] = "FAKE_CUDA_FIRST=1";
    void *block = fake_malloc_shared(0, 64);
    pixviewi_ipc_handle ipc;
    other process = start("second", first);
    MUST(device_uuid(uuid, 1));
    tell(process.socket, uuid, sizeof uuid);
    for (int i = 0; i < 2; i++) {
        pixviewi_mem_prop prop = prop_of(i);
        MUST(mem_create(&handle, SIZE, &prop, 0));
        MUST(mem_export(&fds[i], handle, CU_MEM_HANDLE_FD, 0));
        MUST(mem_release(handle));
        pass_fd(process.socket, fds[i]);
        close(fds[i]);
    }
    fake_set_current_device(0);
    MUST(ipc_get_memory(&ipc, (uintptr_t)block));
    tell(process.socket, &ipc, sizeof ipc);
    end(&process);
    fake_free(block);
    fake_set_current_device(-1);
}

static void other_has_no_peers(int socket)
{
    int can = 7;
    (void)socket;
    fake_set_device_count(2);
    MUST(can_access_peer(&can, 0, 1));
    REQUIRE_INT(can, 0);
}
static void test_peers(void)
{
    int can = 7;
    char none[] = "FAKE_CUDA_NO_PEER=1";
    MUST(can_access_peer(&can, 0, 1));
    REQUIRE_INT(can, 1);
    MUST(can_access_peer(&can, 1, 1));
    REQUIRE_INT(can, 0);
    REFUSES(101, can_access_peer(&can, 0, 2));
    other process = start("no-peers", none);
    end(&process);
}

static void test_copy(void)
{
    uint8_t *from = fake_malloc(0, 100), *to = fake_malloc_shared(1, 100);
    fill_random(from, 100, 1);
    fake_set_current_device(0);
    fake_reset();
    MUST(memcpy_async((uintptr_t)to, (uintptr_t)from, 100, NULL));
    REQUIRE_WORK("copy");
    REQUIRE(memcmp(to, from, 100) == 0);
    fake_set_current_device(-1);
    REFUSES(NO_CONTEXT, memcpy_async((uintptr_t)to, (uintptr_t)from, 100, NULL));
    fake_free(from);
    fake_free(to);
}

// ---- all --------------------------------------------------------------------------------------

static const struct {
    const char *name;
    void (*run)(int socket);
} parts[] = {
    {"maps", other_maps},          {"inherits", other_inherits},
    {"strays", other_strays},      {"opens", other_opens},
    {"dies", other_dies},          {"waits", other_waits},
    {"second", other_sees_second}, {"no-peers", other_has_no_peers},
};

int main(int argc, char **argv)
{
    use_fake_driver(argc > 1 ? 1 : 2);
    cuda = pixviewi_driver_get(NULL);
    REQUIRE(cuda != NULL);
    for (size_t i = 0; argc > 1 && i < sizeof parts / sizeof *parts; i++)
        if (strcmp(parts[i].name, argv[1]) == 0) {
            parts[i].run(OTHER_END);
            return 0;
        }
    REQUIRE_INT(argc, 1);
    test_descriptor();
    test_inherited();
    test_wrong_handles();
    test_wrong_mappings();
    test_access();
    test_stray();
    test_legacy();
    test_dead_exporter();
    test_attributes();
    test_events();
    test_which();
    test_peers();
    test_copy();
    REQUIRE_INT(fake_live_shared(), 0);
    return 0;
}
