// SPDX-License-Identifier: Apache-2.0
// Video formats, matrices and ranges: their table, their names, the shapes of planes.
#include <string.h>
#include <strings.h>

#include "descriptor/video.h"

#define ROW(name, planes, bits, down, x, y, second) \
    [PIXVIEW_VIDEO_FORMAT_##name] = {#name, second, PIXVIEWI_VIDEO_##planes, bits, down, x, y},
static const pixviewi_video_row formats[] = {PIXVIEWI_VIDEO_FORMATS(ROW)};
#undef ROW

enum { FORMATS = sizeof formats / sizeof *formats };
_Static_assert(FORMATS == PIXVIEW_VIDEO_FORMAT_GRAY16 + 1, "a row for each");

const pixviewi_video_row *pixviewi_video_find(pixview_video_format format)
{
    return (int)format > 0 && (int)format < FORMATS ? &formats[format] : NULL;
}

// ---- planes -----------------------------------------------------------------------------------

int32_t pixviewi_video_plane_count(const pixviewi_video_row *row)
{
    return row->planes == PIXVIEWI_VIDEO_PLANAR ? 3 : row->planes == PIXVIEWI_VIDEO_PAIRS ? 2 : 1;
}

const char *pixviewi_video_plane_name(pixview_video_format format, int32_t plane)
{
    const pixviewi_video_row *row = &formats[format];
    if (row->planes == PIXVIEWI_VIDEO_PACKED)
        return row->name;
    if (plane == 0)
        return "Y";
    if (row->planes == PIXVIEWI_VIDEO_PAIRS)
        return format == PIXVIEW_VIDEO_FORMAT_NV21 ? "VU" : "UV";
    return plane == 1 ? "U" : "V";
}

void pixviewi_video_plane_shape(const pixviewi_video_row *row, int32_t plane, int64_t height,
                                int64_t width, int64_t shape[3])
{
    bool packed = row->planes == PIXVIEWI_VIDEO_PACKED, chroma = packed || plane > 0;
    int64_t more_x = chroma ? row->shift_x : 0, more_y = chroma ? row->shift_y : 0;
    shape[0] = (height >> more_y) + (height & more_y); // rounded up; a shift is 0 or 1
    shape[1] = (width >> more_x) + (width & more_x);
    shape[2] = packed ? 4 : plane > 0 && row->planes == PIXVIEWI_VIDEO_PAIRS ? 2 : 1;
}

// ---- names ------------------------------------------------------------------------------------

// Is it the name, perhaps with FFmpeg's word for the order of bytes?
static bool is_format(const char *given, const char *name)
{
    size_t length = name ? strlen(name) : 0;
    return name && strncasecmp(given, name, length) == 0 &&
           (!given[length] || strcasecmp(given + length, "le") == 0);
}

pixview_video_format pixview_video_format_parse(const char *name)
{
    for (int i = 1; name && i < FORMATS; i++)
        if (is_format(name, formats[i].name) || is_format(name, formats[i].second_name))
            return (pixview_video_format)i;
    return PIXVIEW_VIDEO_FORMAT_NONE;
}

const char *pixview_video_format_name(pixview_video_format format)
{
    const pixviewi_video_row *row = pixviewi_video_find(format);
    return row ? row->name : "";
}

static const char *const matrices[] = {"", "bt601", "bt709", "bt2020", "smpte240m", "opencv"};
enum { MATRICES = sizeof matrices / sizeof *matrices };
_Static_assert(MATRICES == PIXVIEW_VIDEO_MATRIX_OPENCV + 1, "a name for each");

pixview_video_matrix pixview_video_matrix_parse(const char *name)
{
    for (int i = 1; name && i < MATRICES; i++)
        if (strcasecmp(name, matrices[i]) == 0)
            return (pixview_video_matrix)i;
    return PIXVIEW_VIDEO_MATRIX_NONE;
}

const char *pixview_video_matrix_name(pixview_video_matrix matrix)
{
    return (int)matrix > 0 && (int)matrix < MATRICES ? matrices[matrix] : "";
}

static const struct {
    const char *name;
    pixview_video_range range;
} ranges[] = {{"limited", PIXVIEW_VIDEO_RANGE_LIMITED}, {"full", PIXVIEW_VIDEO_RANGE_FULL},
              {"tv", PIXVIEW_VIDEO_RANGE_LIMITED},      {"mpeg", PIXVIEW_VIDEO_RANGE_LIMITED},
              {"pc", PIXVIEW_VIDEO_RANGE_FULL},         {"jpeg", PIXVIEW_VIDEO_RANGE_FULL}};

pixview_video_range pixview_video_range_parse(const char *name)
{
    for (size_t i = 0; name && i < sizeof ranges / sizeof *ranges; i++)
        if (strcasecmp(name, ranges[i].name) == 0)
            return ranges[i].range;
    return PIXVIEW_VIDEO_RANGE_NONE;
}

const char *pixview_video_range_name(pixview_video_range range)
{
    return range == PIXVIEW_VIDEO_RANGE_LIMITED ? "limited"
           : range == PIXVIEW_VIDEO_RANGE_FULL  ? "full"
                                                : "";
}
