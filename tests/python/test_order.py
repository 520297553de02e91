# SPDX-License-Identifier: Apache-2.0
"""Two streams: who waits for whom, at the conversion and when the view dies, by the fake driver's log."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pixview
import pytest
from support import Stream as Handle
from support import check_python, drain, image, in_thread, waited

SHAPE = (16, 20, 3)


@pytest.fixture
def other(fake: Any) -> int:
    return Handle(fake.lib.fake_stream(0))


def source(fake: Any, **keywords: Any) -> pixview.Image:
    return fake.image(image(*SHAPE), **keywords)


def test_the_release_waits_the_other_way(fake: Any, other: int, torch: Any) -> None:
    v = source(fake, stream=other)
    fake.reset()
    t = pixview.as_torch(v)  # torch works on the legacy stream
    assert fake.work() == ["record", "wait"] and waited(fake, 0, other)
    fake.reset()
    del t
    drain()
    assert fake.work() == ["record", "wait"] and waited(fake, other, 0)


def test_each_view_of_an_image_waits_for_itself(fake: Any, other: int, torch: Any) -> None:
    v = source(fake, stream=other)
    a, b = pixview.as_torch(v), pixview.as_torch(v)
    fake.reset()
    del a
    drain()
    assert fake.work() == ["record", "wait"]
    del b
    drain()
    assert fake.work() == ["record", "wait"] * 2
    assert v.owner is not None


def test_the_per_thread_stream_is_another_one_at_the_release(fake: Any, other: int) -> None:
    """Whichever thread that is; the legacy stream, which waits for it, stands in on both ends."""
    for home, user in ((2, other), (other, 2)):
        v = source(fake, stream=home)
        fake.reset()
        box = [pixview.view(v, stream=user)]
        assert waited(fake, user, home)
        fake.reset()
        in_thread(box.clear)
        drain()
        assert waited(fake, 0, other) if home == 2 else waited(fake, other, 0)
        assert not waited(fake, home, user) and fake.work() == ["record", "wait"]


@pytest.mark.parametrize("streams", [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)])
def test_nothing_where_nothing_is_to_be_ordered(fake: Any, torch: Any, streams: Any) -> None:
    producer, _ = streams
    fake.reset()
    v = source(fake, stream=producer)
    t = pixview.as_torch(v)
    del t
    drain()
    if producer != -1:
        assert fake.calls() == ""
    assert fake.work() == []


def test_no_order_when_told(fake: Any, other: int) -> None:
    v = source(fake, stream=other)
    fake.reset()
    w = pixview.view(v, stream=-1)
    del w
    assert fake.calls() == ""


def test_an_image_takes_another_stream(fake: Any, other: int) -> None:
    v = source(fake)
    fake.reset()
    w = pixview.view(v, stream=other)
    assert w is not v and waited(fake, other, 0)
    assert w.__cuda_array_interface__["stream"] == other
    assert v.__cuda_array_interface__["stream"] == 1
    fake.reset()
    del w
    assert waited(fake, 0, other)


class Stream:
    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, self.handle)


def test_stream_objects_live_as_long_as_their_handle_is_kept(
    fake: Any, other: int, torch: Any
) -> None:
    stream = Stream(other)
    count = sys.getrefcount(stream)
    a = fake.register(image(*SHAPE))
    v = pixview.from_pointer(a.ctypes.data, SHAPE, "uint8", device=0, owner=a, stream=stream)
    assert sys.getrefcount(stream) == count + 2  # the Image and its memory
    t = pixview.as_torch(v)
    crop = v.crop(0, 0, 2, 2)
    del v
    assert sys.getrefcount(stream) > count + 1
    del crop
    assert sys.getrefcount(stream) > count  # for the release
    del t
    drain()
    assert sys.getrefcount(stream) == count


def test_cupy_also_gives_back_through_the_legacy_stream(fake: Any, other: int, cupy: Any) -> None:
    array = pixview.as_cupy(source(fake))
    cupy.streams.ptr = other
    third = Handle(fake.lib.fake_stream(0))
    fake.reset()
    v = pixview.view(array, stream=third)
    assert fake.work() == ["record", "wait"] and waited(fake, third, other)
    fake.reset()
    del v
    assert fake.work() == ["record", "wait"] * 2
    assert waited(fake, other, third) and waited(fake, 0, third)


def test_a_failing_driver_does_not_stop_the_release(fake: Any, other: int, torch: Any) -> None:
    a = image(*SHAPE)
    count = sys.getrefcount(a)
    v = fake.image(a, stream=other)
    fake.held.clear()
    t = pixview.as_torch(v)
    fake.reset()
    fake.fail_at(1, 700)
    del t, v
    drain()
    assert sys.getrefcount(a) == count


def test_dlpack_orders_before_the_stream_it_is_given(fake: Any, other: int) -> None:
    v = source(fake, stream=other)
    for stream, consumer in ((None, 0), (1, 0), (other, other)):
        fake.reset()
        capsule = v.__dlpack__(stream=stream)
        assert fake.work() == ([] if consumer == other else ["record", "wait"])
        del capsule  # and the other way round
        assert fake.work() == ([] if consumer == other else ["record", "wait"] * 2)
        assert consumer == other or waited(fake, other, consumer)
    fake.reset()
    v.__dlpack__(stream=-1)
    assert fake.calls() == ""


def test_memory_of_a_copy_never_comes_from_stream_minus_one(fake: Any, kernels: None) -> None:
    a = image(*SHAPE)
    v = fake.image(a, stream=-1)
    for keywords in ({}, {"stream": -1}):
        w = pixview.view(v, copy=True, **keywords)
        np.testing.assert_array_equal(pixview.as_numpy(w, copy=True), a)
    v.__dlpack__(copy=True)


def test_a_copy_keeps_the_stream_of_its_memory(
    fake: Any, other: int, torch: Any, kernels: None
) -> None:
    stream = Stream(other)
    count = sys.getrefcount(stream)
    w = pixview.view(source(fake), copy=True, stream=stream)
    t = pixview.as_torch(w)
    del w
    assert sys.getrefcount(stream) > count
    fake.reset()
    del t
    drain()
    assert "free" in fake.work() and sys.getrefcount(stream) == count


@pytest.mark.cv2
def test_a_gpumat_on_another_stream(fake: Any, other: int, torch: Any, gpumat: Any) -> None:
    t = pixview.as_torch(source(fake))
    fake.reset()
    g = pixview.as_gpumat(t, stream=other)
    assert fake.work() == ["record", "wait"] and waited(fake, other, 0)
    fake.reset()
    u = pixview.as_torch(g, stream=other)
    assert fake.work() == ["record", "wait"] and waited(fake, 0, other)
    fake.reset()
    del g, u
    drain()
    assert waited(fake, 0, other) and waited(fake, other, 0)
    np.testing.assert_array_equal(t.shape, (3, *SHAPE[:2]))


OTHER_GPU = """
import ctypes, os, numpy as np, pixview
from support import Stream, cuda_array_interface, drain, image
lib = ctypes.CDLL(os.environ["PIXVIEW_FAKE_DRIVER"])
lib.fake_register.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
lib.fake_stream.restype = ctypes.c_uint64
a = image(4, 5, 3)
lib.fake_register(a.ctypes.data, a.nbytes, 1)
v = pixview.from_pointer(a.ctypes.data, a.shape, "uint8", owner=a)
assert v.device == ("cuda", 1)
theirs, ours = (Stream(lib.fake_stream(device)) for device in (0, 1))
for s in (theirs, int(theirs)):
    for call in (
        lambda: pixview.view(v, stream=s),
        lambda: v.__dlpack__(stream=s),
        lambda: pixview.used_on(v, s),
        lambda: pixview.from_pointer(a.ctypes.data, a.shape, "uint8", stream=int(s)),
    ):
        try:
            call()
        except pixview.DeviceError as e:
            assert "belongs to GPU 0, and the memory to GPU 1" in str(e), e
        else:
            raise AssertionError("accepted")
w = pixview.view(v, stream=ours)
"""


def test_a_stream_of_another_gpu(fake: Any) -> None:
    check_python(OTHER_GPU, FAKE_CUDA_DEVICES="2")
