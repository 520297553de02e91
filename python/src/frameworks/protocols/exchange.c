// SPDX-License-Identifier: Apache-2.0
// Any other type's DLPack C exchange table (DLPack 1.3), found on the type and remembered per type.
//
// Read through managed_tensor_from_py_object_no_sync, whose struct says whether the memory may be
// written; the borrowed DLTensor cannot. torch's own tensors take the shorter way of import_table.c.

#include "base/errors.h"
#include "descriptor/dlpack_abi.h"
#include "frameworks/protocols/protocols.h"
#include "frameworks/table.h"

// A newer major links back to older ones; a chain that bites its tail must not hang us.
static const DlExchange *known_version(const DlExchangeHeader *header)
{
    for (int i = 0; header && i < 64; i++, header = header->prev_api) {
        if (header->version.major == DL_MAJOR)
            return (const DlExchange *)header;
        if (header->version.major < DL_MAJOR)
            return NULL;
    }
    return NULL;
}

int pv_exchange_read(pv_state *st, PyTypeObject *type, const DlExchange **out)
{
    *out = NULL;
    PyObject *capsule = PyObject_GetAttr((PyObject *)type, st->s___dlpack_c_exchange_api__);
    if (!capsule) {
        if (!PyErr_ExceptionMatches(PyExc_AttributeError))
            return -1;
        PyErr_Clear();
        return 0;
    }
    if (PyCapsule_IsValid(capsule, "dlpack_exchange_api"))
        *out = known_version(PyCapsule_GetPointer(capsule, "dlpack_exchange_api"));
    Py_DECREF(capsule); // a table is static for the process
    return 0;
}

// ---- what was found, by exact type ------------------------------------------------------------------

// Does the weak reference still stand for this type, and not for a dead one of the same address?
static bool refers(PyObject *ref, PyTypeObject *type)
{
#if PY_VERSION_HEX >= 0x030d0000
    PyObject *found = NULL;
    (void)!PyWeakref_GetRef(ref, &found);
    Py_XDECREF(found);
    return found == (PyObject *)type;
#else
    return PyWeakref_GET_OBJECT(ref) == (PyObject *)type;
#endif
}

static int remember(pv_state *st, PyTypeObject *type, const DlExchange *table)
{
    PyObject *ref = PyWeakref_NewRef((PyObject *)type, NULL);
    if (!ref)
        return -1;
    pv_known_tables *known = st->framework_state[PV_PROTOCOLS];
    pv_known_table *slot = &known->at[known->next++ % PV_KNOWN_TABLES];
    slot->type = type;
    slot->table = table;
    Py_XSETREF(slot->ref, ref);
    return 0;
}

// 0: *out is the table, NULL if the type has none that can be used. -1 with what the lookup raised.
static int find_known_table(pv_state *st, PyTypeObject *type, const DlExchange **out)
{
    const pv_known_tables *tables = st->framework_state[PV_PROTOCOLS];
    for (int i = 0; i < PV_KNOWN_TABLES; i++) {
        const pv_known_table *known = &tables->at[i];
        if (known->type == type && known->ref && refers(known->ref, type)) {
            *out = known->table;
            return 0;
        }
    }
    if (pv_exchange_read(st, type, out))
        return -1;
    if (*out && !(*out)->from_py)
        *out = NULL;
    return remember(st, type, *out);
}

#define REF(i) offsetof(pv_known_tables, at[i].ref)
const size_t pv_known_tables_owned[] = {REF(0), REF(1), REF(2), REF(3),      REF(4),
                                        REF(5), REF(6), REF(7), PV_OWNED_END};
_Static_assert(PV_KNOWN_TABLES == 8, "one entry above for each");

// ---- one object --------------------------------------------------------------------------------------

// It is not yet ours: an error that is set survives the deleter.
static void give_up(DlManaged *m)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (m->deleter)
        m->deleter(m);
    PyErr_Restore(type, value, traceback);
}

static DlManaged *managed_tensor_of(pv_state *st, PyObject *x, const DlExchange *table)
{
    DlManaged *m = NULL;
    int rc = table->from_py(x, &m);
    if (rc == 0 && m && !PyErr_Occurred())
        return m;
    if (rc == 0 && m)
        give_up(m);
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                  "the DLPack exchange table of a %s object cannot describe it",
                  Py_TYPE(x)->tp_name);
    return NULL;
}

// The producer's current stream; NULL from a table that knows none, and where there is nothing to ask.
static int current_stream_of(pv_state *st, PyObject *x, const DlExchange *table, const DlManaged *m,
                             void **out)
{
    *out = NULL;
    bool cuda =
        m->version.major == DL_MAJOR && (m->tensor.device.type == PIXVIEW_DEVICE_CUDA ||
                                         m->tensor.device.type == PIXVIEW_DEVICE_CUDA_MANAGED);
    if (!cuda || !table->current_work_stream)
        return 0;
    int rc = table->current_work_stream(PIXVIEW_DEVICE_CUDA, m->tensor.device.id, out);
    if (rc == 0 && !PyErr_Occurred())
        return 0;
    pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                  "the DLPack exchange table of a %s object does not tell its stream",
                  Py_TYPE(x)->tp_name);
    return -1;
}

// NULL means "unknown" (it is only torch's legacy stream): __dlpack__ orders its data itself.
static int prefers_dlpack(pv_state *st, PyObject *x, const DlManaged *m, const void *stream)
{
    if (stream || m->version.major != DL_MAJOR || m->tensor.device.type == PIXVIEW_DEVICE_CPU ||
        m->tensor.device.type == PIXVIEW_DEVICE_CUDA_HOST) {
        return 0;
    }
    PyObject *method = PyObject_GetAttr(x, st->s___dlpack__);
    bool has = method != NULL;
    Py_XDECREF(method);
    if (!has && !PyErr_ExceptionMatches(PyExc_AttributeError))
        return -1;
    PyErr_Clear();
    return has;
}

static int import_by(pv_state *st, PyObject *x, const DlExchange *table, const pv_options *options,
                     pv_imported *in)
{
    void *stream;
    DlManaged *m = managed_tensor_of(st, x, table);
    if (!m)
        return -1;
    int rc = current_stream_of(st, x, table, m, &stream);
    if (rc == 0)
        rc = prefers_dlpack(st, x, m, stream);
    if (rc == 0)
        rc = pv_import_managed_take(st, m, options, in);
    if (rc != 0 || options->planning)
        give_up(m);
    if (rc == 0) {
        bool host = pixview_image_on_host(&in->image);
        in->image.stream = host ? PIXVIEW_STREAM_NONE : (pixview_stream)stream;
        if (!host)
            in->stream_object = Py_NewRef(PV_UNKEPT); // a handle is all that the table has
    }
    return rc;
}

int pv_import_exchange(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    const DlExchange *table;
    if (find_known_table(st, Py_TYPE(x), &table)) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "%U of a %s object cannot be read",
                      st->s___dlpack_c_exchange_api__, Py_TYPE(x)->tp_name);
        return -1;
    }
    return table ? import_by(st, x, table, options, in) : 1;
}
