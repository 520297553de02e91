// SPDX-License-Identifier: Apache-2.0
// Image.__dlpack_c_exchange_api__: the DLPack C exchange table (DLPack 1.3) of pixview.Image.
//
// current_work_stream gets no object, and a consumer uses every Image on the stream that it answers. So
// the two functions that hand out memory first order that stream after the Image's own. All of it
// needs the GIL but the allocator, which touches no Python.

#include <assert.h>
#include <stdlib.h>

#include "base/errors.h"
#include "base/pyref.h"
#include "convert/stream_order.h"
#include "cuda/memory.h"
#include "descriptor/dlpack.h"
#include "descriptor/dlpack_abi.h"
#include "descriptor/owner.h"
#include "descriptor/status.h"
#include "frameworks/imported.h"
#include "frameworks/protocols/protocols.h"
#include "frameworks/table.h"
#include "image/image.h"

// Of the module that was imported last: the functions that make an Image get no object to find it by.
static pv_state *newest;

static int bad_argument(const char *message)
{
    PyErr_SetString(PyExc_ValueError, message);
    return -1;
}

static pv_image *checked_image(void *object)
{
    if (object && pv_is_image(object))
        return object;
    if (object)
        PyErr_Format(PyExc_TypeError, "this exchange table reads pixview.Image, not %s",
                     Py_TYPE((PyObject *)object)->tp_name);
    else
        bad_argument("py_object is NULL");
    return NULL;
}

// ---- Image -> DLPack -------------------------------------------------------------------------------

static int from_py(void *object, DlManaged **out)
{
    if (!out)
        return bad_argument("out is NULL");
    *out = NULL;
    pv_image *self = checked_image(object);
    if (!self)
        return -1;
    pv_state *st = PyType_GetModuleState(Py_TYPE(self));
    pixview_image shown = self->image;
    pv_stream work = pv_default_stream(shown.device.id);
    pv_pyref_drain();
    int rc = pv_order_image(st, &shown, self->stream_object, &work);
    if (rc == 0) {
        rc = pixview_image_to_dlpack(&shown, self->layout, out, &st->error) ? -1 : 0;
        if (rc)
            pv_raise(st, &st->error);
        pixview_owner_unref(shown.owner);
    }
    return rc;
}

// A DLTensor has no flags, so who may write cannot be said.
static int check_not_readonly(const pixview_image *image)
{
    if (!(image->flags & PIXVIEW_FLAG_READ_ONLY))
        return 0;
    PyErr_SetString(PyExc_BufferError,
                    "the Image is read-only, and a DLTensor has no read-only flag; use "
                    "managed_tensor_from_py_object_no_sync");
    return -1;
}

// Shape and strides lie in the Image itself: the tensor is borrowed as long as that lives.
static int dltensor_from_py(void *object, DlTensor *out)
{
    if (!out)
        return bad_argument("out is NULL");
    pv_image *self = checked_image(object);
    if (!self || check_not_readonly(&self->image))
        return -1;
    pv_state *st = PyType_GetModuleState(Py_TYPE(self));
    pv_pyref_drain();
    DlTensor tensor = {.shape = self->dl_shape, .strides = self->dl_strides};
    if (pixviewi_dltensor_write(&self->image, self->layout, &tensor, &st->error)) {
        return pv_fail(st);
    }
    pv_stream work = pv_default_stream(self->image.device.id);
    int rc = pv_order_borrowed(st, &self->image, self->stream_object, &work);
    if (rc == 0)
        *out = tensor;
    return rc;
}

// ---- DLPack -> Image -------------------------------------------------------------------------------

static void release_nothing(pixview_owner *owner) { (void)owner; }

