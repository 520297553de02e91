// SPDX-License-Identifier: Apache-2.0
// Frames of any format and size, in one surface or in planes with gaps, perhaps backwards; cropped, placed in lists
// with images, sampled and written: beside the plain C version, which has to give the same bytes. Every plane ends
// with its block, so that the address sanitizer sees what is read behind it.
#ifndef VIDEO_INPUT_H
#define VIDEO_INPUT_H

#include "copy/affine.h"
#include "copy/batch.h"
#include "copy/filter.h"
#include "copy/reference.h"
#include "copy/video.h"
#include "descriptor/overlap.h"
#include "descriptor/video.h"
#include "fuzz.h"
#include "images.h"
#include "pixview/pixview.h"

enum { MOST = 3, ROOM = 1 << 18, MARGIN = 64 };
static char got[ROOM] __attribute__((aligned(64))), wanted[ROOM] __attribute__((aligned(64)));

// ---- frames -----------------------------------------------------------------------------------

typedef struct made_frame {
    pixview_video_frame frame;
    void *blocks[3];
    int64_t sizes[3];
} made_frame;

static int64_t take_side(fuzz_input *in, bool wide)
{
    uint8_t byte = take_byte(in);
    return byte < 16            ? 1 + byte % 3
           : byte > 240 && wide ? 1000 + 300 * (byte - 240)
                                : 1 + byte % 50;
}

static pixview_video_params take_params(fuzz_input *in)
{
    pixview_video_params p = {.struct_size = sizeof p};
    p.format = (pixview_video_format)take_choice(in, PIXVIEW_VIDEO_FORMAT_GRAY16 + 1);
    p.format += p.format == 0;
    p.matrix = (pixview_video_matrix)(1 + take_choice(in, PIXVIEW_VIDEO_MATRIX_OPENCV));
    bool opencv = p.matrix == PIXVIEW_VIDEO_MATRIX_OPENCV;
    p.range = (pixview_video_range)(1 + (opencv ? 0 : take_choice(in, 2)));
    p.order = (pixview_video_order)take_choice(in, 2);
    p.height = take_side(in, false);
    p.width = take_side(in, p.height < 20);
    return p;
}

// Samples from a few bytes, so that some are left for what follows.
static void fill_block(fuzz_input *in, char *block, int64_t size)
{
    fill_random(block, (size_t)size, take_byte(in));
}

// Of blocks of their own.
static void make_planes(fuzz_input *in, const pixview_video_params *params, made_frame *made)
{
    const pixviewi_video_row *row = pixviewi_video_find(params->format);
    pixview_image planes[3];
    int32_t count = pixviewi_video_plane_count(row);
    pixview_dtype dtype = pixviewi_video_dtype(row);
    int64_t size = dtype.bits / 8;
    for (int32_t i = 0; i < count; i++) {
        int64_t shape[3];
        pixviewi_video_plane_shape(row, i, params->height, params->width, shape);
        uint8_t bits = take_byte(in);
        if (row->planes == PIXVIEWI_VIDEO_PACKED)
            bits &= 0xf9; // its rows are dense
        int64_t group = shape[2] * size, pixel = group * (bits & 4 ? 2 : 1);
        int64_t pitch = shape[1] * pixel + group * (bits & 8 ? bits >> 4 : 0);
        made->sizes[i] = (shape[0] - 1) * pitch + (shape[1] - 1) * pixel + group;
        char *block = malloc((size_t)made->sizes[i]);
        REQUIRE(block);
        made->blocks[i] = block;
        fill_block(in, block, made->sizes[i]);
        block += (bits & 1 ? (shape[0] - 1) * pitch : 0) + (bits & 2 ? (shape[1] - 1) * pixel : 0);
        int64_t strides[] = {bits & 1 ? -pitch : pitch, bits & 2 ? -pixel : pixel, size};
        planes[i] = make_image(block, PIXVIEW_LAYOUT_HWC, shape, strides, dtype, CPU);
    }
    REQUIRE_OK(pixview_video_frame_init(&made->frame, planes, count, params, err));
}

