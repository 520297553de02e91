# SPDX-License-Identifier: Apache-2.0
"""pixview.Image on host memory: attributes, crop, repr, and everything that it exports."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import sys
from typing import Any

import numpy as np
import pixview
import pytest
from support import (
    CPU,
    CUDA,
    CUDA_HOST,
    DTYPES,
    IS_COPIED,
    READ_ONLY,
    Dlpack,
    Versioned,
    address,
    call_deleter,
    capsule_name,
    check_flat,
    consume,
    eventually,
    image,
)

NUMPY2 = np.lib.NumpyVersion(np.__version__) >= "2.0.0"


def frozen(*shape: int) -> np.ndarray[Any, Any]:
    a = image(*shape)
    a.flags.writeable = False
    return a


# ---- attributes ----


def test_attributes() -> None:
    a = image(4, 5, 3, dtype="float32")
    v = pixview.view(a)
    assert v.shape == (4, 5, 3)
    assert v.layout == "HWC"
    assert v.dtype == np.float32 and isinstance(v.dtype, np.dtype)
    assert v.strides == (60, 12, 4)
    assert v.device == ("cpu", 0)
    assert v.nbytes == 240
    assert v.readonly is False
    assert v.owner is a


def test_nbytes_counts_pixels_not_padding() -> None:
    assert pixview.view(image(10, 20, 3)[:, 5:9]).nbytes == 10 * 4 * 3


@pytest.mark.parametrize(
    "name", ["shape", "layout", "dtype", "strides", "device", "nbytes", "readonly", "owner"]
)
def test_attributes_are_not_for_setting(name: str) -> None:
    v = pixview.view(image(4, 5))
    with pytest.raises(AttributeError):
        setattr(v, name, None)


def test_is_made_by_functions_and_not_subclassed() -> None:
    with pytest.raises(TypeError):
        pixview.Image()
    with pytest.raises(TypeError):
        type("Mine", (pixview.Image,), {})


def test_repr_names_what_matters() -> None:
    text = repr(pixview.view(image(4, 5, 3, dtype="int16")))
    for part in ("Image", "HWC", "4", "5", "3", "int16", "cpu"):
        assert part in text
    assert "bfloat16" in repr(pixview.from_pointer(64, (4, 5), "bfloat16", device="cpu"))


# ---- crop ----


def test_crop_is_a_view_in_every_layout() -> None:
    whole = image(2, 10, 20, 3)
    for layout, a in (
        ("NHWC", whole),
        ("NCHW", whole.transpose(0, 3, 1, 2)),
        ("HWC", whole[0]),
        ("CHW", whole[0].transpose(2, 0, 1)),
        ("HW", whole[0, :, :, 0]),
    ):
        part = pixview.view(a, src_layout=layout).crop(2, 3, 4, 5)
        index = [slice(None)] * a.ndim
        index[layout.index("H")], index[layout.index("W")] = slice(2, 6), slice(3, 8)
        expected = a[tuple(index)]
        assert part.layout == layout and part.shape == expected.shape
        assert part.strides == expected.strides and address(part) == address(expected)
        np.testing.assert_array_equal(np.asarray(part), expected)


def test_crop_by_name_and_of_a_crop() -> None:
    a = image(10, 20, 3)
    part = pixview.view(a).crop(y=1, x=2, h=8, w=10).crop(1, 1, 2, 3)
    np.testing.assert_array_equal(np.asarray(part), a[2:4, 3:6])
    assert pixview.view(a).crop(0, 0, 10, 20).shape == (10, 20, 3)
    assert pixview.view(a).crop(10, 20, 0, 0).shape == (0, 0, 3)


@pytest.mark.parametrize(
    "rectangle",
    [
        (-1, 0, 2, 2),
        (0, -1, 2, 2),
        (0, 0, 11, 2),
        (0, 0, 2, 21),
        (9, 0, 2, 2),
        (0, 19, 2, 2),
        (0, 0, -1, 2),
        (11, 0, 0, 0),
        (0, 0, 2**62, 2**62),
        (2**63 - 1, 0, 2, 1),
    ],
)
def test_crop_outside_is_an_error(rectangle: tuple[int, ...]) -> None:
    v = pixview.view(image(10, 20, 3))
    with pytest.raises(pixview.LayoutError) as raised:
        v.crop(*rectangle)
    assert str(raised.value)
    with pytest.raises(TypeError):
        v.crop("a", 0, 1, 1)
    with pytest.raises(TypeError):
        v.crop(0, 0, 1)


def test_crop_keeps_the_source() -> None:
    a = image(10, 20, 3)
    count = sys.getrefcount(a)
    part = pixview.view(a).crop(1, 1, 2, 2)
    assert part.owner is a
    assert sys.getrefcount(a) > count
    del part
    assert sys.getrefcount(a) == count


# ---- NumPy ----


def test_numpy_shares_the_memory() -> None:
    a = image(4, 5, 3)[1:, ::-1]
    v = pixview.view(a)
    for n in (np.asarray(v), np.from_dlpack(v), np.asarray(memoryview(v))):
        assert n.shape == a.shape and n.strides == a.strides and address(n) == address(a)
    np.asarray(v)[0, 0, 0] = 99
    assert a[0, 0, 0] == 99


@pytest.mark.parametrize("name", DTYPES)
def test_numpy_takes_every_dtype(name: str) -> None:
    a = image(4, 5, dtype=name)
    v = pixview.view(a)
    for n in (np.asarray(v), np.from_dlpack(v), np.asarray(memoryview(v))):
        assert n.dtype == a.dtype
        np.testing.assert_array_equal(n, a)


def test_read_only_stays_so() -> None:
    v = pixview.view(frozen(4, 5, 3))
    assert not np.asarray(v).flags.writeable
    if NUMPY2:
        assert not np.from_dlpack(v).flags.writeable
    else:  # it asks for the old struct, which cannot say so
        with pytest.raises(BufferError):
            np.from_dlpack(v)
    assert memoryview(v).readonly
    assert v.__array_interface__["data"][1] is True


def test_array_with_dtype_and_copy() -> None:
    a = image(4, 5, 3)
    v = pixview.view(a)
    assert np.asarray(v, dtype=np.float64).dtype == np.float64
    copied = np.array(v)
    assert address(copied) != address(a)
    if NUMPY2:
        assert address(np.asarray(v, copy=False)) == address(a)
        assert address(np.asarray(v, copy=True)) != address(a)
    direct = v.__array__()
    assert type(direct) is np.ndarray and address(direct) == address(a)
    assert v.__array__(np.dtype("float32")).dtype == np.float32
    assert address(v.__array__(copy=True)) != address(a)


def test_array_interface() -> None:
    a = image(4, 5, 3, dtype="int32")[::2]
    interface = pixview.view(a).__array_interface__
    assert interface["version"] == 3
    assert interface["shape"] == a.shape and interface["typestr"] == a.dtype.str
    assert interface["data"] == (address(a), False)
    assert interface["strides"] == a.strides


@pytest.mark.parametrize("layout", ["HWC", "CHW"])
def test_array_interface_of_packed_memory_has_no_strides(layout: Any) -> None:
    """As NumPy's. The order of the axes is that of the layout."""
    a = image(4, 5, 3)
    strides = pixview.view(a, layout=layout).__array_interface__["strides"]
    assert strides == (None if layout == "HWC" else (1, 15, 3))
    assert pixview.view(a[:0]).__array_interface__["strides"] is None


