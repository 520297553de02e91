// SPDX-License-Identifier: Apache-2.0
// pixview.VideoFrame as a source, and as the destination of a copy: its row in the table. No target of a conversion.

#include "base/errors.h"
#include "base/video_object.h"
#include "frameworks/table.h"

// In a list it is an image of its size (copy/video.h).
static int frame_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    const pv_video_frame *self = (const pv_video_frame *)x;
    if (options->src_layout != PIXVIEW_LAYOUT_NONE && options->src_layout != PIXVIEW_LAYOUT_HWC) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "src_layout='%s', but a VideoFrame is 'HWC'; omit it",
                  pixview_layout_name(options->src_layout));
        return -1;
    }
    in->image = self->face;
    in->layout = PIXVIEW_LAYOUT_HWC;
    in->video = self;
    in->copy_reason = self->copy_reason;
    in->stream_object = Py_XNewRef(self->stream_object);
    pixview_owner_ref(in->image.owner);
    return 0;
}

static int frame_check_writable(pv_state *st, const char *name, const pv_imported *dst)
{
    const pixview_video_frame *frame = &dst->video->frame;
    for (int32_t i = 0; i < frame->plane_count; i++) {
        if (!(frame->planes[i].flags & PIXVIEW_FLAG_READ_ONLY))
            continue;
        pv_raisef(st, PIXVIEW_E_READONLY, "plane %d of %s is read-only", (int)i, name);
        return -1;
    }
    return 0;
}

const pv_framework pv_framework_video_frame = {
    .name = "",
    .call = "video_frame",
    .index = PV_VIDEO_FRAME,
    .flags = PV_ON_HOST | PV_ON_GPU | PV_OWN_AXES | PV_NO_STREAM | PV_OURS,
    .import = frame_import,
    .check_writable = frame_check_writable,
};
