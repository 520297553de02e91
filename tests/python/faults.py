# SPDX-License-Identifier: Apache-2.0
"""Fault sweep of the extension: the nth allocation fails, for every n until a call comes through.

usage: python faults.py GROUP, in a process of its own, with libfakemalloc.so preloaded

Two kinds: Python's allocators, by CPython's own test switch, and malloc where pixview itself calls it.
Each call gives its result or raises MemoryError; afterwards reference counts, the number of Images and
the fake driver's state are as before, and a destination holds all of the result or what it held.
"""

from __future__ import annotations

import _testcapi
import ctypes
import faulthandler
import gc
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pixview
from fault_cases import (
    Case,
    World,
    conversion_cases,
    cupy_cases,
    exchange_cases,
    gpumat_cases,
    image_cases,
    list_cases,
    share_cases,
    video_cases,
)
from support import address, drain

MOST = 4000  # faults of one call
lib = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
lib.fake_register.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
lib.fake_stream.restype = ctypes.c_uint64
failing_malloc = ctypes.CDLL(None)
small = np.zeros((1, 1), np.uint8)


class PythonFaults:
    """Allocations of objects and of PyMem. Whether one failed shows in the next ones: did they?"""

    name = "Python"

    def run(self, call: Callable[[], Any], n: int) -> tuple[Any, BaseException | None, bool]:
        result, error, left = None, None, False
        gc.collect()  # also clears the lists of free dictionaries, tuples, ...
        try:
            _testcapi.set_nomemory(n, n + 1)
            result = call()
        except BaseException as raised:
            error = raised
        try:
            for _ in range(n + 2):
                bytearray()
        except MemoryError:
            left = True
        _testcapi.remove_mem_hooks()
        return result, error, not left


class MallocFaults:
    """Calls of malloc and calloc in pixview's own code."""

    name = "malloc"

    def run(self, call: Callable[[], Any], n: int) -> tuple[Any, BaseException | None, bool]:
        result, error = None, None
        spare = pixview.view(small)  # takes the block that is kept for the next owner
        try:
            failing_malloc.fake_malloc_fail(n + 1)
            result = call()
        except BaseException as raised:
            error = raised
        failed = failing_malloc.fake_malloc_left() == 0
        failing_malloc.fake_malloc_fail(0)
        del spare
        return result, error, failed


def contents(x: Any) -> bytes:
    return ctypes.string_at(address(x), x.nbytes)


def descriptors() -> int:
    """But for events, which an entry of the ledger keeps for the next image."""
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += "fake-cuda-event" not in os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:  # of the listing itself
            pass
    return count


