# SPDX-License-Identifier: Apache-2.0
"""Hostile objects: one row each, with the error that every entry point must answer with.

A factory gets the memory that a test lends (Memory) and makes the object. `error` is what each entry
point raises, `at` what single ones raise instead, `cause` the exporter's own exception, which must be
the __cause__.
"""

from __future__ import annotations

import ctypes
import decimal
import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pixview
from support import image, interface_of

LAYOUT, DTYPE = pixview.LayoutError, pixview.DtypeError
DEVICE, UNSUPPORTED = pixview.DeviceError, pixview.UnsupportedError
READONLY = pixview.ReadOnlyError


class Memory:
    """What a test lends to the objects of one row."""

    def __init__(self, torch: Any, cupy: Any, fake: Any) -> None:
        self.torch, self.cupy = torch, cupy
        self.host = image(4, 5, 3)
        self.gpu = image(4, 5, 3)
        fake.register(self.gpu)


@dataclass
class Row:
    name: str
    make: Callable[[Memory], Any]
    error: Any
    cause: type[BaseException] | None = None
    at: dict[str, Any] = field(default_factory=dict)


class Boom(Exception):
    """An exporter's own exception."""


# ---- objects that are no image ----


class Loud:
    """Every attribute raises."""

    def __getattribute__(self, name: str) -> Any:
        raise Boom(f"do not touch {name}")


class Silent:
    """Denies having any attribute, its class included."""

    def __getattribute__(self, name: str) -> Any:
        raise AttributeError(name)


class Yes:
    """Has every attribute, and each is itself."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self


class LoudMeta(type):
    def __getattribute__(cls, name: str) -> Any:
        raise Boom(f"the type has no {name}")


class OfLoudType(metaclass=LoudMeta):
    pass


class YesMeta(type):
    """A type that shows every protocol of its instances."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__dlpack") or name.startswith("__cuda"):
            return 5
        raise AttributeError(name)


class OfYesType(metaclass=YesMeta):
    pass


class LiesAboutItsClass:
    def __init__(self, cls: Any) -> None:
        self.cls = cls

    @property
    def __class__(self) -> Any:
        return self.cls


class RaisesAtItsClass:
    @property
    def __class__(self) -> Any:
        raise Boom("no class")


class Named:
    """Looks like a framework's object to whoever asks for names only."""

    shape, dtype, device, is_cuda, step = (3, 4, 5), "float32", "cuda:0", True, 64

    def data_ptr(self) -> int:
        return 0xDEAD000

    cudaPtr = data_ptr  # noqa: N815

    def stride(self) -> tuple[int, ...]:
        return (20, 5, 1)

    def size(self) -> tuple[int, int]:
        return (5, 4)

    def type(self) -> int:
        return 16


class Table:
    """Claims a DLPack exchange table."""

    def __init__(self, table: Any) -> None:
        type(self).__dlpack_c_exchange_api__ = table


def table(value: Any) -> Any:
    return type("Tabled", (), {"__dlpack_c_exchange_api__": value})()


class LoudTable:
    @property
    def __dlpack_c_exchange_api__(self) -> Any:
        raise Boom("no table")


class BadRepr:
    def __repr__(self) -> str:
        raise Boom("no repr")


class LongRepr:
    def __repr__(self) -> str:
        return "x" * 1_000_000


