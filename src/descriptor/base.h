// SPDX-License-Identifier: Apache-2.0
// What gcc does not find out by itself on the way of a view (figures: bench/NOTES.md).
#ifndef PIXVIEWI_BASE_H
#define PIXVIEWI_BASE_H

// For functions with a pixview_error on their stack, or many callers: 3 to 4 % of a view.
#define PIXVIEWI_INLINE inline __attribute__((always_inline))

// The linker puts these together, on a few pages of code: 4 % of torch -> GpuMat.
#define PIXVIEWI_HOT __attribute__((hot))

#endif
