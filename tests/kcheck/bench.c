// SPDX-License-Identifier: Apache-2.0
// Times, beside a device copy of as many bytes in the same run, and beside the floor of what is slow.
#include "floor.h"

enum { MAX_ROWS = 2048, SLOW = 70 };

// ---- rows of the table ------------------------------------------------------------------------------

typedef struct krow {
    char text[384];
    double percent;
} krow;

static krow rows[MAX_ROWS];
static int row_count;
static int64_t failures;

// Of a source only rows that a tap is in.
static int64_t bytes_of_resized(const kjob *job)
{
    const int64_t *shape = job->shape;
    pixviewi_axis h = {job->extents[0], shape[1], 0, 0}, w = {job->extents[1], shape[2], 0, 0};
    pixviewi_place(&h, &w, &job->resize.fit);
    int64_t taps = h.resized * (job->resize.interpolation == PIXVIEWI_NEAREST ? 1 : 2);
    int64_t read = (taps < h.source ? taps : h.source) * w.source;
    return shape[0] * shape[3] *
           (read * pixview_dtype_size(job->from) +
            shape[1] * shape[2] * pixview_dtype_size(job->to));
}

static int64_t bytes_of(const kjob *job)
{
    if (job->resizes)
        return bytes_of_resized(job);
    int64_t elements = job->shape[0] * job->shape[1] * job->shape[2] * job->shape[3];
    return elements * (pixview_dtype_size(job->from) + pixview_dtype_size(job->to));
}

// Room for all sets. Returns the bytes from one to the next.
static int64_t lay_sets(int64_t end_bytes, int64_t moved, int sets, char **data,
                        pixview_owner **owner)
{
    int64_t step = end_bytes / 512 * 512 + 512;
    step = step > copy_step(moved) ? step : copy_step(moved);
    *data = gpu_alloc(step * sets, owner);
    return step;
}

static void add_row(const ktrial *trial)
{
    krow *row = &rows[row_count++];
    double mine = time_of(trial, launch), plain = time_of(trial, copy),
           bytes = (double)trial->bytes;
    char floor[128] = FLOOR_EMPTY;
    row->percent = 100 * plain / mine;
    if (row->percent < SLOW)
        describe_floor(trial, mine, floor, sizeof floor);
    snprintf(row->text, sizeof row->text, "| %s | %s | %.1f | %.1f | %.0f | %.0f | %.1f %% |%s",
             trial->job->name, kernel_of(trial->job) + 8, mine, plain, bytes / mine / 1e3,
             bytes / plain / 1e3, row->percent, floor);
    printf("%s\n", row->text);
    fflush(stdout);
}

static void measure(const kjob *job)
{
    kends sizes = make_ends(job, NULL, NULL);
    ktrial trial = {.job = job, .bytes = bytes_of(job), .graph = job->shape[0] == 1};
    pixview_owner *owners[2];
    trial.count = sets_of(trial.bytes);
    int64_t src_step = lay_sets(sizes.src_bytes, trial.bytes, trial.count, &trial.src, &owners[0]);
    int64_t dst_step = lay_sets(sizes.dst_bytes, trial.bytes, trial.count, &trial.dst, &owners[1]);
    free_ends(&sizes);
    fill_noise(trial.src, src_step * trial.count);
    for (int i = 0; i < trial.count; i++)
        trial.sets[i] = make_ends(job, trial.src + i * src_step, trial.dst + i * dst_step);
    add_row(&trial);
    for (int i = 0; i < trial.count; i++)
        free_ends(&trial.sets[i]);
    for (int i = 0; i < 2; i++)
        pixview_owner_unref(owners[i]);
}

// Checks the same with one or two small images, then measures.
static void add(const kjob *job, const char *filter)
{
    if (!strstr(job->name, filter) || row_count == MAX_ROWS)
        return;
    kjob little = *job;
    int64_t most = 100000 / (job->shape[2] * job->shape[3]) + 1;
    little.shape[0] =
        job->list != PIXVIEWI_NO_LIST && job->shape[0] > 2 ? 3 : 1 + (job->shape[0] > 1);
    little.shape[1] = job->shape[1] < most ? job->shape[1] : most;
    if (check(&little))
        measure(job);
    else
        failures++;
}

