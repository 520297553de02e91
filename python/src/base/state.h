// State of the extension module, and the few types that its files share.
#ifndef PV_STATE_H
#define PV_STATE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "cuda/cuda.h"
#include "frameworks/opencv/abi.h"
#include "internal.h"

// Who makes or takes an image.
typedef enum { PV_TORCH, PV_CUPY, PV_NUMPY, PV_GPUMAT, PV_IMAGE, PV_OTHER } pv_kind;

enum { PV_DTYPE_COUNT = 15 }; // rows of the table in dtypes.c

// What import_exchange.c has found out about a type: its DLPack exchange table, NULL if it has none.
enum { PV_KNOWN_TABLES = 8 };
typedef struct {
    PyTypeObject *type; // borrowed; only compared
    PyObject *ref;      // owned weak reference to it
    const DlExchange *table;
} pv_known_table;

#define PV_NAMES(X)              \
    X(_c_contiguous)             \
    X(_init)                     \
    X(__array_interface__)       \
    X(__cuda_array_interface__)  \
    X(__cuda_stream__)           \
    X(__dlpack__)                \
    X(__dlpack_c_exchange_api__) \
    X(__dlpack_device__)         \
    X(GpuMat)                    \
    X(MemoryPointer)             \
    X(Tensor)                    \
    X(UnownedMemory)             \
    X(__enter__)                 \
    X(asarray)                   \
    X(cuda)                      \
    X(cudaPtr)                   \
    X(cuda_stream)               \
    X(data)                      \
    X(data_ptr)                  \
    X(device)                    \
    X(device_id)                 \
    X(dtype)                     \
    X(empty)                     \
    X(from_dlpack)               \
    X(get_current_stream)        \
    X(index)                     \
    X(is_conj)                   \
    X(is_neg)                    \
    X(mask)                      \
    X(max_version)               \
    X(memptr)                    \
    X(offset)                    \
    X(name)                      \
    X(ndarray)                   \
    X(ptr)                       \
    X(requires_grad)             \
    X(shape)                     \
    X(size)                      \
    X(step)                      \
    X(stream)                    \
    X(stride)                    \
    X(strides)                   \
    X(type)                      \
    X(typestr)                   \
    X(view)

// torch_shim.c: of torch's C shim. NULL: this torch has it not.
typedef struct pv_torch_shim {
    bool ready; // torch has given GPU memory before, so its allocator is set up
    int32_t (*allocate)(uint64_t nbytes, void **data);
    int32_t (*free)(void *data);
    int32_t (*device)(int32_t *current);
    int32_t (*stream)(int32_t device, void **current);
} pv_torch_shim;

typedef struct pv_state {
    PyTypeObject *image_type;
    PyTypeObject *plan_type;

    PyObject *Error, *LayoutError, *DtypeError, *DeviceError, *ReadOnlyError, *CudaError,
        *UnsupportedError;

    unsigned needed; // a bit for each kind whose framework is there, checked

    // A framework's fields are NULL until its module is found in sys.modules (or imported, when the
    // user asked for it by name). pv_frameworks_find fills them.
    PyObject *torch;
    PyTypeObject *tensor_type;
    const DlExchange *torch_table; // NULL before torch 2.10: attributes and capsules are used
    bool torch_table_off;          // test hook
    bool torch_cuda_ready;
    pv_torch_shim torch_shim;
    bool torch_memory_off; // test hook

    PyObject *cupy, *cupy_cuda;
    PyTypeObject *cupy_type;
    PyObject *cupy_unowned_memory, *cupy_memory_pointer;
    // ndarray's base's _init, a shorter way than its constructor, and CuPy's C function behind
    // get_current_stream. NULL: not there.
    PyObject *cupy_init;
    intptr_t (*cupy_stream_handle)(int device);
    bool cupy_checked, cupy_in_place; // may fields be read in place? (cupy_abi.c)
    bool cupy_shortcuts_off;          // test hook

    PyObject *numpy;
    PyTypeObject *numpy_type;
    PyObject *numpy_dtypes[PV_DTYPE_COUNT]; // made on first need, by dtype row

    PyObject *cv2_cuda;
    PyTypeObject *gpumat_type;
    pv_gpumat_abi gpumat;
    PyThread_type_lock gpumat_lock; // while the self-check runs

    pv_known_table known_tables[PV_KNOWN_TABLES];
    unsigned next_table; // the slot that is given up next

    PyObject *kw_memptr_strides; // ("memptr", "strides") for cupy.ndarray
    PyObject *kw_stream_version, *kw_version, *kw_stream;
    PyObject *dlpack_version; // (1, 3)
    PyObject *empty_tuple;

#define X(n) PyObject *s_##n;
    PV_NAMES(X)
#undef X
} pv_state;

