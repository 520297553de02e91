// Memory for copies. A torch, CuPy or NumPy result comes from that framework; a GpuMat or an Image
// from the source's framework, else from OpenCV, or from the driver's stream-ordered allocator.

#include <stdlib.h>
#include <string.h>

#include "convert/convert.h"

static int describe(pv_state *st, pv_result *out, void *data, int ndim, const int64_t *shape,
                    const int64_t *strides, pixview_dtype dtype, pixview_device device,
                    pixview_layout layout)
{
    pixview_error err;
    pixview_owner *owner = out->image.owner;
    if (pixview_image_init(&out->image, data, ndim, shape, strides, dtype, device, layout, &err)) {
        out->image.owner = owner;
        pv_raise(st, &err);
        return -1;
    }
    out->image.owner = owner;
    return 0;
}

// ---- torch ---------------------------------------------------------------------------------------

static void set_error(void *ctx, const char *kind, const char *message)
{
    (void)kind;
    pixviewi_fail(ctx, PIXVIEW_E_MEMORY, "%s", message ? message : "torch cannot allocate");
}

static int torch_managed(pv_state *st, int ndim, const int64_t *shape, pixview_dtype dtype,
                         pixview_device device, DlManaged **out)
{
    DlTensor prototype = {.device = {device.type, device.id},
                          .ndim = ndim,
                          .dtype = {dtype.code, dtype.bits, dtype.lanes},
                          .shape = (int64_t *)shape};
    pixview_error err = {.code = PIXVIEW_OK};
    if (st->torch_table->allocator(&prototype, out, &err, set_error) == 0)
        return 0;
    if (!PyErr_Occurred())
        PyErr_SetString(PyExc_MemoryError, err.code ? err.message : "torch cannot allocate");
    return -1;
}

// torch before 2.10: torch.empty, read back by its attributes.
static int torch_empty(pv_state *st, int ndim, const int64_t *shape, pixview_dtype dtype,
                       pixview_device device, PyObject **object, void **data)
{
    PyObject *size = pv_dims(ndim, shape);
    PyObject *type = PyObject_GetAttrString(st->torch, pixview_dtype_name(dtype));
    PyObject *where = device.type == PIXVIEW_DEVICE_CPU
                          ? PyUnicode_FromString("cpu")
                          : PyUnicode_FromFormat("cuda:%d", device.id);
    PyObject *kwargs =
        type && where ? Py_BuildValue("{sOsO}", "dtype", type, "device", where) : NULL;
    PyObject *empty = PyObject_GetAttr(st->torch, st->s_empty);
    PyObject *args = size ? PyTuple_Pack(1, size) : NULL;
    *object = kwargs && empty && args ? PyObject_Call(empty, args, kwargs) : NULL;
    PyObject *pointer = *object ? PyObject_CallMethodNoArgs(*object, st->s_data_ptr) : NULL;
    if (pointer)
        *data = PyLong_AsVoidPtr(pointer);
    Py_XDECREF(pointer);
    Py_XDECREF(args);
    Py_XDECREF(empty);
    Py_XDECREF(kwargs);
    Py_XDECREF(where);
    Py_XDECREF(type);
    Py_XDECREF(size);
    return pointer ? 0 : -1;
}

static int allocate_torch(pv_state *st, const pixview_image *like, pixview_layout layout,
                          pv_result *out)
{
    int ndim;
    int64_t shape[4], strides[4];
    pixview_error err;
    pixview_device device = like->device;
    void *data;
    if (pixview_image_on_host(like))
        device = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
    if (device.type == PIXVIEW_DEVICE_CUDA_MANAGED)
        device.type = PIXVIEW_DEVICE_CUDA;
    if (pixview_image_axes(like, layout, &ndim, shape, strides, &err)) {
        pv_raise(st, &err);
        return -1;
    }
    if (pv_torch_by_table(st)) {
        if (torch_managed(st, ndim, shape, like->dtype, device, &out->managed))
            return -1;
        data = out->managed->tensor.data;
    } else if (torch_empty(st, ndim, shape, like->dtype, device, &out->object, &data)) {
        return -1;
    }
    if (describe(st, out, data, ndim, shape, NULL, like->dtype, device, layout))
        return -1;
    if (device.type == PIXVIEW_DEVICE_CPU)
        return 0;
    return pv_torch_stream(st, device.id, &out->image.stream);
}

