// SPDX-License-Identifier: Apache-2.0
// Video frames in the launches' arguments: which of them are of one kind, and where their planes lie.
#include "cuda/select/frames.h"

#include <assert.h>
#include <string.h>

_Static_assert(sizeof(pixviewi_encode_args) <= 4096, "every driver takes 4096 bytes of parameters");
enum { PARTS = 3, MAX_FRAMES = 255 };

// ---- Kinds --------------------------------------------------------------------------------------

static void take_addresses(pixviewi_samples *samples, uint64_t *addresses)
{
    for (int part = 0; part < PARTS; part++) {
        addresses[part] = (uint64_t)(uintptr_t)samples->of[part].data;
        samples->of[part].data = NULL;
    }
}

// An image among frames: its channels lie where Y, U and V would.
static pixviewi_video video_of(const pixviewi_copy_op *op, int64_t n)
{
    const pixviewi_video *video = pixviewi_video_at(op, n);
    if (video)
        return *video;
    pixviewi_video out;
    const pixview_image *image = &op->src.images[n];
    memset(&out, 0, sizeof out);
    for (int part = 0; part < PARTS; part++)
        out.samples.of[part] =
            (pixviewi_component){(char *)image->data + part * image->strides[PIXVIEW_AXIS_C],
                                 image->strides[PIXVIEW_AXIS_H], image->strides[PIXVIEW_AXIS_W]};
    return out;
}

// A table's kinds, of `size` BYTES each, and what it has of each frame.
typedef struct frame_list {
    size_t size;
    char *kinds; // the table itself
    int kinds_used, frames;
    uint8_t kind_of[MAX_FRAMES];
    uint64_t addresses[MAX_FRAMES * PARTS];
} frame_list;

// One more, if there is room in `room` BYTES for all and `each` BYTES more of a frame.
static bool add_frame(frame_list *list, const void *kind, const uint64_t *addresses, size_t room,
                      size_t each)
{
    int at = 0;
    while (at < list->kinds_used &&
           memcmp(list->kinds + (size_t)at * list->size, kind, list->size) != 0)
        at++;
    size_t kinds = (size_t)(at == list->kinds_used ? at + 1 : list->kinds_used);
    size_t per_frame = PARTS * sizeof *addresses + each + 1;
    if (list->frames == MAX_FRAMES ||
        kinds * list->size + (size_t)(list->frames + 1) * per_frame > room)
        return false;
    memcpy(list->kinds + (size_t)at * list->size, kind, list->size);
    list->kinds_used = (int)kinds;
    list->kind_of[list->frames] = (uint8_t)at;
    memcpy(&list->addresses[list->frames * PARTS], addresses, PARTS * sizeof *addresses);
    list->frames++;
    return true;
}

// Behind the kinds. Returns where `each` BYTES of every frame go.
static char *finish(const frame_list *list, size_t each)
{
    char *at = list->kinds + (size_t)list->kinds_used * list->size;
    size_t bytes = (size_t)list->frames * PARTS * sizeof *list->addresses;
    memcpy(at, list->addresses, bytes);
    memcpy(at + bytes + (size_t)list->frames * each, list->kind_of, (size_t)list->frames);
    return at + bytes;
}

// ---- Frames as sources --------------------------------------------------------------------------

char *pixviewi_frames_fill(pixviewi_resize_args *args, const pixviewi_copy_op *op, int64_t first,
                           int64_t most, size_t extents)
{
    frame_list list = {.size = sizeof(pixviewi_video), .kinds = (char *)args->table};
    for (int64_t n = first; n < first + most; n++) {
        uint64_t addresses[PARTS];
        pixviewi_video video = video_of(op, n);
        take_addresses(&video.samples, addresses);
        if (!add_frame(&list, &video, addresses, sizeof args->table, extents))
            break;
    }
    assert(list.frames > 0);
    args->kinds = list.kinds_used;
    args->images = list.frames;
    return finish(&list, extents);
}

// ---- Frames of images ---------------------------------------------------------------------------

