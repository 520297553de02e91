// SPDX-License-Identifier: Apache-2.0
// Copies between any two layouts: bits only, axes sorted and merged. Rows that are dense on both ends
// go by vectors, everything else one element at a time: the fallback of every faster kernel that moves
// bits between two batches.
//
// Grid:       flat in x; elements: a 64-bit grid-stride loop, a block takes THREADS * UNROLL consecutive
//             ones of the destination; rows: a thread for each vector of the destination.
// Alignment:  both ends and all strides to the element size; 16 bytes come in an 8-aligned form.
//             Vectors begin where the destination is aligned for them: the first and last ones of a
//             row are partial.
// Traffic:    each element read by itself; written by itself or in a vector of 8 or 16 bytes.
#ifndef PIXVIEWI_COPY_H
#define PIXVIEWI_COPY_H

#include "device.h"

namespace
{

enum { COPY_UNROLL = 4 };

struct offsets {
    int64_t src, dst;
    uint32_t inner; // which vector of its row
};

// Of axes up to LAST.
template <int LAST, typename Index>
DEVICE offsets locate(const pixviewi_copy_args &args, Index index)
{
    offsets at = {0, 0, 0};
#pragma unroll
    for (int axis = LAST; axis > 0; axis--) {
        if (axis <= args.first) { // what is outside has one element
            at.src += (int64_t)index * args.src_strides[axis];
            at.dst += (int64_t)index * args.dst_strides[axis];
            return at;
        }
        Index next;
        if constexpr (sizeof(Index) == 4)
            next = pixviewi_divide(index, args.by[axis]);
        else
            next = index / args.shape[axis];
        int64_t here = index - next * (Index)args.shape[axis];
        at.src += here * args.src_strides[axis];
        at.dst += here * args.dst_strides[axis];
        index = next;
    }
    at.src += (int64_t)index * args.src_strides[0];
    at.dst += (int64_t)index * args.dst_strides[0];
    return at;
}

// The last axis counts vectors of BYTES.
template <int BYTES> DEVICE offsets locate_vector(const pixviewi_copy_args &args, uint32_t index)
{
    uint32_t row = pixviewi_divide(index, args.by[3]);
    offsets at = locate<2>(args, row);
    at.inner = index - row * (uint32_t)args.shape[3];
    at.dst += (int64_t)at.inner * BYTES;
    return at;
}

// ---- elements -----------------------------------------------------------------------------------

// The elements base + i * THREADS + thread.
template <typename T, typename Index>
DEVICE void copy_few(const pixviewi_copy_args &args, int64_t base, int thread)
{
    T element[COPY_UNROLL];
    int64_t to[COPY_UNROLL];
#pragma unroll
    for (int i = 0; i < COPY_UNROLL; i++) {
        int64_t index = base + i * PIXVIEWI_THREADS + thread;
        if (index < args.count) {
            offsets at = locate<3>(args, (Index)index);
            element[i] = load<T>((const char *)args.src + at.src);
            to[i] = at.dst;
        }
    }
#pragma unroll
    for (int i = 0; i < COPY_UNROLL; i++)
        if (base + i * PIXVIEWI_THREADS + thread < args.count)
            store((char *)args.dst + to[i], element[i]);
}

template <typename T>
DEVICE void copy(const pixviewi_copy_args &args, int block, int blocks, int thread)
{
    const int64_t tile = PIXVIEWI_THREADS * COPY_UNROLL;
    for (int64_t base = block * tile; base < args.count; base += blocks * tile)
        if (args.narrow)
            copy_few<T, uint32_t>(args, base, thread);
        else
            copy_few<T, int64_t>(args, base, thread);
}

// ---- rows ---------------------------------------------------------------------------------------

// A vector of the destination, aligned there. It is of a row; or, with STEPS, of a run of rows that lie
// one after another in the destination only, so that it may reach into the next row. What of it is
// outside the run stays untouched.
template <typename T, bool STEPS> struct row_vector {
    static constexpr int SIZE = sizeof(T), BYTES = PIXVIEWI_ROW_BYTES(SIZE);
    static constexpr int COUNT = BYTES / SIZE;
    static constexpr uint32_t ALL = (1u << COUNT) - 1;

    T bits[COUNT];
    uint32_t inside; // a bit for each element of the run
    char *to;

    DEVICE static uint32_t first_bits(int count)
    {
        return count >= COUNT ? ALL : count <= 0 ? 0 : (1u << count) - 1;
    }

    DEVICE void load_from(const pixviewi_copy_args &args, uint32_t index)
    {
        offsets at = locate_vector<BYTES>(args, index);
        to = (char *)args.dst + at.dst;
        int shift = (int)((uint32_t)(uintptr_t)to / SIZE % COUNT);
        int first = (int)at.inner * COUNT - shift; // element of the run
        const char *from = (const char *)args.src + at.src;
        to -= shift * SIZE;
        inside = first_bits((int)args.run - first) & (first < 0 ? ALL << -first : ALL);
        if (args.apart && inside)
            fetch_cut(first, (int)args.run);
        if (STEPS)
            load_steps(args, from, first);
        else
            load_every(from + (int64_t)first * SIZE, from, COUNT, SIZE);
    }
    // Memory reads a sector that is written in part: sooner, and once, if it is in the cache.
    DEVICE void fetch_cut(int first, int run) const
    {
        uint32_t start = (uint32_t)(uintptr_t)to - (uint32_t)first * SIZE; // modulo 2^32
        uint32_t end = start + (uint32_t)run * SIZE;
        if ((first <= 0 && start % PIXVIEWI_SECTOR) ||
            (first + COUNT >= run && end % PIXVIEWI_SECTOR))
            fetch(first < 0 ? to - first * SIZE : to);
    }

    // Element e of the run is in row e / columns. `back`: rows that its first vector may begin before.
    DEVICE void load_steps(const pixviewi_copy_args &args, const char *from, int first)
    {
        if (args.columns == args.run) {
            load_row(from + first * args.step, from, COUNT, args.step);
            return;
        }
        uint32_t e = (uint32_t)first + args.back * args.columns;
        uint32_t row = pixviewi_divide(e, args.by_columns), column = e - row * args.columns;
        from += ((int64_t)row - args.back) * args.row + column * args.step;
        if (args.columns == 3)
            load_pixels<3>(args, from, column);
        else if (args.columns == 4)
            load_pixels<4>(args, from, column);
        else
            load_any(args, from, column);
    }
    // What goes on in another row, where the element before it would be `next`, from `end` on. A constant
    // step costs no instructions.
    DEVICE void load_row(const char *from, const char *next, int end, int64_t step)
    {
        if (step == 3 * SIZE)
            load_every(from, next, end, 3 * SIZE);
        else if (step == 4 * SIZE)
            load_every(from, next, end, 4 * SIZE);
        else
            load_every(from, next, end, step);
    }
    DEVICE void load_every(const char *from, const char *next, int end, int64_t step)
    {
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            if (inside & 1u << j)
                bits[j] = load<T>((j < end ? from : next) + j * step);
    }
    // `from` is in this column. Each column has a place of its own, which goes on by rows.
    template <int COLUMNS>
    DEVICE void load_pixels(const pixviewi_copy_args &args, const char *from, uint32_t column)
    {
        const char *of[COLUMNS];
#pragma unroll
        for (uint32_t k = 0; k < COLUMNS; k++)
            of[k] =
                from + k * args.step + (column + k < COLUMNS ? 0 : args.row - COLUMNS * args.step);
        if (args.row == SIZE)
            load_columns<COLUMNS>(of, SIZE);
        else
            load_columns<COLUMNS>(of, args.row);
    }
    template <int COLUMNS> DEVICE void load_columns(const char *const *of, int64_t row)
    {
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            if (inside & 1u << j)
                bits[j] = load<T>(of[j % COLUMNS] + j / COLUMNS * row);
    }
    DEVICE void load_any(const pixviewi_copy_args &args, const char *from, uint32_t column)
    {
        const int64_t next_row = args.row - args.columns * args.step;
        if (args.columns >= (uint32_t)COUNT) { // of two rows
            load_row(from, from + next_row, (int)(args.columns - column), args.step);
            return;
        }
#pragma unroll
        for (int j = 0; j < COUNT; j++) {
            if (inside & 1u << j)
                bits[j] = load<T>(from);
            from += args.step;
            if (++column == args.columns)
                column = 0, from += next_row;
        }
    }

    // Not streamed past the cache: another thread writes the rest of a partial vector's sector.
    DEVICE void store_in() const
    {
        if (inside == ALL) {
            uint32_t words[BYTES / 4];
            pack<COUNT>(bits, words);
            if constexpr (BYTES == 8)
                store(to, uint2{words[0], words[1]});
            else
                store(to, uint4{words[0], words[1], words[2], words[3]});
            return;
        }
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            if (inside & 1u << j)
                store(to + j * SIZE, bits[j]);
    }
};

template <typename T, bool STEPS>
DEVICE void copy_rows(const pixviewi_copy_args &args, int block, int thread)
{
    uint32_t index = (uint32_t)block * PIXVIEWI_THREADS + (uint32_t)thread;
    row_vector<T, STEPS> vector;
    if (index >= (uint32_t)args.count)
        return;
    vector.load_from(args, index);
    vector.store_in();
}

} // namespace

#endif
