// SPDX-License-Identifier: Apache-2.0
#include "frameworks/imported.h"

#include <stdio.h>

#include "base/errors.h"
#include "base/pyref.h"
#include "descriptor/image_init.h"

static pixview_layout default_layout(const pv_framework *from, const pv_options *options, int ndim)
{
    static const pixview_layout planar[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_CHW,
                                            PIXVIEW_LAYOUT_NCHW};
    static const pixview_layout interleaved[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_HWC,
                                                 PIXVIEW_LAYOUT_NHWC};
    bool is_planar = from->flags & PV_PLANAR && !options->interleaved;
    return is_planar ? planar[ndim - 2] : interleaved[ndim - 2];
}

static const char *src_name(const pv_options *options)
{
    return options->src_name ? options->src_name : "src_layout";
}

static void write_shape(const int64_t *shape, int ndim, char *out, size_t size)
{
    size_t length = 0;
    for (int i = 0; i < ndim && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s%lld", i ? ", " : "",
                                   (long long)shape[i]);
}

__attribute__((cold)) static int fail_guard(pv_state *st, const char *argument,
                                            pixview_layout assumed, int ndim, const int64_t *shape,
                                            int64_t channels, int64_t fewer)
{
    static const pixview_layout others[] = {[PIXVIEW_LAYOUT_CHW] = PIXVIEW_LAYOUT_HWC,
                                            [PIXVIEW_LAYOUT_HWC] = PIXVIEW_LAYOUT_CHW,
                                            [PIXVIEW_LAYOUT_NCHW] = PIXVIEW_LAYOUT_NHWC,
                                            [PIXVIEW_LAYOUT_NHWC] = PIXVIEW_LAYOUT_NCHW};
    const char *read = pixview_layout_name(assumed), *wanted = pixview_layout_name(others[assumed]);
    char text[100];
    write_shape(shape, ndim, text, sizeof text);
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              "shape (%s) read as %s has %lld channels, but read as %s only %lld; pass %s='%s', or "
              "%s='%s' if that is correct",
              text, read, (long long)channels, wanted, (long long)fewer, argument, wanted, argument,
              read);
    return -1;
}

int pv_guard_channels(pv_state *st, const char *argument, pixview_layout assumed, int ndim,
                      const int64_t *shape)
{
    if (ndim < 3)
        return 0;
    bool planar = assumed == PIXVIEW_LAYOUT_CHW || assumed == PIXVIEW_LAYOUT_NCHW;
    int64_t first = shape[ndim - 3], last = shape[ndim - 1];
    int64_t channels = planar ? first : last, fewer = planar ? last : first;
    if (channels <= 4 || fewer > 4)
        return 0;
    return fail_guard(st, argument, assumed, ndim, shape, channels, fewer);
}

static int resolve_layout(pv_state *st, const pv_framework *from, const pv_options *options,
                          int ndim, const int64_t *shape, pixview_layout *out)
{
    if (options->src_layout != PIXVIEW_LAYOUT_NONE) {
        *out = options->src_layout;
        if (pixview_layout_rank(*out) == ndim)
            return 0;
        pv_raisef(st, PIXVIEW_E_LAYOUT, "%s='%s' names %d axes, but the object has %d",
                  src_name(options), pixview_layout_name(*out), pixview_layout_rank(*out), ndim);
        return -1;
    }
    if (ndim < 2 || ndim > 4) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the source has %d axes; an image has 2 to 4: index or reshape it first", ndim);
        return -1;
    }
    *out = default_layout(from, options, ndim);
    return pv_guard_channels(st, src_name(options), *out, ndim, shape);
}

PIXVIEWI_HOT int pv_imported_init(pv_state *st, pv_imported *in, const pv_options *options,
                                  void *data, int ndim, const int64_t *shape,
                                  const int64_t *strides, pixview_dtype dtype,
                                  pixview_device device)
{
    if (resolve_layout(st, in->from, options, ndim, shape, &in->layout))
        return -1;
    if (strides && pixviewi_init_common(&in->image, data, shape, strides, dtype,
                                        pixview_dtype_size(dtype), device, in->layout))
        return 0;
    if (pixviewi_image_init_unaligned(&in->image, data, ndim, shape, strides, dtype, device,
                                      in->layout, &st->error))
        return pv_fail(st);
    in->unaligned = pixviewi_image_check_aligned(&in->image, in->layout, NULL) != PIXVIEW_OK;
    return 0;
}

PIXVIEWI_HOT int pv_imported_hold(pv_state *st, pv_imported *in)
{
    if (in->image.owner || pixview_image_is_empty(&in->image))
        return 0;
    st->counted_held |= in->from->count_write != NULL;
    in->image.owner =
        in->from->hold ? in->from->hold(st, in) : pv_pyref_owner(in->keep ? in->keep : in->object);
    return in->image.owner ? 0 : -1;
}

PIXVIEWI_HOT void pv_imported_clear(pv_imported *in)
{
    pixview_owner_unref(in->image.owner);
    in->image.owner = NULL;
    if (in->keep != NULL)
        Py_CLEAR(in->keep);
    if (in->stream_object != NULL)
        Py_CLEAR(in->stream_object);
}