extern struct PyModuleDef pv_module_def;

static inline pv_state *pv_get_state(PyObject *module)
{
    return (pv_state *)PyModule_GetState(module);
}

// A stream, and the Python object that keeps it from being destroyed (NULL: nobody has to).
typedef struct pv_stream {
    pixview_stream handle;
    PyObject *object;
} pv_stream;

// An imported object: its descriptor, still borrowed, and how to hold it.
typedef struct pv_source {
    pixview_image image;   // no owner before pv_source_hold, unless the import had to take one
    pixview_layout layout; // axis order of the object
    pv_kind kind;
    PyObject *object;        // borrowed; what pv_source_hold keeps alive
    PyObject *keep;          // owned; held instead of `object` if set (a memoryview)
    PyObject *stream_object; // owned; keeps image.stream alive
    bool copied;             // the producer gave a copy of its own
    bool must_copy;          // a view of it would not be safe; `why` tells
    const char *why;
    bool foreign_stream; // image.stream is the caller's: the object has none of its own
    bool stream_unkept;  // nobody keeps image.stream from being destroyed: it may not be stored
} pv_source;

// Only what an adapter may leave alone: clearing all of it costs as much as reading a GpuMat.
static inline void pv_source_begin(pv_source *src, PyObject *object)
{
    src->image.owner = NULL;
    src->object = object;
    src->stream_object = src->keep = NULL;
    src->copied = src->must_copy = src->foreign_stream = src->stream_unkept = false;
    src->why = NULL;
}

// What the caller asked for.
typedef struct pv_request {
    pv_kind to;
    pixview_layout layout, src_layout;
    const char *src_name; // of the argument src_layout, for messages; NULL: that
    int copy;             // -1 None, 0 False, 1 True
    bool contiguous;
    bool allow_readonly;
    bool planning;           // nothing is converted: a producer orders and hands over nothing
    bool has_stream;         // stream= was given
    pixview_stream stream;   // PIXVIEW_STREAM_LEGACY when not
    PyObject *stream_object; // borrowed; what was passed as stream=
} pv_request;

// ---- args.c, errors.c, dtypes.c, streams.c ------------------------------------------------------

typedef struct {
    const char *name;
    PyObject **value; // borrowed; left alone when not given
} pv_keyword;

// Vectorcall arguments: exactly `npos` positional ones (by position or by the first names), the rest
// by keyword only. Returns 0, or -1 with a TypeError that names the function and the argument.
int pv_parse_args(const char *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames,
                  int npos, const pv_keyword *keywords, int count);
int pv_parse_layout(pv_state *st, const char *what, PyObject *value, pixview_layout *out);
int pv_parse_copy(PyObject *value, int *out);
int pv_parse_bool(const char *what, PyObject *value, bool *out);
// A real number. `bools`: True and False are 1 and 0.
int pv_parse_number(pv_state *st, const char *what, PyObject *value, bool bools, double *out);
int pv_parse_kind(const char *what, PyObject *value, pv_kind *out); // "torch", "cupy" ...
// Extents or strides, as an object tells its own; of an argument a wrong type is a TypeError.
int pv_parse_dims(pv_state *st, const char *what, PyObject *value, int max, int *ndim,
                  int64_t *out);
int pv_parse_dims_argument(pv_state *st, const char *what, PyObject *value, int max, int *ndim,
                           int64_t *out);
PyObject *pv_dims(int ndim, const int64_t *values);        // a tuple
int pv_parse_device(PyObject *value, pixview_device *out); // 'cpu', 'cuda:1', ('cuda', 1), 1
int pv_parse_stream(pv_state *st, PyObject *value, pixview_stream *out);

// All return NULL. Formats are PyErr_Format's.
// Cold: what leads there is moved out of the way of what succeeds.
__attribute__((cold)) PyObject *pv_raise(pv_state *st, const pixview_error *err);
// With a class of Python's own (TypeError, ValueError).
__attribute__((cold)) PyObject *pv_raise_python(PyObject *type, const char *fmt, ...);
__attribute__((cold)) PyObject *pv_raisef(pv_state *st, pixview_status code, const char *fmt, ...);
// With the exception that is set now as __cause__.
// Says of the ModuleNotFoundError that is set, if it is of that module, how to get it.
__attribute__((cold)) void pv_raise_missing(const char *module, const char *how);
__attribute__((cold)) PyObject *pv_raise_from(pv_state *st, pixview_status code, const char *fmt,
                                              ...);

