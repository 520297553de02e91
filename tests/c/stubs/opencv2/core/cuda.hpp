// SPDX-License-Identifier: Apache-2.0
// What include/pixview/opencv.hpp uses of OpenCV, in the words of OPENCV_MAJOR 4 or 5, so that the
// header is compiled and run where no OpenCV is installed. Types are numbered as in OpenCV's
// opencv2/core/hal/interface.h.
#ifndef STUB_OPENCV_CUDA_HPP
#define STUB_OPENCV_CUDA_HPP

#include <cstddef>

enum { CV_8U, CV_8S, CV_16U, CV_16S, CV_32S, CV_32F, CV_64F, CV_16F };
#if OPENCV_MAJOR >= 5
#define CV_16BF     8
#define CV_Bool     9
#define CV_64U      10
#define CV_64S      11
#define CV_32U      12
#define CV_CN_SHIFT 5
#define CV_CN_MAX   128
#else
#define CV_CN_SHIFT 3
#define CV_CN_MAX   512
#endif
#define CV_MAKETYPE(depth, channels) ((depth) + (((channels) - 1) << CV_CN_SHIFT))
#define CV_8UC3                      CV_MAKETYPE(CV_8U, 3)

namespace cv
{

struct Mat {
    enum { AUTO_STEP = 0 };
};

namespace cuda
{

class GpuMat
{
  public:
    GpuMat() {}
    GpuMat(int rows_, int cols_, int type_, void *data_, size_t step_ = Mat::AUTO_STEP)
        : rows(rows_), cols(cols_), step(step_ ? step_ : size_t(cols_) * elements(type_)),
          data(static_cast<unsigned char *>(data_)), type_bits(type_)
    {
    }
    int type() const { return type_bits; }
    int depth() const { return type_bits & ((1 << CV_CN_SHIFT) - 1); }
    int channels() const { return (type_bits >> CV_CN_SHIFT) + 1; }
    size_t elemSize1() const
    {
        static const unsigned char sizes[] = {1, 1, 2, 2, 4, 4, 8, 2, 2, 1, 8, 8, 4};
        return sizes[depth()];
    }
    size_t elemSize() const { return elemSize1() * size_t(channels()); }
    bool empty() const { return data == NULL; }

    int rows = 0, cols = 0;
    size_t step = 0;
    unsigned char *data = NULL;

  private:
    static size_t elements(int type) { return GpuMat(1, 1, type, NULL, 1).elemSize(); }
    int type_bits = 0;
};

} // namespace cuda
} // namespace cv

#endif
