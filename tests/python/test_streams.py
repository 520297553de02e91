# SPDX-License-Identifier: Apache-2.0
"""using_stream, stream_of, used_on and warm_up, by the fake driver's log and stand-ins for frameworks."""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import exchange
import numpy as np
import pixview
import pytest
from support import Stream as Handle
from support import cuda_array_interface, drain, image, waited, wrap

SHAPE = (16, 20, 3)


@pytest.fixture
def other(fake: Any) -> int:
    return Handle(fake.lib.fake_stream(0))


@pytest.fixture
def third(fake: Any) -> int:
    return Handle(fake.lib.fake_stream(0))


class Stream:
    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, self.handle)


def source(fake: Any, **keywords: Any) -> pixview.Image:
    return fake.image(image(*SHAPE), **keywords)


# ---- using_stream ----


def test_the_default_inside(fake: Any, other: int) -> None:
    v = source(fake)
    assert pixview.stream_of(v) == 0
    with pixview.using_stream(other) as cv_stream:
        assert cv_stream is None  # no cv2
        inside = source(fake)
        assert pixview.stream_of(inside) == other
        explicit = source(fake, stream=0)
        assert pixview.stream_of(explicit) == 0
        assert pixview.stream_of(v) == 0  # an Image has its own
    assert pixview.stream_of(inside) == other
    assert pixview.stream_of(source(fake)) == 0


def test_blocks_nest_and_restore(fake: Any, other: int, third: int) -> None:
    seen = []

    def look() -> None:
        seen.append(pixview.stream_of(source(fake)))

    look()
    outer = pixview.using_stream(other)
    with outer:
        look()
        with pixview.using_stream(third):
            look()
            with pixview.using_stream(None):
                look()
            with contextlib.suppress(KeyError), outer:  # the same object again
                look()
                raise KeyError
            look()
        look()
    look()
    assert seen == [0, other, third, 0, other, third, other, 0]


def test_a_block_is_its_threads_own(fake: Any, other: int) -> None:
    seen = []
    with pixview.using_stream(other):
        thread = threading.Thread(target=lambda: seen.append(pixview.stream_of(source(fake))))
        thread.start()
        thread.join()
    assert seen == [0]
    with pytest.raises(RuntimeError, match="did not enter"):
        pixview._core._pop_stream()


def test_the_stream_object_lives(fake: Any, other: int, torch: Any) -> None:
    stream = Stream(other)
    count = sys.getrefcount(stream)
    with pixview.using_stream(stream):
        v = source(fake)
    assert sys.getrefcount(stream) == count + 2  # the Image and its memory
    t = pixview.as_torch(v)
    del v
    assert sys.getrefcount(stream) > count
    del t
    drain()
    assert sys.getrefcount(stream) == count


@pytest.mark.parametrize("bad", ["legacy", 1.5, object(), (0,)])
def test_what_is_no_stream(fake: Any, bad: Any) -> None:
    with pytest.raises(TypeError, match="is not None, an integer"):
        pixview.using_stream(bad)
    with pytest.raises(TypeError, match="is not None, an integer"):
        pixview.used_on(source(fake), bad)


def test_minus_one_and_strangers(fake: Any) -> None:
    for call in (pixview.using_stream, lambda s: pixview.used_on(source(fake), s)):
        with pytest.raises(ValueError, match="-1"):
            call(-1)
        with pytest.raises(ValueError, match="-7"):
            call(-7)
    with pytest.raises(pixview.CudaError, match="400"):
        pixview.using_stream(0xDEAD00)


