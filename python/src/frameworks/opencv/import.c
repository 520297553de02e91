// cv2.cuda.GpuMat: read in place after the self-check, by cv2's public calls otherwise.

#include <string.h>

#include "base/state.h"
#include "image_init.h"

typedef struct {
    int rows, cols, type;
    int64_t step; // bytes
    void *data;
} fields;

static PIXVIEWI_INLINE int read_struct(pv_state *st, PyObject *x, fields *out, pv_source *src)
{
    const pv_gpumat *g = pv_gpumat_header(x);
    if (!g) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "the GpuMat was made without __init__ and has no header");
        return -1;
    }
    *out = (fields){g->rows, g->cols, g->flags & PV_GPUMAT_TYPE_MASK, (int64_t)g->step, g->data};
    if (PIXVIEWI_UNLIKELY(g->allocator != st->gpumat.default_allocator) && g->refcount &&
        PIXVIEWI_UNLIKELY(g->allocator != &pv_gpumat_our_allocator)) {
        src->must_copy = true;
        src->why =
            "the GpuMat's memory belongs to a BufferPool, which takes it back with its stream";
    }
    return 0;
}

static int call_int(PyObject *x, const char *method, int *out)
{
    PyObject *value = PyObject_CallMethod(x, method, NULL);
    *out = value ? (int)PyLong_AsLong(value) : -1;
    Py_XDECREF(value);
    return PyErr_Occurred() ? -1 : 0;
}

static int read_public(pv_state *st, PyObject *x, fields *out)
{
    PyObject *size = PyObject_CallMethodNoArgs(x, st->s_size);
    int rc = size && PyArg_ParseTuple(size, "ii", &out->cols, &out->rows) ? 0 : -1;
    Py_XDECREF(size);
    PyObject *step = rc ? NULL : PyObject_GetAttr(x, st->s_step);
    PyObject *data = rc ? NULL : PyObject_CallMethodNoArgs(x, st->s_cudaPtr);
    if (step && data) {
        out->step = PyLong_AsLongLong(step);
        out->data = PyLong_AsVoidPtr(data);
    }
    Py_XDECREF(step);
    Py_XDECREF(data);
    if (PyErr_Occurred() || call_int(x, "type", &out->type)) {
        pv_raise_from(st, PIXVIEW_E_LAYOUT, "the GpuMat cannot be read by cv2's public calls");
        return -1;
    }
    return 0;
}

// A GpuMat cannot be mistaken: it is H,W,C, or H,W with one channel.
static int check_layout(pv_state *st, const pv_request *req, int channels, pixview_layout *out)
{
    *out = req->src_layout;
    if (PIXVIEWI_LIKELY(*out == PIXVIEW_LAYOUT_NONE))
        *out = channels == 1 ? PIXVIEW_LAYOUT_HW : PIXVIEW_LAYOUT_HWC;
    if (PIXVIEWI_LIKELY(*out == PIXVIEW_LAYOUT_HWC || (*out == PIXVIEW_LAYOUT_HW && channels == 1)))
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT, "src_layout='%s', but a GpuMat of %d channels is HWC%s",
              pixview_layout_name(*out), channels, channels == 1 ? " or HW" : "");
    return -1;
}

__attribute__((noinline, cold)) static int raise_empty(pv_state *st)
{
    pv_raisef(st, PIXVIEW_E_LAYOUT,
              "the GpuMat is empty (0 x 0, no memory): it was released, or not filled yet; %s",
              st->gpumat.cuda ? "upload() or create() fills it"
                              : "this OpenCV, built without CUDA, cannot fill one: pixview's "
                                "docs/opencv-cuda.md says how to build one that can");
    return -1;
}

// -1: raised.
static PIXVIEWI_INLINE int find_device(pv_state *st, const fields *f)
{
    pixview_error err;
    int device = 0;
    bool empty = f->rows == 0 || f->cols == 0;
    if (PIXVIEWI_UNLIKELY(empty && !f->data && f->rows == f->cols))
        return raise_empty(st);
    if (PIXVIEWI_UNLIKELY(empty) ||
        PIXVIEWI_LIKELY(!pixviewi_cuda_pointer_device(f->data, &device, &err))) {
        return device;
    }
    pv_raise(st, &err);
    return -1;
}

// By value, so that the usual path has none of it in memory.
__attribute__((noinline, cold)) static int init_unusual(pv_state *st, fields f, pixview_dtype dtype,
                                                        int device, int channels, pv_source *src)
{
    int64_t size = dtype.bits / 8;
    int64_t shape[3] = {f.rows, f.cols, channels};
    int64_t strides[3] = {f.step, channels * size, size};
    pixview_error err;
    if (!pixview_image_init(&src->image, f.data, 3, shape, strides, dtype,
                            (pixview_device){PIXVIEW_DEVICE_CUDA, device}, PIXVIEW_LAYOUT_HWC,
                            &err)) {
        return 0;
    }
    pv_raise(st, &err);
    return -1;
}

