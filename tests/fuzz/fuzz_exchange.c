// SPDX-License-Identifier: Apache-2.0
// Exchange tables of any version, linked to any others, whose functions fail in every way that C allows.
#include "producer.h"

static fuzz_input *input;

static int from_py(void *object, DlManaged **out)
{
    (void)object;
    uint8_t way = take_byte(input);
    if (way & 1)
        *out = make_versioned(input);
    if ((way & 0xf0) == 0xf0)
        PyErr_SetString(PyExc_RuntimeError, "no tensor");
    bool fails = (way & 0x0e) == 0x0e;
    if (fails && *out) { // of a failure the consumer takes nothing
        delete_versioned(*out);
        *out = NULL;
    }
    return fails ? -1 : 0;
}

static int current_work_stream(int32_t type, int32_t id, void **out)
{
    (void)type;
    (void)id;
    *out = (void *)(uintptr_t)take_number(input);
    return take_byte(input) % 4 == 0 ? -1 : 0;
}

static int dltensor_from_py(void *object, DlTensor *out)
{
    (void)object;
    (void)out;
    FAIL("the borrowed tensor cannot say whether it is read-only");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static DlExchange tables[3];
    static const char *const names[] = {"dlpack_exchange_api", "dlpack_exchange_api",
                                        "dlpack_exchange_api", "dltensor"};
    fuzz_input in = {data, data + size};
    input = &in;
    made = deleted = 0;
    core_member("view");
    for (int i = 0; i < 3; i++) {
        uint8_t bits = take_byte(&in);
        DlExchangeHeader *next = bits & 4 ? &tables[bits % 3].header : NULL; // perhaps in a circle
        tables[i] = (DlExchange){
            .header = {{bits >= 192 ? bits % 4 : DL_MAJOR, DL_MINOR}, next},
            .from_py = (bits & 0x38) == 0x38 ? NULL : from_py,
            .dltensor_from_py = dltensor_from_py,
            .current_work_stream = bits & 8 ? current_work_stream : NULL,
        };
    }
    PyObject *type = make_type(NULL);
    uint8_t bits = take_byte(&in);
    PyObject *shown =
        bits >= 240 ? PyLong_FromLong(bits) : PyCapsule_New(&tables[0], names[bits % 4], NULL);
    REQUIRE(shown && PyObject_SetAttrString(type, "__dlpack_c_exchange_api__", shown) == 0);
    Py_DECREF(shown);
    view_object_of(type, &in);
    return 0;
}
