// SPDX-License-Identifier: Apache-2.0
// Which lists of frames are all of one kind and need no resizing, and the launches that make images of them.
#include "cuda/select/decode.h"

#include <assert.h>
#include <string.h>

#include "cuda/select/resize.h"

_Static_assert(sizeof(pixviewi_decode_args) <= 4096, "every driver takes 4096 bytes of parameters");
enum { MAX_FRAMES = PIXVIEWI_DECODE_TABLE / 16 };
enum { N = PIXVIEW_AXIS_N, H = PIXVIEW_AXIS_H, W = PIXVIEW_AXIS_W };

// ---- Which --------------------------------------------------------------------------------------

static bool keeps_its_size(const pixviewi_copy_op *op, int64_t n)
{
    const int64_t *shape = op->src.images[n].shape;
    return shape[H] == op->shape[H] && shape[W] == op->shape[W];
}

// U and V side by side, one of them for each two columns.
static bool has_pairs(const pixviewi_samples *s)
{
    const pixviewi_component *u = &s->of[PIXVIEWI_U], *v = &s->of[PIXVIEWI_V];
    int64_t apart = v->data - u->data;
    return s->shift_x == 1 && s->phase_x == 0 && s->phase_y == 0 &&
           s->of[PIXVIEWI_Y].step == s->bytes && u->step == 2 * s->bytes && v->step == u->step &&
           v->row_step == u->row_step && (apart == s->bytes || apart == -s->bytes);
}

static const char *first_of_pair(const pixviewi_samples *s)
{
    const pixviewi_component *u = &s->of[PIXVIEWI_U], *v = &s->of[PIXVIEWI_V];
    return u->data < v->data ? u->data : v->data;
}

static bool is_aligned(const pixviewi_samples *s)
{
    int64_t bits =
        (int64_t)(uintptr_t)s->of[PIXVIEWI_Y].data | (int64_t)(uintptr_t)first_of_pair(s);
    bits |= s->of[PIXVIEWI_Y].row_step | s->of[PIXVIEWI_U].row_step;
    return bits % (PIXVIEWI_QUAD * s->bytes) == 0;
}

// But for where it lies.
static bool are_alike(const pixviewi_video *a, const pixviewi_video *b)
{
    const pixviewi_samples *s = &a->samples, *t = &b->samples;
    bool v_first = s->of[PIXVIEWI_V].data < s->of[PIXVIEWI_U].data;
    return s->bytes == t->bytes && s->shift_y == t->shift_y && s->down == t->down &&
           s->most == t->most && s->of[PIXVIEWI_Y].row_step == t->of[PIXVIEWI_Y].row_step &&
           s->of[PIXVIEWI_U].row_step == t->of[PIXVIEWI_U].row_step &&
           v_first == (t->of[PIXVIEWI_V].data < t->of[PIXVIEWI_U].data) &&
           memcmp(&a->colour, &b->colour, sizeof a->colour) == 0;
}

// Four elements of a plane, or of a row of pixels, as a vector.
static bool takes_vectors(const pixviewi_copy_op *op, pixviewi_channel_order order,
                          const pixviewi_pixels *pixels)
{
    int64_t size = pixview_dtype_size(op->dst.dtype);
    int64_t bits = (int64_t)(uintptr_t)op->dst.data | pixels->row;
    if (op->shape[N] > 1)
        bits |= op->dst.strides[N];
    if (order == PIXVIEWI_PLANAR)
        bits |= pixels->channel;
    return bits % (PIXVIEWI_QUAD * size) == 0 &&
           pixels->pixel == (order == PIXVIEWI_PLANAR ? size : 3 * size);
}

static pixviewi_channel_order order_of(const pixviewi_copy_op *op, pixviewi_pixels *pixels)
{
    return pixviewi_channel_order_of(op->shape, op->dst.strides, pixview_dtype_size(op->dst.dtype),
                                     pixels);
}

// Of an image; a launch counts them in 31 bits.
static int64_t threads_of(const pixviewi_copy_op *op)
{
    int64_t rows = (int64_t)PIXVIEWI_DECODE_STEPS << op->src.videos[0].samples.shift_y;
    return ((op->shape[H] - 1) / rows + 1) * (op->shape[W] / PIXVIEWI_QUAD);
}

