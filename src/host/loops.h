// SPDX-License-Identifier: Apache-2.0
// What the files of loops share (loops.c, loops_video.c).
#ifndef PIXVIEWI_HOST_LOOPS_H
#define PIXVIEWI_HOST_LOOPS_H

#include <stdint.h>

// The loop writes nothing that it reads. clang has no such promise that may go unused: it looks itself.
#ifdef __clang__
#define APART
#else
#define APART _Pragma("GCC ivdep")
#endif

typedef uint8_t __attribute__((may_alias)) unit_1;
typedef uint16_t __attribute__((may_alias, aligned(1))) unit_2;
typedef uint32_t __attribute__((may_alias, aligned(1))) unit_4;

#endif
