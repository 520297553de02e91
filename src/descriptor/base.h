// What the compiler is told.
#ifndef PIXVIEWI_BASE_H
#define PIXVIEWI_BASE_H

#define PIXVIEWI_LIKELY(x)   __builtin_expect(!!(x), 1)
#define PIXVIEWI_UNLIKELY(x) __builtin_expect(!!(x), 0)

// On the path of every view. By itself gcc inlines no function that has a pixview_error on its stack.
#define PIXVIEWI_INLINE inline __attribute__((always_inline))

// On that path as well, and too large for it: the linker puts these together, on a few pages of code.
#define PIXVIEWI_HOT __attribute__((hot))

#endif
