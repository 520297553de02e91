// SPDX-License-Identifier: Apache-2.0
// DLPack structs made of an input. Shape and strides are as long as ndim says, so that a read past them shows.
#ifndef DLPACK_INPUT_H
#define DLPACK_INPUT_H

#include "descriptor/dlpack_abi.h"
#include "fuzz.h"

// `memory`: what the data points to, of `size` bytes; NULL: any address, which nobody may read.
static inline void take_tensor_over(fuzz_input *in, char *memory, int64_t size, DlTensor *tensor)
{
    static const int32_t devices[] = {1, 1, 2, 3, 13, 4};
    uint8_t bits = take_byte(in), kind = take_byte(in);
    pixview_dtype dtype = take_dtype(in);
    tensor->dtype = (DlDtype){dtype.code, dtype.bits, dtype.lanes};
    tensor->device = (DlDevice){memory ? 1 : devices[bits % 6], (bits >> 3) % 2};
    tensor->ndim = kind % 16 == 15 ? (int32_t)take_number(in) : 2 + kind % 3;
    int entries = tensor->ndim >= 0 && tensor->ndim <= 4 ? tensor->ndim : 0;
    if (kind & 64)
        tensor->byte_offset = (uint64_t)take_number(in);
    if (kind & 32)
        tensor->data = memory ? NULL : (void *)(uintptr_t)take_number(in);
    else
        tensor->data = memory ? memory + take_byte(in) % size : (void *)0x7f0000001000;
    tensor->shape = kind == 31 ? NULL : malloc((size_t)entries * sizeof(int64_t));
    tensor->strides = bits & 128 ? malloc((size_t)entries * sizeof(int64_t)) : NULL;
    for (int i = 0; i < entries; i++) {
        int64_t extent = take_number(in);
        if (tensor->shape)
            tensor->shape[i] = extent;
        if (tensor->strides)
            tensor->strides[i] = take_number(in);
    }
}

static inline void take_tensor(fuzz_input *in, DlTensor *tensor)
{
    take_tensor_over(in, NULL, 0, tensor);
}

static inline void take_head(fuzz_input *in, DlManaged *managed)
{
    uint8_t bits = take_byte(in);
    managed->version = (DlVersion){bits % 16 == 15 ? take_byte(in) : DL_MAJOR, bits % 8};
    managed->flags = bits >> 6;
}

static inline void take_managed(fuzz_input *in, DlManaged *managed)
{
    take_head(in, managed);
    take_tensor(in, &managed->tensor);
}

static inline void free_tensor(DlTensor *tensor)
{
    free(tensor->shape);
    free(tensor->strides);
}

#endif
