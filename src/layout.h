// The table of layouts: which canonical axis (N,H,W,C) each axis of a layout is.
#ifndef PIXVIEWI_LAYOUT_H
#define PIXVIEWI_LAYOUT_H

#include "internal.h"

typedef struct pixviewi_axes {
    const char *name;
    int rank;
    uint8_t axis[4];   // canonical axis of each of the layout's axes
    uint8_t absent[4]; // the canonical axes that the layout lacks, 4 - rank of them
} pixviewi_axes;

extern const pixviewi_axes pixviewi_layouts[PIXVIEW_NHWC + 1] __attribute__((visibility("hidden")));

// NULL for NONE and for what is not in the enum.
static inline const pixviewi_axes *pixviewi_layout_axes(pixview_layout layout)
{
    unsigned index = (unsigned)layout;
    return index - 1u < (unsigned)PIXVIEW_NHWC ? &pixviewi_layouts[index] : NULL;
}

#endif
