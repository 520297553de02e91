// Bits from one box to another of the same element type: the axes are sorted by the destination and
// merged, what is dense on both ends becomes one wider element, and the innermost axes choose a loop.
#include <assert.h>
#include <string.h>

#include "copy/copy_plan.h"
#include "host/host.h"

typedef pixviewi_copy_axis axis;

typedef struct bits_job {
    const pixviewi_loops *loops;
    char *dst;
    const char *src;
    int64_t size;     // of what moves as one
    bool nontemporal; // the cache
    int count;
    axis axes[4]; // the last one moves fastest in dst
} bits_job;

// ---- axes -------------------------------------------------------------------------------------

// What is dense on both ends moves as one.
static void set_axes(bits_job *job, const pixviewi_box *box)
{
    job->count = pixviewi_merge_axes(job->axes, pixviewi_sort_axes(box->shape, box->src_strides,
                                                                   box->dst_strides, &job->src,
                                                                   &job->dst, job->axes));
    const axis *last = &job->axes[job->count - 1];
    if (job->count > 0 && last->src == job->size && last->dst == job->size) {
        job->size *= last->extent;
        job->count--;
    }
}

// ---- loops ------------------------------------------------------------------------------------

// Index of an element size among the loops: -1, memcpy.
static int unit_of(int64_t size)
{
    static const int8_t units[17] = {-1, 0, 1, 5, 2, -1, 6, -1, 3, -1, -1, -1, 7, -1, -1, -1, 4};
    return size <= 16 ? units[size] : -1;
}

// Whole elements, each dense, with any steps.
static void steps(const bits_job *job, const axis *along, char *dst, const char *src)
{
    int unit = unit_of(job->size), third = job->size % 3 == 0 ? unit_of(job->size / 3) : -1;
    if (third >= 0 && third < PIXVIEWI_SIZES && along->dst == job->size &&
        3 * along->src == 4 * job->size) {
        job->loops->drop4[third](dst, src, along->extent);
        return;
    }
    if (unit >= 0) {
        job->loops->strided[unit](dst, along->dst, src, along->src, along->extent);
        return;
    }
    // Rows of a crop: memcpy starts anew with each, and on some processors slowly.
    bool row = job->loops->row && job->size >= 256 && job->size <= 1 << 20;
    for (int64_t i = 0; i < along->extent; i++)
        if (row)
            job->loops->row(dst + i * along->dst, src + i * along->src, job->size);
        else
            memcpy(dst + i * along->dst, src + i * along->src, (size_t)job->size);
}

// The innermost axis of each end: `x` in the source, `y` in the destination.
typedef struct bits_plane {
    enum { STEPS, SWAP, INTERLEAVE, SPLIT, TRANSPOSE, BLOCKS } loop;
    axis x, y;
    int size;             // log2 of the element's
    bool gather, scatter; // through a buffer: that end is not as the loop wants it
} bits_plane;

// Pixels before `dst` comes to a cache line, where each is `size` bytes: vectors that cross lines are
// a tenth slower (NumPy's memory begins 16 bytes behind one). 0 if that is never, or not worth it.
static int64_t lead(const char *dst, int64_t size, int64_t count)
{
    for (int64_t k = 0; k < 64 && count >= 1024; k++)
        if (((uintptr_t)dst + (uintptr_t)(k * size)) % 64 == 0)
            return k;
    return 0;
}

// Bytes of each plane that go through a buffer on their way past the cache: a store there takes whole
// lines, which no vector of a pixel's elements makes.
enum { LINES = 512 };

static bool lines(const void *at) { return (uintptr_t)at % 64 == 0; }

