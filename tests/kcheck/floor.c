// SPDX-License-Identifier: Apache-2.0
// The floor of a job: parts of it by themselves, by the driver and by us, and a copy of as many bytes
// as lie in the sectors of memory that it touches.
#include "floor.h"

#include "sectors.h"

enum { SECTOR = 32, BLOCK = 64 }; // BYTES: what the L2 cache counts in, and what memory moves

const char floor_says[] = "Of what takes more than 143 % of a copy's time, the last columns have "
                          "the floor. Microseconds of\n"
                          "the same rows otherwise: `2-D copy`, by the driver (`cuMemcpy2DAsync`); "
                          "`2-D memset`, the stores\n"
                          "alone by the driver; `stores`, alone by the case's own kernel, from one "
                          "row that stays in the\n"
                          "cache; `loads`, one element of every 32 bytes of the source, into "
                          "memory that lies together; `least`, by\n"
                          "a kernel that moves nothing of use, but reads and writes the same "
                          "sectors whole, and reads first\n"
                          "those that a row ends in, since their rest stays. Per cent of a copy, "
                          "by what memory moves and not by the rows' own bytes: of "
                          "a copy, timed, of all\n"
                          "32-byte sectors (64-byte blocks) that the rows touch, and how many "
                          "times the bytes those are. What\n"
                          "is written in part counts twice, since memory reads it first. A single "
                          "image is in the cache.\n";

// ---- by the driver --------------------------------------------------------------------------------

// Do all rows of an end lie a pitch apart?
static bool is_even(const klie *how) { return how->order != ODD && how->gap == 0; }

static bool is_regular(const kjob *job)
{
    return job->list == PIXVIEWI_NO_LIST && is_even(&job->src) && is_even(&job->dst) &&
           !job->smaller;
}

static int64_t count_of(const krows *rows)
{
    return rows->counts[0] * rows->counts[1] * rows->counts[2];
}

static const pixviewi_copy_op *move_of(const ktrial *trial, int i)
{
    return &trial->sets[i % trial->count].op;
}

static int queue_copy(const ktrial *trial, int i)
{
    const pixviewi_copy_op *op = move_of(trial, i);
    krows src = rows_of(&op->src, op->shape, trial->job->src.order),
          dst = rows_of(&op->dst, op->shape, trial->job->dst.order);
    copy_2d rows = {
        .src = {.memory_type = 2, .device = (uintptr_t)src.data, .pitch = (size_t)src.strides[2]},
        .dst = {.memory_type = 2, .device = (uintptr_t)dst.data, .pitch = (size_t)dst.strides[2]},
        .width = (size_t)dst.bytes,
        .height = (size_t)count_of(&dst)};
    return cuda.cuMemcpy2DAsync_v2(&rows, stream);
}

// By the widest words that the rows are made of.
static int queue_memset(const ktrial *trial, int i)
{
    const pixviewi_copy_op *op = move_of(trial, i);
    krows rows = rows_of(&op->dst, op->shape, trial->job->dst.order);
    uint64_t to = (uintptr_t)rows.data, bits = to | (uint64_t)(rows.strides[2] | rows.bytes);
    size_t pitch = (size_t)rows.strides[2], width = (size_t)rows.bytes,
           count = (size_t)count_of(&rows);
    if (bits % 4 == 0)
        return cuda.cuMemsetD2D32Async(to, pitch, 0x9d3a57c6, width / 4, count, stream);
    if (bits % 2 == 0)
        return cuda.cuMemsetD2D16Async(to, pitch, 0x9d3a, width / 2, count, stream);
    return cuda.cuMemsetD2D8Async(to, pitch, 0x9d, width, count, stream);
}

static void copy_rows(const ktrial *trial, int i)
{
    int code = queue_copy(trial, i);
    if (code != 0)
        FAIL("cuMemcpy2DAsync: CUDA error %d", code);
}

static void set_rows(const ktrial *trial, int i)
{
    int code = queue_memset(trial, i);
    if (code != 0)
        FAIL("cuMemsetD2D: CUDA error %d", code);
}

// The driver need not take every pitch. 0: it did not.
static double time_of_copy(const ktrial *trial)
{
    const kjob *job = trial->job;
    bool same = job->src.order == job->dst.order && !job->changed && !job->swap;
    return same && queue_copy(trial, 0) == 0 ? time_of(trial, copy_rows) : 0;
}

static double time_of_memset(const ktrial *trial)
{
    return queue_memset(trial, 0) == 0 ? time_of(trial, set_rows) : 0;
}

