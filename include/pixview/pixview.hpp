// SPDX-License-Identifier: Apache-2.0
// pixview for C++17: owners of a pixview_image, a pixview_share and a pixview_pool, and pixels in host memory.
// Header-only, over the C functions.
// It needs no OpenCV; opencv.hpp adds cv::cuda::GpuMat.
//
// Errors are exceptions (pixview::error), because constructors and crops return what they make. A program that is
// built without exceptions calls the C functions, which return a status.
#ifndef PIXVIEW_PIXVIEW_HPP
#define PIXVIEW_PIXVIEW_HPP

#if __cplusplus < 201703L
#error \
    "pixview.hpp needs C++17 (-std=c++17); the C headers and from_gpumat of opencv.hpp do with C++11"
#endif

#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "pixview.h"

// pixels points into its image's memory, so the references and spans that it returns outlive it. Without this gcc 14
// warns of those of a temporary one (-Wdangling-reference).
#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(gnu::no_dangling)
#define PIXVIEW_NO_DANGLING [[gnu::no_dangling]]
#endif
#endif
#ifndef PIXVIEW_NO_DANGLING
#define PIXVIEW_NO_DANGLING
#endif

namespace pixview
{

class error : public std::runtime_error
{
  public:
    explicit error(const pixview_error &from)
        : std::runtime_error(from.message), status_(from.code), driver_code_(from.driver_code)
    {
    }
    error(pixview_status status, const std::string &message)
        : std::runtime_error(message), status_(status)
    {
    }
    pixview_status status() const noexcept { return status_; }
    int32_t driver_code() const noexcept { return driver_code_; } // the CUresult, or 0

  private:
    pixview_status status_;
    int32_t driver_code_ = 0;
};

// For calls of the C functions: check(pixview_copy(&a, &b, nullptr, &err), err).
inline void check(pixview_status status, const pixview_error &err)
{
    if (status != PIXVIEW_OK)
        throw error(err);
}

// The element type of a C++ type: uint8_t, float, bool, ...
template <class T> constexpr pixview_dtype dtype_of()
{
    using U = std::remove_cv_t<T>;
    static_assert(std::is_arithmetic_v<U> && sizeof(U) <= 8, "no pixview dtype for this type");
    constexpr uint8_t bits = uint8_t(sizeof(U) * 8);
    if constexpr (std::is_same_v<U, bool>)
        return {PIXVIEW_DTYPE_BOOL, bits, 1};
    else if constexpr (std::is_floating_point_v<U>)
        return {PIXVIEW_DTYPE_FLOAT, bits, 1};
    else if constexpr (std::is_signed_v<U>)
        return {PIXVIEW_DTYPE_INT, bits, 1};
    else
        return {PIXVIEW_DTYPE_UINT, bits, 1};
}

// Elements that lie one behind the other, as std::span of C++20.
template <class T> class span
{
  public:
    span(T *data, int64_t size) noexcept : data_(data), size_(size) {}
    T *data() const noexcept { return data_; }
    int64_t size() const noexcept { return size_; }
    T *begin() const noexcept { return data_; }
    T *end() const noexcept { return data_ + size_; }
    T &operator[](int64_t i) const noexcept { return data_[i]; }

  private:
    T *data_;
    int64_t size_;
};

// The pixels of an image in host memory, as T or const T. Made by image::pixels(). Borrowed: it keeps nothing alive.
// Indices are not checked.
template <class T> class PIXVIEW_NO_DANGLING pixels
{
    using byte = std::conditional_t<std::is_const_v<T>, const unsigned char, unsigned char>;

  public:
    explicit pixels(const pixview_image &image) : image_(image)
    {
        if (!image.data && pixview_image_is_empty(&image))
            throw error(PIXVIEW_E_INVALID, "an image without memory has no pixels: it was made by "
                                           "image(), or moved from");
        if (!pixview_image_on_host(&image))
            throw error(PIXVIEW_E_DEVICE, "pixels are read in host memory; copy the image there");
        if (!pixview_dtype_equal(image.dtype, dtype_of<T>()))
            throw error(PIXVIEW_E_DTYPE, std::string("the image's pixels are ") +
                                             pixview_dtype_name(image.dtype) + ", not " +
                                             pixview_dtype_name(dtype_of<T>()));
        if (!std::is_const_v<T> && (image.flags & PIXVIEW_FLAG_READ_ONLY))
            throw error(PIXVIEW_E_READONLY, "the image is read-only: ask for pixels of const");
    }
    T &operator()(int64_t n, int64_t y, int64_t x, int64_t c) const noexcept
    {
        const int64_t *s = image_.strides;
        return *reinterpret_cast<T *>(static_cast<byte *>(image_.data) + n * s[PIXVIEW_AXIS_N] +
                                      y * s[PIXVIEW_AXIS_H] + x * s[PIXVIEW_AXIS_W] +
                                      c * s[PIXVIEW_AXIS_C]);
    }
    T &operator()(int64_t y, int64_t x, int64_t c = 0) const noexcept
    {
        return (*this)(0, y, x, c);
    }
    // All channels of a row of interleaved pixels; planes have none (PIXVIEW_E_LAYOUT).
    span<T> row(int64_t y, int64_t n = 0) const
    {
        pixview_image one = image_;
        one.shape[PIXVIEW_AXIS_N] = one.shape[PIXVIEW_AXIS_H] = 1;
        pixview_error err;
        check(pixview_image_check_interleaved(&one, &err), err);
        return {&(*this)(n, y, 0, 0), image_.shape[PIXVIEW_AXIS_W] * image_.shape[PIXVIEW_AXIS_C]};
    }

  private:
    pixview_image image_;
};

// Owns one count of a pixview_image's owner, or none where the memory is borrowed. It moves; share() makes another
// one of the same memory.
//
// const is shallow, as in std::span, std::shared_ptr and OpenCV's GpuMat: a const image always names the same pixels,
// and they can be written. What may not be written is memory with PIXVIEW_FLAG_READ_ONLY, such as view() of a
// const T *: share() and crop() keep the flag, pixels<T>() and calls that would write throw PIXVIEW_E_READONLY.
// To read only, ask for pixels<const T>().
class image
{
  public:
    image() noexcept = default; // no memory; only assigning to it and destroying it make sense
    image(image &&from) noexcept : image_(std::exchange(from.image_, pixview_image())) {}
    image &operator=(image &&from) noexcept
    {
        image old(std::move(from));
        std::swap(image_, old.image_);
        return *this;
    }
    image(const image &) = delete;
    image &operator=(const image &) = delete;
    ~image() { pixview_owner_unref(image_.owner); }