// ---- what is asked of them ---------------------------------------------------------------------------

static const pixview_dtype F16 = {PIXVIEW_DTYPE_FLOAT, 16, 1};

static const char *arrow(int src, int dst)
{
    static const char *const names[4] = {"CHW-CHW", "CHW-HWC", "HWC-CHW", "HWC-HWC"};
    return names[2 * (src == MIXED) + (dst == MIXED)];
}

// As OpenCV pads rows of GpuMats: to 512 bytes.
static klie lie_of(int order, bool pitched, int64_t row)
{
    klie how = {.order = order};
    if (pitched && order == MIXED)
        how.pitch = (row + 511) / 512 * 512 - row;
    return how;
}

static void repacks(const char *filter)
{
    const pixview_dtype types[] = {U8, F16, F32};
    const int64_t batches[] = {1, 8, 32, 64};
    for (int form = 1; form < 3; form++)
        for (int64_t c = 3; c <= 4; c++)
            for (int type = 0; type < 3; type++)
                for (int batch = 0; batch < 4; batch++)
                    for (int pitched = 0; pitched < 2; pitched++) {
                        int64_t row = 1920 * c * pixview_dtype_size(types[type]);
                        int src = form & 1 ? PLANAR : MIXED, dst = form & 1 ? MIXED : PLANAR;
                        kjob job = {.shape = {batches[batch], 1080, 1920, c},
                                    .from = types[type],
                                    .to = types[type],
                                    .src = lie_of(src, pitched, row),
                                    .dst = lie_of(dst, pitched, row)};
                        // Rows of 1920 fill the pitch but for 3 bytes: a wider one then.
                        if (pitched && row % 512 == 0)
                            job.src.pitch = job.dst.pitch = 0,
                            (src == MIXED ? &job.src : &job.dst)->pitch = 512;
                        snprintf(job.name, sizeof job.name, "1080p %s %s x%d n%d %s",
                                 pixview_dtype_name(job.from), arrow(src, dst), (int)c,
                                 (int)batches[batch], pitched ? "pitched" : "packed");
                        add(&job, filter);
                    }
}

// Images of 1 MB and more, of any width, alignment and number of channels.
static void shapes(const char *filter)
{
    static const int64_t widths[] = {1,  2,  3,  5,  7,   8,   13,   16,  31,
                                     32, 33, 64, 67, 100, 257, 1001, 1921};
    static const int64_t channels[] = {1, 2, 3, 4, 5, 8, 16};
    for (int form = 0; form < 4; form++)
        for (int c = 0; c < 7; c++)
            for (int w = 0; w < 17; w++) {
                pixview_dtype type = w % 3 == 0 ? U8 : w % 3 == 1 ? F32 : F16;
                int64_t size = pixview_dtype_size(type);
                int64_t h = 8 * 1000 * 1000 / (widths[w] * channels[c] * size) | 1;
                kjob job = {.shape = {8, h, widths[w], channels[c]}, .from = type, .to = type};
                job.src = (klie){.order = form & 1 ? MIXED : PLANAR, .offset = size * (w % 4)};
                job.dst = (klie){.order = form & 2 ? MIXED : PLANAR, .offset = size * (c % 3)};
                if (channels[c] == 1 && form > 0)
                    continue;
                snprintf(job.name, sizeof job.name, "shape %dx%dx%d %s %s +%d +%d", (int)h,
                         (int)widths[w], (int)channels[c], pixview_dtype_name(type),
                         arrow(job.src.order, job.dst.order), (int)job.src.offset,
                         (int)job.dst.offset);
                add(&job, filter);
            }
}

