// SPDX-License-Identifier: Apache-2.0
// A copy operation in host memory: cut into pieces for threads, and those into boxes, one for every listed image.
#include <assert.h>
#include <string.h>

#include "copy/backend.h"
#include "host/host.h"

typedef struct host_part {
    const pixviewi_copy_op *op;
    const pixviewi_loops *loops;
    int axis; // that is cut
    int64_t pieces;
    bool nontemporal; // the cache
} host_part;

// BYTES read and written that go past the cache: what was written first would be out of it anyway.
enum { CACHE = 32 << 20 };

static bool is_list(const pixviewi_operand *end) { return end->images != NULL; }

// Data and strides of image n, or of the batch from image n on.
static char *locate_image(const pixviewi_operand *end, int64_t n, int64_t strides[4])
{
    const int64_t *from = is_list(end) ? end->images[n].strides : end->strides;
    memcpy(strides, from, 4 * sizeof *strides);
    return is_list(end) ? end->images[n].data : end->data + n * strides[0];
}

// A piece of a canvas, of which the images have `rows` and `columns`.
static void move_padded(const host_part *part, const pixviewi_box *box, int64_t rows,
                        int64_t columns)
{
    pixviewi_box inside = *box, right = *box, below = *box;
    rows = rows < 0 ? 0 : rows < box->shape[1] ? rows : box->shape[1];
    columns = columns < 0 ? 0 : columns < box->shape[2] ? columns : box->shape[2];
    inside.shape[1] = right.shape[1] = rows;
    inside.shape[2] = columns;
    pixviewi_host_move(part->loops, part->op, &inside);
    right.shape[2] -= columns;
    right.dst += columns * box->dst_strides[2];
    below.shape[1] -= rows;
    below.dst += rows * box->dst_strides[1];
    if (right.shape[1] > 0 && right.shape[2] > 0)
        pixviewi_host_pad(part->loops, part->op, right);
    if (below.shape[1] > 0 && below.shape[2] > 0)
        pixviewi_host_pad(part->loops, part->op, below);
}

// ---- pieces -----------------------------------------------------------------------------------

static void move_piece(void *context, int64_t piece)
{
    const host_part *part = context;
    const pixviewi_copy_op *op = part->op;
    int64_t from[4] = {0}, to[4];
    memcpy(to, op->shape, sizeof to);
    from[part->axis] = op->shape[part->axis] / part->pieces * piece +
                       (op->shape[part->axis] % part->pieces) * piece / part->pieces;
    to[part->axis] = op->shape[part->axis] / part->pieces * (piece + 1) +
                     (op->shape[part->axis] % part->pieces) * (piece + 1) / part->pieces;
    bool list = is_list(&op->src) || is_list(&op->dst);
    for (int64_t n = from[0]; n < to[0]; n += list ? 1 : to[0] - from[0]) {
        pixviewi_box box;
        box.src = locate_image(&op->src, n, box.src_strides);
        box.dst = locate_image(&op->dst, n, box.dst_strides);
        box.shape[0] = list ? 1 : to[0] - from[0];
        box.nontemporal = part->nontemporal;
        for (int k = 1; k < 4; k++) {
            box.shape[k] = to[k] - from[k];
            // A padded source may end before; its address may be NULL then.
            box.src = (const char *)((uintptr_t)box.src +
                                     (uintptr_t)from[k] * (uintptr_t)box.src_strides[k]);
            box.dst += from[k] * box.dst_strides[k];
        }
        const pixviewi_operand *src = &op->src;
        int64_t rows = src->images ? src->images[n].shape[1] : op->shape[1] - src->pad_rows;
        int64_t columns = src->images ? src->images[n].shape[2] : op->shape[2] - src->pad_cols;
        move_padded(part, &box, rows - from[1], columns - from[2]);
    }
}

// The outermost axis that has a piece for everybody, or the longest. Not the channels: their pieces would
// read the same pixels.
static int choose_axis(const int64_t shape[4], int64_t pieces)
{
    int longest = 0;
    for (int k = 0; k < 3; k++) {
        if (shape[k] >= pieces)
            return k;
        longest = shape[k] > shape[longest] ? k : longest;
    }
    return longest;
}

// Bytes that an end reads or writes, with those between the pixels of a row: they come in the same
// cache lines, and take as long.
static int64_t reach(const pixviewi_copy_op *op, const pixviewi_operand *end)
{
    int64_t strides[4], size = pixview_dtype_size(end->dtype), channels = op->shape[3];
    locate_image(end, 0, strides);
    bool planes = channels > 1 && pixviewi_magnitude(strides[3]) > size;
    int64_t pixel = planes ? size : channels * size, apart = INT64_MAX;
    for (int k = 1; k < 3; k++)
        if (op->shape[k] > 1 && pixviewi_magnitude(strides[k]) < apart)
            apart = pixviewi_magnitude(strides[k]);
    apart = apart == INT64_MAX ? pixel : apart < 64 ? apart : 64;
    return (apart > pixel ? apart : pixel) * (planes ? channels : 1) * op->shape[0] * op->shape[1] *
           op->shape[2];
}

void pixviewi_host_run(const pixviewi_copy_op *op)
{
    if (op->targets) {
        pixviewi_host_write_frames(op);
        return;
    }
    if (op->resizes) {
        pixviewi_host_resize(op);
        return;
    }
    host_part part = {op, pixviewi_host_loops(), 0, 1, false};
    int64_t bytes = reach(op, &op->src) + reach(op, &op->dst);
    int64_t cache = atomic_load_explicit(&pixviewi_host_hooks.cache, memory_order_relaxed);
    part.nontemporal = bytes > (cache > 0 ? cache : CACHE);
    int threads = pixviewi_host_threads(bytes);
    if (threads == 1) {
        if (op->plan)
            pixviewi_host_repack_plan(part.loops, op->plan, part.nontemporal);
        else
            move_piece(&part, 0);
        return;
    }
    part.pieces = 4 * threads; // whoever is slow, or late, takes fewer
    part.axis = choose_axis(op->shape, part.pieces);
    if (part.pieces > op->shape[part.axis])
        part.pieces = op->shape[part.axis];
    assert(part.axis >= 0 && part.pieces > 0);
    pixviewi_host_parallel(threads, part.pieces, move_piece, &part);
}
