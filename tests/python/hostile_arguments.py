# SPDX-License-Identifier: Apache-2.0
"""Hostile arguments: streams, layouts, dtypes, flags, pointers, crops. One row each."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pixview
from hostile import DTYPE, LAYOUT, BadRepr, Boom, Memory
from hostile_interfaces import Index, Steps

TYPE, VALUE = TypeError, ValueError


@dataclass
class Call:
    name: str
    call: Callable[[Memory], Any]
    error: Any
    cause: type[BaseException] | None = None


class Attribute:
    """Has one attribute, which may raise."""

    def __init__(self, only: str, value: Any) -> None:
        self._only, self._value = only, value

    def __getattr__(self, name: str) -> Any:
        if name != self._only:
            raise AttributeError(name)
        if isinstance(self._value, BaseException):
            raise type(self._value)(*self._value.args)  # a new one: they collect tracebacks
        return self._value


def _boom(*args: Any) -> Any:
    raise Boom("no")


STREAMS: list[tuple[str, Any, Any, Any]] = [
    ("a string", "0", TYPE, None),
    ("a float", 1.5, TYPE, None),
    ("True", True, TYPE, None),
    ("a list", [], TYPE, None),
    ("-2", -2, VALUE, None),
    ("beyond 64 bits", 2**64, VALUE, None),
    ("of all ones", 2**64 - 1, VALUE, None),
    ("far below 0", -(2**70), VALUE, None),
    ("an index that raises", Index(Boom("i")), pixview.Error, Boom),
    ("an index of a string", Index("1"), TYPE, None),
    ("a repr that raises", BadRepr(), TYPE, None),
    ("__cuda_stream__ is no function", Attribute("__cuda_stream__", 5), TYPE, None),
    (
        "__cuda_stream__ raises at look-up",
        Attribute("__cuda_stream__", Boom("s")),
        pixview.Error,
        Boom,
    ),
    (
        "__cuda_stream__ raises",
        Attribute("__cuda_stream__", _boom),
        pixview.Error,
        Boom,
    ),
    ("__cuda_stream__ gives None", Attribute("__cuda_stream__", lambda: None), TYPE, None),
    ("__cuda_stream__ gives one", Attribute("__cuda_stream__", lambda: (0,)), TYPE, None),
    ("__cuda_stream__ gives a string", Attribute("__cuda_stream__", lambda: (0, "1")), TYPE, None),
    (
        "__cuda_stream__ beyond 64 bits",
        Attribute("__cuda_stream__", lambda: (0, 2**64)),
        VALUE,
        None,
    ),
    ("cuda_stream raises", Attribute("cuda_stream", Boom("s")), pixview.Error, Boom),
    ("cuda_stream is None", Attribute("cuda_stream", None), TYPE, None),
    ("ptr is a string", Attribute("ptr", "1"), TYPE, None),
    ("ptr is negative", Attribute("ptr", -5), VALUE, None),
    ("cudaPtr raises", Attribute("cudaPtr", _boom), pixview.Error, Boom),
]


def pointer(m: Memory, **changes: Any) -> Any:
    arguments = {"ptr": m.host.ctypes.data, "shape": (4, 5, 3), "dtype": "uint8", "device": "cpu"}
    return pixview.from_pointer(**(arguments | changes))


LAYOUTS: list[tuple[str, Any, Any]] = [
    ("unknown", "CWH", LAYOUT),
    ("lower case", "chw", LAYOUT),
    ("empty", "", LAYOUT),
    ("a prefix", "HWCX", LAYOUT),
    ("with a NUL", "HW\0C", LAYOUT),
    ("very long", "H" * 100_000, LAYOUT),
    ("a lone surrogate", "\udc80", LAYOUT),
    ("bytes", b"HWC", TYPE),
    ("an int", 3, TYPE),
    ("a repr that raises", BadRepr(), TYPE),
]

POINTERS: list[tuple[str, dict[str, Any], Any, Any]] = [
    ("ptr a string", {"ptr": "4096"}, TYPE, None),
    ("ptr None", {"ptr": None}, TYPE, None),
    ("ptr negative", {"ptr": -1}, VALUE, None),
    ("ptr beyond 64 bits", {"ptr": 2**64}, VALUE, None),
    ("ptr NULL", {"ptr": 0}, LAYOUT, None),
    ("ptr at the end of memory", {"ptr": 2**64 - 4}, LAYOUT, None),
    ("ptr misaligned", {"ptr": 4097, "dtype": "float32"}, LAYOUT, None),
    ("ptr True", {"ptr": True}, TYPE, None),
    ("ptr a float", {"ptr": 4096.0}, TYPE, None),
    ("ptr a NumPy float", {"ptr": np.float32(4096)}, TYPE, None),
    ("ptr an index that raises", {"ptr": Index(Boom("i"))}, pixview.Error, Boom),
    ("shape an int", {"shape": 60}, TYPE, None),
    ("shape that never ends", {"shape": itertools.repeat(5)}, LAYOUT, None),
    ("strides that never end", {"strides": itertools.count()}, LAYOUT, None),
    ("shape of bools", {"shape": (True, True, 3)}, TYPE, None),
    ("device True", {"device": True}, TYPE, None),
    ("device of a bool", {"device": ("cuda", True)}, VALUE, None),
    ("shape empty", {"shape": ()}, LAYOUT, None),
    ("shape of rank 5", {"shape": (1, 1, 4, 5, 3)}, LAYOUT, None),
    ("shape negative", {"shape": (4, -5, 3)}, LAYOUT, None),
    ("shape that raises", {"shape": Steps()}, LAYOUT, Boom),
    ("shape beyond 64 bits", {"shape": (2**64, 5, 3)}, LAYOUT, OverflowError),
    ("strides fewer", {"strides": (15, 3)}, LAYOUT, None),
    ("strides of floats", {"strides": (15.0, 3.0, 1.0)}, TYPE, None),
    ("strides beyond memory", {"strides": (2**62, 3, 1)}, LAYOUT, None),
    ("dtype None", {"dtype": None}, DTYPE, None),
    ("dtype of strings", {"dtype": np.dtype("U3")}, DTYPE, None),
    ("dtype big-endian", {"dtype": np.dtype(">f4")}, DTYPE, None),
    ("dtype an image", {"dtype": np.zeros(3)}, DTYPE, None),
    ("dtype the type object", {"dtype": object}, DTYPE, None),
    ("dtype whose name raises", {"dtype": Attribute("name", Boom("n"))}, DTYPE, Boom),
    ("dtype whose repr raises", {"dtype": BadRepr()}, DTYPE, Boom),
    ("dtype a lone surrogate", {"dtype": "\udc80"}, DTYPE, UnicodeError),
    ("device unknown", {"device": "tpu"}, VALUE, None),
    ("device of no number", {"device": "cuda:x"}, VALUE, None),
    ("device below 0", {"device": -1}, VALUE, None),
    ("device beyond 64 bits", {"device": 10**30}, VALUE, None),
    ("device of three", {"device": ("cuda", 0, 0)}, VALUE, None),
    ("device a repr that raises", {"device": BadRepr()}, TYPE, None),
    ("readonly 1", {"readonly": 1}, TYPE, None),
    ("readonly a repr that raises", {"readonly": BadRepr()}, TYPE, None),
]


class Items:
    def __getitem__(self, i: int) -> Any:
        raise Boom("no items")


def img(m: Memory) -> Any:
    return pixview.view(m.host)


def channels(m: Memory, **values: Any) -> Any:
    return pixview.stack([m.host], to="numpy", **values)


OTHERS: list[Call] = [
    Call("a mean that never ends", lambda m: channels(m, mean=itertools.repeat(1.0)), LAYOUT),
    Call("a std that never ends", lambda m: channels(m, std=itertools.count(1)), LAYOUT),
    Call("a scale that underflows", lambda m: channels(m, scale=1e-60), LAYOUT),
    Call("a std that makes it underflow", lambda m: channels(m, std=[1, 1e60, 1]), LAYOUT),
    Call("copy=1", lambda m: pixview.view(m.host, copy=1), TYPE),
    Call("copy='no'", lambda m: pixview.as_numpy(m.host, copy="no"), TYPE),
    Call("copy with a bad repr", lambda m: pixview.view(m.host, copy=BadRepr()), TYPE),
    Call("contiguous=None", lambda m: pixview.as_numpy(m.host, contiguous=None), TYPE),
    Call("allow_readonly=1", lambda m: pixview.as_torch(m.host, allow_readonly=1), TYPE),
    Call("an unknown keyword", lambda m: pixview.view(m.host, nonsense=1), TYPE),
    Call("no argument", lambda m: pixview.view(), TYPE),
    Call("two images", lambda m: pixview.view(m.host, m.host), TYPE),
    Call("plan to nowhere", lambda m: pixview.plan(m.host, "tensor"), VALUE),
    Call("plan to a bad repr", lambda m: pixview.plan(m.host, BadRepr()), TYPE),
    Call("crop below 0", lambda m: img(m).crop(-1, 0, 1, 1), LAYOUT),
    Call("crop outside", lambda m: img(m).crop(0, 0, 5, 5), LAYOUT),
    Call("crop beyond int64", lambda m: img(m).crop(2**70, 0, 1, 1), LAYOUT),
    Call("crop whose sum leaves int64", lambda m: img(m).crop(2**63 - 1, 0, 2**63 - 1, 1), LAYOUT),
    Call("crop of floats", lambda m: img(m).crop(0.0, 0, 1, 1), TYPE),
    Call(
        "crop of an index that raises",
        lambda m: img(m).crop(Index(Boom("i")), 0, 1, 1),
        pixview.Error,
        Boom,
    ),
    Call("__dlpack__ stream of a string", lambda m: img(m).__dlpack__(stream="1"), TYPE),
    Call("__dlpack__ stream of host memory", lambda m: img(m).__dlpack__(stream=1), VALUE),
    Call("__dlpack__ max_version an int", lambda m: img(m).__dlpack__(max_version=1), TYPE),
    Call("__dlpack__ max_version empty", lambda m: img(m).__dlpack__(max_version=()), TYPE),
    Call("__dlpack__ max_version a string", lambda m: img(m).__dlpack__(max_version="1"), TYPE),
    Call(
        "__dlpack__ max_version raises",
        lambda m: img(m).__dlpack__(max_version=Items()),
        TYPE,
        Boom,
    ),
    Call("__dlpack__ dl_device of three", lambda m: img(m).__dlpack__(dl_device=(1, 0, 0)), TYPE),
    Call(
        "__dlpack__ dl_device elsewhere", lambda m: img(m).__dlpack__(dl_device=(2, 0)), BufferError
    ),
    Call(
        "__dlpack__ dl_device beyond 32 bits",
        lambda m: img(m).__dlpack__(dl_device=(2**40, 0)),
        TYPE,
    ),
    Call("__dlpack__ copy=2", lambda m: img(m).__dlpack__(copy=2), TYPE),
    Call("__array__ of nonsense", lambda m: img(m).__array__("nonsense"), TYPE),
    Call("__array__ cast, copy=False", lambda m: img(m).__array__("f4", copy=False), VALUE),
    Call("an Image made by hand", lambda m: pixview.Image(), TYPE),
    Call("an Image's attribute set", lambda m: setattr(img(m), "shape", (1, 2)), AttributeError),
    Call("copy_into itself", lambda m: pixview.copy_into(m.host, m.host), LAYOUT),
    Call("copy_into other extents", lambda m: pixview.copy_into(m.host, m.host[:2]), LAYOUT),
    Call("copy_into another type", lambda m: pixview.copy_into(m.host, m.host.astype("f4")), DTYPE),
    Call("copy_into a stream", lambda m: pixview.copy_into(m.host, m.host.copy(), stream=5), VALUE),
]

CALLS: list[Call] = [
    *(Call(f"stream {n}", lambda m, s=s: pointer(m, stream=s), e, c) for n, s, e, c in STREAMS),
    *(
        Call(f"layout {n}", lambda m, v=v: pixview.as_numpy(m.host, layout=v), e)
        for n, v, e in LAYOUTS
    ),
    *(Call(f"from_pointer: {n}", lambda m, k=k: pointer(m, **k), e, c) for n, k, e, c in POINTERS),
    *OTHERS,
]