OBJECTS: list[Row] = [
    Row("None", lambda m: None, UNSUPPORTED),
    Row("Ellipsis", lambda m: ..., UNSUPPORTED),
    Row("an int", lambda m: 12345678, UNSUPPORTED),
    Row("a huge int", lambda m: 2**200, UNSUPPORTED),
    Row("NaN", lambda m: float("nan"), UNSUPPORTED),
    Row("a Decimal", lambda m: decimal.Decimal(1), UNSUPPORTED),
    Row("a path", lambda m: "image.png", UNSUPPORTED),
    Row("a lone surrogate", lambda m: "\udc80", UNSUPPORTED),
    Row("bytes", lambda m: b"\x89PNG", LAYOUT),
    Row("no bytes", lambda m: b"", LAYOUT),
    Row("nested lists", lambda m: [[1, 2], [3, 4]], UNSUPPORTED),
    Row("a dict", lambda m: {"shape": (4, 5)}, UNSUPPORTED),
    Row("an interface's dict", lambda m: interface_of(m.host), UNSUPPORTED),
    Row(
        "a generator",
        lambda m: (i for i in range(3)),
        UNSUPPORTED,
        None,
        {"stack whole": (UNSUPPORTED, LAYOUT)},  # empty from the second call on
    ),
    Row("an object", lambda m: object(), UNSUPPORTED),
    Row("a function", lambda m: lambda: None, UNSUPPORTED),
    Row("a module", lambda m: np, UNSUPPORTED),
    Row("the type ndarray", lambda m: np.ndarray, UNSUPPORTED),
    Row("the type Tensor", lambda m: m.torch.Tensor, UNSUPPORTED),
    Row("the type Image", lambda m: pixview.Image, UNSUPPORTED),
    Row("a lock", lambda m: threading.Lock(), UNSUPPORTED),
    Row("an open file", lambda m: io.BytesIO(b"abc"), UNSUPPORTED, None, {"stack whole": LAYOUT}),
    Row("a ctypes int", lambda m: ctypes.c_int(5), LAYOUT),
    Row("a ctypes pointer", lambda m: ctypes.pointer(ctypes.c_int(5)), (LAYOUT, DTYPE)),
    Row("a ctypes struct", lambda m: ctypes.py_object(5), (LAYOUT, DTYPE)),
    Row("a dtype", lambda m: np.dtype("uint8"), UNSUPPORTED),
    Row("a torch dtype", lambda m: m.torch.uint8, UNSUPPORTED),
    Row("a storage", lambda m: m.torch.rand(20).untyped_storage(), UNSUPPORTED),
    Row("every attribute raises", lambda m: Loud(), UNSUPPORTED, Boom),
    Row("no attribute at all", lambda m: Silent(), UNSUPPORTED),
    Row("every attribute is itself", lambda m: Yes(), UNSUPPORTED),
    Row("a metaclass that raises", lambda m: OfLoudType(), UNSUPPORTED),
    Row("a metaclass with every attribute", lambda m: OfYesType(), UNSUPPORTED),
    Row("says its class is Tensor", lambda m: LiesAboutItsClass(m.torch.Tensor), UNSUPPORTED),
    Row("says its class is ndarray", lambda m: LiesAboutItsClass(np.ndarray), UNSUPPORTED),
    Row("says its class is Image", lambda m: LiesAboutItsClass(pixview.Image), UNSUPPORTED),
    Row("says its class is type", lambda m: LiesAboutItsClass(type), UNSUPPORTED),
    Row("raises at its class", lambda m: RaisesAtItsClass(), UNSUPPORTED),
    Row("the names of a tensor and a GpuMat", lambda m: Named(), UNSUPPORTED),
    Row("a table that is an int", lambda m: table(0xDEAD000), UNSUPPORTED),
    Row("a table that is None", lambda m: table(None), UNSUPPORTED),
    Row("a table in a foreign capsule", lambda m: table(foreign_capsule()), UNSUPPORTED),
    Row("a table that raises", lambda m: LoudTable(), UNSUPPORTED),
    Row("a repr that raises", lambda m: BadRepr(), UNSUPPORTED),
    Row("a type with a very long name", lambda m: type("x" * 100_000, (), {})(), UNSUPPORTED),
]


def foreign_capsule() -> Any:
    import datetime

    return datetime.datetime_CAPI


# ---- NumPy, torch, buffers ----


