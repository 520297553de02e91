# SPDX-License-Identifier: Apache-2.0
"""One cell of the matrix: converts, and compares with rules.py and with NumPy's pixels.

A view has the source's address and holds the source, and nothing else does once the source's own
names are gone; a copy has memory of its own, dense, and holds nothing; a refusal is of the class that
the rules name and leaves everything as it was. plan() says which of the three it is, beforehand.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pixview
from support import DEPTHS, DEPTHS_5, NAMES, Versioned, drain, eventually, header

from .producers import KINDS, _pointer
from .rules import CONTIGUOUS, COPY, KEYWORDS, NONE, VIEW, modes, outcome, result_layout
from .sources import CORE, DTYPES, ROOM, Source, room, sources, storage

CALLS = {
    "torch": pixview.as_torch,
    "cupy": pixview.as_cupy,
    "numpy": pixview.as_numpy,
    "gpumat": pixview.as_gpumat,
    "image": pixview.view,
}
counts: Counter[str] = Counter()  # of this process; conftest.py prints it


class Owner:
    """Lives as long as the source's memory is needed."""

    __slots__ = ("__weakref__",)


class World:
    """Where the sources are. What differs: how memory is put there and read back."""

    host = False
    opencv = 0
    ml_dtypes = False
    cv2: Any = None
    producers: dict[str, Any]

    def __init__(self) -> None:
        self.rooms = {}
        for dtype in ("uint8", "bool"):
            self.rooms[dtype] = self.upload(room(dtype))

    def upload(self, bytes_: np.ndarray[Any, Any]) -> int:
        """Puts the bytes into memory of this world, which it holds; the address."""
        raise NotImplementedError

    def fetch(self, address: int, size: int) -> np.ndarray[Any, Any]:
        """Bytes of any memory of this world, host memory as well."""
        return np.frombuffer(ctypes.string_at(address, size), np.uint8)

    def start(self, s: Source) -> int:
        return self.rooms["bool" if s.dtype == "bool" else "uint8"]

    def put(self, s: Source) -> int:
        return self.start(s) + s.offset

    def place(self, s: Source) -> tuple[int, int]:
        """Addresses from .. to that no copy may have."""
        return self.start(s), self.start(s) + ROOM

    def can_copy(self, producer: str, to: str) -> bool:
        """Is the allocator that the copy needs there?"""
        return True

    def as_made(self, s: Source) -> Source:
        """The source as its producer has just made it: OpenCV chooses the pitch of its own."""
        return s

    def used(self) -> tuple[int, ...]:
        """Bytes that the allocators have given out: no more after a pair's cells than before."""
        return ()


# ---- results ----


def _image_address(x: Any) -> int:
    name = "__array_interface__" if x.device[0] == "cpu" else "__cuda_array_interface__"
    if hasattr(x, name):
        return getattr(x, name)["data"][0]
    capsule = x.__dlpack__(max_version=(1, 0), stream=-1)  # bfloat16 has no typestr
    return Versioned.from_address(_pointer(id(capsule), NAMES[True])).tensor.data or 0


def _mat(x: Any, opencv: int) -> tuple[int, tuple[int, ...], tuple[int, ...], str]:
    names = {code: name for name, code in (DEPTHS | (DEPTHS_5 if opencv >= 5 else {})).items()}
    (cols, rows), c, item = x.size(), x.channels(), x.elemSize1()
    return x.cudaPtr(), (rows, cols, c), (x.step, c * item, item), names[x.depth()]


def look(x: Any, to: str, opencv: int) -> tuple[int, tuple[int, ...], tuple[int, ...], str]:
    """Address, shape, strides in bytes, dtype: by the result's own public attributes."""
    if to == "gpumat":
        return _mat(x, opencv)
    if to == "torch":
        size = x.element_size()
        steps = tuple(size * n for n in x.stride())
        return x.data_ptr(), tuple(x.shape), steps, str(x.dtype).partition(".")[2]
    if to == "image":
        return _image_address(x), x.shape, x.strides, str(x.dtype)
    address = x.data.ptr if to == "cupy" else x.ctypes.data
    return address, x.shape, x.strides, str(x.dtype)


def pixels(
    world: World, address: int, shape: Any, strides: Any, dtype: str
) -> np.ndarray[Any, Any]:
    """The elements that address, shape and strides speak of, read without the result's library."""
    item = storage(dtype)
    if 0 in shape:
        return np.empty(shape, item)
    reach = [(n - 1) * t for n, t in zip(shape, strides, strict=True)]
    low, high = sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)
    block = world.fetch(address + low, high - low + item.itemsize)
    first = block[-low:][: item.itemsize].view(item)
    return np.lib.stride_tricks.as_strided(first, shape, strides)


def check_result(world: World, s: Source, to: str, x: Any, is_view: bool) -> None:
    layout = result_layout(s, to)
    expected = s.reference(layout)
    address, shape, strides, dtype = look(x, to, world.opencv)
    assert dtype == s.dtype, f"dtype {dtype}"
    assert tuple(shape) == expected.shape, f"shape {shape} instead of {expected.shape}"
    if is_view and not s.empty:
        assert address == world.put(s), f"address {address:#x} instead of {world.put(s):#x}"
    if to == "numpy":
        assert x.flags.writeable == (not (is_view and s.readonly)), "writeable"
    if to == "image":
        assert x.readonly == (is_view and s.readonly), "readonly"
    if not s.empty:
        found = pixels(world, address, shape, strides, dtype)
        assert found.tobytes() == expected.tobytes(), "pixels"
    if not is_view and not s.empty:
        low, high = world.place(s)
        assert not low <= address < high, "a copy in the source's memory"
        check_dense(to, shape, strides, s.itemsize)


