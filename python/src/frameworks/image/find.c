// SPDX-License-Identifier: Apache-2.0
// pixview.Image as a source and a target, and its row in the table.

#include "base/errors.h"
#include "base/image_object.h"
#include "base/plain_memory.h"
#include "frameworks/stream_life.h"
#include "frameworks/table.h"

static int image_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    const pv_image *self = (const pv_image *)x;
    if (options->src_layout != PIXVIEW_LAYOUT_NONE && options->src_layout != self->layout) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "src_layout='%s', but the Image has layout '%s'; omit "
                  "src_layout",
                  pixview_layout_name(options->src_layout), pixview_layout_name(self->layout));
        return -1;
    }
    in->image = self->image;
    in->layout = self->layout;
    in->stream_object = Py_XNewRef(self->stream_object);
    pixview_owner_ref(in->image.owner);
    return 0;
}

static PyObject *image_export_take(pv_state *st, pixview_image *image, const pv_plan *plan,
                                   PyObject *stream_object)
{
    return pv_image_new_take(st, image, plan->layout, stream_object);
}

// Bytes of the source's framework, if it lends any; else plain memory on the source's stream.
static int image_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                          const pv_plan *plan, pv_allocation *out)
{
    const pixview_image *image = &like->image;
    pixview_device device = {PIXVIEW_DEVICE_CUDA, image->device.id};
    pv_stream stream = options->has_stream ? (pv_stream){options->stream, options->stream_object}
                                           : (pv_stream){image->stream, like->stream_object};
    void *data = NULL;
    if (pixview_image_on_host(image))
        device = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
    stream.handle = pv_stream_stored(stream.handle, stream.object); // that the memory goes back to
    out->stream_object = Py_XNewRef(stream.object);
    if (device.type == PIXVIEW_DEVICE_CUDA && !pixview_image_is_empty(image) &&
        like->from->allocate_bytes &&
        like->from->allocate_bytes(st, device.id, pixview_image_nbytes(image), out, &data)) {
        return -1;
    }
    if (!data)
        return pv_allocate_plain(st, image, plan->layout, device, stream.handle, out->stream_object,
                                 &out->image);
    return pv_describe_packed(st, image, plan->layout, data, device, &out->image);
}

static int image_owner_of(pv_state *st, PyObject *x, pixview_owner **out)
{
    (void)st;
    *out = ((pv_image *)x)->image.owner;
    return 0;
}

const pv_framework pv_framework_image = {
    .name = "image",
    .call = "view",
    .index = PV_IMAGE,
    .flags = PV_ON_HOST | PV_ON_GPU | PV_OWN_AXES | PV_NO_STREAM | PV_OURS,
    .import = image_import,
    .export_take = image_export_take,
    .allocate = image_allocate,
    .owner_of = image_owner_of,
};
