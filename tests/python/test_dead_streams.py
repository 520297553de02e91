# SPDX-License-Identifier: Apache-2.0
"""A stream that dies before the view that was made with it: its handle never reaches the driver again."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pixview
import pytest
from support import Stream, cuda_array_interface, drain, image, waited

SHAPE = (16, 20, 3)


class Raw:
    """Streams of the fake driver that can be destroyed."""

    def __init__(self, fake: Any) -> None:
        self.fake = fake
        fake.lib.fake_destroy_stream.argtypes = [ctypes.c_uint64]

    def new(self) -> int:
        return int(self.fake.lib.fake_stream(0))

    def destroy(self, stream: int) -> None:
        self.fake.lib.fake_destroy_stream(stream)

    def check(self) -> None:
        assert self.fake.lib.fake_dead_uses() == 0


@pytest.fixture
def raw(fake: Any) -> Raw:
    return Raw(fake)


def source(fake: Any, **keywords: Any) -> pixview.Image:
    return fake.image(image(*SHAPE), **keywords)


def inside(fake: Any, s: int, make: Callable[[], Any]) -> Any:
    with pixview.using_stream(s):
        return make()


WAYS: dict[str, Callable[[Any, int], Any]] = {
    "view": lambda fake, s: pixview.view(source(fake), stream=s),
    "from_pointer": lambda fake, s: source(fake, stream=s),
    "same stream": lambda fake, s: pixview.view(source(fake, stream=s), stream=s),
    "crop": lambda fake, s: source(fake, stream=s).crop(0, 0, 4, 4),
    "tensor": lambda fake, s: pixview.as_torch(source(fake, stream=s)),
    "dlpack": lambda fake, s: source(fake).__dlpack__(stream=s),
    "dlpack copy": lambda fake, s: source(fake).__dlpack__(stream=s, copy=True),
    "interface": lambda fake, s: pixview.view(
        cuda_array_interface(fake.register(image(*SHAPE)), stream=s)
    ),
    "interface, tensor": lambda fake, s: pixview.as_torch(
        cuda_array_interface(fake.register(image(*SHAPE)), stream=s)
    ),
    "used_on": lambda fake, s: [v := source(fake), pixview.used_on(v, s)],
    "using_stream": lambda fake, s: inside(fake, s, lambda: source(fake)),
    "using_stream, view": lambda fake, s: inside(
        fake, s, lambda: pixview.view(cuda_array_interface(fake.register(image(*SHAPE))), stream=s)
    ),
    "copy": lambda fake, s: pixview.view(source(fake), copy=True, stream=s),
    "copy inside": lambda fake, s: inside(fake, s, lambda: pixview.view(source(fake), copy=True)),
    "stack": lambda fake, s: pixview.stack([source(fake)], to="image", stream=s),
    "unstack": lambda fake, s: pixview.unstack(
        fake.image(image(2, *SHAPE)), to="image", copy=True, stream=s
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_handle_is_never_used_after_its_call(
    fake: Any, raw: Raw, torch: Any, kernels: None, way: str
) -> None:
    s = raw.new()
    made = WAYS[way](fake, s)
    raw.destroy(s)
    later = Stream(raw.new())
    if isinstance(made, pixview.Image):
        views = [pixview.view(made, stream=later), pixview.as_torch(made), made.__dlpack__()]
        assert pixview.stream_of(made) == 0
        pixview.used_on(made, later)
        del views
    del made
    gc.collect()
    drain()
    raw.check()


HELD: dict[str, Callable[[pixview.Image], Any]] = {
    "image": lambda i: i,
    "crop": lambda i: i.crop(0, 0, 4, 4),
    "tensor": lambda i: pixview.as_torch(i),
    "parts": lambda i: pixview.unstack(i, to="image")[0],
    "capsule": lambda i: pixview.view(i.__dlpack__(stream=1)),
}


@pytest.mark.parametrize("what", HELD)
@pytest.mark.parametrize("used", ["object", "legacy"])
@pytest.mark.parametrize("block", [False, True])
def test_the_stream_of_memory_outlives_its_last_use(
    fake: Any, raw: Raw, torch: Any, what: str, used: str, block: bool
) -> None:
    """Nothing but pixview holds the stream object; what is noted for the release still needs it."""

    class Dies(Stream):
        def __del__(self) -> None:
            raw.destroy(int(self))

    memory = fake.register(image(*SHAPE))
    where: dict[str, Any] = {"device": 0, "owner": memory}
    if block:
        with pixview.using_stream(Dies(raw.new())):
            made = pixview.from_pointer(memory.ctypes.data, SHAPE, "uint8", **where)
    else:
        made = pixview.from_pointer(
            memory.ctypes.data, SHAPE, "uint8", stream=Dies(raw.new()), **where
        )
    held = HELD[what](made)
    del made
    pixview.used_on(held, Dies(raw.new()) if used == "object" else 0)
    del held
    gc.collect()
    drain()
    raw.check()


def test_the_legacy_stream_stands_in(fake: Any, raw: Raw) -> None:
    """It waits for every blocking stream; so does what waits for it."""
    home, s = Stream(raw.new()), raw.new()
    v = source(fake, stream=home)
    fake.reset()
    w = pixview.view(v, stream=s)
    assert waited(fake, s, home) and waited(fake, 0, s)
    fake.reset()
    del w
    assert waited(fake, home, 0) and not waited(fake, home, s)


def test_what_an_int_has_queued_until_used_on(fake: Any, raw: Raw) -> None:
    home, s = Stream(raw.new()), raw.new()
    v = source(fake, stream=home)
    fake.reset()
    pixview.used_on(v, s)
    assert fake.work() == ["record", "wait"] and waited(fake, home, s)
    fake.reset()
    del v
    assert fake.work() == []


def test_an_int_whose_stream_object_is_at_hand(fake: Any, raw: Raw, cupy: Any) -> None:
    """from_dlpack passes the handle of the consumer's current stream: the object behind it is held."""
    s = raw.new()
    cupy.streams.ptr = s
    v = source(fake)
    for handle in (s, Stream(s)):
        capsule = v.__dlpack__(stream=handle)
        fake.reset()
        del capsule
        assert waited(fake, 0, s)
    with pixview.using_stream(Stream(s)):
        cupy.streams.ptr = 0
        w = pixview.view(v, stream=s)
    assert pixview.stream_of(w) == s


