// SPDX-License-Identifier: Apache-2.0
// Frames into images, and images into frames: the kernels against the same call in host memory.
#include <stdlib.h>
#include <string.h>

#include "images.h"
#include "kcheck.h"
#include "pixview/pixview.h"

enum { MOST = 4, FORMATS = PIXVIEW_VIDEO_FORMAT_GRAY16 };

static uint64_t state;
static int64_t any(int64_t count) { return (int64_t)(next_random(&state) % (uint64_t)count); }

// One end in both memories. BYTES.
typedef struct block {
    int64_t used, size;
    char *near, *far;
    pixview_owner *owner;
} block;

static block new_block(int64_t size)
{
    block b = {0, size, malloc((size_t)size), NULL, NULL};
    fill_random(b.near, (size_t)size, next_random(&state));
    b.far = gpu_alloc(size, &b.owner);
    gpu_upload(b.far, b.near, size);
    return b;
}

static void free_block(block *b)
{
    free(b->near);
    pixview_owner_unref(b->owner);
}

// ---- frames and images --------------------------------------------------------------------------

static pixview_video_params any_params(int64_t h, int64_t w, int format)
{
    pixview_video_params p = {.struct_size = sizeof p, .height = h, .width = w};
    p.format = (pixview_video_format)(format ? format : 1 + any(FORMATS));
    p.matrix = (pixview_video_matrix)(1 + any(PIXVIEW_VIDEO_MATRIX_OPENCV));
    p.range = p.matrix == PIXVIEW_VIDEO_MATRIX_OPENCV || any(2) ? PIXVIEW_VIDEO_RANGE_LIMITED
                                                                : PIXVIEW_VIDEO_RANGE_FULL;
    p.order = (pixview_video_order)any(2);
    return p;
}

static pixview_video_surface any_surface(const pixview_video_params *params)
{
    pixview_video_surface s = {.struct_size = sizeof s, .pitch = params->width * 4 + any(9) * 4};
    s.pitch = (s.pitch + 15) / 16 * 16;
    s.coded_rows = any(2) ? params->height + any(4) * 2 : 0;
    s.coded_rows += s.coded_rows % 2;
    return s;
}

// The same place of both memories.
static void add_one(block *b, pixview_video_surface s, const pixview_video_params *params,
                    pixview_video_frame *near, pixview_video_frame *far)
{
    int64_t at = (b->used + 15) / 16 * 16 + any(3) * 8;
    s.data = b->near + at, s.device = CPU;
    REQUIRE_OK(pixview_video_frame_init_surface(near, &s, params, err));
    s.data = b->far + at, s.device = GPU0;
    REQUIRE_OK(pixview_video_frame_init_surface(far, &s, params, err));
    b->used = at + s.pitch * (params->height + 8) * 3;
    REQUIRE(b->used <= b->size);
}
static void add_surface(block *b, const pixview_video_params *params, pixview_video_frame *near,
                        pixview_video_frame *far)
{
    add_one(b, any_surface(params), params, near, far);
}

static void add_image(block *b, int64_t n, int64_t h, int64_t w, pixview_dtype dtype,
                      pixview_image *near, pixview_image *far)
{
    int64_t size = pixview_dtype_size(dtype), at = (b->used + 15) / 16 * 16 + any(2) * size;
    pixview_layout layout = any(2) ? PIXVIEW_LAYOUT_NHWC : PIXVIEW_LAYOUT_NCHW;
    int64_t planar[] = {n, 3, h, w}, mixed[] = {n, h, w, 3};
    const int64_t *shape = layout == PIXVIEW_LAYOUT_NHWC ? mixed : planar;
    *near = make_image(b->near + at, layout, shape, NULL, dtype, CPU);
    *far = make_image(b->far + at, layout, shape, NULL, dtype, GPU0);
    b->used = at + n * h * w * 3 * size;
    REQUIRE(b->used <= b->size);
}

typedef struct values {
    double mean[3], std[3];
} values;

static pixview_convert_params any_values(const pixview_geometry *geometry, values *v)
{
    pixview_convert_params p = {.struct_size = sizeof p, .geometry = geometry};
    for (int c = 0; c < 3; c++)
        v->mean[c] = (double)any(300) / 4, v->std[c] = (double)(1 + any(64)) / 16;
    if (any(4))
        p.scale = (double)(1 + any(64)) / 32, p.mean = v->mean, p.std = v->std, p.channels = 3;
    p.swap_rb = any(2);
    p.pad = !geometry;
    p.pad_value = (double)any(256);
    return p;
}

