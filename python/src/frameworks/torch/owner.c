// SPDX-License-Identifier: Apache-2.0
// The owner behind a tensor that pixview made.
//
// torch's storage (StorageImpl, whose address is UntypedStorage._cdata) keeps our DLPack struct in the
// context of its deleter: directly, or one pointer further (a std::function that captured it). Both
// are looked through word by word, without a layout taken for granted: a struct is ours if it names
// our deleter, points to itself and shows the storage's memory.

#include "base/probe_memory.h"
#include "descriptor/dlpack.h"
#include "descriptor/dlpack_abi.h"
#include "frameworks/torch/torch.h"

enum { STORAGE_WORDS = 12, CONTEXT_WORDS = 8 };

static pixview_owner *owner_at(uintptr_t word, const void *data)
{
    union {
        DlManaged managed;
        DlManagedLegacy legacy;
    } copy;
    void *at = (void *)word;
    pixview_owner *owner = NULL;
    if (word % sizeof(void *) || word < 4096 || !pv_probe_memory(at, &copy, sizeof copy))
        return NULL;
    if (pixviewi_dlpack_is_ours(&copy.managed, at) && copy.managed.tensor.data == data)
        owner = ((pixviewi_dlpack *)at)->owner;
    else if (pixviewi_dlpack_legacy_is_ours(&copy.legacy, at) && copy.legacy.tensor.data == data)
        owner = pixviewi_dlpack_legacy_owner(at);
    return owner;
}

// How many of `most` words were read: what is looked through may be shorter, and end where memory does.
static int read_words(const void *from, uintptr_t *words, int most)
{
    enum { PAGE = 4096 }; // the smallest
    size_t left = (PAGE - (uintptr_t)from % PAGE) / sizeof *words;
    if (pv_probe_memory(from, words, (size_t)most * sizeof *words))
        return most;
    return left < (size_t)most && pv_probe_memory(from, words, left * sizeof *words) ? (int)left
                                                                                     : 0;
}

static pixview_owner *search_storage(const void *storage, const void *data)
{
    uintptr_t words[STORAGE_WORDS], inner[CONTEXT_WORDS];
    int count = read_words(storage, words, STORAGE_WORDS);
    for (int i = 0; i < count; i++) {
        if (words[i] == (uintptr_t)data)
            continue; // pixels
        pixview_owner *owner = owner_at(words[i], data);
        if (owner)
            return owner;
        if (words[i] % sizeof(void *) || words[i] < 4096)
            continue;
        int inners = read_words((void *)words[i], inner, CONTEXT_WORDS);
        for (int k = 0; k < inners; k++)
            if ((owner = owner_at(inner[k], data)))
                return owner;
    }
    return NULL;
}

static int address_from(PyObject *value, void **out)
{
    *out = value ? PyLong_AsVoidPtr(value) : NULL;
    Py_XDECREF(value);
    return PyErr_Occurred() ? -1 : 0;
}

// Memory of torch's own, which is most, has a storage that can be resized.
static bool is_torchs_own(PyObject *storage)
{
    PyObject *answer = PyObject_CallMethod(storage, "resizable", NULL);
    Py_XDECREF(answer);
    if (!answer)
        PyErr_Clear(); // a torch that cannot be asked
    return answer == Py_True;
}

int pv_torch_owner_of(pv_state *st, PyObject *x, pixview_owner **out)
{
    (void)st;
    void *address = NULL, *data = NULL;
    PyObject *storage = PyObject_CallMethod(x, "untyped_storage", NULL);
    if (storage && is_torchs_own(storage)) {
        Py_DECREF(storage);
        return 0;
    }
    int rc = storage && !address_from(PyObject_GetAttrString(storage, "_cdata"), &address) &&
                     !address_from(PyObject_CallMethod(storage, "data_ptr", NULL), &data)
                 ? 0
                 : -1;
    if (rc == 0 && data)
        *out = search_storage(address, data);
    Py_XDECREF(storage);
    return rc;
}
