// SPDX-License-Identifier: Apache-2.0
// Owners of images that are shared: what is given back when the last view of one goes, on a GPU after the work
// that its stream has queued by then.
#ifndef PIXVIEWI_SHARE_HOLD_H
#define PIXVIEWI_SHARE_HOLD_H

#include "descriptor/base.h"
#include "pixview/pixview.h"

struct pixviewi_mapping;

typedef struct pixviewi_hold {
    unsigned
        epoch; // of the process that has it: in a child of a fork there is nothing to give back
    int entry;
    struct pixviewi_mapping *mapping; // of another process; NULL: this one's entry
} pixviewi_hold;

// Sets image->owner, whose release gives `hold` back. On a GPU that happens when image->stream has passed what it has
// by then. The caller still has to give it back if this fails (PIXVIEW_E_MEMORY).
pixview_status pixviewi_hold_image_take(pixview_image *image, const pixviewi_hold *hold,
                                        pixview_error *err);
void pixviewi_hold_give_back(const pixviewi_hold *hold);

// Does one wait for a GPU, or for the end of a capture? Asked again after a while, as nothing tells.
typedef enum pixviewi_waiting {
    PIXVIEWI_WAITS_FOR_NOTHING,
    PIXVIEWI_WAITS_FOR_CAPTURE,
    PIXVIEWI_WAITS_FOR_GPU
} pixviewi_waiting;
pixviewi_waiting pixviewi_holds_waiting(void);

#endif
