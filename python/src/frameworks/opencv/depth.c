// Element types in OpenCV's codes.

#include "frameworks/opencv/abi.h"

// Depth codes in OpenCV's order; those from 8 on exist in OpenCV 5 only.
static const pixview_dtype depths[] = {
    {PIXVIEW_DTYPE_UINT, 8, 1},   {PIXVIEW_DTYPE_INT, 8, 1},    {PIXVIEW_DTYPE_UINT, 16, 1},
    {PIXVIEW_DTYPE_INT, 16, 1},   {PIXVIEW_DTYPE_INT, 32, 1},   {PIXVIEW_DTYPE_FLOAT, 32, 1},
    {PIXVIEW_DTYPE_FLOAT, 64, 1}, {PIXVIEW_DTYPE_FLOAT, 16, 1}, {PIXVIEW_DTYPE_BFLOAT, 16, 1},
    {PIXVIEW_DTYPE_BOOL, 8, 1},   {PIXVIEW_DTYPE_UINT, 64, 1},  {PIXVIEW_DTYPE_INT, 64, 1},
    {PIXVIEW_DTYPE_UINT, 32, 1},
};

static int depth_count(const pv_gpumat_abi *abi) { return abi->cn_shift == 3 ? 8 : 13; }

int pv_gpumat_depth(const pv_gpumat_abi *abi, pixview_dtype dtype)
{
    for (int i = 0; i < depth_count(abi); i++) {
        if (pixview_dtype_equal(depths[i], dtype))
            return i;
    }
    return -1;
}

bool pv_gpumat_dtype(const pv_gpumat_abi *abi, int depth, pixview_dtype *out)
{
    if (depth < 0 || depth >= depth_count(abi))
        return false;
    *out = depths[depth];
    return true;
}
