// Import: which adapter reads the object, what order its axes have, and how it is held.

#include "base/state.h"
#include "image_init.h"

static pixview_layout default_layout(pv_kind kind, int ndim)
{
    static const pixview_layout planar[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_CHW,
                                            PIXVIEW_LAYOUT_NCHW};
    static const pixview_layout interleaved[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_HWC,
                                                 PIXVIEW_LAYOUT_NHWC};
    return (kind == PV_TORCH ? planar : interleaved)[ndim - 2];
}

static const char *src_name(const pv_request *req)
{
    return req->src_name ? req->src_name : "src_layout";
}

// The usual mistake: an H,W,C array passed where C,H,W is assumed, or the reverse. Only without an
// explicit src_layout, which is always obeyed.
static int guard(pv_state *st, const pv_request *req, pixview_layout assumed, const int64_t *shape)
{
    int c = assumed == PIXVIEW_LAYOUT_CHW ? 0 : 2, other = 2 - c;
    if (PIXVIEWI_LIKELY(shape[c] <= 4 || shape[other] > 4))
        return 0;
    const char *wanted = assumed == PIXVIEW_LAYOUT_CHW ? "HWC" : "CHW";
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              "shape (%lld, %lld, %lld) read as %s has %lld channels, but as %s only %lld: pass "
              "%s='%s', or %s='%s' if it really is meant",
              (long long)shape[0], (long long)shape[1], (long long)shape[2],
              pixview_layout_name(assumed), (long long)shape[c], wanted, (long long)shape[other],
              src_name(req), wanted, src_name(req), pixview_layout_name(assumed));
    return -1;
}

static int resolve_layout(pv_state *st, pv_kind kind, const pv_request *req, int ndim,
                          const int64_t *shape, pixview_layout *out)
{
    if (req->src_layout != PIXVIEW_LAYOUT_NONE) {
        *out = req->src_layout;
        if (PIXVIEWI_LIKELY(pixview_layout_rank(*out) == ndim))
            return 0;
        pv_raisef(st, PIXVIEW_E_LAYOUT, "%s='%s' names %d axes, but the object has %d",
                  src_name(req), pixview_layout_name(*out), pixview_layout_rank(*out), ndim);
        return -1;
    }
    if (PIXVIEWI_UNLIKELY(ndim < 2 || ndim > 4)) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the source has %d axes; an image has 2 to 4: index or reshape it first", ndim);
        return -1;
    }
    *out = default_layout(kind, ndim);
    return ndim == 3 ? guard(st, req, *out, shape) : 0;
}

PIXVIEWI_HOT int pv_source_init(pv_state *st, pv_source *src, pv_kind kind, const pv_request *req,
                                void *data, int ndim, const int64_t *shape, const int64_t *strides,
                                pixview_dtype dtype, pixview_device device)
{
    src->kind = kind;
    if (resolve_layout(st, kind, req, ndim, shape, &src->layout))
        return -1;
    pixview_error err;
    if (PIXVIEWI_LIKELY(strides &&
                        pixviewi_init_common(&src->image, data, shape, strides, dtype,
                                             pixview_dtype_size(dtype), device, src->layout)) ||
        !pixview_image_init(&src->image, data, ndim, shape, strides, dtype, device, src->layout,
                            &err)) {
        return 0;
    }
    pv_raise(st, &err);
    return -1;
}

static int import_image(pv_state *st, PyObject *x, const pv_request *req, pv_source *src)
{
    const pv_image *self = (const pv_image *)x;
    if (req->src_layout != PIXVIEW_LAYOUT_NONE && req->src_layout != self->layout) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "src_layout='%s', but the Image itself is '%s'",
                  pixview_layout_name(req->src_layout), pixview_layout_name(self->layout));
        return -1;
    }
    src->kind = PV_IMAGE;
    src->image = self->image;
    src->layout = self->layout;
    src->stream_object = Py_XNewRef(self->stream_object);
    pixview_owner_ref(src->image.owner);
    return 0;
}

