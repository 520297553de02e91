# SPDX-License-Identifier: Apache-2.0
"""stack, unstack and copy_into on the fake driver's device memory: places, launches, order, refusals."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Any

import numpy as np
import pixview
import pytest
from support import (
    Dlpack,
    Stream,
    address,
    check_flat,
    cuda_array_interface,
    header,
    image,
    pitched,
    waited,
    wrap,
)

SHAPE = (6, 10, 3)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

pytestmark = pytest.mark.usefixtures("kernels")


def arrays(n: int, shape: Any = SHAPE) -> list[Any]:
    return [np.roll(image(*shape), i) for i in range(n)]


def planar(batch: Any) -> Any:
    return np.stack(batch).transpose(0, 3, 1, 2)


def normalised(batch: Any) -> Any:
    return ((np.stack(batch)[..., ::-1] / 255 - MEAN) / STD).transpose(0, 3, 1, 2)


NORM: dict[str, Any] = {"scale": 1 / 255, "mean": MEAN, "std": STD, "swap_rb": True}


def batch_of(fake: Any, array: Any, layout: str = "NCHW", **keywords: Any) -> pixview.Image:
    """Device memory to write into, and the array that shows it."""
    return fake.image(array, layout=layout, **keywords)


# ---- one launch, in the right place -----------------------------------------------------------


def test_many_images_one_launch(fake: Any) -> None:
    a = arrays(64)
    images = [fake.image(x) for x in a]
    memory = np.zeros((64, 3, 6, 10), np.float32)
    out = batch_of(fake, memory)
    pixview.stack(images, out=out, **NORM)  # loads the kernels
    fake.reset()
    assert pixview.stack(images, out=out, **NORM) is out
    assert fake.work() == ["launch"]
    np.testing.assert_allclose(memory, normalised(a), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("values", [False, True])
def test_many_sizes_one_launch(fake: Any, layout: str, values: bool) -> None:
    frame = image(40, 50, 3)
    parts = [(i % 7, i % 5, 1 + i % 29, 1 + i * 7 % 41) for i in range(200)]
    expected = np.full((200, 30, 42, 3), 9, np.uint8)
    for n, (y, x, h, w) in enumerate(parts):
        expected[n, :h, :w] = frame[y : y + h, x : x + w]
    memory = np.zeros(
        (200, 3, 30, 42) if layout == "NCHW" else (200, 30, 42, 3),
        np.float32 if values else np.uint8,
    )
    out = batch_of(fake, memory, layout)
    pixview.stack(
        [fake.image(frame)],
        rois=[parts],
        size=(30, 42),
        out=out,
        pad_value=9,
        **(NORM if values else {}),
    )
    wanted = normalised(expected) if values else planar(expected)
    wanted = wanted if layout == "NCHW" else wanted.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(memory, wanted, rtol=1e-5, atol=1e-6)
    memory[...] = 0
    fake.reset()
    pixview.stack(
        [fake.image(frame)],
        rois=[parts],
        size=(30, 42),
        out=out,
        pad_value=9,
        **(NORM if values else {}),
    )
    assert fake.work().count("launch") == 1


@pytest.mark.parametrize("n", [1, 2, 200, 3000, 10_000])
def test_any_number(fake: Any, n: int) -> None:
    whole = fake.register(image(n, 2, 3, 3))
    v = pixview.from_pointer(address(whole), whole.shape, "uint8", owner=whole)
    images = pixview.unstack(v, to="image")
    memory = np.zeros((n, 3, 2, 3), np.uint8)
    out = batch_of(fake, memory)
    fake.reset()
    pixview.stack(images, out=out)
    launches = [call for call in fake.work() if call == "launch"]
    assert 1 <= len(launches) <= -(-n // 250)
    np.testing.assert_array_equal(memory, whole.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize(
    "keywords",
    [{}, NORM, {"swap_rb": True}, {"size": (4, 5), "pad_value": 114}, {"size": (3, 3), **NORM}],
    ids=["as it is", "normalised", "swapped", "padded", "padded, normalised"],
)
def test_a_batch_is_one_launch(fake: Any, layout: str, keywords: Any) -> None:
    """Whatever its N, and as its images one by one."""
    whole = image(10_000, 2, 3, 3)
    source = whole if layout == "NHWC" else planar(whole).copy()
    n, h, w, c = 10_000, *keywords.get("size", (2, 3)), 3
    dtype = np.float32 if "scale" in keywords else np.uint8
    got, wanted = np.zeros((n, c, h, w), dtype), np.zeros((n, c, h, w), dtype)
    batch, out = batch_of(fake, source, layout), batch_of(fake, got)
    pixview.stack(batch, out=out, **keywords)  # loads the kernels
    got[...] = 0
    fake.reset()
    pixview.stack(batch, out=out, **keywords)
    assert fake.work() == ["launch"]
    pixview.stack(pixview.unstack(batch, to="image"), out=batch_of(fake, wanted), **keywords)
    np.testing.assert_array_equal(got, wanted)
    assert got.any()


def test_a_mixture(fake: Any, torch: Any, cupy: Any) -> None:
    a = arrays(5)
    images = [
        fake.image(a[0]),
        pixview.as_torch(fake.image(a[1])),
        pixview.as_cupy(fake.image(a[2])),
        cuda_array_interface(fake.register(a[3])),
        Dlpack(fake.register(a[4]), device=(2, 0)),
    ]
    out = pixview.stack(images, to="cupy", layout="NHWC")
    assert type(out) is cupy.ndarray and out.shape == (5, *SHAPE)
    np.testing.assert_array_equal(pixview.as_numpy(out, copy=True), np.stack(a))
    assert images[4].settled()


def test_a_result_of_the_driver_s_memory(fake: Any) -> None:
    a = arrays(3)
    out = pixview.stack([fake.image(x) for x in a], to="image", dtype="float16")
    assert out.layout == "NCHW" and out.device == ("cuda", 0) and out.dtype == np.float16
    np.testing.assert_array_equal(pixview.as_numpy(out, copy=True, src_layout="NCHW"), np.stack(a))
    del out
    gc.collect()
    assert fake.lib.fake_live_blocks() == 0


def test_padding(fake: Any) -> None:
    a = [image(6, 10, 3), image(2, 3, 3), image(6, 1, 3), np.zeros((0, 4, 3), np.uint8)]
    memory = np.zeros((4, 3, 7, 12), np.uint8)
    pixview.stack(
        [fake.image(x, layout="HWC") for x in a],
        out=batch_of(fake, memory),
        size=(7, 12),
        pad_value=114,
    )
    for one, got in zip(a, memory.transpose(0, 2, 3, 1), strict=True):
        wanted = np.full((7, 12, 3), 114, np.uint8)
        wanted[: one.shape[0], : one.shape[1]] = one
        np.testing.assert_array_equal(got, wanted)


# ---- order ------------------------------------------------------------------------------------


def test_one_stream_needs_no_other_call(fake: Any) -> None:
    images = [fake.image(x) for x in arrays(20)]
    out = batch_of(fake, np.zeros((20, 3, 6, 10), np.uint8))
    pixview.stack(images, out=out)
    fake.reset()
    pixview.stack(images, out=out)
    assert fake.work() == ["launch"]
    # One question for all: may work be queued on the legacy stream?
    assert "Event" not in fake.calls() and fake.calls().count("Stream") == 1


def test_each_stream_is_ordered_once(fake: Any) -> None:
    streams = [Stream(fake.lib.fake_stream(0)) for _ in range(12)]
    images = [fake.image(x, stream=streams[i % 12]) for i, x in enumerate(arrays(60))]
    out = batch_of(fake, np.zeros((60, 3, 6, 10), np.uint8))
    pixview.stack(images, out=out)
    fake.reset()
    pixview.stack(images, out=out)
    assert fake.work() == ["record", "wait"] * 12 + ["launch"] + ["record", "wait"] * 12
    for stream in streams:
        assert waited(fake, 0, stream) and waited(fake, stream, 0)


def test_the_work_is_on_the_stream_of_the_result(fake: Any, other_stream: int) -> None:
    images = [fake.image(x) for x in arrays(3)]
    out = batch_of(fake, np.zeros((3, 3, 6, 10), np.uint8), stream=other_stream)
    fake.reset()
    pixview.stack(images, out=out)
    assert waited(fake, other_stream, 0) and waited(fake, 0, other_stream)


def test_no_order_across_a_capture(fake: Any, other_stream: int) -> None:
    images = [fake.image(x) for x in arrays(3)]
    memory = np.zeros((3, 3, 6, 10), np.uint8)
    out = batch_of(fake, memory, stream=other_stream)
    pixview.stack(images, out=out)
    fake.lib.fake_set_capture.argtypes = [ctypes.c_uint64, ctypes.c_int, ctypes.c_uint64]
    fake.lib.fake_capture_status.argtypes = [ctypes.c_uint64]
    fake.lib.fake_set_capture(other_stream, 1, 7)
    try:
        pixview.stack(images, out=out)
        assert fake.lib.fake_capture_status(other_stream) == 1
    finally:
        fake.lib.fake_set_capture(other_stream, 0, 0)


def test_a_producer_is_told_the_stream_that_works(fake: Any) -> None:
    asked = Dlpack(fake.register(image(*SHAPE)), device=(2, 0))
    other = Stream(fake.lib.fake_stream(0))
    out = batch_of(fake, np.zeros((1, 3, 6, 10), np.uint8), stream=other)
    fake.reset()
    pixview.stack([asked], out=out)
    told = asked.asked[-1]["stream"]
    assert told == other or waited(fake, other, 0 if told == 1 else told)


@pytest.fixture
def releases(cv2: Any) -> None:
    """Only where release() releases: in a build without CUDA it does nothing."""
    pixview.plan(cv2.cuda.createGpuMatFromCudaMemory(1, 1, cv2.CV_8UC1, 4096), "image")
    if not pixview._core._doctor()["gpumat"]["cuda"]:
        pytest.skip("release() of this OpenCV does nothing")


# ---- GpuMats ----------------------------------------------------------------------------------


@pytest.mark.cv2
def test_gpumats_of_any_pitch(fake: Any, cv2: Any, gpumat: Any, torch: Any) -> None:
    a = [pitched(6, 10, pad=p) for p in (0, 1, 16, 33)]
    mats = [wrap(cv2, fake.register(x)) for x in a]
    mats.append(gpumat(mats[2], (0, 6), (0, 10)))
    memory = np.zeros((5, 3, 6, 10), np.float32)
    out = pixview.as_torch(fake.image(memory, layout="NCHW"))
    fake.reset()
    assert pixview.stack(mats, out=out, **NORM) is out
    assert [c for c in fake.work() if c != "load"] == ["launch"]
    np.testing.assert_allclose(memory, normalised([*a, a[2]]), rtol=2e-6, atol=2e-6)


@pytest.mark.cv2
@pytest.mark.parametrize("odd", ["type", "channels", "size", "released", "no header"])
def test_an_odd_gpumat_among_many(fake: Any, cv2: Any, gpumat: Any, odd: str) -> None:
    """The others are read by the shorter way."""
    mats = [wrap(cv2, fake.register(x)) for x in arrays(9, (6, 10, 4))]
    size, code = (6, 10), cv2.CV_8UC4
    if odd == "type":
        code = cv2.CV_8SC4
    elif odd == "channels":
        code = cv2.CV_8UC1
    elif odd == "size":
        size = (5, 10)
    memory = fake.register(image(6, 100, 1))
    mats[7] = cv2.cuda.createGpuMatFromCudaMemory(*size, code, address(memory), 100)
    if odd == "released":
        mats[7] = gpumat()
    elif odd == "no header":
        mats[7] = gpumat.__new__(gpumat)
        if odd == "no header" and pixview._core._doctor()["gpumat"]["read"] != "struct":
            pytest.skip("only the struct shows that there is no header")
    fake.reset()
    with pytest.raises(pixview.Error, match=r"images\[7\]"):
        pixview.stack(mats, to="image")
    assert fake.work() == []


@pytest.mark.cv2
def test_gpumats_of_one_row(fake: Any, cv2: Any, gpumat: Any) -> None:
    a = arrays(4, (1, 10, 3))
    mats = [
        cv2.cuda.createGpuMatFromCudaMemory(1, 10, cv2.CV_8UC3, address(fake.register(x)), 30 + i)
        for i, x in enumerate(a)
    ]
    memory = np.zeros((4, 3, 1, 10), np.uint8)
    pixview.stack(mats, out=batch_of(fake, memory))
    np.testing.assert_array_equal(memory, planar(a))


@pytest.mark.cv2
def test_one_gpumat(fake: Any, cv2: Any, gpumat: Any) -> None:
    a, memory = pitched(6, 10), np.zeros(SHAPE, np.float32)
    mat = wrap(cv2, fake.register(a))
    out = wrap(cv2, fake.register(memory))
    assert pixview.stack([mat], out=out, scale=2) is out
    np.testing.assert_array_equal(memory, a * np.float32(2))
    with pytest.raises(pixview.LayoutError, match="2 images"):
        pixview.stack([mat, mat], to="gpumat")
    with pytest.raises(pixview.LayoutError, match="out has"):
        pixview.stack([mat, mat], out=wrap(cv2, fake.register(np.zeros(SHAPE, np.uint8))))


@pytest.mark.cv2
def test_stream_of_the_gpumats(fake: Any, cv2: Any, gpumat: Any, other_stream: int) -> None:
    mats = [wrap(cv2, fake.register(x)) for x in arrays(3)]
    out = batch_of(fake, np.zeros((3, 3, 6, 10), np.uint8))
    fake.reset()
    pixview.stack(mats, out=out, stream=other_stream)
    assert waited(fake, 0, other_stream) and waited(fake, other_stream, 0)
    fake.reset()
    pixview.stack(mats, out=out, stream=-1)
    assert "wait" not in fake.work()


@pytest.mark.cv2
def test_a_dead_gpumat(fake: Any, cv2: Any, gpumat: Any, releases: None) -> None:
    mats = [wrap(cv2, fake.register(x)) for x in arrays(4)]
    memory = np.full((4, 3, 6, 10), 7, np.uint8)
    out = batch_of(fake, memory)
    mats[2].release()
    counts = [sys.getrefcount(m) for m in mats]
    fake.reset()
    with pytest.raises(pixview.LayoutError, match=r"images\[2\].*released"):
        pixview.stack(mats, out=out)
    assert fake.work() == [] and (memory == 7).all()
    assert [sys.getrefcount(m) for m in mats] == counts


@pytest.mark.cv2
def test_a_producer_that_releases_the_others(
    fake: Any, cv2: Any, gpumat: Any, releases: None
) -> None:
    """Its code runs before any GpuMat is read, so none is read that is gone."""

    class Hostile(Dlpack):
        def __dlpack__(self, **keywords: Any) -> Any:
            mats[0].release()
            return super().__dlpack__(**keywords)

    a = arrays(2)
    mats: list[Any] = [wrap(cv2, fake.register(a[0]))]
    mats.append(Hostile(fake.register(a[1]), device=(2, 0)))
    with pytest.raises(pixview.LayoutError, match=r"images\[0\].*released"):
        pixview.stack(mats, out=batch_of(fake, np.zeros((2, 3, 6, 10), np.uint8)))
    assert mats[1].settled()


@pytest.mark.cv2
def test_unstack_views(fake: Any, cv2: Any, torch: Any, gpumat: Any) -> None:
    whole = image(4, *SHAPE)
    v = fake.image(whole, layout="NHWC")
    fake.reset()
    mats = pixview.unstack(v)
    assert fake.calls() == ""
    assert [m.cudaPtr() for m in mats] == [address(x) for x in whole]
    assert all(m.size() == (10, 6) and m.type() == cv2.CV_8UC3 for m in mats)
    tensors = pixview.unstack(v, to="torch")
    assert [t.data_ptr() for t in tensors] == [address(x) for x in whole]
    assert tuple(tensors[0].shape) == (3, 6, 10)


@pytest.mark.cv2
def test_unstack_copies_planes_once(fake: Any, cv2: Any, cupy: Any, gpumat: Any) -> None:
    whole = image(4, *SHAPE)
    planes = np.ascontiguousarray(whole.transpose(0, 3, 1, 2))
    c = pixview.as_cupy(fake.image(planes, layout="NCHW"), layout="NCHW")
    pixview.unstack(c, src_layout="NCHW")
    fake.reset()
    mats = pixview.unstack(c, src_layout="NCHW")
    assert [call for call in fake.work() if call != "alloc"] == ["launch"]
    assert len({m.step for m in mats}) == 1 and mats[0].step % 32 == 0
    for mat, wanted in zip(mats, whole, strict=True):
        np.testing.assert_array_equal(pixview.as_numpy(mat, copy=True), wanted)
    with pytest.raises(pixview.LayoutError):
        pixview.unstack(c, src_layout="NCHW", copy=False)
    last = mats[3]
    del mats, mat
    gc.collect()  # the last one holds the memory
    np.testing.assert_array_equal(pixview.as_numpy(last, copy=True), whole[3])


@pytest.mark.cv2
def test_unstack_holds_the_batch(fake: Any, cv2: Any, torch: Any, gpumat: Any, native: Any) -> None:
    whole = image(4, *SHAPE)
    v = fake.image(whole, layout="NHWC")
    count = sys.getrefcount(whole)
    mats = pixview.unstack(v)
    roi = gpumat(mats[1], (0, 2), (0, 2))
    del v, mats
    gc.collect()
    assert sys.getrefcount(whole) == count, "the region holds the batch"
    assert header(roi).data == address(whole[1])
    del roi
    gc.collect()
    assert sys.getrefcount(whole) == count - 1


@pytest.mark.cv2
def test_stack_of_gpumats_leaves_nothing_behind(fake: Any, cv2: Any) -> None:
    mats = [wrap(cv2, fake.register(x)) for x in arrays(30)]
    out = batch_of(fake, np.zeros((30, 3, 6, 10), np.uint8))
    check_flat(lambda: pixview.stack(mats, out=out), 3000)
    v = fake.image(image(4, *SHAPE), layout="NHWC")
    check_flat(lambda: pixview.unstack(v), 3000)


# ---- refused ----------------------------------------------------------------------------------


def refused(fake: Any, error: Any, part: str, images: Any, memory: Any, **keywords: Any) -> None:
    memory[...] = 7
    fake.reset()
    with pytest.raises(error, match=part):
        pixview.stack(images, **keywords)
    assert fake.work() == []
    assert (memory == 7).all()


def test_refusals(fake: Any, cupy: Any) -> None:
    a = arrays(4)
    images = [fake.image(x) for x in a]
    memory = np.zeros((4, 3, 6, 10), np.uint8)
    out, host = batch_of(fake, memory), np.zeros((4, 3, 6, 10), np.uint8)
    device, layout, dtype = pixview.DeviceError, pixview.LayoutError, pixview.DtypeError
    refused(fake, device, r"images\[1\].*host", [images[0], a[1]], memory, out=out)
    refused(fake, device, r"images\[1\].*device", [a[0], images[1]], memory, out=host)
    refused(fake, device, "host memory", images, memory, out=host)
    refused(fake, device, "device memory", a, memory, out=out)
    refused(fake, device, "in device memory", np.stack(a), memory, out=out)
    whole = fake.image(np.stack(a), layout="NHWC")
    refused(fake, device, "host memory", whole, memory, out=host)
    refused(fake, layout, "share memory", batch_of(fake, memory), memory, out=out)
    refused(fake, device, "copy=True", images, memory, to="numpy")
    refused(fake, device, "copy=True", a, memory, to="cupy")
    refused(fake, dtype, "dtype='uint8'", images, memory, out=out, scale=2)
    refused(fake, layout, "out has", images[:3], memory, out=out)
    refused(fake, layout, "std", images, memory, out=out, std=0, dtype="uint8")
    mine = pixview.from_pointer(address(memory), (6, 10, 3), "uint8", device=0)
    refused(fake, layout, r"images\[3\].*share", [*images[:3], mine], memory, out=out)
    fixed = batch_of(fake, memory, readonly=True)
    refused(fake, pixview.ReadOnlyError, "read-only", images, memory, out=fixed)
    far = batch_of(fake, memory, device=1)
    refused(fake, device, "GPU 0 and the batch on GPU 1", images, memory, out=far)
    apart = pixview.from_pointer(address(a[1]), SHAPE, "uint8", device=1)
    refused(fake, device, r"images\[1\] is on GPU 1", [images[0], apart], memory, out=out)


def test_a_driver_that_fails(fake: Any) -> None:
    """At each of its calls: what needs the answer fails, and nothing is written; the rest goes on."""
    fake.lib.fake_set_current_device(-1)  # whatever the tests before have left
    a, memory = arrays(3), np.zeros((3, 3, 6, 10), np.uint8)
    images, out = [fake.image(x) for x in a], batch_of(fake, memory)
    pixview.stack(images, out=out)
    fake.reset()
    pixview.stack(images, out=out)
    calls, raised = fake.calls().split(), []
    for n, name in enumerate(calls, 1):
        pixview.stack(images, out=out)  # an unknown context has its kernels loaded again
        memory[...] = 7
        fake.reset()
        fake.fail_at(n, 700)
        try:
            pixview.stack(images, out=out)
            np.testing.assert_array_equal(memory, planar(a))
        except pixview.CudaError as error:
            assert error.code == 700 and (memory == 7).all()
            raised.append(name)
        assert fake.calls().split()[n - 1] == name
        assert fake.lib.fake_context_depth() == (name == "cuCtxPopCurrent_v2")
        fake.lib.fake_set_current_device(-1)
    needed = "cuCtxGetCurrent cuCtxPushCurrent_v2 cuStreamIsCapturing cuLaunchKernel".split()
    assert raised == needed and set(calls) - set(raised) == {"cuCtxGetId", "cuCtxPopCurrent_v2"}
