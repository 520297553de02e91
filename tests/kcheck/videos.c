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

// The same place of both memories.
static void add_surface(block *b, const pixview_video_params *params, pixview_video_frame *near,
                        pixview_video_frame *far)
{
    pixview_video_surface s = {.struct_size = sizeof s, .pitch = params->width * 4 + any(9) * 4};
    s.pitch = (s.pitch + 15) / 16 * 16;
    s.coded_rows = any(2) ? params->height + any(4) * 2 : 0;
    s.coded_rows += s.coded_rows % 2;
    int64_t at = (b->used + 15) / 16 * 16 + any(3) * 8;
    s.data = b->near + at, s.device = CPU;
    REQUIRE_OK(pixview_video_frame_init_surface(near, &s, params, err));
    s.data = b->far + at, s.device = GPU0;
    REQUIRE_OK(pixview_video_frame_init_surface(far, &s, params, err));
    b->used = at + s.pitch * (params->height + 8) * 3;
    REQUIRE(b->used <= b->size);
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

static pixview_geometry any_geometry(pixview_roi *rois, const pixview_video_frame *frames,
                                     const pixview_image *images, int64_t count)
{
    pixview_geometry g = {.struct_size = sizeof g};
    g.fit = (pixview_fit)(1 + any(3));
    g.align = (pixview_align)any(2);
    g.no_scaleup = any(4) == 0;
    g.interpolation = any(3) ? PIXVIEW_INTERPOLATION_LINEAR : PIXVIEW_INTERPOLATION_NEAREST;
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
    checked[PIXVIEWI_KERNEL_FRAMES]++;
    bool same = equal(&out, "frames into images") && equal(&in, "the frames that were read");
    free_block(&in), free_block(&out);
    return same;
}

// ---- images into frames -------------------------------------------------------------------------

static bool check_writing(int64_t count, int64_t most)
{
    static const pixview_dtype sources[] = {
        {PIXVIEW_DTYPE_UINT, 8, 1},  {PIXVIEW_DTYPE_INT, 8, 1},    {PIXVIEW_DTYPE_UINT, 16, 1},
        {PIXVIEW_DTYPE_INT, 32, 1},  {PIXVIEW_DTYPE_FLOAT, 16, 1}, {PIXVIEW_DTYPE_BFLOAT, 16, 1},
        {PIXVIEW_DTYPE_FLOAT, 32, 1}};
    static pixview_video_frame near[MOST], far[MOST];
    block in = new_block(most * most * 16 * MOST + 65536),
          out = new_block(most * most * 16 * MOST + 65536);
    int64_t h = 1 + any(most), w = 1 + any(most);
    const pixview_dtype from = sources[any(7)];
    pixview_image near_image, far_image;
    add_image(&in, count, h, w, from, &near_image, &far_image);
    pixview_video_params first = any_params(h, w, 0);
    for (int64_t i = 0; i < count; i++) {
        pixview_video_params params = any(2) ? first : any_params(h, w, 0);
        add_surface(&out, &params, &near[i], &far[i]);
    }
    values v;
    pixview_convert_params params = any_values(NULL, &v);
    params.pad = false;
    const pixview_video_siting siting = (pixview_video_siting)any(3);
    REQUIRE_OK(pixview_video_from_images(&near_image, near, count, &params, siting, err));
    REQUIRE_OK(pixview_video_from_images(&far_image, far, count, &params, siting, err));
    checked[PIXVIEWI_KERNEL_ENCODE + pixviewi_log2(pixview_dtype_size(from))]++;
    bool same = equal(&out, "images into frames");
    free_block(&in), free_block(&out);
    return same;
}

int64_t check_videos(int rounds, int64_t most, uint64_t seed)
{
    int64_t failures = 0;
    state = seed;
    for (int i = 0; i < rounds && failures < 10; i++)
        failures += !check_reading(1 + any(MOST), 1 + any(most)) +
                    !check_writing(1 + any(MOST), 1 + any(most));
    return failures;
}
