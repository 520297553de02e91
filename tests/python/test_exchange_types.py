# SPDX-License-Identifier: Apache-2.0
"""Types with a DLPack C exchange table of their own, which pixview has never heard of."""

from __future__ import annotations

import ctypes
import gc
import weakref
from typing import Any

import numpy as np
import pixview
import pytest
from exchange import (
    FAILING,
    NAME,
    CurrentStream,
    Raised,
    link,
    producer,
)
from support import (
    CPU,
    CUDA,
    READ_ONLY,
    VULKAN,
    Dlpack,
    DLTensor,
    address,
    check_flat,
    image,
)

# ---- types with a table ----


def test_a_type_with_a_table(torch: Any) -> None:
    kind = producer()
    p = Dlpack(image(4, 5, 3))
    x = kind(p)
    for call in (pixview.view, pixview.as_numpy, pixview.as_torch):
        made = call(x)
        assert address(made) == address(p.array)
        del made
        assert p.settled()
    assert kind.asked == ["from_py"] * 3  # the host has no stream
    assert pixview.plan(x, "numpy").kind == "view"
    assert p.settled() and p.deleted == 4


def test_the_table_comes_before_the_other_protocols() -> None:
    def fail(self: Any, **keywords: Any) -> Any:
        raise AssertionError("the table comes first")

    kind = producer(members={"__dlpack__": fail, "__array_interface__": property(fail)})
    assert pixview.view(kind(Dlpack(image(4, 5)))).shape == (4, 5)


def test_the_object_s_own_attribute_does_not_count() -> None:
    x = Dlpack(image(4, 5))
    setattr(x, NAME, getattr(producer(), NAME))
    assert pixview.view(x).shape == (4, 5)
    assert len(x.asked) == 1  # through __dlpack__


def test_subclasses_inherit_the_table() -> None:
    kind = producer()
    sub = type("Sub", (kind,), {})
    assert pixview.view(sub(Dlpack(image(4, 5)))).shape == (4, 5)
    assert kind.asked == ["from_py"]


def test_the_flag_and_the_struct_are_read(torch: Any) -> None:
    p = Dlpack(image(4, 5, 3), flags=READ_ONLY)
    x = producer()(p)
    assert pixview.view(x).readonly
    with pytest.raises(pixview.ReadOnlyError):
        pixview.as_torch(x, copy=False)
    q = Dlpack(image(8, 5, 3, dtype="int16"), byte_offset=60, shape=(6, 5, 3), strides=None)
    np.testing.assert_array_equal(pixview.as_numpy(producer()(q)), q.array[2:])
    assert p.settled() and q.settled()


@pytest.mark.parametrize("fails", ["silently", "raising", "lying", "loudly"])
def test_a_table_that_fails(fails: str) -> None:
    p = Dlpack(image(4, 5))
    x = producer(fails=fails)(p)
    with pytest.raises(pixview.UnsupportedError, match="exchange table of a Exchanged") as raised:
        pixview.view(x)
    cause = raised.value.__cause__
    assert isinstance(cause, {"raising": Raised, "loudly": TypeError}.get(fails, type(None)))
    del raised, cause
    assert p.settled()


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"version": (2, 0)}, pixview.UnsupportedError),
        ({"version": (0, 8)}, pixview.UnsupportedError),
        ({"ndim": 1}, pixview.LayoutError),
        ({"ndim": -1}, pixview.LayoutError),
        ({"ndim": 2**31 - 1}, pixview.LayoutError),
        ({"data": None}, pixview.LayoutError),
        ({"lanes": 0}, pixview.DtypeError),
        ({"code": 250}, pixview.DtypeError),
        ({"shape": (2**62, 2**62, 4), "strides": None}, pixview.LayoutError),
        ({"strides": (2**62, 2**62, 1)}, pixview.LayoutError),
        ({"device": (VULKAN, 0)}, pixview.DeviceError),
        ({"device": (-1, 0)}, pixview.DeviceError),
    ],
    ids=str,
)
def test_a_table_whose_tensor_lies(fields: dict[str, Any], error: Any) -> None:
    for call in (pixview.view, pixview.as_numpy, lambda x: pixview.plan(x, "numpy")):
        p = Dlpack(image(4, 5, 3), **fields)
        with pytest.raises(error) as raised:
            call(producer()(p))
        assert str(raised.value)
        del raised
        assert p.settled() and p.deleted == 1


