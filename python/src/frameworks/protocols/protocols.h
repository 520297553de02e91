// SPDX-License-Identifier: Apache-2.0
// One reader for each protocol, and what several frameworks share of them.
#ifndef PV_PROTOCOLS_H
#define PV_PROTOCOLS_H

#include "descriptor/dlpack_abi.h"
#include "frameworks/framework.h"

// All read into an image as pv_framework.import does: 0, or -1 with an error.

// dlpack.c: __dlpack__, and the capsule that it makes.
int pv_import_dlpack(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in);
int pv_import_capsule(pv_state *st, PyObject *capsule, const pv_options *options, pv_imported *in);
// A managed tensor of the caller's: taken on success, unless planning.
int pv_import_managed_take(pv_state *st, DlManaged *m, const pv_options *options, pv_imported *in);

// exchange.c: the DLPack exchange table of x's type. 1: it has none, or none that knows its stream.
int pv_import_exchange(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in);
// The table of a type (any member may be NULL); NULL if it has none of our version. -1 with what the
// lookup raised.
int pv_exchange_read(pv_state *st, PyTypeObject *type, const DlExchange **out);

// interfaces.c: __array_interface__ and, `cuda`, __cuda_array_interface__.
int pv_import_interface(pv_state *st, PyObject *x, PyObject *interface, bool cuda,
                        const pv_options *options, pv_imported *in);

// buffer.c: the buffer protocol.
int pv_import_buffer(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in);
int pv_import_from_buffer(pv_state *st, const Py_buffer *b, const pv_options *options,
                          pv_imported *in);

// exchange.c: the tables of the types that were met last.
enum { PV_KNOWN_TABLES = 8 };
typedef struct pv_known_table {
    PyTypeObject *type; // borrowed; only compared
    PyObject *ref;      // owned weak reference to it
    const DlExchange *table;
} pv_known_table;

typedef struct pv_known_tables {
    pv_known_table at[PV_KNOWN_TABLES];
    unsigned next; // the slot that is given up next
} pv_known_tables;

extern const size_t pv_known_tables_owned[];

#endif
