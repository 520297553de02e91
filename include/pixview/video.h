// SPDX-License-Identifier: Apache-2.0
// Video frames: planes of Y, U and V as decoders make them, read as RGB and written from it.
//
// A frame is one more source of the copies in convert.h: every pixel that is read becomes RGB first, and goes
// the way of an image's pixel from there. So resizing, placing and normalising take the same one pass.
#ifndef PIXVIEW_VIDEO_H
#define PIXVIEW_VIDEO_H

#include "convert.h"
#include "image.h"

#ifdef __cplusplus
extern "C" {
#endif

// Samples of 8 bits are bytes. All others have 16 bits in the machine's order, the value in the top bits
// (P010, P012, P210) or in the low bits (YUV420P10, GRAY12 and their kind); the other bits are not looked at.
typedef enum pixview_video_format {
    PIXVIEW_VIDEO_FORMAT_NONE = 0,
    PIXVIEW_VIDEO_FORMAT_NV12, // two planes, Y and UV: U and V take turns in a row. 4:2:0
    PIXVIEW_VIDEO_FORMAT_NV21, // the same, V first
    PIXVIEW_VIDEO_FORMAT_NV16, // 4:2:2
    PIXVIEW_VIDEO_FORMAT_NV24, // 4:4:4
    PIXVIEW_VIDEO_FORMAT_P010, // like NV12, 10, 12 or 16 bits in 16
    PIXVIEW_VIDEO_FORMAT_P012,
    PIXVIEW_VIDEO_FORMAT_P016,
    PIXVIEW_VIDEO_FORMAT_P210, // like NV16
    PIXVIEW_VIDEO_FORMAT_P216,
    PIXVIEW_VIDEO_FORMAT_YUV420P, // three planes
    PIXVIEW_VIDEO_FORMAT_YUV422P,
    PIXVIEW_VIDEO_FORMAT_YUV444P,
    PIXVIEW_VIDEO_FORMAT_YUV420P10,
    PIXVIEW_VIDEO_FORMAT_YUV422P10,
    PIXVIEW_VIDEO_FORMAT_YUV444P10,
    PIXVIEW_VIDEO_FORMAT_YUV420P12,
    PIXVIEW_VIDEO_FORMAT_YUV422P12,
    PIXVIEW_VIDEO_FORMAT_YUV444P12,
    PIXVIEW_VIDEO_FORMAT_YUV420P16,
    PIXVIEW_VIDEO_FORMAT_YUV422P16,
    PIXVIEW_VIDEO_FORMAT_YUV444P16,
    PIXVIEW_VIDEO_FORMAT_YUYV,  // one plane, for every two pixels Y U Y V. 4:2:2
    PIXVIEW_VIDEO_FORMAT_UYVY,  // U Y V Y
    PIXVIEW_VIDEO_FORMAT_GRAY8, // one plane of Y; as RGB, three equal channels
    PIXVIEW_VIDEO_FORMAT_GRAY10,
    PIXVIEW_VIDEO_FORMAT_GRAY12,
    PIXVIEW_VIDEO_FORMAT_GRAY16
} pixview_video_format;

// How Y, U and V are made of R, G and B. 0 is none: pixview never guesses it.
typedef enum pixview_video_matrix {
    PIXVIEW_VIDEO_MATRIX_NONE = 0,
    PIXVIEW_VIDEO_MATRIX_BT601,
    PIXVIEW_VIDEO_MATRIX_BT709,
    PIXVIEW_VIDEO_MATRIX_BT2020,
    PIXVIEW_VIDEO_MATRIX_SMPTE240M,
    // The constants of cv2.cvtColor for NV12, NV21, I420, YUYV and UYVY: BT.601 of three digits, limited range
    // only. Of 8 bits, and not resized, its bytes are cvtColor's.
    PIXVIEW_VIDEO_MATRIX_OPENCV
} pixview_video_matrix;

typedef enum pixview_video_range {
    PIXVIEW_VIDEO_RANGE_NONE = 0,
    PIXVIEW_VIDEO_RANGE_LIMITED, // 8 bits: Y 16 to 235, U and V 16 to 240; "tv", "mpeg"
    PIXVIEW_VIDEO_RANGE_FULL     // 0 to 255; "pc", "jpeg"
} pixview_video_range;

// The order of the channels that a frame has as an image.
typedef enum pixview_video_order {
    PIXVIEW_VIDEO_ORDER_RGB = 0,
    PIXVIEW_VIDEO_ORDER_BGR
} pixview_video_order;

// Which U and V a pixel has between those that are stored.
typedef enum pixview_video_chroma {
    PIXVIEW_VIDEO_CHROMA_NEAREST = 0 // those of its group: of column x / 2 and row y / 2
} pixview_video_chroma;

// Where U and V lie among the pixels that they are made of, when a frame is written.
typedef enum pixview_video_siting {
    PIXVIEW_VIDEO_SITING_LEFT = 0, // MPEG-2, H.264, H.265: in the left column, between the rows
    PIXVIEW_VIDEO_SITING_CENTER,   // MPEG-1, JPEG: between both
    PIXVIEW_VIDEO_SITING_TOP_LEFT  // BT.2020 discs: at the top left pixel
} pixview_video_siting;

// A view of memory that holds a frame. Zeroed is not a valid frame: fill it with pixview_video_frame_init.
// Copying the struct copies no count.
typedef struct pixview_video_frame {
    // What the format says, each N = 1, of uint8 or uint16, H,W,C: Y is height, width, 1; with sizes rounded
    // up, UV is height / 2, width / 2, 2 (4:2:0), U and V the same with 1, YUYV is height, width / 2, 4.
    pixview_image planes[3];
    int32_t plane_count;
    int32_t bits;          // of a sample's value: 8, 10, 12, 16
    int64_t height, width; // pixels
    pixview_video_format format;
    pixview_video_matrix matrix; // may be NONE for GRAY
    pixview_video_range range;
    pixview_video_order order;
    pixview_video_chroma chroma;
    uint32_t reserved; // must be 0
} pixview_video_frame;

typedef struct pixview_video_params {
    size_t struct_size; // sizeof(pixview_video_params)
    pixview_video_format format;
    pixview_video_matrix matrix;
    pixview_video_range range;
    pixview_video_order order;   // 0: RGB
    pixview_video_chroma chroma; // 0: nearest
    // Pixels that show; 0: all that the first plane has. Of larger planes the top left part is taken.
    int64_t height, width;
} pixview_video_params;

// All planes in one piece of memory, one after the other, as decoders give it.
typedef struct pixview_video_surface {
    size_t struct_size; // sizeof(pixview_video_surface)
    void *data;         // of Y, or of the only plane
    int64_t
        pitch; // BYTES from row to row of the first plane. Rows of UV are as far apart in NV12 (NV24: twice
               // as far), those of U and V in YUV420P half as far
    int64_t
        coded_rows; // rows of Y before the next plane begins, such as 1088 of 1080; 0: the height
    int64_t nbytes; // BYTES at data, which no plane may leave; 0: not known
    pixview_device device;
    uint32_t flags;        // PIXVIEW_FLAG_READ_ONLY
    pixview_stream stream; // of the planes; 0: legacy default stream
    pixview_owner *owner;  // of the planes; may be NULL
} pixview_video_surface;

// Describes planes as a frame.
//
// planes    `count` images with N = 1, in the order of the format. A plane may also lack its last axis, if its
//           rows are dense: UV as height / 2, width; YUYV as height, width, 2. One device, uint8 or uint16 as
//           the format says. Strides in BYTES, any; rows of UV and of YUYV are a multiple of a whole group
//           apart, so that an odd pitch is an error.
// params    height and width are needed only where the planes are larger than the frame.
// err       may be NULL, here and everywhere below. Written only on failure, and then always.
// Memory:   nothing is taken or counted: the planes' owners are in out->planes, as in a copy of the images. To
//           keep the frame, pixview_video_frame_retain.
// Returns:  PIXVIEW_OK
//           PIXVIEW_E_INVALID  NULL, struct_size of another library, an order or chroma that is none
//           PIXVIEW_E_LAYOUT   no such format; no matrix or range, or OPENCV with full range; another number of
//                              planes; planes that do not fit each other or the size; an odd pitch
//           PIXVIEW_E_DTYPE    a plane of another type
//           PIXVIEW_E_DEVICE   planes on two devices
// Thread-safety: safe, here and everywhere below, if no other thread writes what is read.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_video_frame_init(pixview_video_frame *out, const pixview_image *planes, int32_t count,
                         const pixview_video_params *params, pixview_error *err);

