// SPDX-License-Identifier: Apache-2.0
// Preloaded: system calls of chosen shared objects are counted. At the nth the process kills itself, or the call
// fails. glibc only.
#define _GNU_SOURCE // dl_iterate_phdr, RTLD_NEXT
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { OBJECTS = 4 };
static struct object {
    uintptr_t low, high;
} objects[OBJECTS];
static int object_count;
static int kill_in, fail_in, fail_code; // calls until then; 0: never
static int called, failures;            // calls; those that may fail
static char fail_name[32];              // every call of that name fails
static char failed_name[32];

// ---- What a test says -----------------------------------------------------------------------------

static int find_object(struct dl_phdr_info *info, size_t size, void *part)
{
    (void)size;
    if (!strstr(info->dlpi_name, part) || object_count == OBJECTS)
        return 0;
    struct object found = {UINTPTR_MAX, 0};
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        uintptr_t start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        uintptr_t end = start + info->dlpi_phdr[i].p_memsz;
        found.low = start < found.low ? start : found.low;
        found.high = end > found.high ? end : found.high;
    }
    objects[object_count++] = found;
    return 1;
}

// The object with that in its name is watched too. 0: there is none.
EXPORT int fake_system_watch(char *part);
int fake_system_watch(char *part) { return dl_iterate_phdr(find_object, part); }

// The process kills itself in front of the nth call from now on.
EXPORT void fake_system_kill(int n);
void fake_system_kill(int n)
{
    __atomic_store_n(&called, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&kill_in, n, __ATOMIC_SEQ_CST);
}
// The nth call from now on, of those that can fail, fails with that errno. 0: none.
EXPORT void fake_system_fail(int n, int code);
void fake_system_fail(int n, int code)
{
    failed_name[0] = 0;
    __atomic_store_n(&failures, 0, __ATOMIC_SEQ_CST);
    fail_code = code;
    __atomic_store_n(&fail_in, n, __ATOMIC_SEQ_CST);
}
// Every call of that function fails; "": none.
EXPORT void fake_system_fail_all(const char *name, int code);
void fake_system_fail_all(const char *name, int code)
{
    fail_code = code;
    strncpy(fail_name, name, sizeof fail_name - 1);
}
// Calls since then, all and those that can fail; which one failed.
EXPORT int fake_system_calls(void);
int fake_system_calls(void) { return __atomic_load_n(&called, __ATOMIC_SEQ_CST); }
EXPORT int fake_system_failures(void);
int fake_system_failures(void) { return __atomic_load_n(&failures, __ATOMIC_SEQ_CST); }
EXPORT const char *fake_system_failed(void);
const char *fake_system_failed(void) { return failed_name; }

// ---- The calls -------------------------------------------------------------------------------------

static int is_watched(const void *caller)
{
    for (int i = 0; i < object_count; i++)
        if ((uintptr_t)caller - objects[i].low < objects[i].high - objects[i].low)
            return 1;
    return 0;
}

static int visit(const char *name, const void *caller, int can_fail)
{
    if (!is_watched(caller))
        return 0;
    int n = __atomic_add_fetch(&called, 1, __ATOMIC_SEQ_CST);
    if (n == __atomic_load_n(&kill_in, __ATOMIC_SEQ_CST))
        kill(getpid(), SIGKILL);
    if (!can_fail)
        return 0;
    n = __atomic_add_fetch(&failures, 1, __ATOMIC_SEQ_CST);
    if (n != __atomic_load_n(&fail_in, __ATOMIC_SEQ_CST) && strcmp(name, fail_name) != 0)
        return 0;
    strncpy(failed_name, name, sizeof failed_name - 1);
    errno = fail_code;
    return 1;
}