def test_the_wrappers_of_cupy_keep_nothing(
    fake: Any, raw: Raw, cupy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    s = raw.new()
    made = []
    array = pixview.as_cupy(source(fake))
    for external in (cupy.cuda.ExternalStream(s), wrapped(cupy, cupy.cuda.ExternalStream(s))):
        made.append(pixview.view(source(fake), stream=external))
        monkeypatch.setattr(cupy.cuda, "get_current_stream", lambda device, now=external: now)
        made += [pixview.view(array), pixview.as_cupy(source(fake))]
    raw.destroy(s)
    monkeypatch.setattr(cupy.cuda, "get_current_stream", cupy.streams.get)
    made += [pixview.view(x, stream=1) for x in made]
    made.clear()
    drain()
    raw.check()


def wrapped(cupy: Any, stream: Any) -> Any:
    if not hasattr(cupy.cuda.Stream, "from_external"):
        return stream
    return cupy.cuda.Stream.from_external(stream)


def test_dlpack_takes_what_stream_takes(fake: Any, raw: Raw) -> None:
    s = raw.new()
    for stream in (s, Stream(s), np.uint64(s), np.int32(1)):
        fake.reset()
        source(fake).__dlpack__(stream=stream)
        assert waited(fake, s, 0) == (stream != 1)
    with pytest.raises(TypeError, match="is not None, an integer"):
        source(fake).__dlpack__(stream=1.5)
    with pytest.raises(ValueError, match="DLPack allows None"):
        source(fake).__dlpack__(stream=np.int64(0))
