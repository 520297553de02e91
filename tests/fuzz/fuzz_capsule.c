// SPDX-License-Identifier: Apache-2.0
// Producers with __dlpack__: capsules of any name and content, devices and keywords of any kind.
#include "producer.h"

static fuzz_input *input;

static void delete_legacy(DlManagedLegacy *self)
{
    deleted++;
    free_tensor(&self->tensor);
    free(self);
}

// As producers do: what nobody consumed goes with its capsule.
static void drop(PyObject *capsule)
{
    const char *name = PyCapsule_GetName(capsule);
    void *at = PyCapsule_GetPointer(capsule, name);
    if (strncmp(name, "used_", 5) == 0)
        return;
    if (PyCapsule_GetContext(capsule))
        delete_legacy(at);
    else
        delete_versioned(at);
}

static PyObject *make_capsule(fuzz_input *in)
{
    static const char *const names[] = {"dltensor_versioned", "dltensor", "dlpack", "other"};
    uint8_t bits = take_byte(in);
    bool legacy = bits & 1;
    void *at;
    if (legacy) {
        DlManagedLegacy *managed = calloc(1, sizeof *managed);
        REQUIRE(managed);
        take_tensor_over(in, producer_memory, sizeof producer_memory, &managed->tensor);
        managed->deleter = delete_legacy;
        made++;
        at = managed;
    } else {
        at = make_versioned(in);
    }
    const char *name = names[bits >= 248 ? 2 + bits % 2 : legacy];
    PyObject *capsule = PyCapsule_New(at, name, drop);
    REQUIRE(capsule && PyCapsule_SetContext(capsule, legacy ? &made : NULL) == 0);
    return capsule;
}

static PyObject *dlpack(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    (void)self;
    (void)args;
    uint8_t bits = take_byte(input);
    if ((names && PyTuple_GET_SIZE(names) > bits % 4) || count > 0)
        return PyErr_Format(PyExc_TypeError, "unexpected keyword");
    if (bits >= 240)
        return bits & 1 ? PyErr_Format(PyExc_BufferError, "no") : Py_NewRef(Py_None);
    return make_capsule(input);
}

static PyObject *dlpack_device(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    uint8_t bits = take_byte(input);
    if (bits < 192)
        return Py_BuildValue("(ii)", 1, 0);
    if (bits & 1)
        return Py_BuildValue("(LL)", (long long)take_number(input), (long long)take_number(input));
    return bits & 2 ? PyErr_Format(PyExc_BufferError, "no") : Py_BuildValue("(si)", "cpu", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static PyMethodDef methods[] = {
        {"__dlpack__", (PyCFunction)(void (*)(void))dlpack, METH_FASTCALL | METH_KEYWORDS, NULL},
        {"__dlpack_device__", dlpack_device, METH_NOARGS, NULL},
        {NULL, NULL, 0, NULL}};
    fuzz_input in = {data, data + size};
    input = &in;
    made = deleted = 0;
    core_member("view");
    if (take_byte(&in) % 4) {
        view_object_of(make_type(methods), &in);
        return 0;
    }
    PyObject *capsule = make_capsule(&in);
    PyObject *image = view(capsule, Py_False, &in);
    PyObject *again = view(capsule, Py_False, &in); // consumed, if the first one worked
    REQUIRE(!image || !again);
    Py_XDECREF(image);
    Py_XDECREF(again);
    Py_DECREF(capsule);
    REQUIRE_INT(deleted, made);
    return 0;
}
