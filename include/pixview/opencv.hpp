// SPDX-License-Identifier: Apache-2.0
// cv::cuda::GpuMat and pixview_image, for C++ programs that use OpenCV. Header-only: it is compiled
// with the OpenCV of the including program, so it fits 4.x and 5.x alike. Not part of pixview.h.
// from_gpumat and to_gpumat do with C++11 and return a status; from C++17 on there are owners
// (pixview.hpp), which throw.
#ifndef PIXVIEW_OPENCV_HPP
#define PIXVIEW_OPENCV_HPP

#include <climits>
#include <new>

#include <opencv2/core/cuda.hpp>

#if __cplusplus >= 201703L
#include "pixview.hpp"
#else
#include "pixview.h"
#endif

namespace pixview
{
namespace detail
{

struct depth_entry {
    int depth;
    pixview_dtype dtype;
};

inline const depth_entry *depths(int *count)
{
    static const depth_entry table[] = {
        {CV_8U, {PIXVIEW_DTYPE_UINT, 8, 1}},      {CV_8S, {PIXVIEW_DTYPE_INT, 8, 1}},
        {CV_16U, {PIXVIEW_DTYPE_UINT, 16, 1}},    {CV_16S, {PIXVIEW_DTYPE_INT, 16, 1}},
        {CV_32S, {PIXVIEW_DTYPE_INT, 32, 1}},     {CV_32F, {PIXVIEW_DTYPE_FLOAT, 32, 1}},
        {CV_64F, {PIXVIEW_DTYPE_FLOAT, 64, 1}},   {CV_16F, {PIXVIEW_DTYPE_FLOAT, 16, 1}},
#ifdef CV_16BF // OpenCV 5
        {CV_16BF, {PIXVIEW_DTYPE_BFLOAT, 16, 1}}, {CV_Bool, {PIXVIEW_DTYPE_BOOL, 8, 1}},
        {CV_64U, {PIXVIEW_DTYPE_UINT, 64, 1}},    {CV_64S, {PIXVIEW_DTYPE_INT, 64, 1}},
        {CV_32U, {PIXVIEW_DTYPE_UINT, 32, 1}},
#endif
    };
    *count = int(sizeof table / sizeof table[0]);
    return table;
}

inline void release_header(void *header) { delete static_cast<cv::cuda::GpuMat *>(header); }

inline pixview_status fail(pixview_error *err, pixview_status code, const char *message)
{
    if (err) {
        *err = pixview_error();
        err->code = code;
        for (unsigned i = 0; message[i] && i + 1 < sizeof err->message; i++)
            err->message[i] = message[i];
    }
    return code;
}

} // namespace detail

// Describes `mat`, memory of GPU `device`, as an image.
//
// Memory:   out->owner holds a header of the same memory, so it outlives release() and create() on
//           `mat`; give it back with pixview_owner_unref, on a thread where OpenCV may be called. A
//           GpuMat without a count (over foreign memory) holds nothing: the memory must outlive the image.
// Returns:  PIXVIEW_OK, PIXVIEW_E_DTYPE, PIXVIEW_E_LAYOUT, PIXVIEW_E_MEMORY
inline pixview_status from_gpumat(const cv::cuda::GpuMat &mat, int device, pixview_image *out,
                                  pixview_error *err = nullptr)
{
    int count = 0;
    const detail::depth_entry *table = detail::depths(&count);
    const detail::depth_entry *entry = nullptr;
    for (int i = 0; i < count; i++)
        if (table[i].depth == mat.depth())
            entry = &table[i];
    if (!entry)
        return detail::fail(err, PIXVIEW_E_DTYPE, "this GpuMat's depth has no pixview dtype");
    const int64_t shape[3] = {mat.rows, mat.cols, mat.channels()};
    const int64_t strides[3] = {int64_t(mat.step), int64_t(mat.elemSize()),
                                int64_t(mat.elemSize1())};
    const pixview_device where = {PIXVIEW_DEVICE_CUDA, device};
    pixview_image image;
    pixview_status status = pixview_image_init(&image, mat.data, 3, shape, strides, entry->dtype,
                                               where, PIXVIEW_LAYOUT_HWC, err);
    if (status != PIXVIEW_OK)
        return status;
    cv::cuda::GpuMat *header = new (std::nothrow) cv::cuda::GpuMat(mat);
    if (!header)
        return detail::fail(err, PIXVIEW_E_MEMORY, "no memory for a GpuMat header");
    status = pixview_owner_create(header, detail::release_header, &image.owner, err);
    if (status != PIXVIEW_OK) {
        delete header;
        return status;
    }
    *out = image;
    return PIXVIEW_OK;
}

// Makes `out` a header over the image's memory.
//
// Memory:   borrowed: the image's memory must outlive `out` and every ROI and copy of its header.
// Returns:  PIXVIEW_OK, PIXVIEW_E_READONLY (a GpuMat has no const), PIXVIEW_E_DEVICE,
//           PIXVIEW_E_DTYPE, PIXVIEW_E_LAYOUT (see pixview_image_check_interleaved: copy to HWC first)
inline pixview_status to_gpumat(const pixview_image &image, cv::cuda::GpuMat &out,
                                pixview_error *err = nullptr)
{
    pixview_status status = pixview_image_check_interleaved(&image, err);
    if (status != PIXVIEW_OK)
        return status;
    if (image.device.type != PIXVIEW_DEVICE_CUDA &&
        image.device.type != PIXVIEW_DEVICE_CUDA_MANAGED)
        return detail::fail(err, PIXVIEW_E_DEVICE, "a GpuMat is GPU memory; upload the image");
    if (image.flags & PIXVIEW_FLAG_READ_ONLY)
        return detail::fail(err, PIXVIEW_E_READONLY, "the image is read-only; copy it");
    int count = 0, depth = -1;
    const detail::depth_entry *table = detail::depths(&count);
    for (int i = 0; i < count; i++)
        if (pixview_dtype_equal(table[i].dtype, image.dtype))
            depth = table[i].depth;
    if (depth < 0)
        return detail::fail(err, PIXVIEW_E_DTYPE, "this OpenCV has no depth for the image's dtype");
    const int64_t rows = image.shape[PIXVIEW_AXIS_H], cols = image.shape[PIXVIEW_AXIS_W];
    const int64_t channels = image.shape[PIXVIEW_AXIS_C];
    if (rows > INT_MAX || cols > INT_MAX || channels > CV_CN_MAX)
        return detail::fail(err, PIXVIEW_E_LAYOUT,
                            "more rows, columns or channels than a GpuMat has");
    const int type = CV_MAKETYPE(depth, int(channels));
    if (rows == 0 || cols == 0)
        out = cv::cuda::GpuMat();
    else
        out = cv::cuda::GpuMat(int(rows), int(cols), type, image.data,
                               rows == 1 ? size_t(cv::Mat::AUTO_STEP)
                                         : size_t(image.strides[PIXVIEW_AXIS_H]));
    return PIXVIEW_OK;
}

#if __cplusplus >= 201703L

// An image of `mat`, memory of GPU `device`, that keeps the memory as from_gpumat says. Throws pixview::error.
inline image image_of(const cv::cuda::GpuMat &mat, int device)
{
    pixview_image made;
    pixview_error err;
    check(from_gpumat(mat, device, &made, &err), err);
    return image::take(made);
}

// A GpuMat over an image's memory, and the image, which it keeps alive. ROIs and copies of the header that are to
// outlive it need the image as well. Throws pixview::error for what to_gpumat refuses.
class gpumat
{
  public:
    explicit gpumat(image from) : image_(std::move(from))
    {
        pixview_error err;
        check(to_gpumat(*image_, mat_, &err), err);
    }
    cv::cuda::GpuMat &operator*() noexcept { return mat_; }
    cv::cuda::GpuMat *operator->() noexcept { return &mat_; }
    gpumat(gpumat &&) = default;
    gpumat &operator=(gpumat &&from)
    {
        mat_ = std::move(from.mat_); // first: it lies in what the image may be the last to hold
        image_ = std::move(from.image_);
        return *this;
    }

  private:
    image image_;
    cv::cuda::GpuMat mat_; // is destroyed first
};

#endif

} // namespace pixview

#endif
