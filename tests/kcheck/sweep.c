// SPDX-License-Identifier: Apache-2.0
// Which jobs are checked: shapes, alignments and types that have gone wrong somewhere, and chance.
#include "copy/backend.h"
#include "copy/reference.h"
#include "kcheck.h"

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"

static const pixview_dtype bits_of_size[] = {{PIXVIEW_DTYPE_UINT, 8, 1},
                                             {PIXVIEW_DTYPE_UINT, 16, 1},
                                             {PIXVIEW_DTYPE_FLOAT, 32, 1},
                                             {PIXVIEW_DTYPE_FLOAT, 64, 1},
                                             {PIXVIEW_DTYPE_COMPLEX, 128, 1}};
static const pixview_dtype of_8_bytes[] = {
    {PIXVIEW_DTYPE_FLOAT, 64, 1}, {PIXVIEW_DTYPE_INT, 64, 1}, {PIXVIEW_DTYPE_COMPLEX, 64, 1}};
static const pixview_dtype inputs[] = {{PIXVIEW_DTYPE_UINT, 8, 1},    {PIXVIEW_DTYPE_INT, 8, 1},
                                       {PIXVIEW_DTYPE_UINT, 16, 1},   {PIXVIEW_DTYPE_INT, 16, 1},
                                       {PIXVIEW_DTYPE_INT, 32, 1},    {PIXVIEW_DTYPE_FLOAT, 16, 1},
                                       {PIXVIEW_DTYPE_BFLOAT, 16, 1}, {PIXVIEW_DTYPE_FLOAT, 32, 1}};
static const pixview_dtype outputs[] = {{PIXVIEW_DTYPE_FLOAT, 16, 1},
                                        {PIXVIEW_DTYPE_BFLOAT, 16, 1},
                                        {PIXVIEW_DTYPE_FLOAT, 32, 1},
                                        {PIXVIEW_DTYPE_UINT, 8, 1}};

static int64_t failures, jobs;
static uint64_t seed;

static int64_t any(int64_t count) { return (int64_t)(next_random(&seed) % (uint64_t)count); }

// Types of 8 bytes take turns, without chance: the seeds of the other jobs stay.
static pixview_dtype bits_of(int size_log2)
{
    static int turn;
    return size_log2 == 3 ? of_8_bytes[turn++ % 3] : bits_of_size[size_log2];
}

static bool aligned; // all of the next job, to 16 bytes, if its width allows it

static void run(kjob *job)
{
    job->seed = seed++;
    jobs++;
    aligned = any(3) == 0;
    if (failures < 20 && !check(job))
        failures++;
}

// Aligned for vectors, a little off, an ROI, a texture's pitch.
static klie any_lie(int order, int64_t size)
{
    static const int64_t offsets[] = {0, 0, 0, 1, 2, 3, 5, 16, 37};
    static const int64_t pitches[] = {0, 0, 0, 16, 1, 3, 7, 32, 509};
    static const int64_t gaps[] = {0, 0, 16, 1, 64};
    klie how = {.order = order};
    how.offset = aligned ? 16 * any(3) : size * offsets[any(9)];
    how.pitch = aligned ? 16 * any(3) : size * pitches[any(9)];
    how.gap = aligned ? 16 * any(3) : size * gaps[any(5)];
    if (how.order == ODD)
        how = (klie){.order = ODD};
    return how;
}

static void bits(int64_t n, int64_t h, int64_t w, int64_t c, int size_log2, int src, int dst,
                 bool swap)
{
    int64_t size = 1 << size_log2;
    pixview_dtype type = bits_of(size_log2);
    kjob job = {.shape = {n, h, w, c},
                .from = type,
                .to = type,
                .src = any_lie(src, size),
                .dst = any_lie(dst, size),
                .swap = swap && (c == 3 || c == 4)};
    snprintf(job.name, sizeof job.name, "bits %d, %s to %s, %d channels", (int)size * 8,
             src == PLANAR  ? "planes"
             : src == MIXED ? "pixels"
                            : "odd",
             dst == PLANAR  ? "planes"
             : dst == MIXED ? "pixels"
                            : "odd",
             (int)c);
    run(&job);
}

// Every width that a lane, a vector, a warp can be off by.
static void widths(int rounds)
{
    static const int64_t channels[] = {1, 2, 3, 4, 5, 8, 16};
    for (int round = 0; round < rounds; round++)
        for (int64_t w = 1; w <= 67; w++)
            for (int c = 0; c < 7; c++)
                for (int form = 0; form < 4; form++)
                    bits(1 + any(3), 1 + any(5), w, channels[c], (int)any(5), form & 1, form >> 1,
                         any(4) == 0);
}

