// SPDX-License-Identifier: Apache-2.0
// torch: its DLPack exchange table (2.10 and later), or attributes and capsules before.
#ifndef PV_TORCH_H
#define PV_TORCH_H

#include "descriptor/dlpack_abi.h"
#include "frameworks/table.h"

// Functions of torch's stable C shim (abi.c). NULL: this torch lacks it.
typedef struct pv_torch_shim {
    bool ready; // torch has given GPU memory before, so its allocator is set up
    int32_t (*allocate)(uint64_t nbytes, void **data);
    int32_t (*free)(void *data);
    int32_t (*device)(int32_t *current);
    int32_t (*stream)(int32_t device, void **current);
} pv_torch_shim;

enum { PV_TORCH_POOLED = 256 }; // torch has up to 32 streams for each priority and GPU

typedef struct pv_torch {
    PyObject *module;
    PyObject *increment_version; // of torch.autograd.graph, found at the first write
    const DlExchange *table;     // NULL before torch 2.10
    bool cuda_ready;             // torch.cuda.init was called
    pv_torch_shim shim;
    pixview_stream pooled[PV_TORCH_POOLED]; // streams seen that torch owns, and never destroys
    int pooled_count;
} pv_torch;

static inline pv_torch *pv_torch_of(pv_state *st) { return st->framework_state[PV_TORCH]; }

// The exchange table; NULL: attributes and capsules are used.
static inline const DlExchange *pv_torch_table(pv_state *st)
{
    return st->hooks.torch_without_table ? NULL : pv_torch_of(st)->table;
}

// abi.c: bytes of torch's allocator on that GPU, for torch's current stream of it. False, and no error:
// not by this way.
void pv_torch_shim_find(pv_torch_shim *shim);
bool pv_torch_shim_allocates(pv_state *st); // from torch's second allocation on
bool pv_torch_shim_allocate(pv_state *st, int device, int64_t nbytes, pixview_owner **owner,
                            void **data);

// import.c
int pv_torch_import(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in);
int pv_torch_device_of(pv_state *st, PyObject *x, pixview_device *out);
int pv_torch_owner_of(pv_state *st, PyObject *x, pixview_owner **out); // owner.c

// autograd.c
int pv_torch_check_writable(pv_state *st, const char *name, const pv_imported *dst);
int pv_torch_count_write(pv_state *st, PyObject *x);

// stream.c
int pv_torch_current_stream(pv_state *st, int device, pv_stream *out);
int pv_torch_stream_handle(pv_state *st, PyObject *value, pixview_stream *out);
int pv_torch_only_names_stream(pv_state *st, PyObject *value, pixview_stream handle);
int pv_torch_record_stream(pv_state *st, PyObject *tensor, int device, pixview_stream stream);

// export.c
pixview_status pv_torch_check_view(const pixview_image *image, pixview_error *err);
PyObject *pv_torch_export_take(pv_state *st, pixview_image *image, const pv_plan *plan,
                               PyObject *stream_object);
PyObject *pv_torch_tensor_take(pv_state *st, DlManaged *managed); // takes it in any case

// memory.c
int pv_torch_allocate(pv_state *st, const pv_options *options, const pv_imported *like,
                      const pv_plan *plan, pv_allocation *out);
int pv_torch_allocate_bytes(pv_state *st, int device, int64_t nbytes, pv_allocation *out,
                            void **data);

#endif