static int64_t end_of(const pixview_video_frame *frame, const char *data)
{
    int64_t end = 0;
    for (int32_t i = 0; i < frame->plane_count; i++) {
        int64_t beyond =
            (int64_t)(pixviewi_image_range(&frame->planes[i]).beyond - (uintptr_t)data);
        end = beyond > end ? beyond : end;
    }
    return end;
}

// As a decoder gives it. The first frame only says how long the memory is. false: it was refused.
static bool make_surface(fuzz_input *in, const pixview_video_params *params, made_frame *made)
{
    static uint64_t place;
    pixview_error error;
    uint8_t bits = take_byte(in);
    pixview_video_surface s = {.struct_size = sizeof s, .data = &place, .device = CPU};
    s.pitch = (params->width * 2 + 2 + bits % 16) * (bits & 16 ? 2 : 1);
    s.pitch -= bits & 0xc0 ? s.pitch % 4 : 0;
    s.coded_rows = bits & 32 ? params->height + bits % 9 : 0;
    pixview_status status = pixview_video_frame_init_surface(&made->frame, &s, params, &error);
    if (status != PIXVIEW_OK) {
        require_failed(status, &error);
        return false;
    }
    s.nbytes = made->sizes[0] = end_of(&made->frame, s.data);
    made->blocks[0] = s.data = malloc((size_t)s.nbytes);
    REQUIRE(s.data);
    fill_block(in, s.data, s.nbytes);
    REQUIRE_OK(pixview_video_frame_init_surface(&made->frame, &s, params, err));
    if (--s.nbytes == 0) // which means that it is not known
        return true;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "",
                  pixview_video_frame_init_surface(&(pixview_video_frame){0}, &s, params, err));
    return true;
}

static bool take_frame(fuzz_input *in, const pixview_video_params *params, made_frame *made)
{
    *made = (made_frame){.sizes = {0}};
    if (take_byte(in) & 1)
        return make_surface(in, params, made);
    make_planes(in, params, made);
    return true;
}

static void free_frame(made_frame *made)
{
    for (int i = 0; i < 3; i++)
        free(made->blocks[i]);
}

// Of what is there already, if such a rectangle can be a frame.
static void crop_frame(fuzz_input *in, pixview_video_frame *frame)
{
    pixview_error error;
    pixview_video_frame part;
    int64_t y = take_byte(in) % 8, x = take_byte(in) % 8;
    int64_t h = frame->height - y - take_byte(in) % 4, w = frame->width - x - take_byte(in) % 4;
    pixview_status status = pixview_video_frame_crop(frame, y, x, h, w, &part, &error);
    if (status == PIXVIEW_OK)
        *frame = part;
    else
        require_failed(status, &error);
}

// ---- frames and images to images --------------------------------------------------------------

typedef struct read_job {
    int64_t count;
    made_frame made[MOST];
    pixview_image images[MOST];
    void *blocks[MOST];
    pixview_source sources[MOST];
    pixview_roi rois[MOST];
    pixview_image batch;
    pixview_geometry geometry;
    pixview_convert_params params;
    double mean[3], std[3];
} read_job;

static void take_image(fuzz_input *in, read_job *j, int64_t n)
{
    int64_t h = take_side(in, false), w = take_side(in, false), size = h * w * 3;
    bool planar = take_byte(in) & 1;
    j->blocks[n] = malloc((size_t)size);
    REQUIRE(j->blocks[n]);
    fill_block(in, j->blocks[n], size);
    j->images[n] = make_image(j->blocks[n], planar ? PIXVIEW_LAYOUT_CHW : PIXVIEW_LAYOUT_HWC,
                              planar ? LIST(3, h, w) : LIST(h, w, 3), NULL, U8, CPU);
    j->sources[n].image = &j->images[n];
}