// The same of one surface. params->height and width are needed. Memory and errors as above, and PIXVIEW_E_LAYOUT
// for a pitch below a row of any plane, for coded_rows below the height, and for a plane that leaves nbytes.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_video_frame_init_surface(pixview_video_frame *out, const pixview_video_surface *surface,
                                 const pixview_video_params *params, pixview_error *err);

// Checks every rule that pixview_video_frame_init checks, of a frame filled by hand. A released one is
// PIXVIEW_E_LAYOUT.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_video_frame_validate(const pixview_video_frame *frame, pixview_error *err);

// Counts up the owner of each plane, or down. NULL is allowed. A released frame is zeroed, and no frame any
// more. A valid frame only, or one that is zeroed.
PIXVIEW_API void pixview_video_frame_retain(const pixview_video_frame *frame);
PIXVIEW_API void pixview_video_frame_release(pixview_video_frame *frame);

// The rectangle of h rows and w columns at (y, x), all in pixels, at least one. Owners are not counted up. `out`
// may be `frame`. PIXVIEW_E_LAYOUT if it leaves the frame, or begins inside a group of pixels that share their
// U and V, which no frame can describe: 4:2:0 needs an even y and x, 4:2:2 an even x. (A region of
// pixview_stack_sources may begin anywhere.)
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_video_frame_crop(const pixview_video_frame *frame, int64_t y, int64_t x, int64_t h,
                         int64_t w, pixview_video_frame *out, pixview_error *err);