    // The count of from.owner goes to the result.
    static image take(const pixview_image &from) noexcept
    {
        image made;
        made.image_ = from;
        return made;
    }
    // Memory of the caller's, packed or with strides in BYTES; it must outlive the image and what is made of it.
    template <class T>
    static image view(T *data, pixview_layout layout, std::initializer_list<int64_t> shape,
                      std::initializer_list<int64_t> strides = {})
    {
        if (strides.size() != 0 && strides.size() != shape.size())
            throw error(PIXVIEW_E_LAYOUT, std::to_string(strides.size()) + " strides for " +
                                              std::to_string(shape.size()) + " extents");
        pixview_image made;
        pixview_error err;
        check(pixview_image_init(&made, const_cast<std::remove_const_t<T> *>(data),
                                 int(shape.size()), shape.begin(),
                                 strides.size() ? strides.begin() : nullptr, dtype_of<T>(),
                                 {PIXVIEW_DEVICE_CPU, 0}, layout, &err),
              err);
        if (std::is_const_v<T>)
            made.flags |= PIXVIEW_FLAG_READ_ONLY;
        return take(made);
    }
    // New packed host memory, aligned to 64 bytes, whose values are zero.
    template <class T>
    static image make(pixview_layout layout, std::initializer_list<int64_t> shape)
    {
        // The description tells the size; until there is memory, it has an address that is not read.
        alignas(64) static unsigned char nowhere[64];
        image made = view(reinterpret_cast<T *>(nowhere), layout, shape);
        const int64_t size = pixview_image_nbytes(&made.image_);
        void *memory = ::operator new(size_t(size), std::align_val_t(64), std::nothrow);
        if (!memory)
            throw error(PIXVIEW_E_MEMORY, "no memory for " + std::to_string(size) + " bytes");
        const auto release = [](void *held) { ::operator delete(held, std::align_val_t(64)); };
        pixview_error err;
        const pixview_status status =
            pixview_owner_create(memory, release, &made.image_.owner, &err);
        if (status != PIXVIEW_OK)
            release(memory);
        check(status, err);
        std::memset(memory, 0, size_t(size));
        made.image_.data = memory;
        return made;
    }

    const pixview_image *get() const noexcept { return &image_; } // for the C functions
    const pixview_image &operator*() const noexcept { return image_; }
    const pixview_image *operator->() const noexcept { return &image_; }
    // Gives the count away: pixview_owner_unref is the caller's.
    pixview_image release() noexcept { return std::exchange(image_, pixview_image()); }

