# SPDX-License-Identifier: Apache-2.0
"""Millions of conversions in every direction leave host and device memory as they were.

    SOAK_COUNT=10000000 python tests/soak/conversions.py [WORD ...]

SOAK_COUNT is for views in host memory; a tenth of it for views on a GPU, a hundredth for copies. A WORD
chooses the directions that have it in their name. Without a GPU the fake driver of PIXVIEW_FAKE_DRIVER
stands in. Libraries that are not installed are left out, and the first line says which are there.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "python"))

import numpy as np
import pixview
from support import drain, image, resident, wrap

COUNT = int(os.environ.get("SOAK_COUNT", 10_000_000))
PIXELS = image(24, 32, 3)
ROUNDS = 20  # the rest of the log is forgotten and the GPU waited for between them
LIMIT = 1 << 20  # bytes: a leak of a byte in ten conversions

Direction = tuple[str, Callable[[Any], Any], Any, int]


def module(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError:
        return None


torch, cupy, cv2 = module("torch"), module("cupy"), module("cv2")
REAL = torch is not None and torch.cuda.is_available()


class Dlpack:
    """Shows nothing but DLPack."""

    def __init__(self, source: Any) -> None:
        self.source = source

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.source.__dlpack__(**keywords)

    def __dlpack_device__(self) -> Any:
        return self.source.__dlpack_device__()


class Gpu:
    """The real one, or the fake driver with CuPy's current stream and torch's tensors over its memory."""

    def __init__(self) -> None:
        self.lib: Any = None
        path = os.environ.get("PIXVIEW_FAKE_DRIVER")
        if REAL or not path:
            return
        from conftest import Fake, Streams

        self.lib = ctypes.CDLL(path)
        self.lib.fake_register.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        self.fake = Fake(self.lib, 0)
        self.streams = Streams()
        if cupy:
            cupy.cuda.get_current_stream = self.streams.get

    @property
    def there(self) -> bool:
        return REAL or self.lib is not None

    def settle(self) -> None:
        if REAL:
            torch.cuda.synchronize()
        elif self.lib:
            self.lib.fake_reset()
            self.streams.asked.clear()  # which it would remember for ever

    def used(self) -> int:
        """Bytes on the real GPU, blocks on the fake one."""
        if REAL:
            free, total = torch.cuda.mem_get_info()
            return total - free
        return self.lib.fake_live_blocks() if self.lib else 0

    def sources(self) -> Iterator[tuple[str, Any]]:
        if not self.there:
            return
        ours = self.image()
        yield "Image", ours
        yield "DLPack", Dlpack(ours)
        if torch:
            yield "torch", pixview.as_torch(ours)
        if cupy:
            yield "CuPy", pixview.as_cupy(ours)
        if cv2 and hasattr(cv2, "cuda") and hasattr(cv2.cuda, "createGpuMatFromCudaMemory"):
            yield "GpuMat", self.mat()

    def image(self) -> Any:
        if REAL:
            return pixview.view(torch.from_numpy(PIXELS).cuda(), src_layout="HWC")
        return self.fake.image(PIXELS.copy())

    def mat(self) -> Any:
        if not REAL:
            return wrap(cv2, self.fake.register(PIXELS.copy()))
        mat = cv2.cuda.GpuMat()
        mat.upload(PIXELS)
        return mat


def host_sources() -> Iterator[tuple[str, Any]]:
    yield "NumPy", PIXELS
    yield "Image", pixview.view(PIXELS)
    yield "DLPack", Dlpack(PIXELS)
    yield "buffer", memoryview(PIXELS)
    if torch:
        yield "torch", torch.from_numpy(PIXELS).permute(2, 0, 1)


def from_image(consume: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: consume(pixview.view(x))


def directions(gpu: Gpu) -> Iterator[Direction]:
    for name, x in host_sources():
        yield f"host {name} to NumPy", pixview.as_numpy, x, COUNT
        yield f"host {name} to Image", pixview.view, x, COUNT
        yield f"host {name} to DLPack", from_image(np.from_dlpack), x, COUNT
        yield f"host {name} to buffer", from_image(memoryview), x, COUNT
        if torch:
            yield f"host {name} to torch", pixview.as_torch, x, COUNT
        yield f"host {name} copied", lambda x: pixview.view(x, copy=True), x, COUNT // 100
        yield f"host {name} stacked", lambda x: pixview.stack([x, x], to="numpy"), x, COUNT // 100
    for name, x in gpu.sources():
        yield f"GPU {name} to Image", pixview.view, x, COUNT // 10
        if torch:
            yield f"GPU {name} to torch", pixview.as_torch, x, COUNT // 10
        if cupy:
            yield f"GPU {name} to CuPy", pixview.as_cupy, x, COUNT // 10
        if cv2 and hasattr(cv2, "cuda"):
            yield f"GPU {name} to GpuMat", pixview.as_gpumat, x, COUNT // 10
        if name == "Image":
            yield "GPU Image uploaded", lambda x: pixview.copy_into(x, PIXELS), x, COUNT // 100
        yield f"GPU {name} downloaded", lambda x: pixview.as_numpy(x, copy=True), x, COUNT // 100
        # The CPU's torch has no memory for a copy of its own tensor.
        if REAL or name in ("Image", "DLPack") and pixview._core._doctor()["kernels"]:
            yield f"GPU {name} copied", lambda x: pixview.view(x, copy=True), x, COUNT // 1000


def many(call: Callable[[Any], Any], x: Any, count: int) -> None:
    for _ in repeat(None, count):
        call(x)


def settle(gpu: Gpu) -> None:
    gpu.settle()
    drain()
    gc.collect()


def soak(gpu: Gpu, direction: Direction) -> tuple[str, bool]:
    name, call, x, count = direction
    count = max(count // ROUNDS, 1)
    many(call, x, max(2 * count, 100))  # caches fill
    settle(gpu)
    memory, used, references = resident(), gpu.used(), sys.getrefcount(x)
    begin = time.perf_counter()
    for _ in range(ROUNDS):
        many(call, x, count)
        gpu.settle()
    seconds = time.perf_counter() - begin
    settle(gpu)
    grown, device = resident() - memory, gpu.used() - used
    held = sys.getrefcount(x) - references
    flat = grown < LIMIT and device < (4 << 20 if REAL else 1) and held == 0
    return (
        f"{name}: {count * ROUNDS} in {seconds:.1f} s, {seconds / count / ROUNDS * 1e9:.0f} ns each, "
        f"host {grown / 1024:+.0f} KiB, device {device:+d}, references {held:+d}"
    ), flat


def main() -> int:
    gpu = Gpu()
    kind = "a real GPU" if REAL else "the fake driver's GPU" if gpu.there else "no GPU"
    found = [m.__name__ for m in (torch, cupy, cv2) if m]
    print(f"{kind}; NumPy, {', '.join(found)}", flush=True)
    every = [d for d in directions(gpu) if all(word in d[0] for word in sys.argv[1:])]
    failed = 0
    for number, direction in enumerate(every, 1):
        line, flat = soak(gpu, direction)
        print(f"[{number}/{len(every)}] {line}{'' if flat else '  NOT FLAT'}", flush=True)
        failed += not flat
    print(f"{len(every) - failed} of {len(every)} directions are flat")
    return int(failed > 0 or not every)


if __name__ == "__main__":
    sys.exit(main())
