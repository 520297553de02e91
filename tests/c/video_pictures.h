// SPDX-License-Identifier: Apache-2.0
// Frames at random, in layouts written down a second time, and what they are in double.
#ifndef VIDEO_PICTURES_H
#define VIDEO_PICTURES_H

#include <math.h>

#include "harness.h"
#include "images.h"
#include "pixview/pixview.h"

enum { SIZE = 1 << 18, MOST_H = 101, MOST_W = 99 };
static uint8_t memory[SIZE] __attribute__((aligned(64), unused));
static uint8_t spare[SIZE] __attribute__((aligned(64), unused));
static uint8_t result[SIZE] __attribute__((aligned(64), unused)),
    other[SIZE] __attribute__((aligned(64), unused));

// ---- formats, once more -----------------------------------------------------------------------

// Where samples lie: the plane of Y, U and V, the first of them in its row and the step, in samples.
typedef struct layout {
    const char *name;
    int bits, down, x, y; // pixels that share U and V
    int plane[3], first[3], step[3];
} layout;

#define PAIRS(name, bits, down, x, y) {name, bits, down, x, y, {0, 1, 1}, {0, 0, 1}, {1, 2, 2}}
#define PLANAR(name, bits, x, y)      {name, bits, 0, x, y, {0, 1, 2}, {0, 0, 0}, {1, 1, 1}}
#define GRAY(name, bits)              {name, bits, 0, 1, 1, {0, -1, -1}, {0, 0, 0}, {1, 1, 1}}
static const layout layouts[] = {
    PAIRS("NV12", 8, 0, 2, 2),
    {"NV21", 8, 0, 2, 2, {0, 1, 1}, {0, 1, 0}, {1, 2, 2}},
    PAIRS("NV16", 8, 0, 2, 1),
    PAIRS("NV24", 8, 0, 1, 1),
    PAIRS("P010", 10, 6, 2, 2),
    PAIRS("P012", 12, 4, 2, 2),
    PAIRS("P016", 16, 0, 2, 2),
    PAIRS("P210", 10, 6, 2, 1),
    PAIRS("P216", 16, 0, 2, 1),
    PLANAR("YUV420P", 8, 2, 2),
    PLANAR("YUV422P", 8, 2, 1),
    PLANAR("YUV444P", 8, 1, 1),
    PLANAR("YUV420P10", 10, 2, 2),
    PLANAR("YUV422P10", 10, 2, 1),
    PLANAR("YUV444P10", 10, 1, 1),
    PLANAR("YUV420P12", 12, 2, 2),
    PLANAR("YUV422P12", 12, 2, 1),
    PLANAR("YUV444P12", 12, 1, 1),
    PLANAR("YUV420P16", 16, 2, 2),
    PLANAR("YUV422P16", 16, 2, 1),
    PLANAR("YUV444P16", 16, 1, 1),
    {"YUYV", 8, 0, 2, 1, {0, 0, 0}, {0, 1, 3}, {2, 4, 4}},
    {"UYVY", 8, 0, 2, 1, {0, 0, 0}, {1, 0, 2}, {2, 4, 4}},
    GRAY("GRAY8", 8),
    GRAY("GRAY10", 10),
    GRAY("GRAY12", 12),
    GRAY("GRAY16", 16),
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };
enum { MATRICES = PIXVIEW_VIDEO_MATRIX_OPENCV };

static const layout *find(const char *name)
{
    for (int i = 0; i < LAYOUTS; i++)
        if (strcmp(layouts[i].name, name) == 0)
            return &layouts[i];
    FAIL("no %s", name);
}

// A frame in `memory`, and the values that its pixels have.
typedef struct picture {
    const layout *is;
    int64_t h, w, pitch[3], offset[3];
    int planes;
    uint16_t yuv[3][MOST_H][MOST_W];
    pixview_video_frame frame;
} picture;

static inline bool is_gray(const layout *l) { return l->plane[1] < 0; }

// Planes one after the other, with gaps behind rows and planes.
static inline void place_planes(picture *p, uint64_t *seed)
{
    const layout *l = p->is;
    int64_t item = l->bits == 8 ? 1 : 2, at = 0;
    p->planes = is_gray(l) ? 1 : l->plane[2] + 1;
    for (int i = 0; i < p->planes; i++) {
        bool chroma = i > 0, packed = l->step[0] == 2;
        int64_t rows = chroma ? (p->h + l->y - 1) / l->y : p->h;
        int64_t samples = packed   ? (p->w + 1) / 2 * 4
                          : chroma ? (p->w + l->x - 1) / l->x * l->step[1]
                                   : p->w;
        int64_t group = packed ? 4 : chroma ? l->step[1] : 1;
        p->pitch[i] = (samples + group * (int64_t)(next_random(seed) % 5)) * item;
        p->offset[i] = at + item * (int64_t)(next_random(seed) % 7);
        at = p->offset[i] + rows * p->pitch[i] + 64;
        at -= at % 2;
    }
    REQUIRE(at < SIZE);
}

static uint8_t *sample_of(const picture *p, int part, int64_t y, int64_t x)
{
    const layout *l = p->is;
    int64_t item = l->bits == 8 ? 1 : 2;
    if (part > 0)
        y /= l->y, x /= l->x;
    return memory + p->offset[l->plane[part]] + y * p->pitch[l->plane[part]] +
           (l->first[part] + x * l->step[part]) * item;
}