// Beyond a warp's tile, and many rows.
static void larger(int rounds)
{
    static const int64_t w[] = {127, 128, 129, 511, 512, 513, 640, 679, 1001, 1024, 1920, 2051};
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < 12; i++)
            for (int form = 0; form < 4; form++)
                bits(1 + any(2), 1 + any(7), w[i], any(3) ? 1 + any(4) : 5 + any(28), (int)any(5),
                     form & 1, form >> 1, any(4) == 0);
}

// Rows of pixels and of planes that are longer than a vector, and shorter than a tile.
static void short_rows(int rounds)
{
    static const int64_t w[] = {17, 33, 40, 67, 79, 80, 100, 128, 150, 224, 300, 433};
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < 12; i++)
            for (int form = 1; form < 3; form++)
                for (int64_t c = 3; c < 5; c++)
                    for (int size_log2 = 0; size_log2 < 2; size_log2++)
                        bits(1 + any(3), 2 + any(4), w[i], c, size_log2, form & 1, form >> 1,
                             any(4) == 0);
}

// Rows of packed planes, of which a vector has two or more; and planes that do not begin at the same
// place in a vector, though their rows do.
static void packed_rows(void)
{
    static const int64_t w[] = {2, 3, 4, 5, 6, 7, 8, 9, 17, 64, 96};
    for (int i = 0; i < 11; i++)
        for (int64_t c = 2; c < 5; c++)
            for (int size_log2 = 0; size_log2 < 3; size_log2++) {
                int64_t size = 1 << size_log2;
                kjob job = {.name = "packed rows",
                            .shape = {1, 9, w[i], c},
                            .from = bits_of_size[size_log2],
                            .to = bits_of_size[size_log2],
                            .src = {.order = MIXED, .pitch = 5 * size},
                            .dst = {.order = PLANAR, .gap = size}};
                run(&job);
            }
}

static void batches(void)
{
    for (int64_t n = 1; n <= 65; n++)
        for (int form = 0; form < 4; form++)
            bits(n, 1 + any(3), 1 + any(40), 1 + any(4), (int)any(5), form & 1, form >> 1, false);
}

static void extents(void)
{
    for (int i = 0; i < 16; i++)
        for (int axis = 0; axis < 5; axis++)
            for (int form = 0; form < 9; form++) {
                int64_t shape[5] = {i & 1 ? 1 : 2, i & 2 ? 1 : 3, i & 4 ? 1 : 5, i & 8 ? 1 : 3, 0};
                if (axis < 4 && form == 0)
                    shape[axis] = 0;
                bits(shape[0], shape[1], shape[2], shape[3], axis, form % 3, form / 3, false);
            }
}

// Strides that are zero, negative, or in an order of their own; channels beyond all tables.
static void strange(int rounds)
{
    for (int round = 0; round < rounds; round++) {
        int64_t c = any(4) ? 1 + any(6) : 33 + any(40);
        bits(1 + any(3), 1 + any(9), 1 + any(19), c, (int)any(5), any(3) ? ODD : (int)any(2),
             any(3) ? ODD : (int)any(2), any(3) == 0);
    }
}

// The same of pixels and planes, with rows longer than a vector.
static void strange_rows(int rounds)
{
    for (int round = 0; round < rounds; round++) {
        bool source = any(4);
        bits(1 + any(2), 2 + any(3), 20 + any(100), 3 + any(2), (int)any(2),
             source ? ODD : (int)any(2), source ? (int)any(2) : ODD, false);
    }
}

static void values(int rounds)
{
    static const int64_t channels[] = {1, 3, 4, 5, 3, 11};
    static const int64_t widths[] = {1, 2, 5, 16, 31, 64, 67, 130, 700};
    for (int round = 0; round < rounds; round++)
        for (int in = 0; in < 8; in++)
            for (int out = 0; out < 4; out++)
                for (int form = 0; form < 5; form++) {
                    int src = form < 4 ? form & 1 : (int)any(3),
                        dst = form < 4 ? form >> 1 : (int)any(3);
                    int64_t c = any(12) ? channels[any(6)] : 40;
                    kjob job = {.shape = {1 + any(3), 1 + any(4), widths[any(9)], c},
                                .from = inputs[in],
                                .to = outputs[out],
                                .src = any_lie(src, pixview_dtype_size(inputs[in])),
                                .dst = any_lie(dst, pixview_dtype_size(outputs[out])),
                                .changed = true,
                                .swap = any(2) && (c == 3 || c == 4),
                                .factors = c <= 32 && any(3) ? (int)c : 1};
                    snprintf(job.name, sizeof job.name, "%s to %s, %d channels",
                             pixview_dtype_name(job.from), pixview_dtype_name(job.to), (int)c);
                    run(&job);
                }
}