def test_cuda_array_interface_of_packed_memory_has_no_strides(fake: Any) -> None:
    a = image(4, 5, 3)
    assert fake.image(a).__cuda_array_interface__["strides"] is None
    assert fake.image(a[:, :4]).__cuda_array_interface__["strides"] == a.strides


@pytest.mark.parametrize("cut", [(), np.s_[::2], np.s_[:, 1:3], np.s_[:, ::-1], np.s_[:0]])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_tobytes(cut: Any, dtype: str) -> None:
    a = image(4, 5, 3, dtype=dtype)[cut]
    assert pixview.view(a).tobytes() == a.tobytes()
    assert pixview.view(a, layout="CHW").tobytes() == a.transpose(2, 0, 1).tobytes()


def test_tobytes_of_device_memory(fake: Any) -> None:
    with pytest.raises(pixview.DeviceError, match=r"as_numpy\(image, copy=True\)"):
        fake.image(image(4, 5, 3)).tobytes()


def test_pillow_takes_it() -> None:
    from PIL import Image

    a = image(40, 50, 3)
    for x in (a, a[5:20, 10:30], a[::-1], np.ascontiguousarray(a[..., 0]), a[..., 0]):
        np.testing.assert_array_equal(np.asarray(Image.fromarray(pixview.view(x))), x)