// ---- CuPy and NumPy --------------------------------------------------------------------------------

static PyObject *empty_array(pv_state *st, PyObject *module, int ndim, const int64_t *shape,
                             pixview_dtype dtype)
{
    PyObject *type = pv_numpy_dtype(st, dtype);
    PyObject *size = type ? pv_dims(ndim, shape) : NULL;
    PyObject *args[] = {module, size, type};
    PyObject *array = size ? PyObject_VectorcallMethod(st->s_empty, args, 3, NULL) : NULL;
    Py_XDECREF(size);
    return array;
}

// CuPy allocates on its current device, so that is switched for the call.
static PyObject *cupy_empty(pv_state *st, const pixview_device *device, int ndim,
                            const int64_t *shape, pixview_dtype dtype)
{
    if (!device)
        return empty_array(st, st->cupy, ndim, shape, dtype);
    PyObject *scope = PyObject_CallMethod(st->cupy_cuda, "Device", "i", device->id);
    PyObject *entered = scope ? PyObject_CallMethodNoArgs(scope, st->s___enter__) : NULL;
    PyObject *array = entered ? empty_array(st, st->cupy, ndim, shape, dtype) : NULL;
    if (entered) {
        PyObject *type, *value, *traceback;
        PyErr_Fetch(&type, &value, &traceback);
        PyObject *left = PyObject_CallMethod(scope, "__exit__", "OOO", Py_None, Py_None, Py_None);
        Py_XDECREF(left);
        if (type || left)
            PyErr_Restore(type, value, traceback);
    }
    Py_XDECREF(entered);
    Py_XDECREF(scope);
    return array;
}

// The address and device of an array that we just made.
static int array_memory(pv_state *st, PyObject *array, pv_kind kind, int ndim, pixview_image *out,
                        PyObject **stream)
{
    static const pixview_layout by_rank[] = {PIXVIEW_LAYOUT_HW, PIXVIEW_LAYOUT_HWC,
                                             PIXVIEW_LAYOUT_NHWC};
    pv_request as_is = {
        .to = PV_IMAGE, .copy = -1, .src_layout = by_rank[ndim - 2]}; // no guard here
    pv_source made;
    pv_source_begin(&made, array);
    int rc = kind == PV_CUPY ? pv_import_cupy(st, array, &as_is, &made)
                             : pv_import_numpy(st, array, &as_is, &made);
    *out = made.image;
    Py_CLEAR(made.keep);
    Py_XSETREF(*stream, made.stream_object);
    return rc;
}

static int allocate_array(pv_state *st, pv_kind kind, const pixview_image *like,
                          pixview_layout layout, pv_result *out)
{
    int ndim;
    int64_t shape[4], strides[4];
    pixview_error err;
    pixview_image memory;
    bool host = pixview_image_on_host(like);
    if (pixview_image_axes(like, layout, &ndim, shape, strides, &err)) {
        pv_raise(st, &err);
        return -1;
    }
    out->object = kind == PV_CUPY
                      ? cupy_empty(st, host ? NULL : &like->device, ndim, shape, like->dtype)
                      : empty_array(st, st->numpy, ndim, shape, like->dtype);
    if (!out->object || array_memory(st, out->object, kind, ndim, &memory, &out->stream_object))
        return -1;
    if (describe(st, out, memory.data, ndim, shape, NULL, like->dtype, memory.device, layout))
        return -1;
    out->image.stream = memory.stream;
    return 0;
}

// ---- plain memory ------------------------------------------------------------------------------------

static void free_plain(pixview_owner *owner) { free(owner->held.pointers[0]); }

