# SPDX-License-Identifier: Apache-2.0
"""A release in awkward moments: while an exception is on its way, and inside a torch that fails."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from typing import Any

import exchange
import numpy as np
import pixview
import pytest
from support import Deleter, Dlpack, Versioned, _api, _forever, call_deleter, drain, image

NAME = b"a capsule of a test"


def of_a_capsule(a: np.ndarray[Any, Any], ran: list[int]) -> pixview.Image:
    """Its owner is dropped by code that looks whether an exception is set, as most C code does."""
    destroy = Deleter(ran.append)
    _forever.append(destroy)
    capsule = _api.PyCapsule_New(a.ctypes.data, NAME, ctypes.cast(destroy, ctypes.c_void_p))
    return pixview.from_pointer(a.ctypes.data, a.shape, "uint8", device="cpu", owner=capsule)


def of_an_exporter(a: np.ndarray[Any, Any], ran: list[int], versioned: bool) -> pixview.Image:
    exporter = Dlpack(a, versioned=versioned)
    exporter._deletions = ran
    return pixview.view(exporter)


SOURCES: dict[str, Callable[[Any, list[int]], pixview.Image]] = {
    "a reference": of_a_capsule,
    "DLPack": lambda a, ran: of_an_exporter(a, ran, True),
    "legacy DLPack": lambda a, ran: of_an_exporter(a, ran, False),
}


@pytest.mark.parametrize("source", SOURCES)
def test_released_while_an_exception_is_raised(source: str) -> None:
    """What the interpreter had on its stack goes while the exception is set. (A tensor has its deleter
    called without the GIL, where nobody can look after the exception.)"""
    a, ran = image(4, 5, 3), []

    def fail(zero: int) -> Any:
        return (SOURCES[source](a, ran), 1 // zero)

    with pytest.raises(ZeroDivisionError):
        list(map(fail, [0]))  # C code in between notices an exception that is lost
    assert len(ran) == 1


@pytest.fixture
def to_py(torch: Any) -> Iterator[Callable[[Any], None]]:
    """Sets the function by which torch takes a tensor over."""
    pixview.as_torch(image(2, 2))
    assert pixview._core._doctor()["torch"] == "table"
    table = exchange.table_of(torch.Tensor)
    before = table.to_py

    def replace(function: Callable[[int, int], int]) -> None:
        callback = exchange.FromPy(function)
        _forever.append(callback)
        table.to_py = ctypes.cast(callback, ctypes.c_void_p).value

    yield replace
    table.to_py = before


def test_torch_fails_before_it_took_the_tensor(to_py: Callable[[Any], None]) -> None:
    a = image(4, 5, 3)
    count = sys.getrefcount(a)
    to_py(lambda managed, out: -1)
    for _ in range(3):
        with pytest.raises(pixview.UnsupportedError, match="torch cannot hold this image"):
            pixview.as_torch(a)
        assert sys.getrefcount(a) == count


def test_torch_fails_after_it_took_the_tensor(to_py: Callable[[Any], None]) -> None:
    """Its deleter has run then, and the block may be another view's already."""
    a, b = image(4, 5, 3), image(4, 5, 3)
    count, taken = sys.getrefcount(a), []

    def fail(managed: int, out: int) -> int:
        call_deleter(Versioned.from_address(managed))
        drain()
        taken.append(pixview.view(b).__dlpack__(max_version=(1, 0)))
        return -1

    to_py(fail)
    for _ in range(3):
        with pytest.raises(pixview.UnsupportedError, match="torch cannot hold this image"):
            pixview.as_torch(a)
        drain()
        assert sys.getrefcount(a) == count
    held = sys.getrefcount(b)
    taken.clear()
    assert sys.getrefcount(b) == held - 3
