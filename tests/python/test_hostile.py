# SPDX-License-Identifier: Apache-2.0
"""The tables of hostile.py against every entry point: a typed error that says something, its cause
chained, and everything else as it was."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pixview
import pytest
from hostile import ARRAYS, OBJECTS, Memory, Row
from hostile_arguments import CALLS, Call
from hostile_dlpack import DLPACKS
from hostile_interfaces import INTERFACES
from matrix.producers import _live
from support import drain

ROWS: list[Row] = [*OBJECTS, *ARRAYS, *INTERFACES, *DLPACKS]
TIMES = 20
YUV: dict[str, Any] = {"format": "NV12", "matrix": "bt709", "range": "limited"}

ENTRIES: dict[str, Callable[[Any, Memory], Any]] = {
    "as_torch": lambda x, m: pixview.as_torch(x),
    "as_torch copy": lambda x, m: pixview.as_torch(x, copy=True),
    "as_cupy": lambda x, m: pixview.as_cupy(x),
    "as_numpy": lambda x, m: pixview.as_numpy(x, copy=True),
    "view": lambda x, m: pixview.view(x),
    "view copy": lambda x, m: pixview.view(x, copy=True, stream=-1),
    "plan": lambda x, m: pixview.plan(x, "torch", contiguous=True),
    "stack": lambda x, m: pixview.stack([m.host, x], to="image"),
    "stack whole": lambda x, m: pixview.stack(x, to="image"),
    "unstack": lambda x, m: pixview.unstack(x, to="torch"),
    "unstack copy": lambda x, m: pixview.unstack(x, to="image", copy=True),
    "src": lambda x, m: pixview.copy_into(np.zeros((4, 5, 3), np.uint8), x),
    "dst": lambda x, m: pixview.copy_into(x, np.zeros((4, 5, 3), np.uint8)),
}
# These look at less of an object, or at something else first: any of pixview's errors will do.
LOOKS: dict[str, Callable[[Any, Memory], Any]] = {
    "out": lambda x, m: pixview.stack([m.host], out=x),
    "plane": lambda x, m: pixview.video_frame((m.host[..., 0], x), **YUV),
    "frame": lambda x, m: pixview.video_frame(x, **YUV),
    "to_video_frame": lambda x, m: pixview.to_video_frame(x, matrix="bt709", range="full"),
    "stream_of": lambda x, m: pixview.stream_of(x),
    "used_on": lambda x, m: pixview.used_on(x, 1),
}
ACCEPTED = {("out", "None"), ("stream_of", "CuPy whose dtype raises")}
OPENCV: dict[str, Callable[[Any, Memory], Any]] = {
    "as_gpumat": lambda x, m: pixview.as_gpumat(x),
    "as_gpumat copy": lambda x, m: pixview.as_gpumat(x, copy=True),
    "plan gpumat": lambda x, m: pixview.plan(x, "gpumat"),
}


def refusal(call: Callable[[], Any], expected: Any, cause: Any) -> None:
    try:  # not pytest.raises: what it gives is a cycle, which holds the object
        made = call()
    except expected as error:
        text = str(error)
        assert text.strip()
        assert len(text) < 2000, f"a message of {len(text)} characters"
        if cause:
            assert isinstance(error.__cause__, cause), f"the cause is {error.__cause__!r}"
        return
    raise AssertionError(f"no error, but {made!r:.200}")


class State:
    """What a refusal must leave as it was."""

    def __init__(self, fake: Any, m: Memory, watched: list[Any]) -> None:
        self.fake, self.m, self.watched = fake, m, watched
        self.bytes = m.host.tobytes(), m.gpu.tobytes()

    def counts(self) -> tuple[Any, ...]:
        lib = self.fake.lib
        refs = tuple(sys.getrefcount(w) for w in self.watched)
        return (*refs, len(_live), lib.fake_live_blocks(), lib.fake_context_depth())

    def check(self, before: tuple[Any, ...], what: str) -> None:
        if self.counts() != before:
            drain()
            gc.collect()
        assert self.counts() == before, f"{what}: counts {self.counts()} instead of {before}"
        assert (self.m.host.tobytes(), self.m.gpu.tobytes()) == self.bytes, f"{what}: written"


def check_blocks(calls: list[Callable[[], Any]]) -> None:
    """Python objects do not become more with every refusal."""

    def repeat() -> None:
        for call in calls:
            for _ in range(TIMES):
                try:
                    call()
                except Exception:
                    pass

    repeat()
    start = sys.getallocatedblocks()
    repeat()
    if sys.getallocatedblocks() - start < TIMES:
        return
    for _ in range(3):
        gc.collect()  # cycles of the objects' own, and what libraries keep for the next time
        start = sys.getallocatedblocks()
        for _ in range(10):
            repeat()
        gc.collect()
        grown = sys.getallocatedblocks() - start
        if grown < 8 * TIMES:
            return
    raise AssertionError(f"{grown} more Python objects after {10 * TIMES} refusals of each call")


@pytest.fixture(scope="module", autouse=True)
def cheap_collections(torch: Any) -> None:
    import torch._subclasses.fake_tensor  # noqa: F401  (one row wants it: a lot of objects)

    gc.collect()
    gc.freeze()


def check(row: Row, entries: dict[str, Any], m: Memory, fake: Any) -> None:
    x = row.make(m)
    watched = [x, m.host, m.gpu]
    if sys.getrefcount(x) > 10_000:  # shared by everybody
        watched = watched[1:]
    state = State(fake, m, watched)
    wrong: list[str] = []
    calls: list[Callable[[], Any]] = []
    for name in row.at.get("only", entries):
        call = entries.get(name)
        if not call:
            continue

        if (name, row.name) in ACCEPTED:
            call(x, m)
            continue

        def once(call: Any = call) -> Any:
            return call(x, m)

        error, cause = row.at.get(name, row.error), row.cause
        if name in LOOKS and "only" not in row.at:
            error, cause = pixview.Error, None
        try:
            refusal(once, error, cause)
        except BaseException as error:
            wrong.append(f"{name}: {type(error).__name__}: {error!s:.300}")
            continue
        before = state.counts()
        for _ in range(3):
            refusal(once, error, cause)
        state.check(before, name)
        calls.append(once)
    assert not wrong, "\n".join(wrong)
    check_blocks(calls)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_objects(torch: Any, cupy: Any, fake: Any, row: Row) -> None:
    check(row, ENTRIES, Memory(torch, cupy, fake), fake)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_objects_that_are_looked_at(torch: Any, cupy: Any, fake: Any, row: Row) -> None:
    check(row, LOOKS, Memory(torch, cupy, fake), fake)


@pytest.mark.cv2
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_objects_to_gpumat(cv2: Any, torch: Any, cupy: Any, fake: Any, row: Row) -> None:
    check(row, OPENCV, Memory(torch, cupy, fake), fake)


@pytest.mark.parametrize("row", CALLS, ids=lambda row: row.name)
def test_arguments(torch: Any, cupy: Any, fake: Any, row: Call) -> None:
    m = Memory(torch, cupy, fake)
    state = State(fake, m, [m.host, m.gpu])
    refusal(lambda: row.call(m), row.error, row.cause)
    before = state.counts()
    check_blocks([lambda: row.call(m)])
    state.check(before, row.name)


def test_the_tables_are_long_enough() -> None:
    names = [row.name for row in (*ROWS, *CALLS)]
    assert not [name for name in set(names) if names.count(name) > 1]
    assert len(ROWS) >= 150