// Takes the tensor on success only. It is in use on the stream that current_work_stream answers.
static int to_py(DlManaged *tensor, void **out)
{
    if (!out)
        return bad_argument("out_py_object is NULL");
    *out = NULL;
    if (!tensor)
        return bad_argument("tensor is NULL");
    pv_state *st = newest;
    if (!st) {
        PyErr_SetString(PyExc_RuntimeError, "the module pixview._core is gone");
        return -1;
    }
    pv_options options = {.to = &pv_framework_image, .copy = -1};
    pv_imported in;
    pv_pyref_drain();
    pv_imported_begin(&in, NULL);
    in.from = &pv_framework_protocols;
    if (pv_import_managed_take(st, tensor, &options, &in))
        return -1;
    pv_stream work = pv_default_stream(in.image.device.id);
    in.image.stream = work.handle;
    in.stream_object = Py_XNewRef(work.object);
    PyObject *image = NULL;
    if (pv_order_for_storing(st, &in.image, &in.stream_object) == 0)
        image = pv_image_new_take(st, &in.image, in.layout, in.stream_object);
    if (!image)
        pixviewi_owner_set_release(in.image.owner,
                                   release_nothing); // the tensor stays the caller's
    pv_imported_clear(&in);
    *out = image;
    return image ? 0 : -1;
}

// ---- memory ------------------------------------------------------------------------------------------

typedef struct dl_block {
    DlManaged managed;
    pixview_owner *owner; // of device memory
    void *host;           // malloc'ed
    int64_t dims[];       // shape, then strides in elements
} dl_block;

static void delete_block(DlManaged *self)
{
    dl_block *b = self->manager_ctx;
    pixview_owner_unref(b->owner);
    free(b->host);
    free(b);
}

// Bytes of a dense tensor; -1 if they cannot be counted.
static int64_t count_bytes(const DlTensor *t)
{
    int64_t bits = (int64_t)t->dtype.bits * t->dtype.lanes, bytes = bits / 8;
    bool empty = false, overflow = bits <= 0 || bits % 8 != 0;
    for (int i = 0; i < t->ndim; i++) {
        overflow |= t->shape[i] < 0;
        empty |= t->shape[i] == 0;
    }
    for (int i = 0; i < t->ndim && !empty && !overflow; i++)
        overflow = __builtin_mul_overflow(bytes, t->shape[i], &bytes);
    return overflow ? -1 : empty ? 0 : bytes;
}

static dl_block *dense_block(const DlTensor *prototype)
{
    int ndim = prototype->ndim;
    dl_block *b = calloc(1, sizeof *b + 2 * (size_t)ndim * sizeof b->dims[0]);
    if (!b)
        return NULL;
    int64_t *shape = b->dims, *strides = b->dims + ndim, step = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        shape[i] = prototype->shape[i];
        strides[i] = step;
        // An empty prototype may have any extents, whose strides then mean nothing.
        if (__builtin_mul_overflow(step, shape[i] > 0 ? shape[i] : 1, &step))
            step = 1;
    }
    assert(step > 0);
    b->managed = (DlManaged){.version = {DL_MAJOR, DL_MINOR},
                             .manager_ctx = b,
                             .deleter = delete_block,
                             .tensor = {.device = prototype->device,
                                        .ndim = ndim,
                                        .dtype = prototype->dtype,
                                        .shape = shape,
                                        .strides = strides}};
    return b;
}

static pixview_status check_prototype(const DlTensor *t, int64_t *nbytes, pixview_error *err)
{
    enum { MOST_AXES = 64 };
    if (!t || t->ndim < 0 || t->ndim > MOST_AXES || (t->ndim > 0 && !t->shape))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "the prototype is NULL, has no shape, or not "
                             "0 to 64 axes");
    if (t->device.type != PIXVIEW_DEVICE_CPU && t->device.type != PIXVIEW_DEVICE_CUDA)
        return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                             "DLPack device type %d; pixview allocates CPU (1) and CUDA (2) memory",
                             (int)t->device.type);
    *nbytes = count_bytes(t);
    if (*nbytes >= 0)
        return PIXVIEW_OK;
    return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                         "an extent is negative, the size exceeds 64 bits, or %d bits x %d lanes "
                         "are not whole bytes",
                         t->dtype.bits, t->dtype.lanes);
}

