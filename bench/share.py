# SPDX-License-Identifier: Apache-2.0
"""One frame from one process to another: pixview's pool, torch.multiprocessing, a copy through host memory.

usage: share.py [--save] [--frames 2000]

Each way sends the same 1080p RGB frames through the same pipe, one after the other: the sender makes bytes of a
frame, the receiver makes an image of them, drops it and answers. Times are medians.
"""

from __future__ import annotations

import argparse
import functools
import io
import multiprocessing
import pickle
import statistics
import sys
import time
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any

import machine
import numpy as np
import pixview

SHAPE = (1080, 1920, 3)
POOL = 8


class PoolFrames:
    """pixview.Pool: the frame's Share is pickled and opened."""

    def __init__(self, device: str) -> None:
        self.pool = pixview.Pool(SHAPE, "uint8", POOL, device=device)

    def get(self) -> Any:
        return self.pool.get(timeout=10)

    def share(self, frame: Any) -> Any:
        return pixview.share(frame)

    dump = staticmethod(pickle.dumps)

    @staticmethod
    def load(data: bytes) -> Any:
        return pickle.loads(data)

    @staticmethod
    def open(share: Any) -> Any:
        return share.open()


class TorchFrames:
    """torch.multiprocessing: the tensor is reduced by its ForkingPickler, as a Queue of it does."""

    def __init__(self, device: str) -> None:
        import torch

        self.frames = [torch.zeros(SHAPE, dtype=torch.uint8, device=device) for _ in range(POOL)]
        if device == "cpu":
            for frame in self.frames:
                frame.share_memory_()
        self.next = 0

    def get(self) -> Any:
        self.next = (self.next + 1) % POOL
        return self.frames[self.next]

    def share(self, frame: Any) -> Any:
        return frame

    @staticmethod
    def dump(frame: Any) -> bytes:
        import torch.multiprocessing  # noqa: F401, registers the reductions

        file = io.BytesIO()
        ForkingPickler(file, pickle.HIGHEST_PROTOCOL).dump(frame)
        return file.getvalue()

    @staticmethod
    def load(data: bytes) -> Any:
        return pickle.loads(data)

    @staticmethod
    def open(x: Any) -> Any:
        return x


class CopiedFrames:
    """Through host memory: downloaded, pickled, uploaded. In host memory: pickled."""

    def __init__(self, device: str) -> None:
        self.frame: Any = np.zeros(SHAPE, np.uint8)
        self.gpu = device != "cpu"
        if self.gpu:
            import torch

            self.frame = torch.zeros(SHAPE, dtype=torch.uint8, device=device)

    def get(self) -> Any:
        return self.frame

    def share(self, frame: Any) -> Any:
        return frame.cpu().numpy() if self.gpu else frame

    dump = staticmethod(functools.partial(pickle.dumps, protocol=5))

    @staticmethod
    def load(data: bytes) -> Any:
        return pickle.loads(data)

    def open(self, x: Any) -> Any:
        if not self.gpu:
            return x
        import torch

        out = torch.from_numpy(x).cuda()
        torch.cuda.synchronize()
        return out


WAYS: dict[str, Callable[[str], Any]] = {
    "pixview.Pool": PoolFrames,
    "torch.multiprocessing": TorchFrames,
    "copy through host memory": CopiedFrames,
}


def receive(pipe: Any, device: str) -> None:
    if device != "cpu":
        import torch

        torch.zeros(1, device=device)
    for name in iter(pipe.recv, None):
        way = WAYS[name](device)
        pipe.send("ready")
        while data := pipe.recv_bytes():
            start = time.perf_counter_ns()
            loaded = way.load(data)
            loaded_at = time.perf_counter_ns()
            image = way.open(loaded)
            opened = time.perf_counter_ns()
            del image, loaded
            closed = time.perf_counter_ns()
            pipe.send((loaded_at - start, opened - loaded_at, closed - opened))
        pipe.send("done")


def measure(pipe: Any, name: str, device: str, count: int) -> dict[str, float]:
    way = WAYS[name](device)
    pipe.send(name)
    pipe.recv()
    rows = []
    for _ in range(count):
        frame = way.get()
        start = time.perf_counter_ns()
        shared = way.share(frame)
        shared_at = time.perf_counter_ns()
        data = way.dump(shared)
        dumped = time.perf_counter_ns()
        pipe.send_bytes(data)
        load, opened, close = pipe.recv()
        end = time.perf_counter_ns()
        del frame, shared
        rows.append((shared_at - start, dumped - shared_at, load, opened, close, end - start))
    pipe.send_bytes(b"")
    assert pipe.recv() == "done"
    names = ("share", "pickle", "unpickle", "open", "close", "round")
    columns = zip(names, zip(*rows[count // 10 :], strict=True), strict=True)
    return {name: statistics.median(column) / 1000 for name, column in columns}


def table(device: str, count: int) -> list[str]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=receive, args=(there, device))
    process.start()
    lines = [
        f"Frames on {device}, 1080p RGB; us",
        "",
        "| | share | pickle | unpickle | open | close | there and back |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name in WAYS:
        print(f"  {device}: {name}", file=sys.stderr)
        few = max(20, count // 20) if name.startswith("copy") else count
        try:
            got = measure(here, name, device, few)
        except ImportError:
            continue
        lines.append(f"| {name} | " + " | ".join(f"{value:.1f}" for value in got.values()) + " |")
    here.send(None)
    process.join(20)
    return [*lines, ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    machine.add_save(parser)
    parser.add_argument("--frames", type=int, default=2000)
    args = machine.parse_known(parser, None)
    try:
        import torch

        gpu = torch.cuda.is_available()
    except ImportError:
        gpu = False
    facts = machine.describe(gpu)
    text = [machine.heading("Frames between two processes", facts), ""]
    for device in ["cpu", "cuda"][: 1 + gpu]:
        text += table(device, args.frames)
    print("\n".join(text))
    if args.save:
        machine.save(args.save, "share", facts, "\n".join(text))


if __name__ == "__main__":
    main()
