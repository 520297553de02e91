# SPDX-License-Identifier: Apache-2.0
"""What memory allows a letterbox of 32 frames of 1080p to 640 x 640, beside a copy of as many bytes.

    python bench/letterbox_floor.py        needs a GPU, torch and CuPy

A kernel reads the rows that the letterbox reads, whole, and writes the batch, both in vectors of 16
bytes. It computes nothing, and what it writes is of no use. The best of twelve shapes of it is printed.
"""

import statistics

import cupy
import numpy as np
import torch
from gputime import block

N, CANVAS, INNER, BLOCK, ROUNDS = 32, 640, 360, 20, 9
SHAPES = [(rows, threads) for rows in (4, 8, 12, 16, 24, 32) for threads in (128, 160)]
# Of a frame: vectors of a row, from one row to the next, and those of the allocation.
SOURCES = {"NV12": (120, 128, 1620), "R,G,B": (360, 360, 1080)}
KERNEL = cupy.RawKernel(
    r"""
extern "C" __global__ void letterbox_floor(const uint4 *const *frames, uint4 *batch, int row, int step, int out,
                                           int rows, int first, int inner, int canvas, int nv12)
{
    const int blocks = (canvas + rows - 1) / rows, n = blockIdx.x / blocks, t = threadIdx.x;
    const int begin = blockIdx.x % blocks * rows;
    const uint4 *frame = frames[n];
    uint4 *to = batch + (size_t)n * 3 * canvas * out;
    for (int y = begin; y < begin + rows && y < canvas; y += 4) {
        uint4 v[4][3];
        #pragma unroll
        for (int k = 0; k < 4; k++) {
            const int r = y + k - first;
            #pragma unroll
            for (int j = 0; j < 3; j++)
                v[k][j] = make_uint4(y, t, j, 0);
            if (r < 0 || r >= inner)
                continue;
            const uint4 *at = frame + (size_t)(3 * r + 1) * step;
            if (nv12 && t < row) {
                v[k][0] = at[t];
                v[k][1] = v[k][2] = frame[(size_t)(1080 + (3 * r + 1) / 2) * step + t];
            }
            if (!nv12)
                #pragma unroll
                for (int j = 0; j < 3; j++)
                    if (t + j * blockDim.x < row)
                        v[k][j] = at[t + j * blockDim.x];
        }
        #pragma unroll
        for (int k = 0; k < 4; k++)
            if (y + k < canvas)
                #pragma unroll
                for (int j = 0; j < 3; j++)
                    for (int i = t; i < out; i += blockDim.x) {
                        uint4 w = v[k][j];
                        w.x += i;
                        to[((size_t)j * canvas + y + k) * out + i] = w;
                    }
    }
}""",
    "letterbox_floor",
    options=("-std=c++17",),
)


def microseconds(call):
    block(call, BLOCK)
    return statistics.median(block(call, BLOCK) for _ in range(ROUNDS))


def floor_of(source, size):
    """(us of the kernel, us of a copy, MB that move); `size`: BYTES of an element of the batch."""
    row, step, rows = SOURCES[source]
    frames = [torch.zeros(step * 16 * rows, device="cuda", dtype=torch.uint8) for _ in range(N)]
    addresses = torch.tensor([frame.data_ptr() for frame in frames], device="cuda")
    batch = torch.empty(N * 3 * CANVAS * CANVAS * size, device="cuda", dtype=torch.uint8)
    moved = N * INNER * row * 16 * (2 if source == "NV12" else 1) + batch.numel()
    of, to = (torch.zeros(moved // 2, device="cuda", dtype=torch.uint8) for _ in range(2))

    def launch(shape):
        rows, threads = shape
        numbers = (row, step, CANVAS * size // 16, rows, (CANVAS - INNER) // 2, INNER, CANVAS,
                   source == "NV12")  # fmt: skip
        arguments = (
            np.uint64(addresses.data_ptr()),
            np.uint64(batch.data_ptr()),
            *map(np.int32, numbers),
        )
        KERNEL((N * -(-CANVAS // rows),), (threads,), arguments)

    with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
        best = min(microseconds(lambda shape=shape: launch(shape)) for shape in SHAPES)
    return best, microseconds(lambda: to.copy_(of)), moved / 1e6


def main():
    print(
        f"{torch.cuda.get_device_name()}\n\n| | us | copy, us | MB | % of copy |\n| --- | ---: | ---: | ---: | ---: |"
    )
    for source in SOURCES:
        for name, size in (("uint8", 1), ("float16", 2), ("float32", 4)):
            kernel, copy, moved = floor_of(source, size)
            print(
                f"| {source} to {name} | {kernel:.1f} | {copy:.1f} | {moved:.0f} | {100 * copy / kernel:.0f} |"
            )


if __name__ == "__main__":
    main()
