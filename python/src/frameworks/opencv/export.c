// SPDX-License-Identifier: Apache-2.0
// Descriptor -> cv2.cuda.GpuMat that keeps the memory alive.
//
// A build with CUDA counts: the header names our allocator and the owner's export count, so every ROI
// and header copy of it holds the owner too. A stock build cannot: there the object is of our C-made
// subtype. Where the fields may not be written, a header made by cv2's public call is copied into the
// subtype by cv2's own copy constructor.

#include <assert.h>

#include "base/errors.h"
#include "descriptor/owner.h"
#include "frameworks/opencv/object.h"
#include "frameworks/opencv/opencv.h"

static int gpumat_type(pv_state *st, const pixview_image *image, int *out)
{
    const pv_gpumat_abi *abi = pv_gpumat_abi_of(st);
    int depth = pv_gpumat_depth(abi, image->dtype);
    int64_t c = image->shape[PIXVIEW_AXIS_C];
    if (depth >= 0 && c >= 1 && c <= abi->cn_max) {
        *out = depth | (int)((c - 1) << abi->cn_shift);
        return 0;
    }
    if (depth < 0) {
        const char *cure =
            image->dtype.code == PIXVIEW_DTYPE_BOOL     ? "; convert `.view(torch.uint8)`"
            : image->dtype.code == PIXVIEW_DTYPE_BFLOAT ? "; convert `.view(torch.uint16)`"
                                                        : "; convert the values first";
        pv_raisef(st, PIXVIEW_E_DTYPE, "%s is no element type of OpenCV %d%s",
                  pixview_dtype_name(image->dtype), abi->cn_shift == 3 ? 4 : 5, cure);
    } else {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the image has %lld channels; a GpuMat of this OpenCV "
                  "has 1 to %d",
                  (long long)c, abi->cn_max);
    }
    return -1;
}

PIXVIEWI_HOT int pv_gpumat_check_image(pv_state *st, const pixview_image *image, pv_plan *plan)
{
    if (image->shape[PIXVIEW_AXIS_N] != 1) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the source is a batch of %lld images; a GpuMat is one "
                  "image: index the batch, or use pixview.unstack",
                  (long long)image->shape[PIXVIEW_AXIS_N]);
        return -1;
    }
    for (int i = PIXVIEW_AXIS_H; i <= PIXVIEW_AXIS_W; i++) {
        if (image->shape[i] <= INT32_MAX)
            continue;
        pv_raisef(st, PIXVIEW_E_LAYOUT, "%s = %lld; a GpuMat holds at most %d",
                  i == PIXVIEW_AXIS_H ? "H" : "W", (long long)image->shape[i], INT32_MAX);
        return -1;
    }
    return gpumat_type(st, image, &plan->type);
}

// The header shows exactly the view, so that adjustROI and ensureSizeIsEnough cannot walk out of it.
static void fill_header(pv_gpumat *g, const pixview_image *image, int type)
{
    int64_t h = image->shape[PIXVIEW_AXIS_H], w = image->shape[PIXVIEW_AXIS_W],
            c = image->shape[PIXVIEW_AXIS_C];
    int64_t row = w * c * pixview_dtype_size(image->dtype);
    bool empty = h == 0 || w == 0;
    int64_t step = h <= 1 || empty ? row : image->strides[PIXVIEW_AXIS_H];
    bool continuous = !empty && step == row && h * w * c <= INT32_MAX;
    assert(step >= row && c >= 1 && type >= 0 && type <= PV_GPUMAT_TYPE_MASK);
    g->flags = PV_GPUMAT_MAGIC | type | (continuous ? PV_GPUMAT_CONTINUOUS : 0);
    g->rows = (int32_t)h;
    g->cols = (int32_t)w;
    g->step = (size_t)step;
    g->data = g->datastart = empty ? NULL : image->data;
    g->dataend = empty ? NULL : g->data + step * (h - 1) + row;
}

// OpenCV's count of all headers over one owner holds one count of the owner: the image's, for the first.
static void count_up(pv_gpumat *g, pixview_image *image)
{
    int *count = pixviewi_owner_export_count(image->owner);
    if (__atomic_fetch_add(count, 1, __ATOMIC_ACQ_REL) == 0)
        image->owner = NULL;
    g->refcount = count;
    g->allocator = &pv_gpumat_our_allocator;
}

static PyObject *make_counted(pv_state *st, pixview_image *image, int type)
{
    PyObject *object = pv_gpumat_object_new(pv_gpumat_abi_of(st), st->framework_type[PV_GPUMAT]);
    if (!object)
        return NULL;
    pv_gpumat *g = pv_gpumat_header(object);
    fill_header(g, image, type);
    if (image->owner)
        count_up(g, image);
    return object;
}

static PyObject *public_header(pv_state *st, const pixview_image *image, int type)
{
    pv_gpumat g;
    fill_header(&g, image, type);
    return PyObject_CallMethod(pv_opencv_of(st)->cuda, "createGpuMatFromCudaMemory", "iiiKK",
                               g.rows, g.cols, type, (unsigned long long)(uintptr_t)g.data,
                               (unsigned long long)g.step);
}

static PyObject *make_subtype(pv_state *st, pixview_image *image, int type)
{
    PyTypeObject *subtype = pv_gpumat_subtype(st);
    if (!subtype)
        return NULL;
    PyObject *object;
    if (pv_gpumat_in_place(st)) {
        object = pv_gpumat_object_new(pv_gpumat_abi_of(st), subtype);
        if (!object)
            return NULL;
        fill_header(pv_gpumat_header(object), image, type);
    } else {
        PyObject *bare = public_header(st, image, type);
        object = bare ? PyObject_CallOneArg((PyObject *)subtype, bare) : NULL;
        Py_XDECREF(bare);
        if (!object)
            return pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "cv2 refuses this header");
    }
    pv_gpumat_subtype_set_owner_take(object, image->owner);
    image->owner = NULL;
    return object;
}

PIXVIEWI_HOT PyObject *pv_gpumat_export_take(pv_state *st, pixview_image *image,
                                             const pv_plan *plan, PyObject *stream_object)
{
    (void)stream_object; // a GpuMat has no stream
    bool counted = pv_gpumat_in_place(st) && pv_gpumat_abi_of(st)->own_native;
    return counted ? make_counted(st, image, plan->type) : make_subtype(st, image, plan->type);
}