static int allocate_host(int64_t nbytes, pixview_owner **owner, void **data)
{
    *owner = pixviewi_owner_new(free_plain);
    if (!*owner || posix_memalign(data, 64, nbytes > 0 ? (size_t)nbytes : 1) != 0) {
        if (*owner)
            (*owner)->held.pointers[0] = NULL;
        PyErr_NoMemory();
        return -1;
    }
    (*owner)->held.pointers[0] = *data;
    return 0;
}

static int allocate_bytes(pv_state *st, int64_t nbytes, pixview_device device,
                          pixview_stream stream, pixview_owner **owner, void **data)
{
    if (device.type == PIXVIEW_DEVICE_CPU)
        return allocate_host(nbytes, owner, data);
    if (stream == PIXVIEW_STREAM_NONE) // the source is ordered already, but memory needs a stream
        stream = PIXVIEW_STREAM_LEGACY;
    pixview_error err;
    if (!pixviewi_cuda_alloc(device.id, nbytes, stream, data, owner, &err))
        return 0;
    pv_raise(st, &err);
    return -1;
}

int pv_allocate_plain(pv_state *st, const pixview_image *like, pixview_layout layout,
                      pixview_device device, pixview_stream stream, PyObject *keep,
                      pixview_image *out)
{
    int ndim;
    int64_t shape[4], strides[4];
    pixview_error err;
    pv_result result = {.image.owner = NULL};
    void *data = NULL;
    if (device.type == PIXVIEW_DEVICE_CUDA_MANAGED) // the copy of managed memory is none
        device.type = PIXVIEW_DEVICE_CUDA;
    if (pixview_image_axes(like, layout, &ndim, shape, strides, &err)) {
        pv_raise(st, &err);
        return -1;
    }
    if (allocate_bytes(st, pixview_image_nbytes(like), device, stream, &result.image.owner,
                       &data) ||
        describe(st, &result, data, ndim, shape, NULL, like->dtype, device, layout)) {
        pixview_owner_unref(result.image.owner);
        return -1;
    }
    result.image.stream = stream;
    // The memory goes back to this stream, so the owner keeps it alive.
    if (keep && result.image.owner && device.type != PIXVIEW_DEVICE_CPU) {
        pixviewi_use kept = {.stream = PIXVIEW_STREAM_NONE,
                             .back = PIXVIEW_STREAM_NONE,
                             .keep = Py_NewRef(keep),
                             .drop_keep = pv_drop_object};
        if (!pixviewi_owner_add_use(result.image.owner, &kept)) {
            Py_DECREF(keep);
            pixview_owner_unref(result.image.owner);
            PyErr_NoMemory();
            return -1;
        }
    }
    *out = result.image;
    return 0;
}

// The bytes of a tensor, which is what the table allocates.
static int tensor_bytes(pv_state *st, int64_t nbytes, pixview_device device, pixview_owner **owner,
                        void **data)
{
    int64_t shape[] = {nbytes, 1};
    DlManaged *managed;
    pixview_image bytes;
    pixview_error err;
    if (torch_managed(st, 2, shape, (pixview_dtype){PIXVIEW_DTYPE_UINT, 8, 1}, device, &managed))
        return -1;
    if (pixview_image_from_dlpack_take(managed, PIXVIEW_LAYOUT_HW, &bytes, &err)) {
        if (managed->deleter)
            managed->deleter(managed);
        pv_raise(st, &err);
        return -1;
    }
    st->torch_shim.ready = true;
    *owner = bytes.owner;
    *data = bytes.data;
    return 0;
}