bool pixviewi_decode_suits(const pixviewi_copy_op *op)
{
    pixviewi_pixels pixels;
    if (!op->src.videos || op->shape[W] % PIXVIEWI_QUAD != 0 || threads_of(op) > INT32_MAX)
        return false;
    pixviewi_channel_order order = order_of(op, &pixels);
    if (order == PIXVIEWI_IRREGULAR || !takes_vectors(op, order, &pixels))
        return false;
    for (int64_t n = 0; n < op->shape[N]; n++) {
        const pixviewi_video *video = pixviewi_video_at(op, n);
        if (!video || !keeps_its_size(op, n) || !has_pairs(&video->samples) ||
            !is_aligned(&video->samples) || !are_alike(video, &op->src.videos[0]))
            return false;
    }
    return true;
}

// ---- Launches -----------------------------------------------------------------------------------

// With columns and rows as the kernel wants them.
static void set_matrix(pixviewi_decode_args *args, const pixviewi_copy_op *op, bool rounds)
{
    const pixviewi_samples *s = &op->src.videos[0].samples;
    const bool v_first = s->of[PIXVIEWI_V].data < s->of[PIXVIEWI_U].data;
    pixviewi_matrix matrix;
    pixviewi_matrix_of(&op->src.videos[0].colour, &matrix);
    args->matrix.least = matrix.least;
    for (int c = 0; c < 3; c++) {
        int from = op->affine.swap_rb ? 2 - c : c;
        args->matrix.of[c][0] = matrix.of[from][PIXVIEWI_Y];
        args->matrix.of[c][1] = matrix.of[from][v_first ? PIXVIEWI_V : PIXVIEWI_U];
        args->matrix.of[c][2] = matrix.of[from][v_first ? PIXVIEWI_U : PIXVIEWI_V];
        args->matrix.more[c] = matrix.more[from] + (rounds ? 1 << (PIXVIEWI_COLOUR_BITS - 1) : 0);
    }
}

void pixviewi_decode_begin(pixviewi_decode_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_decode_args *args = &launch->args;
    const pixviewi_samples *s = &op->src.videos[0].samples;
    const pixviewi_affine *affine = &op->affine;
    pixviewi_pixels pixels;
    memset(args, 0, sizeof *args);
    args->planar = order_of(op, &pixels) == PIXVIEWI_PLANAR;
    args->dst_image = op->dst.strides[N];
    args->row = pixels.row, args->pixel = pixels.pixel, args->channel = pixels.channel;
    args->y_row = s->of[PIXVIEWI_Y].row_step, args->uv_row = s->of[PIXVIEWI_U].row_step;
    args->rows = (int32_t)op->shape[H], args->columns = (int32_t)op->shape[W];
    args->shared_rows = 1 << s->shift_y;
    args->quads = args->columns / PIXVIEWI_QUAD;
    args->groups = (int32_t)(threads_of(op) / args->quads);
    args->by_quads = pixviewi_divisor_of((uint32_t)args->quads);
    args->by_groups = pixviewi_divisor_of((uint32_t)args->groups);
    args->down = s->down, args->most = s->most;
    args->direct = affine->is_identity;
    args->out = pixviewi_result_of(op->dst.dtype);
    set_matrix(args, op, args->direct || !op->src.videos[0].colour.deep);
    for (int c = 0; c < 3 && !args->direct; c++) {
        args->a[c] = affine->scale[affine->channels == 1 ? 0 : c];
        args->b[c] = affine->bias[affine->channels == 1 ? 0 : c];
    }
    launch->kernel = PIXVIEWI_KERNEL_DECODE + (s->bytes == 2);
    launch->done = 0;
}

bool pixviewi_decode_next(pixviewi_decode_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_decode_args *args = &launch->args;
    const int64_t each = (int64_t)args->quads * args->groups, rest = op->shape[N] - launch->done;
    int64_t most = rest < MAX_FRAMES ? rest : MAX_FRAMES;
    assert(each <= INT32_MAX);
    if (most > INT32_MAX / each)
        most = INT32_MAX / each;
    for (int64_t i = 0; i < most; i++) {
        const pixviewi_samples *s = &op->src.videos[launch->done + i].samples;
        args->table[2 * i] = (uint64_t)(uintptr_t)s->of[PIXVIEWI_Y].data;
        args->table[2 * i + 1] = (uint64_t)(uintptr_t)first_of_pair(s);
    }
    args->dst = op->dst.data + launch->done * args->dst_image;
    args->threads = (int32_t)(most * each);
    launch->blocks = (args->threads - 1) / PIXVIEWI_THREADS + 1;
    launch->done += most;
    return most > 0;
}
