# SPDX-License-Identifier: Apache-2.0
"""Arrays with any strides, made by hypothesis: what a conversion gives, beside a NumPy model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pixview
import pytest
from support import LAYOUTS, address

pytest.importorskip("hypothesis", reason="hypothesis is not installed: pip install hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

quick = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,  # the same examples in every run
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TYPES = ("uint8", "int16", "float32", "int64", "bool", "complex64")
PLANAR = {2: "HW", 3: "CHW", 4: "NCHW"}


@st.composite
def arrays(draw: st.DrawFn, ranks: tuple[int, ...] = (2, 3, 4), least: int = 0) -> Any:
    """Part of an array: a step on each axis, perhaps backwards, its axes in any order; perhaps read-only."""
    rank = draw(st.sampled_from(ranks))
    extents = [draw(st.integers(max(least, 1), 6)) for _ in range(rank)]
    whole = np.arange(int(np.prod(extents)) * 7).astype(draw(st.sampled_from(TYPES)))
    whole = whole[: int(np.prod(extents))].reshape(extents)
    part = []
    for extent in extents:
        first = draw(st.integers(0, extent - least))
        step = draw(st.sampled_from((1, 1, 2, -1, -2)))
        part.append(slice(None, None, step) if step < 0 else slice(first, None, step))
    a = whole[tuple(part)].transpose(draw(st.permutations(range(rank))))
    a.flags.writeable = draw(st.booleans())
    return a


def reordered(a: Any, from_layout: str, to_layout: str) -> Any:
    """a with its axes in another order; those that it lacks have the extent 1."""
    axes = [from_layout.index(c) if c in from_layout else None for c in to_layout]
    missing = len([i for i in axes if i is None])
    grown = a.reshape(a.shape + (1,) * missing) if missing else a
    extra = iter(range(a.ndim, a.ndim + missing))
    return grown.transpose([next(extra) if i is None else i for i in axes])


def same_memory(a: Any, b: Any) -> bool:
    """The same elements at the same addresses. An axis of one element may have any stride."""
    strides = zip(a.strides, b.strides, a.shape, strict=True)
    return address(a) == address(b) and all(s == t for s, t, n in strides if n > 1)


@quick
@given(a=arrays(), data=st.data())
def test_a_view_is_the_same_memory(a: Any, data: Any) -> None:
    layout = data.draw(st.sampled_from([n for n in LAYOUTS if len(n) == a.ndim]))
    image = pixview.view(a, src_layout=layout)
    back = np.asarray(image)
    np.testing.assert_array_equal(back, a)
    assert a.size == 0 or same_memory(back, a)
    assert image.readonly == (not a.flags.writeable) and image.dtype == a.dtype


@quick
@given(a=arrays(), data=st.data())
def test_axes_are_permuted_without_a_copy(a: Any, data: Any) -> None:
    source = data.draw(st.sampled_from([n for n in LAYOUTS if len(n) == a.ndim]))
    target = data.draw(st.sampled_from([n for n in LAYOUTS if set(n) >= set(source)]))
    out = pixview.as_numpy(a, src_layout=source, layout=target, copy=False)
    wanted = reordered(a, source, target)
    np.testing.assert_array_equal(out, wanted)
    assert a.size == 0 or same_memory(out, wanted)


@quick
@given(a=arrays(), contiguous=st.booleans())
def test_a_tensor_is_a_view_where_torch_can_describe_it(
    torch: Any, a: Any, contiguous: bool
) -> None:
    layout = PLANAR[a.ndim]
    backwards = any(s < 0 and n > 1 for s, n in zip(a.strides, a.shape, strict=True))
    can = a.flags.writeable and (a.size == 0 or not backwards)
    can = can and (not contiguous or a.flags.c_contiguous)
    options = {"src_layout": layout, "contiguous": contiguous}
    assert pixview.plan(a, "torch", **options).kind == ("view" if can else "copy")
    t = pixview.as_torch(a, **options)
    assert t.shape == a.shape
    np.testing.assert_array_equal(t.numpy(), a)
    if a.size:
        assert (address(t) == address(a)) == can
    np.testing.assert_array_equal(pixview.as_numpy(t, src_layout=layout, layout=layout), a)
    if not can:
        with pytest.raises(pixview.Error):
            pixview.as_torch(a, copy=False, **options)


@quick
@given(src=arrays(), data=st.data())
def test_a_copy_writes_the_pixels_and_nothing_else(src: Any, data: Any) -> None:
    layout = PLANAR[src.ndim]
    steps = [data.draw(st.sampled_from((1, 2, -1))) for _ in src.shape]
    room = np.zeros([max(n, 1) * abs(s) for n, s in zip(src.shape, steps, strict=True)], src.dtype)
    part = tuple(
        slice(0, n * abs(s), s) if s > 0 else slice(None, None, s)
        for n, s in zip(src.shape, steps, strict=True)
    )
    wanted = room.copy()
    if all(src.shape):
        wanted[part] = src
        pixview.copy_into(room[part], src, dst_layout=layout, src_layout=layout)
    np.testing.assert_array_equal(room, wanted)


@quick
@given(a=arrays(ranks=(3,)), data=st.data())
def test_a_crop_is_a_slice(a: Any, data: Any) -> None:
    image = pixview.view(a, src_layout="HWC")
    y, x, h, w = (data.draw(st.integers(-1, 7)) for _ in range(4))
    if min(y, x, h, w) < 0 or y + h > a.shape[0] or x + w > a.shape[1]:
        with pytest.raises(pixview.LayoutError):
            image.crop(y, x, h, w)
        return
    part = a[y : y + h, x : x + w]
    got = np.asarray(image.crop(y, x, h, w))
    np.testing.assert_array_equal(got, part)
    assert part.size == 0 or same_memory(got, part)


@quick
@given(a=arrays(ranks=(4,), least=1), layout=st.sampled_from(("NCHW", "NHWC")))
def test_a_batch_and_back(a: Any, layout: str) -> None:
    images = [pixview.view(a[i], src_layout="CHW") for i in range(len(a))]
    batch = pixview.stack(images, to="numpy", layout=layout)
    np.testing.assert_array_equal(batch, reordered(a, "NCHW", layout))
    parts = pixview.unstack(batch, to="numpy", src_layout=layout)
    for part, one in zip(parts, a, strict=True):
        np.testing.assert_array_equal(part, reordered(one, "CHW", "HWC"))
        assert np.shares_memory(part, batch)


@quick
@given(
    shape=st.lists(st.integers(0, 5), min_size=2, max_size=4),
    strides=st.lists(st.integers(-40, 40), min_size=4, max_size=4),
    start=st.integers(0, 600),
)
def test_a_pointer_is_as_strided(shape: list[int], strides: list[int], start: int) -> None:
    room = (np.arange(1200) % 251).astype(np.uint8)
    strides = strides[: len(shape)]
    low = sum(min(0, (n - 1) * s) for n, s in zip(shape, strides, strict=True))
    at = start - (low if 0 not in shape else 0)
    high = at + sum(max(0, (n - 1) * s) for n, s in zip(shape, strides, strict=True))
    if 0 not in shape and high >= len(room):
        return
    layout = PLANAR[len(shape)]
    at_room = address(room) + at
    image = pixview.from_pointer(
        at_room, shape, "uint8", strides=strides, layout=layout, device="cpu", owner=room
    )
    wanted = np.lib.stride_tricks.as_strided(room[at:], shape, strides)
    np.testing.assert_array_equal(np.asarray(image), wanted)


@quick
@given(
    offset=st.integers(-8, 80) | st.integers(-(2**64), 2**64),
    shape=st.lists(st.integers(0, 9), min_size=2, max_size=4),
    strides=st.lists(
        st.integers(-20, 20) | st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=4
    ),
)
def test_an_interface_stays_in_its_buffer(
    offset: int, shape: list[int], strides: list[int]
) -> None:
    data = bytearray(range(64))
    strides = strides[: len(shape)]
    entries = {
        "data": data,
        "shape": tuple(shape),
        "strides": tuple(strides),
        "typestr": "|u1",
        "offset": offset,
        "version": 3,
    }
    holder = type("Holder", (), {"__array_interface__": entries})()
    reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True) if n > 1]
    low, high = (offset + sum(f(0, r) for r in reach) for f in (min, max))
    inside = 0 <= offset <= 64 and (0 in shape or (low >= 0 and high < 64))
    layout = PLANAR[len(shape)]
    if not inside:
        with pytest.raises(pixview.LayoutError):
            pixview.view(holder, src_layout=layout)
        return
    image = np.asarray(pixview.view(holder, src_layout=layout))
    wanted = np.lib.stride_tricks.as_strided(np.frombuffer(data, np.uint8)[offset:], shape, strides)
    np.testing.assert_array_equal(image, wanted)