// Regions of a larger image: every row begins somewhere else.
static void regions(const char *filter)
{
    static const int64_t widths[] = {67, 200, 333, 640, 1001, 1900};
    static const int64_t channels[] = {1, 3, 4};
    for (int form = 0; form < 4; form++)
        for (int c = 0; c < 3; c++)
            for (int w = 0; w < 6; w++) {
                pixview_dtype type = w % 3 == 0 ? U8 : w % 3 == 1 ? F16 : F32;
                int64_t size = pixview_dtype_size(type), n = channels[c];
                int64_t row = widths[w] * (n == 1 ? 1 : n) * size;
                kjob job = {.shape = {16, 1080, widths[w], n}, .from = type, .to = type};
                job.src = (klie){.order = form & 1 ? MIXED : PLANAR, .offset = 5 * size * n};
                job.dst = (klie){.order = form & 2 ? MIXED : PLANAR};
                if (n == 1 && form > 0)
                    continue;
                (form & 1 || form == 0 ? &job.src : &job.dst)->pitch = (row / 512 + 2) * 512 - row;
                snprintf(job.name, sizeof job.name, "region 1080x%dx%d %s %s", (int)widths[w],
                         (int)n, pixview_dtype_name(type), arrow(job.src.order, job.dst.order));
                add(&job, filter);
            }
}

// Rows of 1.3 MB images, short ones too, that merge with no others: near and far apart in the source,
// apart in the destination.
static void short_rows(const char *filter)
{
    static const int64_t widths[] = {17, 64, 224};
    static const struct {
        const char *name;
        int64_t c;
        bool far, into; // a region of a wide image; a region is the destination
    } ways[] = {{"near", 3, false, false}, {"far", 1, true, false}, {"into", 3, true, true}};
    const pixview_dtype types[] = {U8, F32};
    for (int way = 0; way < 3; way++)
        for (int w = 0; w < 3; w++)
            for (int type = 0; type < 2; type++) {
                int64_t size = pixview_dtype_size(types[type]), row = widths[w] * size;
                int64_t c = ways[way].c, h = 1300 * 1000 / (row * c) + 1;
                klie packed = {.order = PLANAR}, region = {.order = PLANAR, .offset = 5 * size};
                region.pitch = ways[way].far ? (row / 512 + 2) * 512 - row : 7 * size;
                kjob job = {.shape = {16, h, widths[w], c},
                            .from = types[type],
                            .to = types[type],
                            .src = ways[way].into ? packed : region,
                            .dst = ways[way].into ? region : packed};
                snprintf(job.name, sizeof job.name, "rows n16 %dx%dx%d %s CHW-CHW %s", (int)h,
                         (int)widths[w], (int)c, pixview_dtype_name(types[type]), ways[way].name);
                add(&job, filter);
            }
}

// Pixels to planes and back: short rows of 1.3 MB images, from a region of any alignment.
static void narrow_regions(const char *filter)
{
    static const int64_t widths[] = {17, 67, 224};
    const pixview_dtype types[] = {U8, F16};
    for (int order = PLANAR; order <= MIXED; order++)
        for (int w = 0; w < 3; w++)
            for (int type = 0; type < 2; type++) {
                int64_t size = pixview_dtype_size(types[type]), pixel = 3 * size;
                int64_t row = widths[w] * (order == MIXED ? pixel : size);
                kjob job = {.shape = {16, 1300 * 1000 / (widths[w] * pixel) + 1, widths[w], 3},
                            .from = types[type],
                            .to = types[type],
                            .src = {.order = order,
                                    .offset = 5 * size,
                                    .pitch = (row / 512 + 2) * 512 - row},
                            .dst = {.order = order == MIXED ? PLANAR : MIXED}};
                snprintf(job.name, sizeof job.name, "narrow n16 %dx%dx3 %s %s from",
                         (int)job.shape[1], (int)widths[w], pixview_dtype_name(types[type]),
                         arrow(job.src.order, job.dst.order));
                add(&job, filter);
            }
}

static void converts(const char *filter)
{
    const pixview_dtype types[] = {U8, {PIXVIEW_DTYPE_BFLOAT, 16, 1}, U16, F16, F32};
    for (int in = 0; in < 5; in++)
        for (int out = 0; out < 5; out++)
            for (int form = 0; form < 4; form++)
                for (int c = 3; c < 5; c++) {
                    if (out == 2 || (c == 4 && in > 0))
                        continue;
                    kjob job = {.shape = {16, 1080, 1920, c},
                                .from = types[in],
                                .to = types[out],
                                .src = {.order = form & 1 ? MIXED : PLANAR},
                                .dst = {.order = form & 2 ? MIXED : PLANAR},
                                .changed = true,
                                .factors = c};
                    snprintf(job.name, sizeof job.name, "convert %s-%s %s x%d n16",
                             pixview_dtype_name(job.from), pixview_dtype_name(job.to),
                             arrow(job.src.order, job.dst.order), c);
                    add(&job, filter);
                }
}

