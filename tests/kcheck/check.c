// SPDX-License-Identifier: Apache-2.0
// One job: laid out, run, compared.
#include "copy/backend.h"
#include "copy/filter.h"
#include "copy/reference.h"
#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/select/filter.h"
#include "cuda/select/list.h"
#include "cuda/select/resize.h"
#include "cuda/stream.h"
#include "kcheck.h"

enum { BORDER = 256 };

int64_t checked[PIXVIEWI_KERNEL_COUNT];

// ---- memory of the GPU --------------------------------------------------------------------------

char *gpu_alloc(int64_t bytes, pixview_owner **owner)
{
    void *data;
    REQUIRE_OK(pixviewi_cuda_alloc(0, bytes, PIXVIEW_STREAM_LEGACY, &data, owner, err));
    return data;
}

void gpu_upload(char *far, const char *near, int64_t bytes)
{
    REQUIRE_OK(pixviewi_cuda_copy_rows(0, far, bytes, near, bytes, bytes, 1, false, true,
                                       PIXVIEW_STREAM_LEGACY, err));
}

void gpu_download(char *near, const char *far, int64_t bytes)
{
    REQUIRE_OK(pixviewi_cuda_copy_rows(0, near, bytes, far, bytes, bytes, 1, true, true,
                                       PIXVIEW_STREAM_LEGACY, err));
}

// Buffers that grow.
static struct buffer {
    char *near, *far, *wanted;
    int64_t bytes;
    pixview_owner *owner;
} src_buffer, dst_buffer;

static void grow(struct buffer *buffer, int64_t bytes)
{
    if (bytes <= buffer->bytes)
        return;
    pixview_owner_unref(buffer->owner);
    free(buffer->near), free(buffer->wanted);
    buffer->bytes = bytes * 3 / 2 / 512 * 512 + 512;
    buffer->near = aligned_alloc(512, (size_t)buffer->bytes);
    buffer->wanted = aligned_alloc(512, (size_t)buffer->bytes);
    buffer->far = gpu_alloc(buffer->bytes, &buffer->owner);
}

// Eight bytes at a step: the buffers are many.
static void fill(char *data, int64_t bytes, uint64_t seed)
{
    for (int64_t i = 0; i + 8 <= bytes; i += 8) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t word = seed ^ seed >> 29;
        memcpy(data + i, &word, 8);
    }
}

// ---- layout -------------------------------------------------------------------------------------

static int64_t lay(const klie *how, const int64_t shape[4], int64_t size, int64_t strides[4])
{
    int64_t h = shape[1], w = shape[2], c = shape[3];
    if (how->order == MIXED) {
        strides[3] = size;
        strides[2] = c * size;
        strides[1] = w * strides[2] + how->pitch;
        strides[0] = h * strides[1] + how->gap;
    } else {
        strides[2] = size;
        strides[1] = w * size + how->pitch;
        strides[3] = h * strides[1] + how->gap;
        strides[0] = c * strides[3] + how->gap;
    }
    int64_t bytes = how->offset + size; // to the end of the last element, and no further
    for (int axis = 0; axis < 4; axis++)
        bytes += (shape[axis] > 0 ? shape[axis] - 1 : 0) * strides[axis];
    return bytes;
}

// Axes in any order, backwards, with gaps, and in a source repeated. Returns the bytes, to the end of
// the last element; *first is where the first one lies.
static int64_t lay_odd(const int64_t shape[4], int64_t size, bool source, uint64_t *seed,
                       int64_t strides[4], int64_t *first)
{
    static const uint8_t orders[6][4] = {{0, 3, 1, 2}, {0, 1, 2, 3}, {3, 0, 1, 2},
                                         {1, 2, 3, 0}, {2, 1, 3, 0}, {0, 3, 2, 1}};
    const uint8_t *order = orders[next_random(seed) % 6];
    int64_t step = size, align = size > 8 ? 8 : size;
    *first = align * (int64_t)(next_random(seed) % 3);
    int64_t bytes = *first + size;
    for (int i = 3; i >= 0; i--) {
        int axis = order[i];
        if (next_random(seed) % 3 == 0)
            step += align * (int64_t)(next_random(seed) % 5);
        strides[axis] = step;
        step *= shape[axis] > 1 ? shape[axis] : 1;
        if (next_random(seed) % 6 == 0 && shape[axis] > 1) {
            *first += (shape[axis] - 1) * strides[axis];
            strides[axis] = -strides[axis];
        } else if (source && next_random(seed) % 8 == 0) {
            strides[axis] = 0;
        }
        bytes += (shape[axis] > 1 ? shape[axis] - 1 : 0) * llabs(strides[axis]);
    }
    return bytes;
}

