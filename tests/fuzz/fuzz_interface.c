// SPDX-License-Identifier: Apache-2.0
// Dictionaries of the array interfaces with any entries. What is accepted over a buffer lies in the buffer.
#include "embed.h"

// Integers beyond 64 bits too.
static PyObject *take_integer(fuzz_input *in)
{
    PyObject *small = PyLong_FromLongLong(take_number(in));
    uint8_t more = take_byte(in);
    if (more < 240)
        return small;
    PyObject *places = PyLong_FromLong(more), *large = PyNumber_Lshift(small, places);
    Py_DECREF(places);
    Py_DECREF(small);
    return large;
}

static PyObject *take_text(fuzz_input *in)
{
    char text[8];
    int length = take_choice(in, 8);
    for (int i = 0; i < length; i++)
        text[i] = (char)take_byte(in);
    return PyUnicode_DecodeLatin1(text, length, NULL);
}

static PyObject *take_integers(fuzz_input *in, int count)
{
    PyObject *items = PyTuple_New(count);
    for (int i = 0; i < count; i++)
        PyTuple_SET_ITEM(items, i, take_integer(in));
    return items;
}

// Of any kind.
static PyObject *take_value(fuzz_input *in)
{
    switch (take_choice(in, 10)) {
    case 0:
        return Py_NewRef(Py_None);
    case 1:
        return PyBool_FromLong(take_byte(in) & 1);
    case 2:
        return PyFloat_FromDouble((double)take_number(in));
    case 3:
        return take_text(in);
    case 4:
        return PyBytes_FromStringAndSize("\1\2\3\4", take_choice(in, 5));
    case 5:
        return PyDict_New();
    case 6:
        return Py_BuildValue("(NO)", take_integer(in), Py_None);
    case 7:
        return Py_BuildValue("(NN)", take_text(in), take_integer(in));
    case 8:
        return take_integers(in, take_choice(in, 7));
    default:
        return take_integer(in);
    }
}

static PyObject *take_typestr(fuzz_input *in)
{
    static const char *const known[] = {"|u1", "<u2", "<f4", "<f8", "<c16", "|b1", "<i8", ">f4"};
    return PyUnicode_FromString(known[take_choice(in, 8)]);
}

static PyObject *take_data(fuzz_input *in, char *memory, int size)
{
    uint8_t bits = take_byte(in);
    if (bits & 1)
        return PyMemoryView_FromMemory(memory, size, bits & 2 ? PyBUF_WRITE : PyBUF_READ);
    PyObject *address = bits & 4 ? take_integer(in) : PyLong_FromVoidPtr(memory);
    return Py_BuildValue("(NN)", address, PyBool_FromLong(bits & 2));
}

static void put(PyObject *dict, const char *key, PyObject *value)
{
    REQUIRE(value && PyDict_SetItemString(dict, key, value) == 0);
    Py_DECREF(value);
}

// Each entry as it should be, of another kind (a bit of `odd`), or absent (a bit of `absent`).
static PyObject *take_dict(fuzz_input *in, char *memory, int size)
{
    PyObject *dict = PyDict_New();
    REQUIRE(dict);
    uint8_t odd = take_byte(in), absent = take_byte(in);
    int ndim = 2 + take_choice(in, 3);
    const char *const keys[] = {"shape", "typestr", "data", "strides", "offset", "stream", "mask"};
    for (int i = 0; i < 7; i++) {
        bool there = i < 3 ? !(absent >> i & 1) : absent >> i & 1;
        if (!there)
            continue;
        PyObject *value = odd >> i & 1 ? take_value(in)
                          : i == 1     ? take_typestr(in)
                          : i == 2     ? take_data(in, memory, size)
                          : i == 0     ? take_integers(in, ndim)
                          : i == 3     ? take_integers(in, ndim)
                                       : take_integer(in);
        put(dict, keys[i], value);
    }
    return dict;
}

// Arithmetic without limits.
static void require_inside(PyObject *image, const char *memory, int size)
{
    Py_buffer b;
    if (PyObject_GetBuffer(image, &b, PyBUF_FULL_RO)) {
        PyErr_Clear();
        return;
    }
    __int128 low = (char *)b.buf - memory, high = low + b.itemsize;
    bool empty = false;
    for (int i = 0; i < b.ndim; i++) {
        __int128 reach = (__int128)(b.shape[i] - 1) * b.strides[i];
        *(reach < 0 ? &low : &high) += reach;
        empty |= b.shape[i] == 0;
    }
    REQUIRE(empty || (low >= 0 && high <= size));
    PyBuffer_Release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static PyObject *type;
    fuzz_input in = {data, data + size};
    core_member("view");
    if (!type)
        type = PyObject_CallFunction((PyObject *)&PyType_Type, "s(){}", "Holder");
    REQUIRE(type);
    PyObject *x = PyObject_CallNoArgs(type);
    int length = 1 + take_byte(&in);
    char *memory = calloc(1, (size_t)length);
    REQUIRE(x && memory);
    bool cuda = take_byte(&in) % 4 == 0;
    PyObject *dict = take_byte(&in) == 0xff ? take_value(&in) : take_dict(&in, memory, length);
    REQUIRE(dict);
    PyObject *shown = PyDict_Check(dict) ? PyDict_GetItemString(dict, "data") : NULL;
    bool over_buffer = shown && PyMemoryView_Check(shown) && !cuda;
    REQUIRE(PyObject_SetAttrString(x, cuda ? "__cuda_array_interface__" : "__array_interface__",
                                   dict) == 0);
    PyObject *image = view(x, Py_False, &in);
    if (image && over_buffer)
        require_inside(image, memory, length);
    Py_XDECREF(image);
    if (over_buffer) // what is not aligned is copied: out of the buffer alone
        Py_XDECREF(view(x, Py_None, &in));
    Py_DECREF(dict);
    Py_DECREF(x);
    free(memory);
    return 0;
}