static void lists(int64_t count, int rounds, int64_t most)
{
    for (int round = 0; round < rounds; round++) {
        bool changed = any(3) > 0, to_list = any(3) == 0, padded = !to_list && any(4) == 0;
        int in = (int)any(8), size_log2 = (int)any(4);
        pixview_dtype from = changed ? inputs[any(2) ? 0 : in] : bits_of(size_log2);
        pixview_dtype to = changed ? outputs[any(2) ? 2 : any(4)] : from;
        int64_t c = any(4) ? 3 : 1 + any(any(3) ? 5 : 32);
        int odd = any(12) == 0 ? ODD : PLANAR;
        kjob job = {.shape = {count, 1 + any(most), 1 + any(most * 2), c},
                    .from = from,
                    .to = to,
                    .src = any_lie(odd ? ODD : (int)any(2), pixview_dtype_size(from)),
                    .dst = any_lie(any(12) ? (int)any(2) : ODD, pixview_dtype_size(to)),
                    .list = to_list  ? PIXVIEWI_DST_LIST
                            : padded ? PIXVIEWI_NO_LIST
                                     : PIXVIEWI_SRC_LIST,
                    .varied = any(2),
                    .smaller = padded || (!to_list && any(2)),
                    .changed = changed,
                    .swap = any(2) && (c == 3 || c == 4),
                    .factors = any(3) ? (int)c : 1};
        snprintf(job.name, sizeof job.name, "%s of %lld, %s to %s",
                 to_list  ? "unstack"
                 : padded ? "padding"
                          : "stack",
                 (long long)count, pixview_dtype_name(from), pixview_dtype_name(to));
        run(&job);
    }
}

// Every pair of types, to and from both forms.
static void list_types(void)
{
    for (int in = 0; in < 8; in++)
        for (int out = 0; out < 4; out++)
            for (int form = 0; form < 8; form++) {
                kjob job = {.shape = {3, 1 + any(5), 1 + any(60), 3},
                            .from = inputs[in],
                            .to = outputs[out],
                            .src = any_lie(form & 1, pixview_dtype_size(inputs[in])),
                            .dst = any_lie(form >> 1 & 1, pixview_dtype_size(outputs[out])),
                            .list = form & 4 ? PIXVIEWI_DST_LIST : PIXVIEWI_SRC_LIST,
                            .varied = any(2),
                            .smaller = !(form & 4) && any(2),
                            .changed = true,
                            .factors = any(2) ? 3 : 1};
                snprintf(job.name, sizeof job.name, "list, %s to %s", pixview_dtype_name(job.from),
                         pixview_dtype_name(job.to));
                run(&job);
            }
}

// Lists of 8 and 16 bytes an element.
static void wide_lists(int rounds)
{
    for (int round = 0; round < rounds; round++)
        for (int form = 0; form < 8; form++) {
            int size_log2 = 3 + round % 2;
            pixview_dtype type = bits_of(size_log2);
            kjob job = {.name = "list of wide elements",
                        .shape = {1 + any(9), 1 + any(9), 1 + any(40), 1 + any(5)},
                        .from = type,
                        .to = type,
                        .src = any_lie(form & 1, 1 << size_log2),
                        .dst = any_lie(form >> 1 & 1, 1 << size_log2),
                        .list = form & 4 ? PIXVIEWI_DST_LIST : PIXVIEWI_SRC_LIST,
                        .varied = any(2),
                        .smaller = !(form & 4) && any(2)};
            run(&job);
        }
}

// ---- resizing -------------------------------------------------------------------------------------

static pixviewi_resize any_resize(int interpolation)
{
    return (pixviewi_resize){{(int32_t)any(4), (int32_t)any(2), any(4) == 0}, interpolation};
}

// Sums over all of a source. Sometimes one edge is longer than what a block has in its shared memory.
static void choose_filtered(kjob *job)
{
    int64_t longer = any(4);
    for (int axis = 0; axis < 2; axis++)
        job->extents[axis] = 1 + any(axis == longer ? 2000 : longer < 2 ? 12 : 40);
    for (int axis = 1; axis < 3 && longer < 2; axis++)
        job->shape[axis] = 1 + any(24);
}

