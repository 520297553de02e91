// Inlining that gcc does not do by itself: of functions with a pixview_error on their stack, or many
// callers. Worth 3 to 4 % of a view where it is used (bench/NOTES.md).
#ifndef PIXVIEWI_BASE_H
#define PIXVIEWI_BASE_H

#define PIXVIEWI_INLINE inline __attribute__((always_inline))

#endif
