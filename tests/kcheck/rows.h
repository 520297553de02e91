// Rows of an end of a job, for C and for the GPU.
#ifndef ROWS_H
#define ROWS_H

#include <stdint.h>

// Dense, and in the order of their addresses.
typedef struct krows {
    const char *data;
    int64_t counts[3], strides[3]; // outermost first; BYTES
    int64_t bytes;                 // of each
} krows;

#endif