// Dense and uninitialised; device memory is ordered on, and goes back to, the legacy stream.
static pixview_status allocate_block(const DlTensor *prototype, dl_block **out, pixview_error *err)
{
    int64_t nbytes;
    pixview_status status = check_prototype(prototype, &nbytes, err);
    if (status)
        return status;
    dl_block *b = dense_block(prototype);
    if (!b)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for a DLPack struct");
    void **data = &b->managed.tensor.data;
    if (prototype->device.type == PIXVIEW_DEVICE_CUDA) {
        status = pixviewi_cuda_alloc(prototype->device.id, nbytes, PIXVIEW_STREAM_LEGACY, data,
                                     &b->owner, err);
    } else if (nbytes > 0 && posix_memalign(&b->host, 64, (size_t)nbytes) != 0) {
        b->host = NULL;
        status = pixviewi_fail(err, PIXVIEW_E_MEMORY, "no host memory for %lld bytes",
                               (long long)nbytes);
    } else {
        *data = b->host;
    }
    if (status) {
        delete_block(&b->managed);
        return status;
    }
    *out = b;
    return PIXVIEW_OK;
}

static const char *error_kind(pixview_status status)
{
    switch (status) {
    case PIXVIEW_E_MEMORY:
        return "MemoryError";
    case PIXVIEW_E_CUDA:
        return "RuntimeError";
    default:
        return "BufferError";
    }
}

static int image_allocator(DlTensor *prototype, DlManaged **out, void *error_ctx,
                           void (*set_error)(void *error_ctx, const char *kind,
                                             const char *message))
{
    dl_block *b = NULL;
    pixview_error err;
    pixview_status status = !out ? pixviewi_fail(&err, PIXVIEW_E_INVALID, "out is NULL")
                                 : allocate_block(prototype, &b, &err);
    if (out)
        *out = b ? &b->managed : NULL;
    if (status && set_error)
        set_error(error_ctx, error_kind(status), err.message);
    return status ? -1 : 0;
}

// ---- streams -----------------------------------------------------------------------------------------

// The legacy stream is written 1 (CU_STREAM_LEGACY): NULL would read as "unknown", and in code built for
// per-thread default streams as another stream.
static int image_work_stream(int32_t device_type, int32_t device_id, void **out)
{
    if (!out)
        return bad_argument("out_current_stream is NULL");
    *out = NULL;
    if (device_type != PIXVIEW_DEVICE_CUDA && device_type != PIXVIEW_DEVICE_CUDA_MANAGED)
        return 0;
    if (!newest) {
        PyErr_SetString(PyExc_RuntimeError, "the module pixview._core is gone");
        return -1;
    }
    pixview_stream work = pv_default_stream(device_id).handle;
    *out = (void *)(work == PIXVIEW_STREAM_LEGACY ? 1 : work);
    return 0;
}

// ---- the table ---------------------------------------------------------------------------------------

static const DlExchange image_table = {
    .header = {.version = {DL_MAJOR, DL_MINOR}, .prev_api = NULL},
    .allocator = image_allocator,
    .from_py = from_py,
    .to_py = to_py,
    .dltensor_from_py = dltensor_from_py,
    .current_work_stream = image_work_stream,
};

int pv_exchange_publish(pv_state *st, PyTypeObject *type)
{
    PyObject *capsule = PyCapsule_New((void *)&image_table, "dlpack_exchange_api", NULL);
    // Consumers look it up on the type, which is immutable by now.
    int rc = capsule ? PyDict_SetItem(type->tp_dict, st->s___dlpack_c_exchange_api__, capsule) : -1;
    Py_XDECREF(capsule);
    PyType_Modified(type);
    if (rc == 0)
        newest = st;
    return rc;
}

void pv_exchange_withdraw(pv_state *st)
{
    if (newest == st)
        newest = NULL;
}