// false: it was refused.
static bool take_source(fuzz_input *in, read_job *j, int64_t n)
{
    uint8_t bits = take_byte(in);
    int64_t height, width;
    if (bits % 5 == 0) {
        take_image(in, j, n);
        height = j->images[n].shape[1], width = j->images[n].shape[2];
    } else {
        pixview_video_params params = take_params(in);
        pixview_video_frame *frame = &j->made[n].frame;
        if (!take_frame(in, &params, &j->made[n]))
            return false;
        if (bits & 32)
            crop_frame(in, frame);
        j->sources[n].frame = frame;
        height = frame->height, width = frame->width;
    }
    pixview_roi *r = &j->rois[n];
    r->y = take_byte(in) % height, r->x = take_byte(in) % width;
    r->h = 1 + take_byte(in) % (height - r->y), r->w = width - r->x;
    r->w -= take_byte(in) % r->w;
    return true;
}

// false: it is too large.
static bool take_batch(fuzz_input *in, read_job *j, pixview_dtype dtype)
{
    uint8_t bits = take_byte(in);
    int64_t h = take_side(in, false), w = take_side(in, h < 20);
    bool fits = j->params.geometry && j->geometry.fit != PIXVIEW_FIT_NONE;
    for (int64_t n = 0; n < j->count && !fits && bits & 60; n++) { // mostly room for all
        const pixview_video_frame *frame = j->sources[n].frame;
        int64_t rows = frame ? frame->height : j->images[n].shape[1];
        int64_t columns = frame ? frame->width : j->images[n].shape[2];
        h = h < rows ? rows : h;
        w = w < columns ? columns : w;
    }
    int64_t size = dtype.bits / 8, gap = bits & 2 ? size * (bits >> 5) : 0;
    int64_t packed[] = {h * (3 * w * size + gap), 3 * w * size + gap, 3 * size, size};
    int64_t planar[] = {3 * h * (w * size + gap), h * (w * size + gap), w * size + gap, size};
    if (j->count * packed[0] > ROOM - 2 * MARGIN || j->count * planar[0] > ROOM - 2 * MARGIN)
        return false;
    j->batch = bits & 1 ? make_image(got + MARGIN, PIXVIEW_LAYOUT_NCHW, LIST(j->count, 3, h, w),
                                     planar, dtype, CPU)
                        : make_image(got + MARGIN, PIXVIEW_LAYOUT_NHWC, LIST(j->count, h, w, 3),
                                     packed, dtype, CPU);
    return true;
}

static void take_values(fuzz_input *in, read_job *j, bool changed)
{
    uint8_t bits = take_byte(in);
    j->params.swap_rb = bits & 1;
    j->params.pad_value = bits >> 4;
    j->params.pad = !j->params.geometry && bits & 14;
    if (!changed)
        return;
    j->params.scale = bits & 4 ? 1 / 255.0 : 0;
    j->params.channels = bits & 8 ? 3 : 1;
    for (int c = 0; c < 3; c++)
        j->mean[c] = 0.1 * c + 0.3, j->std[c] = 0.25 + 0.125 * c;
    j->params.mean = j->mean;
    j->params.std = j->std;
}

static bool take_read(fuzz_input *in, read_job *j)
{
    static const pixview_dtype results[] = {{1, 8, 1}, {2, 16, 1}, {4, 16, 1}, {2, 32, 1}};
    uint8_t bits = take_byte(in);
    *j = (read_job){.count = 1 + bits % MOST, .params = {.struct_size = sizeof j->params}};
    j->geometry = (pixview_geometry){.struct_size = sizeof j->geometry,
                                     .fit = (pixview_fit)take_choice(in, 4),
                                     .align = (pixview_align)(bits >> 3 & 1),
                                     .no_scaleup = bits >> 4 & 1,
                                     .interpolation = (pixview_interpolation)take_choice(in, 6),
                                     .rois = bits & 32 ? j->rois : NULL};
    j->params.geometry = bits & 0xc0 ? &j->geometry : NULL;
    pixview_dtype to = results[take_choice(in, 4)];
    for (int64_t n = 0; n < j->count; n++)
        if (!take_source(in, j, n))
            return false;
    take_values(in, j, to.bits != 8 || take_byte(in) & 1);
    return take_batch(in, j, to);
}

