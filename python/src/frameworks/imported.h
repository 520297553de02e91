// SPDX-License-Identifier: Apache-2.0
// The life of a pv_imported: filled by an adapter, held for a view, cleared.
#ifndef PV_FRAMEWORKS_IMPORTED_H
#define PV_FRAMEWORKS_IMPORTED_H

#include "frameworks/framework.h"

// Sets what an adapter may leave alone: clearing all of it costs as much as reading a GpuMat.
static inline void pv_imported_begin(pv_imported *in, PyObject *object)
{
    in->image.owner = NULL;
    in->object = object;
    in->stream_object = in->keep = NULL;
    in->copy_reason = NULL;
    in->video = NULL;
    in->producer_copied = in->stream_from_caller = in->unaligned = false;
}

// Fills image and layout from axes in the object's own order; strides in bytes, NULL: packed. The
// memory may be unaligned, which it says. Guards the channels if the caller named no layout. 0, or -1 with the error.
int pv_imported_init(pv_state *st, pv_imported *in, const pv_options *options, void *data, int ndim,
                     const int64_t *shape, const int64_t *strides, pixview_dtype dtype,
                     pixview_device device);

// The usual mistake, an H,W,C array passed where C,H,W is assumed or the reverse: more than 4 channels, and
// at most 4 in the other order. For a layout that nobody named; `argument` is what names one. 0, or -1.
int pv_guard_channels(pv_state *st, const char *argument, pixview_layout assumed, int ndim,
                      const int64_t *shape);

// Makes image.owner, unless there is one or nothing to hold. 0, or -1 with the error.
int pv_imported_hold(pv_state *st, pv_imported *in);
void pv_imported_clear(pv_imported *in);

#endif