def test_a_tensor_without_shape_or_deleter() -> None:
    p = Dlpack(image(4, 5), deleter=False)
    assert pixview.view(producer()(p)).shape == (4, 5)

    class NoShape(Dlpack):
        def _tensor(self) -> DLTensor:
            t = super()._tensor()
            t.shape = None
            return t

    q = NoShape(image(4, 5))
    with pytest.raises(pixview.LayoutError, match="shape"):
        pixview.view(producer()(q))
    assert q.settled()


@pytest.mark.parametrize(
    "changes",
    [{"from_py": None}, {"major": 0}, {"major": 2}, {"major": 2**32 - 1}],
    ids=str,
)
def test_tables_that_cannot_be_used_leave_dlpack(changes: dict[str, Any]) -> None:
    p = Dlpack(image(4, 5))
    members = {
        "__dlpack__": lambda self, **k: p.__dlpack__(**k),
        "__dlpack_device__": lambda self: (CPU, 0),
    }
    kind = producer(changes=changes, members=members)
    assert pixview.view(kind(p)).shape == (4, 5)
    assert kind.asked == [] and len(p.asked) == 1
    with pytest.raises(pixview.UnsupportedError):
        pixview.view(producer(changes=changes)(p))


def test_a_newer_table_links_back_to_ours() -> None:
    kind = producer(version=(3, 0), changes={"from_py": 64})  # nothing else of it may be read
    middle, ours = producer(version=(2, 1), changes={"from_py": 64}), producer()
    link(kind.table, middle.table)
    link(middle.table, ours.table)
    assert pixview.view(kind(Dlpack(image(4, 5)))).shape == (4, 5)
    assert ours.asked == ["from_py"] and kind.asked == []
    circle = producer(version=(2, 0))
    link(circle.table, circle.table)
    with pytest.raises(pixview.UnsupportedError):
        pixview.view(circle(Dlpack(image(4, 5))))
    back = producer(version=(2, 0))
    link(back.table, producer(version=(0, 9)).table)
    with pytest.raises(pixview.UnsupportedError):
        pixview.view(back(Dlpack(image(4, 5))))


@pytest.mark.parametrize(
    "value", [None, 5, 4096, "table", object(), Dlpack(image(2, 2)).capsule()], ids=repr
)
def test_what_is_no_table(value: Any) -> None:
    kind = type("Odd", (), {NAME: value})
    with pytest.raises(pixview.UnsupportedError):
        pixview.view(kind())


def test_a_metaclass_that_raises_is_the_cause() -> None:
    error = Raised("no")

    class Meta(type):
        def __getattribute__(cls, name: str) -> Any:
            if name == NAME:
                raise error
            return super().__getattribute__(name)

    x = Meta("Odd", (), {})()
    with pytest.raises(pixview.UnsupportedError) as raised:
        pixview.view(x)
    assert raised.value.__cause__ is error


def test_many_types_are_told_apart() -> None:
    kinds = [producer() for _ in range(30)]
    sources = [Dlpack(image(4, 5 + i)) for i in range(30)]
    for _ in range(3):
        for kind, p in zip(kinds, sources, strict=True):
            assert pixview.view(kind(p)).shape == p.array.shape
    assert all(k.asked == ["from_py"] * 3 for k in kinds)


def test_types_are_not_kept_alive() -> None:
    refs = []
    for i in range(40):
        kind: Any = type("Passing", (Dlpack,), {}) if i % 2 else producer()
        p = Dlpack(image(4, 5 + i))
        assert pixview.view(p if i % 2 else kind(p)).shape == (4, 5 + i)
        if i % 2:
            pixview.view(kind(image(4, 5 + i)))
        refs.append(weakref.ref(kind))
        del kind, p
    gc.collect()
    assert not any(r() is not None for r in refs)