static void stacks(const char *filter)
{
    static const int64_t counts[] = {1, 8, 32, 64};
    for (int i = 0; i < 4; i++)
        for (int way = 0; way < 8; way++) {
            kjob job = {.shape = {counts[i], 1080, 1920, 3},
                        .from = U8,
                        .to = way == 3              ? F16
                              : way == 2 || way > 4 ? U8
                                                    : F32,
                        .src = lie_of(MIXED, true, 5760),
                        .dst = {.order = way == 1 || way == 6 ? MIXED : PLANAR},
                        .list = PIXVIEWI_SRC_LIST,
                        .changed = way < 2 || way == 3 || way == 4,
                        .swap = way == 4,
                        .varied = way == 4,
                        .factors = 3};
            static const char *const names[] = {"f32 NCHW",
                                                "f32 NHWC",
                                                "u8 NCHW",
                                                "f16 NCHW",
                                                "f32 NCHW swapped, varied",
                                                "u8 unstack NCHW",
                                                "u8 NHWC",
                                                "u8 unstack NHWC"};
            if (way == 5 || way == 7) {
                job.list = PIXVIEWI_DST_LIST;
                job.dst = job.src;
                job.src = (klie){.order = way == 5 ? PLANAR : MIXED};
            }
            snprintf(job.name, sizeof job.name, "stack n%d 1080p u8x3 pitched, %s", (int)counts[i],
                     names[way]);
            add(&job, filter);
        }
}

// Crops of 1080p frames, which are images of less than 1 MB.
static void crops(const char *filter)
{
    static const int64_t sides[] = {32, 64, 128, 224};
    for (int i = 0; i < 4; i++)
        for (int way = 0; way < 3; way++) {
            kjob job = {.shape = {256, sides[i], sides[i], 3},
                        .from = U8,
                        .to = way == 0 ? F32 : U8,
                        .src = {.order = MIXED, .offset = 5, .pitch = 6144 - 3 * sides[i]},
                        .dst = {.order = way == 2 ? MIXED : PLANAR},
                        .list = PIXVIEWI_SRC_LIST,
                        .changed = way == 0,
                        .factors = 3};
            static const char *const names[] = {"f32 NCHW", "u8 NCHW", "u8 NHWC"};
            snprintf(job.name, sizeof job.name, "crops n256 %dx%d u8x3, %s", (int)sides[i],
                     (int)sides[i], names[way]);
            add(&job, filter);
        }
}

static void resizes(const char *filter)
{
    static const struct {
        const char *name;
        int64_t n, from[2], to;
        int fit, way;
    } cases[] = {
        {"letterbox 1080p", 32, {1080, 1920}, 640, PIXVIEWI_FIT_LETTERBOX, PIXVIEWI_LINEAR},
        {"letterbox 1080p", 1, {1080, 1920}, 640, PIXVIEWI_FIT_LETTERBOX, PIXVIEWI_LINEAR},
        {"nearest 1080p", 32, {1080, 1920}, 640, PIXVIEWI_FIT_LETTERBOX, PIXVIEWI_NEAREST},
        {"up 240x320", 32, {240, 320}, 640, PIXVIEWI_FIT_STRETCH, PIXVIEWI_LINEAR},
        {"crops 190x250", 230, {190, 250}, 224, PIXVIEWI_FIT_STRETCH, PIXVIEWI_LINEAR},
        {"cover 500x375", 64, {375, 500}, 224, PIXVIEWI_FIT_COVER, PIXVIEWI_LINEAR}};
    static const char *const names[] = {"f32 NCHW", "f16 NCHW", "u8 NCHW", "u8 NHWC"};
    const pixview_dtype types[] = {F32, F16, U8, U8};
    for (int i = 0; i < 6; i++)
        for (int out = 0; out < 4; out++) {
            kjob job = {.shape = {cases[i].n, cases[i].to, cases[i].to, 3},
                        .from = U8,
                        .to = types[out],
                        .src = {.order = MIXED},
                        .dst = {.order = out == 3 ? MIXED : PLANAR},
                        .list = PIXVIEWI_SRC_LIST,
                        .changed = out < 2,
                        .factors = 3,
                        .resizes = true,
                        .resize = {{cases[i].fit, 1, 0}, cases[i].way},
                        .extents = {cases[i].from[0], cases[i].from[1]}};
            snprintf(job.name, sizeof job.name, "resize n%d %s to %d u8x3, %s", (int)cases[i].n,
                     cases[i].name, (int)cases[i].to, names[out]);
            add(&job, filter);
        }
}

