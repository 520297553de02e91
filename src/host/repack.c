// SPDX-License-Identifier: Apache-2.0
// Bits from one box to another of the same element type: the axes are sorted by the destination and
// merged, what is dense on both ends becomes one wider element, and the innermost axes choose a loop.
#include <assert.h>
#include <string.h>

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

// Index of an element size among the loops: -1, memcpy.
static int unit_of(int64_t size)
{
    static const int8_t units[17] = {-1, 0, 1, 5, 2, -1, 6, -1, 3, -1, -1, -1, 7, -1, -1, -1, 4};
    return size <= 16 ? units[size] : -1;
}

// Whole elements, each dense, with any steps.
static void steps(const bits_job *job, const axis *along, char *dst, const char *src)
{
    int unit = unit_of(job->size);
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
    enum { STEPS, CHANNELS, TRANSPOSE, THROUGH, BLOCKS } loop;
    axis x, y;
    int size;  // log2 of the element's
    bool swap; // planes 0 and 2 exchange
    pixviewi_channels *channels;
} bits_plane;

static bool few(int64_t extent) { return extent >= 2 && extent <= 4; }

// Pixels before `dst` comes to a cache line, where each is `size` bytes: vectors that cross lines are
// a tenth slower (NumPy's memory begins 16 bytes behind one). 0 if that is never.
static int64_t lead(const char *dst, int64_t size)
{
    for (int64_t k = 0; k < 64; k++)
        if (((uintptr_t)dst + (uintptr_t)(k * size)) % 64 == 0)
            return k;
    return 0;
}

