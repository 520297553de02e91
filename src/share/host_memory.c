// SPDX-License-Identifier: Apache-2.0
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // F_SEAL_SHRINK, MFD_CLOEXEC
#endif
#include "share/host_memory.h"
#include "share/system.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

// A name for each cause, as strerror is not safe in threads.
static const char *reason(int code)
{
    switch (code) {
    case EMFILE:
    case ENFILE:
        return "too many open files; raise `ulimit -n`";
    case ENOSPC:
    case ENOMEM:
        return "out of memory";
    case EPERM:
    case ENOSYS:
        return "memfd_create is not permitted, as some seccomp profiles say";
    default:
        return "the system refused";
    }
}

static pixview_status fail(pixview_error *err, int64_t bytes)
{
    int code = errno;
    return pixviewi_fail(err, PIXVIEW_E_MEMORY,
                         "cannot make %lld bytes of shared host memory: %s (errno %d)",
                         (long long)bytes, reason(code), code);
}

// A number of bytes or of KiB behind `word` in a file; -1: none.
static int64_t number_in(const char *path, const char *word)
{
    char text[256];
    long long value = -1;
    FILE *file = fopen(path, "re");
    while (file && value < 0 && fgets(text, sizeof text, file))
        if (strncmp(text, word, strlen(word)) == 0 &&
            sscanf(text + strlen(word), "%lld", &value) != 1)
            value = -1;
    if (file)
        fclose(file);
    return value;
}

// The system has no limit of its own for such memory, and would kill some process for more than there is.
static bool is_there(int64_t bytes)
{
    int64_t kib = number_in("/proc/meminfo", "MemAvailable:");
    int64_t most = number_in("/sys/fs/cgroup/memory.max", "");
    int64_t used = number_in("/sys/fs/cgroup/memory.current", "");
    // Pages of files are counted, but given up for others.
    int64_t active = number_in("/sys/fs/cgroup/memory.stat", "active_file ");
    int64_t inactive = number_in("/sys/fs/cgroup/memory.stat", "inactive_file ");
    if (used >= 0 && active >= 0 && inactive >= 0)
        used -= active + inactive;
    return (kib < 0 || bytes / 1024 < kib) && (most < 0 || used < 0 || bytes <= most - used);
}

// All pages at once cost less than a fault for each, and fail here and not at a write.
static int reserve(int fd, int64_t bytes)
{
    if (!is_there(bytes)) {
        errno = ENOMEM;
        return -1;
    }
    if (ftruncate(fd, bytes) != 0)
        return -1;
    const int64_t PIECE = 1 << 24; // a signal ends the call, and takes back what it has
    for (int64_t from = 0; from < bytes;) {
        int64_t size = bytes - from < PIECE ? bytes - from : PIECE;
        int code = posix_fallocate(fd, from, size);
        if (code != 0 && code != EINTR) {
            errno = code;
            return -1;
        }
        from += code == 0 ? size : 0;
    }
    return pixviewi_fcntl(fd, F_ADD_SEALS, SEALS);
}

pixview_status pixviewi_host_memory_new(const char *name, int64_t bytes, void **base, int *fd,
                                        pixview_error *err)
{
    *base = NULL;
    *fd = pixviewi_memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return fail(err, bytes);
    void *mapped = MAP_FAILED;
    if (reserve(*fd, bytes) == 0)
        mapped =
            mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, *fd, 0);
    if (mapped == MAP_FAILED) {
        pixview_status status = fail(err, bytes);
        close(*fd);
        *fd = -1;
        return status;
    }
    *base = mapped;
    return PIXVIEW_OK;
}

pixview_status pixviewi_host_memory_map(int fd, int64_t bytes, void **base, pixview_error *err)
{
    struct stat facts;
    int seals = pixviewi_fcntl(fd, F_GET_SEALS, 0); // -1: it can have none
    *base = NULL;
    // Without the seals its maker could cut it, and every access would be a bus error.
    if (fstat(fd, &facts) != 0 || facts.st_size < bytes || seals < 0 || (seals & SEALS) != SEALS)
        return pixviewi_fail(err, PIXVIEW_E_SHARE,
                             "the other process sent no sealed memory of %lld bytes",
                             (long long)bytes);
    void *mapped =
        mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (mapped == MAP_FAILED)
        return fail(err, bytes);
    *base = mapped;
    return PIXVIEW_OK;
}