// The pixels that went, `dst` beginning with a cache line; the rest is for the ordinary loop.
static int64_t interleave_nontemporal(const bits_job *job, const bits_plane *plane, char *dst,
                                      const char *const *planes, int64_t count)
{
    _Alignas(64) char buffer[4 * LINES];
    const char *from[4];
    int64_t channels = plane->y.extent, step = LINES / job->size, done = 0;
    for (; done + step <= count; done += step) {
        for (int64_t k = 0; k < channels; k++)
            from[k] = planes[k] + done * job->size;
        job->loops->interleave[channels - 2][plane->size](buffer, from, step);
        job->loops->stream(dst + done * channels * job->size, buffer, channels * LINES);
    }
    job->loops->store_fence();
    return done;
}

static void interleave(const bits_job *job, const bits_plane *plane, char *dst, const char *src)
{
    const char *planes[4] = {NULL};
    int64_t channels = plane->y.extent, pixel = channels * job->size;
    int64_t first = lead(dst, pixel, plane->x.extent);
    void (*loop)(char *, const char *const *, int64_t) =
        job->loops->interleave[channels - 2][plane->size];
    for (int64_t k = 0; k < channels; k++)
        planes[k] = src + k * plane->y.src;
    if (first > 0)
        loop(dst, planes, first);
    for (int64_t k = 0; k < channels; k++)
        planes[k] += first * job->size;
    if (job->nontemporal && job->loops->stream && plane->x.extent >= 1024 &&
        lines(dst + first * pixel)) {
        int64_t done = interleave_nontemporal(job, plane, dst + first * pixel, planes,
                                              plane->x.extent - first);
        for (int64_t k = 0; k < channels; k++)
            planes[k] += done * job->size;
        first += done;
    }
    loop(dst + first * pixel, planes, plane->x.extent - first);
}

static void split_run(const bits_job *job, const bits_plane *plane, char *const *planes,
                      const char *src, int64_t count)
{
    int64_t channels = plane->x.extent;
    if (plane->y.src == channels * job->size)
        job->loops->split[channels - 2][plane->size](planes, src, count);
    else
        job->loops->split3of4[plane->size](planes, src, count);
}

// The pixels that went, each plane beginning with a cache line.
static int64_t split_nontemporal(const bits_job *job, const bits_plane *plane, char *const *planes,
                                 const char *src, int64_t count)
{
    _Alignas(64) char buffer[4][LINES];
    char *parts[4] = {buffer[0], buffer[1], buffer[2], buffer[3]};
    int64_t step = LINES / job->size, done = 0;
    for (; done + step <= count; done += step) {
        split_run(job, plane, parts, src + done * plane->y.src, step);
        for (int64_t k = 0; k < plane->x.extent; k++)
            job->loops->stream(planes[k] + done * job->size, parts[k], LINES);
    }
    job->loops->store_fence();
    return done;
}

static void split(const bits_job *job, const bits_plane *plane, char *dst, const char *src)
{
    char *planes[4];
    int64_t channels = plane->x.extent, count = plane->y.extent;
    int64_t first = lead(dst, job->size, count);
    bool backwards = plane->x.src < 0; // B,G,R to planes
    for (int64_t k = 0; k < channels; k++)
        planes[backwards ? channels - 1 - k : k] = dst + k * plane->x.dst;
    src += backwards ? (channels - 1) * plane->x.src : 0;
    if (first > 0)
        split_run(job, plane, planes, src, first);
    bool nontemporal = job->nontemporal && job->loops->stream && channels >= 3 && count >= 1024;
    for (int64_t k = 0; k < channels; k++) {
        planes[k] += first * job->size;
        nontemporal = nontemporal && lines(planes[k]);
    }
    if (nontemporal) {
        int64_t done =
            split_nontemporal(job, plane, planes, src + first * plane->y.src, count - first);
        for (int64_t k = 0; k < channels; k++)
            planes[k] += done * job->size;
        first += done;
    }
    split_run(job, plane, planes, src + first * plane->y.src, count - first);
}

