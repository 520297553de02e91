// SPDX-License-Identifier: Apache-2.0
// Host memory by the buffer protocol (PEP 3118): bytearray, mmap, array.array, ...

#include <string.h>

#include "base/dtypes.h"
#include "base/errors.h"
#include "frameworks/imported.h"
#include "frameworks/protocols/protocols.h"
#include "frameworks/table.h"

int pv_import_from_buffer(pv_state *st, const Py_buffer *b, const pv_options *options,
                          pv_imported *in)
{
    pixview_dtype dtype;
    int64_t shape[4], strides[4];
    if (b->suboffsets) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "the buffer has suboffsets (pointers to rows); make it one array");
        return -1;
    }
    if (pv_dtype_from_format(st, b->format, b->itemsize, &dtype))
        return -1;
    for (int i = 0; i < b->ndim && i < 4; i++) {
        shape[i] = b->shape[i];
        strides[i] = b->strides[i];
    }
    if (pv_imported_init(st, in, options, b->buf, b->ndim, shape, strides, dtype,
                         (pixview_device){PIXVIEW_DEVICE_CPU, 0})) {
        return -1;
    }
    in->image.stream = PIXVIEW_STREAM_NONE;
    if (b->readonly)
        in->image.flags |= PIXVIEW_FLAG_READ_ONLY;
    return 0;
}

// Other exporters (bytearray, mmap) may move their memory once the buffer is given back, so a
// memoryview keeps it.
int pv_import_buffer(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in)
{
    in->keep = PyMemoryView_FromObject(x);
    if (!in->keep) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED, "the buffer of a %s object cannot be read",
                      Py_TYPE(x)->tp_name);
        return -1;
    }
    return pv_import_from_buffer(st, PyMemoryView_GET_BUFFER(in->keep), options, in);
}
