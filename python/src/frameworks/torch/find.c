// SPDX-License-Identifier: Apache-2.0
// Finding torch, and its row in the table.

#include "frameworks/find.h"
#include "base/errors.h"
#include "descriptor/dlpack_abi.h"
#include "frameworks/protocols/protocols.h"
#include "frameworks/torch/torch.h"

// torch's exchange table, if every function of it is there.
static const DlExchange *whole_table(pv_state *st, PyTypeObject *type)
{
    const DlExchange *table;
    if (pv_exchange_read(st, type, &table))
        PyErr_Clear();
    if (!table || !table->allocator || !table->from_py || !table->to_py ||
        !table->dltensor_from_py || !table->current_work_stream) {
        return NULL;
    }
    return table;
}

static void torch_find(pv_state *st)
{
    pv_torch *torch = pv_torch_of(st);
    PyObject *module = pv_find_module("torch");
    PyTypeObject *type = pv_find_type(module, st->s_Tensor);
    if (!type) {
        Py_XDECREF(module);
        return;
    }
    torch->module = module;
    torch->table = whole_table(st, type);
    pv_torch_shim_find(&torch->shim);
    st->framework_type[PV_TORCH] = type;
}

static int torch_need(pv_state *st)
{
    return pv_need_module(st, &pv_framework_torch, "torch", "pip install torch");
}

static int torch_report(pv_state *st, PyObject *dict)
{
    const char *way = !st->framework_type[PV_TORCH] ? NULL
                      : pv_torch_table(st)          ? "table"
                                                    : "attributes";
    PyObject *text = Py_BuildValue("z", way);
    bool memory = pv_torch_shim_allocates(st);
    int rc = text && PyDict_SetItemString(dict, "torch", text) == 0 &&
                     PyDict_SetItemString(dict, "torch_memory", memory ? Py_True : Py_False) == 0
                 ? 0
                 : -1;
    Py_XDECREF(text);
    return rc;
}

static const size_t torch_owned[] = {offsetof(pv_torch, module),
                                     offsetof(pv_torch, increment_version), PV_OWNED_END};

const pv_framework pv_framework_torch = {
    .name = "torch",
    .call = "as_torch",
    .index = PV_TORCH,
    .flags = PV_ON_HOST | PV_ON_GPU | PV_PLANAR | PV_WRITABLE,
    .state_size = sizeof(pv_torch),
    .owned = torch_owned,
    .find = torch_find,
    .need = torch_need,
    .import = pv_torch_import,
    .check_writable = pv_torch_check_writable,
    .count_write = pv_torch_count_write,
    .check_view = pv_torch_check_view,
    .export_take = pv_torch_export_take,
    .allocate = pv_torch_allocate,
    .allocate_bytes = pv_torch_allocate_bytes,
    .current_stream = pv_torch_current_stream,
    .stream_handle = pv_torch_stream_handle,
    .only_names_stream = pv_torch_only_names_stream,
    .record_stream = pv_torch_record_stream,
    .device_of = pv_torch_device_of,
    .owner_of = pv_torch_owner_of,
    .report = torch_report,
};