def test_ptr(fake: Any) -> None:
    a = image(4, 5, 3)
    assert pixview.view(a).ptr == address(a)
    assert pixview.view(a[::-1, 1:]).ptr == address(a[::-1, 1:])
    assert fake.image(a).crop(1, 2, 2, 2).ptr == address(a[1:, 2:])
    assert pixview.view(a[:0]).ptr == 0


def test_contiguous() -> None:
    a = image(4, 5, 3)
    assert pixview.view(a, contiguous=True).ptr == address(a)
    for keywords in ({"layout": "CHW"}, {}):
        source = a if keywords else a[:, ::2]
        dense = pixview.view(source, contiguous=True, **keywords)
        assert dense.ptr != address(a) and dense.__array_interface__["strides"] is None
        want = source.transpose(2, 0, 1) if keywords else source
        np.testing.assert_array_equal(np.asarray(dense), want)
    with pytest.raises(pixview.LayoutError, match="contiguous=True"):
        pixview.view(a[:, ::2], contiguous=True, copy=False)


def test_only_the_interface_of_its_side() -> None:
    v = pixview.view(image(4, 5))
    assert not hasattr(v, "__cuda_array_interface__")
    with pytest.raises(AttributeError, match="cpu|host"):
        v.__cuda_array_interface__  # noqa: B018


def test_empty_image() -> None:
    v = pixview.view(np.zeros((0, 5, 3), np.float32))
    assert np.asarray(v).shape == (0, 5, 3)
    assert np.from_dlpack(v).shape == (0, 5, 3)
    assert memoryview(v).shape == (0, 5, 3)


def test_bfloat16_has_no_array_interface() -> None:
    v = pixview.from_pointer(64, (4, 5), "bfloat16", device="cpu")
    with pytest.raises((AttributeError, pixview.DtypeError), match="bfloat16"):
        v.__array_interface__  # noqa: B018
    with pytest.raises(BufferError):
        memoryview(v)


# ---- buffer protocol ----


def test_memoryview() -> None:
    a = image(4, 5, 3, dtype="uint16")
    m = memoryview(pixview.view(a))
    assert (m.shape, m.strides, m.itemsize, m.format) == ((4, 5, 3), (30, 6, 2), 2, "H")
    assert m.nbytes == a.nbytes and not m.readonly and m.c_contiguous
    assert m.tobytes() == a.tobytes()
    m[1, 2, 1] = 4321
    assert a[1, 2, 1] == 4321


def test_buffer_requests_that_cannot_be_met() -> None:
    dense = pixview.view(frozen(4, 5))
    strided = pixview.view(image(4, 5)[:, ::2])
    assert hashlib.md5(dense).digest() == hashlib.md5(frozen(4, 5).tobytes()).digest()
    with pytest.raises(BufferError):
        hashlib.md5(strided)
    with open("/dev/zero", "rb") as zeros:
        with pytest.raises((BufferError, TypeError)):
            zeros.readinto(dense)
        with pytest.raises((BufferError, TypeError)):
            zeros.readinto(strided)
        a = image(4, 5)
        assert zeros.readinto(pixview.view(a)) == 20
    assert not a.any()
    assert memoryview(strided).tobytes() == image(4, 5)[:, ::2].tobytes()


def asked_for(x: Any, flags: int) -> bool:
    """Does x give a buffer for these flags of PyObject_GetBuffer?"""
    view = (ctypes.c_char * 256)()
    try:
        ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(x), view, flags)
    except (BufferError, ValueError):  # NumPy raises ValueError
        return False
    ctypes.pythonapi.PyBuffer_Release(view)
    return True


@pytest.mark.parametrize(
    "request_name, flags",
    [
        ("SIMPLE", 0),
        ("WRITABLE", 0x1),
        ("ND", 0x8),
        ("STRIDES", 0x18),
        ("C_CONTIGUOUS", 0x38),
        ("F_CONTIGUOUS", 0x58),
        ("ANY_CONTIGUOUS", 0x98),
        ("FULL", 0x11D),
        ("FULL_RO", 0x11C),
    ],
)
def test_buffer_requests_are_answered_as_numpy_answers_them(request_name: str, flags: int) -> None:
    whole = image(4, 6)
    for a in (
        whole,
        whole[:, ::2],
        whole[::2],
        whole.T,
        frozen(4, 6),
        image(4, 5, 3).transpose(2, 0, 1),
    ):
        v = pixview.view(a, src_layout="CHW" if a.ndim == 3 else "HW")
        assert asked_for(v, flags) == asked_for(a, flags), (a.shape, a.strides)


