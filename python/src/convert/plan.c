// SPDX-License-Identifier: Apache-2.0
#include "convert/plan.h"

#include <assert.h>

#include "base/errors.h"
#include "descriptor/axes.h"
#include "descriptor/image_init.h"
#include "descriptor/status.h"

// The result has the source's rank, in the order that is usual on its side.
static pixview_layout result_layout(const pv_imported *in, const pv_options *options)
{
    if (options->layout != PIXVIEW_LAYOUT_NONE)
        return options->layout;
    if (options->to->flags & PV_OURS)
        return in->layout;
    static const pixview_layout by_rank[][2] = {{PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_HW},
                                                {PIXVIEW_LAYOUT_HWC, PIXVIEW_LAYOUT_CHW},
                                                {PIXVIEW_LAYOUT_NHWC, PIXVIEW_LAYOUT_NCHW}};
    return by_rank[pixviewi_rank(in->layout) - 2][(options->to->flags & PV_PLANAR) != 0];
}

// 0 if both ends are in the same kind of memory, or the caller asked for the move.
static int check_memory_kind(pv_state *st, const pv_imported *in, const pv_options *options,
                             bool *crosses)
{
    bool host = pixview_image_on_host(&in->image);
    *crosses = !(options->to->flags & (host ? PV_ON_HOST : PV_ON_GPU));
    if (!*crosses || options->copy == 1)
        return 0;
    const char *call = options->call ? options->call : options->to->call;
    if (options->copy == 0) {
        pv_raisef(st, PIXVIEW_E_DEVICE,
                  "the source is in %s memory, and copy=False does not allow a copy; %s(x, "
                  "copy=True) %s it",
                  host ? "host" : "device", call, host ? "uploads" : "downloads");
    } else {
        pv_raisef(st, PIXVIEW_E_DEVICE, "the source is in %s memory: %s(x, copy=True) %s it",
                  host ? "host" : "device", call, host ? "uploads" : "downloads");
    }
    return -1;
}

// Why `image` cannot be seen as asked; PIXVIEW_OK when it can.
static pixview_status refuse_view(const pv_imported *in, const pv_options *options,
                                  pixview_layout layout, pixview_error *err)
{
    const pv_framework *to = options->to;
    if (in->copy_reason)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "%s", in->copy_reason);
    if (in->unaligned)
        return pixviewi_image_check_aligned(&in->image, in->layout, err);
    if (in->image.flags & PIXVIEW_FLAG_READ_ONLY && to->flags & PV_WRITABLE &&
        !options->allow_readonly)
        return pixviewi_fail(
            err, PIXVIEW_E_READONLY,
            "the source is read-only and the result would be writable; pass copy=True to copy "
            "it, or allow_readonly=True to alias it");
    if (options->contiguous && !pixview_image_is_packed(&in->image, layout))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "the source is not dense as %s, which contiguous=True requires",
                             pixview_layout_name(layout));
    return to->check_view ? to->check_view(&in->image, err) : PIXVIEW_OK;
}

// What no copy could cure either.
static int check_describable(pv_state *st, const pv_imported *in, const pv_options *options,
                             pv_plan *plan)
{
    int ndim;
    int64_t shape[4], strides[4];
    if (options->to->check && options->to->check(st, &in->image, plan))
        return -1;
    // No axis is dropped: HW is part of CHW and HWC, and they of NCHW and NHWC.
    if (options->to->flags & PV_NO_BATCH ||
        pixviewi_rank(plan->layout) >= pixviewi_rank(in->layout))
        return 0;
    if (!pixview_image_axes(&in->image, plan->layout, &ndim, shape, strides, &st->error))
        return 0;
    return pv_fail(st);
}

int pv_check_stream_applies(const pv_options *options, bool applies)
{
    if (!options->has_stream || applies)
        return 0;
    PyErr_SetString(PyExc_ValueError, "stream= applies to a GpuMat or Image; no end here is one");
    return -1;
}

static int refuse_copy(pv_state *st)
{
    const pixview_error *why = &st->error;
    bool told = why->code == PIXVIEW_E_READONLY; // it names copy=True
    pv_raisef(st, why->code, "%s%s", why->message,
              told ? "" : "; copy=False forbids a copy, copy=None makes one");
    return -1;
}

PIXVIEWI_HOT int pv_make_plan(pv_state *st, const pv_imported *in, const pv_options *options,
                              pv_plan *plan)
{
    bool crosses;
    const pv_framework *to = options->to;
    // To put the reason into words takes longer than to find it: only where somebody reads it.
    pixview_error *why = options->planning || options->copy == 0 ? &st->error : NULL;
    plan->layout = result_layout(in, options);
    st->error.message[0] = '\0';
    if (pv_check_stream_applies(options, in->stream_from_caller || to->flags & PV_NO_STREAM) ||
        check_describable(st, in, options, plan) || check_memory_kind(st, in, options, &crosses)) {
        return -1;
    }
    if (options->copy == 1) {
        plan->kind = PV_COPY;
        pixviewi_fail(why, PIXVIEW_OK, crosses ? "between host and device" : "copy=True");
        return 0;
    }
    if (in->producer_copied && options->copy == 0) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the producer's __dlpack__ returned a copy, which copy=False does not allow");
        return -1;
    }
    if (refuse_view(in, options, plan->layout, why)) {
        plan->kind = PV_COPY;
        return options->copy == 0 ? refuse_copy(st) : 0;
    }
    assert(!crosses && plan->layout != PIXVIEW_LAYOUT_NONE);
    plan->kind = PV_VIEW;
    if (in->from == to && plan->layout == in->layout &&
        (!(to->flags & PV_OURS) || !options->has_stream)) // else an Image ordered for that stream
        plan->kind = PV_SELF;
    return 0;
}
