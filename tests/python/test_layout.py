# SPDX-License-Identifier: Apache-2.0
"""Axis order: defaults by framework and rank, axes of size 1, the guard, explicit layouts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pixview
import pytest
from support import LAYOUTS, address, array_interface, byte_strides, image

FULL = "NHWC"


def shape_in(layout: str, n: int, h: int, w: int, c: int) -> tuple[int, ...]:
    extents = dict(zip(FULL, (n, h, w, c), strict=True))
    return tuple(extents[axis] for axis in layout)


def moved(array: np.ndarray[Any, Any], source: str, target: str) -> np.ndarray[Any, Any]:
    """What NumPy makes of the array when its axes are reordered, with size-1 axes added or dropped."""
    full = array
    for axis in FULL:
        if axis not in source:
            full = full[..., None]
    order = source + "".join(axis for axis in FULL if axis not in source)
    full = full.transpose([order.index(axis) for axis in FULL])
    for i, axis in reversed(list(enumerate(FULL))):
        if axis not in target:
            full = full.take(0, axis=i)
    kept = "".join(axis for axis in FULL if axis in target)
    return full.transpose([kept.index(axis) for axis in target])


@pytest.mark.parametrize("source", LAYOUTS)
@pytest.mark.parametrize("target", LAYOUTS)
def test_every_order_into_every_order(torch: Any, source: str, target: str) -> None:
    small = "HW" in (source, target)
    a = image(*shape_in(source, 1, 4, 5, 1 if small else 3))
    expected = moved(a, source, target)

    t = pixview.as_torch(a, src_layout=source, layout=target)
    assert tuple(t.shape) == expected.shape
    np.testing.assert_array_equal(t.numpy(), expected)
    assert t.data_ptr() == address(a)

    b = pixview.as_numpy(torch.from_numpy(a), src_layout=source, layout=target)
    np.testing.assert_array_equal(b, expected)
    assert address(b) == address(a)

    v = pixview.view(a, src_layout=source, layout=target)
    assert (v.shape, v.layout) == (expected.shape, target)
    assert address(v) == address(a)


@pytest.mark.parametrize(
    "source, target", [("HWC", "HW"), ("CHW", "HW"), ("NHWC", "HWC"), ("NCHW", "CHW")]
)
def test_an_axis_longer_than_one_is_not_dropped(source: str, target: str) -> None:
    a = image(*shape_in(source, 2, 4, 5, 3))
    for call in (pixview.as_torch, pixview.as_numpy, pixview.view):
        with pytest.raises(pixview.LayoutError, match=r"\b[23]\b"):
            call(a, src_layout=source, layout=target)


def test_defaults_by_rank_from_numpy(torch: Any) -> None:
    assert pixview.as_torch(image(4, 5)).shape == (4, 5)
    assert pixview.as_torch(image(4, 5, 3)).shape == (3, 4, 5)
    assert pixview.as_torch(image(2, 4, 5, 3)).shape == (2, 3, 4, 5)


def test_defaults_by_rank_from_torch(torch: Any) -> None:
    assert pixview.as_numpy(torch.zeros(4, 5)).shape == (4, 5)
    assert pixview.as_numpy(torch.zeros(3, 4, 5)).shape == (4, 5, 3)
    assert pixview.as_numpy(torch.zeros(2, 3, 4, 5)).shape == (2, 4, 5, 3)


def test_defaults_within_one_framework(torch: Any) -> None:
    assert pixview.as_numpy(image(4, 5, 3), copy=True).shape == (4, 5, 3)
    assert pixview.as_torch(torch.zeros(3, 4, 5), copy=True).shape == (3, 4, 5)


@pytest.mark.parametrize(
    "shape, layout", [((4, 5), "HW"), ((4, 5, 3), "HWC"), ((2, 4, 5, 3), "NHWC")]
)
def test_view_keeps_the_order_of_numpy(shape: tuple[int, ...], layout: str) -> None:
    v = pixview.view(image(*shape))
    assert (v.layout, v.shape) == (layout, shape)


@pytest.mark.parametrize(
    "shape, layout", [((4, 5), "HW"), ((3, 4, 5), "CHW"), ((2, 3, 4, 5), "NCHW")]
)
def test_view_keeps_the_order_of_torch(torch: Any, shape: tuple[int, ...], layout: str) -> None:
    v = pixview.view(torch.zeros(shape))
    assert (v.layout, v.shape) == (layout, shape)


def test_an_image_carries_its_own_layout(torch: Any) -> None:
    chw = pixview.view(image(3, 4, 5), src_layout="CHW")
    assert pixview.as_numpy(chw).shape == (4, 5, 3)
    assert pixview.as_torch(chw).shape == (3, 4, 5)
    assert pixview.as_numpy(chw, src_layout="CHW").shape == (4, 5, 3)
    for call in (pixview.as_numpy, pixview.as_torch, pixview.view):
        with pytest.raises(pixview.LayoutError, match=r"HWC"):
            call(chw, src_layout="HWC")


def test_image_from_one_framework_into_another_and_back(torch: Any) -> None:
    t = torch.arange(60, dtype=torch.int32).reshape(3, 4, 5)
    back = pixview.as_torch(pixview.view(pixview.as_numpy(t)))
    assert torch.equal(t, back)
    assert back.data_ptr() == t.data_ptr() and back.stride() == t.stride()


# ---- the guard: no src_layout, C above 4 where the other order has at most 4 ----


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_guard_refuses_planes_passed_as_interleaved(channels: int) -> None:
    a = image(channels, 20, 30)
    for call in (pixview.as_torch, pixview.as_numpy, pixview.view):
        with pytest.raises(pixview.LayoutError, match="src_layout"):
            call(a, copy=True)
    with pytest.raises(pixview.LayoutError, match="src_layout"):
        pixview.plan(a, "torch")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_guard_refuses_interleaved_passed_as_planes(torch: Any, channels: int) -> None:
    t = torch.zeros(20, 30, channels)
    for call in (pixview.as_torch, pixview.as_numpy, pixview.view):
        with pytest.raises(pixview.LayoutError, match="src_layout"):
            call(t, copy=True)


def test_guard_obeys_an_explicit_layout(torch: Any) -> None:
    a = image(3, 20, 30)
    assert pixview.as_torch(a, src_layout="CHW").shape == (3, 20, 30)
    assert pixview.as_torch(a, src_layout="HWC").shape == (30, 3, 20)
    assert pixview.as_numpy(torch.from_numpy(a), src_layout="CHW").shape == (20, 30, 3)
    assert pixview.as_numpy(torch.zeros(20, 30, 3), src_layout="CHW").shape == (30, 3, 20)
    # The layout of the result says nothing about the source.
    with pytest.raises(pixview.LayoutError, match="src_layout"):
        pixview.as_torch(a, layout="CHW")


@pytest.mark.parametrize(
    "shape", [(5, 20, 30), (20, 30, 5), (3, 20, 4), (20, 3, 3), (6, 6, 6), (2, 3, 4)]
)
def test_guard_lets_pass_what_is_not_the_usual_mistake(shape: tuple[int, ...]) -> None:
    assert pixview.view(image(*shape)).layout == "HWC"


def test_guard_is_not_for_two_axes(torch: Any) -> None:
    assert pixview.as_numpy(torch.zeros(3, 30)).shape == (3, 30)


def batches(torch: Any, channels: int) -> dict[str, Any]:
    """Each in the order that is not assumed."""
    a = image(2, channels, 20, 30)
    return {
        "numpy": a,
        "torch": torch.zeros(2, 20, 30, channels),
        "interface": array_interface(a),
        "buffer": memoryview(a.tobytes()).cast("B", a.shape),
        "DLPack": Only(a),
        "capsule": a.__dlpack__(),
    }


class Only:
    """An array that is known by __dlpack__ alone."""

    def __init__(self, a: Any) -> None:
        self.a = a

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.a.__dlpack__(**keywords)

    def __dlpack_device__(self) -> Any:
        return self.a.__dlpack_device__()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", ["numpy", "torch", "interface", "buffer", "DLPack", "capsule"])
def test_guard_refuses_batches_in_the_other_order(torch: Any, kind: str, channels: int) -> None:
    x = batches(torch, channels)[kind]
    right = "NHWC" if kind == "torch" else "NCHW"
    for call in (
        pixview.as_torch,
        pixview.as_numpy,
        pixview.view,
        lambda x: pixview.plan(x, "image"),
        lambda x: pixview.unstack(x, to="numpy"),
        lambda x: pixview.copy_into(np.zeros((2, 20, 30, channels), np.uint8), x),
    ):
        with pytest.raises(pixview.LayoutError, match=rf"src_layout='{right}'"):
            call(x)
    assert pixview.view(x, src_layout=right).layout == right


def test_guard_in_stack_and_for_a_destination(torch: Any) -> None:
    t = torch.zeros(2, 20, 30, 3)
    with pytest.raises(pixview.LayoutError, match="src_layout='NHWC'"):
        pixview.stack(t, scale=1 / 255)
    assert pixview.stack(t, src_layout="NHWC").shape == (2, 3, 20, 30)
    with pytest.raises(pixview.LayoutError, match="src_layout='CHW'"):
        pixview.stack([image(3, 20, 30)], to="numpy")
    with pytest.raises(pixview.LayoutError, match="dst_layout='NHWC'"):
        pixview.copy_into(t, image(2, 20, 30, 3))


def test_guard_lets_batches_pass() -> None:
    for shape in [(2, 20, 30, 4), (2, 5, 20, 30), (2, 3, 4, 4), (9, 9, 9, 9), (2, 3, 0, 4)]:
        assert pixview.view(image(*shape)).layout == "NHWC"


@pytest.mark.parametrize("shape", [(3, 20, 30), (2, 3, 20, 30), (1, 20, 30)])
def test_guard_of_an_address(shape: tuple[int, ...]) -> None:
    a = image(*shape)

    def at(**keywords: Any) -> Any:
        return pixview.from_pointer(
            address(a), shape, "uint8", device="cpu", owner=a, strides=a.strides, **keywords
        )

    right = "CHW" if len(shape) == 3 else "NCHW"
    with pytest.raises(pixview.LayoutError, match=rf"layout='{right}'") as raised:
        at()
    assert "src_layout" not in str(raised.value)  # from_pointer has none
    assert at(layout=right).layout == right
    assert at(layout=right.replace("C", "") + "C").shape == shape


# ---- rank and names ----


@pytest.mark.parametrize("shape", [(), (7,), (1, 2, 3, 4, 5)])
def test_ranks_that_no_image_has(torch: Any, shape: tuple[int, ...]) -> None:
    a = np.zeros(shape, np.uint8)
    for x in (a, torch.from_numpy(a)):
        for call in (pixview.as_torch, pixview.as_numpy, pixview.view):
            with pytest.raises(pixview.LayoutError, match=rf"\b{len(shape)}"):
                call(x, copy=True)
        with pytest.raises(pixview.LayoutError):
            pixview.plan(x, "image")


@pytest.mark.parametrize("name", ["hwc", "HCW", "", "WHC", "NHW", 3, b"HWC", ["H", "W"]])
def test_unknown_layouts_are_named(name: Any) -> None:
    a = image(4, 5, 3)
    for keyword in ("layout", "src_layout"):
        with pytest.raises((pixview.LayoutError, TypeError), match=keyword) as raised:
            pixview.view(a, **{keyword: name})
        assert repr(name) in str(raised.value)


@pytest.mark.parametrize("layout", ["HW", "NCHW", "NHWC"])
def test_src_layout_of_another_rank(layout: str) -> None:
    with pytest.raises(pixview.LayoutError, match=layout):
        pixview.view(image(4, 5, 3), src_layout=layout)


# ---- strides ----


def test_a_reorder_never_copies(torch: Any) -> None:
    a = image(4, 5, 3, dtype="float32")
    t = pixview.as_torch(a, copy=False)
    assert t.stride() == (1, 15, 3)
    t[2, 1, 4] = 77
    assert a[1, 4, 2] == 77
    planes = pixview.as_numpy(torch.zeros(3, 4, 5), copy=False)
    assert planes.strides == (20, 4, 80)


def test_rows_with_a_pitch_and_a_region_stay_views(torch: Any) -> None:
    whole = image(10, 20, 3)
    part = whole[2:7, 3:11]
    t = pixview.as_torch(part, copy=False)
    assert byte_strides(t) == (1, 60, 3)
    np.testing.assert_array_equal(t.numpy(), part.transpose(2, 0, 1))
    assert address(pixview.view(part)) == address(part)
    assert pixview.view(part).strides == part.strides


def test_strides_of_size_one_axes_do_not_matter(torch: Any) -> None:
    odd = np.lib.stride_tricks.as_strided(image(8, 8), (1, 5, 1), (12345, 1, 999))
    t = pixview.as_torch(odd, copy=False, contiguous=True)
    assert t.shape == (1, 1, 5) and t.data_ptr() == address(odd)
    np.testing.assert_array_equal(t.numpy().ravel(), odd.ravel())
    strange = torch.as_strided(torch.arange(40.0), (1, 5, 4), (333, 4, 1))
    n = pixview.as_numpy(strange, copy=False)
    assert n.shape == (5, 4, 1) and address(n) == strange.data_ptr()
    np.testing.assert_array_equal(n[..., 0], strange[0].numpy())


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0, 3), (4, 5, 0), (0, 0, 0)])
def test_empty_axes(torch: Any, shape: tuple[int, ...]) -> None:
    h, w, c = shape
    a = np.zeros(shape, np.float32)
    for copy in (None, True):
        t = pixview.as_torch(a, src_layout="HWC", copy=copy)
        assert t.shape == (c, h, w) and t.dtype == torch.float32 and t.numel() == 0
        n = pixview.as_numpy(torch.zeros(c, h, w), src_layout="CHW", copy=copy)
        assert n.shape == (h, w, c) and n.size == 0
    v = pixview.view(a, src_layout="HWC")
    assert v.shape == shape and v.nbytes == 0
    assert np.asarray(v).shape == shape


def test_zero_strides_stay(torch: Any) -> None:
    row = torch.arange(5, dtype=torch.int16)
    wide = row.expand(3, 4, 5)
    n = pixview.as_numpy(wide, copy=False)
    assert n.strides == (0, 2, 0) and n.shape == (4, 5, 3)
    np.testing.assert_array_equal(n, wide.numpy().transpose(1, 2, 0))
    base = np.lib.stride_tricks.as_strided(image(1, 5), (4, 5, 3), (0, 1, 0))
    t = pixview.as_torch(base, copy=False)
    assert t.stride() == (0, 0, 1) and t.data_ptr() == address(base)


@pytest.mark.parametrize(
    "flip", [np.s_[::-1], np.s_[:, ::-1], np.s_[:, :, ::-1], np.s_[::-1, ::-1, ::-1]]
)
def test_negative_strides(torch: Any, flip: Any) -> None:
    a = image(4, 5, 3, dtype="uint16")[flip]
    v = pixview.view(a)
    assert v.strides == a.strides and address(v) == address(a)
    back = pixview.as_numpy(v, copy=False)
    assert back.strides == a.strides and address(back) == address(a)
    # torch knows no negative stride: no view is possible.
    assert pixview.plan(a, "torch").kind == "copy"
    t = pixview.as_torch(a)
    np.testing.assert_array_equal(t.numpy(), a.transpose(2, 0, 1))
    assert not np.shares_memory(t.numpy(), a)
    with pytest.raises(pixview.LayoutError, match=r"negative|-\d"):
        pixview.as_torch(a, copy=False)
    # Where the extent is 1 the sign is of no interest.
    assert pixview.as_torch(a[:1, :1, :1], copy=False).data_ptr() == address(a[:1, :1, :1])


def test_strides_that_are_no_multiple_of_the_itemsize(torch: Any) -> None:
    raw = image(4, 33)
    a = np.lib.stride_tricks.as_strided(raw[:, :32].view(np.uint8), (4, 8, 4), (33, 4, 1))
    f = np.ndarray((4, 8), np.float32, buffer=raw, strides=(33, 4))
    assert pixview.as_torch(a, copy=False).data_ptr() == address(raw)
    with pytest.raises(pixview.LayoutError, match="33"):
        pixview.as_torch(f, copy=False)
