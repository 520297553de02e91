# SPDX-License-Identifier: Apache-2.0
"""The matrix without a GPU: host memory for real, device memory where addresses are enough.

CPU torch makes cuda:0 tensors but cannot allocate any, and an OpenCV with CUDA allocates by itself:
such copies are planned only, and made in tests/gpu.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pixview
import pytest
from matrix.cells import World, pair
from matrix.producers import DEVICE, HOST
from matrix.sources import CORE, ROOM, Source, storage

TO = ("torch", "cupy", "numpy", "image")


class HostWorld(World):
    host = True
    ml_dtypes = find_spec("ml_dtypes") is not None
    producers = HOST

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self.held: list[Any] = []
        super().__init__()

    def upload(self, bytes_: np.ndarray[Any, Any]) -> int:
        self.held.append(bytes_)
        return bytes_.ctypes.data

    def can_copy(self, producer: str, to: str) -> bool:
        """OpenCV with CUDA allocates by itself, which needs a GPU."""
        return to != "gpumat" or not pixview._core._doctor()["gpumat"]["cuda"]

    def tensor(self, s: Source, owner: Any) -> Any:
        if s.dtype == "bfloat16":
            return self.torch.from_dlpack(HOST["DLPack"](self, s, owner))
        return self.torch.from_numpy(HOST["numpy"](self, s, owner))


def use_ring(cupy: Any, fake: Any) -> None:
    """CuPy's memory from a few blocks, again and again: the fake driver keeps a list of ranges."""
    blocks = fake.register(np.full((16, ROOM), 0xA5, np.uint8))
    turns = itertools.cycle(range(len(blocks)))

    def allocate(size: int) -> Any:
        assert size <= ROOM
        block = blocks[next(turns)]
        return cupy.cuda.MemoryPointer(
            cupy.cuda.UnownedMemory(block.ctypes.data, size, block, 0), 0
        )

    cupy.cuda.set_allocator(allocate)


class FakeWorld(HostWorld):
    host = False
    producers = DEVICE

    def __init__(self, torch: Any, cupy: Any, fake: Any) -> None:
        self.cupy, self.fake = cupy, fake
        super().__init__(torch)
        use_ring(cupy, fake)

    def upload(self, bytes_: np.ndarray[Any, Any]) -> int:
        return super().upload(self.fake.register(bytes_.copy()))

    def tensor(self, s: Source, owner: Any) -> Any:
        shown = DEVICE["pointer"](self, s, owner)
        return pixview.as_torch(shown, layout=s.layout)

    def cupy_array(self, s: Source, owner: Any) -> Any:
        memory = self.cupy.cuda.UnownedMemory(self.start(s), ROOM, owner, 0)
        where = self.cupy.cuda.MemoryPointer(memory, s.offset)
        return self.cupy.ndarray(s.shape, storage(s.dtype), where, strides=s.strides)

    def can_copy(self, producer: str, to: str) -> bool:
        if to == "torch" or (to in ("image", "gpumat") and producer == "torch"):
            return False
        return producer == "cupy" or super().can_copy(producer, to)


@pytest.fixture
def host(torch: Any, cupy: Any, fake: Any) -> HostWorld:
    use_ring(cupy, fake)
    return HostWorld(torch)


@pytest.fixture
def device(torch: Any, cupy: Any, fake: Any, kernels: None) -> FakeWorld:
    return FakeWorld(torch, cupy, fake)


@pytest.fixture
def with_opencv(gpumat: Any, cv2: Any) -> Callable[[HostWorld], HostWorld]:
    def add(world: HostWorld) -> HostWorld:
        world.cv2, world.opencv = cv2, int(cv2.__version__.split(".")[0])
        return world

    return add


@pytest.mark.parametrize("to", TO)
@pytest.mark.parametrize("producer", HOST)
def test_host_memory(host: HostWorld, producer: str, to: str) -> None:
    found = pair(host, producer, to)
    assert found["copy"] and (found["view"] or to == "cupy")


@pytest.mark.parametrize("to", TO)
@pytest.mark.parametrize("producer", [name for name in DEVICE if "gpumat" not in name])
def test_device_memory(device: FakeWorld, producer: str, to: str) -> None:
    found = pair(device, producer, to, brief=True)
    assert found["copy"] or found["planned only"]
    assert found["view"] or to == "numpy"


@pytest.mark.cv2
@pytest.mark.parametrize("producer", [name for name in DEVICE if "gpumat" not in name])
def test_to_gpumat(device: FakeWorld, with_opencv: Any, producer: str) -> None:
    found = pair(with_opencv(device), producer, "gpumat")
    assert found["view"] and found["refused"]


@pytest.mark.cv2
@pytest.mark.parametrize("producer", HOST)
def test_host_memory_to_gpumat(host: HostWorld, fake: Any, with_opencv: Any, producer: str) -> None:
    found = pair(with_opencv(host), producer, "gpumat", (*CORE, "bool"))
    assert found["refused"] and not found["view"]


@pytest.mark.cv2
@pytest.mark.parametrize("to", (*TO, "gpumat"))
def test_from_gpumat(device: FakeWorld, with_opencv: Any, to: str) -> None:
    found = pair(with_opencv(device), "gpumat", to)
    assert found["view"] or to == "numpy"