class Sweep:
    def __init__(self) -> None:
        self.faults = 0
        self.wrong: list[str] = []

    def counts(self, case: Case) -> tuple[Any, ...]:
        refs = [] if case.python else [sys.getrefcount(x) for x in case.watched]
        kinds = (pixview.Image, pixview.VideoFrame, pixview.Pool, pixview.Share)
        kinds = () if case.python else kinds
        images = [sys.getrefcount(kind) for kind in kinds]
        shared = lib.fake_live_shared(), descriptors()
        return (*refs, *images, *shared, lib.fake_live_blocks(), lib.fake_context_depth())

    def settle(self, case: Case, before: tuple[Any, ...]) -> tuple[Any, ...]:
        if self.counts(case) != before:
            drain()
            gc.collect()
        end = time.monotonic() + 2
        while self.counts(case) != before and time.monotonic() < end:
            time.sleep(0.001)  # the thread of shared images ends some
        return self.counts(case)

    def one(self, case: Case, kind: Any, n: int, whole: bytes | None) -> bool:
        """False: nothing was left to fail."""
        before = self.counts(case)
        held = None
        if case.written is not None:
            held = blank(case.written)
        result, error, failed = kind.run(case.call, n)
        where = f"{case.name}, {kind.name} fault {n}"
        if error is not None:
            if not isinstance(error, case.errors) and failed:
                self.wrong.append(
                    f"{where}: {type(error).__name__}: {error!s:.200} {error.__cause__!r:.200}"
                )
            if not failed and not isinstance(error, MemoryError):
                raise error
            error.__traceback__ = None
        elif case.after:
            case.after()
        if held is not None and contents(case.written) not in (
            (held, whole) if error else (whole,)
        ):
            self.wrong.append(f"{where}: the destination is half written")
        del result, error
        now = self.settle(case, before)
        if now != before:
            self.wrong.append(f"{where}: counts {now} instead of {before}")
        return failed

    def faults_of(self, case: Case, kind: Any, whole: bytes | None) -> int:
        n = 0
        while n < MOST and self.one(case, kind, n, whole):
            n += 1
        return n

    def sweep(self, case: Case) -> None:
        print(case.name, file=sys.stderr)  # the last line of a crash
        pixview._core._force(**case.force)
        for _ in range(2):  # what is made once is not this sweep's
            result = case.call()
            if case.after:
                case.after()
            del result
        gc.collect()
        gc.freeze()
        whole = contents(case.written) if case.written is not None else None
        for kind in (PythonFaults(), MallocFaults()):
            for _ in range(4):  # nor what errors make once
                blocks = sys.getallocatedblocks()
                n = self.faults_of(case, kind, whole)
                gc.collect()
                grown = sys.getallocatedblocks() - blocks
                if case.python or grown <= 50 + n:
                    break
            else:
                self.wrong.append(f"{case.name}, {kind.name}: {grown} more objects, {n} faults")
            self.faults += n
            if n == MOST:
                self.wrong.append(f"{case.name}: still failing after {n} faults")
        pixview._core._force(gpumat="auto", torch_table=True)


def blank(x: Any) -> bytes:
    """Fills a destination with zeros."""
    ctypes.memset(address(x), 0, x.nbytes)
    return contents(x)


def fake_cupy(world: World) -> Any:
    """CuPy over the fake driver's memory, by C functions only: see fault_cases.py."""
    import cupy

    blocks = {}
    for size in (90, 180):
        array = world.gpu_array(size)
        memory = cupy.cuda.UnownedMemory(array.ctypes.data, size, array, 0)
        blocks[size] = cupy.cuda.MemoryPointer(memory, 0)
    # Each is called with or without an argument. A lock stands for a device that is made current.
    cupy.cuda.set_allocator(blocks.__getitem__)
    cupy.cuda.get_current_stream = partial(next, itertools.repeat(SimpleNamespace(ptr=0)))
    cupy.cuda.Device = partial(next, itertools.repeat(threading.RLock()))
    return cupy


def cases_of(group: str, world: World) -> Iterator[Case]:
    if group == "image":
        yield from image_cases(world)
        yield from exchange_cases(world)
    if group == "conversions":
        import torch

        yield from conversion_cases(world, torch)
    if group == "lists":
        import torch

        yield from list_cases(world, torch)
    if group == "video":
        import torch

        yield from video_cases(world, torch)
    if group == "shares":
        yield from share_cases(world)
    if group == "cupy":
        yield from cupy_cases(world, fake_cupy(world))
    if group == "gpumat":
        import cv2

        yield from gpumat_cases(world, cv2)


def main(group: str) -> int:
    faulthandler.enable()
    module = ctypes.CDLL(pixview._core.__file__)
    assert failing_malloc.fake_malloc_watch(ctypes.cast(module.PyInit__core, ctypes.c_void_p))
    sweep, world = Sweep(), World(lib)
    only = sys.argv[2:]
    gc.disable()
    for case in cases_of(group, world):
        if not only or case.name in only:
            sweep.sweep(case)
    print(f"{sweep.faults} faults")
    print("\n".join(sweep.wrong))
    return 1 if sweep.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