def test_a_buffer_keeps_the_source() -> None:
    a = image(4, 5)
    count = sys.getrefcount(a)
    m = memoryview(pixview.view(a))
    gc.collect()
    assert m[3, 4] == a[3, 4]
    assert sys.getrefcount(a) > count
    m.release()
    assert eventually(lambda: sys.getrefcount(a) == count)


# ---- DLPack ----


def test_dlpack_device() -> None:
    assert pixview.view(image(4, 5)).__dlpack_device__() == (CPU, 0)


@pytest.mark.parametrize(
    "keywords, name",
    [
        ({}, "dltensor"),
        ({"stream": None}, "dltensor"),
        ({"stream": -1}, "dltensor"),
        ({"max_version": None}, "dltensor"),
        ({"max_version": (0, 8)}, "dltensor"),
        ({"max_version": (1, 0)}, "dltensor_versioned"),
        ({"max_version": (1, 3)}, "dltensor_versioned"),
        ({"max_version": (2, 0)}, "dltensor_versioned"),
        ({"dl_device": (1, 0)}, "dltensor"),
        ({"dl_device": None, "copy": None}, "dltensor"),
        ({"copy": False}, "dltensor"),
        (
            {"stream": None, "max_version": (1, 1), "dl_device": (1, 0), "copy": False},
            "dltensor_versioned",
        ),
    ],
)
def test_dlpack_keywords(keywords: dict[str, Any], name: str) -> None:
    assert capsule_name(pixview.view(image(4, 5)).__dlpack__(**keywords)) == name


def test_dlpack_stream_by_position() -> None:
    assert capsule_name(pixview.view(image(4, 5)).__dlpack__(None)) == "dltensor"


def test_dlpack_keywords_that_cannot_be_met() -> None:
    v = pixview.view(image(4, 5))
    with pytest.raises(BufferError):
        v.__dlpack__(dl_device=(CUDA, 0))
    for bad in ({"max_version": 1}, {"max_version": ("a", 0)}, {"dl_device": "cpu"}, {"device": 1}):
        with pytest.raises((TypeError, ValueError, BufferError)) as raised:
            v.__dlpack__(**bad)
        assert str(raised.value)


def test_dlpack_of_pinned_memory() -> None:
    v = pixview.view(Dlpack(image(4, 5), device=(CUDA_HOST, 0)))
    assert v.__dlpack_device__() == (CUDA_HOST, 0)
    for device, expected in ((None, CUDA_HOST), ((CUDA_HOST, 0), CUDA_HOST), ((CPU, 0), CPU)):
        managed = consume(v.__dlpack__(max_version=(1, 0), dl_device=device, copy=False))
        assert managed.tensor.device_type == expected and managed.flags == 0
        call_deleter(managed)


def test_array_keywords() -> None:
    a = image(4, 5)
    v = pixview.view(a)
    for dtype in (None, "uint8", np.uint8):
        assert address(v.__array__(dtype, copy=False)) == address(a)
        assert address(np.asarray(v, dtype=dtype)) == address(a)
        assert address(np.array(v, dtype=dtype, copy=True)) != address(a)
    with pytest.raises(ValueError, match="dtype"):
        v.__array__("float32", copy=False)


def test_dlpack_copy() -> None:
    a = image(4, 5, 3)[:, ::-1]
    managed = consume(pixview.view(a).__dlpack__(max_version=(1, 0), copy=True))
    assert isinstance(managed, Versioned)
    assert managed.flags & IS_COPIED and managed.tensor.data != address(a)
    call_deleter(managed)
    if NUMPY2:
        np.testing.assert_array_equal(np.from_dlpack(pixview.view(a), copy=True), a)


