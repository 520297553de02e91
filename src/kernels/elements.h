// SPDX-License-Identifier: Apache-2.0
// Any move, one element at a time: any strides, types and list. The fallback of gather.h, and the
// only kernel for what is neither rows of pixels nor rows of planes.
//
// Grid:       flat in x, a 64-bit grid-stride loop over elements in the order of the destination.
// Alignment:  the elements'; 16 bytes come as twice 8.
// Traffic:    one read and one write of the element.
#include "device.h"

namespace
{

struct element_at {
    int64_t n, row, column;
    int channel;
};

template <typename Index>
DEVICE element_at find_element(const pixviewi_tile_args &args, Index index)
{
    Index columns = (Index)args.columns, channels = (Index)args.channels, rows = (Index)args.rows;
    Index inner = args.channels_inside ? channels : columns;
    Index line = index / inner, low = index - line * inner;
    if (args.channels_inside) {
        Index above = line / columns, n = above / rows;
        return {(int64_t)n, (int64_t)(above - n * rows), (int64_t)(line - above * columns),
                (int)low};
    }
    Index above = line / rows, n = above / channels;
    return {(int64_t)n, (int64_t)(line - above * rows), (int64_t)low, (int)(above - n * channels)};
}

DEVICE char *address(const image &end, const element_at &at, int channel)
{
    return end.data + at.row * end.pixels.row + at.column * end.pixels.pixel +
           channel * end.pixels.channel;
}

template <typename T> DEVICE void move_bits(const char *from, const void *pad, char *to)
{
    store(to, from ? load<T>(from) : *(const T *)pad);
}

DEVICE void move_same(const pixviewi_tile_args &args, const char *from, char *to)
{
    if (args.src_size == 1)
        move_bits<uint8_t>(from, args.pad_bits, to);
    else if (args.src_size == 2)
        move_bits<uint16_t>(from, args.pad_bits, to);
    else if (args.src_size == 4)
        move_bits<uint32_t>(from, args.pad_bits, to);
    else
        for (int i = 0; i < args.src_size / 8; i++)
            move_bits<uint64_t>(from ? from + 8 * i : from, args.pad_bits + i, to + 8 * i);
}

DEVICE float load_float(const pixviewi_tile_args &args, const char *from)
{
    if (args.src_size == 1)
        return float_of(load<uint8_t>(from), args.src_code);
    if (args.src_size == 2)
        return float_of(load<uint16_t>(from), args.src_code);
    return float_of(load<uint32_t>(from), args.src_code);
}

DEVICE void move_changed(const pixviewi_tile_args &args, const char *from, char *to, int channel)
{
    float in = from ? load_float(args, from) : args.pad;
    int entry = channel < PIXVIEWI_TILE_CHANNELS ? channel : 0; // more have one a and b
    float value = multiply_add(in, args.a[entry], args.b[entry]);
    if (args.dst_size == 1)
        store(to, to_byte::bits(value));
    else if (args.dst_size == 4)
        store(to, to_float::bits(value));
    else if (args.dst_code == CODE_BFLOAT)
        store(to, to_bfloat::bits(value));
    else
        store(to, to_half::bits(value));
}

DEVICE void move_element(const pixviewi_list_args &all, int64_t index)
{
    const pixviewi_tile_args &args = all.tile;
    element_at at =
        args.tiles <= UINT32_MAX ? find_element(args, (uint32_t)index) : find_element(args, index);
    image src = source(all, at.n);
    const char *from = NULL;
    if (at.row < src.pixels.rows && at.column < src.pixels.columns)
        from = address(src, at, partner(args, at.channel));
    char *to = address(target(all, at.n), at, at.channel);
    if (args.changed)
        move_changed(args, from, to, at.channel);
    else
        move_same(args, from, to);
}

} // namespace
