# SPDX-License-Identifier: Apache-2.0
"""Hostile array interfaces, in the manner of hostile.py."""

from __future__ import annotations

import itertools
from typing import Any

from hostile import (
    DTYPE,
    LAYOUT,
    READONLY,
    UNSUPPORTED,
    BadRepr,
    Boom,
    LongRepr,
    Memory,
    Row,
)
from support import Interface, interface_of


def on_host(m: Memory, **changes: Any) -> Any:
    return Interface("__array_interface__", interface_of(m.host, **changes), m.host)


def on_gpu(m: Memory, **changes: Any) -> Any:
    return Interface("__cuda_array_interface__", interface_of(m.gpu, **changes), m.gpu)


class Changing:
    """Another answer every time it is asked."""

    def __init__(self, m: Memory) -> None:
        self.m, self.n = m, 0

    @property
    def __array_interface__(self) -> Any:
        self.n += 1
        return interface_of(self.m.host, shape=(4,) * (5 + self.n % 7), strides=None)


class Vanishing:
    """Has its interface once."""

    def __init__(self, m: Memory) -> None:
        self.__array_interface__: Any = interface_of(m.host, typestr=Vanish(self))


class Vanish:
    def __init__(self, whose: Any) -> None:
        self.whose = whose

    def __repr__(self) -> str:
        self.whose.__dict__.clear()
        return "gone"


class Emptying:
    """An extent that empties the dictionary it stands in."""

    def __init__(self) -> None:
        self.inside: dict[str, Any] = {}

    def __index__(self) -> int:
        kept = dict(self.inside)
        self.inside.clear()
        self.inside.update(kept, shape=(self, 5, 3))
        raise Boom("emptied")


def emptying(m: Memory) -> Any:
    extent = Emptying()
    x = on_host(m, shape=(extent, 5, 3))
    extent.inside = x.__array_interface__
    return x


class Key:
    """A key of the same hash as 'shape' that raises when it is compared."""

    def __hash__(self) -> int:
        return hash("shape")

    def __eq__(self, other: object) -> bool:
        raise Boom("not to be compared")


def odd_key(m: Memory) -> Any:
    return Interface("__array_interface__", {Key(): 1} | {"typestr": "|u1", "data": (1, False)})


class Index:
    def __init__(self, value: Any) -> None:
        self.value = value

    def __index__(self) -> Any:
        if isinstance(self.value, BaseException):
            raise type(self.value)(*self.value.args)  # a new one: they collect tracebacks
        return self.value


class NoTruth:
    def __bool__(self) -> bool:
        raise Boom("neither true nor false")


class Endless:
    def __iter__(self) -> Any:
        return itertools.repeat(5)


class Steps:
    """A sequence that raises half-way."""

    def __iter__(self) -> Any:
        yield 4
        raise Boom("no more")


class LoudInterface:
    def __init__(self, error: BaseException, name: str) -> None:
        self.error, self.name = error, name

    def __getattr__(self, name: str) -> Any:
        if name == self.name:
            raise type(self.error)(*self.error.args)
        raise AttributeError(name)