static PIXVIEWI_INLINE int describe(pv_state *st, const fields *f, const pv_request *req,
                                    pv_source *src)
{
    const pv_gpumat_abi *abi = &st->gpumat;
    pixview_dtype dtype;
    int depth = f->type & ((1 << abi->cn_shift) - 1), channels = (f->type >> abi->cn_shift) + 1;
    if (PIXVIEWI_UNLIKELY(!pv_gpumat_dtype(abi, depth, &dtype))) {
        pv_raisef(st, PIXVIEW_E_DTYPE,
                  "the GpuMat's type %d has depth %d, which pixview does not know", f->type, depth);
        return -1;
    }
    int device = find_device(st, f);
    if (device < 0 || check_layout(st, req, channels, &src->layout))
        return -1;
    int64_t size = dtype.bits / 8;
    int64_t shape[3] = {f->rows, f->cols, channels};
    int64_t strides[3] = {f->step, channels * size, size};
    src->kind = PV_GPUMAT;
    // HW is HWC with one channel.
    if (PIXVIEWI_UNLIKELY(!pixviewi_init_common(&src->image, f->data, shape, strides, dtype, size,
                                                (pixview_device){PIXVIEW_DEVICE_CUDA, device},
                                                PIXVIEW_LAYOUT_HWC)) &&
        init_unusual(st, *f, dtype, device, channels, src)) {
        return -1;
    }
    pv_stream stream = pv_end_stream(req, src->image.device.id);
    src->image.stream = stream.handle;
    src->stream_object = Py_XNewRef(stream.object);
    src->foreign_stream = true;
    return 0;
}

__attribute__((noinline)) static int import_public(pv_state *st, PyObject *x, const pv_request *req,
                                                   pv_source *src)
{
    fields f;
    return read_public(st, x, &f) || describe(st, &f, req, src) ? -1 : 0;
}

PIXVIEWI_HOT int pv_import_gpumat(pv_state *st, PyObject *x, const pv_request *req, pv_source *src)
{
    fields f;
    if (PIXVIEWI_UNLIKELY(!st->gpumat.checked) && pv_gpumat_check(st))
        return -1;
    if (PIXVIEWI_UNLIKELY(!pv_gpumat_in_place(&st->gpumat)))
        return import_public(st, x, req, src);
    return read_struct(st, x, &f, src) || describe(st, &f, req, src) ? -1 : 0;
}

int pv_gpumat_type(pv_state *st, PyObject *x, const pixview_image *image)
{
    const int64_t most = 1 << 16; // with which no offset can overflow below
    bool usual = Py_TYPE(x) == st->gpumat_type && pv_gpumat_in_place(&st->gpumat) &&
                 !pixview_image_is_empty(image) && image->shape[PIXVIEW_AXIS_H] <= most &&
                 image->shape[PIXVIEW_AXIS_W] <= most;
    return usual ? pv_gpumat_header(x)->flags & PV_GPUMAT_TYPE_MASK : -1;
}

bool pv_import_gpumat_alike(pv_state *st, PyObject *x, int type, const pixview_image *like,
                            pixview_image *out)
{
    if (Py_TYPE(x) != st->gpumat_type)
        return false;
    const pv_gpumat *g = pv_gpumat_header(x);
    if (!g || (g->flags & PV_GPUMAT_TYPE_MASK) != type || g->rows != like->shape[PIXVIEW_AXIS_H] ||
        g->cols != like->shape[PIXVIEW_AXIS_W])
        return false;
    uint64_t step = g->step, address = (uintptr_t)g->data;
    uint64_t odd = (uint64_t)pixviewi_alignment(pixviewi_itemsize(like)) - 1;
    int device;
    if ((step >> 40 | (address - 1) >> 62 | ((step | address) & odd)) != 0 ||
        pixviewi_cuda_pointer_device(g->data, &device, NULL) || device != like->device.id)
        return false;
    *out = *like;
    out->data = g->data;
    if (g->rows > 1)
        out->strides[PIXVIEW_AXIS_H] = (int64_t)step;
    return true;
}

// ---- holding: what OpenCV's own header copy does --------------------------------------------------

static void free_memory(void *header) { pv_gpumat_free(header); }

// The last count frees: with cudaFree, so in the context of the memory and not under the GIL; or, if
// the memory is ours, by dropping the owner, which wants the GIL if it is there.
PIXVIEWI_HOT static void release_header(pixview_owner *owner)
{
    pv_gpumat *header = (pv_gpumat *)owner->held.words;
    if (PIXVIEWI_UNLIKELY(pixviewi_cuda_gone()))
        return; // OpenCV's static allocator may be gone
    if (PIXVIEWI_LIKELY(!pv_gpumat_drop(header)))
        return;
    if (header->allocator != &pv_gpumat_our_allocator &&
        !pixviewi_cuda_same_context(owner->device, owner->context))
        return; // the memory went with a reset of the device
    if (header->allocator == &pv_gpumat_our_allocator) {
        pv_gpumat_free(header);
        return;
    }
    PyThreadState *gil = pv_have_gil() ? PyEval_SaveThread() : NULL;
    pixviewi_cuda_with_device(owner->device, free_memory, header);
    if (gil)
        PyEval_RestoreThread(gil);
}

PIXVIEWI_HOT pixview_owner *pv_hold_gpumat(pv_state *st, const pv_source *src)
{
    _Static_assert(sizeof(pv_gpumat) <= sizeof(((pixview_owner *)0)->held), "a header fits");
    pv_gpumat *g = pv_gpumat_in_place(&st->gpumat) ? pv_gpumat_header(src->object) : NULL;
    if (PIXVIEWI_UNLIKELY(!g || !g->refcount || !st->gpumat.own_native))
        return pv_hold_object(src->object);
    pixview_owner *owner = pixviewi_owner_new(release_header);
    if (PIXVIEWI_UNLIKELY(!owner)) {
        PyErr_NoMemory();
        return NULL;
    }
    owner->device = src->image.device.id;
    owner->context = pixviewi_cuda_context(owner->device);
    __atomic_add_fetch(g->refcount, 1, __ATOMIC_ACQ_REL);
    memcpy(owner->held.words, g, sizeof *g);
    return owner;
}
