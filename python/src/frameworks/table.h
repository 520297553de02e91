// SPDX-License-Identifier: Apache-2.0
// The list of frameworks, in the order in which an object's type is looked for.
#ifndef PV_FRAMEWORKS_TABLE_H
#define PV_FRAMEWORKS_TABLE_H

#include "frameworks/framework.h"

// A line each: the name in to= and of as_NAME, and the enumerator.
#define PV_FRAMEWORKS(X) \
    X(torch, TORCH)      \
    X(gpumat, GPUMAT)    \
    X(cupy, CUPY)        \
    X(numpy, NUMPY)

// What is made where no target is named.
#define PV_STACK_DEFAULT      (&pv_framework_torch)
#define PV_UNSTACK_DEFAULT    (&pv_framework_gpumat)
#define PV_DUNDER_ARRAY_MAKES (&pv_framework_numpy) // Image.__array__

enum {
#define X(name, NAME) PV_##NAME,
    PV_FRAMEWORKS(X)
#undef X
        PV_IMAGE,                // pixview.Image
    PV_TARGETS,                  // the rows above can be made
    PV_VIDEO_FRAME = PV_TARGETS, // pixview.VideoFrame
    PV_PROTOCOLS,                // any object with a protocol that pixview reads; no target
    PV_FRAMEWORK_COUNT
};

#define X(name, NAME) extern const pv_framework pv_framework_##name;
PV_FRAMEWORKS(X)
#undef X
extern const pv_framework pv_framework_image, pv_framework_video_frame, pv_framework_protocols;

extern const pv_framework *const pv_frameworks[PV_FRAMEWORK_COUNT];

// By the exact type, then by a base; pv_framework_protocols if it is none of theirs. Looks in
// sys.modules for frameworks that were not there before.
const pv_framework *pv_framework_of(pv_state *st, PyObject *x);
void pv_frameworks_find(pv_state *st);

// Before an object of another library over memory of `owner`, which may be NULL, is made: a write of it may
// have to be counted elsewhere too (pv_count_write).
void pv_note_counted_again(pv_state *st, pixview_owner *owner);
static inline void pv_note_export(pv_state *st, pixview_owner *owner)
{
    if (st->counted_held && !st->counted_again)
        pv_note_counted_again(st, owner);
}

// Is x of a type that is read without running Python?
bool pv_imports_without_python(pv_state *st, PyObject *x);

// Does x, of no framework, show one array by some protocol? 1, 0, or -1 with an error.
int pv_has_protocol(pv_state *st, PyObject *x);

// The names in to= of the targets with all flags `with` and none of `without`: "'torch', 'image'". Returns out.
enum { PV_FRAMEWORK_NAMES = 16 * PV_FRAMEWORKS_MOST };
const char *pv_framework_names(unsigned with, unsigned without, char out[PV_FRAMEWORK_NAMES]);

// The target of to=. 0, or -1 with an error that names the argument.
int pv_parse_framework(const char *what, PyObject *value, const pv_framework **out);

// Imports and checks a target once.
int pv_framework_prepare(pv_state *st, const pv_framework *framework);
static inline int pv_framework_need(pv_state *st, const pv_framework *framework)
{
    return st->framework_ready >> framework->index & 1 ? 0 : pv_framework_prepare(st, framework);
}

// The state of all frameworks: allocated, visited and cleared by module.c.
int pv_frameworks_init(pv_state *st);
int pv_frameworks_traverse(pv_state *st, visitproc visit, void *arg);
void pv_frameworks_clear(pv_state *st);
void pv_frameworks_free(pv_state *st);

#endif