static void resize_one(pixview_dtype from, pixview_dtype to, bool changed, int interpolation,
                       int64_t count, int64_t most)
{
    static const int64_t channels[] = {1, 3, 3, 3, 4, 5};
    int64_t c = any(20) ? channels[any(6)] : 35;
    kjob job = {.shape = {count, 1 + any(most), 1 + any(most), c},
                .from = from,
                .to = to,
                .src = any_lie(any(8) ? (int)any(2) : ODD, pixview_dtype_size(from)),
                .dst = any_lie(any(8) ? (int)any(2) : ODD, pixview_dtype_size(to)),
                .list = PIXVIEWI_SRC_LIST,
                .varied = any(2),
                .changed = changed,
                .swap = any(2) && (c == 3 || c == 4),
                .factors = c <= 32 && any(3) ? (int)c : 1,
                .resizes = true,
                .resize = any_resize(interpolation)};
    if (interpolation >= PIXVIEWI_AREA)
        choose_filtered(&job);
    else if (count > 100 || any(4))
        job.extents[0] = 1 + any(40), job.extents[1] = 1 + any(40);
    if (any(2)) // rows that are aligned to vectors, often
        job.shape[2] = (job.shape[2] + 15) / 16 * 16;
    else if (job.dst.order == PLANAR && any(2)) // or only where they begin
        job.dst =
            (klie){.order = PLANAR, .pitch = 15 - (job.shape[2] * pixview_dtype_size(to) - 1) % 16};
    snprintf(job.name, sizeof job.name, "resize of %lld, fit %d, interpolation %d, %s to %s",
             (long long)count, job.resize.fit.fit, interpolation, pixview_dtype_name(from),
             pixview_dtype_name(to));
    run(&job);
}

// Every pair of types, in both ways; types that stay; bits of any size.
static void resizes(int rounds, int64_t count, int64_t most)
{
    static const int between[] = {0, 2, 5, 6, 7};
    for (int round = 0; round < rounds; round++) {
        for (int out = 0; out < 4; out++) {
            for (int i = 0; i < 5; i++)
                resize_one(inputs[between[i]], outputs[out], true, PIXVIEWI_LINEAR, count, most);
            for (int in = 0; in < 8; in++)
                resize_one(inputs[in], outputs[out], true, PIXVIEWI_NEAREST, count, most);
        }
        for (int i = 0; i < 5; i++)
            resize_one(inputs[between[i]], inputs[between[i]], false, PIXVIEWI_LINEAR, count, most);
        for (int i = 0; i < 16; i++) // what cv2 rounds, and how, has most corners
            resize_one(U8, i % 4 ? outputs[i % 4] : U8, i % 4 > 0, PIXVIEWI_LINEAR, count, most);
        for (int size_log2 = 0; size_log2 < 5; size_log2++)
            resize_one(bits_of(size_log2), bits_of(size_log2), false, PIXVIEWI_NEAREST, count,
                       most);
    }
}

// Tables of weights: every pair of types, and types that stay.
static void filters(int rounds, int64_t most)
{
    static const int between[] = {0, 2, 5, 6, 7};
    for (int round = 0; round < rounds; round++) {
        for (int out = 0; out < 4; out++) {
            for (int i = 0; i < 5; i++)
                resize_one(inputs[between[i]], outputs[out], true, PIXVIEWI_AREA, 3, most);
            for (int way = PIXVIEWI_PIL_BILINEAR; way <= PIXVIEWI_PIL_LANCZOS; way++)
                resize_one(U8, outputs[out], true, way, 3, most);
        }
        for (int i = 0; i < 5; i++)
            resize_one(inputs[between[i]], inputs[between[i]], false, PIXVIEWI_AREA, 3, most);
        for (int way = PIXVIEWI_PIL_BILINEAR; way <= PIXVIEWI_PIL_LANCZOS; way++)
            resize_one(U8, U8, false, way, 3, most);
    }
}

// What chance may leave out.
static void every_kernel(void)
{
    for (int size_log2 = 0; size_log2 < 4; size_log2++)
        for (int form = 0; form < 4; form++) {
            for (int c = 3; c < 5; c++) {
                aligned = true;
                bits(2, 3, 512, c, size_log2, form & 1, form >> 1, false); // not short
            }
            for (int i = 0; i < 12; i++) {
                pixview_dtype type = bits_of(size_log2);
                kjob job = {.name = "list of bits",
                            .shape = {5, 7, i < 4 ? 65 : 128, 3 + i / 2 % 2},
                            .from = type,
                            .to = type,
                            .list = i & 1 ? PIXVIEWI_SRC_LIST : PIXVIEWI_DST_LIST,
                            .smaller = i > 8 && (i & 1)};
                aligned = i >= 4;
                job.src = any_lie(form & 1, 1 << size_log2);
                job.dst = any_lie(form >> 1, 1 << size_log2);
                run(&job);
            }
        }
}