static bool equal(const block *b, const char *what)
{
    char *got = malloc((size_t)b->size);
    gpu_download(got, b->far, b->size);
    for (int64_t i = 0; memcmp(got, b->near, (size_t)b->size) != 0; i++)
        if (got[i] != b->near[i]) {
            fprintf(stderr, "FAILED %s: byte %lld is %d, not %d\n", what, (long long)i,
                    (uint8_t)got[i], (uint8_t)b->near[i]);
            free(got);
            return false;
        }
    free(got);
    return true;
}

// ---- frames into images -------------------------------------------------------------------------

static const pixview_dtype results[] = {{PIXVIEW_DTYPE_UINT, 8, 1},
                                        {PIXVIEW_DTYPE_FLOAT, 16, 1},
                                        {PIXVIEW_DTYPE_BFLOAT, 16, 1},
                                        {PIXVIEW_DTYPE_FLOAT, 32, 1}};

static const pixview_interpolation filters[] = {
    PIXVIEW_INTERPOLATION_AREA, PIXVIEW_INTERPOLATION_AREA, PIXVIEW_INTERPOLATION_PIL_BILINEAR,
    PIXVIEW_INTERPOLATION_PIL_LANCZOS};

static pixview_geometry any_geometry(pixview_roi *rois, const pixview_video_frame *frames,
                                     const pixview_image *images, int64_t count)
{
    pixview_geometry g = {.struct_size = sizeof g};
    g.fit = (pixview_fit)(1 + any(3));
    g.align = (pixview_align)any(2);
    g.no_scaleup = any(4) == 0;
    g.interpolation = any(3)   ? PIXVIEW_INTERPOLATION_LINEAR
                      : any(2) ? PIXVIEW_INTERPOLATION_NEAREST
                               : filters[any(4)];
    for (int64_t i = 0; i < count; i++) // Pillow's are for bytes
        if (frames[i].bits > 8 && g.interpolation > PIXVIEW_INTERPOLATION_AREA)
            g.interpolation = PIXVIEW_INTERPOLATION_AREA;
    for (int64_t i = 0; i < count; i++) {
        int64_t h = frames[i].height ? frames[i].height : images[i].shape[PIXVIEW_AXIS_H];
        int64_t w = frames[i].height ? frames[i].width : images[i].shape[PIXVIEW_AXIS_W];
        rois[i].y = any(h), rois[i].x = any(w);
        rois[i].h = 1 + any(h - rois[i].y), rois[i].w = 1 + any(w - rois[i].x);
    }
    g.rois = any(2) ? rois : NULL;
    return g;
}

static bool check_reading(int64_t count, int64_t most)
{
    static pixview_video_frame near[MOST], far[MOST];
    static pixview_image near_images[MOST], far_images[MOST];
    pixview_source near_sources[MOST], far_sources[MOST];
    pixview_roi rois[MOST];
    block in = new_block(most * most * 16 * MOST + 65536),
          out = new_block(most * most * 16 * MOST + 65536);
    int64_t h = 0, w = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t rows = 1 + any(most), columns = 1 + any(most);
        bool is_image = any(4) == 0 && count > 1;
        memset(&near[i], 0, sizeof near[i]);
        if (is_image) {
            add_image(&in, 1, rows, columns, results[0], &near_images[i], &far_images[i]);
        } else {
            pixview_video_params params = any_params(rows, columns, 0);
            add_surface(&in, &params, &near[i], &far[i]);
        }
        near_sources[i] =
            (pixview_source){is_image ? &near_images[i] : NULL, is_image ? NULL : &near[i]};
        far_sources[i] =
            (pixview_source){is_image ? &far_images[i] : NULL, is_image ? NULL : &far[i]};
        h = rows > h ? rows : h, w = columns > w ? columns : w;
    }
    values v;
    pixview_geometry g = any_geometry(rois, near, near_images, count);
    const bool resizes = any(3) > 0;
    const pixview_dtype to = results[any(4)];
    pixview_convert_params params = any_values(resizes ? &g : NULL, &v);
    pixview_image near_out, far_out;
    if (resizes)
        h = 1 + any(most), w = 1 + any(most);
    if (any(2))
        w = (w + 15) / 16 * 16;
    add_image(&out, count, h, w, to, &near_out, &far_out);
    REQUIRE_OK(pixview_stack_sources(near_sources, count, &near_out, &params, err));
    REQUIRE_OK(pixview_stack_sources(far_sources, count, &far_out, &params, err));
    // As far as the layout says it: pixels that no vector can hold go by columns too.
    const bool planar = far_out.strides[PIXVIEW_AXIS_C] > far_out.strides[PIXVIEW_AXIS_W];
    checked[PIXVIEWI_KERNEL_FRAMES + planar]++;
    bool same = equal(&out, "frames into images") && equal(&in, "the frames that were read");
    free_block(&in), free_block(&out);
    return same;
}