// Formats, matrices and ranges by name, in any case. Formats also by FFmpeg's names (yuv420p10le, yuyv422,
// gray) and PyNvVideoCodec's (YUV444, YUV444_16BIT), and I420. Of ranges also tv, mpeg, pc, jpeg. Not yuvj420p
// and its kind, which are YUV420P of full range. Unknown names and NULL: NONE, which is 0, and "".
PIXVIEW_API pixview_video_format pixview_video_format_parse(const char *name);
PIXVIEW_API const char *pixview_video_format_name(
    pixview_video_format format); // "NV12", "YUV420P10"
PIXVIEW_API pixview_video_matrix pixview_video_matrix_parse(const char *name);
PIXVIEW_API const char *pixview_video_matrix_name(pixview_video_matrix matrix); // "bt709"
PIXVIEW_API pixview_video_range pixview_video_range_parse(const char *name);
PIXVIEW_API const char *pixview_video_range_name(pixview_video_range range); // "limited"

// ---- frame to image ------------------------------------------------------------------------------

// An image or a frame: one of the two, the other is NULL.
typedef struct pixview_source {
    const pixview_image *image;
    const pixview_video_frame *frame;
} pixview_source;

// pixview_stack of a list that may contain frames. A frame counts as a uint8 image with H = height, W = width
// and C = 3, in frame->order, with values of 0 to 255 at every depth: of limited 10-bit video, Y = 940 is 255.
// So the images of the list are uint8, and scale, mean, std and pad_value do not depend on the source.
//
// Values:   with the coefficients q of 20 bits behind the point, made in double from matrix, range and depth:
//             sum   = q_y * (Y - offset) + q_u * (U - middle) + q_v * (V - middle)         in int32
//             uint8 = (sum + 2^19) >> 20, clipped to 0 to 255
//             float = float32(sum clipped to 0 to 255 * 2^20) * 2^-20                     one rounding
//           A pixel of an 8-bit frame is that uint8, whatever the result's type. One of a deeper frame is that
//           float; only where nothing else happens to it (a uint8 result, no scale, mean or std, and a size
//           that stays, or nearest), it is that uint8.
// Resized:  pixels become RGB first, then they are interpolated: those of 8-bit frames as pixels of a uint8
//           image, those of deeper frames in float32 between pixel centres (as uint16 images), then come scale,
//           mean and std, then the rounding to the result's type. Pillow's interpolations are for 8 bits
//           (PIXVIEW_E_DTYPE).
// Regions   of params->geometry->rois may begin at any pixel.
// dst       N = count, C = 3; uint8, float16, bfloat16 or float32, any strides.
// params    may be NULL. Without a geometry sizes are those of dst, or smaller with params->pad.
// Returns:  as pixview_stack; PIXVIEW_E_INVALID for an entry with both or none of image and frame, PIXVIEW_E_LAYOUT
//           for a frame that pixview_video_frame_validate refuses, PIXVIEW_E_MEMORY for a list too long for the
//           memory, PIXVIEW_E_UNSUPPORTED for frames on a GPU without kernels. On a GPU area and Pillow's
//           interpolations of frames take memory of the stream, and are PIXVIEW_E_CUDA (900) in a graph capture.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_stack_sources(const pixview_source *srcs, int64_t count, const pixview_image *dst,
                      const pixview_convert_params *params, pixview_error *err);

