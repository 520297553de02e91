# SPDX-License-Identifier: Apache-2.0
"""Copies on, to and from the fake driver's device memory."""

from __future__ import annotations

import gc
import sys
from typing import Any

import numpy as np
import pixview
import pytest
from support import (
    address,
    eventually,
    image,
    pitched,
)

# ---- copies ----


def test_download(fake: Any, torch: Any, cupy: Any) -> None:
    for a in (image(4, 5, 3), pitched(7, 9, dtype="float32"), image(1, 67, 4), image(6, 5)):
        v = fake.image(a)
        for x in (v, pixview.as_torch(v), pixview.as_cupy(v)):
            fake.reset()
            n = pixview.as_numpy(x, copy=True)
            assert not np.shares_memory(n, a) and n.flags.c_contiguous
            np.testing.assert_array_equal(n, a)


def test_download_of_planes(fake: Any, torch: Any) -> None:
    a = image(3, 4, 5)
    v = fake.image(a, layout="CHW")
    np.testing.assert_array_equal(pixview.as_numpy(v, copy=True), a.transpose(1, 2, 0))
    np.testing.assert_array_equal(pixview.as_numpy(v, copy=True, layout="CHW"), a)


def test_upload(fake: Any, torch: Any, cupy: Any) -> None:
    for a in (image(4, 5, 3), pitched(7, 9, dtype="float32"), image(6, 5)):
        c = pixview.as_cupy(a, copy=True)
        assert c.shape == a.shape and c.flags.c_contiguous
        np.testing.assert_array_equal(pixview.as_numpy(c, copy=True), a)
    t = torch.arange(60, dtype=torch.int32).reshape(3, 4, 5)
    c = pixview.as_cupy(t, copy=True)
    np.testing.assert_array_equal(pixview.as_numpy(c, copy=True), t.numpy().transpose(1, 2, 0))


def test_copy_on_the_device_is_one_launch(fake: Any, cupy: Any, torch: Any, kernels: None) -> None:
    a = image(3, 40, 50)
    v = fake.image(a, layout="CHW")
    pixview.as_cupy(v, copy=True)
    fake.reset()
    c = pixview.as_cupy(v, copy=True)
    assert fake.work() == ["launch"] or fake.work() == ["alloc", "launch"]
    assert c.shape == (40, 50, 3) and c.flags.c_contiguous
    np.testing.assert_array_equal(pixview.as_numpy(c, copy=True), a.transpose(1, 2, 0))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "complex128"])
def test_copy_into_on_the_device(
    fake: Any, cupy: Any, torch: Any, kernels: None, dtype: str
) -> None:
    a, b = image(3, 17, 19, dtype=dtype), pitched(17, 19, dtype=dtype)
    src, dst = fake.image(a, layout="CHW"), fake.image(b)
    pixview.copy_into(dst, src)
    np.testing.assert_array_equal(b, a.transpose(1, 2, 0))
    fake.reset()
    assert pixview.copy_into(dst, src) is dst
    assert fake.work() == ["launch"] or fake.work() == ["alloc", "launch"]


def test_copy_into_between_host_and_device(fake: Any, cupy: Any) -> None:
    a, b = image(17, 19, 3), np.zeros((17, 19, 3), np.uint8)
    device = fake.image(a)
    pixview.copy_into(b, device)
    np.testing.assert_array_equal(b, a)
    b[:] = 9
    pixview.copy_into(device, b)
    assert (a == 9).all()


def test_contiguous_copies_only_what_is_not(
    fake: Any, cupy: Any, torch: Any, kernels: None
) -> None:
    v = fake.image(image(4, 5, 3))
    assert address(pixview.as_cupy(v, contiguous=True)) == address(v)
    c = pixview.as_cupy(v, layout="CHW", contiguous=True)
    assert c.flags.c_contiguous and address(c) != address(v)
    w = fake.image(pitched(4, 5))
    assert pixview.as_cupy(w, contiguous=True).flags.c_contiguous


def test_read_only_device_memory_to_cupy(fake: Any, cupy: Any, kernels: None) -> None:
    v = fake.image(image(4, 5, 3), readonly=True)
    assert address(pixview.as_cupy(v)) != address(v)
    assert address(pixview.as_cupy(v, allow_readonly=True)) == address(v)
    with pytest.raises(pixview.ReadOnlyError):
        pixview.as_cupy(v, copy=False)


def test_copies_without_kernels_name_the_cure(fake: Any, cupy: Any) -> None:
    if pixview._core._doctor()["kernels"]:
        pytest.skip("built with kernels")
    with pytest.raises(pixview.UnsupportedError, match="kernels"):
        pixview.as_cupy(fake.image(image(3, 4, 5), layout="CHW"), copy=True)


# ---- the driver refuses ----


def test_driver_errors_are_typed_and_leave_nothing(fake: Any, cupy: Any, torch: Any) -> None:
    """Every driver call of a download, an upload and an ordering, made to fail in turn."""
    a = image(4, 5, 3)
    v = fake.image(a, stream=fake.stream)
    count = sys.getrefcount(a)
    for call in (
        lambda: pixview.as_numpy(v, copy=True),
        lambda: pixview.as_cupy(a, copy=True),
        lambda: pixview.as_cupy(v),
    ):
        call()
        for n in range(1, 40):
            fake.reset()
            fake.fail_at(n, 700)
            try:
                call()
            except pixview.CudaError as error:
                assert error.code == 700 and error.name and str(error)
                assert sys.exc_info()[1].__traceback__ is not None
            except pixview.Error as error:
                assert str(error)
            else:
                if fake.calls().count(" ") + 1 < n:
                    break
        fake.reset()
        gc.collect()
        call()
    assert eventually(lambda: sys.getrefcount(a) == count)


# ---- video frames ----


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("rows, step", [(2, 2), (1, 4)], ids=["rows apart", "columns apart"])
def test_u_and_v_that_only_begin_side_by_side(fake: Any, rows: int, step: int) -> None:
    """They share memory like pairs, but are none: V has other steps than U."""
    rgb, w = image(4, 16, 3), 16

    def encoded(image_of: Any) -> Any:
        memory = np.zeros((2 * rows, 8 * w), np.uint8)
        chroma = memory.ravel()
        u = np.lib.stride_tricks.as_strided(chroma, (2, w // 2), (4 * w, 2))
        v = np.lib.stride_tricks.as_strided(chroma[1:], (2, w // 2), (4 * w * rows, step))
        planes = tuple(image_of(p, layout="HW") for p in (np.zeros((4, w), np.uint8), u, v))
        frame = pixview.video_frame(planes, format="YUV420P", matrix="bt709", range="full")
        pixview.to_video_frame(image_of(rgb, layout="HWC"), out=frame)
        return memory

    on_host = encoded(lambda array, layout: array)
    assert on_host.any()
    np.testing.assert_array_equal(encoded(fake.image), on_host)