// Into the same place of `wanted`.
static void read_by_reference(const read_job *j)
{
    pixviewi_copy_op op;
    pixviewi_filters filters = {.count = 0};
    pixview_image faces[MOST], batch = j->batch;
    pixviewi_video videos[MOST] = {{.samples = {.bytes = 0}}};
    pixview_error error;
    batch.data = (char *)batch.data + (wanted - got);
    for (int64_t n = 0; n < j->count; n++) {
        const pixview_roi *r = &j->rois[n];
        if (j->sources[n].frame)
            pixviewi_video_read(j->sources[n].frame, &faces[n], &videos[n]);
        else
            faces[n] = j->images[n];
        if (!j->params.geometry || !j->geometry.rois)
            continue;
        REQUIRE_OK(pixview_image_crop(&faces[n], r->y, r->x, r->h, r->w, &faces[n], err));
        if (j->sources[n].frame)
            pixviewi_video_move(&videos[n].samples, r->y, r->x);
    }
    REQUIRE(!pixviewi_stack_op(faces, videos, j->count, &batch, &j->params, "srcs", &op, &error));
    if (pixviewi_has_filters(&op)) {
        REQUIRE(!pixviewi_filters_make(&op, &filters, &error));
        op.filters = &filters;
    }
    pixviewi_run_reference(&op);
    pixviewi_filters_free(&filters);
}

static void require_same(const char *what, const read_job *j)
{
    if (memcmp(got, wanted, sizeof got) == 0)
        return;
    for (int64_t n = 0; n < j->count; n++) {
        const pixview_video_frame *f = j->sources[n].frame;
        fprintf(stderr, "%s, %d x %d\n", f ? pixview_video_format_name(f->format) : "image",
                (int)(f ? f->height : j->images[n].shape[1]),
                (int)(f ? f->width : j->images[n].shape[2]));
    }
    FAIL("%s: %s, %d x %d, interpolation %d, fit %d, geometry %d, regions %d", what,
         pixview_dtype_name(j->batch.dtype), (int)j->batch.shape[1], (int)j->batch.shape[2],
         (int)j->geometry.interpolation, (int)j->geometry.fit, j->params.geometry != NULL,
         j->geometry.rois != NULL);
}

static void run_read(fuzz_input *in)
{
    read_job j;
    pixview_error error;
    bool sound = take_read(in, &j);
    memset(got, 0x5a, sizeof got);
    memset(wanted, 0x5a, sizeof wanted);
    if (sound) {
        pixview_status status =
            pixview_stack_sources(j.sources, j.count, &j.batch, &j.params, &error);
        if (status != PIXVIEW_OK)
            require_failed(status, &error);
        else
            read_by_reference(&j);
        require_same("read", &j);
    }
    for (int64_t n = 0; n < j.count; n++) {
        free_frame(&j.made[n]);
        free(j.blocks[n]);
    }
}

// ---- images to frames -------------------------------------------------------------------------

static pixview_image take_batch_of(fuzz_input *in, int64_t count, int64_t h, int64_t w)
{
    static const pixview_dtype types[] = {{1, 8, 1},  {0, 8, 1},  {1, 16, 1}, {0, 16, 1},
                                          {0, 32, 1}, {2, 16, 1}, {4, 16, 1}, {2, 32, 1}};
    pixview_dtype dtype = types[take_choice(in, 8)];
    int64_t size = dtype.bits / 8, shape[] = {count, h, w, 3};
    uint64_t seed = take_word(in);
    REQUIRE(count * h * w * 3 * size <= ROOM);
    fill_random(got, ROOM, seed);
    for (int64_t i = 0; i < ROOM / 4 && dtype.bits == 32 && dtype.code == 2; i++) {
        float value = (float)(int32_t)(next_random(&seed) % 3000) / 8 - 60;
        memcpy(got + 4 * i, &value, 4);
    }
    if (count * h * w * 3 * size * 8 > ROOM) // too large for gaps
        return make_image(got, PIXVIEW_LAYOUT_NHWC, shape, NULL, dtype, CPU);
    return random_image(got, ROOM, shape, dtype, CPU, true, &seed);
}