// The same of one frame; dst has N = 1. params may be NULL: RGB of 0 to 255.
PIXVIEW_API PIXVIEW_NODISCARD pixview_status
pixview_video_to_image(const pixview_video_frame *src, const pixview_image *dst,
                       const pixview_convert_params *params, pixview_error *err);

// ---- image to frame ------------------------------------------------------------------------------

// Writes the n-th image of the batch `src` into dsts[n], all `count` of them: RGB, or BGR where the frame's
// order says so, into its planes. What a plane has beyond the frame, between its rows too, is not touched.
//
// src       N = count, C = 3, H and W of each frame; uint8 int8 uint16 int16 int32 float16 bfloat16 float32.
// dsts      valid frames, on the device of src. They may not share bytes with each other or src.
// params    may be NULL. scale, mean and std as in pixview_convert, to get back to 0 to 255 (of an image that was
//           normalised by m and s: scale = 1, mean = -m / s, std = 1 / s, and 255 times that where s was of 0
//           to 1); swap_rb. No pad and no geometry.
// siting    of U and V where they are fewer than the pixels: along an axis the mean of two pixels, or, where
//           they lie on a pixel, a quarter of its neighbours each and half of itself; edges are repeated.
// Values:   clipped to 0 to 255 (NaN: 0) but not rounded, averaged, and then in float32
//             sample = rint(fma(c_r, R, fma(c_g, G, fma(c_b, B, offset)))), clipped to what its bits hold;
//           the coefficients are made in double and rounded once. Bits that hold no value are 0.
// Memory, Async as for pixview_unstack.
// Returns:  PIXVIEW_OK
//           PIXVIEW_E_INVALID      NULL, struct_size of another library, count < 1, an unknown siting, params with
//                                  a pad or geometry, numbers that pixview_convert refuses
//           PIXVIEW_E_LAYOUT       an unsound frame, named by its index, other extents, memory that is shared, a
//                                  plane that overlaps itself
//           PIXVIEW_E_DTYPE        no row of the table of pixview_convert
//           PIXVIEW_E_READONLY     a plane is read-only
//           PIXVIEW_E_DEVICE       two devices
//           PIXVIEW_E_MEMORY       no memory for the list
//           PIXVIEW_E_UNSUPPORTED  on a GPU, without kernels
//           PIXVIEW_E_CUDA         the driver refused; dsts are unspecified. Otherwise nothing was queued
PIXVIEW_API PIXVIEW_NODISCARD pixview_status pixview_video_from_images(
    const pixview_image *src, const pixview_video_frame *dsts, int64_t count,
    const pixview_convert_params *params, pixview_video_siting siting, pixview_error *err);

#ifdef __cplusplus
}
#endif

#endif
