# SPDX-License-Identifier: Apache-2.0
"""copy_into on host memory."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
import pixview
import pytest
from support import DTYPES, Dlpack, address, check_flat, cuda_array_interface, image, wrap

DEVICE_SHAPE = (6, 10, 3)


def test_returns_the_destination_itself(torch: Any) -> None:
    a = image(4, 5, 3)
    for dst in (np.zeros((4, 5, 3), np.uint8), torch.zeros(3, 4, 5, dtype=torch.uint8)):
        assert pixview.copy_into(dst, a) is dst
    np.testing.assert_array_equal(dst.numpy(), a.transpose(2, 0, 1))
    assert pixview.copy_into(src=a, dst=dst) is dst


def test_axes_are_matched_by_name(torch: Any) -> None:
    a = image(2, 4, 5, 3)
    t = torch.zeros(2, 3, 4, 5, dtype=torch.uint8)
    pixview.copy_into(t, a)
    np.testing.assert_array_equal(t.numpy(), a.transpose(0, 3, 1, 2))
    n = np.zeros((2, 4, 5, 3), np.uint8)
    pixview.copy_into(n, t)
    np.testing.assert_array_equal(n, a)


def test_explicit_layouts() -> None:
    a = image(3, 4, 5)
    dst = np.zeros((4, 5, 3), np.uint8)
    pixview.copy_into(dst, a, src_layout="CHW")
    np.testing.assert_array_equal(dst, a.transpose(1, 2, 0))
    planes = np.zeros((3, 4, 5), np.uint8)
    pixview.copy_into(planes, dst, dst_layout="CHW", src_layout="HWC")
    np.testing.assert_array_equal(planes, a)


def test_axes_of_size_one_are_no_difference() -> None:
    a = image(1, 4, 5, 1)
    dst = np.zeros((4, 5), np.uint8)
    pixview.copy_into(dst, a)
    np.testing.assert_array_equal(dst, a[0, :, :, 0])


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes(name: str) -> None:
    a = image(9, 7, 3, dtype=name)[::-1]
    dst = np.zeros((9, 7, 3), name)
    pixview.copy_into(dst, a)
    np.testing.assert_array_equal(dst, a)


def test_into_and_out_of_regions() -> None:
    canvas = np.zeros((10, 20, 3), np.uint8)
    a = image(6, 8, 3)
    pixview.copy_into(canvas[1:5, 2:7], a[1:5, 3:8])
    np.testing.assert_array_equal(canvas[1:5, 2:7], a[1:5, 3:8])
    canvas[1:5, 2:7] = 0
    assert not canvas.any()
    pixview.copy_into(pixview.view(canvas).crop(4, 5, 6, 8), a)
    np.testing.assert_array_equal(canvas[4:10, 5:13], a)


def test_left_half_into_right_half() -> None:
    canvas = image(10, 20, 3)
    left = canvas[:, :10].copy()
    pixview.copy_into(canvas[:, 10:], canvas[:, :10])
    np.testing.assert_array_equal(canvas[:, 10:], left)


def test_source_with_zero_strides() -> None:
    dst = np.zeros((4, 5, 3), np.int16)
    pixview.copy_into(dst, np.broadcast_to(np.arange(3, dtype=np.int16), (4, 5, 3)))
    assert (dst == [0, 1, 2]).all()


def test_negative_strides_on_both_sides() -> None:
    a, dst = image(4, 5, 3), np.zeros((4, 5, 3), np.uint8)
    pixview.copy_into(dst[:, ::-1], a[::-1])
    np.testing.assert_array_equal(dst[:, ::-1], a[::-1])


def test_empty_images(torch: Any) -> None:
    dst = np.zeros((0, 5, 3), np.uint8)
    assert pixview.copy_into(dst, np.zeros((0, 5, 3), np.uint8)) is dst


def test_dlpack_and_images_as_both_ends() -> None:
    a = image(4, 5, 3)
    p, q = Dlpack(np.zeros_like(a)), Dlpack(a)
    assert pixview.copy_into(p, q) is p
    np.testing.assert_array_equal(p.array, a)
    assert p.settled() and q.settled()


def test_extents_differ() -> None:
    dst = np.zeros((4, 5, 3), np.uint8)
    for shape in ((4, 6, 3), (5, 4, 3), (4, 5, 4), (4, 5), (2, 4, 5, 3), (0, 5, 3)):
        with pytest.raises(pixview.LayoutError) as raised:
            pixview.copy_into(
                dst, np.ones(shape, np.uint8), src_layout={2: "HW", 3: "HWC", 4: "NHWC"}[len(shape)]
            )
        assert str(raised.value)
    assert not dst.any()


def test_values_are_never_converted(torch: Any) -> None:
    dst = np.zeros((4, 5, 3), np.float32)
    for other in ("uint8", "float64", "int32"):
        with pytest.raises(pixview.DtypeError, match=other):
            pixview.copy_into(dst, np.ones((4, 5, 3), other))
    with pytest.raises(pixview.DtypeError):
        pixview.copy_into(
            torch.zeros(4, 5, dtype=torch.bfloat16), torch.zeros(4, 5, dtype=torch.float16)
        )
    assert not dst.any()


def test_read_only_destinations() -> None:
    dst = np.zeros((4, 5, 3), np.uint8)
    dst.flags.writeable = False
    for end in (dst, pixview.view(dst), memoryview(bytes(60)).cast("B", (4, 5, 3))):
        with pytest.raises(pixview.ReadOnlyError):
            pixview.copy_into(end, image(4, 5, 3))
    assert not dst.any()


def test_a_destination_that_overlaps_itself(torch: Any) -> None:
    row = np.zeros((1, 5, 3), np.uint8)
    wide = np.lib.stride_tricks.as_strided(row, (4, 5, 3), (0, 3, 1))
    for dst in (wide, torch.zeros(3, 1, 1, dtype=torch.uint8).expand(3, 4, 5)):
        with pytest.raises(pixview.LayoutError):
            pixview.copy_into(dst, image(4, 5, 3))
    sliding = np.lib.stride_tricks.as_strided(np.zeros(64, np.uint8), (4, 5, 3), (1, 3, 1))
    with pytest.raises(pixview.LayoutError):
        pixview.copy_into(sliding, image(4, 5, 3))


def test_source_and_destination_overlap() -> None:
    canvas = image(10, 20, 3)
    before = canvas.copy()
    for dst, src in (
        (canvas[1:], canvas[:-1]),
        (canvas[:, 1:], canvas[:, :-1]),
        (canvas[::-1], canvas),
    ):
        with pytest.raises(pixview.LayoutError, match="overlap|share memory"):
            pixview.copy_into(dst, src)
    np.testing.assert_array_equal(canvas, before)


def test_a_destination_that_autograd_watches(torch: Any) -> None:
    leaf = torch.zeros(3, 4, 5, requires_grad=True)
    for dst in (leaf, leaf * 2, torch.nn.Parameter(torch.zeros(3, 4, 5))):
        with pytest.raises(pixview.Error, match="requires_grad|detach"):
            pixview.copy_into(dst, np.ones((4, 5, 3), np.float32))
        assert not dst.detach().any()
    pixview.copy_into(leaf.detach(), np.ones((4, 5, 3), np.float32))
    assert leaf.detach().all()
    # As a source it is only read.
    out = np.zeros((4, 5, 3), np.float32)
    pixview.copy_into(out, leaf)
    assert out.all()


def test_ends_that_are_no_image() -> None:
    a = image(4, 5, 3)
    count = sys.getrefcount(a)
    for bad in (None, "abc", 5, [[1, 2], [3, 4]], object()):
        with pytest.raises(pixview.UnsupportedError):
            pixview.copy_into(bad, a)
        with pytest.raises(pixview.UnsupportedError):
            pixview.copy_into(a, bad)
    assert sys.getrefcount(a) == count


@pytest.mark.parametrize(
    "arguments, keywords",
    [((), {}), ((1,), {}), ((1, 2, 3), {}), ((1, 2), {"layout": "HWC"}), ((1, 2), {"dst": 1})],
)
def test_arguments(arguments: Any, keywords: Any) -> None:
    with pytest.raises(TypeError):
        pixview.copy_into(*arguments, **keywords)


def test_the_guard_holds_on_both_ends() -> None:
    a, dst = image(3, 20, 30), np.zeros((20, 30, 3), np.uint8)
    with pytest.raises(pixview.LayoutError, match="src_layout"):
        pixview.copy_into(dst, a)
    planes = np.zeros((3, 20, 30), np.uint8)
    with pytest.raises(pixview.LayoutError, match="dst_layout"):
        pixview.copy_into(planes, dst)
    pixview.copy_into(planes, dst, dst_layout="CHW")


def test_big_images(torch: Any) -> None:
    a = image(1080, 1920, 3)
    t = torch.zeros(3, 1080, 1920, dtype=torch.uint8)
    pixview.copy_into(t, a)
    np.testing.assert_array_equal(t.numpy(), a.transpose(2, 0, 1))
    back = np.zeros_like(a)
    pixview.copy_into(back, t)
    np.testing.assert_array_equal(back, a)


def test_nothing_is_written_around_a_region() -> None:
    for w in range(1, 35):
        canvas = np.full((5, w + 4, 3), 255, np.uint8)
        a = image(3, w, 3)
        pixview.copy_into(
            canvas[1:-1, 2:-2], np.ascontiguousarray(a.transpose(2, 0, 1)), src_layout="CHW"
        )
        np.testing.assert_array_equal(canvas[1:-1, 2:-2], a)
        canvas[1:-1, 2:-2] = 255
        assert (canvas == 255).all()


def test_leaves_nothing_behind(torch: Any) -> None:
    a, dst = image(8, 9, 3), torch.zeros(3, 8, 9, dtype=torch.uint8)
    check_flat(lambda: pixview.copy_into(dst, a))
    assert dst.data_ptr() != address(a)


# ---- device memory, on the fake driver ----


@pytest.mark.cv2
def test_copy_into_a_region(fake: Any, cv2: Any, torch: Any, gpumat: Any, kernels: None) -> None:
    sheet, planes = np.full((12, 30, 3), 9, np.uint8), image(3, 6, 10)
    mat = wrap(cv2, fake.register(sheet))
    roi = gpumat(mat, (2, 8), (5, 15))
    source = pixview.as_torch(fake.image(planes, layout="CHW"))
    assert pixview.copy_into(roi, source) is roi
    np.testing.assert_array_equal(sheet[2:8, 5:15], planes.transpose(1, 2, 0))
    sheet[2:8, 5:15] = 9
    assert (sheet == 9).all()
    out = pixview.as_torch(fake.image(np.zeros((3, 6, 10), np.uint8), layout="CHW"))
    assert pixview.copy_into(out, roi) is out


@pytest.mark.cv2
def test_copy_into_refuses_overlapping_regions(
    fake: Any, cv2: Any, gpumat: Any, kernels: None
) -> None:
    sheet = image(12, 30, 3)
    before = sheet.copy()
    mat = wrap(cv2, fake.register(sheet))
    a, b, c = (gpumat(mat, (0, 6), (x, x + 10)) for x in (0, 9, 10))
    fake.reset()
    with pytest.raises(pixview.LayoutError, match="share memory"):
        pixview.copy_into(b, a)
    assert fake.work() == []
    np.testing.assert_array_equal(sheet, before)
    pixview.copy_into(c, a)
    np.testing.assert_array_equal(sheet[:6, 10:20], before[:6, :10])


@pytest.mark.cv2
def test_copy_into_from_a_source_that_releases_it(
    fake: Any, cv2: Any, gpumat: Any, kernels: None
) -> None:
    pixview.plan(cv2.cuda.createGpuMatFromCudaMemory(1, 1, cv2.CV_8UC1, 4096), "image")
    if not pixview._core._doctor()["gpumat"]["cuda"]:
        pytest.skip("release() of an OpenCV without CUDA does nothing")

    class Hostile(Dlpack):
        def __dlpack__(self, **keywords: Any) -> Any:
            mat.release()
            return super().__dlpack__(**keywords)

    mat = wrap(cv2, fake.register(image(*DEVICE_SHAPE)))
    source = Hostile(fake.register(image(*DEVICE_SHAPE)), device=(2, 0))
    fake.reset()
    with pytest.raises(pixview.LayoutError, match="released"):
        pixview.copy_into(mat, source)
    assert fake.work() == [] and source.settled()


def test_copy_into_refuses_hostile_destinations(fake: Any, kernels: None) -> None:
    memory = np.full(DEVICE_SHAPE, 7, np.uint8)
    source = fake.image(image(*DEVICE_SHAPE))
    fake.register(memory)
    gpu: dict[str, Any] = {"device": (2, 0)}
    for dst, error in (
        (Dlpack(memory, flags=1, **gpu), pixview.ReadOnlyError),
        (Dlpack(memory, flags=2, **gpu), pixview.ReadOnlyError),
        (Dlpack(memory, strides=(0, 3, 1), **gpu), pixview.LayoutError),
        (Dlpack(memory, shape=(6, 10, 4), **gpu), pixview.LayoutError),
        (Dlpack(memory, data=None, **gpu), pixview.LayoutError),
        (Dlpack(memory, code=0, **gpu), pixview.DtypeError),
        (Dlpack(memory, device=(2, 1)), pixview.Error),
        (cuda_array_interface(memory, data=(address(memory), True)), pixview.ReadOnlyError),
        (cuda_array_interface(memory, typestr="<f4"), pixview.Error),
        (memory, None),
    ):
        fake.reset()
        if error is None:  # host memory: a download, which is what copy_into was asked for
            pixview.copy_into(dst, source)
            continue
        with pytest.raises(error):
            pixview.copy_into(dst, source)
        assert fake.work() == [] and (memory == 7).all()
        if isinstance(dst, Dlpack):
            assert dst.settled()


def test_copy_into_waits_for_the_stream_it_named(
    fake: Any, other_stream: int, kernels: None
) -> None:
    """A producer that orders its data itself does so for stream=; the copy runs on the Image's."""
    source = Dlpack(fake.register(image(*DEVICE_SHAPE)), device=(2, 0))
    dst = fake.image(np.zeros(DEVICE_SHAPE, np.uint8))
    fake.reset()
    pixview.copy_into(dst, source, stream=other_stream)
    assert source.asked[-1]["stream"] == other_stream
    waited = fake.lib.fake_waited
    waited.argtypes = [ctypes.c_uint64] * 2
    assert waited(1, other_stream) and waited(other_stream, 1)