// A decoder's frames into images of their size: all of one kind, in aligned words.
static bool check_decoding(int64_t count, int64_t most)
{
    static const pixview_video_format formats[] = {
        PIXVIEW_VIDEO_FORMAT_NV12, PIXVIEW_VIDEO_FORMAT_NV21, PIXVIEW_VIDEO_FORMAT_NV16,
        PIXVIEW_VIDEO_FORMAT_P010, PIXVIEW_VIDEO_FORMAT_P012, PIXVIEW_VIDEO_FORMAT_P016,
        PIXVIEW_VIDEO_FORMAT_P210, PIXVIEW_VIDEO_FORMAT_P216};
    pixview_video_frame near[MOST], far[MOST];
    pixview_source near_sources[MOST], far_sources[MOST];
    block in = new_block(most * most * 16 * MOST + 65536),
          out = new_block(most * most * 16 * MOST + 65536);
    const int64_t h = 1 + any(most), w = 4 * (1 + any(most / 4));
    const int format = (int)any(sizeof formats / sizeof *formats);
    pixview_video_params frame = any_params(h, w, formats[format]);
    const pixview_video_surface surface = any_surface(&frame);
    for (int64_t i = 0; i < count; i++) {
        add_one(&in, surface, &frame, &near[i], &far[i]);
        near_sources[i] = (pixview_source){NULL, &near[i]};
        far_sources[i] = (pixview_source){NULL, &far[i]};
    }
    values v;
    pixview_geometry fits = {.struct_size = sizeof fits, .fit = (pixview_fit)any(4)};
    pixview_convert_params params = any_values(any(2) ? &fits : NULL, &v);
    pixview_image near_out, far_out;
    out.used = 16; // aligned, now and then
    add_image(&out, count, h, w, results[any(4)], &near_out, &far_out);
    const int64_t size = pixview_dtype_size(far_out.dtype);
    if (((char *)far_out.data - out.far) % (4 * size) == 0)
        checked[PIXVIEWI_KERNEL_DECODE + (format > 2)]++;
    REQUIRE_OK(pixview_stack_sources(near_sources, count, &near_out, &params, err));
    REQUIRE_OK(pixview_stack_sources(far_sources, count, &far_out, &params, err));
    bool same = equal(&out, "a decoder's frames into images") &&
                equal(&in, "a decoder's frames that were read");
    free_block(&in), free_block(&out);
    return same;
}

// ---- images into frames -------------------------------------------------------------------------

static const pixview_dtype sources[] = {{PIXVIEW_DTYPE_UINT, 8, 1},   {PIXVIEW_DTYPE_INT, 8, 1},
                                        {PIXVIEW_DTYPE_UINT, 16, 1},  {PIXVIEW_DTYPE_INT, 32, 1},
                                        {PIXVIEW_DTYPE_FLOAT, 16, 1}, {PIXVIEW_DTYPE_BFLOAT, 16, 1},
                                        {PIXVIEW_DTYPE_FLOAT, 32, 1}};
enum { SOURCES = sizeof sources / sizeof *sources };

// Which bytes of the source belong to a pixel: the fake driver looks at what the kernel reads.
static uint8_t *mark_pixels(const block *b, const pixview_image *far)
{
    const int64_t *shape = far->shape, *strides = far->strides;
    uint8_t *marks = calloc((size_t)b->size, 1);
    for (int64_t i = 0; i < shape[0] * shape[1] * shape[2] * shape[3]; i++) {
        int64_t left = i, at = (char *)far->data - b->far;
        for (int axis = 3; axis >= 0; left /= shape[axis--])
            at += left % shape[axis] * strides[axis];
        memset(marks + at, 1, (size_t)pixview_dtype_size(far->dtype));
    }
    kmarks(b->far, (size_t)b->size, marks);
    return marks;
}

