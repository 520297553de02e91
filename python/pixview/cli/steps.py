# SPDX-License-Identifier: Apache-2.0
"""The record of a demo: each conversion is run, checked, timed and added to the table."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import pixview

from .sheet import Panel


class DemoError(Exception):
    """The demo cannot run, or a check failed. The message is one line."""


@dataclass(frozen=True)
class Row:
    """One conversion. strides: in bytes. nanoseconds: host time of one call, median."""

    name: str
    shape: tuple[int, ...]
    layout: str
    strides: tuple[int, ...]
    address: int
    kind: str
    nanoseconds: float


@dataclass
class Record:
    """All rows and panels so far. wait: called after a batch of timed calls to finish GPU work.

    alive: what rows have the address of. Memory that was freed would be another row's.
    """

    wait: Callable[[], object] = lambda: None
    rows: list[Row] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    alive: list[Any] = field(default_factory=list)

    def convert(self, name: str, source: Any, to: Any, pixels: np.ndarray, **options: Any) -> Any:
        """Convert ``source`` by ``pixview.as_<to>`` (or ``view``), check it, time it, return it.

        pixels: the expected result, a host array H,W,C or H,W. Raises DemoError if a view is
        not at its source's address, if a copy is, or if a pixel differs.
        """
        function = pixview.view if to == "image" else getattr(pixview, f"as_{to}")
        planned = {key: value for key, value in options.items() if key != "copy"}
        if options.get("copy"):
            kind = "copy"
        else:
            kind = pixview.plan(source, to, **planned).kind
        result = function(source, **options)
        layout = options.get("layout")
        self.add(
            name, source, result, kind, pixels, lambda: function(source, **options), layout=layout
        )
        return result

    def add(
        self,
        name: str,
        source: Any,
        result: Any,
        kind: str,
        pixels: np.ndarray,
        again: Callable[[], object],
        tolerance: int = 0,
        layout: str | None = None,
    ) -> None:
        """Check and time a conversion that the caller ran. again: repeats it. layout: of the result,
        where it is not what its library has by default."""
        shape, strides, address = describe(result)
        layout = layout or layout_of(result, pixels.ndim)
        check_address(name, kind, source, address)
        check_pixels(name, to_host(result, layout), pixels, tolerance)
        self.alive += [source, result]
        self.rows.append(Row(name, shape, layout, strides, address, kind, self._nanoseconds(again)))

    def panel(self, pixels: np.ndarray, title: str, call: str, kind: str = "") -> None:
        """Add a picture to the sheet. The arguments are those of ``Panel``; pixels are copied."""
        self.panels.append(Panel(pixels.copy(), title, call, kind))

    def _nanoseconds(self, call: Callable[[], object]) -> float:
        """Median over batches of at least half a millisecond, with garbage collection off."""
        calls = max(1, 500_000 // max(self._batch(call, 1), 1))
        was_on = gc.isenabled()
        gc.disable()
        try:
            return statistics.median(self._batch(call, calls) / calls for _ in range(15))
        finally:
            if was_on:
                gc.enable()

    def _batch(self, call: Callable[[], object], calls: int) -> int:
        start = time.perf_counter_ns()
        for _ in range(calls):
            call()
        elapsed = time.perf_counter_ns() - start
        self.wait()
        return elapsed


def describe(x: Any) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Shape, strides in bytes and address, from the framework's own attributes."""
    if hasattr(x, "cudaPtr"):
        width, height = x.size()
        channels = x.channels()
        shape = (height, width, channels) if channels > 1 else (height, width)
        return shape, (x.step, x.elemSize(), x.elemSize1())[: len(shape)], x.cudaPtr()
    if hasattr(x, "data_ptr"):
        return tuple(x.shape), tuple(s * x.element_size() for s in x.stride()), x.data_ptr()
    address = x.data.ptr if hasattr(x, "get") else x.__array_interface__["data"][0]
    return tuple(x.shape), tuple(x.strides), address


def layout_of(x: Any, rank: int) -> str:
    """Axis order of a result whose pixels, as a host array, have this rank."""
    if rank == 2:
        return "HW"
    if rank == 4:
        return "NCHW"
    return "CHW" if hasattr(x, "data_ptr") else "HWC"


def to_host(x: Any, layout: str) -> np.ndarray:
    """The pixels as a host array H,W,C, H,W or N,H,W,C, by the framework's own means."""
    if hasattr(x, "download"):
        pixels: np.ndarray = x.download()
    elif hasattr(x, "data_ptr"):
        pixels = x.detach().cpu().numpy()
    elif hasattr(x, "get"):
        pixels = x.get()
    else:
        pixels = np.asarray(x)
    if layout == "NCHW":
        return pixels.transpose(0, 2, 3, 1)
    return pixels.transpose(1, 2, 0) if layout == "CHW" else pixels


def check_address(name: str, kind: str, source: Any, address: int) -> None:
    """Raise DemoError unless a view, and only a view, is at the address of its source."""
    origin = describe(source)[2]
    if (origin == address) != (kind == "view"):
        raise DemoError(f"{name}: the {kind} is at {address:#x}, its source at {origin:#x}")


def check_pixels(name: str, got: np.ndarray, pixels: np.ndarray, tolerance: int = 0) -> None:
    """Raise DemoError unless the two arrays are equal, up to ``tolerance`` in every value."""
    if got.shape != pixels.shape:
        raise DemoError(f"{name}: shape {got.shape}, expected {pixels.shape}")
    wrong = np.abs(got.astype(np.int64) - pixels.astype(np.int64)) > tolerance
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DemoError(
            f"{name}: {int(wrong.sum())} wrong values, the first at {where}: "
            f"{got[where]}, expected {pixels[where]}"
        )
