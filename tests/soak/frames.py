# SPDX-License-Identifier: Apache-2.0
"""Frames of a pool from one process to another: usage: frames.py [--device cuda] [COUNT]

Every pixel of every hundredth frame is checked, and memory has to stay flat in both processes.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pickle
import sys
import time
from typing import Any

import numpy as np
import pixview

SHAPE = (48, 64, 3)
FRAMES = 16


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def gpu_memory(device: str) -> int:
    if device == "cpu":
        return 0
    import torch

    free, total = torch.cuda.mem_get_info()
    return total - free


def consume(pipe: Any, device: str, count: int) -> None:
    bad, early = 0, 0
    for i in range(count):
        image = pickle.loads(pipe.recv_bytes()).open()
        if i % 100 == 0:
            bad += not (pixview.as_numpy(image, copy=device != "cpu") == i // 100 % 256).all()
        del image
        if i == count // 10:
            early = resident()
    pipe.send((bad, resident() - early))


def fill(frame: Any, device: str, value: int) -> None:
    if device == "cpu":
        np.asarray(frame)[...] = value
    else:
        pixview.as_torch(frame).fill_(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "count", nargs="?", type=int, default=int(os.environ.get("SOAK_COUNT", 1_000_000))
    )
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=consume, args=(there, args.device, args.count))
    process.start()
    there.close()
    pool = pixview.Pool(SHAPE, "uint8", FRAMES, device=args.device)
    start = shown = time.monotonic()
    early = early_gpu = 0
    for i in range(args.count):
        frame = pool.get(timeout=60)
        if i % 100 == 0:
            fill(frame, args.device, i // 100 % 256)
        here.send_bytes(pickle.dumps(pixview.share(frame)))
        del frame
        if i == args.count // 10:
            early, early_gpu = resident(), gpu_memory(args.device)
        if time.monotonic() - shown > 5:
            shown = time.monotonic()
            rate = i / (shown - start)
            print(f"  {i} of {args.count} frames, {rate:.0f} a second", file=sys.stderr)
    bad, there_grew = here.recv()
    seconds = time.monotonic() - start
    grew, gpu_grew = resident() - early, gpu_memory(args.device) - early_gpu
    process.join(60)
    checked = (args.count + 99) // 100
    print(
        f"{args.count} frames on {args.device}, {args.count / seconds:.0f} a second; {checked} checked, {bad} wrong; "
        f"grew by {grew >> 10} KiB here, {there_grew >> 10} KiB there, {gpu_grew >> 10} KiB of GPU memory; "
        f"{pool.idle} of {FRAMES} frames idle"
    )
    limit = 4 << 20
    flat = max(grew, there_grew) < limit and gpu_grew < limit
    sys.exit(bad > 0 or not flat or pool.idle != FRAMES or process.exitcode != 0)


if __name__ == "__main__":
    main()
