# SPDX-License-Identifier: Apache-2.0
"""Images of a GPU in other processes, with the real driver."""

import gc
import os
import pickle
import signal
import time

import pytest
from other_process import OtherProcess

from .util import churn, cp, cv2, host, make, new_mat, np, pixels, pixview, settle, torch

SHAPE = (30, 41, 3)
IMAGE = pixels(SHAPE)
two_gpus = pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")


@pytest.fixture(scope="module")
def other():
    with OtherProcess() as process:
        yield process


@pytest.fixture
def frames():
    pool = pixview.Pool(SHAPE, "uint8", 2, device="cuda")
    yield pool
    assert becomes(lambda: pool.idle, 2)


def becomes(what, wanted):
    end = time.monotonic() + 10
    while what() != wanted and time.monotonic() < end:
        time.sleep(0.005)
    return what() == wanted


def read(x):
    return pixview.as_numpy(x, layout=x.layout, copy=True)


def test_frame_as_every_library(frames, other):
    frame = frames.copy(IMAGE)
    assert (host(pixview.as_torch(frame, layout="HWC")) == IMAGE).all()
    assert (host(pixview.as_cupy(frame)) == IMAGE).all()
    assert (host(pixview.as_gpumat(frame), "uint8") == IMAGE).all()
    other("open", "a", pixview.share(frame))
    assert (other("read", "a") == IMAGE).all()
    code = """
import cv2, pixview, torch
x = images["a"]
t = pixview.as_torch(x)
t += 1
m = pixview.as_gpumat(x)
out = m.download()
torch.cuda.synchronize()
"""
    assert (other("run", code) == IMAGE + np.uint8(1)).all()
    assert (read(frame) == IMAGE + np.uint8(1)).all()
    other("run", "import gc; gc.collect()")
    other("drop", "a")


@pytest.mark.parametrize("kind", ["torch", "cupy", "gpumat"])
def test_memory_of_every_library(kind, other):
    x = make(kind, IMAGE)
    share = pixview.share(x, src_layout="HWC" if kind == "torch" else None)
    other("open", "a", share)
    assert (other("read", "a") == IMAGE).all()
    other("fill", "a", 3)
    assert (read(pixview.view(x, src_layout="HWC" if kind == "torch" else None)) == 3).all()
    del x, share
    churn(IMAGE)
    settle()
    assert (other("read", "a") == 3).all()  # the sender holds it
    other("drop", "a")


def test_region_of_a_pitched_mat(other):
    mat = new_mat(IMAGE)
    part = cv2.cuda.GpuMat(mat, (5, 20), (3, 30))
    other("open", "a", pixview.share(part))
    assert (other("read", "a") == IMAGE[5:20, 3:30]).all()
    other("drop", "a")


def test_sent_on(frames, other):
    frame = frames.copy(IMAGE)
    other("open", "a", pixview.share(frame))
    with OtherProcess() as third:
        third("open", "b", other("share", "a", 2, 3, 10, 11))
        assert (third("read", "b") == IMAGE[2:12, 3:14]).all()
        del frame
        other("drop", "a")
        assert (third("read", "b") == IMAGE[2:12, 3:14]).all()


def test_what_cannot_be_shared(other):
    pool = cp.cuda.MemoryAsyncPool()
    with cp.cuda.using_allocator(pool.malloc):
        ordered = cp.asarray(IMAGE)
    with cp.cuda.using_allocator(cp.cuda.malloc_managed):
        managed = cp.asarray(IMAGE)
    cp.cuda.Device().synchronize()
    for x, what in ((ordered, "stream-ordered"), (managed, "managed")):
        with pytest.raises(pixview.UnsupportedError, match=what):
            pixview.share(x)
        other("open", "a", pixview.share(x, copy=True))
        assert (other("read", "a") == IMAGE).all()
        other("drop", "a")


def test_expandable_segments():
    with OtherProcess(PYTORCH_CUDA_ALLOC_CONF="expandable_segments:True") as process:
        code = """
import pixview, torch
t = torch.zeros(3, 30, 40, dtype=torch.uint8, device="cuda")
try:
    pixview.share(t)
    out = ""
except pixview.UnsupportedError as error:
    out = str(error)
"""
        assert "expandable" in process("run", code)


def test_order_of_streams(frames, other):
    """The opener's work waits for the sender's, and a frame is not free before the opener's work is done."""
    stream = torch.cuda.Stream()
    for i in range(20):
        frame = frames.get(timeout=10, stream=stream)
        with torch.cuda.stream(stream):
            tensor = pixview.as_torch(frame)
            torch.cuda._sleep(3_000_000)
            tensor.fill_(i + 1)
        share = pixview.share(frame)
        del frame, tensor
        code = """
import pixview, torch
t = pixview.as_torch(images.pop("a"))
sums = t.sum()
torch.cuda._sleep(3_000_000)
late = t.sum()
del t
out = int(sums), int(late)
"""
        other("open", "a", share)
        del share
        expected = (i + 1) * IMAGE.size
        assert other("run", code) == (expected, expected)


