# SPDX-License-Identifier: Apache-2.0
"""Hostile DLPack producers, in the manner of hostile.py."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from hostile import DEVICE, DTYPE, LAYOUT, READONLY, UNSUPPORTED, Boom, Memory, Row, foreign_capsule
from matrix.producers import CODES, _delete, _drop_capsule, _live, _new_capsule
from support import CPU, CUDA, NAMES, READ_ONLY, USED, VULKAN, DLTensor, Legacy, Versioned

IS_COPIED = 2


class Raw:
    """Any struct in any capsule. What a consumer took is in `live()` until its deleter was called."""

    name: bytes | None = None

    def __init__(self, a: np.ndarray[Any, Any], *, device: Any = (CPU, 0), **fields: Any) -> None:
        self.a, self.device, self.fields = a, device, fields

    def tensor(self) -> tuple[DLTensor, Any]:
        f = dict(self.fields)
        shape = f.pop("shape", self.a.shape)
        strides = f.pop("strides", tuple(s // self.a.itemsize for s in self.a.strides))
        dims = (ctypes.c_int64 * 16)(*(shape or ()))
        steps = (ctypes.c_int64 * 16)(*(strides or ()))
        pointer = ctypes.POINTER(ctypes.c_int64)
        code = CODES[self.a.dtype.kind]
        t = DLTensor(self.a.ctypes.data, *self.device, self.a.ndim, code, 8 * self.a.itemsize, 1)
        if shape is not None:
            t.shape = ctypes.cast(dims, pointer)
        if strides is not None:
            t.strides = ctypes.cast(steps, pointer)
        for name, value in f.items():
            setattr(t, name, value)
        return t, (dims, steps)

    def capsule(self, versioned: bool = True, version: Any = (1, 1), flags: int = 0) -> Any:
        tensor, kept = self.tensor()
        managed: Any
        if versioned:
            managed = Versioned(*version, deleter=_delete, flags=flags, tensor=tensor)
        else:
            managed = Legacy(tensor=tensor, deleter=_delete)
        address = ctypes.addressof(managed)
        name = self.name or NAMES[versioned]
        if name in NAMES.values():
            _live[address] = (managed, kept, self.a)
            return _new_capsule(address, name, ctypes.cast(_drop_capsule, ctypes.c_void_p))
        return _new_capsule(address, name, None)

    def __dlpack_device__(self) -> Any:
        return self.device

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.capsule()


class Legacies(Raw):
    def __dlpack__(self, **keywords: Any) -> Any:
        return self.capsule(False)


class Of(Raw):
    """A versioned struct with these keywords of capsule()."""

    def __init__(self, a: Any, **keywords: Any) -> None:
        super().__init__(a)
        self.keywords = keywords

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.capsule(**self.keywords)


class Gives:
    """__dlpack__ and __dlpack_device__ with any answer, or any exception."""

    def __init__(self, made: Any, device: Any = (CPU, 0)) -> None:
        self.made, self.device = made, device

    def __dlpack__(self, **keywords: Any) -> Any:
        if isinstance(self.made, BaseException):
            raise type(self.made)(*self.made.args)  # a new one: they collect tracebacks
        return self.made

    def __dlpack_device__(self) -> Any:
        if isinstance(self.device, BaseException):
            raise type(self.device)(*self.device.args)
        return self.device


class Once(Raw):
    """The same capsule every time: consumed from the second on."""

    def __init__(self, a: Any) -> None:
        super().__init__(a)
        self.only = self.capsule()
        import pixview

        pixview.view(self.only)

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.only


class Positional(Raw):
    """Takes no keyword, and raises when it is asked without."""

    def __dlpack__(self) -> Any:  # type: ignore[override]
        raise Boom("not without keywords either")


class TypeErrors(Raw):
    """Fails with TypeError, as if it did not know the keywords."""

    def __dlpack__(self, **keywords: Any) -> Any:
        raise TypeError("always")


class NotCallable:
    __dlpack__ = 5

    def __dlpack_device__(self) -> Any:
        return (CPU, 0)


class DeviceNotCallable:
    __dlpack_device__ = 5

    def __dlpack__(self, **keywords: Any) -> Any:
        raise AssertionError("where the memory is, is unknown")


class NoDevice:
    def __dlpack__(self, **keywords: Any) -> Any:
        raise AssertionError("where the memory is, is unknown")


class Suicidal:
    """Drops its own memory and itself while it is being asked."""

    def __init__(self, m: Memory) -> None:
        self.a: Any = m.host

    def __dlpack_device__(self) -> Any:
        self.__dict__.clear()
        return (CPU, 0)

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.a.__dlpack__()


class Moving(Raw):
    """Says it is somewhere else than its tensor is."""

    def __init__(self, a: Any, said: Any, device: Any) -> None:
        super().__init__(a, device=device)
        self.said = said

    def __dlpack_device__(self) -> Any:
        return self.said


def used(m: Memory) -> Any:
    import pixview

    capsule = Raw(m.host).capsule()
    pixview.view(capsule)
    return capsule


def named(m: Memory, name: bytes) -> Any:
    raw = Raw(m.host)
    raw.name = name
    return raw.capsule()


F4 = {"code": 2, "bits": 32}

STRUCTS: list[tuple[str, dict[str, Any], Any]] = [
    ("rank 0", {"ndim": 0}, LAYOUT),
    ("rank 1", {"ndim": 1}, LAYOUT),
    ("rank 5", {"ndim": 5}, LAYOUT),
    ("rank -1", {"ndim": -1}, LAYOUT),
    ("rank of 2 147 483 647", {"ndim": 2**31 - 1}, LAYOUT),
    ("a NULL shape", {"shape": None}, LAYOUT),
    ("a negative extent", {"shape": (4, -5, 3)}, LAYOUT),
    ("the least extent", {"shape": (-(2**63), 5, 3)}, LAYOUT),
    ("extents beyond 64 bits", {"shape": (2**62, 2**62, 4), "strides": None}, LAYOUT),
    ("extents beyond memory", {"shape": (2**31, 2**31, 3), "strides": None}, LAYOUT),
    ("strides beyond memory", {"strides": (2**62, 2**62, 1)}, LAYOUT),
    ("strides beyond 64 bits in bytes", {"strides": (2**61, 3, 1), "code": 2, "bits": 64}, LAYOUT),
    ("the least stride", {"strides": (-(2**63), 3, 1)}, LAYOUT),
    ("strides below address 0", {"strides": (-(2**60), 3, 1)}, LAYOUT),
    ("NULL data", {"data": None}, LAYOUT),
    ("an offset beyond the address space", {"byte_offset": 2**64 - 5000}, LAYOUT),
    ("4 lanes", {"lanes": 4}, DTYPE),
    ("no lane", {"lanes": 0}, DTYPE),
    ("4 bits", {"bits": 4}, DTYPE),
    ("no bits", {"bits": 0}, DTYPE),
    ("7 bits", {"bits": 7}, DTYPE),
    ("24 bits", {"bits": 24}, DTYPE),
    ("128-bit integers", {"bits": 128}, DTYPE),
    ("8-bit floats", {"code": 2, "bits": 8}, DTYPE),
    ("16-bit bools", {"code": 6, "bits": 16}, DTYPE),
    ("opaque handles", {"code": 3, "bits": 64}, DTYPE),
    ("float8", {"code": 10, "bits": 8}, DTYPE),
    ("float4", {"code": 17, "bits": 4}, DTYPE),
    ("an unknown code", {"code": 250}, DTYPE),
]


def _struct(fields: dict[str, Any], cls: Any) -> Any:
    def make(m: Memory) -> Any:
        return cls(m.host, **fields)

    return make


def _at(device: Any) -> Any:
    return lambda m: Raw(m.host, device=device)


DLPACKS: list[Row] = [
    *(Row(f"DLPack: {name}", _struct(f, Raw), error) for name, f, error in STRUCTS),
    *(
        Row(f"legacy DLPack: {name}", _struct(f, Legacies), error)
        for name, f, error in STRUCTS
        if name in ("rank -1", "a NULL shape", "NULL data", "no lane", "the least extent")
    ),
    Row("DLPack on Vulkan", _at((VULKAN, 0)), DEVICE),
    Row("DLPack on ROCm", _at((10, 0)), DEVICE),
    Row("DLPack on device type 99", _at((99, 0)), DEVICE),
    Row("DLPack on device type -1", _at((-1, 0)), DEVICE),
    Row("DLPack 0.8", lambda m: Of(m.host, version=(0, 8)), UNSUPPORTED),
    Row("DLPack 2.0", lambda m: Of(m.host, version=(2, 0)), UNSUPPORTED),
    Row("DLPack 4294967295.0", lambda m: Of(m.host, version=(2**32 - 1, 0)), UNSUPPORTED),
    Row(
        "DLPack read-only",
        lambda m: Of(m.host, flags=READ_ONLY),
        READONLY,
        None,
        {"only": ("dst",)},
    ),
    Row(
        "DLPack of a copy",
        lambda m: Of(m.host, flags=IS_COPIED),
        READONLY,
        None,
        {"only": ("dst",)},
    ),
    Row("__dlpack__ raises", lambda m: Gives(Boom("no")), UNSUPPORTED, Boom),
    Row(
        "__dlpack__ raises BufferError",
        lambda m: Gives(BufferError("no")),
        UNSUPPORTED,
        BufferError,
    ),
    Row(
        "__dlpack__ raises AttributeError",
        lambda m: Gives(AttributeError("no")),
        UNSUPPORTED,
        AttributeError,
    ),
    Row(
        "__dlpack__ raises RecursionError",
        lambda m: Gives(RecursionError("no")),
        UNSUPPORTED,
        RecursionError,
    ),
    Row(
        "__dlpack__ raises StopIteration",
        lambda m: Gives(StopIteration(5)),
        UNSUPPORTED,
        StopIteration,
    ),
    Row("__dlpack__ raises TypeError", lambda m: TypeErrors(m.host), UNSUPPORTED, TypeError),
    Row("__dlpack__ without keywords raises", lambda m: Positional(m.host), UNSUPPORTED, Boom),
    Row("__dlpack__ is no function", lambda m: NotCallable(), UNSUPPORTED, TypeError),
    Row("__dlpack__ gives None", lambda m: Gives(None), UNSUPPORTED),
    Row("__dlpack__ gives a tensor", lambda m: Gives(m.torch.zeros(3, 4, 5)), UNSUPPORTED),
    Row("__dlpack__ gives an int", lambda m: Gives(5), UNSUPPORTED),
    Row("__dlpack__ gives a foreign capsule", lambda m: Gives(foreign_capsule()), UNSUPPORTED),
    Row("__dlpack__ gives the same capsule again", lambda m: Once(m.host), UNSUPPORTED),
    Row("__dlpack_device__ raises", lambda m: Gives(None, Boom("where")), UNSUPPORTED, Boom),
    Row("__dlpack_device__ gives None", lambda m: Gives(None, None), UNSUPPORTED),
    Row("__dlpack_device__ gives one", lambda m: Gives(None, (1,)), UNSUPPORTED),
    Row("__dlpack_device__ gives three", lambda m: Gives(None, (1, 0, 0)), UNSUPPORTED),
    Row(
        "__dlpack_device__ gives strings", lambda m: Gives(None, ("1", "0")), UNSUPPORTED, TypeError
    ),
    Row("__dlpack_device__ gives floats", lambda m: Gives(None, (1.5, 0)), UNSUPPORTED, TypeError),
    Row("__dlpack_device__ beyond 32 bits", lambda m: Gives(None, (2**40, 0)), UNSUPPORTED),
    Row(
        "__dlpack_device__ beyond 64 bits",
        lambda m: Gives(None, (2**70, 0)),
        UNSUPPORTED,
        OverflowError,
    ),
    Row("__dlpack_device__ is no function", lambda m: DeviceNotCallable(), UNSUPPORTED, TypeError),
    Row("no __dlpack_device__", lambda m: NoDevice(), UNSUPPORTED, AttributeError),
    Row("drops itself while it is asked", Suicidal, UNSUPPORTED, AttributeError),
    Row("says CPU, is on the GPU", lambda m: Moving(m.gpu, (CPU, 0), (CUDA, 0)), DEVICE),
    Row("says GPU, is on the CPU", lambda m: Moving(m.host, (CUDA, 0), (CPU, 0)), DEVICE),
    Row("a consumed capsule", used, UNSUPPORTED),
    Row("a consumed legacy capsule", lambda m: named(m, USED[False]), UNSUPPORTED),
    Row("a capsule of another name", lambda m: named(m, b"tensor"), UNSUPPORTED),
    Row("a capsule with a wild name", lambda m: named(m, b"\xff\xfe"), UNSUPPORTED),
    Row("a capsule of nobody's", lambda m: foreign_capsule(), UNSUPPORTED),
]