static int64_t set_regular(const kjob *job, const klie *how, pixview_dtype dtype, bool source,
                           char *block, pixviewi_operand *end)
{
    uint64_t seed = job->seed + source;
    int64_t size = pixview_dtype_size(dtype), first = how->offset, bytes;
    if (how->order == ODD)
        bytes = lay_odd(job->shape, size, source, &seed, end->strides, &first);
    else
        bytes = lay(how, job->shape, size, end->strides);
    end->dtype = dtype;
    end->data = block + first;
    return bytes;
}

// Any size, or one for which halves and thirds of a pixel are met, or one row or column.
static int64_t source_extent(int64_t canvas, uint64_t *seed)
{
    static const int64_t factors[] = {1, 2, 3, 4, 8};
    uint64_t kind = next_random(seed) % 8;
    int64_t extent = 1 + (int64_t)(next_random(seed) % 700);
    if (kind == 0)
        return 1;
    if (kind < 3)
        extent = canvas * factors[next_random(seed) % 5];
    else if (kind == 3)
        extent = canvas / factors[next_random(seed) % 5];
    return extent < 1 ? 1 : extent < 700 ? extent : 700;
}

static void choose_extents(const kjob *job, int64_t shape[4], uint64_t *seed)
{
    for (int axis = 1; axis < 3; axis++)
        if (job->extents[0])
            shape[axis] = job->extents[axis - 1];
        else if (job->resizes && job->resize.fit.fit != PIXVIEWI_FIT_NONE)
            shape[axis] = source_extent(job->shape[axis], seed);
        else if (job->resizes)
            shape[axis] -= (int64_t)next_random(seed) % shape[axis];
        else if (job->smaller)
            shape[axis] -= (int64_t)next_random(seed) % (shape[axis] + 1);
}

static int64_t set_list(const kjob *job, const klie *how, pixview_dtype dtype, char *block,
                        pixview_image *images, pixviewi_operand *end)
{
    uint64_t seed = job->seed;
    int64_t size = pixview_dtype_size(dtype), at = 0, end_of_last = 0;
    for (int64_t i = 0; i < job->shape[0]; i++) {
        klie mine = *how;
        int64_t shape[4] = {1, job->shape[1], job->shape[2], job->shape[3]}, first = 0, bytes;
        choose_extents(job, shape, &seed);
        if (job->varied) {
            mine.pitch = size * (int64_t)(next_random(&seed) % 40);
            mine.offset = size * (int64_t)(next_random(&seed) % 7);
            if (job->list == PIXVIEWI_SRC_LIST)
                mine.order = next_random(&seed) % 3 ? how->order : PLANAR;
        }
        images[i] = (pixview_image){.dtype = dtype, .device = {PIXVIEW_DEVICE_CUDA, 0}};
        memcpy(images[i].shape, shape, sizeof shape);
        if (mine.order == ODD)
            bytes = lay_odd(shape, size, job->list == PIXVIEWI_SRC_LIST, &seed, images[i].strides,
                            &first);
        else
            bytes = lay(&mine, shape, size, images[i].strides), first = mine.offset;
        at = (end_of_last + 511) / 512 * 512;
        images[i].data = block + at + first;
        end_of_last = at + bytes;
    }
    end->dtype = dtype;
    end->images = images;
    return end_of_last;
}

static void set_values(const kjob *job, pixviewi_affine *affine)
{
    uint64_t seed = job->seed + 7;
    bool same = pixview_dtype_size(job->to) == 1 && next_random(&seed) % 2;
    affine->is_identity = !job->changed;
    affine->swap_rb = job->swap;
    affine->channels = job->factors;
    for (int i = 0; i < PIXVIEWI_MAX_CHANNELS; i++) {
        affine->scale[i] = same ? 1 : (float)(next_random(&seed) % 4096) / 256 - 4;
        affine->bias[i] = same ? -0.0f : (float)(next_random(&seed) % 4096) / 16 - 100;
    }
    affine->pad = 114.5f;
    fill((char *)affine->pad_bits, sizeof affine->pad_bits, job->seed);
}