def test_pickles(frames, other):
    frame = frames.copy(IMAGE)
    assert other("take", "a", frame)[3] == ("cuda", 0)
    assert (other("read", "a") == IMAGE).all()
    assert pickle.loads(pickle.dumps(frame)).ptr == frame.ptr
    other("drop", "a")


def test_killed(frames):
    with OtherProcess() as process:
        process("open", "a", pixview.share(frames.copy(IMAGE)))
        theirs = process("share_new", "p", SHAPE, "uint8", "cuda", 42)
        mine = theirs.open()
        process.kill()
    assert (read(mine) == 42).all()
    del mine
    with pytest.raises(pixview.ShareError, match="gone"):
        assert becomes(lambda: theirs.open(timeout=1) and False, True)


@pytest.mark.parametrize("seconds", [0, 0.01, 0.1, 0.4])
def test_killed_with_work_queued(frames, seconds):
    """What a killed reader has queued does not reach the next image of the frame."""
    with OtherProcess() as process:
        process("open", "a", pixview.share(frames.copy(IMAGE)))
        code = """
import pixview, torch
t = pixview.as_torch(images["a"])
torch.cuda._sleep(500_000_000)
for _ in range(200):
    t.fill_(7)
"""
        process("run", code)
        time.sleep(seconds)
        os.kill(process.pid, signal.SIGKILL)  # nobody waits for its end
        taken = [frames.get(timeout=10) for _ in range(2)]
        for frame in taken:
            pixview.copy_into(frame, np.zeros_like(IMAGE))
    time.sleep(0.6)
    assert [int(read(frame).max()) for frame in taken] == [0, 0]


def test_memory_goes():
    def used():
        gc.collect()
        torch.cuda.synchronize()
        free, total = torch.cuda.mem_get_info()
        return (total - free) >> 20

    with OtherProcess() as process:
        process("share_new", "warm", SHAPE, "uint8", "cuda", 1).open()
        process("drop", "warm")
        before = used()
        for _ in range(3):
            pool = pixview.Pool((1080, 1920, 3), "uint8", 16, device="cuda")
            process("open", "a", pixview.share(pool.get()))
            assert used() >= before + 90
            del pool
            process("drop", "a")
            assert becomes(lambda: used() <= before + 4, True)


@two_gpus
@pytest.mark.parametrize("kind", ["pool", "torch"])
def test_opener_on_another_gpu(kind, other):
    if kind == "pool":
        x = pixview.Pool(SHAPE, "uint8", 1, device="cuda:0").copy(IMAGE)
    else:
        x = pixview.view(make("torch", IMAGE), src_layout="HWC")
    share = pixview.share(x)
    other("take", "s", share)
    plan = other("run", "out = tuple(images['s'].plan(device=1))")
    print(kind, plan)
    assert other("open", "a", share, {"device": 1})[3] == ("cuda", 1)
    assert (other("read", "a") == IMAGE).all()
    code = """
import pixview, torch
with torch.cuda.device(1):
    t = pixview.as_torch(images["a"], layout="HWC")
    out = t.device.index, t.clone().cpu().numpy()
    t += 1
    torch.cuda.synchronize()
del t
"""
    index, got = other("run", code)
    assert index == 1 and (got == IMAGE).all()
    if plan[0] == "view":
        assert (read(x) == IMAGE + np.uint8(1)).all()
    other("drop", "a", "s")


@two_gpus
def test_opener_on_another_gpu_by_a_copy():
    """In one process the memory of another GPU is copied."""
    x = pixview.Pool(SHAPE, "uint8", 1, device="cuda:0").copy(IMAGE)
    share = pixview.share(x)
    assert share.plan(device=1).kind == "copy"
    far = share.open(device=1)
    assert far.device == ("cuda", 1) and (read(far) == IMAGE).all()


@two_gpus
def test_gpu_that_the_opener_does_not_see():
    share = pixview.share(pixview.Pool(SHAPE, "uint8", 1, device="cuda:0").get())
    second = os.environ.get("CUDA_VISIBLE_DEVICES", "0,1").split(",")[1]
    with OtherProcess(CUDA_VISIBLE_DEVICES=second) as process:
        with pytest.raises(pixview.DeviceError, match="CUDA_VISIBLE_DEVICES"):
            process("open", "a", share)
        theirs = process("share_new", "p", SHAPE, "uint8", "cuda", 42)
        assert theirs.device == ("cuda", 1)
        assert (read(theirs.open()) == 42).all()