    image share() const noexcept
    {
        pixview_owner_ref(image_.owner);
        return take(image_);
    }
    // The rectangle of h rows and w columns at (y, x): a view, which keeps the memory too.
    image crop(int64_t y, int64_t x, int64_t h, int64_t w) const
    {
        pixview_image made;
        pixview_error err;
        check(pixview_image_crop(&image_, y, x, h, w, &made, &err), err);
        pixview_owner_ref(made.owner);
        return take(made);
    }
    // T for reading and writing, also of a const image; const T for reading.
    template <class T> pixview::pixels<T> pixels() const { return pixview::pixels<T>(image_); }

    int64_t count() const noexcept { return image_.shape[PIXVIEW_AXIS_N]; }
    int64_t height() const noexcept { return image_.shape[PIXVIEW_AXIS_H]; }
    int64_t width() const noexcept { return image_.shape[PIXVIEW_AXIS_W]; }
    int64_t channels() const noexcept { return image_.shape[PIXVIEW_AXIS_C]; }

  private:
    pixview_image image_ = {};
};

// The calls of the C functions' names. They fill params.struct_size in, and throw what those return. On a GPU they
// queue work: the images' memory must stay alive until the stream has passed it.
inline void copy(const image &src, const image &dst, pixview_copy_params params = {})
{
    params.struct_size = sizeof params;
    pixview_error err;
    check(pixview_copy(src.get(), dst.get(), &params, &err), err);
}

inline void convert(const image &src, const image &dst, pixview_convert_params params = {})
{
    params.struct_size = sizeof params;
    pixview_error err;
    check(pixview_convert(src.get(), dst.get(), &params, &err), err);
}

inline void stack(const std::vector<image> &images, const image &batch,
                  pixview_convert_params params = {})
{
    params.struct_size = sizeof params;
    std::vector<pixview_image> list;
    for (const image &each : images)
        list.push_back(*each);
    pixview_error err;
    check(pixview_stack(list.data(), int64_t(list.size()), batch.get(), &params, &err), err);
}

// Images between processes: share.h says what is held, and for how long.

using handle = std::array<uint8_t, PIXVIEW_HANDLE_BYTES>; // for one receiver

// Owns a pixview_share: an image that other processes open. Not image::share(), which is for this process.
class share
{
  public:
    explicit share(const image &from) { create(from, nullptr); } // copies other host memory
    share(const image &from, pixview_share_params params)
    {
        params.struct_size = sizeof params;
        create(from, &params);
    }
    // Each call is for one more receiver.
    handle send() const
    {
        handle bytes;
        pixview_error err;
        check(pixview_share_send(share_.get(), bytes.data(), &err), err);
        return bytes;
    }

  private:
    void create(const image &from, const pixview_share_params *params)
    {
        pixview_share *made = nullptr;
        pixview_error err;
        check(pixview_share_create(from.get(), params, &made, &err), err);
        share_.reset(made);
    }
    struct release {
        void operator()(pixview_share *held) const noexcept { pixview_share_release(held); }
    };
    std::unique_ptr<pixview_share, release> share_;
};

// The image of a handle. params fills in all but struct_size; its device is -1 for the GPU where the image is.
inline image open(const handle &bytes, pixview_open_params params)
{
    params.struct_size = sizeof params;
    pixview_image made;
    pixview_error err;
    check(pixview_share_open(bytes.data(), bytes.size(), &params, &made, nullptr, &err), err);
    return image::take(made);
}

inline image open(const handle &bytes)
{
    pixview_open_params params = {};
    params.device = -1;
    return open(bytes, params);
}

// Owns a pixview_pool. Its frames may outlive it.
class pool
{
  public:
    explicit pool(pixview_pool_params params)
    {
        params.struct_size = sizeof params;
        pixview_pool *made = nullptr;
        pixview_error err;
        check(pixview_pool_create(&params, &made, &err), err);
        pool_.reset(made);
    }
    // A frame that nobody uses, with pixels of anything. Waits for one, SECONDS; below 0: for ever.
    image get(double timeout = -1, pixview_stream stream = PIXVIEW_STREAM_LEGACY) const
    {
        pixview_image made;
        pixview_error err;
        check(pixview_pool_get(pool_.get(), timeout, stream, &made, &err), err);
        return image::take(made);
    }
    int32_t idle() const noexcept { return pixview_pool_idle(pool_.get()); }

  private:
    struct release {
        void operator()(pixview_pool *held) const noexcept { pixview_pool_release(held); }
    };
    std::unique_ptr<pixview_pool, release> pool_;
};

} // namespace pixview

#endif