// ---- more than 2^31 bytes, more than 2^31 elements -------------------------------------------------

// Whole, but compared in some rows only: the reference is slow.
static void check_huge(pixview_dtype dtype, int64_t h, int64_t w, int src, int dst, int64_t pitch)
{
    int64_t size = pixview_dtype_size(dtype), bytes = (h * (w * 3 * size + pitch) + 512) / 8 * 8;
    kjob job = {.shape = {1, h, w, 3},
                .from = dtype,
                .to = dtype,
                .src = {.order = src, .pitch = src == MIXED ? pitch : 0},
                .dst = {.order = dst, .pitch = dst == MIXED ? pitch : 0}};
    pixview_owner *owners[2];
    char *near = malloc((size_t)bytes), *wanted = malloc((size_t)bytes),
         *got = malloc((size_t)bytes);
    char *from = gpu_alloc(bytes, &owners[0]), *to = gpu_alloc(bytes, &owners[1]);
    for (int64_t i = 0; i < bytes / 8; i++)
        ((uint64_t *)near)[i] = (uint64_t)i * 0x9e3779b97f4a7c15u;
    gpu_upload(from, near, bytes);
    kends far = make_ends(&job, from, to), host = make_ends(&job, near, wanted);
    const char *kernel = kernel_of(&job);
    REQUIRE_OK(pixviewi_cuda_run(0, &far.op, PIXVIEW_STREAM_LEGACY, err));
    gpu_download(got, to, bytes);
    jobs++;
    host.op.shape[PIXVIEW_AXIS_H] = 1;
    for (int64_t i = 0; i < 65; i++) {
        pixviewi_copy_op row = host.op;
        int64_t y = i == 64 ? h - 1 : h * i / 64;
        row.src.data += y * row.src.strides[PIXVIEW_AXIS_H];
        row.dst.data += y * row.dst.strides[PIXVIEW_AXIS_H];
        pixviewi_run_reference(&row);
        for (int c = 0; c < 3; c++) {
            int64_t at = row.dst.data - wanted + (dst == PLANAR ? c * row.dst.strides[3] : 0);
            int64_t count = dst == PLANAR ? w * size : w * 3 * size;
            if (memcmp(wanted + at, got + at, (size_t)count) != 0 && failures < 20) {
                fprintf(stderr, "FAILED %lld x %lld x 3 of %s by %s: row %lld differs\n",
                        (long long)h, (long long)w, pixview_dtype_name(dtype), kernel,
                        (long long)y);
                failures++;
            }
        }
    }
    free(near), free(wanted), free(got);
    for (int i = 0; i < 2; i++)
        pixview_owner_unref(owners[i]);
}

int64_t sweep(bool small, bool with_huge, uint64_t first_seed)
{
    seed = first_seed;
    failures = jobs = 0;
    widths(small ? 2 : 6);
    larger(small ? 3 : 12);
    short_rows(small ? 2 : 8);
    packed_rows();
    batches();
    extents();
    strange(small ? 300 : 3000);
    strange_rows(small ? 200 : 2000);
    values(small ? 1 : 12);
    every_kernel();
    list_types();
    lists(1, small ? 40 : 400, 40);
    lists(2, small ? 40 : 400, 60);
    lists(64, small ? 10 : 100, 20);
    lists(2001, small ? 2 : 20, 8);
    lists(10000, small ? 1 : 6, 3);
    wide_lists(small ? 8 : 80);
    resizes(small ? 1 : 20, 3, small ? 48 : 150);
    resizes(small ? 0 : 6, 2, 300);
    resizes(1, small ? 280 : 1000, small ? 4 : 6);
    filters(small ? 8 : 20, small ? 80 : 120);
    const int videos = small ? 150 : 1500;
    failures += check_videos(videos, small ? 90 : 300, first_seed);
    jobs += 3 * videos;
    if (with_huge) {
        check_huge(U8, 24000, 30000, MIXED, PLANAR, 0);
        check_huge(U8, 24000, 30000, PLANAR, MIXED, 5);
        check_huge(F32, 13600, 13600, MIXED, PLANAR, 32);
        check_huge(F32, 13601, 13601, PLANAR, MIXED, 0);
    }
    printf("%lld jobs, %lld differ\n", (long long)jobs, (long long)failures);
    for (int i = 0; i < PIXVIEWI_KERNEL_COUNT; i++)
        if (checked[i] == 0) {
            printf("NEVER RUN: %s\n", pixviewi_kernel_name(i));
            failures++;
        }
    return failures;
}
