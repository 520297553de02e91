// SPDX-License-Identifier: Apache-2.0
// Lists of images of any size, regions of them, every fit and interpolation, beside the plain C version. Each
// source is a heap block of its own that ends with its last element, so that the address sanitizer sees every
// tap outside; the destination lies between canaries.
#include "copy/batch.h"
#include "copy/filter.h"
#include "copy/reference.h"
#include "fuzz.h"
#include "images.h"
#include "pixview/pixview.h"

enum { MOST = 3, SIDE = 26, ROOM = 1 << 16, MARGIN = 64 };

typedef struct job {
    int64_t count, channels;
    pixview_image images[MOST], batch;
    void *blocks[MOST];
    pixview_roi rois[MOST];
    pixview_geometry geometry;
    pixview_convert_params params;
    pixview_placement placements[MOST];
} job;

static char got[ROOM], wanted[ROOM];

static pixview_dtype take_type(fuzz_input *in, bool pillow)
{
    static const pixview_dtype types[] = {{1, 8, 1},  {1, 16, 1}, {2, 16, 1}, {4, 16, 1},
                                          {2, 32, 1}, {0, 32, 1}, {5, 64, 1}};
    return pillow && take_byte(in) % 8 ? types[0] : types[take_choice(in, 7)];
}

static int64_t take_side(fuzz_input *in)
{
    uint8_t byte = take_byte(in);
    return byte < 8 ? 1 : 1 + byte % SIDE;
}

// Interleaved or planar, with gaps, perhaps backwards. Numbers that are no NaN.
static void take_source(fuzz_input *in, job *j, int64_t n, pixview_dtype dtype)
{
    int64_t h = take_side(in), w = take_side(in), size = pixview_dtype_size(dtype);
    int64_t align = size > 8 ? 8 : size;
    uint8_t bits = take_byte(in);
    int64_t gap = bits & 1 ? align * (1 + bits % 5) : 0, c = j->channels;
    int64_t pixel = bits & 2 ? size : size * c + (bits & 4 ? align : 0);
    int64_t row = w * pixel + gap, channel = bits & 2 ? h * row : size;
    int64_t strides[] = {bits & 8 ? -row : row, bits & 16 ? -pixel : pixel, channel};
    int64_t bytes = (h - 1) * row + (w - 1) * pixel + (c - 1) * channel + size;
    char *block = malloc((size_t)bytes);
    REQUIRE(block);
    for (int64_t i = 0; i < bytes; i++)
        block[i] = (char)(take_byte(in) + (in->at == in->end ? i * 37 : 0)) & (char)0xbf;
    char *data = block + (bits & 8 ? (h - 1) * row : 0) + (bits & 16 ? (w - 1) * pixel : 0);
    REQUIRE_OK(pixview_image_init(&j->images[n], data, 3, LIST(h, w, c), strides, dtype, CPU,
                                  PIXVIEW_LAYOUT_HWC, err));
    j->blocks[n] = block;
    j->rois[n] = (pixview_roi){(int8_t)take_byte(in) % 8, (int8_t)take_byte(in) % 8, 1, 1};
    j->rois[n].h = take_side(in), j->rois[n].w = take_side(in);
}

// false: it is too large.
static bool take_batch(fuzz_input *in, job *j, pixview_dtype dtype)
{
    const int64_t shape[] = {j->count, j->channels, take_side(in), take_side(in)};
    const int64_t mixed[] = {j->count, shape[2], shape[3], j->channels};
    bool planar = take_byte(in) & 1;
    REQUIRE_OK(pixview_image_init(&j->batch, got + MARGIN, 4, planar ? shape : mixed, NULL, dtype,
                                  CPU, planar ? PIXVIEW_LAYOUT_NCHW : PIXVIEW_LAYOUT_NHWC, err));
    return pixview_image_nbytes(&j->batch) < ROOM - 2 * MARGIN;
}

