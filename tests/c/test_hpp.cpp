// SPDX-License-Identifier: Apache-2.0
// include/pixview/pixview.hpp: owners move and count, pixels are where the image says, errors are thrown.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <type_traits>

#include <pixview/pixview.hpp>

#define REQUIRE(condition)                                                       \
    do {                                                                         \
        if (!(condition)) {                                                      \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            std::abort();                                                        \
        }                                                                        \
    } while (0)

using pixview::image;

static_assert(!std::is_copy_constructible_v<image> && !std::is_copy_assignable_v<image>);
static_assert(std::is_nothrow_move_constructible_v<image> &&
              std::is_nothrow_move_assignable_v<image>);

template <class F> static pixview_status status_of(F call)
{
    try {
        call();
    } catch (const pixview::error &e) {
        REQUIRE(e.what()[0] != 0 && e.driver_code() == 0);
        return e.status();
    }
    return PIXVIEW_OK;
}

static int released;

static image counted(void *memory)
{
    image borrowed = image::view(static_cast<uint8_t *>(memory), PIXVIEW_LAYOUT_HWC, {2, 3, 4});
    pixview_image made = borrowed.release();
    pixview_error err;
    pixview::check(
        pixview_owner_create(nullptr, [](void *) { released++; }, &made.owner, &err), err);
    return image::take(made);
}

static void owners()
{
    uint8_t memory[24] = {}, other[24] = {};
    {
        image a = counted(memory);
        image b = std::move(a);
        REQUIRE(b->data == memory && !a->owner && released == 0);
        image part = b.crop(1, 1, 1, 2);
        image shared = b.share();
        b = counted(other); // what it held is held by two more
        REQUIRE(released == 0 && part->data == memory + 16 && b->data == other);
        part = image();
        REQUIRE(released == 0);
        shared = image();
        REQUIRE(released == 1);
        b = counted(memory); // frees at once, not at the end of what it was moved from
        REQUIRE(released == 2);
        image &self = b;
        b = std::move(self);
        REQUIRE(b->data == memory && released == 2);
    }
    REQUIRE(released == 3);
}

static void spans()
{
    uint16_t memory[2 * 4 * 3] = {};
    const image rows = image::view(memory, PIXVIEW_LAYOUT_HWC, {2, 3, 3}, {4 * 3 * 2, 3 * 2, 2});
    const auto pixels = rows.pixels<uint16_t>();
    pixels(1, 2, 1) = 7;
    REQUIRE(memory[12 + 2 * 3 + 1] == 7 && pixels.row(1).size() == 9);
    REQUIRE(pixels.row(1).data() == memory + 12 && pixels.row(1)[7] == 7);
    int64_t sum = 0;
    for (uint16_t value : rows.pixels<const uint16_t>().row(1))
        sum += value;
    REQUIRE(sum == 7);

    const image planes = image::make<float>(PIXVIEW_LAYOUT_NCHW, {2, 3, 4, 5});
    const auto values = planes.pixels<float>();
    REQUIRE(uintptr_t(planes->data) % 64 == 0 && values(1, 3, 4, 2) == 0);
    values(1, 3, 4, 2) = 1;
    REQUIRE(static_cast<float *>(planes->data)[2 * 3 * 4 * 5 - 1] == 1);
    REQUIRE(status_of([&] { (void)values.row(0); }) == PIXVIEW_E_LAYOUT);
    REQUIRE(planes.count() == 2 && planes.channels() == 3 && planes.height() == 4 &&
            planes.width() == 5);
    const image none = image::make<float>(PIXVIEW_LAYOUT_HW, {0, 5});
    REQUIRE(pixview_image_is_empty(none.get()));
}

// const is of the image, not of its pixels: every way to them gives the same ones.
static void shallow_const()
{
    uint8_t memory[2] = {};
    const image one = image::view(memory, PIXVIEW_LAYOUT_HW, {1, 2});
    one.pixels<uint8_t>()(0, 0) = 1;
    one.share().pixels<uint8_t>()(0, 1) = 2;
    REQUIRE(memory[0] == 1 && memory[1] == 2);
    image::view(memory, PIXVIEW_LAYOUT_HW, {1, 2}).pixels<uint8_t>()(0, 0) = 3;
    REQUIRE(one.pixels<const uint8_t>()(0, 0) == 3);
    static_assert(std::is_same_v<decltype(one.pixels<const uint8_t>()(0, 0)), const uint8_t &>);

    const uint8_t constant[2] = {};
    image writable; // what is read-only stays so
    writable = image::view(constant, PIXVIEW_LAYOUT_HW, {1, 2});
    REQUIRE(status_of([&] { writable.pixels<uint8_t>(); }) == PIXVIEW_E_READONLY);
    REQUIRE(status_of([&] { writable.share().pixels<uint8_t>(); }) == PIXVIEW_E_READONLY);
    REQUIRE(status_of([&] { writable.crop(0, 0, 1, 1).pixels<uint8_t>(); }) == PIXVIEW_E_READONLY);
}

template <class F> static std::string message_of(F call)
{
    try {
        call();
    } catch (const std::exception &e) {
        return e.what();
    }
    return "";
}

