// SPDX-License-Identifier: Apache-2.0
// Video frames of decoders: one file for each, and what they have in common. Nothing else names a decoder, and
// none is imported: an object is recognised by the name of its type and by an attribute.
#ifndef PV_FRAMEWORKS_VIDEO_H
#define PV_FRAMEWORKS_VIDEO_H

#include "descriptor/video.h"
#include "frameworks/framework.h"

// What was found in an object. What the caller named is there before, and stays: the keyword wins.
typedef struct pv_video_source {
    pixview_video_params params; // of what the object does not say: 0
    int count;                   // of planes that were found
    PyObject *objects[3];        // owned; each is read as an image. NULL: it is in
    pixview_image images[3];     // by address, without an owner: the object is held
    pixview_layout layout;       // of objects; NONE: by their rank, H,W or H,W,C
    bool is_surface;             // the only one has all planes in it, one below the other
    bool has_order;              // order= was given
    bool has_device;             // device= was given
    pixview_device device;       // of addresses
    bool has_stream;             // stream= was given
    pv_stream stream;            // of addresses and capsules; the object is borrowed
    bool is_overwritten; // by work on a stream that nobody can name: the host waits for a copy
} pv_video_source;

// Finds the planes of x. 0, or -1 with an error; pv_video_source_clear in both cases.
int pv_video_read(pv_state *st, PyObject *x, pv_video_source *source);
void pv_video_source_clear(pv_video_source *source);

// ---- for the adapters -------------------------------------------------------------------------
// All return 0, or -1 with an error, unless a line says otherwise.

typedef struct pv_video_adapter {
    const char *type;      // the last word of the name of x's type, or of a base
    const char *attribute; // that x has; NULL: any
    int (*read)(pv_state *st, PyObject *x, pv_video_source *source);
} pv_video_adapter;

extern const pv_video_adapter pv_video_pyav, pv_video_nvcodec, pv_video_torchcodec, pv_video_vali,
    pv_video_spdl_gpu, pv_video_spdl_host;

// planes.c: what no decoder made: a VideoFrame, planes, addresses, one array.
int pv_video_read_planes(pv_state *st, PyObject *x, pv_video_source *source);

// facts.c. What an attribute of x is: new, NULL with an error that names it; a number; a word ("" if it is
// None).
enum { PV_VIDEO_WORD = 40 };
PyObject *pv_video_get(pv_state *st, PyObject *x, const char *name);
int pv_video_get_number(pv_state *st, PyObject *x, const char *name, int64_t *out);
int pv_video_get_word(pv_state *st, PyObject *x, const char *name, char out[PV_VIDEO_WORD]);
// The same of x.outer.name, such as an enum's.
int pv_video_get_inner_word(pv_state *st, PyObject *x, const char *outer, const char *name,
                            char out[PV_VIDEO_WORD]);
// Extents of what an attribute or a method of x gives.
int pv_video_number_of(pv_state *st, PyObject *x, const char *name, PyObject *value, int64_t *out);

// facts.c. NONE if the word or number says nothing, or nothing that pixview knows.
pixview_video_matrix pv_video_matrix_of_word(const char *word); // also FFmpeg's
pixview_video_matrix pv_video_matrix_of_number(int64_t number); // of ITU-T H.273
pixview_video_range pv_video_range_of_number(int64_t number);   // FFmpeg's
// Also yuvj420p and its kind, which say their range too. params->format is NONE after an unknown word.
void pv_video_format_of_word(const char *word, pixview_video_params *params);

// found.c. The object says its format by this word: an error if pixview does not know it, and no keyword does.
int pv_video_says_format(pv_state *st, PyObject *x, const char *word, pv_video_source *source);
void pv_video_says_colour(pv_video_source *source, pixview_video_matrix matrix,
                          pixview_video_range range);
// How much shows, unless size= says it.
void pv_video_says_size(pv_video_source *source, int64_t height, int64_t width);
// The next plane, of a frame of that size, at an address; pitch in bytes, 0: dense rows.
int pv_video_add_address(pv_state *st, pv_video_source *source, void *address, int64_t pitch,
                         int64_t height, int64_t width);
// All planes, one below the other: rows of that many samples.
int pv_video_add_surface(pv_state *st, pv_video_source *source, void *address, int64_t pitch,
                         int64_t rows, int64_t samples);
// The GPU of an address, unless device= says it.
int pv_video_find_gpu(pv_state *st, pv_video_source *source, void *address);

#endif