static bool take_job(fuzz_input *in, job *j)
{
    static const int64_t channels[] = {3, 1, 4, 2, 5, 3, 3, 34};
    static const pixview_dtype results[] = {{1, 8, 1}, {2, 16, 1}, {4, 16, 1}, {2, 32, 1}};
    uint8_t bits = take_byte(in);
    j->count = 1 + bits % MOST;
    j->channels = channels[bits >> 5];
    j->geometry = (pixview_geometry){.struct_size = sizeof j->geometry,
                                     .fit = (pixview_fit)take_choice(in, 4),
                                     .align = (pixview_align)(bits >> 3 & 1),
                                     .no_scaleup = bits >> 4 & 1,
                                     .interpolation = (pixview_interpolation)take_choice(in, 6),
                                     .placements = j->placements};
    bool pillow = j->geometry.interpolation >= PIXVIEW_INTERPOLATION_PIL_BILINEAR;
    pixview_dtype from = take_type(in, pillow);
    uint8_t values = take_byte(in);
    if (!take_batch(in, j, values & 1 ? results[values >> 1 & 3] : from))
        return false;
    for (int64_t n = 0; n < j->count; n++)
        take_source(in, j, n, from);
    j->params = (pixview_convert_params){.struct_size = sizeof j->params,
                                         .scale = values & 1 ? 1.0 / (1 + values) : 0,
                                         .swap_rb = values >> 4 & 1,
                                         .pad_value = values >> 5,
                                         .geometry = &j->geometry};
    j->geometry.rois = values & 8 ? j->rois : NULL;
    return true;
}

// Of the regions, into the same place of `wanted`. What was refused has written nothing.
static void run_reference(job *j)
{
    pixviewi_copy_op op;
    pixviewi_filters filters = {.count = 0};
    pixview_image parts[MOST], batch = j->batch;
    pixview_error error;
    batch.data = (char *)batch.data + (wanted - got);
    for (int64_t n = 0; n < j->count; n++) {
        const pixview_roi *r = &j->rois[n];
        parts[n] = j->images[n];
        if (j->geometry.rois)
            REQUIRE_OK(pixview_image_crop(&j->images[n], r->y, r->x, r->h, r->w, &parts[n], err));
    }
    REQUIRE(!pixviewi_stack_op(parts, NULL, j->count, &batch, &j->params, "srcs", &op, &error));
    if (pixviewi_has_filters(&op)) {
        REQUIRE(!pixviewi_filters_make(&op, &filters, &error));
        op.filters = &filters;
    }
    pixviewi_run_reference(&op);
    pixviewi_filters_free(&filters);
}

static void require_placed(const job *j)
{
    for (int64_t n = 0; n < j->count; n++) {
        const pixview_placement *p = &j->placements[n];
        REQUIRE(p->y >= 0 && p->x >= 0 && p->h >= 1 && p->w >= 1);
        REQUIRE(p->y + p->h <= p->canvas_h && p->x + p->w <= p->canvas_w);
        REQUIRE(p->source_y >= 0 && p->source_x >= 0);
        REQUIRE(p->source_y + p->source_h <= (double)j->images[n].shape[1] + 1e-9);
        REQUIRE(p->source_x + p->source_w <= (double)j->images[n].shape[2] + 1e-9);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, data + size};
    job j;
    pixview_error error;
    if (!take_job(&in, &j))
        return 0;
    memset(got, 0x5a, sizeof got);
    memset(wanted, 0x5a, sizeof wanted);
    pixview_status status = pixview_stack(j.images, j.count, &j.batch, &j.params, &error);
    if (status != PIXVIEW_OK) {
        require_failed(status, &error);
    } else {
        run_reference(&j);
        require_placed(&j);
    }
    REQUIRE(memcmp(got, wanted, sizeof got) == 0);
    for (int64_t n = 0; n < j.count; n++)
        free(j.blocks[n]);
    return 0;
}
