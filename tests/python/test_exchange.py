# SPDX-License-Identifier: Apache-2.0
"""The DLPack C exchange table of Image: exports, memory, streams."""

from __future__ import annotations

import ctypes
import gc
import sys
import weakref
from typing import Any

import numpy as np
import pixview
import pytest
from exchange import (
    CAPSULE,
    NAME,
    Allocator,
    CurrentStream,
    FromPy,
    Producer,
    Table,
    error_log,
    producer,
    table_of,
)
from support import (
    CPU,
    CUDA,
    MANAGED,
    READ_ONLY,
    VULKAN,
    Dlpack,
    DLTensor,
    Versioned,
    _api,
    address,
    call_deleter,
    check_flat,
    check_python,
    eventually,
    image,
    in_thread,
)

OURS = table_of(pixview.Image)
from_py = FromPy(OURS.from_py)
to_py = FromPy(OURS.to_py)
dltensor_from_py = FromPy(OURS.dltensor_from_py)
current_work_stream = CurrentStream(OURS.current_work_stream)
allocator = Allocator(OURS.allocator)


def export(x: Any) -> Versioned:
    """managed_tensor_from_py_object_no_sync; its deleter is the caller's to call."""
    out = ctypes.c_void_p()
    assert from_py(id(x), ctypes.addressof(out)) == 0
    return Versioned.from_address(out.value)


def borrow(x: Any) -> DLTensor:
    tensor = DLTensor()
    assert dltensor_from_py(id(x), ctypes.addressof(tensor)) == 0
    return tensor


def adopt(managed: Any) -> pixview.Image:
    """managed_tensor_to_py_object_no_sync."""
    out = ctypes.c_void_p()
    assert to_py(ctypes.addressof(managed), ctypes.addressof(out)) == 0
    made = ctypes.cast(out, ctypes.py_object).value  # a new reference ...
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(made))  # ... and the one that came with it
    return made


def struct_of(p: Dlpack) -> Versioned:
    """A managed tensor that is ours to give away."""
    capsule = p.capsule()
    pointer = _api.PyCapsule_GetPointer(capsule, b"dltensor_versioned")
    _api.PyCapsule_SetName(capsule, b"used_dltensor_versioned")
    return Versioned.from_address(pointer)


def read(t: DLTensor) -> tuple[Any, ...]:
    n = t.ndim
    return (t.data, (t.device_type, t.device_id), t.shape[:n], t.strides[:n], t.byte_offset)


# ---- the table of Image ----


def test_the_table() -> None:
    assert (OURS.major, OURS.minor) == (1, 3) and OURS.prev_api is None
    for name, _ in Table._fields_[3:]:
        assert getattr(OURS, name), name
    assert NAME in vars(pixview.Image)  # found on the type
    with pytest.raises(TypeError):
        setattr(pixview.Image, NAME, None)