kends make_ends(const kjob *job, char *src, char *dst)
{
    kends all = {.images = NULL};
    memcpy(all.op.shape, job->shape, sizeof job->shape);
    if (job->list != PIXVIEWI_NO_LIST)
        all.images = calloc((size_t)job->shape[0] + 1, sizeof *all.images);
    all.src_bytes = job->list == PIXVIEWI_SRC_LIST
                        ? set_list(job, &job->src, job->from, src, all.images, &all.op.src)
                        : set_regular(job, &job->src, job->from, true, src, &all.op.src);
    all.dst_bytes = job->list == PIXVIEWI_DST_LIST
                        ? set_list(job, &job->dst, job->to, dst, all.images, &all.op.dst)
                        : set_regular(job, &job->dst, job->to, false, dst, &all.op.dst);
    if (job->smaller && job->list == PIXVIEWI_NO_LIST) {
        all.op.src.pad_rows = (int64_t)(job->seed % (uint64_t)(job->shape[1] + 1));
        all.op.src.pad_cols = (int64_t)((job->seed >> 8) % (uint64_t)(job->shape[2] + 1));
    }
    all.op.resizes = job->resizes;
    all.op.resize = job->resize;
    set_values(job, &all.op.affine);
    return all;
}

void free_ends(kends *ends) { free(ends->images); }

// ---- kernels ------------------------------------------------------------------------------------

static int note_filtering(const pixviewi_copy_op *op)
{
    pixviewi_filter_launch next;
    pixviewi_filter_table(*tables)[2] = calloc((size_t)op->filters->count, sizeof *tables);
    REQUIRE(tables);
    pixviewi_filter_begin(&next, op);
    while (pixviewi_filter_next(&next, op, tables))
        checked[next.kernel]++;
    free(tables);
    return next.kernel;
}

static int note_resizing(const pixviewi_copy_op *op)
{
    pixviewi_resize_launch next;
    pixviewi_resize_begin(&next, op);
    while (pixviewi_resize_next(&next, op))
        checked[next.kernel]++;
    return next.kernel;
}

static int note_kernels(const pixviewi_copy_op *op)
{
    pixviewi_launch batch;
    pixviewi_list_launch list;
    for (int axis = 0; axis < 4; axis++)
        if (op->shape[axis] == 0)
            return -1;
    if (op->filters)
        return note_filtering(op);
    if (op->resizes)
        return note_resizing(op);
    if (!op->src.images && !op->dst.images && pixviewi_select_launch(op, &batch)) {
        checked[batch.kernel]++;
        return batch.kernel;
    }
    pixviewi_list_begin(&list, op);
    while (pixviewi_list_next(&list, op))
        checked[list.kernel]++;
    return list.kernel;
}

static void add_filters(pixviewi_copy_op *op, pixviewi_filters *filters)
{
    if (!pixviewi_has_filters(op))
        return;
    REQUIRE_OK(pixviewi_filters_make(op, filters, err));
    op->filters = filters;
}

const char *kernel_of(const kjob *job)
{
    kends all = make_ends(job, NULL, NULL);
    pixviewi_filters filters = {.count = 0};
    add_filters(&all.op, &filters);
    int kernel = note_kernels(&all.op);
    pixviewi_filters_free(&filters);
    free_ends(&all);
    return kernel < 0 ? "none" : pixviewi_kernel_name(kernel);
}

// ---- which bytes are pixels ---------------------------------------------------------------------

void (*kmarks)(const void *start, size_t size, const uint8_t *marks);

static void mark_image(uint8_t *at, const int64_t shape[4], const int64_t strides[4], int64_t size)
{
    for (int64_t h = 0; h < shape[1]; h++)
        for (int64_t w = 0; w < shape[2]; w++)
            for (int64_t c = 0; c < shape[3]; c++)
                memset(at + h * strides[1] + w * strides[2] + c * strides[3], 1, (size_t)size);
}

static void mark_source(const kends *far, const char *block, uint8_t *marks)
{
    const pixviewi_operand *src = &far->op.src;
    int64_t shape[4], size = pixview_dtype_size(src->dtype);
    memcpy(shape, far->op.shape, sizeof shape);
    shape[PIXVIEW_AXIS_H] -= src->pad_rows;
    shape[PIXVIEW_AXIS_W] -= src->pad_cols;
    for (int64_t n = 0; n < shape[0]; n++)
        if (src->images)
            mark_image(marks + ((char *)src->images[n].data - block), src->images[n].shape,
                       src->images[n].strides, size);
        else
            mark_image(marks + (src->data - block) + n * src->strides[0], shape, src->strides,
                       size);
}

static void run_on_gpu(const kends *far, const char *block)
{
    uint8_t *marks = kmarks ? calloc((size_t)far->src_bytes, 1) : NULL;
    if (marks) {
        mark_source(far, block, marks);
        kmarks(block, (size_t)far->src_bytes, marks);
    }
    REQUIRE_OK(pixviewi_cuda_run(0, &far->op, PIXVIEW_STREAM_LEGACY, err));
    if (marks)
        kmarks(NULL, 0, NULL);
    free(marks);
}