static void no_images()
{
    const image none;
    REQUIRE(status_of([&] { none.pixels<uint8_t>(); }) == PIXVIEW_E_INVALID);
    REQUIRE(message_of([&] { none.pixels<uint8_t>(); }).find("without memory") !=
            std::string::npos);
    const image dst = image::make<float>(PIXVIEW_LAYOUT_NCHW, {1, 3, 2, 2});
    REQUIRE(message_of([&] { pixview::stack({}, dst); }).find("list of images is empty") !=
            std::string::npos);
    image::make<float>(PIXVIEW_LAYOUT_HW, {0, 5}).pixels<float>(); // no pixels, and no error
}

static void errors()
{
    const uint8_t constant[4] = {};
    const image readonly = image::view(constant, PIXVIEW_LAYOUT_HW, {2, 2});
    REQUIRE(status_of([&] { readonly.pixels<uint8_t>(); }) == PIXVIEW_E_READONLY);
    REQUIRE(status_of([&] { readonly.pixels<const uint8_t>(); }) == PIXVIEW_OK);
    REQUIRE(status_of([&] { readonly.pixels<const int8_t>(); }) == PIXVIEW_E_DTYPE);
    REQUIRE(status_of([&] { readonly.crop(1, 1, 2, 1); }) == PIXVIEW_E_LAYOUT);
    REQUIRE(status_of([&] { pixview::copy(readonly, readonly); }) == PIXVIEW_E_READONLY);
    REQUIRE(status_of([&] { image::view(constant, PIXVIEW_LAYOUT_HWC, {2, 2}); }) ==
            PIXVIEW_E_LAYOUT);
    REQUIRE(status_of([&] { image::view(constant, PIXVIEW_LAYOUT_HW, {2, 2}, {2}); }) ==
            PIXVIEW_E_LAYOUT);
    REQUIRE(status_of([] { image::make<double>(PIXVIEW_LAYOUT_HW, {-1, 2}); }) == PIXVIEW_E_LAYOUT);
    REQUIRE(status_of([] { image::make<double>(PIXVIEW_LAYOUT_HW, {1, int64_t(1) << 58}); }) ==
            PIXVIEW_E_MEMORY);
    pixview_image there = *readonly;
    there.device = {PIXVIEW_DEVICE_CUDA, 0};
    const image on_gpu = image::take(there);
    REQUIRE(status_of([&] { on_gpu.pixels<const uint8_t>(); }) == PIXVIEW_E_DEVICE);
    try {
        readonly.pixels<const float>();
        REQUIRE(false);
    } catch (const std::exception &e) { // states both types
        REQUIRE(std::string(e.what()) == "the image's pixels are uint8, not float32");
    }
}

static void calls()
{
    const image src = image::make<uint8_t>(PIXVIEW_LAYOUT_HWC, {2, 3, 3});
    const image dst = image::make<float>(PIXVIEW_LAYOUT_CHW, {3, 2, 3});
    const image same = image::make<uint8_t>(PIXVIEW_LAYOUT_CHW, {3, 2, 3});
    src.pixels<uint8_t>()(1, 2, 0) = 10;
    pixview::copy(src, same);
    REQUIRE(same.pixels<uint8_t>()(1, 2, 0) == 10);
    pixview_convert_params params = {};
    params.scale = 0.5;
    pixview::convert(src, dst, params);
    REQUIRE(dst.pixels<float>()(1, 2, 0) == 5);
}

static void shares()
{
    using pixview::pool;
    using pixview::share;
    static_assert(!std::is_copy_constructible_v<pool> && !std::is_copy_constructible_v<share>);
    static_assert(std::is_nothrow_move_constructible_v<pool> &&
                  std::is_nothrow_move_assignable_v<share>);
    pixview_pool_params params = {};
    params.frames = 1;
    params.dtype = pixview::dtype_of<uint8_t>();
    params.device = {PIXVIEW_DEVICE_CPU, 0};
    params.layout = PIXVIEW_LAYOUT_HWC;
    params.shape[0] = 2, params.shape[1] = 3, params.shape[2] = 4;
    pool frames(params);
    image frame = frames.get(0);
    frame.pixels<uint8_t>()(1, 2, 3) = 7;
    REQUIRE(frames.idle() == 0 && frame.height() == 2);
    REQUIRE(status_of([&] { frames.get(0); }) == PIXVIEW_E_TIMEOUT);

    share first(frame);
    share shared(std::move(first));
    REQUIRE(status_of([&] { (void)first.send(); }) == PIXVIEW_E_INVALID); // NOLINT: moved from
    const pixview::handle bytes = shared.send();
    image opened = pixview::open(bytes);
    REQUIRE(opened->data == frame->data && opened.pixels<uint8_t>()(1, 2, 3) == 7);
    pixview::handle damaged = bytes;
    damaged[100] ^= 1;
    REQUIRE(status_of([&] { pixview::open(damaged); }) == PIXVIEW_E_INVALID);

    const image other = image::make<float>(PIXVIEW_LAYOUT_HW, {2, 2});
    pixview_share_params never = {};
    REQUIRE(status_of([&] { share(other, never); }) == PIXVIEW_E_UNSUPPORTED);
    REQUIRE(pixview::open(share(other).send())->data != other->data);

    frame = image();
    opened = image();
    REQUIRE(frames.idle() == 0);
    {
        const share last = std::move(shared);
    }
    REQUIRE(frames.idle() == 1);
    params.frames = 0;
    REQUIRE(status_of([&] { pool none(params); }) == PIXVIEW_E_INVALID);
}

int main()
{
    owners();
    spans();
    shallow_const();
    no_images();
    errors();
    calls();
    shares();
    return 0;
}