@pytest.mark.parametrize("layout", ["HWC", "CHW"])
def test_an_image_of_the_host(layout: Any) -> None:
    a = image(4, 5, 3, dtype="float32")[:, 1:]
    v = pixview.view(a, layout=layout)
    expected = a if layout == "HWC" else a.transpose(2, 0, 1)
    fields = (
        a.ctypes.data,
        (CPU, 0),
        list(expected.shape),
        [s // 4 for s in expected.strides],
        0,
    )
    m = export(v)
    assert (m.major, m.flags) == (1, 0)
    assert read(m.tensor) == fields == read(borrow(v))
    call_deleter(m)


def test_the_managed_tensor_keeps_the_memory() -> None:
    a = image(4, 5, 3)
    ref = weakref.ref(a)
    m = export(pixview.view(a))
    del a
    gc.collect()
    assert ref() is not None
    in_thread(lambda: call_deleter(m))
    assert eventually(lambda: ref() is None)


def test_the_borrowed_tensor_needs_no_memory() -> None:
    v = pixview.view(image(4, 5, 3))
    first, again = borrow(v), borrow(v)
    assert ctypes.addressof(first.shape.contents) == ctypes.addressof(again.shape.contents)
    check_flat(lambda: borrow(v))


def test_exports_leave_nothing_behind() -> None:
    v = pixview.view(image(4, 5, 3))
    check_flat(lambda: call_deleter(export(v)))


def test_read_only_images() -> None:
    a = image(4, 5, 3)
    a.flags.writeable = False
    v = pixview.view(a)
    m = export(v)
    assert m.flags == READ_ONLY
    call_deleter(m)
    tensor = DLTensor()
    with pytest.raises(BufferError, match="managed_tensor_from_py_object_no_sync"):
        dltensor_from_py(id(v), ctypes.addressof(tensor))


def test_strides_that_no_tensor_has() -> None:
    raw = image(1, 64)
    # complex128 needs the alignment of its halves only: half an element is a stride, but not DLPack's.
    v = pixview.from_pointer(
        address(raw), (4, 1), "complex128", strides=(24, 16), device="cpu", owner=raw
    )
    for call in (export, borrow):
        with pytest.raises(pixview.LayoutError, match="multiple of the itemsize 16"):
            call(v)


@pytest.mark.parametrize("x", [None, 5, image(2, 2), int], ids=["None", "int", "array", "type"])
@pytest.mark.parametrize("function", [from_py, dltensor_from_py], ids=["managed", "borrowed"])
def test_other_objects_are_refused(function: Any, x: Any) -> None:
    out = DLTensor(data=7)
    with pytest.raises(TypeError, match="pixview.Image"):
        function(id(x), ctypes.addressof(out))
    assert out.data == (None if function is from_py else 7)


def test_null_arguments() -> None:
    v, p = pixview.view(image(2, 2)), Dlpack(image(2, 2))
    out, m = ctypes.c_void_p(), struct_of(p)
    for function, arguments in [
        (from_py, (None, ctypes.addressof(out))),
        (from_py, (id(v), None)),
        (dltensor_from_py, (None, ctypes.addressof(out))),
        (dltensor_from_py, (id(v), None)),
        (to_py, (None, ctypes.addressof(out))),
        (to_py, (ctypes.addressof(m), None)),
        (current_work_stream, (CUDA, 0, None)),
    ]:
        with pytest.raises(ValueError, match="NULL"):
            function(*arguments)
    assert p.deleted == 0
    call_deleter(m)


def test_image_has_no_subclass() -> None:
    with pytest.raises(TypeError):
        type("Sub", (pixview.Image,), {})


# ---- what comes back ----


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (2, 4, 5, 3), (0, 5, 3)])
def test_adopting_a_tensor(shape: tuple[int, ...]) -> None:
    p = Dlpack(np.zeros(shape, np.uint8) if 0 in shape else image(*shape))
    made = adopt(struct_of(p))
    assert type(made) is pixview.Image
    assert made.shape == shape and made.layout == ("HW", "HWC", "NHWC")[len(shape) - 2]
    np.testing.assert_array_equal(np.asarray(made), p.array)
    fresh = object()  # one reference, which 3.14 counts otherwise
    assert sys.getrefcount(made) == sys.getrefcount(fresh) and p.deleted == (
        0 if p.array.size else p.deleted
    )
    del made
    assert p.settled() and p.deleted == 1


def test_adopting_read_only_memory() -> None:
    p = Dlpack(image(4, 5), flags=READ_ONLY)
    made = adopt(struct_of(p))
    assert made.readonly
    del made
    assert p.settled()


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"version": (2, 0)}, pixview.UnsupportedError),
        ({"ndim": 1}, pixview.LayoutError),
        ({"ndim": 2**31 - 1}, pixview.LayoutError),
        ({"ndim": -1}, pixview.LayoutError),
        ({"bits": 4}, pixview.DtypeError),
        ({"data": None}, pixview.LayoutError),
        ({"device": (VULKAN, 0)}, pixview.DeviceError),
        ({"shape": (2**62, 2**62, 4), "strides": None}, pixview.LayoutError),
    ],
    ids=str,
)
def test_what_is_refused_stays_the_caller_s(fields: dict[str, Any], error: Any) -> None:
    p = Dlpack(image(4, 5, 3), **fields)
    m, out = struct_of(p), ctypes.c_void_p(7)
    with pytest.raises(error):
        to_py(ctypes.addressof(m), ctypes.addressof(out))
    assert p.deleted == 0 and out.value is None
    call_deleter(m)
    assert p.settled()


def test_there_and_back_again() -> None:
    a = image(4, 5, 3)
    v = pixview.view(a)
    back = adopt(export(v))
    assert address(back) == address(a) and back.shape == v.shape
    check_flat(lambda: adopt(export(v)))