// Bytes from the source's framework, for results that have none of their own. Leaves *owner NULL, and
// sets no error, where the source has no allocator either.
static int framework_bytes(pv_state *st, const pv_source *src, int64_t nbytes, pv_result *out,
                           void **data)
{
    int64_t shape[] = {nbytes, 1};
    pixview_device device = src->image.device;
    pixview_dtype byte = {PIXVIEW_DTYPE_UINT, 8, 1};
    if (src->kind == PV_TORCH && pv_torch_by_table(st)) {
        pixview_owner **owner = &out->image.owner;
        if (!pv_torch_allocate(st, device.id, nbytes, owner, data) &&
            tensor_bytes(st, nbytes, device, owner, data)) {
            return -1;
        }
        return pv_torch_stream(st, device.id, &out->image.stream);
    }
    if (src->kind == PV_CUPY) {
        PyObject *array = cupy_empty(st, &device, 2, shape, byte);
        pixview_image bytes;
        if (array && array_memory(st, array, PV_CUPY, 2, &bytes, &out->stream_object) == 0) {
            out->image.owner = pv_hold_object(array);
            *data = bytes.data;
            out->image.stream = bytes.stream;
        }
        Py_XDECREF(array);
        return out->image.owner ? 0 : -1;
    }
    return 0;
}

// ---- GpuMat and Image ----------------------------------------------------------------------------------

typedef struct {
    pv_state *st;
    int rows, cols, type;
    PyObject *out;
} gpumat_call;

static void call_gpumat(void *arg)
{
    gpumat_call *c = arg;
    c->out =
        PyObject_CallFunction((PyObject *)c->st->gpumat_type, "iii", c->rows, c->cols, c->type);
}

// By OpenCV's own allocator, on the source's GPU, or for an upload on the current one.
static int allocate_by_opencv(pv_state *st, const pv_source *src, int type, pixview_stream stream,
                              pv_result *out)
{
    gpumat_call call = {st, (int)src->image.shape[PIXVIEW_AXIS_H],
                        (int)src->image.shape[PIXVIEW_AXIS_W], type, NULL};
    if (pixview_image_on_host(&src->image)) {
        call_gpumat(&call);
    } else {
        pixviewi_cuda_with_device(src->image.device.id, call_gpumat, &call);
    }
    out->object = call.out;
    if (!out->object) {
        pv_raise_from(st, PIXVIEW_E_DEVICE, "OpenCV cannot allocate a GpuMat of %d x %d", call.rows,
                      call.cols);
        return -1;
    }
    pv_request as_is = {.to = PV_IMAGE, .copy = -1, .stream = stream};
    pv_source made;
    pv_source_begin(&made, out->object);
    if (pv_import_gpumat(st, out->object, &as_is, &made))
        return -1;
    out->image = made.image;
    return 0;
}

// Rows padded to the pitch that textures want: 32 bytes (measured on OpenCV 5, docs/guide.md).
static int texture_pitch(pv_state *st, const pixview_image *image, int64_t *pitch, int64_t *total)
{
    const int64_t *n = image->shape;
    int64_t row;
    bool large =
        __builtin_mul_overflow(n[PIXVIEW_AXIS_W],
                               n[PIXVIEW_AXIS_C] * pixview_dtype_size(image->dtype), &row) ||
        row > INT64_MAX - 31;
    *pitch = n[PIXVIEW_AXIS_H] > 1 ? (row + 31) / 32 * 32 : row;
    if (!large && !__builtin_mul_overflow(*pitch, n[PIXVIEW_AXIS_H], total))
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT, "a copy of %lld x %lld pixels does not fit 64 bits of bytes",
              (long long)n[PIXVIEW_AXIS_H], (long long)n[PIXVIEW_AXIS_W]);
    return -1;
}

