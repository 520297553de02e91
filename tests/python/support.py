# SPDX-License-Identifier: Apache-2.0
"""What the Python tests share: hand-made producers, fake device memory, headers read by ctypes, counts."""

from __future__ import annotations

import atexit
import ctypes
import functools
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pixview
import pytest

KINDS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
DTYPES = (*KINDS, "float16", "float32", "float64", "bool", "complex64", "complex128")
LAYOUTS = ("HW", "CHW", "HWC", "NCHW", "NHWC")


def image(*shape: int, dtype: Any = "uint8") -> np.ndarray[Any, Any]:
    """An array in which neighbours differ, so that a wrong stride shows."""
    n = int(np.prod(shape))
    values = (np.arange(n) * 7 + 3) % 251
    if np.dtype(dtype) == bool:
        values = values % 3 == 0
    return values.astype(dtype).reshape(shape)


def address(x: Any) -> int:
    """Where the first element is."""
    if hasattr(x, "data_ptr"):
        return x.data_ptr()
    if isinstance(x, np.ndarray):
        return x.ctypes.data
    if isinstance(x, pixview.Image):
        name = "__array_interface__" if x.device[0] == "cpu" else "__cuda_array_interface__"
        return getattr(x, name)["data"][0]
    if hasattr(x, "cudaPtr"):
        return x.cudaPtr()
    return x.data.ptr


def byte_strides(x: Any) -> tuple[int, ...]:
    if hasattr(x, "data_ptr"):
        return tuple(s * x.element_size() for s in x.stride())
    return tuple(x.strides)