class Log:
    """Stands in for the context managers of a framework, and writes down what is entered and left."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.fail = ""

    def manager(self, name: str) -> Any:
        log = self

        class Manager:
            def __enter__(self) -> None:
                if name.startswith(log.fail or "-"):
                    raise RuntimeError(name)
                log.lines.append(f"+{name}")

            def __exit__(self, *error: Any) -> None:
                log.lines.append(f"-{name}")

        return Manager()


@pytest.fixture
def frameworks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    log = Log()
    torch = types.SimpleNamespace(version=types.SimpleNamespace(cuda="13.0"))
    torch.cuda = types.SimpleNamespace(
        is_available=lambda: True,
        Stream=type("Stream", (), {}),
        ExternalStream=lambda handle, device: f"{handle}@{device}",
        default_stream=lambda device: f"default@{device}",
        stream=lambda s: log.manager(f"torch {s}"),
    )
    cupy = types.SimpleNamespace()
    cupy_stream = type(
        "Stream",
        (),
        {
            "null": log.manager("cupy null"),
            "ptds": log.manager("cupy ptds"),
            "from_external": staticmethod(lambda s: log.manager(f"cupy {s.__cuda_stream__()[1]}")),
        },
    )
    cupy.cuda = types.SimpleNamespace(
        is_available=lambda: True,
        Stream=cupy_stream,
        Device=lambda device: log.manager(f"cupy device {device}"),
    )
    cv2 = types.SimpleNamespace()
    cv2.cuda = types.SimpleNamespace(
        getCudaEnabledDeviceCount=lambda: 1,
        getDevice=lambda: 1,
        setDevice=lambda device: log.lines.append(f"cv2 device {device}"),
        Stream=type("Stream", (), {}),
        wrapStream=lambda handle: f"cv2 {handle}",
        Stream_Null=lambda: "cv2 null",
    )
    for name, module in (("torch", torch), ("cupy", cupy), ("cv2", cv2)):
        monkeypatch.setitem(sys.modules, name, module)
    yield log


def test_every_framework_is_entered_and_left(fake: Any, frameworks: Log, other: int) -> None:
    with pixview.using_stream(Stream(other)) as cv_stream:
        assert cv_stream == f"cv2 {other}"
        frameworks.lines.append("inside")
    assert frameworks.lines == [
        f"+torch {other}@0",
        "+cupy device 0",
        f"+cupy {other}",
        "cv2 device 0",
        "inside",
        "cv2 device 1",
        f"-cupy {other}",
        "-cupy device 0",
        f"-torch {other}@0",
    ]


@pytest.mark.parametrize(
    ("stream", "cupy"), [(None, "null"), (0, "null"), (1, "null"), (2, "ptds")]
)
def test_default_streams(fake: Any, frameworks: Log, stream: Any, cupy: str) -> None:
    with pixview.using_stream(stream) as cv_stream:
        torch = "2@None" if stream == 2 else "default@None"
        assert frameworks.lines == [f"+torch {torch}", f"+cupy {cupy}"]
        assert cv_stream == ("cv2 2" if stream == 2 else "cv2 null")
    assert frameworks.lines[2:] == [f"-cupy {cupy}", f"-torch {torch}"]


def test_a_cupy_without_a_driver_is_left_out(fake: Any, frameworks: Log, other: int) -> None:
    """CuPy 13 raises where CuPy 14 says no."""

    def available() -> bool:
        raise RuntimeError("cudaErrorInsufficientDriver")

    sys.modules["cupy"].cuda.is_available = available  # type: ignore[attr-defined]
    with pixview.using_stream(other):
        assert frameworks.lines == [f"+torch {other}@0", "cv2 device 0"]


def test_one_block_on_two_threads(fake: Any, frameworks: Log, other: int) -> None:
    """Each leaves what it has entered, whoever leaves first."""
    block, names = pixview.using_stream(other), {}
    entered, left = threading.Event(), threading.Event()

    class Manager:
        def __enter__(self) -> None:
            names[id(self)] = threading.current_thread().name

        def __exit__(self, *error: Any) -> None:
            assert names[id(self)] == threading.current_thread().name

    frameworks.manager = lambda name: Manager()  # type: ignore[method-assign, assignment]

    def second() -> None:
        with block:
            entered.set()
            left.wait()

    thread = threading.Thread(target=second)
    with block:
        thread.start()
        entered.wait()
    left.set()
    thread.join()
    assert len(names) > 2 and set(names.values()) == {"MainThread", thread.name}
    with pytest.raises(RuntimeError, match="did not enter"):
        block.__exit__(None, None, None)


def test_all_is_restored_after_an_error(fake: Any, frameworks: Log, other: int) -> None:
    with contextlib.suppress(KeyError), pixview.using_stream(other):
        raise KeyError
    assert sorted(line[1:] for line in frameworks.lines if line[0] in "+-") == sorted(
        2 * [f"torch {other}@0", "cupy device 0", f"cupy {other}"]
    )
    frameworks.lines.clear()
    frameworks.fail = f"cupy {other}"  # entering fails half-way
    with pytest.raises(RuntimeError), pixview.using_stream(other):
        pass
    assert frameworks.lines[-2:] == ["-cupy device 0", f"-torch {other}@0"]
    assert pixview.stream_of(source(fake)) == 0


# ---- stream_of ----


def test_stream_of(fake: Any, other: int, cupy: Any) -> None:
    assert pixview.stream_of(source(fake, stream=other)) == other
    assert pixview.stream_of(source(fake, stream=1)) == 0
    assert pixview.stream_of(source(fake, stream=-1)) == -1
    array = pixview.as_cupy(source(fake))
    assert pixview.stream_of(array) == 0
    cupy.streams.ptr = other
    assert pixview.stream_of(array) == other
    a = fake.register(image(*SHAPE))
    assert pixview.stream_of(cuda_array_interface(a)) == -1
    assert pixview.stream_of(cuda_array_interface(a, stream=other)) == other


def test_stream_of_a_tensor(fake: Any, torch: Any) -> None:
    t = pixview.as_torch(source(fake))
    assert pixview.stream_of(t) == 0


@pytest.mark.parametrize("x", [np.zeros((2, 2)), bytearray(4)])
def test_stream_of_host_memory(x: Any) -> None:
    with pytest.raises((pixview.DeviceError, pixview.LayoutError)):
        pixview.stream_of(x)
    with pytest.raises(pixview.DeviceError):
        pixview.stream_of(pixview.view(np.zeros((2, 2))))
    with pytest.raises(pixview.UnsupportedError):
        pixview.stream_of(7)


# ---- used_on ----


def check_used_on(fake: Any, views: list[Any], a: Any, home: int, third: int) -> None:
    """The last of the views lets go: the stream of the memory waits for the third one, then it dies."""
    count = sys.getrefcount(a)
    fake.reset()
    pixview.used_on(views[0], third)
    assert fake.work() == []
    while len(views) > 1:
        views.pop(0)
        drain()
        assert not waited(fake, home, third)
    views.clear()
    drain()
    assert waited(fake, home, third)
    assert sys.getrefcount(a) < count


def owned(fake: Any, **keywords: Any) -> tuple[pixview.Image, Any]:
    a = image(*SHAPE)
    v = fake.image(a, **keywords)
    fake.held.clear()
    return v, a


@pytest.mark.parametrize("home", [False, True])
def test_used_on_an_image(fake: Any, other: int, third: int, home: bool) -> None:
    v, a = owned(fake, stream=other if home else None)
    views = [v, v.crop(1, 1, 3, 3)]
    del v
    check_used_on(fake, views, a, other if home else 0, third)


def test_used_on_again_and_again(fake: Any, other: int, third: int) -> None:
    """One use for each stream, whatever the number of calls; each stream's object is kept once."""
    v, a = owned(fake)
    streams = [Stream(other), Stream(third)]
    for s in streams * 50:
        pixview.used_on(v, s)
        pixview.used_on(v, Stream(s.handle))
        pixview.used_on(v, int(s.handle))
    del s
    assert [sys.getrefcount(s) for s in streams] == [sys.getrefcount(object()) + 3] * 2
    fake.reset()
    del v
    drain()
    assert fake.work() == ["record", "wait"] * 2
    assert waited(fake, 0, other) and waited(fake, 0, third)