// Other bits than those of the value are not 0: nobody looks at them.
static inline void put_sample(const picture *p, int part, int64_t y, int64_t x, uint16_t value)
{
    uint8_t *at = sample_of(p, part, y, x);
    uint16_t rest = p->is->down ? (1u << p->is->down) - 1 : (uint16_t)(0xffffu << p->is->bits);
    uint16_t sample = (uint16_t)(value << p->is->down | rest);
    if (p->is->bits == 8)
        *at = (uint8_t)value;
    else
        memcpy(at, &sample, sizeof sample);
}

static inline uint16_t get_sample(const picture *p, int part, int64_t y, int64_t x)
{
    uint16_t sample;
    if (p->is->bits == 8)
        return *sample_of(p, part, y, x);
    memcpy(&sample, sample_of(p, part, y, x), sizeof sample);
    return (uint16_t)(sample >> p->is->down);
}

static inline pixview_video_params params_of(const char *name, int matrix, int range)
{
    return (pixview_video_params){.struct_size = sizeof(pixview_video_params),
                                  .format = pixview_video_format_parse(name),
                                  .matrix = (pixview_video_matrix)matrix,
                                  .range = (pixview_video_range)range};
}

static inline pixview_image plane_of(const picture *p, int plane)
{
    const layout *l = p->is;
    int64_t item = l->bits == 8 ? 1 : 2;
    int64_t h = plane ? (p->h + l->y - 1) / l->y : p->h,
            w = plane ? (p->w + l->x - 1) / l->x : p->w;
    int64_t c = plane ? l->step[1] : 1;
    if (l->step[0] == 2)
        w = (p->w + 1) / 2, c = 4;
    return make_image(memory + p->offset[plane], PIXVIEW_LAYOUT_HWC, LIST(h, w, c),
                      LIST(p->pitch[plane], c * item, item), item == 1 ? U8 : U16, CPU);
}

static inline void describe(picture *p, int matrix, int range, int order)
{
    pixview_image planes[3];
    pixview_video_params params = params_of(p->is->name, matrix, range);
    params.order = (pixview_video_order)order;
    params.width = p->w; // YUYV has an even number
    for (int i = 0; i < p->planes; i++)
        planes[i] = plane_of(p, i);
    REQUIRE_OK(pixview_video_frame_init(&p->frame, planes, p->planes, &params, err));
    REQUIRE_INT(p->frame.height, p->h);
    REQUIRE_INT(p->frame.width, p->w);
    REQUIRE_INT(p->frame.bits, p->is->bits);
}

// Values at random, a part of them at the ends.
static inline void make_picture(picture *p, const layout *l, int64_t h, int64_t w, uint64_t *seed)
{
    p->is = l, p->h = h, p->w = w;
    fill_random(memory, SIZE, next_random(seed));
    place_planes(p, seed);
    memset(p->yuv, 0, sizeof p->yuv);
    for (int part = 0; part < (is_gray(l) ? 1 : 3); part++)
        for (int64_t y = 0; y < h; y++)
            for (int64_t x = 0; x < w; x++) {
                uint16_t *value = &p->yuv[part][y][x];
                if (part > 0 && (y % l->y || x % l->x)) {
                    *value = p->yuv[part][y - y % l->y][x - x % l->x];
                    continue;
                }
                uint32_t any = next_random(seed), most = (1u << l->bits) - 1;
                *value = (uint16_t)(any % 64 == 0 ? 0 : any % 64 == 1 ? most : any >> 6 & most);
                put_sample(p, part, y, x, *value);
            }
}

// ---- colours, in double -----------------------------------------------------------------------

static const double primaries[][2] = {
    {0, 0}, {0.299, 0.114}, {0.2126, 0.0722}, {0.2627, 0.0593}, {0.212, 0.087}};

static inline void to_rgb(const picture *p, int64_t at_y, int64_t at_x, double rgb[3])
{
    double s = ldexp(1, p->is->bits - 8), most = ldexp(1, p->is->bits) - 1;
    bool full = p->frame.range == PIXVIEW_VIDEO_RANGE_FULL, gray = is_gray(p->is);
    double y = p->yuv[0][at_y][at_x], u = p->yuv[1][at_y][at_x], v = p->yuv[2][at_y][at_x];
    y = full ? y / most : (y - 16 * s) / (219 * s);
    u = gray ? 0 : (u - 128 * s) / (full ? most : 224 * s);
    v = gray ? 0 : (v - 128 * s) / (full ? most : 224 * s);
    if (p->frame.matrix == PIXVIEW_VIDEO_MATRIX_OPENCV) {
        double c = 224 / 1048576.0; // u and v are in 224ths
        y = (y < 0 ? 0 : y) * 219 * 1220542 / 1048576.0;
        rgb[0] = y + c * 1673527 * v;
        rgb[1] = y - c * 852492 * v - c * 409993 * u;
        rgb[2] = y + c * 2116026 * u;
        return;
    }
    const double kr = primaries[p->frame.matrix][0], kb = primaries[p->frame.matrix][1];
    double r = y + 2 * (1 - kr) * v, b = y + 2 * (1 - kb) * u;
    rgb[0] = 255 * r;
    rgb[1] = 255 * (y - kr * r - kb * b) / (1 - kr - kb);
    rgb[2] = 255 * b;
}

static inline double clip(double value, double most)
{
    return value < 0 ? 0 : value > most ? most : value;
}

typedef struct score {
    int64_t values, differ;
    double most;
} score;

static inline void convert(const pixview_video_frame *frame, void *to, pixview_dtype dtype)
{
    pixview_image dst =
        make_image(to, PIXVIEW_LAYOUT_HWC, LIST(frame->height, frame->width, 3), NULL, dtype, CPU);
    REQUIRE_OK(pixview_video_to_image(frame, &dst, NULL, err));
}

#endif
