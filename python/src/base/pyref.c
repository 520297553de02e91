// Keeping a Python object alive from memory that may die on any thread, with or without the GIL.
//
// A release that holds the GIL drops the reference at once. One that does not never waits for the
// GIL (its thread may hold a lock that the GIL's owner wants): the reference goes onto a lock-free
// list, and the main thread is asked to drop it at its next opportunity (Py_AddPendingCall); the
// next conversion drains the list too. After interpreter exit began, references are left alone.

#include <stdatomic.h>
#include <stdlib.h>

#include "base/state.h"

// What is dropped later. An owner's is part of the owner, which goes with it.
typedef struct node {
    PyObject *object;
    struct node *next;
    pixview_owner *owner; // NULL: a block of its own
} node;

static _Atomic(node *) deferred;

PIXVIEWI_HOT bool pv_have_gil(void)
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

PIXVIEWI_HOT void pv_drain_deferred(void)
{
    pixviewi_release_postponed();
    if (PIXVIEWI_LIKELY(!atomic_load_explicit(&deferred, memory_order_relaxed)))
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
    pv_drain_deferred();
    return 0;
}

PIXVIEWI_HOT static void drop_later(node *item)
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

void pv_drop_object(void *object)
{
    if (!object || pixviewi_exiting())
        return;
    if (pv_have_gil()) {
        drop_now(object);
        return;
    }
    node *item = malloc(sizeof *item);
    if (!item)
        return; // leaking one reference is the least harm without memory
    *item = (node){.object = object};
    drop_later(item);
}

static node *node_of(const pixview_owner *owner)
{
    _Static_assert(sizeof(node) <= sizeof owner->held, "a node fits");
    return (node *)owner->held.pointers;
}

PIXVIEWI_HOT static void release_object(pixview_owner *owner)
{
    node *item = node_of(owner);
    if (pixviewi_exiting()) {
        pixviewi_owner_free(owner);
    } else if (pv_have_gil()) {
        drop_now(item->object);
        pixviewi_owner_free(owner);
    } else {
        item->owner = owner;
        drop_later(item);
    }
}

PIXVIEWI_HOT pixview_owner *pv_hold_object(PyObject *object)
{
    pixview_owner *owner = pixviewi_owner_new(release_object);
    if (!owner) {
        PyErr_NoMemory();
        return NULL;
    }
    owner->freed_by_release = true;
    node_of(owner)->object = Py_NewRef(object);
    return owner;
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
    bool guard = pv_have_gil();
    if (guard)
        PyErr_Fetch(&type, &value, &traceback);
    call_deleter(owner->held.pointers[0], legacy);
    if (guard)
        PyErr_Restore(type, value, traceback);
}

static void release_versioned(pixview_owner *owner) { release_managed(owner, false); }

static void release_legacy(pixview_owner *owner) { release_managed(owner, true); }

void pv_guard_deleter(pixview_owner *owner, bool legacy)
{
    owner->release = legacy ? release_legacy : release_versioned;
}

PyObject *pv_held_object(const pixview_owner *owner)
{
    return owner && owner->release == release_object ? node_of(owner)->object : NULL;
}

static PyObject *at_exit(PyObject *self, PyObject *ignored)
{
    (void)self, (void)ignored;
    pixviewi_release_postponed_now(true);
    pv_drain_deferred();
    pixviewi_set_exiting();
    Py_RETURN_NONE;
}

static PyMethodDef at_exit_def = {"_at_exit", at_exit, METH_NOARGS, NULL};

int pv_hold_init(PyObject *module)
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

PyThreadState *pv_let_go(const pixview_image *dst, bool host)
{
    bool brief = host && pixview_image_nbytes(dst) < SHORT_BYTES;
    return brief ? NULL : PyEval_SaveThread();
}

void pv_take_back(PyThreadState *gil)
{
    if (gil)
        PyEval_RestoreThread(gil);
}