// Elements that no other loop takes: blocks that fit the cache.
static void blocks(const bits_job *job, const bits_plane *plane, char *dst, const char *src)
{
    enum { BLOCK = 64 };
    const axis *x = &plane->x, *y = &plane->y;
    for (int64_t i = 0; i < x->extent; i += BLOCK)
        for (int64_t j = 0; j < y->extent; j += BLOCK) {
            axis part = *y;
            part.extent = y->extent - j < BLOCK ? y->extent - j : BLOCK;
            for (int64_t k = i; k < x->extent && k < i + BLOCK; k++)
                steps(job, &part, dst + k * x->dst + j * y->dst, src + k * x->src + j * y->src);
        }
}

static void move_dense(const bits_job *job, const bits_plane *plane, char *dst, const char *src)
{
    switch (plane->loop) {
    case STEPS:
        steps(job, &plane->y, dst, src);
        break;
    case SWAP: // the source's pixel begins at its last channel
        job->loops->swap[0][plane->size](dst, src - 2 * job->size, plane->x.extent);
        break;
    case INTERLEAVE:
        interleave(job, plane, dst, src);
        break;
    case SPLIT:
        split(job, plane, dst, src);
        break;
    case TRANSPOSE:
        job->loops->transpose[plane->size](dst, plane->x.dst, src, plane->y.src, plane->x.extent,
                                           plane->y.extent);
        break;
    case BLOCKS:
        blocks(job, plane, dst, src);
        break;
    }
}

// ---- steps on either end ----------------------------------------------------------------------

static bool few(int64_t extent) { return extent >= 2 && extent <= 4; }

// Whole elements of `size` bytes.
static void copy_steps(const bits_job *job, int64_t size, axis along, char *dst, const char *src)
{
    bits_job part = *job;
    part.size = size;
    steps(&part, &along, dst, src);
}

// A block of the source to `buffer`, x side by side; `part` says then how it lies there. Gives the
// place of its first element.
static const char *gather(const bits_job *job, bits_plane *part, char *buffer, const char *src)
{
    int64_t size = job->size, xs = part->x.extent, row = xs * size;
    bool pixels = part->loop == SPLIT, backwards = pixels && part->x.src < 0;
    const char *first = backwards ? src + (xs - 1) * part->x.src : src;
    if (pixels)
        copy_steps(job, row, (axis){part->y.extent, part->y.src, row}, buffer, first);
    for (int64_t k = 0; k < part->y.extent && !pixels; k++)
        copy_steps(job, size, (axis){xs, part->x.src, size}, buffer + k * row,
                   src + k * part->y.src);
    part->y.src = row;
    part->x.src = backwards ? -size : size;
    return backwards ? buffer + row - size : buffer;
}

// A block in `buffer`, y side by side, to the destination; `plane` says how it lies there.
static void scatter(const bits_job *job, const bits_plane *plane, const bits_plane *part, char *dst,
                    const char *buffer)
{
    int64_t size = job->size, row = part->x.dst;
    if (plane->loop == INTERLEAVE)
        copy_steps(job, row, (axis){part->x.extent, row, plane->x.dst}, dst, buffer);
    for (int64_t k = 0; k < part->x.extent && plane->loop != INTERLEAVE; k++)
        copy_steps(job, size, (axis){part->y.extent, size, plane->y.dst}, dst + k * plane->x.dst,
                   buffer + k * row);
}

// Larger ones are a little faster in the cache, and up to twice as slow out of it: memory waits while
// a buffer is worked on.
enum { BUFFER = 4 << 10 };

static void move_block(const bits_job *job, const bits_plane *plane, int64_t xs, int64_t ys,
                       char *dst, const char *src)
{
    _Alignas(64) char in[BUFFER], out[BUFFER];
    bits_job to_buffer = *job;
    bits_plane part = *plane;
    part.x.extent = xs;
    part.y.extent = ys;
    assert(xs > 0 && ys > 0 && xs * ys * job->size <= BUFFER);
    if (plane->gather)
        src = gather(job, &part, in, src);
    if (!plane->scatter) {
        move_dense(job, &part, dst, src);
        return;
    }
    to_buffer.nontemporal = false;
    part.x.dst = ys * job->size;
    move_dense(&to_buffer, &part, out, src);
    scatter(job, plane, &part, dst, out);
}

