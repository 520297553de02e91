// SPDX-License-Identifier: Apache-2.0
// A producer of DLPack structs over memory of its own: counts those made and those deleted.
#ifndef PRODUCER_H
#define PRODUCER_H

#include "embed.h"

static int made, deleted;
static char producer_memory[256];

static void delete_versioned(DlManaged *self)
{
    deleted++;
    free_tensor(&self->tensor);
    free(self);
}

static inline DlManaged *make_versioned(fuzz_input *in)
{
    DlManaged *managed = calloc(1, sizeof *managed);
    REQUIRE(managed);
    take_head(in, managed);
    take_tensor_over(in, producer_memory, sizeof producer_memory, &managed->tensor);
    managed->deleter = delete_versioned;
    made++;
    return managed;
}

// A type of its own for each input: pixview remembers what it found on a type.
static inline PyObject *make_type(PyMethodDef *methods)
{
    PyType_Slot slots[] = {{methods ? Py_tp_methods : 0, methods}, {0, NULL}};
    PyType_Spec spec = {"fuzz.Producer", 0, 0, Py_TPFLAGS_DEFAULT, slots};
    PyObject *type = PyType_FromSpec(&spec);
    REQUIRE(type);
    return type;
}

static inline void view_object_of(PyObject *type, fuzz_input *in)
{
    PyObject *x = PyObject_CallNoArgs(type);
    REQUIRE(x);
    PyObject *image = view(x, Py_False, in); // its data points anywhere
    if (image)
        REQUIRE(made > 0);
    Py_XDECREF(image);
    Py_DECREF(x);
    Py_DECREF(type);
    REQUIRE_INT(deleted, made);
}

#endif
