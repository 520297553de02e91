// The least that memory can do for rows that are moved: a kernel that reads the source by whole sectors
// and writes the destination so, and reads those first that a row ends in, since the rest of them stays.
// What it writes is of no use. Floors of kcheck's bench are timed with it.
#include "rows.h"

enum { SECTOR = 32, WORD = 16 }; // BYTES

static __device__ const char *row_of(const krows &rows, int64_t index)
{
    int64_t k = index % rows.counts[2], j = index / rows.counts[2];
    return rows.data + j / rows.counts[1] * rows.strides[0] + j % rows.counts[1] * rows.strides[1] +
           k * rows.strides[2];
}

static __device__ uint64_t sector_of(uint64_t at) { return at / SECTOR * SECTOR; }

extern "C" __global__ void least(krows src, krows dst, uint32_t words, uint32_t count)
{
    uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
    uint32_t row = thread / words, word = thread % words;
    if (row >= count)
        return;
    uint64_t from = (uint64_t)row_of(src, row), to = (uint64_t)row_of(dst, row);
    uint64_t load = sector_of(from) + word * WORD, store = sector_of(to) + word * WORD;
    uint4 bits = {thread, thread, thread, thread};
    if (load < from + src.bytes)
        bits = *(const uint4 *)load;
    if (store >= to + dst.bytes)
        return;
    if (sector_of(store) < to || sector_of(store) + SECTOR > to + dst.bytes) {
        uint4 old = *(const uint4 *)store;
        bits.x ^= old.x, bits.y ^= old.y, bits.z ^= old.z, bits.w ^= old.w;
    }
    *(uint4 *)store = bits;
}