def check_dense(to: str, shape: Any, strides: Any, itemsize: int) -> None:
    step = itemsize
    for i in reversed(range(len(shape))):
        if to == "gpumat" and i == 0:
            # One column is no texture: OpenCV does not pad its rows.
            padded = strides[0] % 32 == 0 or shape[1] == 1
            assert shape[0] == 1 or (strides[0] >= step and padded), f"not padded: {strides}"
        else:
            assert shape[i] == 1 or strides[i] == step, f"not dense: {shape} {strides}"
        step *= shape[i]


# ---- the source's life, asked when nobody but a view may hold it ----


class ByOwner:
    """What the source alone refers to."""

    def __init__(self, owner: Owner) -> None:
        self.ref = weakref.ref(owner)

    def held(self) -> bool:
        return self.ref() is not None


class ByCount:
    """A GpuMat has no owner to be seen: its references and OpenCV's count."""

    def __init__(self, mat: Any) -> None:
        self.mat = mat
        self.before = self.opencv()

    def opencv(self) -> int:
        counted = header(self.mat).refcount
        return counted.contents.value if counted else 0

    def held(self) -> bool:
        return sys.getrefcount(self.mat) > 2 or self.opencv() != self.before


def check_life(life: ByOwner | ByCount, held: bool, when: str) -> None:
    if held:
        assert life.held(), f"the source is gone {when}"
    elif life.held():
        assert eventually(lambda: not life.held(), 0.3), f"the source is still held {when}"


# ---- a cell ----


def check_plan(x: Any, to: str, keywords: dict[str, Any], expected: Any) -> None:
    try:
        said = pixview.plan(x, to, **keywords).kind
    except expected.errors as error:
        said = "refused" if str(error) else "refused without a word"
    assert said == expected.kind, f"plan() says {said}"


def convert(x: Any, to: str, keywords: dict[str, Any], expected: Any) -> Any:
    """The result, or None where it is refused as it must be."""
    try:
        made = CALLS[to](x, **keywords)
    except expected.errors as error:
        assert expected.kind == "refused" and str(error)
        return None
    assert expected.kind != "refused", f"no error, but {made!r:.200}"
    return made


def cell(world: World, producer: str, to: str, s: Source, mode: str) -> str | None:
    """What came of it; None for what the producer cannot express."""
    owner = Owner()
    x = world.producers[producer](world, s, owner)
    if x is None:
        return None
    s = world.as_made(s)
    kind = KINDS.get(producer)
    expected = outcome(s, to, mode, host=world.host, opencv=world.opencv, ml_dtypes=world.ml_dtypes)
    keywords = {} if kind in ("image", "gpumat") else {"src_layout": s.layout}
    keywords |= KEYWORDS[mode]
    if mode in (NONE, CONTIGUOUS):
        check_plan(x, to, keywords, expected)
    if expected == COPY and not world.can_copy(producer, to):
        return "planned only"
    life = ByCount(x) if kind == "gpumat" else ByOwner(owner)
    del owner
    made = convert(x, to, keywords, expected)
    itself = (
        expected == VIEW and kind == to and (to == "gpumat" or result_layout(s, to) == s.layout)
    )
    if made is not None:
        assert (made is x) == itself, f"it is {'not ' * itself}the object itself"
        check_result(world, s, to, made, expected == VIEW)
    x = None
    if expected == VIEW and (itself or not s.empty):
        check_life(life, True, "under a view")
    elif expected == COPY:
        check_life(life, False, "by a copy")
    made = None
    check_life(life, False, "after the last view")
    return expected.kind


# Adapters that share their code with another producer's: less of them.
SHARED = {"old DLPack", "interface 2", "pointer", "buffer"}


def chosen(
    producer: str, to: str, dtypes: Iterable[str], brief: bool
) -> Iterator[tuple[Source, str]]:
    for dtype in dtypes:
        for s in sources(dtype):
            if dtype in CORE:
                yield from ((s, mode) for mode in modes(to))
            elif not brief or s.name in ("packed", "ROI", "permuted"):
                yield from ((s, mode) for mode in modes(to) if mode != CONTIGUOUS)


def pair(
    world: World, producer: str, to: str, dtypes: Iterable[str] = DTYPES, brief: bool = False
) -> Counter[str]:
    """Every cell of a producer and a consumer. Raises once, at the end, with those that failed.

    brief: the types that are not CORE in a few shapes only.
    """
    wrong: list[str] = []
    found: Counter[str] = Counter()
    before = world.used()
    for s, mode in chosen(producer, to, dtypes, brief or producer in SHARED):
        try:
            found[cell(world, producer, to, s, mode) or "not expressible"] += 1
        except Exception as error:
            what = f"{s.dtype} {s.layout} {s.shape} strides {s.strides} ({s.name}), {mode}"
            wrong.append(f"{what}: {type(error).__name__}: {error!s:.200}")
        if len(wrong) == 12:
            break
    counts.update(found)
    assert not wrong, f"{producer} to {to}, among them\n" + "\n".join(wrong)
    for dtype, start in world.rooms.items():
        assert world.fetch(start, ROOM).tobytes() == room(dtype).tobytes(), "a source was written"
    drain()
    used = world.used()
    assert all(a <= b for a, b in zip(used, before, strict=True)), f"{used} bytes, {before} before"
    return found


def summary() -> str:
    total = sum(counts[kind] for kind in ("view", "copy", "refused", "planned only"))
    return (
        f"matrix: {total} cells: {counts['view']} views, {counts['copy']} copies, "
        f"{counts['refused']} refusals, {counts['planned only']} copies planned only"
    )
