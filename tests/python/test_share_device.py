# SPDX-License-Identifier: Apache-2.0
"""Images of GPU memory in other processes, on the fake driver, whose memory really crosses."""

from __future__ import annotations

import copy
import ctypes
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pixview
import pytest
from other_process import OtherProcess
from support import Stream, image
from test_share import SHAPE, becomes

pytestmark = pytest.mark.usefixtures("kernels")


@pytest.fixture
def other(fake: Any) -> Iterator[OtherProcess]:
    with OtherProcess() as process:
        yield process


def pool(frames: int = 2, **how: Any) -> pixview.Pool:
    return pixview.Pool(SHAPE, "uint8", frames, device="cuda", **how)


def downloaded(x: Any) -> np.ndarray[Any, Any]:
    return pixview.as_numpy(x, layout=x.layout, copy=True)


def make(fake: Any, name: str, pixels: np.ndarray[Any, Any], **how: Any) -> pixview.Image:
    """Memory of one kind, with those pixels."""
    allocate = getattr(fake.lib, name)
    allocate.restype, allocate.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_size_t]
    fake.lib.fake_free.argtypes = [ctypes.c_void_p]
    pointer = allocate(0, 4096)

    class Block:
        def __del__(self) -> None:
            fake.lib.fake_free(pointer)

    x = pixview.from_pointer(
        pointer + 256, pixels.shape, pixels.dtype, device=0, owner=Block(), **how
    )
    pixview.copy_into(x, pixels)
    return x


def test_frame_is_the_same_memory(fake: Any, other: OtherProcess) -> None:
    frames = pool()
    frame = frames.copy(image(*SHAPE))
    assert frame.device == ("cuda", 0)
    share = pixview.share(frame)
    assert share.device == ("cuda", 0) and share.plan() == ("view", "")
    assert other("open", "a", share) == (SHAPE, "HWC", "uint8", ("cuda", 0), False)
    assert (other("read", "a") == image(*SHAPE)).all()
    other("fill", "a", 9)
    assert (downloaded(frame) == 9).all()
    del frame, share
    assert frames.idle == 1
    other("drop", "a")
    assert becomes(lambda: frames.idle, 2)


def test_memory_of_cuda_malloc(fake: Any, other: OtherProcess) -> None:
    """By an IPC handle, at any address within the allocation."""
    x = make(fake, "fake_malloc_shared", image(*SHAPE))
    share = pixview.share(x.crop(1, 2, 3, 4))
    other("open", "a", share)
    assert (other("read", "a") == image(*SHAPE)[1:4, 2:6]).all()
    other("fill", "a", 5)
    assert (downloaded(x)[1:4, 2:6] == 5).all()
    again = pixview.share(x)
    other("open", "b", again)
    other("drop", "a", "b")
    other("open", "c", again)
    assert other("read", "c").shape == SHAPE


def test_source_is_held_until_the_opener_lets_go(fake: Any, other: OtherProcess) -> None:
    x = make(fake, "fake_malloc_shared", image(*SHAPE))
    freed = []

    class Owner:
        def __del__(self) -> None:
            freed.append(1)

    held = pixview.from_pointer(x.ptr, SHAPE, "uint8", device=0, owner=Owner())
    share = pixview.share(held)
    other("open", "a", share)
    del held, share
    assert not freed
    other("drop", "a")
    assert becomes(lambda: len(freed), 1)


def free_images(fake: Any) -> dict[str, pixview.Image]:
    source = image(*SHAPE)
    managed = fake.image(source, owner=source)
    return {
        "stream-ordered": pixview.view(managed, copy=True),
        "expandable": make(fake, "fake_malloc_expandable", source),
    }


@pytest.mark.parametrize("kind", ["stream-ordered", "expandable"])
def test_what_cannot_be_shared(kind: str, fake: Any, other: OtherProcess) -> None:
    x = free_images(fake)[kind]
    for how in (None, False):
        with pytest.raises(pixview.UnsupportedError, match=kind) as error:
            pixview.share(x, copy=how)
        assert "copy=True" in str(error.value) and "pixview.Pool" in str(error.value)
    other("open", "a", pixview.share(x, copy=True))
    assert (other("read", "a") == image(*SHAPE)).all()
    other("take", "b", x)  # a pickle may copy
    assert (other("read", "b") == image(*SHAPE)).all()
    other("drop", "a", "b")


def test_managed_memory(fake: Any) -> None:
    a = image(*SHAPE)
    fake.lib.fake_register_managed.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    fake.lib.fake_register_managed(a.ctypes.data, a.nbytes, 0)
    try:
        x = pixview.from_pointer(a.ctypes.data, SHAPE, "uint8", device=0, owner=a)
        with pytest.raises(pixview.UnsupportedError, match="managed memory"):
            pixview.share(x)
    finally:
        fake.lib.fake_unregister.argtypes = [ctypes.c_void_p]
        fake.lib.fake_unregister(a.ctypes.data)


