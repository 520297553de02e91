// SPDX-License-Identifier: Apache-2.0
// The least that memory can do for rows that are moved: a kernel that reads the source by whole sectors
// and writes the destination so, and reads those first that a row ends in, since the rest of them stays.
// What it writes is of no use. Floors of kcheck's bench are timed with it.
#include "rows.h"

enum { SECTOR = 32 }; // BYTES

struct sector {
    uint4 halves[2];
};

// The address of the row's sector, and what of it is the row's.
struct place {
    uint64_t at, start, end;
};

static __device__ place place_of(const kcut &cut, uint32_t index)
{
    const krows &rows = cut.rows;
    uint32_t row = pixviewi_divide(index, cut.by_sectors);
    uint32_t j = pixviewi_divide(row, cut.by[2]), i = pixviewi_divide(j, cut.by[1]);
    uint32_t k = row - j * (uint32_t)rows.counts[2];
    uint64_t start = (uint64_t)rows.data + i * rows.strides[0] +
                     (j - i * (uint32_t)rows.counts[1]) * rows.strides[1] + k * rows.strides[2];
    uint64_t at = start / SECTOR * SECTOR + (index - row * cut.sectors) * SECTOR;
    return {at, start, start + rows.bytes};
}

static __device__ void add(sector *sum, uint64_t at)
{
    for (int i = 0; i < 2; i++) {
        uint4 bits = ((const uint4 *)at)[i], *to = &sum->halves[i];
        to->x ^= bits.x, to->y ^= bits.y, to->z ^= bits.z, to->w ^= bits.w;
    }
}

static __device__ void put(const sector &bits, uint64_t at)
{
    for (int i = 0; i < 2; i++)
        ((uint4 *)at)[i] = bits.halves[i];
}

// A thread for each sector of the end that has more.
extern "C" __global__ void least(kcut src, kcut dst)
{
    uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;
    sector bits = {};
    if (thread < src.count) {
        place from = place_of(src, thread);
        if (from.at < from.end)
            add(&bits, from.at);
    }
    if (thread < dst.count) {
        place to = place_of(dst, thread);
        if (to.at < to.end) {
            if (to.at < to.start || to.at + SECTOR > to.end)
                add(&bits, to.at);
            put(bits, to.at);
        }
    } else if (bits.halves[0].x == 0x9d3a57c6 && bits.halves[1].y == 0x51f08e2b) {
        put(bits, (uint64_t)dst.rows.data / SECTOR * SECTOR); // else it would not be read
    }
}
