"""Hostile objects against every entry point: a typed error that says something, and nothing else."""

from __future__ import annotations

import ctypes
import decimal
import io
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pixview
import pytest
from support import Dlpack, Interface, array_interface, drain, eventually, image, interface_of

# Errors that are allowed: ours, or Python's own for a wrong argument.
TYPED = (pixview.Error, TypeError, ValueError)

CALLS: dict[str, Callable[[Any], Any]] = {
    "as_torch": pixview.as_torch,
    "as_torch copy": lambda x: pixview.as_torch(x, copy=True),
    "as_torch chw": lambda x: pixview.as_torch(x, src_layout="CHW", layout="NCHW"),
    "as_numpy": pixview.as_numpy,
    "as_numpy copy": lambda x: pixview.as_numpy(x, copy=True, layout="NHWC"),
    "view": pixview.view,
    "view copy": lambda x: pixview.view(x, copy=True),
    "plan": lambda x: pixview.plan(x, "torch", contiguous=True),
    "dst": lambda x: pixview.copy_into(x, image(4, 5, 3)),
    "src": lambda x: pixview.copy_into(np.zeros((4, 5, 3), np.uint8), x),
    "as_cupy": pixview.as_cupy,
    "as_gpumat": pixview.as_gpumat,
}


class Loud:
    """Every attribute raises."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(f"do not touch {name}")


class Yes:
    """Has every attribute, and each is itself."""

    def __getattr__(self, name: str) -> Any:
        return self

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self


class Mutating:
    """Another answer every time."""

    def __init__(self) -> None:
        self.n = 0

    @property
    def __array_interface__(self) -> Any:
        self.n += 1
        return interface_of(image(4, 5), shape=(4,) * (self.n % 7), strides=None)


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


class Suicidal:
    """Drops its own memory and itself while it is being asked."""

    def __init__(self) -> None:
        self.a: Any = image(4, 5)

    def __dlpack_device__(self) -> Any:
        self.__dict__.clear()
        return (1, 0)

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.a.__dlpack__()


class BadRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __array_interface__ = property(
        lambda self: {"shape": self, "typestr": self, "data": self, "version": 3}
    )


class FakeTensor:
    """Looks like a tensor of torch to whoever asks for names only."""

    shape, dtype, device, is_cuda = (3, 4, 5), "float32", "cuda:0", True

    def data_ptr(self) -> int:
        return 0xDEAD000

    def stride(self) -> tuple[int, ...]:
        return (20, 5, 1)


class FakeGpuMat:
    step = 64

    def cudaPtr(self) -> int:  # noqa: N802
        return 0xDEAD000

    def size(self) -> tuple[int, int]:
        return (5, 4)

    def type(self) -> int:
        return 16


class BadTable:
    """Claims an exchange table that is none."""

    __dlpack_c_exchange_api__ = 0xDEAD000


class EmptyTable:
    __dlpack_c_exchange_api__ = None


def structured() -> Any:
    return np.zeros((4, 5), [("r", "u1"), ("g", "<f4")])


def frozen() -> Any:
    a = image(4, 5, 3)
    a.flags.writeable = False
    return a


HOSTILE: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "NotImplemented": lambda: NotImplemented,
    "Ellipsis": lambda: ...,
    "bool": lambda: True,
    "int": lambda: 12345,
    "huge int": lambda: 2**200,
    "float": lambda: float("nan"),
    "complex": lambda: 1j,
    "Decimal": lambda: decimal.Decimal(1),
    "str": lambda: "image.png",
    "empty str": lambda: "",
    "surrogate": lambda: "\udc80",
    "bytes": lambda: b"\x89PNG",
    "empty bytes": lambda: b"",
    "list": lambda: [[1, 2], [3, 4]],
    "nested list": lambda: [[[1]]],
    "tuple": lambda: (1, 2),
    "dict": lambda: {"shape": (4, 5)},
    "set": lambda: {1},
    "range": lambda: range(5),
    "generator": lambda: (i for i in range(3)),
    "slice": lambda: slice(None),
    "object": object,
    "type": lambda: np.ndarray,
    "tensor type": lambda: __import__("torch").Tensor,
    "Image type": lambda: pixview.Image,
    "function": lambda: image,
    "module": lambda: np,
    "dtype": lambda: np.dtype("uint8"),
    "NumPy scalar": lambda: np.float32(1),
    "NumPy 0-d": lambda: np.array(5),
    "NumPy 1-d": lambda: np.zeros(5),
    "NumPy 5-d": lambda: np.zeros((1, 1, 4, 5, 3)),
    "NumPy 40-d": lambda: np.zeros((1,) * 32),
    "NumPy object": lambda: np.array([[object()] * 3] * 3),
    "NumPy str": lambda: np.array([["a", "b"], ["c", "d"]]),
    "NumPy structured": structured,
    "NumPy big-endian": lambda: np.zeros((4, 5), ">i4"),
    "NumPy datetime": lambda: np.zeros((4, 5), "M8[us]"),
    "torch 0-d": lambda: __import__("torch").tensor(5),
    "torch 5-d": lambda: __import__("torch").zeros(1, 1, 3, 4, 5),
    "torch sparse": lambda: __import__("torch").eye(4).to_sparse(),
    "torch csr": lambda: __import__("torch").eye(4).to_sparse_csr(),
    "torch meta": lambda: __import__("torch").empty(3, 4, 5, device="meta"),
    "torch conj": lambda: (
        __import__("torch").zeros(3, 4, 5, dtype=__import__("torch").complex64).conj()
    ),
    "torch quantized": lambda: __import__("torch").quantize_per_tensor(
        __import__("torch").rand(3, 4, 5), 0.1, 1, __import__("torch").qint8
    ),
    "torch nested": lambda: __import__("torch").nested.nested_tensor(
        [__import__("torch").rand(3, 4)]
    ),
    "torch storage": lambda: __import__("torch").rand(20).untyped_storage(),
    "torch dtype": lambda: __import__("torch").uint8,
    "memoryview 1-d": lambda: memoryview(b"abc"),
    "BytesIO": lambda: io.BytesIO(b"abc"),
    "ctypes int": lambda: ctypes.c_int(5),
    "ctypes pointer": lambda: ctypes.pointer(ctypes.c_int(5)),
    "loud": Loud,
    "yes": Yes,
    "mutating": Mutating,
    "suicidal": Suicidal,
    "bad repr": BadRepr,
    "fake tensor": FakeTensor,
    "fake GpuMat": FakeGpuMat,
    "bad table": BadTable,
    "empty table": EmptyTable,
    "interface None": lambda: Interface("__array_interface__", None),
    "interface of None": lambda: Interface(
        "__array_interface__", dict.fromkeys(("shape", "typestr", "data", "strides", "version"))
    ),
    "interface itself": lambda: array_interface(
        image(4, 5), shape=(4, 5), data=array_interface(image(2, 2))
    ),
    "DLPack of rank 5": lambda: Dlpack(image(4, 5, 3), ndim=5),
    "DLPack of nothing": lambda: Dlpack(image(4, 5, 3), data=None),
    "DLPack of Vulkan": lambda: Dlpack(image(4, 5, 3), device=(7, 0)),
    "DLPack 9.0": lambda: Dlpack(image(4, 5, 3), version=(9, 0)),
    "used capsule": lambda: _used(),
}


def _used() -> Any:
    p = Dlpack(image(4, 5))
    capsule = p.capsule()
    pixview.view(capsule)
    return capsule


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_objects(
    torch: Any, name: str, hostile: str, request: pytest.FixtureRequest
) -> None:
    if name == "as_cupy":
        pytest.importorskip("cupy")
    if name == "as_gpumat":
        pytest.importorskip("cv2")
    x = HOSTILE[hostile]()
    # An object that cannot even be named in a message raises its own error.
    typed = (*TYPED, RuntimeError) if hostile == "bad repr" else TYPED
    count = sys.getrefcount(x)
    with pytest.raises(typed) as raised:
        CALLS[name](x)
    assert str(raised.value).strip()
    assert len(str(raised.value)) < 2000
    del raised
    drain()
    if count < 10_000:  # shared objects are counted by everybody
        assert eventually(lambda: sys.getrefcount(x) <= count, 1.0)
        assert sys.getrefcount(x) == count
    if type(x) is Dlpack:
        assert x.settled()


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
            BadRepr(),
        ):
            with pytest.raises((*TYPED, RuntimeError, ImportError)) as raised:
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
