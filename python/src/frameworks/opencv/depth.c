// SPDX-License-Identifier: Apache-2.0
// Element types in OpenCV's codes.

#include "descriptor/dtype.h"
#include "frameworks/opencv/abi.h"

void pv_gpumat_fill_depths(pv_gpumat_abi *abi)
{
    abi->depth_count = abi->cn_shift == 3 ? 8 : PV_GPUMAT_DEPTHS;
    for (int i = 0; i < PIXVIEWI_DTYPE_COUNT; i++) {
        int depth = pixviewi_dtypes[i].opencv_depth;
        if (depth >= 0)
            abi->depths[depth] = pixviewi_dtypes[i].dtype;
    }
}

int pv_gpumat_depth(const pv_gpumat_abi *abi, pixview_dtype dtype)
{
    for (int i = 0; i < abi->depth_count; i++)
        if (pixview_dtype_equal(abi->depths[i], dtype))
            return i;
    return -1;
}