# ---- memory ----


def prototype(
    shape: tuple[int, ...], device: tuple[int, int] = (CPU, 0), **fields: Any
) -> DLTensor:
    t = DLTensor(
        device_type=device[0], device_id=device[1], ndim=len(shape), code=1, bits=8, lanes=1
    )
    t.shape = (ctypes.c_int64 * max(len(shape), 1))(*shape)
    for name, value in fields.items():
        setattr(t, name, value)
    return t


def ask_memory(t: DLTensor | None) -> tuple[Versioned | None, Any]:
    log, report = error_log()
    out = ctypes.c_void_p(7)
    rc = allocator(
        ctypes.addressof(t) if t is not None else None,
        ctypes.addressof(out),
        None,
        ctypes.cast(report, ctypes.c_void_p),
    )
    assert (rc == 0) == (out.value is not None) == (not log)
    return (Versioned.from_address(out.value), None) if rc == 0 else (None, log[0])


@pytest.mark.parametrize("shape", [(), (7,), (4, 5), (2, 3, 4, 5, 6, 7), (3, 0, 5)])
@pytest.mark.parametrize("bits", [8, 32, 128])
def test_memory_of_the_host(shape: tuple[int, ...], bits: int) -> None:
    m, _ = ask_memory(prototype(shape, bits=bits))
    t = m.tensor
    nbytes = int(np.prod(shape)) * bits // 8
    assert tuple(t.shape[: t.ndim]) == shape and t.byte_offset == 0 and t.bits == bits
    assert (
        list(t.strides[: t.ndim])
        == [s // (bits // 8) for s in np.empty(shape, f"V{bits // 8}").strides]
        or 0 in shape
    )
    assert (t.data is None) == (nbytes == 0)
    if nbytes:
        assert t.data % 64 == 0
        ctypes.memset(t.data, 0xA5, nbytes)
    call_deleter(m)


@pytest.mark.parametrize(
    "fields, kind",
    [
        ({"shape": (4, -1)}, "BufferError"),
        ({"shape": (2**62, 2**62)}, "BufferError"),
        ({"shape": (2**62, 1)}, "MemoryError"),
        ({"shape": (4, 4), "bits": 4}, "BufferError"),
        ({"shape": (4, 4), "bits": 0}, "BufferError"),
        ({"shape": (4, 4), "ndim": -1}, "BufferError"),
        ({"shape": (4, 4), "ndim": 2**31 - 1}, "BufferError"),
        ({"shape": (4, 4), "device": (VULKAN, 0)}, "BufferError"),
        ({"shape": (4, 4), "device": (MANAGED, 0)}, "BufferError"),
    ],
    ids=str,
)
def test_memory_that_cannot_be(fields: dict[str, Any], kind: str) -> None:
    made, error = ask_memory(prototype(**fields))
    assert made is None and error[0] == kind and error[1]


def test_memory_of_nothing() -> None:
    assert ask_memory(None)[1][0] == "BufferError"
    t = prototype((4, 4))
    t.shape = None
    assert ask_memory(t)[1][0] == "BufferError"
    assert allocator(ctypes.addressof(t), None, None, None) == -1


def test_memory_leaves_nothing_behind() -> None:
    t = prototype((64, 64, 3))
    out = ctypes.c_void_p()

    def once() -> None:
        assert allocator(ctypes.addressof(t), ctypes.addressof(out), None, None) == 0
        call_deleter(Versioned.from_address(out.value))

    check_flat(once)


def test_memory_becomes_an_image() -> None:
    m, _ = ask_memory(prototype((4, 5, 3)))
    made = adopt(m)
    assert made.shape == (4, 5, 3) and made.strides == (15, 3, 1) and not made.readonly
    np.asarray(made)[:] = 7


def test_memory_of_the_gpu(fake: Any) -> None:
    m, _ = ask_memory(prototype((4, 5, 3), (CUDA, 0)))
    assert fake.work() == ["alloc"] and (m.tensor.device_type, m.tensor.device_id) == (CUDA, 0)
    call_deleter(m)
    assert fake.work() == ["alloc", "free"]
    empty, _ = ask_memory(prototype((4, 0, 3), (CUDA, 0)))
    assert empty.tensor.data is None and fake.work() == ["alloc", "free"]
    call_deleter(empty)
    fake.reset()
    fake.fail_at(1, 2)
    made, error = ask_memory(prototype((4, 5, 3), (CUDA, 0)))
    assert made is None and "CUDA_ERROR" in error[1]


# ---- streams ----


def work_stream(device_type: int, device_id: int = 0) -> int | None:
    out = ctypes.c_void_p(7)
    assert current_work_stream(device_type, device_id, ctypes.addressof(out)) == 0
    return out.value


def test_the_current_stream(fake: Any) -> None:
    assert work_stream(CPU) is None
    assert work_stream(CUDA) == work_stream(MANAGED) == 1  # never the NULL of "unknown"
    assert fake.calls() == ""


@pytest.mark.parametrize(
    "call", [lambda v: call_deleter(export(v)), borrow], ids=["managed", "borrowed"]
)
def test_an_image_on_the_legacy_stream_makes_no_driver_call(fake: Any, call: Any) -> None:
    v = fake.image(image(4, 5, 3))
    fake.reset()
    call(v)
    assert fake.calls() == ""


def test_the_work_stream_waits_for_the_image(fake: Any) -> None:
    v = fake.image(image(4, 5, 3), stream=fake.stream)
    fake.reset()
    m = export(v)
    assert fake.work() == ["record", "wait"]
    assert (m.tensor.device_type, m.tensor.device_id) == (CUDA, 0)
    call_deleter(m)  # and now the Image's stream waits
    assert fake.work() == ["record", "wait"] * 2
    fake.reset()
    for _ in range(100):
        borrow(v)
    assert fake.work() == ["record", "wait"] * 100
    fake.reset()
    del v
    gc.collect()
    assert fake.work() == ["record", "wait"]  # once, however often it was lent
    v = fake.image(image(4, 5, 3), stream=-1)
    fake.reset()
    borrow(v)
    assert fake.work() == []


def test_a_failing_driver(fake: Any) -> None:
    v = fake.image(image(4, 5, 3), stream=fake.stream)
    fake.image(image(4, 5, 3))
    count = sys.getrefcount(v)
    for call in (export, borrow):
        fake.reset()
        fake.fail_at(1, 999)
        with pytest.raises(pixview.CudaError):
            call(v)
        assert sys.getrefcount(v) == count
    fake.reset()


def test_an_adopted_tensor_is_in_use_on_the_work_stream(fake: Any, torch: Any) -> None:
    a = fake.register(image(4, 5, 3))
    made = adopt(struct_of(Dlpack(a, device=(CUDA, 0))))
    assert made.__cuda_array_interface__["stream"] == 1
    assert made.device == ("cuda", 0)


def test_another_copy_of_the_module_reads_our_images() -> None:
    check_python(
        """
import sys
import numpy as np, pixview, ctypes
from exchange import table_of, FromPy
a = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
v = pixview.view(a)
old = pixview
for name in [n for n in sys.modules if n.startswith("pixview")]:
    del sys.modules[name]
import pixview
assert pixview is not old and pixview.Image is not old.Image
w = pixview.view(v)
assert type(w) is pixview.Image and w.__array_interface__["data"][0] == a.ctypes.data
assert type(old.view(w)) is old.Image
"""
    )


def test_capsule_name() -> None:
    assert _api.PyCapsule_GetName(getattr(pixview.Image, NAME)) == CAPSULE
    assert issubclass(producer(), Producer)


class Block:
    """A stream object, to see who keeps it."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    def __cuda_stream__(self) -> tuple[int, int]:
        return (0, self.handle)


def test_an_image_made_in_a_block_keeps_the_block_s_stream(fake: Any) -> None:
    a = fake.register(image(4, 5, 3))
    producers = (
        Dlpack(a, device=(CUDA, 0)),
        producer(stream=fake.lib.fake_stream(0))(Dlpack(a, device=(CUDA, 0))),
    )
    for x in producers:
        stream = Block(fake.stream)
        ref = weakref.ref(stream)
        with pixview.using_stream(stream):
            v = pixview.view(x)
        del stream
        gc.collect()
        assert v.__cuda_array_interface__["stream"] == fake.stream
        assert ref() is not None
        del v
        assert eventually(lambda ref=ref: ref() is None)
