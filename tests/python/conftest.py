# SPDX-License-Identifier: Apache-2.0
"""Fixtures: libraries that may be missing, the fake CUDA driver, and what every test must leave behind.

Tests marked cv2 run once for each OpenCV that is put on the path; the others run without any.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pixview
import pytest
from support import Stream, drain


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "cv2: needs an OpenCV; run once for each OpenCV folder")


def cheap_collections() -> None:
    """Every gc.collect() from now on passes over what exists: modules, and pytest's list of tests."""
    gc.collect()
    gc.freeze()


def pytest_collection_finish() -> None:
    cheap_collections()


@pytest.fixture(scope="session")
def torch() -> Any:
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def cv2() -> Any:
    return pytest.importorskip("cv2")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    from matrix import cells

    if cells.counts:
        terminalreporter.write_line(cells.summary())


passed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.when == "call":
        item.stash[passed] = report.passed
    return report


modules = 0


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every Image, VideoFrame and Plan that a test made is gone after it: their types count their objects."""

    def more() -> bool:
        return any(sys.getrefcount(t) > n for t, n in before.items())

    global modules
    if len(sys.modules) > modules:  # torch alone makes a collection take 0.2 s
        cheap_collections()
        modules = len(sys.modules)
    before = {t: sys.getrefcount(t) for t in (pixview.Image, pixview.VideoFrame, pixview.Plan)}
    yield
    if request.node.stash.get(passed, False) and more():
        drain()
        gc.collect()
        assert not more(), "Images, VideoFrames or Plans outlive the test"


class Fake:
    """The fake CUDA driver, seen from Python. tests/c/fake_driver.h says what each call does."""

    def __init__(self, lib: ctypes.CDLL, stream: int) -> None:
        self.lib = lib
        self.stream = stream  # one that is not the legacy stream
        self.held: list[Any] = []
        self.ranges: list[int] = []

    def calls(self) -> str:
        """Names of the driver calls since the last reset, with spaces between."""
        return self.lib.fake_calls().decode()

    def work(self) -> list[str]:
        """The same without housekeeping: launch, copy, alloc, free, record, wait, sync, load."""
        return self.lib.fake_work().decode().split()

    def reset(self) -> None:
        self.lib.fake_reset()

    def fail_at(self, n: int, code: int) -> None:
        self.lib.fake_fail_at(n, code)

    def register(self, array: np.ndarray[Any, Any], device: int = 0) -> np.ndarray[Any, Any]:
        """From now on the driver takes the array's memory for that of a GPU."""
        # NumPy 1 has it elsewhere.
        low, high = getattr(np.lib, "array_utils", np).byte_bounds(array)
        self.lib.fake_register(low, max(high - low, 1), device)
        self.ranges.append(low)
        self.held.append(array)
        return array

    def close(self) -> None:
        for low in self.ranges:
            self.lib.fake_unregister(low)
        self.ranges.clear()
        self.held.clear()

    def image(self, array: np.ndarray[Any, Any], device: Any = 0, **keywords: Any) -> pixview.Image:
        """The array as an Image of device memory that owns it."""
        self.register(array)
        keywords = {"strides": array.strides, "owner": array, "device": device} | keywords
        return pixview.from_pointer(array.ctypes.data, array.shape, array.dtype, **keywords)


@pytest.fixture(scope="session")
def fake_library() -> ctypes.CDLL:
    path = os.environ.get("PIXVIEW_FAKE_DRIVER")
    if not path:
        pytest.skip("no fake CUDA driver in PIXVIEW_FAKE_DRIVER (make test-python sets it)")
    lib = ctypes.CDLL(path)
    lib.fake_calls.restype = lib.fake_work.restype = ctypes.c_char_p
    lib.fake_register.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    lib.fake_unregister.argtypes = [ctypes.c_void_p]
    lib.fake_stream.restype = ctypes.c_uint64
    return lib


@pytest.fixture(scope="session")
def other_stream(fake_library: ctypes.CDLL) -> int:
    return Stream(fake_library.fake_stream(0))


@pytest.fixture
def fake(fake_library: ctypes.CDLL, other_stream: int) -> Iterator[Fake]:
    driver = Fake(fake_library, other_stream)
    driver.reset()
    yield driver
    drain()
    gc.collect()
    driver.reset()
    driver.close()


class Streams:
    """Stands in for CuPy's current stream, and its allocator for the fake driver's memory."""

    def __init__(self) -> None:
        self.ptr = 0
        self.asked: list[Any] = []

    def get(self, device_id: Any = None) -> Streams:
        self.asked.append(device_id)
        return self


@pytest.fixture
def cupy(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """CuPy without a GPU: arrays over registered memory. cupy.streams.ptr sets its current stream."""
    cupy = pytest.importorskip("cupy")

    def allocate(size: int) -> Any:
        array = fake.register(np.full(max(size, 1), 0xA5, np.uint8))
        memory = cupy.cuda.UnownedMemory(array.ctypes.data, size, array, 0)
        return cupy.cuda.MemoryPointer(memory, 0)

    class Device:
        """Making a GPU current asks the real run-time; the fake driver has no say there."""

        def __init__(self, device: int = 0) -> None:
            self.id = device

        def __enter__(self) -> Device:
            return self

        def __exit__(self, *error: Any) -> None:
            pass

    streams = Streams()
    monkeypatch.setattr(cupy.cuda, "get_current_stream", streams.get)
    monkeypatch.setattr(cupy.cuda, "Device", Device)
    monkeypatch.setattr(cupy, "streams", streams, raising=False)
    cupy.cuda.set_allocator(allocate)
    yield cupy
    cupy.cuda.set_allocator(cupy.get_default_memory_pool().malloc)


@pytest.fixture
def kernels(fake: Fake) -> None:
    if not pixview._core._doctor()["kernels"]:
        pytest.skip("built without kernels: device copies cannot run, not even on the fake driver")


@pytest.fixture(params=["auto", "public"])
def gpumat(request: pytest.FixtureRequest, cv2: Any) -> Iterator[Any]:
    """cv2.cuda.GpuMat, read and made by the verified struct, then by cv2's public calls."""
    pixview._core._force(gpumat=request.param)
    yield cv2.cuda.GpuMat
    pixview._core._force(gpumat="auto")


@pytest.fixture
def native(gpumat: Any, cv2: Any) -> None:
    """Only where OpenCV's own count holds the source: a build with CUDA, in the verified struct."""
    pixview.plan(cv2.cuda.createGpuMatFromCudaMemory(1, 1, cv2.CV_8UC1, 4096), "image")
    facts = pixview._core._doctor()["gpumat"]
    if facts["own"] != "native":
        pytest.skip("this OpenCV was built without CUDA, or its struct is not in use")