static bool write_both(const block *in, const block *out, const pixview_image images[2],
                       const pixview_video_frame *near, const pixview_video_frame *far,
                       const pixview_convert_params *params)
{
    const pixview_video_siting siting = (pixview_video_siting)any(3);
    const int64_t count = images[0].shape[0];
    uint8_t *marks = kmarks ? mark_pixels(in, &images[1]) : NULL;
    REQUIRE_OK(pixview_video_from_images(&images[0], near, count, params, siting, err));
    REQUIRE_OK(pixview_video_from_images(&images[1], far, count, params, siting, err));
    if (kmarks)
        kmarks(NULL, 0, NULL);
    free(marks);
    checked[PIXVIEWI_KERNEL_ENCODE + pixviewi_log2(pixview_dtype_size(images[0].dtype))]++;
    return equal(out, "images into frames");
}

static bool check_writing(int64_t count, int64_t most)
{
    static pixview_video_frame near[MOST], far[MOST];
    block in = new_block(most * most * 16 * MOST + 65536),
          out = new_block(most * most * 16 * MOST + 65536);
    int64_t h = 1 + any(most), w = 1 + any(most);
    pixview_image images[2];
    add_image(&in, count, h, w, sources[any(SOURCES)], &images[0], &images[1]);
    pixview_video_params first = any_params(h, w, 0);
    for (int64_t i = 0; i < count; i++) {
        pixview_video_params params = any(2) ? first : any_params(h, w, 0);
        add_surface(&out, &params, &near[i], &far[i]);
    }
    values v;
    pixview_convert_params params = any_values(NULL, &v);
    params.pad = false;
    bool same = write_both(&in, &out, images, near, far, &params);
    free_block(&in), free_block(&out);
    return same;
}

// How images lie whose rows are apart: the kernel takes pieces of the first two as vectors, if rows begin where
// they may.
enum { BY_PIXELS, BY_PLANES, OF_FOUR_CHANNELS, UPWARDS, LAYOUTS };

static void add_apart(block *b, int layout, const int64_t shape[4], pixview_dtype dtype,
                      pixview_image images[2])
{
    int64_t size = pixview_dtype_size(dtype), pixel = size * (layout == OF_FOUR_CHANNELS ? 4 : 3);
    int64_t row = (layout == BY_PLANES ? size : pixel) * shape[2];
    row = (row + 31) / 16 * 16 + (any(8) ? 0 : size);
    int64_t strides[] = {3 * row * shape[1], row, pixel, size};
    if (layout == BY_PLANES)
        strides[2] = size, strides[3] = row * shape[1];
    int64_t at = (b->used + 15) / 16 * 16 + (any(8) ? 0 : size);
    b->used = at + shape[0] * strides[0];
    REQUIRE(b->used <= b->size);
    if (layout == UPWARDS)
        at += (shape[1] - 1) * row, strides[1] = -row;
    images[0] = make_image(b->near + at, PIXVIEW_LAYOUT_NHWC, shape, strides, dtype, CPU);
    images[1] = make_image(b->far + at, PIXVIEW_LAYOUT_NHWC, shape, strides, dtype, GPU0);
}

// Every type and layout into every format, at widths that end anywhere in a piece.
static bool check_pieces(pixview_dtype from, int layout, int format)
{
    enum { COUNT = 2, ROWS = 7, COLUMNS = 40 };
    pixview_video_frame near[COUNT], far[COUNT];
    const int64_t shape[] = {COUNT, 1 + any(ROWS), 1 + any(COLUMNS), 3};
    block in = new_block(COUNT * ROWS * (COLUMNS + 8) * 48), out = new_block(65536);
    pixview_image images[2];
    pixview_video_params frame = any_params(shape[1], shape[2], format);
    add_apart(&in, layout, shape, from, images);
    for (int i = 0; i < COUNT; i++)
        add_surface(&out, &frame, &near[i], &far[i]);
    values v;
    pixview_convert_params params = any_values(NULL, &v);
    params.pad = false;
    if (any(2))
        params = (pixview_convert_params){.struct_size = sizeof params};
    bool same = write_both(&in, &out, images, near, far, &params);
    free_block(&in), free_block(&out);
    return same;
}

int64_t check_videos(int rounds, int64_t most, uint64_t seed)
{
    int64_t failures = 0;
    state = seed;
    for (int i = 0; i < rounds && failures < 10; i++)
        failures += !check_reading(1 + any(MOST), 1 + any(most)) +
                    !check_decoding(1 + any(MOST), 4 + any(most)) +
                    !check_writing(1 + any(MOST), 1 + any(most));
    for (int i = 0; i < SOURCES * LAYOUTS * FORMATS && failures < 10; i++)
        failures +=
            !check_pieces(sources[i % SOURCES], i / SOURCES % LAYOUTS, 1 + i / SOURCES / LAYOUTS);
    return failures;
}