@pytest.mark.parametrize("versioned", [True, False])
def test_dlpack_fields(versioned: bool) -> None:
    a = image(4, 5, 3, dtype="float32")[1:, 1:]
    v = pixview.view(a, layout="CHW")
    managed = consume(v.__dlpack__(max_version=(1, 0) if versioned else None))
    t = managed.tensor
    assert t.data == address(a) and t.byte_offset == 0
    assert (t.device_type, t.device_id) == (CPU, 0)
    assert (t.code, t.bits, t.lanes) == (2, 32, 1)
    assert t.shape[: t.ndim] == [3, 3, 4] and t.strides[: t.ndim] == [1, 15, 3]
    if versioned:
        assert managed.major == 1 and managed.flags == 0
    call_deleter(managed)


def test_dlpack_read_only() -> None:
    v = pixview.view(frozen(4, 5))
    with pytest.raises(BufferError, match="(?i)read-only"):
        v.__dlpack__()
    managed = consume(v.__dlpack__(max_version=(1, 0)))
    assert managed.flags & READ_ONLY
    call_deleter(managed)


def test_a_capsule_nobody_takes_gives_the_source_back() -> None:
    a = image(4, 5)
    count = sys.getrefcount(a)
    for version in (None, (1, 0)):
        capsule = pixview.view(a).__dlpack__(max_version=version)
        assert sys.getrefcount(a) == count + 1
        del capsule
        assert sys.getrefcount(a) == count


def test_a_capsule_dropped_under_an_exception() -> None:
    a = image(4, 5)
    count = sys.getrefcount(a)
    with pytest.raises(ZeroDivisionError):
        [pixview.view(a).__dlpack__(), 1 / 0]
    assert eventually(lambda: sys.getrefcount(a) == count)


def test_torch_takes_it(torch: Any) -> None:
    for a in (image(4, 5, 3), image(4, 5, 3)[:, 1:]):
        t = torch.from_dlpack(pixview.view(a))
        assert t.data_ptr() == address(a) and tuple(t.shape) == a.shape
        np.testing.assert_array_equal(t.numpy(), a)
    b = torch.zeros(3, 4, 5, dtype=torch.bfloat16)
    assert torch.from_dlpack(pixview.view(b)).dtype == torch.bfloat16


def test_it_takes_itself() -> None:
    v = pixview.view(image(4, 5, 3))
    w = pixview.view(v.__dlpack__())
    assert address(w) == address(v)


def test_exports_leave_nothing_behind(torch: Any) -> None:
    v = pixview.view(image(4, 5, 3))
    check_flat(lambda: v.__dlpack__())
    check_flat(lambda: v.__dlpack__(max_version=(1, 0)))
    check_flat(lambda: np.from_dlpack(v))
    check_flat(lambda: torch.from_dlpack(v))
    check_flat(lambda: np.asarray(v))
    check_flat(lambda: memoryview(v).release())
    check_flat(lambda: v.crop(1, 1, 2, 2))
    check_flat(lambda: v.__array_interface__)
    check_flat(lambda: repr(v))


# ---- from_pointer on the host ----


def test_from_pointer() -> None:
    a = image(4, 5, 3, dtype="int16")
    v = pixview.from_pointer(address(a), a.shape, a.dtype, owner=a, device="cpu")
    assert (v.shape, v.layout, v.strides, v.device) == (a.shape, "HWC", a.strides, ("cpu", 0))
    np.testing.assert_array_equal(np.asarray(v), a)
    assert v.owner is a and not v.readonly
    for device in ("cpu", ("cpu", 0)):
        assert pixview.from_pointer(
            address(a), a.shape, "int16", device=device, owner=a
        ).device == ("cpu", 0)


def test_from_pointer_takes_dtypes_of_every_kind(torch: Any) -> None:
    a = image(4, 5, dtype="float32")
    for dtype in ("float32", "<f4", np.float32, np.dtype("float32"), torch.float32):
        v = pixview.from_pointer(address(a), a.shape, dtype, device="cpu", owner=a)
        assert v.dtype == np.float32
        np.testing.assert_array_equal(np.asarray(v), a)
    for dtype in (torch.bfloat16, "bfloat16"):
        assert (
            pixview.from_pointer(address(a), (4, 5), dtype, device="cpu", owner=a).dtype
            == "bfloat16"
        )
    assert pixview.from_pointer(address(a), (4, 5), bool, device="cpu", owner=a).dtype == np.bool_


