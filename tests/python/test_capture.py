# SPDX-License-Identifier: Apache-2.0
"""Conversions, and views that die, while a stream captures a CUDA graph: by the fake driver's log."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pixview
import pytest
from support import Stream, drain, image

SHAPE = (16, 20, 3)


class Captures:
    """Streams of the fake driver, and which of them capture."""

    def __init__(self, fake: Any) -> None:
        self.lib = fake.lib
        self.lib.fake_set_capture.argtypes = [ctypes.c_uint64, ctypes.c_int, ctypes.c_uint64]
        self.lib.fake_capture_status.argtypes = [ctypes.c_uint64]
        self.lib.fake_stream_non_blocking.restype = ctypes.c_uint64
        self.begun: list[int] = []

    def stream(self) -> int:
        return Stream(self.lib.fake_stream(0))

    def torchs(self) -> int:
        """A stream as torch's: non-blocking."""
        return Stream(self.lib.fake_stream_non_blocking(0))

    def begin(self, stream: int, number: int = 10) -> None:
        self.lib.fake_set_capture(stream, 1, number)
        self.begun.append(stream)

    def end(self) -> None:
        for stream in self.begun:
            assert self.lib.fake_capture_status(stream) == 1, "the capture was broken"
            self.lib.fake_set_capture(stream, 0, 0)
        self.begun.clear()


@pytest.fixture
def captures(fake: Any) -> Iterator[Captures]:
    made = Captures(fake)
    yield made
    made.end()


def source(fake: Any, **keywords: Any) -> pixview.Image:
    return fake.image(image(*SHAPE), **keywords)


def test_nothing_is_ordered_across_the_border(fake: Any, captures: Captures, torch: Any) -> None:
    stream = captures.stream()
    v = source(fake, stream=stream)
    captures.begin(stream)
    log = fake.work()
    t = pixview.as_torch(v)  # torch works on the legacy stream, outside
    w = pixview.view(v)
    del t, w
    drain()
    assert fake.work() == log


@pytest.mark.parametrize("producer_captures", [False, True])
@pytest.mark.parametrize("copy", [None, True])
def test_a_stream_outside_of_the_capture_is_an_error(
    fake: Any, captures: Captures, kernels: None, producer_captures: bool, copy: bool | None
) -> None:
    producer, consumer = captures.stream(), captures.stream()
    v = source(fake, stream=producer)
    captures.begin(producer if producer_captures else consumer)
    with pytest.raises(pixview.CudaError, match=r"stream.* pass stream= of the") as e:
        pixview.view(v, copy=copy, stream=consumer)
    assert e.value.code == 905 and e.value.name == "CUDA_ERROR_STREAM_CAPTURE_ISOLATION"
    assert "launch" not in fake.work() and "record" not in fake.work()
    assert pixview.view(v, stream=-1).shape == SHAPE  # the user has seen to it


@pytest.mark.parametrize("copy", [None, True])
def test_both_in_one_capture(
    fake: Any, captures: Captures, kernels: None, copy: bool | None
) -> None:
    producer, consumer = captures.stream(), captures.stream()
    v = source(fake, stream=producer)
    captures.begin(producer)
    captures.begin(consumer)
    w = pixview.view(v, copy=copy, stream=consumer)
    assert fake.work().count("record") == fake.work().count("wait") == (2 if copy else 1)
    del w
    assert fake.work().count("wait") == (2 if copy else 2)


@pytest.mark.parametrize("legacy_first", [False, True])
def test_the_legacy_stream_under_somebody_elses_capture(
    fake: Any, captures: Captures, legacy_first: bool
) -> None:
    """Neither end captures, but an event on the legacy stream would break what another thread does."""
    stream, third = captures.stream(), captures.stream()
    v = source(fake, stream=0 if legacy_first else stream)
    captures.begin(third)
    with pytest.raises(pixview.CudaError, match=r"legacy stream cannot be ordered.*-1") as e:
        pixview.view(v, stream=stream if legacy_first else 0)
    assert e.value.code == 906 and e.value.name == "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT"
    with pytest.raises(pixview.CudaError, match="906"):
        v.__dlpack__(stream=stream if legacy_first else 1)


@pytest.mark.parametrize("what", ["view", "copy_into", "unordered", "stack"])
def test_a_copy_does_not_break_somebody_elses_capture(
    fake: Any, captures: Captures, kernels: None, what: str
) -> None:
    """Work on the legacy stream would, even where both ends are there and nothing is to be ordered."""
    third = captures.stream()
    v, w = source(fake), source(fake)
    calls: dict[str, Callable[[], object]] = {
        "view": lambda: pixview.view(v, copy=True),
        "copy_into": lambda: pixview.copy_into(w, v),
        "stack": lambda: pixview.stack([v, w], to="image"),
        "unordered": lambda: pixview.view(v, copy=True, stream=-1),
    }
    captures.begin(third)
    log = fake.work()
    with pytest.raises(pixview.CudaError, match=r"legacy stream would break.*stream=") as e:
        calls[what]()
    assert e.value.code == 906
    assert fake.work() == log
    captures.end()  # asserts that it is whole
    calls[what]()