#define WRAP(result, name, can_fail, error, parameters, arguments)                           \
    EXPORT result name parameters;                                                           \
    result name parameters                                                                   \
    {                                                                                        \
        static result(*next) parameters;                                                     \
        if (!__atomic_load_n(&next, __ATOMIC_ACQUIRE))                                       \
            __atomic_store_n(&next, (result(*) parameters)dlsym(RTLD_NEXT, #name),           \
                             __ATOMIC_RELEASE);                                              \
        return visit(#name, __builtin_return_address(0), can_fail) ? error : next arguments; \
    }

WRAP(int, ftruncate64, 1, -1, (int fd, off64_t size), (fd, size))
WRAP(int, posix_fallocate64, 1, fail_code, (int fd, off64_t from, off64_t size), (fd, from, size))
WRAP(void *, mmap64, 1, MAP_FAILED,
     (void *wish, size_t size, int access, int flags, int fd, off64_t offset),
     (wish, size, access, flags, fd, offset))
WRAP(int, munmap, 0, -1, (void *start, size_t size), (start, size))
WRAP(int, mprotect, 1, -1, (void *start, size_t size, int access), (start, size, access))
WRAP(int, fstat64, 1, -1, (int fd, struct stat64 *out), (fd, out))
WRAP(int, dup, 1, -1, (int fd), (fd))
WRAP(int, close, 0, -1, (int fd), (fd))
WRAP(ssize_t, read, 0, -1, (int fd, void *out, size_t size), (fd, out, size))
WRAP(ssize_t, write, 0, -1, (int fd, const void *data, size_t size), (fd, data, size))
WRAP(int, eventfd, 1, -1, (unsigned value, int flags), (value, flags))
WRAP(int, socket, 1, -1, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, socketpair, 1, -1, (int domain, int type, int protocol, int pair[2]),
     (domain, type, protocol, pair))
WRAP(int, bind, 1, -1, (int fd, const struct sockaddr *name, socklen_t size), (fd, name, size))
WRAP(int, listen, 1, -1, (int fd, int most), (fd, most))
WRAP(int, connect, 1, -1, (int fd, const struct sockaddr *name, socklen_t size), (fd, name, size))
WRAP(int, accept4, 1, -1, (int fd, struct sockaddr *name, socklen_t *size, int flags),
     (fd, name, size, flags))
WRAP(int, getsockopt, 1, -1, (int fd, int level, int name, void *value, socklen_t *size),
     (fd, level, name, value, size))
WRAP(int, setsockopt, 1, -1, (int fd, int level, int name, const void *value, socklen_t size),
     (fd, level, name, value, size))
WRAP(ssize_t, sendmsg, 1, -1, (int fd, const struct msghdr *message, int flags),
     (fd, message, flags))
WRAP(ssize_t, recvmsg, 1, -1, (int fd, struct msghdr *message, int flags), (fd, message, flags))
WRAP(ssize_t, send, 1, -1, (int fd, const void *data, size_t size, int flags),
     (fd, data, size, flags))
WRAP(ssize_t, recv, 1, -1, (int fd, void *out, size_t size, int flags), (fd, out, size, flags))
WRAP(int, poll, 1, -1, (struct pollfd * fds, nfds_t count, int wait), (fds, count, wait))
WRAP(int, __poll_chk, 1, -1, (struct pollfd * fds, nfds_t count, int wait, size_t room),
     (fds, count, wait, room))
WRAP(int, pthread_create, 1, fail_code,
     (pthread_t * out, const pthread_attr_t *how, void *(*run)(void *), void *argument),
     (out, how, run, argument))
WRAP(int, pthread_mutex_lock, 0, -1, (pthread_mutex_t * lock), (lock))
WRAP(int, pthread_mutex_unlock, 0, -1, (pthread_mutex_t * lock), (lock))

// share/system.h makes these by number.
EXPORT long syscall(long number, ...);
long syscall(long number, ...)
{
    static long (*next)(long, ...);
    long a[6];
    va_list rest;
    va_start(rest, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(rest, long);
    va_end(rest);
    if (!next)
        next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    const char *name = number == SYS_memfd_create ? "memfd_create"
                       : number == SYS_getrandom  ? "getrandom"
                       : number == SYS_fcntl      ? "fcntl"
                                                  : NULL;
    if (name && visit(name, __builtin_return_address(0), 1))
        return -1;
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
