# SPDX-License-Identifier: Apache-2.0
"""What the images of the matrix look like in memory: dtype, layout, extents, strides. NumPy only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

import numpy as np

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
FLOATS = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
DTYPES = (*INTEGERS, "bool", *FLOATS)
CORE = ("uint8", "float32", "complex128")  # these in every shape, the others in most
LAYOUTS = ("HW", "CHW", "HWC", "NCHW", "NHWC")
ROOM = 1 << 14  # bytes that every source fits in

# Another order of the same axes in memory: planar for interleaved and the reverse.
PERMUTED = {"HW": "WH", "CHW": "HWC", "HWC": "CHW", "NCHW": "NHWC", "NHWC": "NCHW"}


def storage(dtype: str) -> np.dtype[Any]:
    """NumPy has no bfloat16 of its own: its bits."""
    return np.dtype("uint16" if dtype == "bfloat16" else dtype)


@dataclass(frozen=True)
class Source:
    """An image over `room`, bytes that a producer puts where it likes."""

    name: str
    layout: str
    dtype: str
    offset: int  # bytes from the start of the room to the first element
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # bytes
    readonly: bool = False
    pixels: bytes = field(default=b"", compare=False, repr=False)  # in C order of `layout`

    @property
    def itemsize(self) -> int:
        return storage(self.dtype).itemsize

    def extent(self, axis: str) -> int:
        return self.shape[self.layout.index(axis)] if axis in self.layout else 1

    def stride(self, axis: str) -> int:
        return self.strides[self.layout.index(axis)] if axis in self.layout else 0

    @property
    def empty(self) -> bool:
        return 0 in self.shape

    def whole_elements(self) -> bool:
        return all(s % self.itemsize == 0 for s in self.strides)

    def packed(self, layout: str) -> bool:
        """Dense in the order `layout`; axes of extent 1 have no say."""
        step = self.itemsize
        for axis in reversed(layout):
            if self.extent(axis) > 1 and self.stride(axis) != step and not self.empty:
                return False
            step *= self.extent(axis)
        return True

    def reference(self, layout: str) -> np.ndarray[Any, Any]:
        """The pixels in another layout, by NumPy alone."""
        a = np.frombuffer(self.pixels, storage(self.dtype)).reshape(self.shape)
        missing = [axis for axis in layout if axis not in self.layout]
        a = a.reshape((1,) * len(missing) + self.shape)
        order = [*missing, *self.layout]
        dropped = [axis for axis in order if axis not in layout]
        for axis in dropped:
            a = a.squeeze(order.index(axis))
            order.remove(axis)
        return a.transpose([order.index(axis) for axis in layout])


@lru_cache
def room(dtype: str) -> np.ndarray[Any, Any]:
    """The bytes that every source of this dtype looks at."""
    values = (np.arange(ROOM, dtype=np.uint32) * 73 + 11) % 251
    if dtype == "bool":
        return (values % 3 == 0).astype(np.uint8)
    return values.astype(np.uint8)


def cut(
    name: str,
    layout: str,
    dtype: str,
    a: np.ndarray[Any, Any],
    strides: dict[str, int] | None = None,
    readonly: bool = False,
) -> Source:
    """`a`, a view of the room, as a Source; `strides` are put in place of a's own."""
    steps = list(a.strides)
    for axis, step in (strides or {}).items():
        steps[layout.index(axis)] = step
    shown = np.lib.stride_tricks.as_strided(a, a.shape, steps)
    offset = a.ctypes.data - room(dtype).ctypes.data if a.size else 0
    return Source(name, layout, dtype, offset, a.shape, tuple(steps), readonly, shown.tobytes())


def lay(layout: str, dtype: str, order: str, extents: dict[str, int], pad: dict[str, int]) -> Any:
    """Axes `layout` over the room, stored in the order `order`, each axis `pad` longer in memory."""
    stored = [extents[axis] + pad.get(axis, 0) for axis in order]
    item = storage(dtype)
    count = int(np.prod(stored))
    assert count * item.itemsize <= ROOM - 512
    a = room(dtype)[512 : 512 + count * item.itemsize].view(item).reshape(stored)
    a = a.transpose([order.index(axis) for axis in layout])
    return a[tuple(slice(0, extents[axis]) for axis in layout)]


def index(layout: str, **slices: slice) -> tuple[slice, ...]:
    return tuple(slices.get(axis, slice(None)) for axis in layout)