def run_python(source: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in a fresh interpreter, with the same path and driver."""
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", source],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | env,
        cwd=os.path.dirname(__file__),  # so that a script can import this module
    )


@functools.cache
def forks() -> subprocess.Popen[str]:
    server = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "forks.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=os.path.dirname(__file__),
    )
    atexit.register(server.communicate)  # its input ends, and so does it
    return server


def fork_python(source: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The same for scripts with torch, in a fork of a process that has imported it, and nothing of pixview."""
    server = forks()
    with tempfile.TemporaryDirectory() as folder:
        files = {name: os.path.join(folder, name) for name in ("stdout", "stderr")}
        job = {"source": source, "environment": os.environ | env, **files}
        assert server.stdin and server.stdout
        print(json.dumps(job), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        said = {name: Path(path).read_text() for name, path in files.items()}
    return subprocess.CompletedProcess(source, status, **said)


def check(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_preloaded(
    script: str, *arguments: str, library: str = "libfakemalloc.so"
) -> subprocess.CompletedProcess[str]:
    """A script beside this one, in a process whose malloc it may tell what to do: tests/c/fake_malloc.c.

    Or its system calls: fake_system.c, libfakesystem.so.
    """
    driver = os.environ.get("PIXVIEW_FAKE_DRIVER", "")
    preload = os.path.join(os.path.dirname(driver), library)
    if not driver or not os.path.exists(preload):
        pytest.skip(f"no fake CUDA driver with a {library} beside it")
    return subprocess.run(
        [sys.executable, script, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"LD_PRELOAD": preload},
        cwd=os.path.dirname(__file__),
    )


def check_python(source: str, **env: str) -> str:
    return check(run_python(source, **env))


def check_fork(source: str, **env: str) -> str:
    return check(fork_python(source, **env))


# ---- counts ----


def drain() -> None:
    """Lets references that died without the GIL be dropped."""
    pixview.view(memoryview(b"\0").cast("B", (1, 1)))


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """True as soon as the condition holds. Deferred drops need a moment."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        drain()
        gc.collect()
        time.sleep(0.002)
    return True


def dead(ref: Callable[[], Any]) -> bool:
    """Is what a weakref points at gone?"""
    return eventually(lambda: ref() is None)


def in_thread(call: Callable[[], Any]) -> Any:
    """Runs call on another thread and returns what it returned, or raises what it raised."""
    box: list[Any] = []

    def body() -> None:
        try:
            box.append((True, call()))
        except BaseException as error:
            box.append((False, error))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    ok, value = box.pop()
    if not ok:
        raise value
    return value


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


# Set where the extension is built with sanitizers (tools/test.sh sanitizers): freed memory is kept for a
# while, and time says nothing.
SANITIZED = bool(os.environ.get("PIXVIEW_SANITIZED"))
not_sanitized = pytest.mark.skipif(SANITIZED, reason="sanitizers: neither time nor memory is usual")


def check_flat(call: Callable[[], Any], n: int = 20_000) -> None:
    """After n calls there are no more Python objects and no more memory than before."""
    if SANITIZED:
        n //= 10
    for _ in range(500):
        call()
    eventually(lambda: True)
    gc.collect()
    blocks, memory = sys.getallocatedblocks(), resident()
    for _ in range(n):
        call()
    drain()
    gc.collect()
    grown = sys.getallocatedblocks() - blocks
    assert grown < max(n // 20, 50), f"{grown} more Python objects after {n} calls"
    grown = resident() - memory
    # A leak of one malloc of 64 bytes a call would be more than this.
    assert SANITIZED or grown < max(n * 48, 1 << 20), f"{grown} more bytes after {n} calls"


# ---- DLPack by hand ----

CPU, CUDA, CUDA_HOST, VULKAN, MANAGED = 1, 2, 3, 7, 13
READ_ONLY, IS_COPIED = 1, 2

_CODES = {"i": 0, "u": 1, "f": 2, "c": 5, "b": 6}


class DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class Legacy(ctypes.Structure):
    _fields_ = [("tensor", DLTensor), ("context", ctypes.c_void_p), ("deleter", Deleter)]


class Versioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", Deleter),
        ("flags", ctypes.c_uint64),
        ("tensor", DLTensor),
    ]


_api = ctypes.pythonapi
_api.PyCapsule_New.restype = ctypes.py_object
_api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_api.PyCapsule_GetName.restype = ctypes.c_char_p
_api.PyCapsule_GetName.argtypes = [ctypes.py_object]
_api.PyCapsule_GetPointer.restype = ctypes.c_void_p
_api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]

NAMES = {False: b"dltensor", True: b"dltensor_versioned"}
USED = {False: b"used_dltensor", True: b"used_dltensor_versioned"}

_forever: list[Any] = []  # ctypes callbacks and structs that C may still point at


def capsule_name(capsule: Any) -> str:
    return _api.PyCapsule_GetName(capsule).decode()


def consume(capsule: Any) -> Legacy | Versioned:
    """Takes the struct out of a capsule, as a consumer does. Its deleter is then ours to call."""
    versioned = _api.PyCapsule_GetName(capsule) == NAMES[True]
    pointer = _api.PyCapsule_GetPointer(capsule, NAMES[versioned])
    _api.PyCapsule_SetName(capsule, USED[versioned])
    return (Versioned if versioned else Legacy).from_address(pointer)


def call_deleter(managed: Legacy | Versioned) -> None:
    """Without the GIL: ctypes drops it around a foreign function."""
    managed.deleter(ctypes.addressof(managed))


def drop_on_unknown_thread(managed: Legacy | Versioned) -> None:
    """The deleter is the thread's whole body: no Python, and no thread state."""
    thread = ctypes.c_ulong()
    libc = ctypes.CDLL(None)
    start = ctypes.cast(managed.deleter, ctypes.c_void_p)
    where = ctypes.c_void_p(ctypes.addressof(managed))
    assert libc.pthread_create(ctypes.byref(thread), None, start, where) == 0
    assert libc.pthread_join(thread, None) == 0


class Dlpack:
    """Exports memory by DLPack. Every field of the struct can be set, wrong ones too.

    deleted counts calls of the deleter, capsules keeps every capsule made, asked the keywords of each
    call of __dlpack__.
    """

    keywords = True

    def __init__(
        self,
        array: np.ndarray[Any, Any],
        *,
        versioned: bool = True,
        flags: int = 0,
        version: tuple[int, int] = (1, 1),
        deleter: bool = True,
        device: tuple[int, int] = (CPU, 0),
        strides: Any = "array",
        **fields: Any,
    ) -> None:
        self.array, self.versioned, self.flags, self.version = array, versioned, flags, version
        self.device, self.strides, self.fields = device, strides, fields
        self.with_deleter = deleter
        self._deletions: list[int] = []
        self.capsules: list[Any] = []
        self.asked: list[dict[str, Any]] = []

    def _tensor(self) -> DLTensor:
        a = self.array
        steps = [s // a.itemsize for s in a.strides] if self.strides == "array" else self.strides
        tensor = DLTensor(
            data=a.ctypes.data if a.size else None,
            device_type=self.device[0],
            device_id=self.device[1],
            ndim=a.ndim,
            code=_CODES.get(a.dtype.kind, 99),
            bits=8 * a.itemsize,
            lanes=1,
            byte_offset=0,
        )
        shape = (ctypes.c_int64 * 8)(*self.fields.pop("shape", a.shape))
        tensor.shape = shape
        _forever.append(shape)
        if steps is not None:
            tensor.strides = (ctypes.c_int64 * 8)(*steps)
            _forever.append(tensor.strides)
        for name, value in self.fields.items():
            setattr(tensor, name, value)
        return tensor

    def _deleter(self) -> Any:
        kept, log = [self.array], self._deletions  # holds the memory, not the producer

        def delete(pointer: int) -> None:
            kept.clear()
            log.append(pointer)

        return Deleter(delete)

    @property
    def deleted(self) -> int:
        return len(self._deletions)

    def capsule(self) -> Any:
        managed: Any
        if self.versioned:
            managed = Versioned(*self.version, flags=self.flags, tensor=self._tensor())
        else:
            managed = Legacy(tensor=self._tensor())
        if self.with_deleter:
            managed.deleter = self._deleter()
        _forever.append(managed)
        made = _api.PyCapsule_New(ctypes.addressof(managed), NAMES[self.versioned], None)
        self.capsules.append(made)
        return made

    def __dlpack__(self, **keywords: Any) -> Any:
        self.asked.append(keywords)
        return self.capsule()

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device

    @property
    def taken(self) -> int:
        """Capsules that a consumer took: each owes one call of the deleter."""
        return sum(capsule_name(c).startswith("used") for c in self.capsules)

    def settled(self) -> bool:
        """Was the deleter called once for each capsule taken, and never otherwise?"""
        return eventually(lambda: self.deleted == self.taken) and self.deleted == self.taken


class BareDlpack(Dlpack):
    """A producer from before DLPack 1.0: __dlpack__ takes no keyword but stream, or none at all."""

    def __dlpack__(self) -> Any:  # type: ignore[override]
        self.asked.append({})
        return self.capsule()


class StreamDlpack(Dlpack):
    def __dlpack__(self, stream: Any = None) -> Any:  # type: ignore[override]
        self.asked.append({"stream": stream})
        return self.capsule()


# ---- array interfaces by hand ----


class Interface:
    """Has the attribute `name`, and nothing else."""

    def __init__(self, name: str, value: Any, owner: Any = None) -> None:
        self.owner = owner
        setattr(self, name, value)


def interface_of(a: np.ndarray[Any, Any], **changes: Any) -> dict[str, Any]:
    made = {
        "shape": a.shape,
        "typestr": a.dtype.str,
        "data": (a.ctypes.data if a.size else 0, False),
        "strides": a.strides,
        "version": 3,
    } | changes
    return {
        key: value
        for key, value in made.items()
        if not (isinstance(value, str) and value == "drop")
    }


def array_interface(a: np.ndarray[Any, Any], **changes: Any) -> Interface:
    return Interface("__array_interface__", interface_of(a, **changes), a)


def cuda_array_interface(a: np.ndarray[Any, Any], **changes: Any) -> Interface:
    return Interface("__cuda_array_interface__", interface_of(a, **changes), a)


# ---- GpuMat ----

MAGIC, CONTINUOUS, TYPE_MASK = 0x42FF0000, 1 << 14, 0xFFF

# OpenCV's depth codes. The second half exists in OpenCV 5 only.
DEPTHS = {
    "uint8": 0,
    "int8": 1,
    "uint16": 2,
    "int16": 3,
    "int32": 4,
    "float32": 5,
    "float64": 6,
    "float16": 7,
}
DEPTHS_5 = {"bfloat16": 8, "bool": 9, "uint64": 10, "int64": 11, "uint32": 12}


class Header(ctypes.Structure):
    """cv::cuda::GpuMat."""

    _fields_ = [
        ("flags", ctypes.c_int),
        ("rows", ctypes.c_int),
        ("cols", ctypes.c_int),
        ("step", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("refcount", ctypes.POINTER(ctypes.c_int)),
        ("datastart", ctypes.c_void_p),
        ("dataend", ctypes.c_void_p),
        ("allocator", ctypes.c_void_p),
    ]


def header(gpumat: Any) -> Header:
    """The fields of a cv2.cuda.GpuMat, read where pixview's fast path reads them."""
    pointer = ctypes.c_void_p.from_address(id(gpumat) + object.__basicsize__).value
    return Header.from_address(pointer)


def wrap(cv2: Any, a: np.ndarray[Any, Any], depth: int | None = None) -> Any:
    """A GpuMat over an array of H,W or H,W,C with interleaved pixels and any row pitch; unowned."""
    rows, cols = a.shape[:2]
    channels = a.shape[2] if a.ndim == 3 else 1
    code = cv2.CV_MAKETYPE(DEPTHS[a.dtype.name] if depth is None else depth, channels)
    return cv2.cuda.createGpuMatFromCudaMemory(rows, cols, code, a.ctypes.data, a.strides[0])


def pitched(
    rows: int, cols: int, channels: int = 3, dtype: Any = "uint8", pad: int = 16
) -> np.ndarray[Any, Any]:
    """H,W,C whose rows are followed by `pad` elements that are not part of it."""
    base = image(rows, cols * channels + pad, dtype=dtype)
    item = base.itemsize
    return np.lib.stride_tricks.as_strided(
        base, (rows, cols, channels), (base.strides[0], channels * item, item)
    )


class Array(np.ndarray):
    """Has a weakref, unlike its base."""


def is_five(cv2: Any) -> bool:
    return cv2.CV_8UC2 == 32


def facts(cv2: Any) -> dict[str, Any]:
    pixview.plan(cv2.cuda.createGpuMatFromCudaMemory(1, 1, cv2.CV_8UC1, 4096), "image")
    return pixview._core._doctor()["gpumat"]


def tensor_of(fake: Any, a: np.ndarray[Any, Any], **keywords: Any) -> Any:
    """A cuda:0 tensor over the array, which it owns."""
    return pixview.as_torch(fake.image(a, **keywords))


class Stream(int):
    """A handle that is a stream object as well: what takes it can keep it."""

    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, int(self))


def waited(fake: Any, consumer: int, producer: int) -> bool:
    """Did a wait for the producer's stream reach the consumer's, by the fake driver's log? 0 is legacy."""
    fake.lib.fake_waited.argtypes = [ctypes.c_uint64] * 2
    return bool(fake.lib.fake_waited(consumer or 1, producer or 1))
