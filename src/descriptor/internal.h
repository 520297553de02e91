// The only private header that all of src/ and the extension share: errors, owners, DLPack slots.
#ifndef PIXVIEWI_INTERNAL_H
#define PIXVIEWI_INTERNAL_H

#include <stdatomic.h>

#include "descriptor/dlpack_abi.h"
#include "pixview/pixview.h"

#define PIXVIEWI_LIKELY(x)   __builtin_expect(!!(x), 1)
#define PIXVIEWI_UNLIKELY(x) __builtin_expect(!!(x), 0)

// On the path of every view. By itself gcc inlines no function that has a pixview_error on its stack.
#define PIXVIEWI_INLINE inline __attribute__((always_inline))

// On that path as well, and too large for it: the linker puts these together, on a few pages of code.
#define PIXVIEWI_HOT __attribute__((hot))

// Fills err (may be NULL) and returns code, so that a check is one line: `return pixviewi_fail(...)`.
__attribute__((cold, format(printf, 3, 4))) pixview_status pixviewi_fail(pixview_error *err,
                                                                         pixview_status code,
                                                                         const char *format, ...);

// ---- Owner ------------------------------------------------------------------------------------
//
// One counted block per source. It carries what is held (64 bytes, enough for an OpenCV header), and
// room for one DLPack struct, so that a view costs a single allocation.

typedef struct pixviewi_dlpack {
    DlManaged
        managed; // manager_ctx = the slot; consumers may copy the struct, never free by its address
    int64_t shape[4];
    int64_t strides[4]; // ELEMENTS
    atomic_int count;   // 1; 2 while a consumer is adopting it that may fail after its deleter ran
    bool embedded;      // part of the owner, not malloc'ed
    pixview_owner *owner;
} pixviewi_dlpack;

// What has to be seen to before the owner lets go, so that the memory does not return to its pool, and
// the source is not written again, too early:
//   event            the GPU still reads the memory until it has passed; nobody waits for that
//   consumer, home   a stream that works on the memory, and the one that waits for it
//   consumer = home  the memory is given back to that stream, which may not be capturing then
//   NONE             nothing; only `keepalive`
typedef struct pixviewi_stream_dep {
    pixview_stream consumer, home;
    struct pixviewi_event *event;
    uint64_t context; // number of the device's context, set when it is added; 0: unknown
    uint64_t capture; // the capture that both streams were in when this was noted; 0: none
    int device;
    bool ended;
    void *keepalive; // what keeps the two streams alive, given to drop_keepalive; may be NULL
    void (*drop_keepalive)(void *keepalive);
    struct pixviewi_stream_dep *next;
} pixviewi_stream_dep;

struct pixview_owner {
    atomic_llong count;
    int gpumat_count; // OpenCV's own counter of headers over this memory (GpuMat::refcount)
    int32_t device;   // CUDA ordinal whose context release needs; -1 (from owner_new): none
    uint64_t context; // and its number, if the release frees something of it
    pixviewi_stream_dep *deps; // added by whoever holds a count
    pixview_stream
        alloc_stream; // the stream that the memory belongs to; legacy (from owner_new) if unknown
    pixview_owner *next;       // in the queue of those that could not let go yet
    atomic_bool dlpack_in_use; // the embedded slot is in use
    bool freed_by_release;     // see below
    void (*release)(
        pixview_owner *self); // drops what is held, and nothing of the block itself, unless
                              // freed_by_release: then it calls pixviewi_owner_free too
    union {
        void *pointers[8];
        uint64_t words[8];
    } held;
    pixviewi_dlpack slot;
};

// A new owner with a count of one and nothing held; NULL when out of memory.
pixview_owner *pixviewi_owner_new(void (*release)(pixview_owner *self));

// The block and its stream dependencies, for a release that has to drop what is held later.
void pixviewi_owner_free(pixview_owner *owner);

// An owner that holds `parent` (counted up), for a use that ends with one view of it.
pixview_owner *pixviewi_owner_nested(pixview_owner *parent);
pixview_owner *pixviewi_owner_parent(const pixview_owner *owner); // NULL if it is none of those

// Copies `dep`, and takes its `keepalive` on success. Handle 2, the per-thread stream, is another one on the
// thread that lets go: the legacy stream, which waits for it, stands in. False: out of memory.
bool pixviewi_owner_add_dep(pixview_owner *owner, const pixviewi_stream_dep *dep);