// Elements of 8 and 16 bytes: whole images, rows of any length in regions, lists.
static void wide_elements(const char *filter)
{
    static const pixview_dtype types[] = {{PIXVIEW_DTYPE_FLOAT, 64, 1},
                                          {PIXVIEW_DTYPE_COMPLEX, 128, 1},
                                          {PIXVIEW_DTYPE_INT, 64, 1},
                                          {PIXVIEW_DTYPE_COMPLEX, 64, 1}};
    static const int64_t widths[] = {17, 67, 224, 640, 1920};
    for (int type = 0; type < 4; type++)
        for (int form = 0; form < 4; form++)
            for (int w = 0; w < 5; w++) {
                int64_t size = pixview_dtype_size(types[type]), c = type < 2 ? 3 : 4;
                bool whole = widths[w] == 1920;
                int64_t h = whole ? 1080 : 8 * 1000 * 1000 / (widths[w] * size * c) + 1;
                kjob job = {.shape = {8, h, widths[w], c},
                            .from = types[type],
                            .to = types[type],
                            .src = {.order = form & 1 ? MIXED : PLANAR},
                            .dst = {.order = form & 2 ? MIXED : PLANAR}};
                if (!whole) // a region
                    job.src.offset = 5 * size, job.src.pitch = 37 * size;
                snprintf(job.name, sizeof job.name, "wide n8 %dx%dx%d %s %s %s", (int)h,
                         (int)widths[w], (int)c, pixview_dtype_name(types[type]),
                         arrow(job.src.order, job.dst.order), whole ? "packed" : "from");
                add(&job, filter);
            }
    for (int type = 0; type < 2; type++)
        for (int way = 0; way < 2; way++) {
            kjob job = {.shape = {8, 1080, 1920, 3},
                        .from = types[type],
                        .to = types[type],
                        .src = {.order = MIXED, .pitch = 512},
                        .dst = {.order = PLANAR},
                        .list = PIXVIEWI_SRC_LIST};
            if (way == 1) {
                job.list = PIXVIEWI_DST_LIST;
                job.dst = job.src;
                job.src = (klie){.order = PLANAR};
            }
            snprintf(job.name, sizeof job.name, "wide n8 1080p %sx3, %s NCHW",
                     pixview_dtype_name(types[type]), way ? "unstack" : "stack");
            add(&job, filter);
        }
}

static int by_percent(const void *a, const void *b)
{
    double x = ((const krow *)a)->percent, y = ((const krow *)b)->percent;
    return (x > y) - (x < y);
}

int64_t bench(FILE *markdown, const char *filter)
{
    static const char head[] =
        "| case | kernel | us | copy us | GB/s | copy GB/s | of copy | " FLOOR_HEAD "\n"
        "| --- | --- | --- | --- | --- | --- | --- |" FLOOR_RULE;
    open_driver();
    printf("%s\n%s\n", floor_says, head);
    stacks(filter);
    repacks(filter);
    converts(filter);
    regions(filter);
    short_rows(filter);
    narrow_regions(filter);
    crops(filter);
    resizes(filter);
    wide_elements(filter);
    shapes(filter);
    qsort(rows, (size_t)row_count, sizeof *rows, by_percent);
    if (markdown)
        fprintf(markdown, "%s\n%s\n", floor_says, head);
    printf("slowest:\n%s\n", head);
    for (int i = 0; i < row_count; i++) {
        if (markdown)
            fprintf(markdown, "%s\n", rows[i].text);
        if (i < 40)
            printf("%s\n", rows[i].text);
    }
    return failures;
}