def test_pickle_of_an_image(fake: Any, other: OtherProcess) -> None:
    frame = pool().copy(image(*SHAPE))
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        here = pickle.loads(pickle.dumps(frame, protocol))
        assert here.ptr == frame.ptr and here.layout == "HWC"
    assert other("take", "a", frame)[3] == ("cuda", 0)
    other("fill", "a", 3)
    assert (downloaded(frame) == 3).all()
    assert copy.deepcopy(frame).ptr != frame.ptr


def test_video_frame(fake: Any, other: OtherProcess) -> None:
    block = pixview.Pool((15, 14), "uint8", 1, device="cuda").copy(image(15, 14))
    uv = pixview.from_pointer(block.ptr + 140, (5, 7, 2), "uint8", device=0, owner=block)
    frame = pixview.video_frame(
        (block.crop(0, 0, 10, 14), uv), format="NV12", matrix="bt709", range="full"
    )
    got = other("call", repr, frame)
    assert got == repr(frame)
    other("take", "f", frame)
    rgb = other("run", "import pixview; out = pixview.as_numpy(images['f'], copy=True)")
    assert (rgb == pixview.as_numpy(frame, copy=True)).all()


# ---- streams ---------------------------------------------------------------------------------------------


def test_opener_waits_for_the_sender(fake: Any) -> None:
    frames = pool()
    stream = fake.lib.fake_stream(0)
    frame = frames.get(stream=-1)
    fake.reset()
    share = pixview.share(frame, stream=stream)
    assert "record" in fake.work()
    with OtherProcess() as other:
        other("open", "a", share)
        waits = (
            "import ctypes, os; lib = ctypes.CDLL(os.environ['PIXVIEW_LIBCUDA']);"
            "out = lib.fake_ipc_waits()"
        )
        assert other("run", waits) == 1
        other("open", "b", share, {"stream": -1})
        assert other("run", waits) == 1


def test_local_opener_waits_too(fake: Any) -> None:
    share = pixview.share(pool().get())
    fake.reset()
    x = share.open()
    assert fake.work() == ["wait"]
    del x


def test_no_wait_without_events(fake: Any) -> None:
    """A GPU without events of several processes: the host waits, once."""
    with OtherProcess(FAKE_CUDA_SHAREABLE="1") as other:
        share = other("share_new", "p", SHAPE, "uint8", "cuda", 42)
        x = share.open()
        assert (downloaded(x) == 42).all()
        del x


def test_frame_is_not_free_before_the_work_on_it(fake: Any) -> None:
    frames = pool(1)
    fake.lib.fake_set_pending(3)
    x = frames.get()
    del x
    assert becomes(lambda: frames.idle, 1)  # the thread asks until the event has passed


def test_capture(fake: Any) -> None:
    frames = pool()
    fake.lib.fake_stream_non_blocking.restype = ctypes.c_uint64
    stream = fake.lib.fake_stream_non_blocking(0)
    fake.lib.fake_set_capture.argtypes = [ctypes.c_uint64, ctypes.c_int, ctypes.c_uint64]
    frame = frames.get(stream=Stream(stream))
    share = pixview.share(frame)
    fake.lib.fake_set_capture(stream, 1, 5)
    try:
        with pytest.raises(pixview.CudaError) as error:
            pixview.share(frame)
        assert error.value.code == 900
        with pytest.raises(pixview.CudaError):
            share.open(stream=stream)
    finally:
        fake.lib.fake_set_capture(stream, 0, 0)
    del frame, share
    assert becomes(lambda: frames.idle, 2)


def test_dropped_in_a_capture(fake: Any) -> None:
    """The opener may wait for the next frame, and do nothing else."""
    frames = pool(1)
    with OtherProcess() as other:
        other("take", "s", pixview.share(frames.get()))
        other(
            "run",
            "import ctypes, os; lib = ctypes.CDLL(os.environ['PIXVIEW_LIBCUDA']);"
            "lib.fake_set_capture.argtypes = [ctypes.c_uint64, ctypes.c_int, ctypes.c_uint64];"
            "lib.fake_stream_non_blocking.restype = ctypes.c_uint64;"
            "s = lib.fake_stream_non_blocking(0);"
            "Stream = type('Stream', (), {'__cuda_stream__': lambda self: (0, s)});"
            "images['a'] = images.pop('s').open(stream=Stream());"
            "lib.fake_set_capture(s, 1, 5); del images['a'];"
            "images['end'] = lambda: lib.fake_set_capture(s, 0, 0)",
        )
        assert frames.idle == 0
        other("run", "images['end']()")
        assert becomes(lambda: frames.idle, 1)


def test_open_that_failed_may_be_tried_again(fake: Any) -> None:
    frames = pool(1)
    received = pickle.loads(pickle.dumps(pixview.share(frames.copy(image(*SHAPE)))))
    fake.lib.fake_stream_non_blocking.restype = ctypes.c_uint64
    stream = fake.lib.fake_stream_non_blocking(0)
    fake.lib.fake_set_capture.argtypes = [ctypes.c_uint64, ctypes.c_int, ctypes.c_uint64]
    fake.lib.fake_set_capture(stream, 1, 5)
    with pytest.raises(pixview.CudaError):
        received.open(stream=stream)
    fake.lib.fake_set_capture(stream, 0, 0)
    assert frames.idle == 0
    assert (downloaded(received.open()) == image(*SHAPE)).all()
    assert becomes(lambda: frames.idle, 1)