@pytest.mark.parametrize("home", [False, True])
def test_used_on_a_tensor(fake: Any, torch: Any, other: int, third: int, home: bool) -> None:
    """Another tensor over the same storage shares the owner."""
    v, a = owned(fake, stream=other if home else None)
    t = pixview.as_torch(v)
    views = [t.detach(), t]
    del v, t
    check_used_on(fake, views, a, other if home else 0, third)


def test_used_on_an_array(fake: Any, cupy: Any, third: int) -> None:
    v, a = owned(fake)
    array = pixview.as_cupy(v)
    views = [array[2:, 3:], array]
    del v, array
    check_used_on(fake, views, a, 0, third)


@pytest.mark.cv2
def test_used_on_a_gpumat(fake: Any, gpumat: Any, third: int) -> None:
    v, a = owned(fake)
    views = [pixview.as_gpumat(v)]
    del v
    check_used_on(fake, views, a, 0, third)


@pytest.mark.cv2
def test_used_on_a_region(fake: Any, native: None, gpumat: Any, third: int) -> None:
    v, a = owned(fake)
    g = pixview.as_gpumat(v)
    views = [gpumat(g, (2, 3, 4, 5)), g]
    del v, g
    check_used_on(fake, views, a, 0, third)


def test_the_stream_that_is_added_lives(fake: Any, torch: Any, third: int) -> None:
    stream = Stream(third)
    count = sys.getrefcount(stream)
    t = pixview.as_torch(source(fake))
    pixview.used_on(t, stream)
    assert sys.getrefcount(stream) > count
    del t
    drain()
    assert sys.getrefcount(stream) == count