// An owner whose release would disturb a graph capture, or whose memory an upload still reads, waits in
// a queue. This tries again; every conversion and every pixview_copy begins with it. `all`: each of
// them once, instead of giving up after a few.
void pixviewi_drain_deferred_owners(bool all);
extern atomic_int pixviewi_deferred_owners; // how many there are
static inline void pixviewi_poll_deferred_owners(void)
{
    if (PIXVIEWI_UNLIKELY(atomic_load_explicit(&pixviewi_deferred_owners, memory_order_relaxed) >
                          0))
        pixviewi_drain_deferred_owners(false);
}

// Fills `tensor`, whose shape and strides point to four entries each. It owns nothing.
pixview_status pixviewi_write_dltensor(const pixview_image *image, pixview_layout layout,
                                       DlTensor *tensor, pixview_error *err);

// HW 2, CHW and HWC 3, NCHW and NHWC 4.
static inline int pixviewi_rank(pixview_layout layout) { return 2 + (int)((unsigned)layout >> 1); }

// Bytes of an element of an image made by pixview_image_init, whose dtype is a known one.
static inline int64_t pixviewi_itemsize(const pixview_image *image)
{
    return image->dtype.bits >> 3;
}

// A DLPack struct for `image` (made by pixview_image_init, perhaps without an owner) that
// counts the owner up. Fails as pixview_image_to_dlpack does.
pixview_status pixviewi_dlpack_new(const pixview_image *image, pixview_layout layout,
                                   pixviewi_dlpack **out, pixview_error *err);
// The same, but the image's count of its owner becomes the struct's: image->owner is NULL afterwards. On
// failure it stays.
pixview_status pixviewi_dlpack_new_take(pixview_image *image, pixview_layout layout,
                                        pixviewi_dlpack **out, pixview_error *err);
void pixviewi_dlpack_unref(pixviewi_dlpack *slot); // what the deleter does

// Is what was read at `at` a struct of ours, that is, the head of a pixviewi_dlpack, or of a legacy one?
bool pixviewi_dlpack_is_ours(const DlManaged *copy, const void *at);
bool pixviewi_dlpack_legacy_is_ours(const DlManagedLegacy *copy, const void *at);
pixview_owner *pixviewi_dlpack_legacy_owner(const DlManagedLegacy *managed);

// ---- Copies -----------------------------------------------------------------------------------

// A copy as the kernels see it: axes sorted and merged, extents 1 dropped, padded
// with extent 1 in front. Axis 3 moves fastest in dst. Strides in BYTES.
typedef struct pixviewi_copy_plan {
    const void *src;
    void *dst;
    int64_t shape[4];
    int64_t src_strides[4];
    int64_t dst_strides[4];
    int64_t itemsize; // 1, 2, 4, 8, 16
    int64_t count;    // elements in all
} pixviewi_copy_plan;

// Equal extents, and elements of `dst` that lie apart from each other: PIXVIEW_E_LAYOUT if not.
pixview_status pixviewi_check_extents(const pixview_image *src, const pixview_image *dst,
                                      pixview_error *err);
pixview_status pixviewi_check_self_overlap(const pixview_image *dst, pixview_error *err);

static inline bool pixviewi_on_device(pixview_device device)
{
    return device.type == PIXVIEW_DEVICE_CUDA || device.type == PIXVIEW_DEVICE_CUDA_MANAGED;
}

// The bytes from the lowest to the highest element of an image; nothing when it is empty.
typedef struct pixviewi_range {
    uintptr_t low, beyond;
} pixviewi_range;

static inline pixviewi_range pixviewi_image_range(const pixview_image *image)
{
    pixviewi_range range = {(uintptr_t)image->data, (uintptr_t)image->data};
    bool empty = false;
    for (int axis = 0; axis < 4; axis++) {
        int64_t reach = (image->shape[axis] - 1) * image->strides[axis];
        range.low += reach < 0 ? (uintptr_t)reach : 0;
        range.beyond += reach > 0 ? (uintptr_t)reach : 0;
        empty |= image->shape[axis] == 0;
    }
    if (empty)
        return (pixviewi_range){0, 0};
    range.beyond += (uintptr_t)pixview_dtype_size(image->dtype);
    return range;
}

static inline bool pixviewi_ranges_meet(pixviewi_range a, pixviewi_range b)
{
    return a.low < b.beyond && b.low < a.beyond;
}

// Checks everything that pixview_copy promises and fills the plan. No CUDA.
// What pixview_copy promises to check of its two images.
pixview_status pixviewi_check_copy(const pixview_image *src, const pixview_image *dst,
                                   pixview_error *err);
pixview_status pixviewi_copy_plan_checked(const pixview_image *src, const pixview_image *dst,
                                          pixviewi_copy_plan *plan, pixview_error *err);

#endif
