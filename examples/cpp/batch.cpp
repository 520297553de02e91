// SPDX-License-Identifier: Apache-2.0
// Three frames, one of them a region of another, become one normalised batch of planes; in C++17, without OpenCV.
//
//     c++ -std=c++17 batch.cpp $(pkg-config --cflags --libs pixview) -o batch && ./batch
//
// In host memory. With images of GPU memory (opencv.hpp: image_of) the same call queues one kernel.
#include <pixview/pixview.hpp>

#include <cstdio>
#include <vector>

using pixview::image;

static image frame(int64_t height, int64_t width)
{
    image made = image::make<uint8_t>(PIXVIEW_LAYOUT_HWC, {height, width, 3});
    const auto pixels = made.pixels<uint8_t>();
    for (int64_t y = 0; y < height; y++)
        for (uint8_t &value : pixels.row(y))
            value = uint8_t(y);
    pixels(0, 0, 2) = 255; // of three channels the last
    return made;
}

int main()
{
    try {
        std::vector<image> frames;
        frames.push_back(frame(240, 320));
        frames.push_back(frame(480, 640));
        frames.push_back(frames[1].crop(100, 50, 240, 320)); // shares its memory
        frames[1] = frames[1].crop(0, 0, 240, 320);

        const image batch = image::make<float>(PIXVIEW_LAYOUT_NCHW, {3, 3, 240, 320});
        pixview_convert_params params = {};
        params.scale = 1.0 / 255;
        params.swap_rb = true;
        pixview::stack(frames, batch, params);

        const auto pixels = batch.pixels<const float>();
        std::printf("%d images of %d x %d, %d channels; the first value of red %g\n",
                    int(batch.count()), int(batch.height()), int(batch.width()),
                    int(batch.channels()), double(pixels(0, 0, 0, 0)));
        const float row_100 = 100 / 255.0f;
        return pixels(0, 0, 0, 0) == 1 && pixels(2, 0, 0, 1) > row_100 - 1e-6f &&
                       pixels(2, 0, 0, 1) < row_100 + 1e-6f
                   ? 0
                   : 1;
    } catch (const pixview::error &e) {
        std::fprintf(stderr, "%s: %s\n", pixview_status_name(e.status()), e.what());
        return 1;
    }
}
