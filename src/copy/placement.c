// SPDX-License-Identifier: Apache-2.0
// pixview_placement_fit: the numbers of kernels/geometry.h, with their checks.
#include "pixview/placement.h"

#include "copy/geometry.h"
#include "descriptor/status.h"
#include "kernels/geometry.h"

_Static_assert((int)PIXVIEW_FIT_COVER == (int)PIXVIEWI_FIT_COVER, "fits in one order");

static const int64_t LONGEST = INT32_MAX;

static void show_axis(const pixviewi_axis *a, int64_t *at, int64_t *length, int64_t *skip,
                      double *source, double *source_length, double *scale)
{
    *at = pixviewi_axis_begin(a);
    *length = pixviewi_axis_length(a);
    *skip = a->skip > 0 ? a->skip : 0;
    *scale = (double)a->resized / (double)a->source;
    *source = (double)*skip * (double)a->source / (double)a->resized;
    *source_length = (double)*length * (double)a->source / (double)a->resized;
}

pixview_status pixviewi_check_placing(const pixview_placement_params *p, pixview_error *err)
{
    if (p->struct_size != sizeof *p)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "params->struct_size is %zu, but this library's is %zu",
                             p->struct_size, sizeof *p);
    if (p->fit < PIXVIEW_FIT_NONE || p->fit > PIXVIEW_FIT_COVER ||
        p->align < PIXVIEW_ALIGN_CENTER || p->align > PIXVIEW_ALIGN_TOP_LEFT)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "fit=%d, align=%d: one of them is unknown",
                             (int)p->fit, (int)p->align);
    if (p->canvas_h < 1 || p->canvas_w < 1 || p->canvas_h > LONGEST || p->canvas_w > LONGEST)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "a canvas of %lld x %lld pixels: each extent must be 1 to 2^31 - 1",
                             (long long)p->canvas_h, (long long)p->canvas_w);
    if (p->stride < 0 || (p->stride && p->fit != PIXVIEW_FIT_LETTERBOX))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "stride=%lld: it is above 0, and for the fit 'letterbox' alone",
                             (long long)p->stride);
    return PIXVIEW_OK;
}

pixview_status pixviewi_check_placed(int64_t h, int64_t w, const pixview_placement_params *p,
                                     pixview_error *err)
{
    if (h < 1 || w < 1 || h > LONGEST || w > LONGEST)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "an image of %lld x %lld pixels cannot be placed; each extent must be "
                             "1 to 2^31 - 1",
                             (long long)h, (long long)w);
    if (p->fit == PIXVIEW_FIT_NONE && (h > p->canvas_h || w > p->canvas_w))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "an image of %lld x %lld does not fit a canvas of %lld x %lld; crop "
                             "it, pass a larger size, or a fit that scales",
                             (long long)h, (long long)w, (long long)p->canvas_h,
                             (long long)p->canvas_w);
    return PIXVIEW_OK;
}

pixview_status pixview_placement_fit(int64_t src_h, int64_t src_w,
                                     const pixview_placement_params *params, pixview_placement *out,
                                     pixview_error *err)
{
    if (!params || !out)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "params or out is NULL");
    pixview_status status = pixviewi_check_placing(params, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_check_placed(src_h, src_w, params, err);
    if (status != PIXVIEW_OK)
        return status;
    const pixviewi_fit_args fit = {(int)params->fit, params->align == PIXVIEW_ALIGN_CENTER,
                                   params->no_scaleup};
    pixviewi_axis h = {src_h, params->canvas_h, 0, 0}, w = {src_w, params->canvas_w, 0, 0};
    if (params->stride) {
        pixviewi_resize_axes(&h, &w, &fit);
        h.canvas = h.resized + (h.canvas - h.resized) % params->stride;
        w.canvas = w.resized + (w.canvas - w.resized) % params->stride;
        pixviewi_align(&h, fit.center);
        pixviewi_align(&w, fit.center);
    } else {
        pixviewi_place(&h, &w, &fit);
    }
    out->canvas_h = h.canvas;
    out->canvas_w = w.canvas;
    out->resized_h = h.resized;
    out->resized_w = w.resized;
    show_axis(&h, &out->y, &out->h, &out->skip_y, &out->source_y, &out->source_h, &out->scale_y);
    show_axis(&w, &out->x, &out->w, &out->skip_x, &out->source_x, &out->source_w, &out->scale_x);
    return PIXVIEW_OK;
}