def test_from_pointer_with_strides_layout_and_read_only() -> None:
    a = image(3, 4, 8)[:, :, :5]
    v = pixview.from_pointer(
        address(a),
        a.shape,
        "uint8",
        strides=a.strides,
        layout="CHW",
        device="cpu",
        owner=a,
        readonly=True,
    )
    assert (v.layout, v.strides, v.readonly) == ("CHW", a.strides, True)
    np.testing.assert_array_equal(np.asarray(v), a)


def test_from_pointer_holds_and_drops_its_owner() -> None:
    a = image(4, 5)
    count = sys.getrefcount(a)
    v = pixview.from_pointer(address(a), a.shape, "uint8", device="cpu", owner=a)
    n = pixview.as_numpy(v)
    assert sys.getrefcount(a) == count + 1
    del v
    assert sys.getrefcount(a) == count + 1
    del n
    assert eventually(lambda: sys.getrefcount(a) == count)
    assert pixview.from_pointer(address(a), a.shape, "uint8", device="cpu").owner is None


@pytest.mark.parametrize(
    "arguments, keywords, error",
    [
        ((64, (4,), "uint8"), {}, pixview.LayoutError),
        ((64, (), "uint8"), {}, pixview.LayoutError),
        ((64, (1, 2, 3, 4, 5), "uint8"), {}, pixview.LayoutError),
        ((64, (4, -5), "uint8"), {}, pixview.LayoutError),
        ((64, (2**40, 2**40), "uint8"), {}, pixview.LayoutError),
        ((64, (4, 5), "uint8"), {"strides": (5,)}, pixview.LayoutError),
        ((64, (4, 5), "uint8"), {"strides": (5, 1, 1)}, pixview.LayoutError),
        ((64, (4, 5), "uint8"), {"strides": (2**62, 2**62)}, pixview.LayoutError),
        ((64, (4, 5), "float32"), {"strides": (21, 4)}, pixview.LayoutError),
        ((65, (4, 5), "float32"), {}, pixview.LayoutError),
        ((0, (4, 5), "uint8"), {}, pixview.LayoutError),
        ((64, (4, 5), "uint8"), {"layout": "HWC"}, pixview.LayoutError),
        ((64, (4, 5), "uint8"), {"layout": "nope"}, pixview.LayoutError),
        ((64, (4, "5"), "uint8"), {}, TypeError),
        ((64, 20, "uint8"), {}, TypeError),
        ((64, (4, 5), "uint7"), {}, pixview.DtypeError),
        ((64, (4, 5), ">f4"), {}, pixview.DtypeError),
        ((64, (4, 5), None), {}, pixview.DtypeError),
        ((64, (4, 5), np.dtype("O")), {}, pixview.DtypeError),
        (("64", (4, 5), "uint8"), {}, TypeError),
        ((64.0, (4, 5), "uint8"), {}, TypeError),
        ((-64, (4, 5), "uint8"), {}, (ValueError, OverflowError)),
        ((2**64, (4, 5), "uint8"), {}, (ValueError, OverflowError)),
        ((64, (4, 5), "uint8"), {"device": "tpu"}, (pixview.DeviceError, ValueError)),
        ((64, (4, 5), "uint8"), {"device": ("cpu", 1, 2)}, (pixview.DeviceError, ValueError, TypeError)),
        ((64, (4, 5), "uint8"), {"device": 1.5}, (pixview.DeviceError, ValueError, TypeError)),
        ((64, (4, 5), "uint8"), {"device": -2}, (pixview.DeviceError, ValueError)),
        ((64, (4, 5), "uint8"), {"readonly": "yes"}, TypeError),
        ((64, (4, 5), "uint8"), {"stream": "x"}, TypeError),
        ((64, (4, 5), "uint8"), {"nothing": 1}, TypeError),
        ((64, (4, 5)), {}, TypeError),
    ],
)  # fmt: skip
def test_from_pointer_refuses(arguments: Any, keywords: Any, error: Any) -> None:
    owner = image(2, 2)
    count = sys.getrefcount(owner)
    with pytest.raises(error) as raised:
        pixview.from_pointer(*arguments, **({"device": "cpu", "owner": owner} | keywords))
    assert str(raised.value)
    assert sys.getrefcount(owner) == count


def test_from_pointer_of_nothing() -> None:
    v = pixview.from_pointer(0, (0, 5, 3), "uint8", device="cpu")
    assert v.shape == (0, 5, 3) and v.nbytes == 0
    assert np.asarray(v).shape == (0, 5, 3)