// ---- by our kernels -------------------------------------------------------------------------------

// From one row. 0: another kernel would do that.
static double time_of_stores(const ktrial *trial)
{
    ktrial stores = *trial;
    pixviewi_launch whole, part;
    for (int i = 0; i < trial->count; i++) {
        int64_t *strides = stores.sets[i].op.src.strides;
        strides[PIXVIEW_AXIS_N] = strides[PIXVIEW_AXIS_H] = 0;
        if (trial->job->src.order == PLANAR)
            strides[PIXVIEW_AXIS_C] = 0;
    }
    bool same = pixviewi_select_launch(&trial->sets[0].op, &whole) &&
                pixviewi_select_launch(&stores.sets[0].op, &part) && whole.kernel == part.kernel;
    return same ? time_of(&stores, launch) : 0;
}

// The sectors of a row are the move's rows, and the rows its columns: nothing is dense in it, so that
// it goes one element at a time. Of a row that ends in a sector of its own that one may be left out.
static pixviewi_copy_op loads_of(const ktrial *trial, int i)
{
    const pixviewi_copy_op *whole = move_of(trial, i);
    krows rows = rows_of(&whole->src, whole->shape, trial->job->src.order);
    int64_t size = pixview_dtype_size(whole->src.dtype), sectors = (rows.bytes - 1) / SECTOR + 1;
    int64_t row = sectors * size, plane = rows.counts[2] * row;
    return (pixviewi_copy_op){
        .shape = {rows.counts[0], sectors, rows.counts[2], rows.counts[1]},
        .src = {.data = whole->src.data,
                .dtype = whole->src.dtype,
                .strides = {rows.strides[0], SECTOR, rows.strides[2], rows.strides[1]}},
        .dst = {.data = whole->dst.data,
                .dtype = whole->src.dtype,
                .strides = {rows.counts[1] * plane, size, row, plane}},
        .affine.is_identity = true};
}

static double time_of_loads(const ktrial *trial)
{
    ktrial loads = *trial;
    for (int i = 0; i < trial->count; i++)
        loads.sets[i].op = loads_of(trial, i);
    return time_of(&loads, launch);
}

// ---- by the bytes that memory moves ---------------------------------------------------------------

static int64_t bytes_in(const ktrial *trial, int64_t size)
{
    const pixviewi_copy_op *op = move_of(trial, 0);
    krows from = rows_of(&op->src, op->shape, trial->job->src.order),
          to = rows_of(&op->dst, op->shape, trial->job->dst.order);
    ksectors src = count_sectors(&from, size), dst = count_sectors(&to, size);
    return (src.touched + dst.touched + dst.partial) * size;
}

static double time_of_bytes(const ktrial *trial, int64_t bytes)
{
    ktrial plain = {.bytes = bytes, .count = sets_of(bytes), .graph = trial->graph};
    pixview_owner *owners[2];
    plain.src = gpu_alloc(copy_step(bytes) * plain.count, &owners[0]);
    plain.dst = gpu_alloc(copy_step(bytes) * plain.count, &owners[1]);
    fill_noise(plain.src, copy_step(bytes) * plain.count);
    double us = time_of(&plain, copy);
    for (int i = 0; i < 2; i++)
        pixview_owner_unref(owners[i]);
    return us;
}

// ---- columns --------------------------------------------------------------------------------------

static char *add_time(char *text, const char *end, double us)
{
    int length = us > 0 ? snprintf(text, (size_t)(end - text), " %.1f |", us)
                        : snprintf(text, (size_t)(end - text), " |");
    return text + length;
}

static char *add_share(char *text, const char *end, const ktrial *trial, int64_t size, double us)
{
    int64_t bytes = bytes_in(trial, size);
    return text + snprintf(text, (size_t)(end - text), " %.0f %% (%.1f x) |",
                           100 * time_of_bytes(trial, bytes) / us,
                           (double)bytes / (double)trial->bytes);
}

void describe_floor(const ktrial *trial, double us, char *text, size_t bytes)
{
    const char *end = text + bytes;
    if (!is_regular(trial->job)) {
        snprintf(text, bytes, "%s", FLOOR_EMPTY);
        return;
    }
    text = add_time(text, end, time_of_copy(trial));
    text = add_time(text, end, time_of_memset(trial));
    text = add_time(text, end, time_of_stores(trial));
    text = add_time(text, end, time_of_loads(trial));
    text = add_time(text, end, time_of_least(trial));
    text = add_share(text, end, trial, SECTOR, us);
    add_share(text, end, trial, BLOCK, us);
}
