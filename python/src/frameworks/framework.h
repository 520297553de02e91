// SPDX-License-Identifier: Apache-2.0
// What pixview knows of a framework: how to find it, to read and make its objects, and its streams.
//
// Each framework is one folder, which fills one struct pv_framework; table.h lists them. Nothing above this
// folder names a framework.
#ifndef PV_FRAMEWORKS_FRAMEWORK_H
#define PV_FRAMEWORKS_FRAMEWORK_H

#include "base/state.h"
#include "base/stream_scope.h"

typedef struct pv_framework pv_framework;

// What the caller asked for.
typedef struct pv_options {
    const pv_framework *to;
    pixview_layout layout, src_layout;
    const char *src_name; // of the argument src_layout, for messages; NULL: that
    const char *call;     // what was called, for messages; NULL: to->call
    int copy;             // -1 None, 0 False, 1 True
    bool contiguous;
    bool allow_readonly;
    bool planning;           // nothing is converted: a producer orders and hands over nothing
    bool interleaved;        // without src_layout: H,W,C even of a framework whose order is C,H,W
    bool again;              // it was read before: its plain facts alone, by none of its Python
    bool has_stream;         // stream= was given
    pixview_stream stream;   // PIXVIEW_STREAM_LEGACY when not
    PyObject *stream_object; // borrowed; keeps it, as in pv_stream
} pv_options;

// An imported object: its descriptor, still borrowed, and how to hold it.
typedef struct pv_imported {
    pixview_image image;   // no owner before pv_imported_hold, unless the import had to take one
    pixview_layout layout; // axis order of the object
    const pv_framework *from;
    PyObject *object;        // borrowed; what pv_imported_hold keeps alive
    PyObject *keep;          // owned; held instead of `object` if set (a memoryview)
    PyObject *stream_object; // owned; keeps image.stream alive, as in pv_stream
    const char *copy_reason; // why a view of it would not be safe; NULL: it is
    bool producer_copied;    // the producer gave a copy of its own
    bool stream_from_caller; // the object has no stream: image.stream is stream=, or the default
    const struct pv_video_frame *video; // borrowed: image stands for it (base/video_object.h); NULL
    bool unaligned; // no multiple of the element: to be read through pv_align_source alone
} pv_imported;

// What will be done, and all that the target's check found out about the result. Why it is a copy stands in
// st->error where somebody reads it: while planning, and with copy=False.
typedef struct pv_plan {
    enum { PV_SELF, PV_VIEW, PV_COPY } kind;
    pixview_layout layout; // of the result
    int type;              // by the target's own count: a GpuMat's type
} pv_plan;

// Memory for a copy.
typedef struct pv_allocation {
    pixview_image image;     // writable; image.stream is the stream that the memory belongs to
    PyObject *object;        // owned; the finished object, if its framework makes it in one step
    PyObject *stream_object; // owned; keeps image.stream alive, as in pv_stream
    pv_stream consumer;      // the stream that will use the result; the object is owned
} pv_allocation;

enum {
    PV_ON_HOST = 1 << 0,         // its objects may be in host memory
    PV_ON_GPU = 1 << 1,          // ... and on a GPU
    PV_PLANAR = 1 << 2,          // axes are C,H,W unless something else is said; else H,W,C
    PV_OWN_AXES = 1 << 3,        // an object of it names its own axes
    PV_NO_BATCH = 1 << 4,        // an object of it is one image
    PV_WRITABLE = 1 << 5,        // an object of it cannot say that memory is read-only
    PV_NO_STREAM = 1 << 6,       // an object of it has no stream of its own: stream= names it
    PV_FREES_ON_LEGACY = 1 << 7, // its memory most likely goes back to the legacy stream
    PV_OURS = 1 << 8, // pixview.Image: keeps layout and stream of its source, and shares its owner
};

// Functions return 0, or -1 with an error, unless a line says otherwise. Those that may be NULL are
// marked; the comment says what is done then.
struct pv_framework {
    const char *name;    // in to=
    const char *call;    // the function that makes its objects, for messages
    int index;           // in the table
    unsigned flags;      // PV_ON_HOST ...
    size_t state_size;   // of st->framework_state[index], zeroed; 0: NULL
    const size_t *owned; // offsets of the PyObject * in it, ended by PV_OWNED_END; may be NULL

