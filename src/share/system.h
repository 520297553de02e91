// SPDX-License-Identifier: Apache-2.0
// System calls that wheels cannot get from the C library: glibc 2.17 has none of them.
#ifndef PIXVIEWI_SHARE_SYSTEM_H
#define PIXVIEWI_SHARE_SYSTEM_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE // syscall
#endif
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int pixviewi_memfd_create(const char *name, unsigned flags)
{
    return (int)syscall(SYS_memfd_create, name, flags);
}
static inline long pixviewi_getrandom(void *out, size_t size)
{
    return syscall(SYS_getrandom, out, size, 0);
}
// fcntl is another function there.
static inline int pixviewi_fcntl(int fd, int command, int argument)
{
    return (int)syscall(SYS_fcntl, fd, command, argument);
}

#endif
