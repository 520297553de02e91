// SPDX-License-Identifier: Apache-2.0
// Checks every kernel against the plain C reference, then measures those that passed.
#ifndef KCHECK_H
#define KCHECK_H

#include "cuda/select/select.h"
#include "harness.h"

enum { PLANAR, MIXED, ODD }; // planes; interleaved; axes in any order, steps of any sign and size

// How one end of a move lies in memory. BYTES, multiples of the element size.
typedef struct klie {
    int order;      // PLANAR, MIXED, ODD
    int64_t offset; // of the first element from the buffer, which is aligned to 512
    int64_t pitch;  // between the rows
    int64_t gap;    // between the planes, and between the images
} klie;

typedef struct kjob {
    char name[96];
    int64_t shape[4];
    pixview_dtype from, to;
    klie src, dst;
    int list;     // PIXVIEWI_NO_LIST, ..._SRC_LIST, ..._DST_LIST
    bool varied;  // the images of a list lie in ways of their own
    bool smaller; // those of a source, or the whole batch, are smaller than the destination
    bool changed, swap;
    int factors;  // entries of a and b
    bool resizes; // a list of images of any size, or all of `extents`, rows and columns
    pixviewi_resize resize;
    int64_t extents[2];
    uint64_t seed;
} kjob;

// The two ends of a job over two blocks of memory.
typedef struct kends {
    pixviewi_copy_op op;
    pixview_image *images; // of the list, or NULL
    int64_t src_bytes, dst_bytes;
} kends;

kends make_ends(const kjob *job, char *src, char *dst);
void free_ends(kends *ends);

// Told which bytes of the source's block belong to a pixel before the kernels run, and NULL after: the
// fake driver ends the program where one touches another byte of it. Not set: a real driver.
extern void (*kmarks)(const void *start, size_t size, const uint8_t *marks);

// Runs a job on the GPU and by the reference; every byte of the destination and around it has to be
// equal. Counts the kernels. False: it differed, and said so.
bool check(const kjob *job);
extern int64_t checked[PIXVIEWI_KERNEL_COUNT];
const char *kernel_of(const kjob *job); // the (first) that it goes through

// All of it, or a part that a sanitizer gets through.
int64_t sweep(bool small, bool huge, uint64_t seed); // returns the number of failures

// `rounds` random lists of frames into images and as many batches into frames, of at most `most` rows and
// columns; returns the number of failures.
int64_t check_videos(int rounds, int64_t most, uint64_t seed);

// Time of a job beside that of a device copy of as many bytes. `markdown`: a table goes there.
int64_t bench(FILE *markdown, const char *filter);

// Memory of the GPU; ends the program when there is none.
char *gpu_alloc(int64_t bytes, pixview_owner **owner);
void gpu_upload(char *far, const char *near, int64_t bytes);
void gpu_download(char *near, const char *far, int64_t bytes);

#endif