    // Looks in sys.modules alone, and sets st->framework_type[index] last. May be NULL.
    void (*find)(pv_state *st);
    // Imports and checks it, since the user asked for it by name. May be NULL: always there.
    int (*need)(pv_state *st);

    // Reads x into *out, which pv_imported_begin has cleared.
    int (*import)(pv_state *st, PyObject *x, const pv_options *options, pv_imported *out);
    // An owner that keeps the imported memory. NULL with the error. May be NULL: a reference.
    pixview_owner *(*hold)(pv_state *st, const pv_imported *in);
    // May dst, an argument of that name, be written? May be NULL: yes.
    int (*check_writable)(pv_state *st, const char *name, const pv_imported *dst);
    // The memory of x was written. May be NULL: nobody counts that.
    int (*count_write)(pv_state *st, PyObject *x);

    // Can it describe the image, if need be after a copy? May fill plan->type. May be NULL: yes.
    int (*check)(pv_state *st, const pixview_image *image, pv_plan *plan);
    // Can it describe the image as it lies in memory? May be NULL: yes.
    pixview_status (*check_view)(const pixview_image *image, pixview_error *err);
    // A new object over the image; takes the image's count of its owner on success: image->owner is NULL
    // then. Where it needs none (a second GpuMat over one owner), image->owner stays. `stream_object`
    // keeps image->stream alive; NULL: nothing has to. NULL with the error.
    PyObject *(*export_take)(pv_state *st, pixview_image *image, const pv_plan *plan,
                             PyObject *stream_object);

    // Memory for a copy of `like`, on its device, or where uploads go.
    int (*allocate)(pv_state *st, const pv_options *options, const pv_imported *like,
                    const pv_plan *plan, pv_allocation *out);
    // GPU memory for another framework's result: an owner, the stream that it belongs to, its address.
    // May be NULL, or leave *data NULL without an error: another allocator is taken.
    int (*allocate_bytes)(pv_state *st, int device, int64_t nbytes, pv_allocation *out,
                          void **data);

    // The stream on which it works; out->object is owned. May be NULL: it has none (PV_NO_STREAM).
    int (*current_stream)(pv_state *st, int device, pv_stream *out);
    // 0 with the handle of value, one of its streams; 1: it is none. May be NULL: 1.
    int (*stream_handle)(pv_state *st, PyObject *value, pixview_stream *out);
    // 1: value names a stream of that handle without keeping it; 0: not that one knows; -1 with an error.
    // May be NULL: 0.
    int (*only_names_stream)(pv_state *st, PyObject *value, pixview_stream handle);
    // The memory behind x is used on `stream` too: its allocator has to know. 1: it takes streams of its
    // own only, and this is none. May be NULL: it need not know.
    int (*record_stream)(pv_state *st, PyObject *x, int device, pixview_stream stream);

    // Where x is, of any rank. May be NULL: import it.
    int (*device_of)(pv_state *st, PyObject *x, pixview_device *out);
    // The owner of a view that pixview made (borrowed); NULL: it is none. May be NULL: there is none.
    int (*owner_of)(pv_state *st, PyObject *x, pixview_owner **out);

    // Lists of objects that differ by address and pitch alone. A key of x, which was imported as `image`;
    // -1: none. And the first of `items` that have that key, read into out[0] and so on: how many they are.
    // Both may be NULL.
    int (*batch_key)(pv_state *st, PyObject *x, const pixview_image *image);
    Py_ssize_t (*import_alike)(pv_state *st, PyObject *const *items, Py_ssize_t count, int key,
                               const pixview_image *like, pixview_image *out);

    // Runs its self-check, if it has one and is found. May be NULL.
    int (*warm_up)(pv_state *st);
    // Adds what `pixview doctor` shows of it to a dictionary. May be NULL.
    int (*report)(pv_state *st, PyObject *dict);
};

#define PV_OWNED_END SIZE_MAX

#endif
