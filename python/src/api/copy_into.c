// SPDX-License-Identifier: Apache-2.0
// copy_into: the pixels of one image into memory that exists.

#include "api/api.h"
#include "base/args.h"
#include "base/errors.h"
#include "convert/align.h"
#include "convert/copy.h"
#include "convert/import.h"
#include "convert/plan.h"
#include "convert/video.h"
#include "frameworks/stream_argument.h"
#include "frameworks/table.h"

static bool takes_stream(const pv_imported *end)
{
    return end->stream_from_caller || end->from->flags & PV_OURS;
}

static int import_end(pv_state *st, const char *name, pv_imported *end, const pv_options *req)
{
    if (!pv_import(st, end->object, req, end))
        return 0;
    pv_errors_prefix(st, name);
    return -1;
}

static int check_end(pv_state *st, const char *name, const pv_imported *end, const pv_options *req)
{
    if (!pv_check_unmoved(st, end->object, req, &end->image))
        return 0;
    pv_errors_prefix(st, name);
    return -1;
}

static int import_dst(pv_state *st, pv_imported *dst, const pv_options *req)
{
    return import_end(st, "dst", dst, req) || pv_check_writable(st, "dst", dst) ? -1 : 0;
}

// An end that runs Python to be read comes first: such code could change the other one.
static int import_both(pv_state *st, pv_imported *dst, const pv_options *to, pv_imported *src,
                       const pv_options *from)
{
    bool dst_first = !pv_imports_without_python(st, dst->object);
    if ((dst_first && import_dst(st, dst, to)) || import_end(st, "src", src, from) ||
        (!dst_first && import_dst(st, dst, to)))
        return -1;
    if ((dst_first && check_end(st, "dst", dst, to)) || check_end(st, "src", src, from) ||
        pv_align_source(st, src, from))
        return -1;
    src->image.stream = pv_producer_stream(src, from);
    return 0;
}

static int copy_pixels(pv_state *st, const pv_imported *dst, pv_imported *src,
                       const pv_options *options)
{
    return pv_copy_imported(st, src, options, &dst->image, dst->image.stream, NULL) ||
                   pv_count_write(st, dst)
               ? -1
               : 0;
}

// Into the planes of a video frame.
static int write_frame(pv_state *st, const pv_imported *dst, const pv_imported *src, bool given)
{
    const pixview_video_frame *frame = &dst->video->frame;
    const pv_video_writing writing = {.src = &src->image, .frames = frame, .count = 1};
    if (src->video) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "dst and src are video frames, and copy_into makes one of R, G and B; copy their "
                  "planes (frame.planes), or stack src first");
        return -1;
    }
    return pv_video_write(st, &writing, dst->image.stream, given, NULL) ||
                   pv_video_count_write(st, dst->object)
               ? -1
               : 0;
}

PV_CALL(copy_into)
{
    pv_state *st = pv_get_state(module);
    PyObject *dst = NULL, *src = NULL, *dst_layout = NULL, *src_layout = NULL, *stream = NULL;
    const pv_keyword keywords[] = {{"dst", &dst},
                                   {"src", &src},
                                   {"dst_layout", &dst_layout},
                                   {"src_layout", &src_layout},
                                   {"stream", &stream}};
    pv_options from = {.to = &pv_framework_image, .copy = -1}, to;
    pv_imported a, b;
    if (pv_parse_args("copy_into", args, nargs, kwnames, 2, keywords, 5) ||
        pv_parse_stream_option(st, stream, &from))
        return NULL;
    from.stream_object = NULL; // nothing outlives the call
    to = from;
    to.src_name = "dst_layout";
    if (pv_parse_layout(st, "dst_layout", dst_layout, &to.src_layout) ||
        pv_parse_layout(st, "src_layout", src_layout, &from.src_layout))
        return NULL;
    pv_imported_begin(&a, dst);
    pv_imported_begin(&b, src);
    PyObject *out = NULL;
    if (import_both(st, &a, &to, &b, &from) == 0 &&
        pv_check_stream_applies(&to, takes_stream(&a) || takes_stream(&b)) == 0 &&
        (a.video ? write_frame(st, &a, &b, to.has_stream) : copy_pixels(st, &a, &b, &to)) == 0) {
        out = Py_NewRef(dst);
    }
    pv_imported_clear(&a);
    pv_imported_clear(&b);
    return out;
}