def ordinary(layout: str, dtype: str, e: dict[str, int]) -> Iterator[Source]:
    """Packed, pitched, cut out, permuted."""

    def source(name: str, a: Any, strides: dict[str, int] | None = None) -> Source:
        return cut(name, layout, dtype, a, strides)

    item = storage(dtype).itemsize
    dense = lay(layout, dtype, layout, e, {})
    yield source("packed", dense)
    yield source("pitched", lay(layout, dtype, layout, e, {"W": 3}))
    row = dense.strides[layout.index("H")]
    odd = {"H": row + item}
    if layout.index("H") == 0 or e.get("C", 1) == 1:
        yield source("pitched by an element", lay(layout, dtype, layout, e, {}), odd)
    whole = lay(layout, dtype, layout, {**e, "H": e["H"] + 3, "W": e["W"] + 4}, {})
    part = index(layout, H=slice(1, 1 + e["H"]), W=slice(2, 2 + e["W"]))
    yield source("ROI", whole[part])
    order = PERMUTED[layout]
    yield source("permuted", lay(layout, dtype, order, e, {}))
    yield source("permuted, pitched", lay(layout, dtype, order, e, {"W": 3}))
    yield source("reversed axes", lay(layout, dtype, layout[::-1], e, {}))


def unusual(layout: str, dtype: str, e: dict[str, int]) -> Iterator[Source]:
    """Flipped, every second, broadcast."""
    twice = {axis: 2 * n for axis, n in e.items()}
    for axis in layout:
        if e[axis] == 1:
            continue
        flip = index(layout, **{axis: slice(None, None, -1)})
        yield cut(f"flipped {axis}", layout, dtype, lay(layout, dtype, layout, e, {})[flip])
        half = lay(layout, dtype, layout, {**e, axis: twice[axis]}, {})
        every = index(layout, **{axis: slice(None, None, 2)})
        yield cut(f"every second {axis}", layout, dtype, half[every])
        a = lay(layout, dtype, layout, e, {})
        yield cut(f"expanded {axis}", layout, dtype, a, {axis: 0})
    if layout == "CHW":  # flipped rows of interleaved memory
        a = lay(layout, dtype, "HWC", e, {})[index(layout, H=slice(None, None, -1))]
        yield cut("permuted, flipped", layout, dtype, a)


def degenerate(layout: str, dtype: str, e: dict[str, int]) -> Iterator[Source]:
    """Axes of one element with any stride, and of none."""
    item = storage(dtype).itemsize
    for axis in layout:
        one = {**e, axis: 1}
        a = lay(layout, dtype, layout, one, {})
        yield cut(f"one {axis}", layout, dtype, a)
        for what, step in (
            ("odd", 7 * item),
            ("far", 1 << 40),
            ("backward", -7 * item),
            ("part of an element", 3),
            ("no", 0),
        ):
            yield cut(f"one {axis} with {what} stride", layout, dtype, a, {axis: step})
        yield cut(f"no {axis}", layout, dtype, lay(layout, dtype, layout, {**e, axis: 0}, {}))
    if {"H", "W"} <= set(layout):
        one = {**e, "H": 1, "W": 1}
        a = lay(layout, dtype, layout, one, {})
        yield cut("one pixel", layout, dtype, a, {"H": 7 * item, "W": 5 * item})


@cache
def sources(dtype: str) -> tuple[Source, ...]:
    """Every source of this dtype that a producer may be asked to show."""
    made: list[Source] = []
    core = dtype in CORE
    for layout in LAYOUTS:
        for n in (1, 2) if "N" in layout else (1,):
            for c in ((1, 3, 4) if core else (3,)) if "C" in layout else (1,):
                e = {"N": n, "H": 4, "W": 5, "C": c}
                e = {axis: e[axis] for axis in layout}
                made += ordinary(layout, dtype, e)
                if c == 3 or layout == "HW":
                    made += unusual(layout, dtype, e) if core or n == 1 else ()
                    made += degenerate(layout, dtype, e) if core and n == 1 else ()
        e = {"N": 1, "H": 4, "W": 5, "C": 3}
        a = lay(layout, dtype, layout, {axis: e[axis] for axis in layout}, {})
        made.append(cut("read-only", layout, dtype, a, readonly=True))
        made.append(cut("read-only, flipped", layout, dtype, a[::-1], readonly=True))
    if dtype == "complex128":  # aligned, but not whole elements
        a = lay("HW", "float64", "HW", {"H": 4, "W": 11}, {})
        a = np.lib.stride_tricks.as_strided(a.view(), (4, 5), (88, 16))
        shown = np.lib.stride_tricks.as_strided(a.view(), (4, 5, 2), (88, 16, 8))
        pixels = np.ascontiguousarray(shown).tobytes()
        made.append(
            Source("rows of half elements", "HW", dtype, 512, (4, 5), (88, 16), False, pixels)
        )
    return tuple(dict.fromkeys(made))
