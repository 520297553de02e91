// SPDX-License-Identifier: Apache-2.0
// include/pixview/opencv.hpp against an OpenCV, or stubs of one: headers there and back.
#include <cstdio>
#include <cstdlib>

#include <pixview/opencv.hpp>
#include <pixview/pixview.h>

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, err.message); \
            std::abort();                                                                          \
        }                                                                                          \
    } while (0)

#if __cplusplus >= 201703L
// The owners: a GpuMat over an image holds the image.
static void owners()
{
    static unsigned char memory[4096];
    pixview_error err = pixview_error();
    static int released;
    pixview::image image = pixview::image_of(cv::cuda::GpuMat(4, 5, CV_8UC3, memory, 64), 0);
    REQUIRE(image->data == memory && image->owner && image.width() == 5);
    pixview_image counted = image.release();
    pixview_owner_unref(counted.owner);
    REQUIRE(pixview_owner_create(
                nullptr, [](void *) { released++; }, &counted.owner, &err) == PIXVIEW_OK);
    {
        pixview::gpumat third(pixview::image_of(cv::cuda::GpuMat(1, 1, CV_8UC3, memory, 64), 0));
        {
            pixview::gpumat first(pixview::image::take(counted));
            REQUIRE(first->data == memory && (*first).rows == 4 && first->step == 64);
            pixview::gpumat second(std::move(first));
            third = std::move(second);
        }
        REQUIRE(third->rows == 4 && third->data == memory && released == 0);
    }
    REQUIRE(released == 1);
    counted.owner = nullptr;
    counted.flags = PIXVIEW_FLAG_READ_ONLY;
    try {
        pixview::gpumat refused(pixview::image::take(counted));
        REQUIRE(false);
    } catch (const pixview::error &e) {
        REQUIRE(e.status() == PIXVIEW_E_READONLY);
    }
}
#endif

int main()
{
#if __cplusplus >= 201703L
    owners();
#endif
    static unsigned char memory[4096];
    pixview_error err = pixview_error();
    pixview_image image;
    cv::cuda::GpuMat mat(4, 5, CV_8UC3, memory, 64), back, empty;

    REQUIRE(pixview::from_gpumat(mat, 1, &image, &err) == PIXVIEW_OK);
    REQUIRE(image.data == memory && image.device.id == 1 && image.owner);
    REQUIRE(image.shape[PIXVIEW_AXIS_H] == 4 && image.shape[PIXVIEW_AXIS_W] == 5);
    REQUIRE(image.shape[PIXVIEW_AXIS_C] == 3 && image.strides[PIXVIEW_AXIS_H] == 64);
    REQUIRE(pixview::to_gpumat(image, back, &err) == PIXVIEW_OK);
    REQUIRE(back.data == memory && back.step == 64 && back.type() == CV_8UC3);
    REQUIRE(back.rows == 4 && back.cols == 5);
    pixview_owner_unref(image.owner);

    image.owner = nullptr;
    image.flags = PIXVIEW_FLAG_READ_ONLY;
    REQUIRE(pixview::to_gpumat(image, back, &err) == PIXVIEW_E_READONLY);
    image.flags = 0;
    image.device.type = PIXVIEW_DEVICE_CPU;
    REQUIRE(pixview::to_gpumat(image, back, &err) == PIXVIEW_E_DEVICE);
    image.device.type = PIXVIEW_DEVICE_CUDA;
    image.dtype.code = PIXVIEW_DTYPE_COMPLEX;
    image.dtype.bits = 64;
    image.shape[PIXVIEW_AXIS_C] = 1;
    image.strides[PIXVIEW_AXIS_W] = image.strides[PIXVIEW_AXIS_C] = 8;
    REQUIRE(pixview::to_gpumat(image, back, &err) == PIXVIEW_E_DTYPE);

    REQUIRE(pixview::from_gpumat(empty, 0, &image, &err) == PIXVIEW_OK);
    REQUIRE(pixview_image_is_empty(&image));
    REQUIRE(pixview::to_gpumat(image, back, &err) == PIXVIEW_OK && back.empty());
    pixview_owner_unref(image.owner);

#ifdef CV_Bool
    cv::cuda::GpuMat flags(4, 5, CV_MAKETYPE(CV_Bool, 3), memory, 64);
    REQUIRE(pixview::from_gpumat(flags, 0, &image, &err) == PIXVIEW_OK);
    REQUIRE(image.dtype.code == PIXVIEW_DTYPE_BOOL && image.dtype.bits == 8);
    REQUIRE(pixview::to_gpumat(image, back, &err) == PIXVIEW_OK && back.type() == flags.type());
    pixview_owner_unref(image.owner);
#endif
    return 0;
}
