# SPDX-License-Identifier: Apache-2.0
"""Hostile objects against every entry point: a typed error that says something, and nothing else."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pixview
import pytest
from support import array_interface, cuda_array_interface, image

# Errors that are allowed: ours, or Python's own for a wrong argument.
TYPED = (pixview.Error, TypeError, ValueError)


class TooOften(BaseException):
    pass


class Recursive:
    """Exports what pixview makes of it."""

    def __init__(self) -> None:
        self.asked = 0

    def __dlpack__(self, **keywords: Any) -> Any:
        self.asked += 1
        if self.asked > 20_000:
            raise TooOften
        return pixview.view(self).__dlpack__()

    def __dlpack_device__(self) -> Any:
        return (1, 0)


def frozen() -> Any:
    a = image(4, 5, 3)
    a.flags.writeable = False
    return a


def test_unknown_objects_are_told_what_was_tried() -> None:
    with pytest.raises(pixview.UnsupportedError) as raised:
        pixview.view(object())
    text = str(raised.value)
    for part in (
        "object",
        "__dlpack__",
        "__cuda_array_interface__",
        "__array_interface__",
        "buffer",
    ):
        assert part in text


def test_messages_name_the_value_the_limit_and_the_fix(torch: Any) -> None:
    for call, parts in (
        (lambda: pixview.view(np.zeros((1, 2, 3, 4, 5))), ("5", "4")),
        (lambda: pixview.as_torch(frozen(), copy=False), ("allow_readonly",)),
        (lambda: pixview.as_torch(image(3, 20, 30)), ("30", "src_layout", "CHW")),
        (lambda: pixview.as_torch(image(4, 5, 3), layout="HW"), ("3", "HW")),
        (lambda: pixview.view(image(4, 5), layout="XY"), ("XY", "NCHW")),
        (lambda: pixview.view(np.zeros((4, 5), ">f4")), (">f",)),
        (lambda: pixview.as_cupy(image(4, 5, 3)), ("copy=True",)),
    ):
        with pytest.raises(pixview.Error) as raised:
            call()
        for part in parts:
            assert part in str(raised.value), (part, str(raised.value))


@pytest.mark.parametrize("name", ["as_torch", "as_numpy", "as_cupy", "as_gpumat", "view", "plan"])
def test_hostile_keywords(torch: Any, name: str) -> None:
    call = getattr(pixview, name)
    required = ("torch",) if name == "plan" else ()
    for keyword in (
        "layout",
        "src_layout",
        "copy",
        "contiguous",
        "allow_readonly",
        "stream",
        "nonsense",
    ):
        for bad in (
            5.5,
            "x",
            b"x",
            [],
            {},
            object(),
            float("nan"),
            "HW\0C",
            "H" * 10_000,
        ):
            with pytest.raises((*TYPED, ImportError)) as raised:
                call(image(4, 5, 3)[:, :, None], *required, **{keyword: bad})
            assert str(raised.value)


def test_a_source_is_untouched_by_a_refusal(torch: Any) -> None:
    a = image(4, 5, 3)
    before, strides = a.copy(), a.strides
    for keywords in ({"layout": "HW"}, {"copy": False, "contiguous": True}, {"src_layout": "NCHW"}):
        with pytest.raises(pixview.LayoutError):
            pixview.as_torch(a, **keywords)
    np.testing.assert_array_equal(a, before)
    assert a.strides == strides and a.flags.writeable


def test_recursion_ends_in_an_error() -> None:
    """Our own errors are TypeErrors too: they are no reason to ask a producer again with fewer keywords."""
    with pytest.raises((pixview.Error, RecursionError)):
        pixview.view(Recursive())


# ---- numbers and flags of every kind ----


class Pointer:
    """As cuda.bindings' CUdeviceptr: an int by __int__ alone."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __int__(self) -> int:
        return self.value


@pytest.mark.parametrize("kind", [int, np.uint64, np.int64, ctypes.c_void_p, Pointer])
def test_an_address_of_every_kind(kind: Any) -> None:
    a = image(4, 5)
    v = pixview.from_pointer(kind(a.ctypes.data), (np.int8(4), 5), "uint8", device="cpu", owner=a)
    np.testing.assert_array_equal(np.asarray(v), a)
    with pytest.raises(pixview.LayoutError, match="NULL"):
        pixview.from_pointer(ctypes.c_void_p(None), (4, 5), "uint8", device="cpu")


def test_integers_are_read_in_one_way(fake: Any) -> None:
    a = fake.register(image(4, 5))
    for device in (np.int64(0), ("cuda", np.uint8(0))):
        assert fake.image(a, device=device).device == ("cuda", 0)
    data = (np.uint64(a.ctypes.data), np.False_)
    assert pixview.view(array_interface(a, data=data, shape=[np.int16(4), 5])).shape == (4, 5)
    raw = array_interface(a, data=a, offset=np.int32(5), shape=(3, 5))
    np.testing.assert_array_equal(pixview.as_numpy(raw), a[1:])
    x = cuda_array_interface(a, stream=np.int64(1))
    assert pixview.view(x).__cuda_array_interface__["stream"] == 1


def test_flags_of_numpy() -> None:
    a = image(4, 5, 3)
    assert pixview.as_numpy(a, copy=np.True_) is not a
    assert pixview.as_numpy(a, copy=np.False_, contiguous=np.True_) is a
    v = pixview.from_pointer(
        a.ctypes.data, a.shape, "uint8", device="cpu", readonly=np.True_, owner=a
    )
    assert v.readonly


@pytest.mark.parametrize("what", ["shape", "strides"])
def test_a_sequence_without_an_end(what: str) -> None:
    read = 0

    def endless() -> Any:
        nonlocal read
        while True:
            read += 1
            yield 1

    a = image(4, 5)
    arguments: dict[str, Any] = {"shape": (4, 5), what: endless()}
    with pytest.raises(pixview.LayoutError, match="5 or more axes"):
        pixview.from_pointer(a.ctypes.data, dtype="uint8", device="cpu", **arguments)
    assert read == 5  # the first entry too many
    with pytest.raises(pixview.LayoutError, match="100000 axes"):
        pixview.from_pointer(a.ctypes.data, [1] * 100_000, "uint8", device="cpu")
    with pytest.raises(pixview.LayoutError, match="mean has 33"):
        pixview.stack([a], to="numpy", mean=endless())
