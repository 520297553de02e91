# SPDX-License-Identifier: Apache-2.0
"""Producers by array interface and by the buffer protocol, made by hand."""

from __future__ import annotations

import array
import ctypes
import mmap
import sys
from typing import Any

import numpy as np
import pixview
import pytest
from support import (
    DTYPES,
    Interface,
    address,
    array_interface,
    check_flat,
    cuda_array_interface,
    dead,
    eventually,
    image,
    interface_of,
)

# ---- __array_interface__ ----


@pytest.mark.parametrize("name", DTYPES)
def test_array_interface(name: str) -> None:
    a = image(4, 5, 3, dtype=name)[:, 1:]
    v = pixview.view(array_interface(a))
    assert v.dtype == a.dtype and v.strides == a.strides and v.device == ("cpu", 0)
    np.testing.assert_array_equal(np.asarray(v), a)


@pytest.mark.parametrize("strides", [None, "drop"])
def test_array_interface_without_strides(strides: Any) -> None:
    a = image(4, 5, 3, dtype="int32")
    np.testing.assert_array_equal(pixview.as_numpy(array_interface(a, strides=strides)), a)


def test_array_interface_read_only(torch: Any) -> None:
    a = image(4, 5, 3)
    x = array_interface(a, data=(address(a), True))
    assert pixview.view(x).readonly
    assert pixview.as_torch(x).data_ptr() != address(a)
    with pytest.raises(pixview.ReadOnlyError):
        pixview.as_torch(x, copy=False)


def test_array_interface_over_a_buffer() -> None:
    a = image(4, 5)
    assert address(pixview.view(array_interface(a, data=a))) == address(a)
    assert pixview.view(array_interface(a, data=a.tobytes())).readonly


def test_array_interface_holds_its_object() -> None:
    x = array_interface(image(4, 5))
    count = sys.getrefcount(x)
    v = pixview.view(x)
    assert sys.getrefcount(x) == count + 1
    assert v.owner is x
    del v
    assert sys.getrefcount(x) == count


def test_array_interface_of_zero_size() -> None:
    a = np.zeros((0, 5, 3), np.uint8)
    assert pixview.view(array_interface(a)).shape == (0, 5, 3)


def test_array_interface_leaves_nothing_behind() -> None:
    x = array_interface(image(4, 5))
    check_flat(lambda: pixview.view(x))


WRONG: list[tuple[str, dict[str, Any], Any]] = [
    ("no shape", {"shape": "drop"}, pixview.UnsupportedError),
    ("no typestr", {"typestr": "drop"}, pixview.Error),
    ("shape is an int", {"shape": 4}, pixview.LayoutError),
    ("shape of strings", {"shape": ("4", "5", "3")}, pixview.LayoutError),
    ("shape too big", {"shape": (2**70, 5, 3)}, pixview.LayoutError),
    ("negative shape", {"shape": (4, -5, 3)}, pixview.LayoutError),
    ("rank 1", {"shape": (60,), "strides": None}, pixview.LayoutError),
    ("rank 5", {"shape": (1, 1, 4, 5, 3), "strides": None}, pixview.LayoutError),
    ("fewer strides", {"strides": (15, 3)}, pixview.LayoutError),
    ("more strides", {"strides": (15, 3, 1, 1)}, pixview.LayoutError),
    ("strides of strings", {"strides": ("15", "3", "1")}, pixview.LayoutError),
    ("strides too big", {"strides": (2**62, 2**62, 1)}, pixview.LayoutError),
    ("big-endian", {"typestr": ">f4"}, pixview.DtypeError),
    ("object", {"typestr": "|O8"}, pixview.DtypeError),
    ("structured", {"typestr": "|V3"}, pixview.DtypeError),
    ("unknown letter", {"typestr": "<q4"}, pixview.DtypeError),
    ("unknown size", {"typestr": "<f3"}, pixview.DtypeError),
    ("empty typestr", {"typestr": ""}, pixview.DtypeError),
    ("long typestr", {"typestr": "<f4" * 1000}, pixview.DtypeError),
    ("typestr is no string", {"typestr": 4}, pixview.DtypeError),
    ("typestr with a surrogate", {"typestr": "\udc80f4"}, pixview.DtypeError),
    ("data is an int", {"data": 4}, pixview.Error),
    ("data of one", {"data": (64,)}, pixview.Error),
    ("data is a string", {"data": ("64", False)}, pixview.Error),
    ("data too big", {"data": (2**70, False)}, pixview.Error),
    ("negative address", {"data": (-4096, False)}, pixview.UnsupportedError),
    (
        "a span of 2**63 bytes",
        {"data": (2**63, False), "shape": (2, 1, 1), "strides": (-(2**63), 1, 1)},
        pixview.LayoutError,
    ),
    ("no memory", {"data": (0, False)}, pixview.LayoutError),
    ("strides in elements", {"typestr": "<u2", "shape": (2, 5, 3)}, pixview.LayoutError),
    ("no byte order", {"typestr": "u1"}, pixview.DtypeError),
    ("masked", {"mask": image(4, 5, 3)}, pixview.Error),
]