static void move_plane(const bits_job *job, const bits_plane *plane, char *dst, const char *src)
{
    enum { SIDE = 64 };
    const axis *x = &plane->x, *y = &plane->y;
    if (!plane->gather && !plane->scatter) {
        move_dense(job, plane, dst, src);
        return;
    }
    int64_t most = BUFFER / job->size, xs = x->extent < SIDE ? x->extent : SIDE;
    int64_t ys = most / xs < y->extent ? most / xs : y->extent;
    xs = most / ys;
    for (int64_t i = 0; i < x->extent; i += xs)
        for (int64_t j = 0; j < y->extent; j += ys)
            move_block(job, plane, x->extent - i < xs ? x->extent - i : xs,
                       y->extent - j < ys ? y->extent - j : ys, dst + i * x->dst + j * y->dst,
                       src + i * x->src + j * y->src);
}

// ---- the loop ---------------------------------------------------------------------------------

// Neither innermost axis is the other end's. Each loop wants elements side by side, and pixels of 2
// to 4 packed; what is not goes through a buffer, if one axis of it is. Large elements gain nothing by
// that: memory is what they wait for. Nor do pixels on their way to planes without shuffles.
static void choose_dense(bits_job *job, bits_plane *plane)
{
    const int64_t size = job->size;
    axis *x = &plane->x, *y = &plane->y;
    if (few(y->extent)) {
        plane->loop = y->dst == size ? INTERLEAVE : BLOCKS;
        plane->gather = x->src != size;
        plane->scatter = x->dst != y->extent * size;
    } else if (few(x->extent)) {
        plane->loop = pixviewi_magnitude(x->src) == size ? SPLIT : BLOCKS;
        plane->gather = y->src != x->extent * size && !(x->extent == 3 && y->src == 4 * size);
        plane->scatter = y->dst != size;
    } else {
        if (x->src < 0)
            pixviewi_reverse_axis(x, &job->src, &job->dst);
        plane->loop = TRANSPOSE;
        plane->gather = x->src != size;
        plane->scatter = y->dst != size;
    }
    const int64_t most = plane->loop != SPLIT ? 4 : job->loops->shuffles ? 2 : 0;
    if (plane->loop == BLOCKS || (size > most && (plane->gather || plane->scatter))) {
        plane->gather = plane->scatter = false;
        plane->loop = y->dst == size && x->src == size ? TRANSPOSE : BLOCKS;
    }
}

// A few elements in a row, on both ends: every one of them along the pixels is a longer loop.
static void along_pixels(bits_job *job, bits_plane *plane)
{
    plane->loop = BLOCKS;
    plane->x = plane->y;
    plane->y = job->axes[--job->count];
}

// Takes the axes of the loop off the job; the rest is walked outside.
static bits_plane choose(bits_job *job)
{
    const int64_t size = job->size;
    bits_plane plane = {.loop = STEPS, .y = job->axes[--job->count]};
    const axis *y = &plane.y;
    int unit = unit_of(size), at = job->count;
    bool typed = unit >= 0 && unit < PIXVIEWI_SIZES;
    plane.size = unit;
    const axis *pixels = at > 0 ? &job->axes[at - 1] : NULL;
    if (typed && pixels && y->extent == 3 && y->dst == size && y->src == -size &&
        pixels->dst == 3 * size && pixels->src == 3 * size) {
        plane.loop = SWAP;
        plane.x = job->axes[--job->count];
        return plane;
    }
    int64_t best = y->src == 0 ? INT64_MAX : pixviewi_magnitude(y->src);
    for (int k = 0; k < job->count; k++)
        if (job->axes[k].src != 0 && pixviewi_magnitude(job->axes[k].src) < best) {
            best = pixviewi_magnitude(job->axes[k].src);
            at = k;
        }
    if (at == job->count) {
        if (y->extent < 16 && pixels && pixels->extent > y->extent)
            along_pixels(job, &plane);
        return plane;
    }
    plane.x = job->axes[at];
    job->count--;
    for (int k = at; k < job->count; k++)
        job->axes[k] = job->axes[k + 1];
    plane.loop = BLOCKS;
    if (typed)
        choose_dense(job, &plane);
    assert(plane.loop == BLOCKS || (plane.size >= 0 && plane.size < PIXVIEWI_SIZES));
    return plane;
}