// Between pixels and planes. What goes past the cache goes through a buffer: a store there takes whole
// lines, which no vector of a pixel's elements makes.
static void channels(const bits_job *job, const bits_plane *plane, char *dst, const char *src)
{
    enum { SHORT = 1024, LINES = 512 }; // pixels; BYTES of each plane
    _Alignas(64) char buffer[4][LINES];
    char *to[4] = {NULL}, *const parts[4] = {buffer[0], buffer[1], buffer[2], buffer[3]};
    const char *from[4] = {src, src, src, src};
    const axis *channel = few(plane->y.extent) ? &plane->y : &plane->x,
               *pixel = few(plane->y.extent) ? &plane->x : &plane->y;
    bool planar = pixel->dst == job->size;
    int64_t left = pixel->extent;
    for (int64_t k = 0; k < channel->extent; k++) {
        int64_t other = plane->swap && k != 1 && k < 3 ? 2 - k : k; // of the planes
        to[k] = dst + (planar ? other : k) * channel->dst;
        from[k] = src + (planar ? k : other) * channel->src;
    }
    if (left < SHORT) {
        plane->channels(to, from, left);
        return;
    }
    const int64_t first = lead(dst, pixel->dst), step = LINES / job->size;
    plane->channels(to, from, first);
    int64_t streams = planar ? channel->extent : 1;
    bool past = job->nontemporal && job->loops->stream;
    for (int64_t k = 0; k < channel->extent; k++) {
        to[k] += first * pixel->dst;
        from[k] += first * pixel->src;
        past = past && (k >= streams || (uintptr_t)to[k] % 64 == 0);
    }
    const int64_t in = step * pixel->src, bytes = step * pixel->dst;
    for (left -= first; past && left >= step; left -= step) {
        plane->channels(parts, from, step);
        for (int64_t k = 0; k < 4; k++)
            from[k] += in;
        for (int64_t k = 0; k < streams; k++) {
            job->loops->stream(to[k], parts[k], bytes);
            to[k] += bytes;
        }
    }
    if (past)
        job->loops->store_fence();
    plane->channels(to, from, left);
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

// ---- the loop ---------------------------------------------------------------------------------

// NULL: pixels of 2 to 4 channels are not packed, or planes not dense.
static pixviewi_channels *channels_loop(const bits_job *job, const bits_plane *plane)
{
    const axis *channel = few(plane->y.extent) ? &plane->y : &plane->x,
               *pixel = few(plane->y.extent) ? &plane->x : &plane->y;
    const pixviewi_loops *loops = job->loops;
    int64_t size = job->size, count = channel->extent;
    bool in = channel->src == size && pixel->src == count * size,
         out = channel->dst == size && pixel->dst == count * size;
    if (!few(count))
        return NULL;
    if (in && out)
        return plane->swap ? loops->swap[count - 3][plane->size] : NULL;
    if (in && pixel->dst == size)
        return loops->split[count - 2][plane->size];
    if (out && pixel->src == size)
        return loops->interleave[count - 2][plane->size];
    bool of_four = count == 3 && channel->src == size && pixel->src == 4 * size;
    return of_four && pixel->dst == size ? loops->split3of4[plane->size] : NULL;
}

// Neither innermost axis is the other end's. What has steps goes through a buffer. Large elements gain
// nothing by that: memory is what they wait for.
static void choose_loop(const bits_job *job, bits_plane *plane)
{
    const axis *x = &plane->x, *y = &plane->y;
    const int64_t size = job->size;
    bool to_pixels = few(y->extent), to_planes = !to_pixels && few(x->extent);
    plane->channels = channels_loop(job, plane);
    if (plane->channels)
        plane->loop = CHANNELS;
    else if (size <= (to_planes ? 2 : 4) && (to_pixels   ? y->dst == size
                                             : to_planes ? x->src == size
                                                         : x->src != size || y->dst != size))
        plane->loop = THROUGH;
    else
        plane->loop = size <= 8 && x->src == size && y->dst == size ? TRANSPOSE : BLOCKS;
}

// A plane of which one axis lies inside the other on both ends.
static void ordered(const bits_job *job, axis outer, axis inner, char *dst, const char *src)
{
    bits_job part = *job;
    if (inner.src == job->size && inner.dst == job->size) {
        part.size *= inner.extent;
        steps(&part, &outer, dst, src);
        return;
    }
    for (int64_t k = 0; k < outer.extent; k++)
        steps(job, &inner, dst + k * outer.dst, src + k * outer.src);
}

static void move_plane(const bits_job *job, const bits_plane *plane, char *dst, const char *src);

// Larger buffers are a little faster in the cache, and up to twice as slow out of it: memory waits while
// one is worked on.
enum { BUFFER = 4 << 10 };

// A block that fits the buffer: first it is made dense as the source goes, or last as the destination goes.
static void through(const bits_job *job, bits_plane plane, char *dst, const char *src)
{
    _Alignas(64) char buffer[BUFFER];
    bits_job inside = *job;
    axis x = plane.x, y = plane.y;
    bool to_planes = !few(y.extent) && few(x.extent);
    assert(x.extent * y.extent * job->size <= BUFFER);
    if (x.src != job->size || (to_planes && y.src != x.extent * job->size)) {
        x.dst = plane.x.src = job->size;
        y.dst = plane.y.src = x.extent * job->size;
        ordered(job, y, x, buffer, src);
        choose_loop(job, &plane);
        move_plane(job, &plane, dst, buffer);
    } else {
        y.src = plane.y.dst = job->size;
        x.src = plane.x.dst = y.extent * job->size;
        inside.nontemporal = false;
        choose_loop(job, &plane);
        move_plane(&inside, &plane, buffer, src);
        ordered(job, x, y, dst, buffer);
    }
}

static void move_through(const bits_job *job, const bits_plane *plane, char *dst, const char *src)
{
    enum { SIDE = 64 };
    const axis *x = &plane->x, *y = &plane->y;
    int64_t most = BUFFER / job->size, xs = x->extent < SIDE ? x->extent : SIDE;
    int64_t ys = most / xs < y->extent ? most / xs : y->extent;
    xs = most / ys;
    for (int64_t i = 0; i < x->extent; i += xs)
        for (int64_t j = 0; j < y->extent; j += ys) {
            bits_plane part = *plane;
            part.x.extent = x->extent - i < xs ? x->extent - i : xs;
            part.y.extent = y->extent - j < ys ? y->extent - j : ys;
            through(job, part, dst + i * x->dst + j * y->dst, src + i * x->src + j * y->src);
        }
}

static void move_plane(const bits_job *job, const bits_plane *plane, char *dst, const char *src)
{
    if (plane->loop == STEPS)
        steps(job, &plane->y, dst, src);
    else if (plane->loop == CHANNELS)
        channels(job, plane, dst, src);
    else if (plane->loop == TRANSPOSE)
        job->loops->transpose[plane->size](dst, plane->x.dst, src, plane->y.src, plane->x.extent,
                                           plane->y.extent);
    else if (plane->loop == THROUGH)
        move_through(job, plane, dst, src);
    else
        blocks(job, plane, dst, src);
}

// Takes the axes of the loop off the job; the rest is walked outside.
static bits_plane choose(bits_job *job)
{
    const int64_t size = job->size;
    bits_plane plane = {.loop = STEPS, .y = job->axes[--job->count]};
    const axis *y = &plane.y;
    int unit = unit_of(size), third = size % 3 == 0 ? unit_of(size / 3) : -1, at = job->count;
    bool typed = unit >= 0 && unit < PIXVIEWI_SIZES;
    plane.size = unit;
    const axis *pixels = at > 0 ? &job->axes[at - 1] : NULL;
    if (typed && pixels && y->extent == 3 && y->dst == size && y->src == -size &&
        pixels->dst == 3 * size && pixels->src == 3 * size) { // B,G,R to R,G,B
        plane.loop = CHANNELS;
        plane.channels = job->loops->swap[0][unit];
        plane.x = job->axes[--job->count];
        job->src -= 2 * size;
        return plane;
    }
    if (third >= 0 && third < PIXVIEWI_SIZES && y->dst == size && 3 * y->src == 4 * size) {
        job->size /= 3;
        return (bits_plane){CHANNELS, *y, {3, 0, 0}, third, false, job->loops->drop4[third]};
    }
    if (y->src == 0 && y->extent >= 16 && y->dst == size) // one element fills a row
        return plane;
    int64_t best = y->src == 0 ? INT64_MAX : pixviewi_magnitude(y->src);
    for (int k = 0; k < job->count; k++)
        if (job->axes[k].src != 0 && pixviewi_magnitude(job->axes[k].src) < best) {
            best = pixviewi_magnitude(job->axes[k].src);
            at = k;
        }
    if (at == job->count) {
        if (y->extent < 16 && pixels && pixels->extent > y->extent) {
            // A few elements in a row, on both ends: each of them along the pixels is a longer loop.
            plane.loop = BLOCKS;
            plane.x = plane.y;
            plane.y = job->axes[--job->count];
        }
        return plane;
    }
    plane.x = job->axes[at];
    job->count--;
    for (int k = at; k < job->count; k++)
        job->axes[k] = job->axes[k + 1];
    if (plane.x.src < 0 && !few(y->extent))
        pixviewi_reverse_axis(&plane.x, &job->src, &job->dst);
    plane.loop = BLOCKS;
    if (typed)
        choose_loop(job, &plane);
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
    bits_job job = {.loops = loops, .size = size};
    bits_plane plane = {.loop = CHANNELS,
                        .x = {box->shape[2], src[2], dst[2]},
                        .y = {4, src[3], dst[3]},
                        .size = unit,
                        .swap = true};
    plane.channels = unit >= 0 && unit < PIXVIEWI_SIZES ? channels_loop(&job, &plane) : NULL;
    if (!plane.channels)
        return false;
    plane.swap = src[2] == size || dst[2] == size;
    for (int64_t n = 0; n < box->shape[0]; n++)
        for (int64_t h = 0; h < box->shape[1]; h++)
            channels(&job, &plane, box->dst + n * dst[0] + h * dst[1],
                     box->src + n * src[0] + h * src[1]);
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

// What is dense on both ends moves as one.
static void run_job(bits_job *job)
{
    const axis *last = job->count > 0 ? &job->axes[job->count - 1] : NULL;
    if (last && last->src == job->size && last->dst == job->size) {
        job->size *= last->extent;
        job->count--;
    }
    if (job->count == 0) {
        memcpy(job->dst, job->src, (size_t)job->size);
        return;
    }
    bits_plane plane = choose(job);
    walk(job, &plane);
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
    job.count = pixviewi_sort_axes(box->shape, box->src_strides, box->dst_strides, &job.src,
                                   &job.dst, job.axes);
    job.count = pixviewi_merge_axes(job.axes, job.count);
    run_job(&job);
}

void pixviewi_host_repack_plan(const pixviewi_loops *loops, const pixviewi_copy_plan *plan,
                               bool nontemporal)
{
    bits_job job = {loops, plan->dst, plan->src, plan->itemsize, nontemporal, 0, {{0}}};
    for (int k = 0; k < 4; k++)
        if (plan->shape[k] > 1)
            job.axes[job.count++] =
                (axis){plan->shape[k], plan->src_strides[k], plan->dst_strides[k]};
    run_job(&job);
}
