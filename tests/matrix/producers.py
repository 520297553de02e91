# SPDX-License-Identifier: Apache-2.0
"""Every object that can show a Source, made without pixview where that is possible at all.

A producer gets a world (where the memory is), a Source and an owner: something that lives exactly
as long as the object and every view of it. It answers None for what it cannot express.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
import pixview
from support import (
    CPU,
    CUDA,
    DEPTHS,
    DEPTHS_5,
    NAMES,
    READ_ONLY,
    Deleter,
    DLTensor,
    Interface,
    Legacy,
    Versioned,
)

from .rules import fits_gpumat, fits_torch
from .sources import Source, storage

CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}
BFLOAT = 4

_new_capsule = ctypes.pythonapi.PyCapsule_New
_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_IsValid", ctypes.pythonapi)
)
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_live: dict[int, tuple[Any, ...]] = {}  # structs whose deleter was not called yet


@Deleter
def _delete(pointer: int) -> None:
    del _live[pointer]


@ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
def _drop_capsule(capsule: int) -> None:
    for name in NAMES.values():
        if _valid(capsule, name):  # nobody took it
            del _live[_pointer(capsule, name)]


def _tensor(address: int, s: Source, device: tuple[int, int]) -> tuple[DLTensor, Any]:
    dims = (ctypes.c_int64 * (2 * len(s.shape)))(*s.shape, *(t // s.itemsize for t in s.strides))
    pointer = ctypes.POINTER(ctypes.c_int64)
    tensor = DLTensor(
        data=None if s.empty else address,
        device_type=device[0],
        device_id=device[1],
        ndim=len(s.shape),
        code=BFLOAT if s.dtype == "bfloat16" else CODES[storage(s.dtype).kind],
        bits=8 * s.itemsize,
        lanes=1,
    )
    start = ctypes.addressof(dims)
    tensor.shape = ctypes.cast(start, pointer)
    tensor.strides = ctypes.cast(start + 8 * len(s.shape), pointer)
    return tensor, dims


class Exporter:
    """Shows a Source by DLPack; its owner lives until the last deleter was called."""

    def __init__(self, address: int, s: Source, device: tuple[int, int], owner: Any) -> None:
        self.address, self.s, self.device, self.owner = address, s, device, owner

    def capsule(self, versioned: bool) -> Any:
        tensor, dims = _tensor(self.address, self.s, self.device)
        managed: Any
        if versioned:
            flags = READ_ONLY if self.s.readonly else 0
            managed = Versioned(1, 1, deleter=_delete, flags=flags, tensor=tensor)
        else:
            managed = Legacy(tensor=tensor, deleter=_delete)
        _live[ctypes.addressof(managed)] = (managed, dims, self.owner)
        return _new_capsule(
            ctypes.addressof(managed), NAMES[versioned], ctypes.cast(_drop_capsule, ctypes.c_void_p)
        )

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, **rest: Any) -> Any:
        return self.capsule(bool(max_version))


class OldExporter(Exporter):
    """From before DLPack 1.0."""

    def __dlpack__(self, stream: Any = None) -> Any:  # type: ignore[override]
        return self.capsule(False)


Make = Callable[[Any, Source, Any], Any]


def versioned(world: Any, s: Source, owner: Any) -> Any:
    if s.whole_elements():
        return Exporter(world.put(s), s, (CPU, 0) if world.host else (CUDA, 0), owner)
    return None


def legacy(world: Any, s: Source, owner: Any) -> Any:
    if s.whole_elements() and not s.readonly:
        return OldExporter(world.put(s), s, (CPU, 0) if world.host else (CUDA, 0), owner)
    return None


def _interface(world: Any, s: Source, owner: Any, **entries: Any) -> Any:
    if s.dtype == "bfloat16":  # has no typestr
        return None
    name = "__array_interface__" if world.host else "__cuda_array_interface__"
    value = {
        "shape": s.shape,
        "typestr": np.dtype(s.dtype).str,
        "data": (0 if s.empty else world.put(s), s.readonly),
        "strides": s.strides,
    }
    return Interface(name, value | entries, owner)


def interface_2(world: Any, s: Source, owner: Any) -> Any:
    return _interface(world, s, owner, version=2)


def interface_3(world: Any, s: Source, owner: Any) -> Any:
    return _interface(world, s, owner, version=3, **({} if world.host else {"stream": 1}))


def pointer(world: Any, s: Source, owner: Any) -> Any:
    return pixview.from_pointer(
        0 if s.empty else world.put(s),
        s.shape,
        s.dtype,
        strides=s.strides,
        layout=s.layout,
        device="cpu" if world.host else 0,
        owner=owner,
        readonly=s.readonly,
    )


def image(world: Any, s: Source, owner: Any) -> Any:
    """An Image that is itself a view of another exporter."""
    exporter = versioned(world, s, owner)
    return exporter and pixview.view(exporter, src_layout=s.layout)


def numpy(world: Any, s: Source, owner: Any) -> Any:
    """A plain array whose base holds the owner."""
    if s.dtype == "bfloat16" and not world.ml_dtypes:
        return None
    value = {
        "shape": s.shape,
        "typestr": storage(s.dtype).str,
        "data": (world.put(s), s.readonly),
        "strides": s.strides,
        "version": 3,
    }
    a = np.asarray(Interface("__array_interface__", value, owner))
    return a.view("bfloat16") if s.dtype == "bfloat16" else a


def buffer(world: Any, s: Source, owner: Any) -> Any:
    return None if s.dtype == "bfloat16" else memoryview(numpy(world, s, owner))


def torch(world: Any, s: Source, owner: Any) -> Any:
    if s.readonly or not fits_torch(s) or not s.whole_elements() or min(s.strides) < 0:
        return None
    return world.tensor(s, owner)


def cupy(world: Any, s: Source, owner: Any) -> Any:
    if s.readonly or (s.dtype == "bfloat16" and not world.ml_dtypes):
        return None
    return world.cupy_array(s, owner)


def _type_of(world: Any, s: Source) -> int | None:
    """OpenCV's type code, if a GpuMat can show s and shows itself in the layout of s."""
    depths = DEPTHS | (DEPTHS_5 if world.opencv >= 5 else {})
    c = s.extent("C")
    if s.layout not in ("HW", "HWC") or s.dtype not in depths or s.readonly or s.empty:
        return None
    if not fits_gpumat(s) or (s.layout == "HWC" and c == 1):
        return None
    return world.cv2.CV_MAKETYPE(depths[s.dtype], c)