int pv_dtype_row(pixview_dtype dtype); // row in the table, -1 if unknown
int pv_parse_dtype(pv_state *st, PyObject *value, pixview_dtype *out);
// dtype_guess.c: into out what is meant by a name that is none, as "'uint8'?"; "" if nobody knows.
void pv_guess_dtype(const char *text, char *out, size_t n);
bool pv_known_dtype(pv_state *st, PyObject *value, pixview_dtype *out); // by identity
int pv_dtype_from_format(pv_state *st, const char *format, Py_ssize_t itemsize, pixview_dtype *out);
const char *pv_dtype_format(pixview_dtype dtype);             // NULL for bfloat16
PyObject *pv_numpy_dtype(pv_state *st, pixview_dtype dtype);  // borrowed
PyObject *pv_dtype_object(pv_state *st, pixview_dtype dtype); // new; a string without NumPy

// The stream on which `to` will use the memory of `device`; out->object is owned.
int pv_consumer_stream(pv_state *st, const pv_request *req, pixview_device device, pv_stream *out);
// On which an object without a stream of its own is used: the legacy one, or using_stream's.
int pv_work_stream(pv_state *st, pixview_device device, pv_stream *out);
int pv_cupy_stream(pv_state *st, int device, pv_stream *out);

// Orders a view's consumer after the source's stream and notes what the release has to undo: the
// view's owner then makes the source's stream wait for the consumer's. Makes image.owner.
int pv_order_view(pv_state *st, pv_source *src, const pv_request *req);
// The same for an Image that shows itself: orders `consumer` after it and gives *image an owner of its
// own (counted), whose release makes the Image's stream wait. `keep` keeps that stream alive.
int pv_order_image(pv_state *st, pixview_image *image, PyObject *keep, pixview_stream consumer);
// For memory that is lent out: orders `consumer` after the Image, whose own owner then makes the Image's
// stream wait when it lets go. Asking again for the same consumer notes nothing new.
int pv_order_borrowed(pv_state *st, const pixview_image *image, PyObject *keep,
                      pixview_stream consumer);
// A result whose memory belongs to image->stream is used on `consumer`, as `joint` allowed. The
// objects, which may be NULL, keep the two streams alive.
int pv_note_use(const pixview_image *image, pixview_stream consumer, const pixviewi_joint *joint,
                PyObject *memory_stream, PyObject *consumer_stream);
// Across the border of a graph capture nothing is ordered. That is an error where the user passed a
// stream (`given`), and where only the legacy stream is in the way. 0, or -1 with the error.
int pv_check_join(pv_state *st, const pixviewi_joint *joint, bool given, pixview_stream producer,
                  pixview_stream consumer);
// The owner, which the caller has made, is of memory that belongs to `home`; `keep` keeps that alive.
int pv_set_home(pixview_owner *owner, pixview_stream home, PyObject *keep);

// order.c: makes the stream of the owner's memory wait for `stream` too, at the release; `keep` (may be
// NULL) keeps the stream alive. And the tensor's own way, for its own memory.
int pv_owner_used_on(pv_state *st, pixview_owner *owner, int device, pixview_stream stream,
                     PyObject *keep);
int pv_record_stream(pv_state *st, PyObject *tensor, int device, pixview_stream consumer);

// ---- current.c: the stream where none is passed ---------------------------------------------------

extern atomic_int pv_stream_blocks; // using_stream blocks of all threads
// Of the block that this thread is in, if its stream is of that device (-1: whichever); legacy else.
// The object is borrowed.
pv_stream pv_block_stream(int device);

static inline pv_stream pv_default_stream(int device)
{
    if (PIXVIEWI_LIKELY(atomic_load_explicit(&pv_stream_blocks, memory_order_relaxed) == 0))
        return (pv_stream){PIXVIEW_STREAM_LEGACY, NULL};
    return pv_block_stream(device);
}

// Of a GpuMat or raw pointer: what was passed, or that.
static inline pv_stream pv_end_stream(const pv_request *req, int device)
{
    return PIXVIEWI_UNLIKELY(req->has_stream) ? (pv_stream){req->stream, req->stream_object}
                                              : pv_default_stream(device);
}

