# SPDX-License-Identifier: Apache-2.0
"""The DLPack C exchange table (DLPack 1.3) by ctypes: calls one, and makes types that have one."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from support import _api, _forever

NAME = "__dlpack_c_exchange_api__"
CAPSULE = b"dlpack_exchange_api"

# PYFUNCTYPE keeps the GIL, and raises what the function left set. A set_error gets no Python object.
SetError = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p)
Allocator = ctypes.PYFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p
)
FromPy = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
CurrentStream = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_int32, ctypes.c_int32, ctypes.c_void_p)


class Table(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("prev_api", ctypes.c_void_p),
        ("allocator", ctypes.c_void_p),
        ("from_py", ctypes.c_void_p),
        ("to_py", ctypes.c_void_p),
        ("dltensor_from_py", ctypes.c_void_p),
        ("current_work_stream", ctypes.c_void_p),
    ]


def table_of(kind: type) -> Table:
    """The table of a type, by its capsule."""
    pointer = _api.PyCapsule_GetPointer(getattr(kind, NAME), CAPSULE)
    return Table.from_address(pointer)


def function(prototype: Any, address: int) -> Any:
    return prototype(address)


class Raised(Exception):
    """What a hand-made table sets."""


def _address(function: Any) -> int:
    made = ctypes.cast(function, ctypes.c_void_p).value
    assert made
    return made


# A callback of ctypes cannot leave an error set, so functions of CPython stand in.
FAILING = {
    "raising": _address(_api.PyObject_Size),  # -1 and what __len__ raises
    "loudly": _address(_api.PyErr_BadArgument),  # 0, no struct, and a TypeError
}


class Producer:
    """Base of types made by `producer`; counts what their table was asked."""

    table: Table
    asked: list[str]

    def __init__(self, source: Any) -> None:
        self.source = source  # a support.Dlpack

    def __len__(self) -> int:
        raise Raised("on purpose")


def producer(
    *,
    stream: int | None = 0,
    version: tuple[int, int] = (1, 3),
    fails: str = "",
    changes: dict[str, Any] | None = None,
    bases: tuple[type, ...] = (Producer,),
    members: dict[str, Any] | None = None,
) -> type:
    """A type whose exchange table shows the support.Dlpack that each object holds.

    fails: "silently" or "raising": from_py returns -1; "lying": 0 and NULL; "loudly": the same with an
    error set. stream: what current_work_stream answers; None: that is NULL.
    """
    asked: list[str] = []

    def from_py(x: int, out: int) -> int:
        asked.append("from_py")
        if fails == "silently":
            return -1
        if fails != "lying":
            made = ctypes.cast(x, ctypes.py_object).value.source.capsule()
            address = _api.PyCapsule_GetPointer(made, b"dltensor_versioned")
            _api.PyCapsule_SetName(made, b"used_dltensor_versioned")  # the consumer's now
            ctypes.c_void_p.from_address(out).value = address
        return 0

    def current(device_type: int, device_id: int, out: int) -> int:
        asked.append(f"stream {device_type}:{device_id}")
        ctypes.c_void_p.from_address(out).value = stream
        return 0

    functions = [FromPy(from_py), CurrentStream(current)]
    table = Table(*version)
    table.from_py = FAILING.get(fails) or _address(functions[0])
    if stream is not None:
        table.current_work_stream = _address(functions[1])
    for name, value in (changes or {}).items():
        setattr(table, name, value)
    _forever.extend([table, functions])
    capsule = _api.PyCapsule_New(ctypes.addressof(table), CAPSULE, None)
    return type(
        "Exchanged",
        bases,
        {NAME: capsule, "table": table, "asked": asked} | (members or {}),
    )


def link(newer: Table, older: Table) -> None:
    newer.prev_api = ctypes.addressof(older)


ErrorLog = list[tuple[str, str]]


def error_log() -> tuple[ErrorLog, Callable[..., Any]]:
    log: ErrorLog = []
    return log, SetError(lambda context, kind, text: log.append((kind.decode(), text.decode())))