// What somebody who gave this may have meant.
static const char *hint_of(PyObject *x)
{
    if (PyList_Check(x) || PyTuple_Check(x))
        return "; of several images pixview.stack makes one batch, of numbers numpy.asarray an "
               "array";
    if (x == Py_None)
        return "; did cv2.imread or another reader fail?";
    if (PyUnicode_Check(x) || PyObject_HasAttrString((PyObject *)Py_TYPE(x), "__fspath__"))
        return "; a file has to be read first, by cv2.imread or PIL.Image.open";
    return "";
}

// The protocols in the order in which they are tried. Not among the code of plain views.
__attribute__((noinline)) static int import_protocols(pv_state *st, PyObject *x,
                                                      const pv_request *req, pv_source *src)
{
    if (PyCapsule_CheckExact(x))
        return pv_import_capsule(st, x, req, src);
    int done = PyType_Check(x) ? 1 : pv_import_exchange(st, x, req, src);
    if (done != 1)
        return done;
    const struct {
        PyObject *name;
        bool cuda;
    } tries[] = {{st->s___dlpack__, true},
                 {st->s___cuda_array_interface__, true},
                 {st->s___array_interface__, false}};
    for (int i = 0; i < 3; i++) {
        PyObject *found = PyType_Check(x) ? NULL : PyObject_GetAttr(x, tries[i].name);
        if (found) {
            int rc = i == 0 ? pv_import_dlpack(st, x, req, src)
                            : pv_import_interface(st, x, found, tries[i].cuda, req, src);
            Py_DECREF(found);
            return rc;
        }
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_AttributeError)) {
            pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "%U of a %s object cannot be read",
                          tries[i].name, Py_TYPE(x)->tp_name);
            return -1;
        }
        PyErr_Clear();
    }
    if (PyObject_CheckBuffer(x))
        return pv_import_buffer(st, x, req, src);
    pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
              "a %s object is no image that pixview knows: not a GpuMat, torch tensor, CuPy or "
              "NumPy array "
              "or pixview.Image, and without __dlpack_c_exchange_api__, __dlpack__, "
              "__cuda_array_interface__, __array_interface__ and buffer protocol%s",
              Py_TYPE(x)->tp_name, hint_of(x));
    return -1;
}

static int import_tensor(pv_state *st, PyObject *x, const pv_request *req, pv_source *src)
{
    if (PIXVIEWI_LIKELY(pv_torch_by_table(st))) {
        return pv_import_table(st, x, st->torch_table, PV_TORCH, req, src);
    }
    return pv_import_tensor_attributes(st, x, req, src);
}

PIXVIEWI_HOT int pv_import(pv_state *st, PyObject *x, const pv_request *req, pv_source *src)
{
    pv_drain_deferred();
    switch (pv_kind_of(st, x)) {
    case PV_TORCH:
        return import_tensor(st, x, req, src);
    case PV_GPUMAT:
        return pv_import_gpumat(st, x, req, src);
    case PV_CUPY:
        return pv_import_cupy(st, x, req, src);
    case PV_NUMPY:
        return pv_import_numpy(st, x, req, src);
    case PV_IMAGE:
        return import_image(st, x, req, src);
    default:
        return import_protocols(st, x, req, src);
    }
}

PIXVIEWI_HOT int pv_source_hold(pv_state *st, pv_source *src)
{
    if (PIXVIEWI_UNLIKELY(src->image.owner || pixview_image_is_empty(&src->image)))
        return 0;
    if (src->kind == PV_GPUMAT) {
        src->image.owner = pv_hold_gpumat(st, src);
    } else {
        src->image.owner = pv_hold_object(src->keep ? src->keep : src->object);
    }
    return src->image.owner ? 0 : -1;
}

PIXVIEWI_HOT void pv_source_clear(pv_source *src)
{
    pixview_owner_unref(src->image.owner);
    src->image.owner = NULL;
    if (PIXVIEWI_UNLIKELY(src->keep != NULL))
        Py_CLEAR(src->keep);
    if (PIXVIEWI_UNLIKELY(src->stream_object != NULL))
        Py_CLEAR(src->stream_object);
}