@pytest.mark.parametrize("what", ["consumer", "third"])
def test_a_release_waits_for_the_captures_end(
    fake: Any, captures: Captures, torch: Any, what: str
) -> None:
    """The view's stream captures, or the legacy stream of its other end is in the way."""
    stream, third = captures.stream(), captures.stream()
    a = image(*SHAPE)
    count = sys.getrefcount(a)
    v = fake.image(a, stream=stream)
    fake.held.clear()
    t = pixview.as_torch(v)
    del v
    captures.begin(stream if what == "consumer" else third)
    log = fake.work()
    del t
    for _ in range(3):
        drain()
        assert fake.work() == log and sys.getrefcount(a) > count
    captures.end()
    assert sys.getrefcount(a) > count  # nobody looked
    pixview.view(np.zeros((2, 2), np.uint8))  # any conversion does
    assert fake.work() == [*log, "record", "wait"]
    drain()
    assert sys.getrefcount(a) == count


def test_many_deferred_views(fake: Any, captures: Captures, torch: Any) -> None:
    stream, third = captures.stream(), captures.stream()
    a = image(*SHAPE)
    count = sys.getrefcount(a)
    v = fake.image(a, stream=stream)
    fake.held.clear()
    views = [pixview.as_torch(v) for _ in range(300)]
    del v
    captures.begin(third)
    views.clear()
    drain()
    captures.end()
    for _ in range(2):
        drain()
    assert sys.getrefcount(a) == count


def test_memory_does_not_go_back_into_a_capture(
    fake: Any, captures: Captures, kernels: None
) -> None:
    stream = captures.stream()
    w = pixview.view(source(fake, stream=stream), copy=True)
    captures.begin(stream)
    log = fake.work()
    del w
    drain()
    assert fake.work() == log
    captures.end()
    drain()
    assert fake.work() == [*log, "free"]


def test_dlpack_in_a_capture(fake: Any, captures: Captures) -> None:
    """The stream is the consumer library's own, which it passes unasked."""
    stream, other = captures.stream(), captures.stream()
    v, w = source(fake, stream=stream), source(fake, stream=other)
    captures.begin(stream)
    log = fake.work()
    for capsule in (v.__dlpack__(stream=None), v.__dlpack__(stream=1), w.__dlpack__(stream=stream)):
        del capsule
    assert fake.work() == log
    with pytest.raises(pixview.CudaError, match="905"):
        v.__dlpack__(stream=other)


@pytest.mark.cv2
def test_gpumats_in_a_capture(fake: Any, captures: Captures, torch: Any, gpumat: Any) -> None:
    stream = captures.stream()
    t = pixview.as_torch(source(fake))
    captures.begin(stream)
    with pytest.raises(pixview.CudaError, match="905"):
        pixview.as_gpumat(t, stream=stream)  # torch works outside
    g = pixview.as_gpumat(t)
    with pytest.raises(pixview.CudaError, match="905"):
        pixview.as_torch(g, stream=stream)
    assert pixview.as_torch(g).data_ptr() == t.data_ptr()
    assert fake.work() == []


@pytest.mark.parametrize("what", ["copy_into", "view", "stack", "stack into", "unordered"])
def test_a_source_that_captures_and_a_result_that_does_not(
    fake: Any, captures: Captures, kernels: None, what: str
) -> None:
    """The copy would be done once, outside of the graph, and no replay would refresh the result."""
    stream = captures.torchs()
    v, w, batch = source(fake, stream=stream), source(fake), fake.image(image(1, *SHAPE))
    calls: dict[str, Callable[[], object]] = {
        "copy_into": lambda: pixview.copy_into(w, v),
        "unordered": lambda: pixview.copy_into(w, v, stream=-1),
        "view": lambda: pixview.view(v, copy=True, stream=captures.torchs()),
        "stack": lambda: pixview.stack([v], to="image", stream=captures.torchs()),
        "stack into": lambda: pixview.stack([w, v][1:], out=batch, layout="NHWC"),
    }
    captures.begin(stream)
    log = [x for x in fake.work() if x == "launch"]
    with pytest.raises(pixview.CudaError, match="905") as e:
        calls[what]()
    assert e.value.code == 905
    assert "pass stream= of the capture, or call inside pixview.using_stream" in str(e.value)
    assert [x for x in fake.work() if x == "launch"] == log
    # The other way round a replay reads what was ready before it.
    pixview.copy_into(v, w)


def test_an_upload_is_refused_before_anything_is_allocated(
    fake: Any, captures: Captures, cupy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = captures.torchs()
    pixview.as_cupy(source(fake))
    cupy.streams.ptr = stream
    captures.begin(stream)
    monkeypatch.setattr(cupy, "empty", None)
    with pytest.raises(pixview.CudaError, match="host and GPU waits") as e:
        pixview.as_cupy(image(*SHAPE), copy=True)
    assert e.value.code == 900


def test_an_upload_asks_for_the_streams_of_the_current_gpu(fake: Any, cupy: Any) -> None:
    """The driver has one GPU, so the question about the second one is the answer."""
    before = fake.lib.fake_current_device()
    fake.lib.fake_set_current_device(1)
    try:
        with pytest.raises(pixview.DeviceError, match="GPU 1 of 1"):
            pixview.as_cupy(image(*SHAPE), copy=True)
    finally:
        fake.lib.fake_set_current_device(before)


def test_the_allocator_of_cupy_runs_in_relaxed_mode(
    fake: Any, captures: Captures, cupy: Any, kernels: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    v, modes, empty = source(fake), [], cupy.empty

    def watched(*args: Any) -> Any:
        modes.append(fake.lib.fake_capture_mode())
        return empty(*args)

    monkeypatch.setattr(cupy, "empty", watched)
    pixview.as_cupy(v, copy=True)
    assert modes == [2] and fake.lib.fake_capture_mode() == 0
