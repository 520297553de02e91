// SPDX-License-Identifier: Apache-2.0
// Keeping a Python object alive from memory that may die on any thread, with or without the GIL.
//
// A release that holds the GIL drops the reference at once. One that does not never waits for the
// GIL (its thread may hold a lock that the GIL's owner wants): the reference goes onto a lock-free
// list, and the main thread is asked to drop it at its next opportunity (Py_AddPendingCall); the
// next conversion drains the list too. After interpreter exit began, references are left alone.

#include "base/pyref.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "descriptor/dlpack_abi.h"
#include "descriptor/owner.h"

// What is dropped later. An owner's is part of the owner, which goes with it.
typedef struct node {
    PyObject *object;
    struct node *next;
    pixview_owner *owner; // NULL: a block of its own
} node;

static _Atomic(node *) deferred;

bool pv_gil_held(void)
{
    // PyGILState_Check always says yes once a sub-interpreter was made, so ask the thread state itself.
#if PY_VERSION_HEX >= 0x030d0000
    return PyThreadState_GetUnchecked() != NULL;
#else
    PyThreadState *holder = _PyThreadState_UncheckedGet();
    return holder && holder == PyGILState_GetThisThreadState();
#endif
}

// A deleter may be called while an exception is being raised (torch's failing import does that).
static void drop_now(PyObject *object)
{
    assert(pv_gil_held());
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    Py_DECREF(object);
    PyErr_Restore(type, value, traceback);
}

static void free_node(node *item)
{
    if (item->owner)
        pixviewi_owner_free(item->owner);
    else
        free(item);
}

PIXVIEWI_HOT void pv_pyref_drain(void)
{
    pixviewi_poll_deferred_owners();
    if (!atomic_load_explicit(&deferred, memory_order_relaxed))
        return;
    node *list = atomic_exchange_explicit(&deferred, NULL, memory_order_acquire);
    while (list) {
        node *next = list->next;
        drop_now(list->object);
        free_node(list);
        list = next;
    }
}

static int drain_pending(void *ignored)
{
    (void)ignored;
    pv_pyref_drain();
    return 0;
}

static void drop_later(node *item)
{
    node *head = atomic_load_explicit(&deferred, memory_order_relaxed);
    do { // once published, the item belongs to whoever drains
        item->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&deferred, &head, item, memory_order_release,
                                                    memory_order_relaxed));
    // One request is enough for the whole list. If the queue is full, the next conversion drains.
    if (!head)
        Py_AddPendingCall(drain_pending, NULL);
}

void pv_pyref_drop(void *object)
{
    if (!object || pixviewi_exiting())
        return;
    if (pv_gil_held()) {
        drop_now(object);
        return;
    }
    node *item = malloc(sizeof *item);
    if (!item)
        return; // leaking one reference is the least harm without memory
    *item = (node){.object = object};
    drop_later(item);
}

_Static_assert(sizeof(node) <= PIXVIEWI_OWNER_HELD, "a node fits");

PIXVIEWI_HOT static void release_object(pixview_owner *owner)
{
    node *item = pixviewi_owner_held(owner);
    if (pixviewi_exiting()) {
        pixviewi_owner_free(owner);
    } else if (pv_gil_held()) {
        drop_now(item->object);
        pixviewi_owner_free(owner);
    } else {
        item->owner = owner;
        drop_later(item);
    }
}

PIXVIEWI_HOT pixview_owner *pv_pyref_owner(PyObject *object)
{
    assert(object && pv_gil_held());
    pixview_owner *owner = pixviewi_owner_new(release_object);
    if (!owner) {
        PyErr_SetString(PyExc_MemoryError, "no memory for an owner");
        return NULL;
    }
    pixviewi_owner_freed_by_release(owner);
    ((node *)pixviewi_owner_held(owner))->object = Py_NewRef(object);
    return owner;
}

int pv_pyref_keep(pixview_owner *owner, PyObject *object)
{
    if (pixviewi_owner_keep_take(owner, Py_NewRef(object), pv_pyref_drop))
        return 0;
    Py_DECREF(object);
    PyErr_SetString(PyExc_MemoryError, "no memory to hold a reference");
    return -1;
}

// Another exporter's deleter may run Python, or assume that no exception is set.
static void call_deleter(void *managed, bool legacy)
{
    DlManaged *m = managed;
    DlManagedLegacy *l = managed;
    if (legacy && l->deleter)
        l->deleter(l);
    else if (!legacy && m->deleter)
        m->deleter(m);
}

static void release_managed(pixview_owner *owner, bool legacy)
{
    PyObject *type, *value, *traceback;
    if (pixviewi_exiting()) // it may be Python, which is gone
        return;
    bool guard = pv_gil_held();
    if (guard)
        PyErr_Fetch(&type, &value, &traceback);
    call_deleter(*(void **)pixviewi_owner_held(owner), legacy);
    if (guard)
        PyErr_Restore(type, value, traceback);
}

static void release_guarded_versioned(pixview_owner *owner) { release_managed(owner, false); }

static void release_guarded_legacy(pixview_owner *owner) { release_managed(owner, true); }

void pv_pyref_guard_deleter(pixview_owner *owner, bool legacy)
{
    pixviewi_owner_set_release(owner, legacy ? release_guarded_legacy : release_guarded_versioned);
}

PyObject *pv_pyref_of(const pixview_owner *owner)
{
    const node *item = owner ? pixviewi_owner_held_by(owner, release_object) : NULL;
    return item ? item->object : NULL;
}

PyObject *pv_pyref_source(pixview_owner *owner)
{
    return owner ? pv_pyref_of(pixviewi_owner_root(owner)) : NULL;
}

static PyObject *at_exit(PyObject *self, PyObject *ignored)
{
    (void)self, (void)ignored;
    pixviewi_drain_deferred_owners(true);
    pv_pyref_drain();
    pixviewi_set_exiting();
    Py_RETURN_NONE;
}

static PyMethodDef at_exit_def = {"_at_exit", at_exit, METH_NOARGS, NULL};

int pv_pyref_init(PyObject *module)
{
    PyObject *atexit = PyImport_ImportModule("atexit");
    PyObject *function = PyCFunction_New(&at_exit_def, module);
    PyObject *result =
        atexit && function ? PyObject_CallMethod(atexit, "register", "O", function) : NULL;
    Py_XDECREF(function);
    Py_XDECREF(atexit);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

// ---- the GIL while pixels move -------------------------------------------------------------------

// Beside a thread that runs Python it takes 5 ms to get the GIL back, so it is worth more than a host
// copy of 50 us (measured: 1.5 MB read and written alone in 47 us, beside such a thread in 5168).
enum { SHORT_BYTES = 1 << 20 };

PyThreadState *pv_gil_release(const pixview_image *dst, bool host)
{
    bool brief = host && pixview_image_nbytes(dst) < SHORT_BYTES;
    return brief ? NULL : PyEval_SaveThread();
}

void pv_gil_acquire(PyThreadState *gil)
{
    if (gil)
        PyEval_RestoreThread(gil);
}