def test_copy_of_an_image_without_order(fake: Any) -> None:
    x = make(fake, "fake_malloc_expandable", image(*SHAPE), stream=-1)
    fake.reset()
    share = pixview.share(x, copy=True)
    assert "record" in fake.work()  # the copy is ours to order
    del share


def test_two_streams_fill_one_frame(fake: Any) -> None:
    frame = pool().get(stream=-1)
    first = pixview.share(frame, stream=Stream(fake.lib.fake_stream(0)))
    fake.reset()
    second = pixview.share(frame, stream=Stream(fake.lib.fake_stream(0)))
    assert fake.work() == ["wait", "record"]  # who opens the first waits for both
    del first, second


def test_sending_on_starts_no_driver(fake: Any) -> None:
    share = pixview.share(pool().get())
    with OtherProcess() as other:
        other("take", "s", share)
        find = "out = 'libfakecuda' in open('/proc/self/maps').read()"
        show = "out = (images['s'].shape, images['s'].dtype, images['s'].nbytes)"
        assert other("run", show) == (SHAPE, share.dtype, share.nbytes)
        assert other("run", "import pickle; out = len(pickle.dumps(images['s']))") > 256
        assert other("run", find) is False
        other("open", "a", share)
        assert other("run", find) is True


# ---- other GPUs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peer", [True, False])
def test_opener_on_another_gpu(peer: bool, fake: Any) -> None:
    frames = pool(1)
    frame = frames.copy(image(*SHAPE))
    share = pixview.share(frame)
    no_peer = {} if peer else {"FAKE_CUDA_NO_PEER": "1"}
    with OtherProcess(FAKE_CUDA_DEVICES="2", **no_peer) as other:
        other("take", "s", share)
        plan = other("run", "out = tuple(images['s'].plan(device=1))")
        assert plan[0] == ("view" if peer else "copy")
        assert bool(plan[1]) != peer
        assert other("open", "a", share, {"device": 1})[3] == ("cuda", 1)
        assert (other("read", "a") == image(*SHAPE)).all()
        if peer:
            other("fill", "a", 8)
            assert (downloaded(frame) == 8).all()
        del frame, share
        other("drop", "a", "s")
        assert becomes(lambda: frames.idle, 1)


def test_gpu_that_the_opener_does_not_see(fake: Any) -> None:
    share = pixview.share(pool().get())
    with OtherProcess(FAKE_CUDA_FIRST="3") as other:
        assert other("call", getattr, share, "device") == ("cuda", -1)
        with pytest.raises(pixview.DeviceError, match="CUDA_VISIBLE_DEVICES"):
            other("open", "a", share)
        with pytest.raises(pixview.DeviceError):
            other("open", "a", share, {"device": 5})


def test_gpu_numbered_otherwise(fake: Any) -> None:
    with OtherProcess(FAKE_CUDA_DEVICES="2") as other:
        share = other("share_new", "p", SHAPE, "uint8", "cuda:0", 42)
        assert share.device == ("cuda", 0)
        far = other("share_new", "q", SHAPE, "uint8", "cuda:1", 42)
        assert far.device == ("cuda", -1)
        with pytest.raises(pixview.DeviceError):
            far.open()


# ---- who dies ---------------------------------------------------------------------------------------------


def test_killed_consumer(fake: Any) -> None:
    frames = pool(1)
    share = pixview.share(frames.get())
    with OtherProcess() as other:
        other("open", "a", share)
        del share
        assert frames.idle == 0
        other.kill()
        assert becomes(lambda: frames.idle, 1)


def test_killed_producer_and_nothing_left(fake: Any) -> None:
    before = fake.lib.fake_live_shared()
    with OtherProcess() as other:
        share = other("share_new", "p", SHAPE, "uint8", "cuda", 42)
        x = share.open()
        other.kill()
        assert (downloaded(x) == 42).all()
        del x
        assert becomes(fake.lib.fake_live_shared, before)


def test_memory_goes_with_the_pool(fake: Any) -> None:
    before = fake.lib.fake_live_shared()
    with OtherProcess() as other:
        frames = pool()
        share = pixview.share(frames.get())
        other("open", "a", share)
        del frames
        assert fake.lib.fake_live_shared() > before
        del share
        other("drop", "a")
        assert becomes(fake.lib.fake_live_shared, before)
        lives = (
            "import ctypes, os, time; lib = ctypes.CDLL(os.environ['PIXVIEW_LIBCUDA']);"
            "end = time.time() + 5\nwhile lib.fake_live_shared() > 1 and time.time() < end: time.sleep(.01)\n"
            "out = lib.fake_live_shared()"
        )
        assert other("run", lives) <= 1  # an opened event, kept for the entry


def test_no_memory_that_can_be_shared(fake: Any) -> None:
    with OtherProcess(FAKE_CUDA_SHAREABLE="2") as other:
        with pytest.raises(pixview.UnsupportedError, match="virtual memory"):
            other("share_new", "p", SHAPE, "uint8", "cuda", 42)
