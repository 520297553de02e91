# SPDX-License-Identifier: Apache-2.0
"""Hand-made DLPack producers: both structs, old signatures, odd fields, and the deleter called once."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pixview
import pytest
from support import (
    CPU,
    CUDA_HOST,
    DTYPES,
    READ_ONLY,
    VULKAN,
    BareDlpack,
    Dlpack,
    StreamDlpack,
    address,
    capsule_name,
    check_flat,
    eventually,
    image,
    in_thread,
)

PRODUCERS = (Dlpack, BareDlpack, StreamDlpack)
VERSIONED = pytest.mark.parametrize("versioned", [True, False])


@VERSIONED
@pytest.mark.parametrize("make", PRODUCERS)
def test_views_the_producer_s_memory(torch: Any, make: Any, versioned: bool) -> None:
    a = image(4, 5, 3)[:, 1:]
    p = make(a, versioned=versioned)
    for call in (pixview.as_numpy, pixview.as_torch, pixview.view):
        made = call(p)
        assert address(made) == address(a)
        assert p.deleted == 0 or p.deleted < p.taken
        del made
        assert p.settled()
    assert p.taken == 3


@VERSIONED
@pytest.mark.parametrize("name", DTYPES)
def test_dtypes(name: str, versioned: bool) -> None:
    a = image(4, 5, dtype=name)
    p = Dlpack(a, versioned=versioned)
    n = pixview.as_numpy(p)
    assert n.dtype == a.dtype
    np.testing.assert_array_equal(n, a)
    del n
    assert p.settled()


def test_bfloat16(torch: Any) -> None:
    a = image(4, 5, dtype="uint16")
    v = pixview.view(Dlpack(a, code=4, bits=16))
    assert v.dtype == "bfloat16"
    assert pixview.as_torch(v).view(torch.uint16).numpy().tolist() == a.tolist()


def test_asks_for_the_versioned_struct_without_a_stream_on_the_host() -> None:
    p = Dlpack(image(4, 5))
    pixview.view(p)
    assert p.asked[0]["max_version"][0] == 1
    assert p.asked[0].get("stream") is None


def test_an_old_producer_is_asked_again_without_keywords() -> None:
    p = BareDlpack(image(4, 5), versioned=False)
    v = pixview.view(p)
    assert p.asked == [{}] and len(p.capsules) == 1
    del v
    assert p.settled() and p.taken == 1


@VERSIONED
def test_no_strides_means_packed(versioned: bool) -> None:
    a = image(4, 5, 3, dtype="int32")
    v = pixview.view(Dlpack(a, versioned=versioned, strides=None))
    assert v.strides == a.strides
    np.testing.assert_array_equal(np.asarray(v), a)


@VERSIONED
def test_byte_offset_is_added(versioned: bool) -> None:
    a = image(8, 5, 3, dtype="int16")
    v = pixview.view(Dlpack(a, versioned=versioned, byte_offset=60, shape=(6, 5, 3)))
    assert v.shape == (6, 5, 3) and address(v) == address(a) + 60
    np.testing.assert_array_equal(np.asarray(v), a[2:])


@VERSIONED
@pytest.mark.parametrize("strides", [(-15, 3, 1), (0, 3, 1), (15, -3, 1), (15, 3, -1)])
def test_strides_of_any_sign(versioned: bool, strides: tuple[int, ...]) -> None:
    base = image(9, 5, 3)
    start = sum(-s * (n - 1) for s, n in zip(strides, (4, 5, 3), strict=True) if s < 0)
    p = Dlpack(base, versioned=versioned, shape=(4, 5, 3), strides=strides, byte_offset=start)
    expected = np.lib.stride_tricks.as_strided(base.ravel()[start:], (4, 5, 3), strides)
    np.testing.assert_array_equal(pixview.as_numpy(p), expected)
    assert p.settled()


@VERSIONED
@pytest.mark.parametrize("shape", [(0, 5, 3), (4, 0, 3), (0, 0)])
def test_zero_size_without_memory(torch: Any, versioned: bool, shape: tuple[int, ...]) -> None:
    p = Dlpack(np.zeros(shape, np.float32), versioned=versioned)
    for call in (pixview.as_numpy, pixview.view):
        assert call(p).shape == shape
    assert pixview.as_torch(p).numel() == 0
    assert p.settled() and p.taken >= 2


@VERSIONED
def test_the_deleter_may_be_missing(versioned: bool) -> None:
    p = Dlpack(image(4, 5), versioned=versioned, deleter=False)
    v = pixview.view(p)
    assert capsule_name(p.capsules[0]).startswith("used")
    del v


@pytest.mark.parametrize("version", [(1, 0), (1, 3), (1, 99)])
def test_minor_versions(version: tuple[int, int]) -> None:
    p = Dlpack(image(4, 5), version=version)
    assert pixview.view(p).shape == (4, 5)
    assert p.settled()


def test_read_only_flag(torch: Any) -> None:
    a = image(4, 5, 3)
    p = Dlpack(a, flags=READ_ONLY)
    v = pixview.view(p)
    assert v.readonly
    assert not pixview.as_numpy(p).flags.writeable
    assert pixview.as_torch(p).data_ptr() != address(a)
    with pytest.raises(pixview.ReadOnlyError):
        pixview.as_torch(p, copy=False)
    assert pixview.as_torch(p, allow_readonly=True).data_ptr() == address(a)
    del v
    assert p.settled()


def test_pinned_memory_is_host_memory(torch: Any) -> None:
    a = image(4, 5, 3)
    p = Dlpack(a, device=(CUDA_HOST, 0))
    assert address(pixview.as_numpy(p)) == address(a)
    v = pixview.view(p)
    assert v.device == ("cpu", 0)
    # torch's own import refuses pinned memory: for torch it is plain host memory.
    assert pixview.as_torch(p).data_ptr() == address(a)
    del v
    assert p.settled()


@VERSIONED
def test_bare_capsules(versioned: bool) -> None:
    p = Dlpack(image(4, 5, 3), versioned=versioned)
    capsule = p.capsule()
    v = pixview.view(capsule)
    assert address(v) == address(p.array)
    with pytest.raises(pixview.Error, match="used_dltensor|consumed"):
        pixview.view(capsule)
    del v
    assert p.settled() and p.deleted == 1


def test_the_view_keeps_the_struct_and_not_the_producer() -> None:
    a = image(4, 5)
    p = Dlpack(a)
    n = pixview.as_numpy(p)
    count = sys.getrefcount(p)
    del n
    assert p.settled() and p.deleted == 1
    assert sys.getrefcount(p) == count


def test_every_view_of_a_view_shares_one_deleter(torch: Any) -> None:
    p = Dlpack(image(4, 5, 3))
    v = pixview.view(p)
    t, n, part = pixview.as_torch(v), pixview.as_numpy(v), v.crop(1, 1, 2, 2)
    del v, t
    assert p.deleted == 0
    np.testing.assert_array_equal(np.asarray(part), p.array[1:3, 1:3])
    del n
    assert p.deleted == 0
    del part
    assert p.settled() and p.deleted == 1


def test_a_copy_does_not_hold_the_producer(torch: Any) -> None:
    p = Dlpack(image(4, 5, 3))
    kept = [
        pixview.as_torch(p, copy=True),
        pixview.as_numpy(p, copy=True),
        pixview.view(p, copy=True),
    ]
    assert p.settled() and p.deleted == 3
    for x in kept:
        assert address(x) != address(p.array)


def test_plan_takes_nothing_for_good() -> None:
    p = Dlpack(image(4, 5, 3))
    assert pixview.plan(p, "numpy").kind == "view"
    assert p.settled()


def test_the_last_view_dies_on_another_thread(torch: Any) -> None:
    p = Dlpack(image(4, 5, 3))
    for call in (pixview.as_torch, pixview.as_numpy, pixview.view):
        box = [call(p)]
        in_thread(box.clear)
        assert p.settled()


# ---- wrong structs: a typed error, and the deleter called exactly as often as it is owed ----

WRONG: list[tuple[dict[str, Any], Any]] = [
    ({"ndim": 5}, pixview.LayoutError),
    ({"ndim": 1}, pixview.LayoutError),
    ({"ndim": 0}, pixview.LayoutError),
    ({"ndim": -1}, pixview.LayoutError),
    ({"ndim": 2**31 - 1}, pixview.LayoutError),
    ({"shape": (4, -5, 3)}, pixview.LayoutError),
    ({"shape": (2**62, 2**62, 4), "strides": None}, pixview.LayoutError),
    ({"shape": (2**31, 2**31, 3), "strides": None}, pixview.LayoutError),
    ({"strides": (2**62, 2**62, 1)}, pixview.LayoutError),
    ({"strides": (2**63 - 1, 3, 1), "bits": 64, "code": 2}, pixview.LayoutError),
    ({"data": None}, pixview.LayoutError),
    ({"lanes": 4}, pixview.DtypeError),
    ({"lanes": 0}, pixview.DtypeError),
    ({"bits": 4}, pixview.DtypeError),
    ({"bits": 0}, pixview.DtypeError),
    ({"bits": 7}, pixview.DtypeError),
    ({"code": 3}, pixview.DtypeError),
    ({"code": 17, "bits": 4}, pixview.DtypeError),
    ({"code": 250}, pixview.DtypeError),
    ({"code": 2, "bits": 8}, pixview.DtypeError),
    ({"device": (VULKAN, 0)}, pixview.DeviceError),
    ({"device": (10, 0)}, pixview.DeviceError),
    ({"device": (99, 0)}, pixview.DeviceError),
    ({"device": (-1, 0)}, pixview.DeviceError),
]


@VERSIONED
@pytest.mark.parametrize(
    "call", [pixview.as_numpy, pixview.as_torch, pixview.view], ids=lambda f: f.__name__
)
@pytest.mark.parametrize(
    "fields, error", WRONG, ids=lambda v: str(v) if isinstance(v, dict) else ""
)
def test_wrong_structs(
    torch: Any, call: Any, fields: dict[str, Any], error: Any, versioned: bool
) -> None:
    p = Dlpack(image(4, 5, 3), versioned=versioned, **fields)
    count = sys.getrefcount(p)
    with pytest.raises(error) as raised:
        call(p)
    assert str(raised.value)
    del raised
    assert p.settled()
    assert eventually(lambda: sys.getrefcount(p) == count)


@pytest.mark.parametrize("version", [(0, 8), (2, 0), (999, 0)])
def test_other_major_versions(version: tuple[int, int]) -> None:
    p = Dlpack(image(4, 5), version=version)
    with pytest.raises(pixview.UnsupportedError, match=str(version[0])):
        pixview.view(p)
    assert p.settled()


def test_the_size_that_no_image_of_pixview_reads() -> None:
    p = Dlpack(image(4, 5, 3))
    for keywords in ({"layout": "HW"}, {"src_layout": "HW"}, {"stream": "x"}, {"copy": "x"}):
        with pytest.raises((pixview.LayoutError, TypeError)):
            pixview.view(p, **keywords)
    assert p.settled()


# ---- producers that fail ----


class Boom(Exception):
    pass


class Failing(Dlpack):
    def __init__(self, where: str, error: BaseException) -> None:
        super().__init__(image(4, 5))
        self.where, self.error = where, error

    def __dlpack__(self, **keywords: Any) -> Any:
        if self.where == "dlpack":
            raise self.error
        return super().__dlpack__(**keywords)

    def __dlpack_device__(self) -> tuple[int, int]:
        if self.where == "device":
            raise self.error
        return (CPU, 0)


@pytest.mark.parametrize("where", ["dlpack", "device"])
@pytest.mark.parametrize(
    "error", [Boom("boom"), BufferError("no"), RuntimeError("x"), TypeError("t")], ids=repr
)
def test_the_producer_s_exception_is_the_cause(where: str, error: Exception) -> None:
    p = Failing(where, error)
    with pytest.raises(pixview.Error, match="Failing") as raised:
        pixview.view(p)
    assert raised.value.__cause__ is error
    assert p.settled()


@pytest.mark.parametrize("where", ["dlpack", "device"])
def test_what_is_no_error_of_the_producer_passes_through(where: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        pixview.view(Failing(where, KeyboardInterrupt()))
    with pytest.raises(MemoryError):
        pixview.view(Failing(where, MemoryError()))


class Odd:
    def __init__(self, made: Any, device: Any = (CPU, 0)) -> None:
        self.made, self.device = made, device

    def __dlpack__(self, **keywords: Any) -> Any:
        return self.made

    def __dlpack_device__(self) -> Any:
        return self.device


@pytest.mark.parametrize("made", [None, 5, "dltensor", b"", [], object()], ids=repr)
def test_what_is_no_capsule(made: Any) -> None:
    with pytest.raises(pixview.UnsupportedError, match=type(made).__name__):
        pixview.view(Odd(made))


@pytest.mark.parametrize(
    "device", [None, (), (1,), (1, 0, 0), "cpu", ("1", "0"), 1, (2**40, 0), (1.5, 0)], ids=repr
)
def test_what_is_no_device(device: Any) -> None:
    p = Dlpack(image(4, 5), device=(CPU, 0))
    with pytest.raises(pixview.Error):
        pixview.view(Odd(p.capsule(), device))
    assert p.settled()


def test_capsules_of_another_name() -> None:
    import datetime

    numpy = getattr(np, "_core", None) or np.core  # NumPy 2, NumPy 1
    for capsule in (datetime.datetime_CAPI, numpy._multiarray_umath._ARRAY_API):
        with pytest.raises(pixview.UnsupportedError):
            pixview.view(Odd(capsule))
        with pytest.raises(pixview.UnsupportedError):
            pixview.view(capsule)


def test_a_producer_without_dlpack_device() -> None:
    class Half:
        def __dlpack__(self, **keywords: Any) -> Any:
            raise AssertionError("must not be asked: where the memory is, is unknown")

    with pytest.raises(pixview.UnsupportedError, match="__dlpack_device__"):
        pixview.view(Half())


def test_many_conversions_call_every_deleter(torch: Any) -> None:
    for versioned in (True, False):
        p = Dlpack(image(4, 5, 3), versioned=versioned)
        for _ in range(500):
            pixview.as_torch(p)
            pixview.as_numpy(p)
            pixview.view(p)
        assert p.settled() and p.deleted == 1500


def test_numpy_as_a_dlpack_producer_leaves_nothing_behind() -> None:
    class Wrapped:
        def __init__(self, a: np.ndarray[Any, Any]) -> None:
            self.a = a

        def __dlpack__(self, **keywords: Any) -> Any:
            return self.a.__dlpack__(**keywords)

        def __dlpack_device__(self) -> Any:
            return self.a.__dlpack_device__()

    a = image(4, 5, 3)
    count = sys.getrefcount(a)
    box = [Wrapped(a)]
    check_flat(lambda: pixview.view(box[0]))

    def refused() -> None:
        try:
            pixview.view(box[0], layout="HW")
        except pixview.LayoutError:
            pass

    check_flat(refused)
    box.clear()
    assert sys.getrefcount(a) == count