// Do all of these begin at a whole number of `bytes`, or of the largest vectors?
static bool are_aligned(const int64_t *offsets, int count, int64_t bytes)
{
    int64_t all = 0, largest = 16;
    for (int i = 0; i < count; i++)
        all |= offsets[i];
    return (all & ((bytes < largest ? bytes : largest) - 1)) == 0;
}

// How pixels lie, if a piece of them may be vectors.
static int32_t form_of_source(const pixviewi_copy_op *op, int64_t piece)
{
    const int64_t *strides = op->src.strides, *shape = op->shape;
    int64_t size = pixview_dtype_size(op->src.dtype), pixel = strides[PIXVIEW_AXIS_W];
    int64_t offsets[] = {(int64_t)(uintptr_t)op->src.data, shape[0] > 1 ? strides[0] : 0,
                         shape[1] > 1 ? strides[1] : 0, strides[PIXVIEW_AXIS_C]};
    bool is_int8 = op->src.dtype.code == PIXVIEW_DTYPE_INT && size == 1; // no vectors of these
    if (is_int8 || !are_aligned(offsets, 3, piece * size))
        return PIXVIEWI_BY_ELEMENTS;
    if (pixel == 3 * size && offsets[3] == size && !op->affine.swap_rb)
        return PIXVIEWI_BY_PIXELS;
    return pixel == size && are_aligned(offsets, 4, piece * size) ? PIXVIEWI_BY_PLANES
                                                                  : PIXVIEWI_BY_ELEMENTS;
}

static bool is_run(const pixviewi_samples *s, const uint64_t *addresses, int part, int64_t step,
                   int64_t bytes)
{
    int64_t offsets[] = {(int64_t)addresses[part], s->of[part].row_step};
    return s->of[part].step == step && are_aligned(offsets, 2, bytes);
}

// How U and V lie, if a piece of them, and of Y, may be vectors. The first of pairs comes first then.
static int32_t form_of_frame(pixviewi_video_target *target, uint64_t *addresses, int64_t piece)
{
    const pixviewi_samples *s = &target->samples;
    int64_t size = s->bytes, bytes = piece * size >> s->shift_x;
    uint64_t u = addresses[PIXVIEWI_U], v = addresses[PIXVIEWI_V];
    pixviewi_weights weights = target->weights[PIXVIEWI_U];
    if (!is_run(s, addresses, PIXVIEWI_Y, size, piece * size))
        return PIXVIEWI_BY_ELEMENTS;
    if (is_run(s, addresses, PIXVIEWI_U, size, bytes) &&
        is_run(s, addresses, PIXVIEWI_V, size, bytes))
        return PIXVIEWI_BY_PLANES;
    if (s->of[PIXVIEWI_V].step != s->of[PIXVIEWI_U].step ||
        s->of[PIXVIEWI_V].row_step != s->of[PIXVIEWI_U].row_step)
        return PIXVIEWI_BY_ELEMENTS;
    if (v + (uint64_t)size == u) {
        addresses[PIXVIEWI_U] = v, addresses[PIXVIEWI_V] = u;
        target->weights[PIXVIEWI_U] = target->weights[PIXVIEWI_V];
        target->weights[PIXVIEWI_V] = weights;
    } else if (u + (uint64_t)size != v) {
        return PIXVIEWI_BY_ELEMENTS;
    }
    return is_run(s, addresses, PIXVIEWI_U, 2 * size, 2 * bytes) ? PIXVIEWI_BY_PIXELS
                                                                 : PIXVIEWI_BY_ELEMENTS;
}