// At most three axes are left.
static void walk(const bits_job *job, const bits_plane *plane)
{
    axis outer[3] = {{1, 0, 0}, {1, 0, 0}, {1, 0, 0}};
    assert(job->count >= 0 && job->count <= 3);
    for (int k = 0; k < job->count; k++)
        outer[k] = job->axes[k];
    for (int64_t i = 0; i < outer[0].extent; i++)
        for (int64_t j = 0; j < outer[1].extent; j++)
            for (int64_t k = 0; k < outer[2].extent; k++)
                move_plane(job, plane,
                           job->dst + i * outer[0].dst + j * outer[1].dst + k * outer[2].dst,
                           job->src + i * outer[0].src + j * outer[1].src + k * outer[2].src);
}

// ---- four channels of which two exchange ------------------------------------------------------

// No stride says 2,1,0,3. Between interleaved and planar the planes are permuted.
static bool swap_four(const pixviewi_loops *loops, const pixviewi_box *box, int unit, int64_t size)
{
    const int64_t *src = box->src_strides, *dst = box->dst_strides;
    bool from = src[3] == size && src[2] == 4 * size, to = dst[3] == size && dst[2] == 4 * size;
    if (unit < 0 || unit >= PIXVIEWI_SIZES ||
        !((from && (to || dst[2] == size)) || (to && src[2] == size)))
        return false;
    for (int64_t n = 0; n < box->shape[0]; n++)
        for (int64_t h = 0; h < box->shape[1]; h++) {
            char *out = box->dst + n * dst[0] + h * dst[1];
            const char *in = box->src + n * src[0] + h * src[1];
            char *outs[4] = {out + 2 * dst[3], out + dst[3], out, out + 3 * dst[3]};
            const char *ins[4] = {in + 2 * src[3], in + src[3], in, in + 3 * src[3]};
            if (from && to)
                loops->swap[1][unit](out, in, box->shape[2]);
            else if (from)
                loops->split[2][unit](outs, in, box->shape[2]);
            else
                loops->interleave[2][unit](out, ins, box->shape[2]);
        }
    return true;
}

static void swap_channels(const pixviewi_loops *loops, const pixviewi_box *box, int64_t itemsize)
{
    if (box->shape[3] == 4 && swap_four(loops, box, unit_of(itemsize), itemsize))
        return;
    pixviewi_box part = *box;
    if (box->shape[3] == 3) { // 2,1,0 is a stride
        part.src += 2 * part.src_strides[3];
        part.src_strides[3] = -part.src_strides[3];
        pixviewi_host_repack(loops, &part, itemsize, false);
        return;
    }
    for (int64_t c = 0; c < box->shape[3]; c++) {
        part.shape[3] = 1;
        part.dst = box->dst + c * box->dst_strides[3];
        part.src = box->src + (c == 0 || c == 2 ? 2 - c : c) * box->src_strides[3];
        pixviewi_host_repack(loops, &part, itemsize, false);
    }
}

void pixviewi_host_repack(const pixviewi_loops *loops, const pixviewi_box *box, int64_t itemsize,
                          bool swap)
{
    for (int k = 0; k < 4; k++)
        if (box->shape[k] <= 0)
            return;
    if (swap) {
        swap_channels(loops, box, itemsize);
        return;
    }
    bits_job job = {loops, box->dst, box->src, itemsize, box->nontemporal, 0, {{0}}};
    set_axes(&job, box);
    if (job.count == 0) {
        memcpy(job.dst, job.src, (size_t)job.size);
        return;
    }
    bits_plane plane = choose(&job);
    walk(&job, &plane);
}