def gpumat(world: Any, s: Source, owner: Any) -> Any:
    """A header over memory that something else owns."""
    code = _type_of(world, s)
    if code is None or s.stride("H") < 0:
        return None
    make = world.cv2.cuda.createGpuMatFromCudaMemory
    return make(s.extent("H"), s.extent("W"), code, world.put(s), s.stride("H"))


def gpumat_of_opencv(world: Any, s: Source, owner: Any) -> Any:
    """With memory and a count of OpenCV's own: whole or a region, rows as OpenCV pitches them."""
    code = _type_of(world, s) if s.name in ("packed", "ROI") else None
    return None if code is None else world.own_gpumat(s, code)


HOST: dict[str, Make] = {
    "torch": torch,
    "numpy": numpy,
    "image": image,
    "pointer": pointer,
    "DLPack": versioned,
    "old DLPack": legacy,
    "interface 2": interface_2,
    "interface 3": interface_3,
    "buffer": buffer,
}
DEVICE: dict[str, Make] = {
    "torch": torch,
    "cupy": cupy,
    "gpumat": gpumat,
    "OpenCV's own gpumat": gpumat_of_opencv,
    "image": image,
    "pointer": pointer,
    "DLPack": versioned,
    "old DLPack": legacy,
    "interface 2": interface_2,
    "interface 3": interface_3,
}
# The framework that a producer belongs to: the object itself comes back where nothing changes.
KINDS = {
    "torch": "torch",
    "cupy": "cupy",
    "numpy": "numpy",
    "gpumat": "gpumat",
    "OpenCV's own gpumat": "gpumat",
    "image": "image",
    "pointer": "image",
}