def test_the_streams_of_the_view_need_no_adding(fake: Any, torch: Any, other: int) -> None:
    t = pixview.as_torch(source(fake))
    fake.reset()
    for stream in (None, 0, 1):
        pixview.used_on(t, stream)
    del t
    drain()
    assert fake.calls() == ""


def test_used_on_what_is_no_view(fake: Any, torch: Any, cupy: Any, third: int) -> None:
    bare = fake.register(image(*SHAPE))
    for x in (
        cupy.empty(SHAPE, "uint8"),
        pixview.from_pointer(bare.ctypes.data, SHAPE, "uint8", device=0),
        cuda_array_interface(bare),
        object(),
    ):
        with pytest.raises(
            pixview.UnsupportedError, match="no view that pixview made|owns no memory"
        ):
            pixview.used_on(x, third)
    for y in (
        torch.zeros(3, 4, 5),
        pixview.view(np.zeros((2, 2))),
        pixview.as_torch(image(2, 2, 3)),
    ):
        with pytest.raises(pixview.DeviceError, match="host memory"):
            pixview.used_on(y, third)
    with pytest.raises(pixview.CudaError):
        fake.fail_at(3, 400)
        pixview.used_on(source(fake), 0xDEAD00)


@pytest.mark.cv2
def test_used_on_somebody_elses_gpumat(fake: Any, gpumat: Any, cv2: Any, third: int) -> None:
    a = fake.register(image(*SHAPE))
    with pytest.raises(pixview.UnsupportedError, match="no view"):
        pixview.used_on(wrap(cv2, a), third)


@pytest.mark.cv2
def test_gpumats_inside_a_block(fake: Any, gpumat: Any, cv2: Any, torch: Any, other: int) -> None:
    a = fake.register(image(*SHAPE))
    g = wrap(cv2, a)
    assert pixview.stream_of(g) == 0
    with pixview.using_stream(other):
        assert pixview.stream_of(g) == other
        fake.reset()
        v = pixview.view(g)
        h = pixview.as_gpumat(v)
        assert fake.work() == [] and pixview.stream_of(v) == other
        t = pixview.as_torch(g)  # the torch of these tests knows the legacy stream only
        assert waited(fake, 0, other)
        pixview.as_torch(g, stream=0)
    del v, h, t


# ---- warm_up ----


def test_warm_up(fake: Any) -> None:
    pixview.warm_up()
    fake.reset()
    for device in (0, "cuda", "cuda:0", ("cuda", 0)):
        pixview.warm_up(device)
    assert fake.work() == []
    with pytest.raises(pixview.DeviceError, match="GPU 5 of 1"):
        pixview.warm_up(device=5)
    with pytest.raises(pixview.DeviceError, match="only a GPU"):
        pixview.warm_up("cpu")
    for bad in (-1, "tpu", 1.5, True, object()):
        with pytest.raises((ValueError, TypeError)):
            pixview.warm_up(bad)
    with pytest.raises(TypeError):
        pixview.warm_up(0, 1)


def test_the_exchange_table_answers_the_blocks_stream(fake: Any, other: int) -> None:
    """Image's own table gets no object: consumers are told the stream of the block, and ordered before it."""
    table = exchange.table_of(pixview.Image)
    current = exchange.CurrentStream(table.current_work_stream)
    out = ctypes.c_void_p()

    def ask() -> int:
        assert current(2, 0, ctypes.addressof(out)) == 0
        return out.value or 0

    assert ask() in (0, 1)
    with pixview.using_stream(other):
        assert ask() == other
    assert ask() in (0, 1)