// ---- comparison ---------------------------------------------------------------------------------

static bool is_nan(pixview_dtype dtype, const char *at)
{
    uint32_t bits = 0;
    if (pixview_dtype_size(dtype) > (int64_t)sizeof bits) // none that values are made of
        return false;
    memcpy(&bits, at, (size_t)pixview_dtype_size(dtype));
    if (dtype.code == PIXVIEW_DTYPE_BFLOAT)
        return (bits & 0x7fff) > 0x7f80;
    if (dtype.code != PIXVIEW_DTYPE_FLOAT)
        return false;
    return dtype.bits == 16 ? (bits & 0x7fff) > 0x7c00 : (bits & 0x7fffffff) > 0x7f800000;
}

// A NaN that the values made may be any NaN.
static void forgive_nans(const kends *near, const char *base)
{
    int64_t at[4], size = pixview_dtype_size(near->op.dst.dtype);
    const int64_t *shape = near->op.shape;
    for (at[0] = 0; at[0] < shape[0]; at[0]++)
        for (at[1] = 0; at[1] < shape[1]; at[1]++)
            for (at[2] = 0; at[2] < shape[2]; at[2]++)
                for (at[3] = 0; at[3] < shape[3]; at[3]++) {
                    const pixviewi_operand *end = &near->op.dst;
                    const int64_t *strides =
                        end->images ? end->images[at[0]].strides : end->strides;
                    char *element =
                        end->images ? end->images[at[0]].data : end->data + at[0] * strides[0];
                    element += at[1] * strides[1] + at[2] * strides[2] + at[3] * strides[3];
                    char *got = dst_buffer.near + (element - base);
                    if (is_nan(end->dtype, element) && is_nan(end->dtype, got))
                        memcpy(got, element, (size_t)size);
                }
}

static bool compare(const kjob *job, const char *wanted, const char *got, int64_t bytes)
{
    for (int64_t i = 0; memcmp(wanted, got, (size_t)bytes) != 0; i++)
        if (wanted[i] != got[i]) {
            fprintf(
                stderr,
                "FAILED %s: byte %lld of the destination is %d, not %d (shape %lldx%lldx%lldx%lld, "
                "kernel %s, seed %llu)\n",
                job->name, (long long)i, (uint8_t)got[i], (uint8_t)wanted[i],
                (long long)job->shape[0], (long long)job->shape[1], (long long)job->shape[2],
                (long long)job->shape[3], kernel_of(job), (unsigned long long)job->seed);
            return false;
        }
    return true;
}

// The source's block ends with its last element, so that a driver or a sanitizer that knows the end
// of a block sees what reaches over it.
bool check(const kjob *job)
{
    kends sizes = make_ends(job, NULL, NULL);
    int64_t src_bytes = sizes.src_bytes, dst_bytes = sizes.dst_bytes + 2 * BORDER;
    free_ends(&sizes);
    grow(&src_buffer, src_bytes + 8);
    grow(&dst_buffer, dst_bytes + 8);
    fill(src_buffer.near, src_bytes / 8 * 8 + 8, job->seed + 1);
    fill(dst_buffer.wanted, dst_bytes / 8 * 8 + 8, job->seed + 2);
    pixview_owner *owner;
    char *from = gpu_alloc(src_bytes, &owner);
    gpu_upload(from, src_buffer.near, src_bytes);
    gpu_upload(dst_buffer.far, dst_buffer.wanted, dst_bytes);

    kends far = make_ends(job, from, dst_buffer.far + BORDER);
    pixviewi_filters filters = {.count = 0};
    add_filters(&far.op, &filters);
    note_kernels(&far.op);
    run_on_gpu(&far, from);
    gpu_download(dst_buffer.near, dst_buffer.far, dst_bytes);
    pixview_owner_unref(owner);

    kends near = make_ends(job, src_buffer.near, dst_buffer.wanted + BORDER);
    near.op.filters = far.op.filters;
    pixviewi_run_reference(&near.op);
    pixviewi_filters_free(&filters);
    bool mixes = job->resizes && job->resize.interpolation != PIXVIEWI_NEAREST;
    if ((job->changed || mixes) && job->to.code != PIXVIEW_DTYPE_UINT)
        forgive_nans(&near, dst_buffer.wanted);
    bool equal = compare(job, dst_buffer.wanted, dst_buffer.near, dst_bytes);
    free_ends(&near), free_ends(&far);
    return equal;
}