@pytest.mark.parametrize("changes, error", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_wrong_array_interfaces(torch: Any, changes: dict[str, Any], error: Any) -> None:
    x = array_interface(image(4, 5, 3), **changes)
    count = sys.getrefcount(x)
    for call in (pixview.view, pixview.as_torch, pixview.as_numpy):
        with pytest.raises(error) as raised:
            call(x)
        assert str(raised.value)
        del raised
    assert eventually(lambda: sys.getrefcount(x) == count)


@pytest.mark.parametrize("name", ["__array_interface__", "__cuda_array_interface__"])
@pytest.mark.parametrize("value", [None, 5, "dict", [], {}, {"shape": (4, 5)}], ids=repr)
def test_what_is_no_interface(name: str, value: Any) -> None:
    with pytest.raises(pixview.UnsupportedError) as raised:
        pixview.view(Interface(name, value))
    assert str(raised.value)


class Boom(Exception):
    pass


@pytest.mark.parametrize(
    "name", ["__array_interface__", "__cuda_array_interface__", "__dlpack__", "__dlpack_device__"]
)
def test_an_attribute_that_raises_is_the_cause(name: str) -> None:
    error = Boom("boom")

    def fail(self: Any) -> Any:
        raise error

    members: dict[str, Any] = {name: property(fail)}
    if name == "__dlpack_device__":
        members["__dlpack__"] = lambda self: None
    with pytest.raises(pixview.Error) as raised:
        pixview.view(type("Raising", (), members)())
    assert raised.value.__cause__ is error


def test_a_shape_that_raises_is_the_cause() -> None:
    class Extent:
        def __index__(self) -> int:
            raise error

    error = Boom("boom")
    with pytest.raises(pixview.LayoutError) as raised:
        pixview.view(array_interface(image(4, 5), shape=(4, Extent())))
    assert raised.value.__cause__ is error


def test_dlpack_comes_before_the_interfaces() -> None:
    a, b = image(4, 5), image(4, 5)

    class Both:
        __array_interface__ = interface_of(a)

        def __dlpack__(self, **keywords: Any) -> Any:
            return b.__dlpack__(**keywords)

        def __dlpack_device__(self) -> Any:
            return b.__dlpack_device__()

    assert address(pixview.view(Both())) == address(b)


# ---- __cuda_array_interface__ on fake device memory ----


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("strides", ["array", None, "drop"])
def test_cuda_array_interface(fake: Any, version: int, strides: Any) -> None:
    a = fake.register(image(4, 5, 3, dtype="float32"))
    x = cuda_array_interface(
        a, version=version, **({} if strides == "array" else {"strides": strides})
    )
    v = pixview.view(x)
    assert v.device == ("cuda", 0) and v.strides == a.strides and address(v) == address(a)
    assert v.owner is x and not v.readonly


def test_cuda_array_interface_read_only(fake: Any, torch: Any) -> None:
    a = fake.register(image(4, 5, 3))
    x = cuda_array_interface(a, data=(address(a), True))
    assert pixview.view(x).readonly
    with pytest.raises(pixview.ReadOnlyError):
        pixview.as_torch(x, copy=False)
    assert pixview.as_torch(x, allow_readonly=True).data_ptr() == address(a)


def test_cuda_array_interface_of_zero_size(fake: Any) -> None:
    a = np.zeros((0, 5, 3), np.uint8)
    assert pixview.view(cuda_array_interface(a)).shape == (0, 5, 3)


@pytest.mark.parametrize("stream", [None, 0, 1, "drop"])  # 0: NVIDIA's decoders
def test_cuda_array_interface_on_the_legacy_stream(fake: Any, torch: Any, stream: Any) -> None:
    a = fake.register(image(4, 5, 3))
    x = cuda_array_interface(a, stream=stream)
    pixview.as_torch(x)
    fake.reset()
    t = pixview.as_torch(x)
    assert t.device == torch.device("cuda", 0) and t.data_ptr() == address(a)
    assert fake.calls() == ""


@pytest.mark.parametrize("stream", [-1, "1", 1.5, True, 2**70])
def test_cuda_array_interface_with_a_wrong_stream(fake: Any, stream: Any) -> None:
    a = fake.register(image(4, 5))
    with pytest.raises(pixview.Error, match="stream"):
        pixview.view(cuda_array_interface(a, stream=stream))


def test_stream_0_is_the_legacy_stream(fake: Any) -> None:
    """The protocol forbids it, and NVIDIA's decoders write it. Work on it is waited for."""
    a = fake.register(image(4, 5, 3))
    v = pixview.view(cuda_array_interface(a, stream=0))
    assert v.__cuda_array_interface__["stream"] == 1
    with pytest.raises(ValueError, match="0"):
        v.__dlpack__(stream=0)  # the array API refuses it
    fake.reset()
    v.__dlpack__(stream=fake.stream)
    assert "record" in fake.work() and "wait" in fake.work()


def test_planes_of_a_decoder(fake: Any) -> None:
    """As PyNvVideoCodec shows them: stream 0, and of 10 bits a type without a byte order."""
    surface = fake.register(image(6, 8))
    luma = cuda_array_interface(surface[:4], shape=(4, 8, 1), strides=(8, 1, 1), stream=0)
    chroma = cuda_array_interface(surface[4:], shape=(2, 4, 2), strides=(8, 2, 1), stream=0)
    assert pixview.view(luma).shape == (4, 8, 1) and pixview.view(chroma).shape == (2, 4, 2)
    deep = fake.register(image(4, 8, dtype="uint16"))
    v = pixview.view(cuda_array_interface(deep, typestr="|u2", stream=0))
    assert v.dtype == np.uint16 and v.strides == deep.strides
    wrong = cuda_array_interface(deep, typestr="|u2", shape=(4, 8, 1), strides=(8, 1, 1), stream=0)
    for copy in (None, True):
        with pytest.raises(pixview.LayoutError, match=r"strides\[1\]=1 .*from_pointer"):
            pixview.view(wrong, copy=copy)


@pytest.mark.parametrize("name", DTYPES)
def test_a_type_without_a_byte_order_is_native(name: str) -> None:
    a = image(4, 5, 3, dtype=name)
    v = pixview.view(array_interface(a, typestr="|" + a.dtype.str[1:]))
    assert v.dtype == a.dtype
    with pytest.raises(pixview.DtypeError, match="no byte order.*<" + a.dtype.str[1:]):
        pixview.view(array_interface(a, typestr=a.dtype.str[1:]))


class Bytes(bytearray):
    """A buffer with an array interface that leaves the data out, which means the buffer."""

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {"shape": (4, 5), "typestr": "<u2", "version": 3, "offset": 2}


def test_an_interface_without_data_means_its_own_buffer() -> None:
    a = image(4, 5, dtype="uint16")
    x = Bytes(b"\0\0" + a.tobytes())
    np.testing.assert_array_equal(pixview.as_numpy(x), a)
    with pytest.raises(BufferError):
        v = pixview.view(x)
        x.append(1)  # its memory must not move under the view
    del v
    with pytest.raises(pixview.LayoutError, match="42"):
        pixview.view(Bytes(b"\0" * 41))
    with pytest.raises(pixview.UnsupportedError, match="data"):
        pixview.view(array_interface(a, data="drop"))  # has no buffer


def test_cuda_array_interface_with_a_mask(fake: Any) -> None:
    a = fake.register(image(4, 5))
    with pytest.raises(pixview.Error, match="mask"):
        pixview.view(cuda_array_interface(a, mask=cuda_array_interface(a)))
    assert pixview.view(cuda_array_interface(a, mask=None)).shape == (4, 5)


@pytest.mark.parametrize("changes, error", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_wrong_cuda_array_interfaces(
    fake: Any, torch: Any, changes: dict[str, Any], error: Any
) -> None:
    x = cuda_array_interface(fake.register(image(4, 5, 3)), **changes)
    count = sys.getrefcount(x)
    for call in (pixview.view, pixview.as_torch, pixview.as_numpy):
        with pytest.raises(error) as raised:
            call(x)
        assert str(raised.value)
        del raised
    assert eventually(lambda: sys.getrefcount(x) == count)


def test_cuda_array_interface_leaves_nothing_behind(fake: Any, torch: Any) -> None:
    x = cuda_array_interface(fake.register(image(4, 5, 3)))
    check_flat(lambda: pixview.view(x))
    check_flat(lambda: pixview.as_torch(x))


# ---- buffers ----


def test_memoryview_with_a_shape(torch: Any) -> None:
    raw = bytearray(range(60))
    m = memoryview(raw).cast("B", (4, 5, 3))
    v = pixview.view(m)
    assert v.shape == (4, 5, 3) and v.layout == "HWC" and not v.readonly
    t = pixview.as_torch(m)
    t[0, 0, 0] = 200
    assert raw[0] == 200
    with pytest.raises(BufferError):
        raw.append(1)  # its memory must not move under the view
    del v, t
    m.release()
    assert eventually(lambda: _grows(raw))


def _grows(raw: bytearray) -> bool:
    try:
        raw.append(1)
    except BufferError:
        return False
    return True


def test_read_only_buffers(torch: Any) -> None:
    m = memoryview(bytes(range(60))).cast("B", (4, 5, 3))
    assert pixview.view(m).readonly
    assert not pixview.as_numpy(m).flags.writeable
    with pytest.raises(pixview.ReadOnlyError):
        pixview.as_torch(m, copy=False)
    assert torch.equal(
        pixview.as_torch(m), torch.arange(60, dtype=torch.uint8).reshape(4, 5, 3).permute(2, 0, 1)
    )


@pytest.mark.parametrize("code", "bBhHiIlLqQfd?")
def test_buffer_formats(code: str) -> None:
    source = array.array(code if code != "?" else "b", [1] * 20)
    m = memoryview(source).cast("B").cast(code, (4, 5))
    v = pixview.view(m)
    assert v.dtype == np.dtype(code) and v.nbytes == 20 * source.itemsize
    np.testing.assert_array_equal(np.asarray(v), np.ones((4, 5), code))


@pytest.mark.parametrize("code", ["c", "P"])
def test_buffer_formats_that_no_image_has(code: str) -> None:
    item = memoryview(b"").cast(code).itemsize
    with pytest.raises(pixview.DtypeError):
        pixview.view(memoryview(bytes(20 * item)).cast(code, (4, 5)))


@pytest.mark.parametrize(
    "x",
    [b"abc", bytearray(b"abc"), array.array("f", [1, 2]), memoryview(b"abc")],
    ids=lambda x: type(x).__name__,
)
def test_flat_buffers_have_no_rows(x: Any) -> None:
    with pytest.raises(pixview.LayoutError):
        pixview.view(x)


def test_ctypes_arrays_and_mmap() -> None:
    grid = (ctypes.c_uint16 * 5 * 4)()
    v = pixview.view(grid)
    assert v.shape == (4, 5) and v.dtype == np.uint16
    np.asarray(v)[3, 4] = 7
    assert grid[3][4] == 7
    with mmap.mmap(-1, 4096) as mapped:
        v = pixview.view(memoryview(mapped).cast("B", (64, 64)))
        np.asarray(v)[:] = 3
        assert mapped[4095] == 3
        del v
        eventually(lambda: False, 0.01)


def test_a_released_memoryview() -> None:
    m = memoryview(bytearray(20)).cast("B", (4, 5))
    m.release()
    with pytest.raises(pixview.Error) as raised:
        pixview.view(m)
    assert isinstance(raised.value.__cause__, ValueError)


def test_buffers_leave_nothing_behind() -> None:
    m = memoryview(bytearray(60)).cast("B", (4, 5, 3))
    check_flat(lambda: pixview.view(m))
    check_flat(lambda: pixview.as_numpy(m))


def test_a_buffer_s_object_is_held_and_dropped() -> None:
    import weakref

    class Raw(array.array):  # takes a weakref
        pass

    raw = Raw("B", bytes(20))
    ref = weakref.ref(raw)
    v = pixview.view(memoryview(raw).cast("B", (4, 5)))
    del raw
    assert ref() is not None
    assert np.asarray(v).sum() == 0
    del v
    assert dead(ref)


def test_an_offset_into_a_buffer() -> None:
    data = bytearray(range(64))
    holder = Shown({"data": data, "shape": (4, 4), "typestr": "|u1", "offset": 16, "version": 3})
    assert pixview.as_numpy(holder)[0, 0] == 16
    for wrong in (
        {"offset": 49},
        {"offset": -1},
        {"offset": 0, "shape": (9, 9)},
        {"shape": (2, 2), "strides": (2**63 - 18, 1)},
        {"shape": (2, 1), "strides": (2**63 - 2, 1)},  # past 2**63 with the offset
        {"shape": (2, 1), "strides": (-(2**63), 1)},
        {"data": memoryview(data)[::2]},
    ):
        entries = {
            "data": data,
            "shape": (4, 4),
            "typestr": "|u1",
            "offset": 16,
            "version": 3,
        } | wrong
        with pytest.raises(pixview.LayoutError):
            pixview.view(Shown(entries))


def test_an_interface_that_goes_away_while_it_is_read() -> None:
    class Flag:
        def __bool__(self) -> bool:
            entries.clear()
            return False

    a = np.arange(16, dtype=np.uint8).reshape(4, 4)
    entries = {"data": (a.ctypes.data, Flag()), "shape": [4, 4], "typestr": "|u1", "version": 3}
    np.testing.assert_array_equal(pixview.as_numpy(Shown(entries)), a)


class Shown:
    def __init__(self, entries: dict[str, Any]) -> None:
        self.__array_interface__ = entries


def test_masks_and_byte_order_are_not_lost() -> None:
    a = np.ma.masked_array(np.zeros((4, 5)), mask=True)
    with pytest.raises(pixview.UnsupportedError, match="filled"):
        pixview.view(a)
    b = np.arange(16, dtype=">u2").reshape(4, 4)
    with pytest.raises(pixview.DtypeError):
        pixview.from_pointer(b.ctypes.data, b.shape, b.dtype, device="cpu", owner=b)