void pixviewi_encode_begin(pixviewi_encode_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_encode_args *args = &launch->args;
    const int64_t *strides = op->src.strides;
    const pixviewi_affine *affine = &op->affine;
    int size_log2 = pixviewi_log2(pixview_dtype_size(op->src.dtype));
    memset(args, 0, sizeof *args);
    args->src_image = strides[PIXVIEW_AXIS_N];
    args->steps = (pixviewi_steps){strides[PIXVIEW_AXIS_H], strides[PIXVIEW_AXIS_W], 0};
    args->rows = (int32_t)op->shape[PIXVIEW_AXIS_H];
    args->columns = (int32_t)op->shape[PIXVIEW_AXIS_W];
    args->code = op->src.dtype.code;
    args->changed = size_log2 > 0 || args->code != PIXVIEW_DTYPE_UINT;
    for (int c = 0; c < PARTS; c++) {
        int entry = affine->channels == 1 ? 0 : c;
        args->channels[c] = (affine->swap_rb ? 2 - c : c) * strides[PIXVIEW_AXIS_C];
        args->a[c] = affine->is_identity ? 1 : affine->scale[entry];
        args->b[c] = affine->is_identity ? -0.0f : affine->bias[entry];
        args->changed |= args->a[c] != 1 || args->b[c] != 0;
    }
    launch->kernel = PIXVIEWI_KERNEL_ENCODE + size_log2;
    launch->done = 0;
}

// Frames from launch->done on that differ in their addresses alone.
static int64_t take_frames(pixviewi_encode_launch *launch, const pixviewi_copy_op *op,
                           int64_t piece)
{
    pixviewi_encode_args *args = &launch->args;
    const int64_t most = sizeof args->frames / sizeof *args->frames;
    int64_t count = op->shape[PIXVIEW_AXIS_N] - launch->done, taken = 0;
    for (; taken < count && taken < most; taken++) {
        uint64_t *addresses = args->frames[taken];
        pixviewi_video_target target = op->targets[launch->done + taken];
        take_addresses(&target.samples, addresses);
        int32_t form = form_of_frame(&target, addresses, piece);
        if (taken == 0)
            args->target = target, args->chroma = form;
        else if (form != args->chroma || memcmp(&target, &args->target, sizeof target) != 0)
            break;
    }
    return taken;
}

// U and V are made of sums instead of means: powers of two, so that they are rounded alike.
static void scale_weights(pixviewi_video_target *target)
{
    const pixviewi_samples *s = &target->samples;
    float columns = s->shift_x == 0 ? 1.0f : target->on_column ? 0.25f : 0.5f;
    float rows = s->shift_y == 0 ? 1.0f : target->on_row ? 0.25f : 0.5f;
    for (int part = PIXVIEWI_U; part <= PIXVIEWI_V; part++)
        for (int c = 0; c < PARTS; c++)
            target->weights[part].of[c] *= columns * rows;
}

static int64_t pieces(int64_t length, int64_t piece) { return (length - 1) / piece + 1; }

// Several groups for a thread, if that leaves enough threads for a GPU.
static void cut_images(pixviewi_encode_args *args, int64_t images)
{
    enum { ENOUGH = 1 << 19, MOST = 8 };
    int64_t across = pieces(args->columns, args->piece);
    int64_t groups = pieces(args->rows, 1 << args->target.samples.shift_y);
    int64_t each = images * across * groups / ENOUGH;
    args->groups = (int32_t)(each < 1 ? 1 : each > MOST ? MOST : each);
    args->across = (int32_t)across;
    args->blocks = (int32_t)pieces(across * pieces(groups, args->groups), PIXVIEWI_THREADS);
    args->by_across = pixviewi_divisor_of((uint32_t)args->across);
    args->by_blocks = pixviewi_divisor_of((uint32_t)args->blocks);
}

bool pixviewi_encode_next(pixviewi_encode_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_encode_args *args = &launch->args;
    int64_t piece = PIXVIEWI_ENCODE_PIECE(pixview_dtype_size(op->src.dtype));
    int64_t images = take_frames(launch, op, piece);
    if (images == 0)
        return false;
    args->form = args->chroma == PIXVIEWI_BY_ELEMENTS ? args->chroma : form_of_source(op, piece);
    args->piece = args->form == PIXVIEWI_BY_ELEMENTS ? 2 : (int32_t)piece;
    args->src = op->src.data + launch->done * args->src_image;
    scale_weights(&args->target);
    cut_images(args, images);
    launch->blocks = images * args->blocks;
    launch->done += images;
    return true;
}