// The GPU of x, whatever its rank where that is possible. DeviceError for host memory.
int pv_gpu_of(pv_state *st, pv_kind kind, PyObject *x, int *out);
PyObject *pv_stream_facts(PyObject *module, PyObject *value);
PyObject *pv_push_stream(PyObject *module, PyObject *args);
PyObject *pv_pop_stream(PyObject *module, PyObject *ignored);
PyObject *pv_stream_of(PyObject *module, PyObject *x);
PyObject *pv_warm_up(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *pv_used_on(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);

// read_safely.c: copies n bytes of our own memory; false instead of a crash for a bad address.
bool pv_read_safely(const void *from, void *to, size_t n);

// ---- hold.c: keeping Python objects alive from memory that dies on any thread --------------------

pixview_owner *pv_hold_object(PyObject *object);      // NULL with MemoryError set
PyObject *pv_held_object(const pixview_owner *owner); // borrowed; NULL if it holds none
// For an owner made by pixview_image_from_dlpack_take (or legacy): an exception that is being raised is
// put aside while the exporter's deleter runs.
void pv_guard_deleter(pixview_owner *owner, bool legacy);
void pv_drop_object(void *object); // Py_DECREF from any thread, with or without the GIL
void pv_drain_deferred(void);
bool pv_have_gil(void); // does this thread hold it? Needs no GIL itself

// For as long as pixels move; NULL, and the GIL stays, where that is short.
PyThreadState *pv_let_go(const pixview_image *dst, bool host);
void pv_take_back(PyThreadState *gil);
int pv_hold_init(PyObject *module);

// ---- frameworks.c ------------------------------------------------------------------------------

// Kind of x by its exact type, then by subclass; PV_OTHER when it is none. Looks in sys.modules for
// frameworks that were not there before.
pv_kind pv_kind_of(pv_state *st, PyObject *x);
int pv_need_torch(pv_state *st);
int pv_need_cupy(pv_state *st);
int pv_need_numpy(pv_state *st);
int pv_need_cv2(pv_state *st); // and its GpuMat, self-checked
// The framework of a result.
int pv_find_needed(pv_state *st, pv_kind kind);
static inline int pv_need(pv_state *st, pv_kind kind)
{
    return PIXVIEWI_LIKELY(st->needed >> kind & 1) ? 0 : pv_find_needed(st, kind);
}
void pv_frameworks_find(pv_state *st);

// ---- import_*.c: object -> pv_source. 0, or -1 with an error set ---------------------------------

int pv_import(pv_state *st, PyObject *x, const pv_request *req, pv_source *src);
int pv_import_table(pv_state *st, PyObject *x, const DlExchange *table, pv_kind kind,
                    const pv_request *req, pv_source *src);
int pv_import_tensor_attributes(pv_state *st, PyObject *x, const pv_request *req, pv_source *src);
int pv_tensor_device(pv_state *st, PyObject *x, pixview_device *out); // of any rank
int pv_import_gpumat(pv_state *st, PyObject *x, const pv_request *req, pv_source *src);
int pv_import_cupy(pv_state *st, PyObject *x, const pv_request *req, pv_source *src);
// Is torch reached through its exchange table, and not turned off by a test?
static inline bool pv_torch_by_table(const pv_state *st)
{
    return st->torch_table && !st->torch_table_off;
}

// torch_shim.c: bytes of torch's allocator on that GPU, for torch's current stream of it. False, and
// no error: not by this way.
void pv_torch_shim_find(pv_torch_shim *shim);
bool pv_torch_memory_used(const pv_state *st); // from torch's second allocation on
bool pv_torch_allocate(pv_state *st, int device, int64_t nbytes, pixview_owner **owner,
                       void **data);

// torch's current stream, which torch never destroys.
int pv_torch_stream_by_name(pv_state *st, int device, pixview_stream *out);
static inline int pv_torch_stream(pv_state *st, int device, pixview_stream *out)
{
    if (PIXVIEWI_UNLIKELY(!pv_torch_by_table(st)))
        return pv_torch_stream_by_name(st, device, out);
    void *handle = NULL;
    // Goes to the stream at once, where the table looks for the accelerator first.
    int32_t (*shim)(int32_t, void **) = st->torch_shim.stream;
    if (PIXVIEWI_UNLIKELY(!shim || shim(device, &handle) != 0) &&
        st->torch_table->current_work_stream(PIXVIEW_DEVICE_CUDA, device, &handle) != 0)
        return -1;
    *out = (pixview_stream)handle;
    return 0;
}

bool pv_cupy_in_place(pv_state *st); // cupy_abi.c: may plain arrays be read in place?
// cupy_abi.c: the fields of a plain cupy.ndarray, read in place. False: ask for its attributes.
bool pv_cupy_fields(pv_state *st, PyObject *x, void **data, int *device, int *ndim,
                    const int64_t **shape, const int64_t **strides, pixview_dtype *dtype);
int pv_import_numpy(pv_state *st, PyObject *x, const pv_request *req, pv_source *src);
int pv_import_from_buffer(pv_state *st, const Py_buffer *b, pv_kind kind, const pv_request *req,
                          pv_source *src);
int pv_import_buffer(pv_state *st, PyObject *x, const pv_request *req, pv_source *src);
int pv_import_dlpack(pv_state *st, PyObject *x, const pv_request *req, pv_source *src);
int pv_import_capsule(pv_state *st, PyObject *capsule, const pv_request *req, pv_source *src);
// A managed tensor of the caller's: taken on success, but not when planning.
int pv_import_managed(pv_state *st, DlManaged *m, const pv_request *req, pv_source *src);
// By the exchange table of x's type. 1: it has none, or none that knows its stream.
int pv_import_exchange(pv_state *st, PyObject *x, const pv_request *req, pv_source *src);
// The exchange table of a type (any member may be NULL), NULL if it has none of our version. -1 with
// what the lookup raised.
int pv_exchange_read(pv_state *st, PyTypeObject *type, const DlExchange **out);
int pv_import_interface(pv_state *st, PyObject *x, PyObject *interface, bool cuda,
                        const pv_request *req, pv_source *src);

// Fills src->image and src->layout from axes in the object's own order. The guard against an H,W,C
// array passed as C,H,W lives here.
int pv_source_init(pv_state *st, pv_source *src, pv_kind kind, const pv_request *req, void *data,
                   int ndim, const int64_t *shape, const int64_t *strides, pixview_dtype dtype,
                   pixview_device device);
int pv_source_hold(pv_state *st, pv_source *src); // makes image.owner
pixview_owner *pv_hold_gpumat(pv_state *st, const pv_source *src);
void pv_source_clear(pv_source *src);

// ---- export_*.c: descriptor (with its owner) -> object. New reference or NULL --------------------
//
// The object counts the image's owner up. Where that is on the path of a view, it takes the image's own
// count instead, and image->owner is NULL afterwards.

PyObject *pv_export(pv_state *st, pv_kind to, pixview_image *image, pixview_layout layout);
PyObject *pv_export_torch(pv_state *st, pixview_image *image, pixview_layout layout);
PyObject *pv_export_managed_to_torch(pv_state *st, DlManaged *managed);
PyObject *pv_export_gpumat(pv_state *st, pixview_image *image);
PyObject *pv_export_cupy(pv_state *st, const pixview_image *image, pixview_layout layout);
PyObject *pv_export_numpy(pv_state *st, const pixview_image *image, pixview_layout layout);

// ---- image_type.c --------------------------------------------------------------------------------

typedef struct {
    PyObject_HEAD
    pixview_image image; // owner counted
    pixview_layout layout;
    PyObject *stream_object;            // owned; keeps image.stream alive; may be NULL
    int64_t dl_shape[4], dl_strides[4]; // what a borrowed DLTensor points at (image_exchange.c)
} pv_image;

bool pv_is_image(PyObject *x); // of any instance of this module

PyTypeObject *pv_image_type_new(PyObject *module);
// image_exchange.c: gives the type its exchange table, and the table the state to make Images with.
int pv_exchange_publish(pv_state *st, PyTypeObject *type);
void pv_exchange_withdraw(pv_state *st);
PyObject *pv_image_new(pv_state *st, const pixview_image *image, pixview_layout layout);
PyObject *pv_image_with_stream(PyObject *image,
                               PyObject *stream_object); // returns image, which may be NULL
PyObject *pv_image_capsule(pv_state *st, const pixview_image *image, pixview_layout layout,
                           bool versioned);

// ---- convert.c -------------------------------------------------------------------------------------

PyObject *pv_convert(pv_state *st, PyObject *x, const pv_request *req);
// The same of a request with no arguments but x.
PyObject *pv_to_torch(pv_state *st, PyObject *x);
PyObject *pv_to_gpumat(pv_state *st, PyObject *x);
PyObject *pv_plan_object(pv_state *st, PyObject *x, const pv_request *req);

PyObject *pv_from_pointer(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                          PyObject *kwnames);
PyObject *pv_copy_into(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                       PyObject *kwnames);
PyObject *pv_stack(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
PyObject *pv_unstack(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
extern const char pv_stack_doc[], pv_unstack_doc[];
PyObject *pv_doctor(PyObject *module, PyObject *ignored);

#endif