def test_tables_leave_nothing_behind() -> None:
    x = producer()(pixview_source())
    check_flat(lambda: pixview.view(x), n=2000)


class pixview_source:
    """Shows the same Image again and again, by its own table."""

    def __init__(self) -> None:
        self.image = pixview.view(image(4, 5))

    def capsule(self) -> Any:
        return self.image.__dlpack__(max_version=(1, 3))


# ---- streams of such types ----


def on_gpu(fake: Any, **keywords: Any) -> tuple[Any, Dlpack]:
    a = fake.register(image(4, 5, 3))
    p = Dlpack(a, device=(CUDA, 0))
    kind = producer(
        members={
            "__dlpack__": lambda self, **k: p.__dlpack__(**k),
            "__dlpack_device__": lambda self: (CUDA, 0),
        },
        **keywords,
    )
    return kind(p), p


@pytest.mark.parametrize("stream", [0, None], ids=["NULL", "no function"])
def test_an_unknown_stream_goes_through_dlpack(fake: Any, torch: Any, stream: Any) -> None:
    x, p = on_gpu(fake, stream=stream)
    t = pixview.as_torch(x)
    assert t.data_ptr() == address(p.array) and t.is_cuda
    assert p.asked[0]["stream"] == 1
    assert type(x).asked == (["from_py"] if stream is None else ["from_py", "stream 2:0"])
    del t
    assert p.settled() and p.taken == 2  # one of them given back at once


def test_an_unknown_stream_without_dlpack_is_the_legacy_one(fake: Any, torch: Any) -> None:
    p = Dlpack(fake.register(image(4, 5, 3)), device=(CUDA, 0))
    fake.reset()
    t = pixview.as_torch(producer()(p))
    assert t.is_cuda and fake.calls() == ""
    del t
    assert p.settled()


def test_the_legacy_stream_by_name(fake: Any, torch: Any) -> None:
    x, p = on_gpu(fake, stream=1)
    pixview.as_torch(x)
    fake.reset()
    t = pixview.as_torch(x)
    assert t.is_cuda and fake.calls() == "" and p.asked == []
    del t
    assert p.settled()


def test_another_stream_is_waited_for_and_not_stored(fake: Any, torch: Any) -> None:
    x, p = on_gpu(fake, stream=fake.stream)
    pixview.as_torch(x)
    fake.reset()
    t = pixview.as_torch(x)
    assert fake.work() == ["record", "wait"] and p.asked == []
    del t
    assert p.settled()
    assert fake.work() == [
        "record",
        "wait",
    ]  # it may be gone by now: only legacy, which is the same
    v = pixview.view(x)
    assert v.__cuda_array_interface__["stream"] == 1  # made to wait, since the other may go away
    assert fake.work() == ["record", "wait"] * 2
    del v
    assert p.settled()


def test_a_stream_that_is_not_told(fake: Any, torch: Any) -> None:
    for rc in ("silently", "loudly"):
        x, p = on_gpu(fake)
        failing = CurrentStream(lambda *ignored: -1)
        type(x).table.current_work_stream = (
            FAILING["loudly"] if rc == "loudly" else ctypes.cast(failing, ctypes.c_void_p).value
        )
        with pytest.raises(pixview.UnsupportedError, match="stream") as raised:
            pixview.as_torch(x)
        assert isinstance(raised.value.__cause__, TypeError) == (rc == "loudly")
        del raised
        assert p.settled() and p.deleted == 1


def test_a_driver_that_fails(fake: Any, torch: Any) -> None:
    x, p = on_gpu(fake, stream=fake.stream)
    pixview.as_torch(x)
    fake.reset()
    fake.fail_at(1, 999)
    with pytest.raises(pixview.CudaError):
        pixview.as_torch(x)
    fake.reset()
    assert p.settled()