static int allocate_gpumat(pv_state *st, const pv_source *src, pixview_stream stream,
                           pv_result *out)
{
    const pixview_image *like = &src->image;
    const int64_t *n = like->shape;
    int64_t pitch, total, size = pixview_dtype_size(like->dtype);
    if (texture_pitch(st, like, &pitch, &total))
        return -1;
    pixview_device device = {PIXVIEW_DEVICE_CUDA,
                             pixview_image_on_host(like) ? 0 : like->device.id};
    void *data = NULL;
    out->image.stream = stream;
    bool empty = pixview_image_is_empty(like);
    if (!empty && !pixview_image_on_host(like) && framework_bytes(st, src, total, out, &data)) {
        return -1;
    }
    if (!empty && !data && st->gpumat.cuda) {
        int type = pv_gpumat_depth(&st->gpumat, like->dtype) |
                   (int)((n[PIXVIEW_AXIS_C] - 1) << st->gpumat.cn_shift);
        return allocate_by_opencv(st, src, type, stream, out);
    }
    if (!empty && !data && allocate_bytes(st, total, device, stream, &out->image.owner, &data)) {
        return -1;
    }
    pixview_stream memory_stream = out->image.stream;
    int64_t shape[] = {n[PIXVIEW_AXIS_H], n[PIXVIEW_AXIS_W], n[PIXVIEW_AXIS_C]};
    int64_t strides[] = {pitch, n[PIXVIEW_AXIS_C] * size, size};
    if (describe(st, out, data, 3, shape, strides, like->dtype, device, PIXVIEW_LAYOUT_HWC))
        return -1;
    out->image.stream = memory_stream;
    return 0;
}

static int allocate_image(pv_state *st, const pv_source *src, pixview_layout layout,
                          pixview_stream stream, pv_result *out)
{
    const pixview_image *like = &src->image;
    pixview_device device = {PIXVIEW_DEVICE_CUDA, like->device.id};
    void *data = NULL;
    if (pixview_image_on_host(like))
        device = (pixview_device){PIXVIEW_DEVICE_CPU, 0};
    if (device.type != PIXVIEW_DEVICE_CPU && !pixview_image_is_empty(like) &&
        framework_bytes(st, src, pixview_image_nbytes(like), out, &data)) {
        return -1;
    }
    if (!data)
        return pv_allocate_plain(st, like, layout, device, stream, out->stream_object, &out->image);
    int ndim;
    int64_t shape[4], strides[4];
    pixview_stream memory_stream = out->image.stream;
    pixview_error err;
    if (pixview_image_axes(like, layout, &ndim, shape, strides, &err)) {
        pv_raise(st, &err);
        return -1;
    }
    if (describe(st, out, data, ndim, shape, NULL, like->dtype, device, layout))
        return -1;
    out->image.stream = memory_stream;
    return 0;
}

int pv_allocate(pv_state *st, const pv_request *req, const pv_source *src, pixview_layout layout,
                pv_result *out)
{
    const pixview_image *like = &src->image;
    int rc;
    pv_stream end = pv_end_stream(req, pixview_image_on_host(like) ? -1 : like->device.id);
    switch (req->to) {
    case PV_TORCH:
        rc = allocate_torch(st, like, layout, out);
        break;
    case PV_CUPY:
    case PV_NUMPY:
        rc = allocate_array(st, req->to, like, layout, out);
        break;
    case PV_GPUMAT:
        rc = allocate_gpumat(st, src, end.handle, out);
        break;
    default:
        out->stream_object = Py_XNewRef(req->has_stream ? req->stream_object : src->stream_object);
        rc = allocate_image(st, src, layout,
                            req->has_stream      ? req->stream
                            : src->stream_unkept ? PIXVIEW_STREAM_LEGACY
                                                 : like->stream,
                            out);
        break;
    }
    // A GpuMat is used on the caller's stream; every other result on the stream of its memory.
    bool ends = req->to == PV_GPUMAT || req->has_stream;
    out->consumer = ends ? end.handle : out->image.stream;
    out->consumer_object = ends ? end.object : NULL;
    return rc;
}

PyObject *pv_result_finish(pv_state *st, const pv_request *req, pixview_layout layout,
                           pv_result *result)
{
    if (result->managed) {
        DlManaged *managed = result->managed;
        result->managed = NULL; // torch has it now, whatever happens
        return pv_export_managed_to_torch(st, managed);
    }
    if (result->object)
        return Py_NewRef(result->object);
    return pv_export(st, req->to, &result->image, layout);
}

void pv_result_clear(pv_result *result)
{
    if (result->managed && result->managed->deleter)
        result->managed->deleter(result->managed);
    if (!result->object)
        pixview_owner_unref(result->image.owner);
    Py_XDECREF(result->object);
    Py_XDECREF(result->stream_object);
}