INTERFACES: list[Row] = [
    Row("interface None", lambda m: Interface("__array_interface__", None), UNSUPPORTED),
    Row("interface is a list", lambda m: Interface("__array_interface__", [1]), UNSUPPORTED),
    Row("interface is empty", lambda m: Interface("__array_interface__", {}), UNSUPPORTED),
    Row(
        "interface property raises",
        lambda m: LoudInterface(Boom("x"), "__array_interface__"),
        UNSUPPORTED,
        Boom,
    ),
    Row(
        "CUDA interface raises",
        lambda m: LoudInterface(Boom("x"), "__cuda_array_interface__"),
        UNSUPPORTED,
        Boom,
    ),
    Row("no shape", lambda m: on_host(m, shape="drop"), UNSUPPORTED),
    Row("no typestr", lambda m: on_host(m, typestr="drop"), UNSUPPORTED),
    Row("no data", lambda m: on_host(m, data="drop"), UNSUPPORTED),
    Row("shape is an int", lambda m: on_host(m, shape=4), LAYOUT, TypeError),
    Row("shape of strings", lambda m: on_host(m, shape=("4", "5", "3")), LAYOUT, TypeError),
    Row("shape of floats", lambda m: on_host(m, shape=(4.0, 5.0, 3.0)), LAYOUT, TypeError),
    Row("shape of None", lambda m: on_host(m, shape=(None,) * 3), LAYOUT, TypeError),
    Row("shape beyond 64 bits", lambda m: on_host(m, shape=(2**70, 5, 3)), LAYOUT, OverflowError),
    Row("shape negative", lambda m: on_host(m, shape=(4, -5, 3)), LAYOUT),
    Row("shape beyond memory", lambda m: on_host(m, shape=(2**31, 2**31, 4), strides=None), LAYOUT),
    Row(
        "shape whose index raises",
        lambda m: on_host(m, shape=(Index(Boom("i")), 5, 3)),
        LAYOUT,
        Boom,
    ),
    Row(
        "shape whose index is a string",
        lambda m: on_host(m, shape=(Index("4"), 5, 3)),
        LAYOUT,
        TypeError,
    ),
    Row("shape that raises half-way", lambda m: on_host(m, shape=Steps()), LAYOUT, Boom),
    Row("shape that empties the dictionary", emptying, LAYOUT, Boom),
    Row("rank 1", lambda m: on_host(m, shape=(60,), strides=None), LAYOUT),
    Row("rank 0", lambda m: on_host(m, shape=(), strides=None), LAYOUT),
    Row("rank 5", lambda m: on_host(m, shape=(1, 1, 4, 5, 3), strides=None), LAYOUT),
    Row("rank 10 000", lambda m: on_host(m, shape=(1,) * 10_000, strides=None), LAYOUT),
    Row("fewer strides", lambda m: on_host(m, strides=(15, 3)), LAYOUT),
    Row("more strides", lambda m: on_host(m, strides=(15, 3, 1, 1)), LAYOUT),
    Row("strides of floats", lambda m: on_host(m, strides=(15.0, 3.0, 1.0)), LAYOUT, TypeError),
    Row("strides beyond memory", lambda m: on_host(m, strides=(2**62, 2**62, 1)), LAYOUT),
    Row(
        "strides beyond 64 bits", lambda m: on_host(m, strides=(2**64, 3, 1)), LAYOUT, OverflowError
    ),
    Row("strides below address 0", lambda m: on_host(m, strides=(-(2**61), 3, 1)), LAYOUT),
    Row(
        "strides of half elements",
        lambda m: on_host(m, typestr="<i2", strides=(15, 2, 2)),
        LAYOUT,
        None,
        {"only": ("dst",)},
    ),
    Row("big-endian", lambda m: on_host(m, typestr=">f4"), DTYPE),
    Row("typestr of objects", lambda m: on_host(m, typestr="|O8"), DTYPE),
    Row("typestr of raw bytes", lambda m: on_host(m, typestr="|V3"), DTYPE),
    Row("typestr of an unknown letter", lambda m: on_host(m, typestr="<q4"), DTYPE),
    Row("typestr of an odd size", lambda m: on_host(m, typestr="<f3"), DTYPE),
    Row("typestr of a dateless unit", lambda m: on_host(m, typestr="<M8[us]"), DTYPE),
    Row("typestr empty", lambda m: on_host(m, typestr=""), DTYPE),
    Row("typestr with a NUL", lambda m: on_host(m, typestr="|u1\0"), DTYPE),
    Row("typestr very long", lambda m: on_host(m, typestr="<f4" * 100_000), DTYPE),
    Row("typestr with a surrogate", lambda m: on_host(m, typestr="\udc80f4"), DTYPE, UnicodeError),
    Row("typestr is bytes", lambda m: on_host(m, typestr=b"|u1"), DTYPE),
    Row("typestr whose repr raises", lambda m: on_host(m, typestr=BadRepr()), DTYPE, Boom),
    Row("typestr with a very long repr", lambda m: on_host(m, typestr=LongRepr()), DTYPE),
    Row("typestr that takes the interface away", Vanishing, (DTYPE, UNSUPPORTED)),
    Row("data is an int", lambda m: on_host(m, data=4096), UNSUPPORTED),
    Row("data is one", lambda m: on_host(m, data=(4096,)), UNSUPPORTED),
    Row("data is a string", lambda m: on_host(m, data=("4096", False)), UNSUPPORTED),
    Row(
        "data beyond 64 bits", lambda m: on_host(m, data=(2**70, False)), UNSUPPORTED, OverflowError
    ),
    Row("data is NULL", lambda m: on_host(m, data=(0, False)), LAYOUT),
    Row(
        "data at the end of the address space",
        lambda m: on_host(m, data=(2**64 - 2, False)),
        LAYOUT,
    ),
    Row(
        "data misaligned",
        lambda m: on_host(m, data=(4097, False), typestr="<f4", strides=None),
        LAYOUT,
        None,
        {"only": ("dst",)},
    ),
    Row(
        "data neither read-only nor not",
        lambda m: on_host(m, data=(m.host.ctypes.data, NoTruth())),
        UNSUPPORTED,
        Boom,
    ),
    Row("data is a buffer too short", lambda m: on_host(m, data=b"abc"), LAYOUT),
    Row(
        "data is a buffer, offset beyond it", lambda m: on_host(m, data=m.host, offset=999), LAYOUT
    ),
    Row("data is a buffer, offset negative", lambda m: on_host(m, data=m.host, offset=-1), LAYOUT),
    Row(
        "data is a buffer, offset no number",
        lambda m: on_host(m, data=m.host, offset="1"),
        LAYOUT,
        TypeError,
    ),
    Row(
        "data is a buffer, offset raises",
        lambda m: on_host(m, data=m.host, offset=Index(Boom("o"))),
        LAYOUT,
        Boom,
    ),
    Row(
        "data is a buffer, strides out of it",
        lambda m: on_host(m, data=m.host, strides=(-15, 3, 1)),
        LAYOUT,
    ),
    Row("data is a flipped array", lambda m: on_host(m, data=m.host[::2]), LAYOUT),
    Row("a mask", lambda m: on_host(m, mask=m.host), UNSUPPORTED),
    Row("a key that cannot be compared", odd_key, UNSUPPORTED, Boom),
    Row("another answer every time", Changing, LAYOUT),
    Row("interface inside an interface", lambda m: on_host(m, data=on_host(m)), UNSUPPORTED),
    Row("CUDA: NULL", lambda m: on_gpu(m, data=(0, False)), LAYOUT),
    Row("CUDA: a buffer", lambda m: on_gpu(m, data=m.host), UNSUPPORTED),
    Row("CUDA: stream True", lambda m: on_gpu(m, stream=True), UNSUPPORTED),
    Row("CUDA: stream -1", lambda m: on_gpu(m, stream=-1), UNSUPPORTED, OverflowError),
    Row(
        "CUDA: stream beyond 64 bits", lambda m: on_gpu(m, stream=2**64), UNSUPPORTED, OverflowError
    ),
    Row("CUDA: stream of all ones", lambda m: on_gpu(m, stream=2**64 - 1), UNSUPPORTED),
    Row("CUDA: stream is a string", lambda m: on_gpu(m, stream="1"), UNSUPPORTED),
    Row("CUDA: a mask", lambda m: on_gpu(m, mask=m.gpu), UNSUPPORTED),
    Row(
        "CUDA: misaligned",
        lambda m: on_gpu(
            m, data=(m.gpu.ctypes.data + 1, False), typestr="<f8", shape=(2, 2), strides=None
        ),
        LAYOUT,
        None,
        {"only": ("dst",)},
    ),
    Row(
        "strides that count elements",
        lambda m: on_host(m, typestr="<u2", shape=(2, 5, 3), strides=(15, 3, 1)),
        LAYOUT,
    ),
    Row("a shape that never ends", lambda m: on_host(m, shape=Endless()), LAYOUT),
    Row("strides that never end", lambda m: on_host(m, strides=Endless()), LAYOUT),
    Row("data is a bool", lambda m: on_host(m, data=(True, False)), UNSUPPORTED, TypeError),
    Row("CUDA: fewer strides", lambda m: on_gpu(m, strides=(15,)), LAYOUT),
    Row(
        "CUDA: read-only",
        lambda m: on_gpu(m, data=(m.gpu.ctypes.data, True)),
        READONLY,
        None,
        {"only": ("dst",)},
    ),
]