def readonly(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    a.flags.writeable = False
    return a


class LoudArray(np.ndarray):
    """A subclass whose every protocol raises."""

    @property
    def __array_interface__(self) -> Any:
        raise Boom("no interface")

    @property
    def filled(self) -> Any:
        raise Boom("masked or not?")


def misaligned() -> np.ndarray[Any, Any]:
    return np.zeros(4 * 5 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(4, 5)


def strided(a: np.ndarray[Any, Any], shape: Any, strides: Any) -> np.ndarray[Any, Any]:
    return np.lib.stride_tricks.as_strided(a, shape, strides)


def loud_tensor(torch: Any, *names: str) -> Any:
    """A subclass of Tensor whose methods `names` raise."""

    def boom(self: Any, *args: Any) -> Any:
        raise Boom("not this one")

    attributes: dict[str, Any] = {
        name: property(boom) if name == "requires_grad" else boom for name in names
    }
    cls = type("LoudTensor", (torch.Tensor,), attributes)
    return torch.zeros(3, 4, 5).as_subclass(cls)


def loud_storage(m: Memory) -> Any:
    """A tensor on a GPU; nothing but used_on asks for its storage."""
    v = pixview.from_pointer(m.gpu.ctypes.data, (4, 5, 3), "uint8", device=0, owner=m.gpu)
    return pixview.as_torch(v).as_subclass(type(loud_tensor(m.torch, "untyped_storage")))


def loud_function(torch: Any) -> Any:
    def function(cls: Any, *args: Any, **keywords: Any) -> Any:
        raise Boom("no torch function")

    cls = type("LoudFunction", (torch.Tensor,), {"__torch_function__": classmethod(function)})
    return torch.zeros(3, 4, 5).as_subclass(cls)


def fake_tensor(torch: Any) -> Any:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        return torch.zeros(3, 4, 5)


def quantized(torch: Any) -> Any:
    return torch.quantize_per_tensor(torch.rand(3, 4, 5), 0.1, 1, torch.qint8)


def nested(torch: Any) -> Any:
    return torch.nested.nested_tensor([torch.rand(3, 4), torch.rand(3, 4)])


def conj(torch: Any) -> Any:
    return torch.zeros(3, 4, 5, dtype=torch.complex64).conj()


def emptied(torch: Any) -> Any:
    t = torch.zeros(3, 4, 5)
    t.untyped_storage().resize_(0)
    return t


def loud_cupy(m: Memory, *names: str) -> Any:
    """A subclass of cupy.ndarray whose attributes `names` raise."""

    def boom(self: Any) -> Any:
        raise Boom("not this one")

    cls = type("LoudCupy", (m.cupy.ndarray,), {name: property(boom) for name in names})
    memory = m.cupy.cuda.UnownedMemory(m.gpu.ctypes.data, m.gpu.nbytes, m.gpu, 0)
    return cls((4, 5, 3), "u1", m.cupy.cuda.MemoryPointer(memory, 0))


class FailingBuffer:
    """The buffer protocol in Python, from 3.12 on; before it, an object without any."""

    def __buffer__(self, flags: int) -> memoryview:
        raise Boom("no buffer")


class BytesBuffer:
    def __buffer__(self, flags: int) -> Any:
        return b"not a memoryview"


def released() -> Any:
    view = memoryview(bytearray(20)).cast("B", (4, 5))
    view.release()
    return view


BUFFER = UNSUPPORTED  # both where the interpreter asks __buffer__ and where it does not

ARRAYS: list[Row] = [
    Row("NumPy of rank 0", lambda m: np.array(5), LAYOUT),
    Row("NumPy of rank 1", lambda m: np.zeros(5), LAYOUT),
    Row("NumPy of rank 5", lambda m: np.zeros((1, 1, 4, 5, 3)), LAYOUT),
    Row("NumPy of rank 32", lambda m: np.zeros((1,) * 32), LAYOUT),
    Row("a NumPy scalar", lambda m: np.float32(1), LAYOUT),
    Row("NumPy of objects", lambda m: np.array([[object()] * 3] * 3), DTYPE),
    Row("NumPy of strings", lambda m: np.array([["a", "b"]]), DTYPE),
    Row("NumPy of records", lambda m: np.zeros((4, 5), [("r", "u1"), ("g", "<f4")]), DTYPE),
    Row("NumPy big-endian", lambda m: np.zeros((4, 5), ">i4"), DTYPE),
    Row("NumPy of dates", lambda m: np.zeros((4, 5), "M8[us]"), DTYPE),
    Row("NumPy long double", lambda m: np.zeros((4, 5), np.longdouble), DTYPE),
    Row("NumPy of raw bytes", lambda m: np.zeros((4, 5), "V3"), DTYPE),
    Row("NumPy misaligned", lambda m: misaligned(), LAYOUT, None, {"only": ("dst",)}),
    Row(
        "NumPy with rows of half elements",
        lambda m: strided(np.zeros(60, np.float32), (4, 5), (22, 4)),
        LAYOUT,
        None,
        {"only": ("dst",)},
    ),
    Row("NumPy masked", lambda m: np.ma.masked_array(m.host, m.host > 9), UNSUPPORTED),
    Row(
        "NumPy subclass that raises",
        lambda m: np.zeros((4, 5), "M8[us]").view(LoudArray),
        UNSUPPORTED,
        Boom,
    ),
    Row("NumPy planes read as H,W,C", lambda m: np.zeros((3, 40, 50)), LAYOUT),
    Row("NumPy read-only", lambda m: readonly(m.host.copy()), READONLY, None, {"only": ("dst",)}),
    Row("torch of rank 0", lambda m: m.torch.tensor(5), LAYOUT),
    Row("torch of rank 5", lambda m: m.torch.zeros(1, 1, 3, 4, 5), LAYOUT),
    Row("torch of rank 64", lambda m: m.torch.zeros((1,) * 64), LAYOUT),
    Row("torch sparse", lambda m: m.torch.eye(4).to_sparse(), UNSUPPORTED, RuntimeError),
    Row("torch sparse rows", lambda m: m.torch.eye(4).to_sparse_csr(), UNSUPPORTED, RuntimeError),
    Row("torch meta", lambda m: m.torch.empty(3, 4, 5, device="meta"), pixview.Error),
    Row("torch conj", lambda m: conj(m.torch), LAYOUT),
    Row("torch neg", lambda m: conj(m.torch).imag, LAYOUT),
    Row("torch quantized", lambda m: quantized(m.torch), pixview.Error),
    Row("torch nested", lambda m: nested(m.torch), pixview.Error),
    Row("torch fake", lambda m: fake_tensor(m.torch), pixview.Error),
    Row("torch float8", lambda m: m.torch.zeros(3, 4, 5).to(m.torch.float8_e4m3fn), DTYPE),
    Row("torch without its storage", lambda m: emptied(m.torch), pixview.UnsupportedError),
    Row("torch H,W,C read as C,H,W", lambda m: m.torch.zeros(40, 50, 3), LAYOUT),
    Row(
        "torch broadcast as destination",
        lambda m: m.torch.zeros(3, 1, 1, dtype=m.torch.uint8).expand(3, 4, 5),
        LAYOUT,
        None,
        {"only": ("dst",)},
    ),
    Row(
        "torch that requires grad",
        lambda m: m.torch.zeros(3, 4, 5, requires_grad=True),
        READONLY,
        None,
        {"only": ("dst",)},
    ),
    Row("torch whose is_neg raises", lambda m: loud_tensor(m.torch, "is_neg"), UNSUPPORTED, Boom),
    Row(
        "torch whose requires_grad raises",
        lambda m: loud_tensor(m.torch, "requires_grad"),
        UNSUPPORTED,
        Boom,
        {"only": ("dst",)},
    ),
    Row("torch whose functions raise", lambda m: loud_function(m.torch), UNSUPPORTED, Boom),
    Row(
        "torch whose storage raises",
        loud_storage,
        UNSUPPORTED,
        Boom,
        {"only": ("used_on",)},
    ),
    Row("CuPy whose data raises", lambda m: loud_cupy(m, "data"), UNSUPPORTED, Boom),
    Row("CuPy whose dtype raises", lambda m: loud_cupy(m, "dtype"), UNSUPPORTED, Boom),
    Row("a memoryview of rank 1", lambda m: memoryview(b"abc"), LAYOUT),
    Row("a memoryview that was released", lambda m: released(), UNSUPPORTED, ValueError),
    Row("a buffer that raises", lambda m: FailingBuffer(), BUFFER),
    Row("a buffer of bytes", lambda m: BytesBuffer(), BUFFER),
]