// Into blocks that were as these are now.
static void write_by_reference(const pixview_image *src, made_frame *made, int64_t count,
                               const pixview_convert_params *params, pixview_video_siting siting)
{
    pixviewi_copy_op op;
    pixview_image faces[MOST];
    pixviewi_video_target targets[MOST];
    pixview_error error;
    for (int64_t n = 0; n < count; n++)
        pixviewi_video_write(&made[n].frame, siting, &faces[n], &targets[n]);
    op.src = pixviewi_operand_of(src);
    op.dst = (pixviewi_operand){.dtype = F32, .images = faces};
    REQUIRE(!pixviewi_op_finish(&op, src, params, &error));
    op.targets = targets;
    pixviewi_run_reference(&op);
}

// All blocks of the frames, one after the other, to or from `memory`.
static void copy_blocks(made_frame *made, int64_t count, char *memory, bool back)
{
    for (int64_t n = 0; n < count; n++)
        for (int i = 0; i < 3; i++) {
            size_t size = (size_t)made[n].sizes[i];
            if (size > 0)
                memcpy(back ? made[n].blocks[i] : memory, back ? memory : made[n].blocks[i], size);
            memory += size;
        }
}

static int64_t size_of(const made_frame *made, int64_t count)
{
    int64_t size = 0;
    for (int64_t n = 0; n < count; n++)
        size += made[n].sizes[0] + made[n].sizes[1] + made[n].sizes[2];
    return size;
}

static void compare_written(fuzz_input *in, made_frame *made, int64_t count)
{
    pixview_video_frame frames[MOST];
    uint8_t bits = take_byte(in);
    pixview_video_siting siting = (pixview_video_siting)(bits % 3);
    double mean = -1.5, std = 0.5;
    pixview_convert_params params = {.struct_size = sizeof params, .swap_rb = bits & 4};
    params.scale = bits & 8 ? 0.75 : 0;
    params.channels = 1;
    params.mean = bits & 16 ? &mean : NULL;
    params.std = bits & 32 ? &std : NULL;
    pixview_image src = take_batch_of(in, count, made[0].frame.height, made[0].frame.width);
    int64_t size = size_of(made, count);
    char *before = malloc((size_t)size), *after = malloc((size_t)size);
    REQUIRE(before && after);
    for (int64_t n = 0; n < count; n++)
        frames[n] = made[n].frame;
    copy_blocks(made, count, before, false);
    REQUIRE_OK(pixview_video_from_images(&src, frames, count, &params, siting, err));
    copy_blocks(made, count, after, false);
    copy_blocks(made, count, before, true);
    write_by_reference(&src, made, count, &params, siting);
    copy_blocks(made, count, before, false);
    for (int64_t i = 0; i < size; i++)
        if (before[i] != after[i])
            FAIL("written from %s: byte %d is %#x, not %#x; %s, %d x %d, siting %d",
                 pixview_dtype_name(src.dtype), (int)i, (uint8_t)after[i], (uint8_t)before[i],
                 pixview_video_format_name(frames[0].format), (int)frames[0].height,
                 (int)frames[0].width, (int)siting);
    free(before), free(after);
}

// Frames of one size, which the first one has.
static void run_write(fuzz_input *in)
{
    made_frame made[MOST];
    int64_t count = 0, most = 1 + take_choice(in, MOST), h = 0, w = 0;
    for (bool sound = true; sound && count < most; count += sound) {
        pixview_video_params params = take_params(in);
        h = params.height = count ? h : params.height;
        w = params.width = count ? w : params.width > 1100 ? 1100 : params.width;
        if (w > 1000)
            h = params.height = h < 4 ? h : 4;
        sound = take_frame(in, &params, &made[count]);
    }
    if (count > 0)
        compare_written(in, made, count);
    for (int64_t n = 0; n < count; n++)
        free_frame(&made[n]);
}

static void run_video(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, data + size};
    if (take_byte(&in) % 4)
        run_read(&in);
    else
        run_write(&in);
}

#endif
