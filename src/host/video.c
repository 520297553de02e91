// SPDX-License-Identifier: Apache-2.0
// Rows of video frames as planes of RGB, and frames whose pixels stay as they are.
//
//     samples -> rows of 16-bit Y, U and V -> planes of bytes, of deeper frames floats -> a box
#include <assert.h>

#include "host/host.h"

static bool is_pair(const pixviewi_video *video)
{
    return video->samples.has_chroma && video->samples.shift_x == 1;
}

static void make_planes(const pixviewi_loops *loops, const pixviewi_video *video,
                        pixviewi_window *w, bool pairs, int64_t count)
{
    const uint16_t *const yuv[] = {w->yuv[0], w->yuv[1], w->yuv[2]};
    int red = video->colour.bgr ? 2 : 0;
    char *const rgb[] = {w->planes[red], w->planes[1], w->planes[2 - red]};
    (w->bytes ? loops->video->bytes : loops->video->floats)[pairs](rgb, yuv, &video->colour, count);
}

static void load_part(const pixviewi_loops *loops, const pixviewi_samples *s, int part,
                      const char *from, uint16_t *out, int64_t count)
{
    loops->video->load[s->bytes - 1](out, from, s->of[part].step, s->down, s->most, count);
}

// `count` of U and V, those of column x and behind.
static void load_chroma(const pixviewi_loops *loops, const pixviewi_samples *s, pixviewi_window *w,
                        int64_t y, int64_t x, int64_t count)
{
    int first = pixviewi_first_of_pairs(s);
    if (first != 0)
        loops->video->load_pairs[s->bytes - 1](w->yuv[first], w->yuv[3 - first],
                                               pixviewi_sample_at(s, first, y, x), s->down, s->most,
                                               count);
    for (int part = 1; first == 0 && part < 3; part++)
        load_part(loops, s, part, pixviewi_sample_at(s, part, y, x), w->yuv[part], count);
}

// A group of two that begins with a column before the first gets another Y there, and that pixel is skipped.
void pixviewi_host_load_window(const pixviewi_loops *loops, const pixviewi_video *video,
                               pixviewi_window *w, int64_t y, int64_t first, int64_t end)
{
    const pixviewi_samples *s = &video->samples;
    bool pairs = is_pair(video);
    int64_t lead = pairs ? (first + s->phase_x) & 1 : 0, count = end - first;
    assert(count > 0 && count <= PIXVIEWI_WINDOW);
    load_part(loops, s, PIXVIEWI_Y, pixviewi_sample_at(s, PIXVIEWI_Y, y, first), w->yuv[0] + lead,
              count);
    w->yuv[0][0] = w->yuv[0][lead];
    load_chroma(loops, s, w, y, first, pairs ? (lead + count + 1) / 2 : count);
    make_planes(loops, video, w, pairs, lead + count);
    w->y = y;
    w->first = first;
    w->end = end;
    for (int i = 0; i < 3; i++)
        w->rgb[i] = w->planes[i] + lead * (w->bytes ? 1 : 4);
}

void pixviewi_host_pick_window(const pixviewi_loops *loops, const pixviewi_video *video,
                               pixviewi_window *w, int64_t y, const int64_t *columns, int64_t count)
{
    const pixviewi_samples *s = &video->samples;
    assert(count > 0 && count <= PIXVIEWI_WINDOW);
    for (int part = 0; part < 3; part++)
        for (int64_t i = 0; i < count; i++)
            w->yuv[part][i] =
                (uint16_t)pixviewi_sample_load(s, pixviewi_sample_at(s, part, y, columns[i]));
    make_planes(loops, video, w, false, count);
    w->y = y;
    w->first = 0;
    w->end = count;
    for (int i = 0; i < 3; i++)
        w->rgb[i] = w->planes[i];
}

// ---- pixels as they are -----------------------------------------------------------------------

typedef struct picked_frame {
    const pixviewi_loops *loops;
    const pixviewi_video *video;
    pixviewi_copy_op op; // from planes of the window
    pixviewi_window window;
    int64_t columns[PIXVIEWI_WINDOW];
} picked_frame;

// Columns x .. x + box.shape[2] - 1 of the box's rows.
static void pick_strip(picked_frame *f, const pixviewi_picked_axis *rows,
                       const pixviewi_picked_axis *columns, int64_t x, pixviewi_box box)
{
    int64_t count = box.shape[2], height = box.shape[1], size = f->window.bytes ? 1 : 4;
    const pixviewi_axis *across = columns->axis, *down = rows->axis;
    bool as_is = across->source == across->resized;
    int64_t first = columns->begin + x + across->skip;
    for (int64_t i = 0; !as_is && i < count; i++)
        f->columns[i] = pixviewi_nearest_tap(first + i, across->source, columns->scale);
    box.dst += x * box.dst_strides[2];
    box.shape[1] = 1;
    box.src_strides[2] = size;
    box.src_strides[3] = sizeof f->window.planes[0];
    for (int64_t i = 0; i < height; i++, box.dst += box.dst_strides[1]) {
        int64_t y = pixviewi_nearest_tap(rows->begin + i + down->skip, down->source, rows->scale);
        if (as_is)
            pixviewi_host_load_window(f->loops, f->video, &f->window, y, first, first + count);
        else
            pixviewi_host_pick_window(f->loops, f->video, &f->window, y, f->columns, count);
        box.src = f->window.rgb[0];
        pixviewi_host_move(f->loops, &f->op, &box);
    }
}

void pixviewi_host_pick_frame(const pixviewi_loops *loops, const pixviewi_copy_op *op,
                              const pixviewi_video *video, const pixviewi_picked_axis *rows,
                              const pixviewi_picked_axis *columns, pixviewi_box box)
{
    picked_frame f;
    f.loops = loops;
    f.video = video;
    f.op = *op;
    f.window.bytes = op->affine.is_identity || !video->colour.deep;
    if (!f.window.bytes)
        f.op.src.dtype = (pixview_dtype){PIXVIEW_DTYPE_FLOAT, 32, 1};
    for (int64_t x = 0, width = box.shape[2]; x < width; x += PIXVIEWI_WINDOW) {
        box.shape[2] = width - x < PIXVIEWI_WINDOW ? width - x : PIXVIEWI_WINDOW;
        pick_strip(&f, rows, columns, x, box);
    }
}
