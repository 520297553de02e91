// SPDX-License-Identifier: Apache-2.0
// Copies of bits without tiles: by vectors of the destination, for rows too short for a tile, and one
// element at a time.
#include <assert.h>
#include <string.h>

#include "cuda/select/select.h"

// Rows of so many elements of 1, 2, 4, 8, 16 bytes and fewer go by vectors: the tile of a row that is
// not long takes more instructions than that.
static const int32_t short_rows[] = {800, 600, 8192, 4096, 0};
// BYTES of a row of pixels, if they become planes or planes become pixels.
static const int32_t short_pixels[] = {1000, 1000, 2400, 2400, 0};

static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

static bool is_dense(const pixviewi_copy_plan *plan)
{
    return plan->src_strides[3] == plan->itemsize && plan->dst_strides[3] == plan->itemsize;
}

bool pixviewi_has_short_rows(const pixviewi_copy_op *op, const pixviewi_copy_plan *plan)
{
    int64_t w = op->shape[PIXVIEW_AXIS_W], c = op->shape[PIXVIEW_AXIS_C];
    int size = pixviewi_log2(plan->itemsize);
    if (is_dense(plan))
        return plan->shape[3] <= short_rows[size];
    bool mixed = c > 1 && op->dst.strides[PIXVIEW_AXIS_C] == plan->itemsize;
    bool merged = plan->shape[mixed ? 2 : 3] != w;
    return !merged && w * c * plan->itemsize <= short_pixels[size];
}

static void set_copy(const pixviewi_copy_plan *plan, pixviewi_copy_args *args)
{
    args->src = plan->src;
    args->dst = plan->dst;
    args->count = plan->count;
    memcpy(args->shape, plan->shape, sizeof args->shape);
    memcpy(args->src_strides, plan->src_strides, sizeof args->src_strides);
    memcpy(args->dst_strides, plan->dst_strides, sizeof args->dst_strides);
}

static void set_axes(pixviewi_copy_args *args)
{
    assert(args->count > 0);
    args->narrow = args->count <= INT32_MAX;
    args->first = 0;
    while (args->first < 3 && args->shape[args->first] == 1)
        args->first++;
    for (int i = 0; i < 4 && args->narrow; i++)
        args->by[i] = pixviewi_divisor_of((uint32_t)args->shape[i]);
}

// Another row follows at once in the destination.
static bool is_followed(const pixviewi_copy_plan *plan)
{
    return plan->shape[2] > 1 && plan->dst_strides[2] == plan->shape[3] * plan->itemsize;
}

// By the kernel that takes rows with a step. Dense ones too if they may be merged there, so that no
// vector is partial; longer rows of bytes have fewer instructions by themselves.
static bool has_steps(const pixviewi_copy_plan *plan)
{
    enum { RUN_BYTES = 32 };
    int64_t size = plan->itemsize, bytes = plan->shape[3] * size;
    return !is_dense(plan) || (is_followed(plan) && bytes >= PIXVIEWI_ROW_BYTES(size) &&
                               (size > 1 || bytes <= RUN_BYTES));
}

// Rows of no sector of their own, far apart in the destination. A warp writes elements of one at once,
// vectors' ends one after another.
static bool is_sparse(const pixviewi_copy_plan *plan)
{
    int64_t bytes = plan->shape[3] * plan->itemsize;
    return plan->shape[2] > 1 && plan->dst_strides[2] >= bytes + PIXVIEWI_SECTOR &&
           bytes <= PIXVIEWI_SECTOR && plan->count <= INT32_MAX;
}

// What a run is made of. Its axes are one in the grid: `vectors` of it.
static void set_run(const pixviewi_copy_plan *plan, bool merged, int64_t vectors,
                    pixviewi_copy_args *args)
{
    int64_t size = plan->itemsize, bytes = PIXVIEWI_ROW_BYTES(size), columns = plan->shape[3];
    int64_t run = merged ? plan->shape[2] * columns : columns;
    int outer = merged ? 1 : 2; // the axis of the runs
    assert(bytes % size == 0 && columns > 0 && columns <= run && run <= INT32_MAX);
    assert(vectors * (bytes / size) >= run && plan->count % run == 0);
    set_copy(plan, args);
    args->count = plan->count / run * vectors;
    args->shape[3] = vectors;
    args->apart = plan->shape[outer] > 1 && plan->dst_strides[outer] != run * size;
    args->run = (uint32_t)run;
    args->columns = (uint32_t)columns;
    args->by_columns = pixviewi_divisor_of((uint32_t)columns);
    args->row = plan->src_strides[2];
    args->step = plan->src_strides[3];
    args->back = (uint32_t)((bytes / size - 1) / columns + 1);
    if (merged) {
        args->shape[2] = 1;
        args->src_strides[2] = args->dst_strides[2] = 0;
    }
    set_axes(args);
    assert(args->count > 0 && args->narrow);
}

// False: elements of 16 bytes, which are vectors; or too many; or it is better one element at a time.
static bool select_rows(const pixviewi_copy_plan *plan, pixviewi_launch *launch)
{
    int64_t size = plan->itemsize, columns = plan->shape[3], rows = plan->shape[2];
    if (size == 16 || plan->dst_strides[3] != size || is_sparse(plan))
        return false;
    bool steps = has_steps(plan);
    bool merged = steps && is_followed(plan) &&
                  columns <= INT32_MAX / 2 / rows; // a divisor of rows takes 31 bits
    int64_t vector = PIXVIEWI_ROW_BYTES(size) / size, run = merged ? rows * columns : columns;
    int64_t bits = (int64_t)(uintptr_t)plan->dst | plan->dst_strides[0] | plan->dst_strides[1] |
                   (merged ? 0 : plan->dst_strides[2]);
    bool aligned = bits % (vector * size) == 0;
    int64_t vectors = (run + (aligned ? 0 : vector - 1) - 1) / vector + 1;
    if (run > INT32_MAX - 2 * vector || plan->count / run > INT32_MAX / vectors)
        return false;
    set_run(plan, merged, vectors, &launch->args.copy);
    launch->kernel = (steps ? PIXVIEWI_KERNEL_STEPS : PIXVIEWI_KERNEL_ROWS) + pixviewi_log2(size);
    launch->blocks = (launch->args.copy.count - 1) / PIXVIEWI_THREADS + 1;
    return true;
}

static void select_elements(const pixviewi_copy_plan *plan, pixviewi_launch *launch)
{
    enum { UNROLL = 4, MAX_BLOCKS = 1 << 20 };
    uint64_t bits = (uintptr_t)plan->src | (uintptr_t)plan->dst;
    for (int i = 0; i < 4; i++)
        bits |= (uint64_t)(plan->src_strides[i] | plan->dst_strides[i]);
    assert(bits % (uint64_t)min(plan->itemsize, 8) == 0);
    set_copy(plan, &launch->args.copy);
    set_axes(&launch->args.copy);
    launch->kernel = PIXVIEWI_KERNEL_COPY + pixviewi_log2(plan->itemsize);
    if (plan->itemsize == 16 && bits % 16 != 0)
        launch->kernel++;
    launch->blocks = min((plan->count - 1) / (PIXVIEWI_THREADS * UNROLL) + 1, MAX_BLOCKS);
}

void pixviewi_select_untiled(const pixviewi_copy_plan *plan, pixviewi_launch *launch)
{
    if (!select_rows(plan, launch))
        select_elements(plan, launch);
}
