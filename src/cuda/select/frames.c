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

static int64_t pieces(int64_t length, int64_t piece) { return (length - 1) / piece + 1; }

void pixviewi_encode_begin(pixviewi_encode_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_encode_args *args = &launch->args;
    const int64_t *strides = op->src.strides;
    const pixviewi_affine *affine = &op->affine;
    memset(args, 0, sizeof *args);
    args->src = op->src.data;
    args->src_image = strides[PIXVIEW_AXIS_N];
    args->steps = (pixviewi_steps){strides[PIXVIEW_AXIS_H], strides[PIXVIEW_AXIS_W], 0};
    args->rows = (int32_t)op->shape[PIXVIEW_AXIS_H];
    args->columns = (int32_t)op->shape[PIXVIEW_AXIS_W];
    args->code = op->src.dtype.code;
    for (int c = 0; c < PARTS; c++) {
        int entry = affine->channels == 1 ? 0 : c;
        args->channels[c] = (affine->swap_rb ? 2 - c : c) * strides[PIXVIEW_AXIS_C];
        args->a[c] = affine->is_identity ? 1 : affine->scale[entry];
        args->b[c] = affine->is_identity ? -0.0f : affine->bias[entry];
    }
    launch->kernel = PIXVIEWI_KERNEL_ENCODE + pixviewi_log2(pixview_dtype_size(op->src.dtype));
    launch->done = 0;
}

bool pixviewi_encode_next(pixviewi_encode_launch *launch, const pixviewi_copy_op *op)
{
    pixviewi_encode_args *args = &launch->args;
    frame_list list = {.size = sizeof(pixviewi_video_target), .kinds = (char *)args->table};
    int shift_x = 1, shift_y = 1; // what all have
    for (int64_t n = launch->done; n < op->shape[PIXVIEW_AXIS_N]; n++) {
        uint64_t addresses[PARTS];
        pixviewi_video_target target = op->targets[n];
        take_addresses(&target.samples, addresses);
        if (!add_frame(&list, &target, addresses, sizeof args->table, 0))
            break;
        shift_x = target.samples.shift_x < shift_x ? target.samples.shift_x : shift_x;
        shift_y = target.samples.shift_y < shift_y ? target.samples.shift_y : shift_y;
    }
    if (list.frames == 0)
        return false;
    finish(&list, 0);
    args->src = op->src.data + launch->done * args->src_image;
    args->kinds = list.kinds_used;
    args->images = list.frames;
    args->across = (int32_t)pieces(pieces(args->columns, 1 << shift_x), PIXVIEWI_THREADS);
    args->down = (int32_t)pieces(pieces(args->rows, 1 << shift_y), PIXVIEWI_ENCODE_ROWS);
    args->by_across = pixviewi_divisor_of((uint32_t)args->across);
    args->by_down = pixviewi_divisor_of((uint32_t)args->down);
    launch->blocks = (int64_t)list.frames * args->across * args->down;
    launch->done += list.frames;
    return true;
}
