# SPDX-License-Identifier: Apache-2.0
"""NumPy and CPU torch: element types, copy=, contiguous=, identity, read-only, what torch can hide."""

from __future__ import annotations

from typing import Any

import numpy as np
import pixview
import pytest
from support import DTYPES, address, check_flat, image

CALLS = (pixview.as_torch, pixview.as_numpy, pixview.view)


# ---- element types ----


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes_between_numpy_and_torch(torch: Any, name: str) -> None:
    a = image(4, 5, 3, dtype=name)
    t = pixview.as_torch(a)
    assert t.dtype == getattr(torch, name) and t.data_ptr() == address(a)
    np.testing.assert_array_equal(t.numpy().transpose(1, 2, 0), a)
    n = pixview.as_numpy(t)
    assert n.dtype == np.dtype(name) and address(n) == address(a)
    np.testing.assert_array_equal(n, a)
    v = pixview.view(t)
    assert v.dtype == np.dtype(name) and isinstance(v.dtype, np.dtype)
    assert v.nbytes == a.nbytes


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes_through_a_copy(torch: Any, name: str) -> None:
    a = image(4, 7, 3, dtype=name)
    t = pixview.as_torch(a, copy=True)
    assert t.is_contiguous() and t.data_ptr() != address(a)
    np.testing.assert_array_equal(t.numpy(), a.transpose(2, 0, 1))
    n = pixview.as_numpy(t, copy=True)
    assert n.flags.c_contiguous and n.flags.writeable
    np.testing.assert_array_equal(n, a)


def test_bfloat16(torch: Any) -> None:
    t = torch.arange(60, dtype=torch.bfloat16).reshape(3, 4, 5)
    v = pixview.view(t)
    assert v.dtype == "bfloat16" and v.nbytes == 120
    back = pixview.as_torch(v)
    assert back.dtype == torch.bfloat16 and back.data_ptr() == t.data_ptr()
    assert torch.equal(pixview.as_torch(v, copy=True), t)
    try:
        import ml_dtypes
    except ImportError:
        with pytest.raises(pixview.DtypeError, match="pip install ml_dtypes.*uint16"):
            pixview.as_numpy(t)
    else:
        assert pixview.as_numpy(t).dtype == ml_dtypes.bfloat16


UNKNOWN = [
    np.zeros((4, 5), ">f4"),
    np.zeros((4, 5), ">u2"),
    np.zeros((4, 5), "O"),
    np.zeros((4, 5), "U3"),
    np.zeros((4, 5), "S3"),
    np.zeros((4, 5), "M8[s]"),
    np.zeros((4, 5), "m8[s]"),
    np.zeros((4, 5), [("r", "u1"), ("g", "u1")]),
    np.zeros((4, 5), "V4"),
]
if np.dtype(np.longdouble).itemsize > 8:
    UNKNOWN += [np.zeros((4, 5), np.longdouble), np.zeros((4, 5), np.clongdouble)]


@pytest.mark.parametrize("a", UNKNOWN, ids=lambda a: a.dtype.str)
def test_dtypes_that_no_image_has(torch: Any, a: np.ndarray[Any, Any]) -> None:
    for call in (pixview.as_torch, pixview.view):
        for copy in (None, True):
            with pytest.raises(pixview.DtypeError) as raised:
                call(a, copy=copy)
            assert str(raised.value)
    with pytest.raises(pixview.DtypeError):
        pixview.plan(a, "torch")


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "complex32"])
def test_torch_dtypes_that_no_image_has(torch: Any, name: str) -> None:
    t = torch.zeros(3, 4, 5, dtype=getattr(torch, name))
    for call in CALLS[1:]:
        with pytest.raises(pixview.DtypeError) as raised:
            call(t)
        assert str(raised.value)


# ---- copy=, contiguous=, identity ----


def test_the_object_itself_comes_back_when_it_fits(torch: Any) -> None:
    for shape in ((4, 5), (4, 5, 3), (2, 4, 5, 3)):
        a = image(*shape)
        for keywords in ({}, {"copy": False}, {"contiguous": True}):
            assert pixview.as_numpy(a, **keywords) is a
        t = torch.zeros(shape)
        assert pixview.as_torch(t, src_layout={2: "HW", 3: "CHW", 4: "NCHW"}[len(shape)]) is t
    t = torch.zeros(3, 4, 5)
    assert pixview.as_torch(t) is t
    assert pixview.as_torch(t, layout="CHW", contiguous=True) is t
    v = pixview.view(t)
    assert pixview.view(v) is v
    pitched = image(9, 9)[1:4, 2:7]
    assert pixview.as_numpy(pitched) is pitched


def test_the_object_itself_does_not_come_back_when_something_differs(torch: Any) -> None:
    a, t = image(4, 5, 3), torch.zeros(3, 4, 5)
    assert pixview.as_numpy(a, copy=True) is not a
    assert pixview.as_torch(t, copy=True) is not t
    assert pixview.as_torch(t, layout="HWC").shape == (4, 5, 3)
    assert pixview.as_numpy(a, layout="CHW").shape == (3, 4, 5)
    assert pixview.as_torch(t.transpose(1, 2), contiguous=True).is_contiguous()
    assert pixview.view(a, layout="CHW") is not a
    v = pixview.view(a)
    assert pixview.view(v, copy=True) is not v


def test_a_copy_is_dense_in_the_layout_of_the_result(torch: Any) -> None:
    a = image(4, 5, 3)
    for layout, strides in (("CHW", (20, 5, 1)), ("HWC", (15, 3, 1)), ("NCHW", (60, 20, 5, 1))):
        t = pixview.as_torch(a, layout=layout, copy=True)
        assert t.is_contiguous() and t.stride()[-len(strides) :] == strides
        n = pixview.as_numpy(t, src_layout=layout, layout=layout, copy=True)
        assert n.strides == strides and n.flags.c_contiguous
        v = pixview.view(a, layout=layout, copy=True)
        assert v.strides == strides and not np.shares_memory(np.asarray(v), a)


def test_a_copy_shares_nothing(torch: Any) -> None:
    a = image(40, 50, 3)
    before = a.copy()
    t = pixview.as_torch(a, copy=True)
    n = pixview.as_numpy(a, copy=True)
    v = pixview.view(a, copy=True)
    t.zero_()
    n[:] = 0
    np.testing.assert_array_equal(a, before)
    a[:] = 1
    np.testing.assert_array_equal(np.asarray(v), before)


def test_contiguous_copies_only_what_is_not(torch: Any) -> None:
    a = image(4, 5, 3)
    dense = pixview.as_torch(a, layout="HWC", contiguous=True)
    assert dense.data_ptr() == address(a)
    planes = pixview.as_torch(a, contiguous=True)
    assert planes.is_contiguous() and planes.data_ptr() != address(a)
    np.testing.assert_array_equal(planes.numpy(), a.transpose(2, 0, 1))
    with pytest.raises(pixview.LayoutError):
        pixview.as_torch(a, contiguous=True, copy=False)
    assert pixview.as_numpy(planes, contiguous=True).flags.c_contiguous
    assert pixview.as_numpy(a[:, 1:], contiguous=True).flags.c_contiguous
    # One row or one channel: dense whatever the strides say.
    assert pixview.as_torch(a[:1, :, :1], layout="HW", contiguous=True).is_contiguous()


@pytest.mark.parametrize(
    "h, w, c", [(1, 1, 1), (1, 67, 3), (67, 1, 3), (33, 65, 4), (480, 641, 3), (7, 9, 33)]
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64", "complex128"])
def test_copies_of_many_shapes(torch: Any, h: int, w: int, c: int, dtype: str) -> None:
    wide = image(h, w + 2, c, dtype=dtype)
    a = wide[:, 1:-1]
    t = pixview.as_torch(a, src_layout="HWC", copy=True)
    np.testing.assert_array_equal(t.numpy(), a.transpose(2, 0, 1))
    n = pixview.as_numpy(t, src_layout="CHW", copy=True)
    np.testing.assert_array_equal(n, a)


def test_batches_are_copied_right(torch: Any) -> None:
    a = image(5, 16, 17, 3)
    t = pixview.as_torch(a, copy=True)
    np.testing.assert_array_equal(t.numpy(), a.transpose(0, 3, 1, 2))
    channels_last = torch.from_numpy(a.transpose(0, 3, 1, 2).copy()).contiguous(
        memory_format=torch.channels_last
    )
    n = pixview.as_numpy(channels_last, contiguous=True, copy=False)
    np.testing.assert_array_equal(n, a)


# ---- read-only ----


def frozen(*shape: int) -> np.ndarray[Any, Any]:
    a = image(*shape)
    a.flags.writeable = False
    return a


def test_read_only_to_torch_copies(torch: Any) -> None:
    a = frozen(4, 5, 3)
    t = pixview.as_torch(a)
    assert t.data_ptr() != address(a)
    np.testing.assert_array_equal(t.numpy(), a.transpose(2, 0, 1))
    plan = pixview.plan(a, "torch")
    assert plan.kind == "copy" and "read-only" in plan.reason.lower()


def test_read_only_to_torch_without_a_copy_is_refused(torch: Any) -> None:
    with pytest.raises(pixview.ReadOnlyError, match="allow_readonly") as raised:
        pixview.as_torch(frozen(4, 5, 3), copy=False)
    assert isinstance(raised.value, BufferError)


def test_read_only_alias_on_request(torch: Any) -> None:
    a = frozen(4, 5, 3)
    for copy in (None, False):
        assert pixview.as_torch(a, allow_readonly=True, copy=copy).data_ptr() == address(a)
    assert pixview.as_torch(a, allow_readonly=True, copy=True).data_ptr() != address(a)


def test_read_only_stays_so_where_it_can_be_said() -> None:
    a = frozen(4, 5, 3)
    v = pixview.view(a)
    assert v.readonly and address(v) == address(a)
    n = pixview.as_numpy(v)
    assert not n.flags.writeable and address(n) == address(a)
    assert pixview.as_numpy(a) is a
    assert v.crop(1, 1, 2, 2).readonly
    assert not pixview.view(a, copy=True).readonly
    assert pixview.as_numpy(a, copy=True).flags.writeable
    assert not pixview.view(image(4, 5)).readonly


def test_read_only_empty_image(torch: Any) -> None:
    a = np.zeros((0, 5, 3), np.uint8)
    a.flags.writeable = False
    assert pixview.as_torch(a, src_layout="HWC").shape == (3, 0, 5)


# ---- what torch hides ----


def test_requires_grad_is_detached_for_reading(torch: Any) -> None:
    leaf = torch.arange(60.0).reshape(3, 4, 5).requires_grad_()
    for t in (leaf, leaf * 2, torch.nn.Parameter(torch.ones(3, 4, 5))):
        n = pixview.as_numpy(t)
        assert address(n) == t.data_ptr()
        np.testing.assert_array_equal(n, t.detach().numpy().transpose(1, 2, 0))
        v = pixview.view(t)
        assert address(v) == t.data_ptr()
        assert t.requires_grad
        again = pixview.as_torch(t, layout="HWC")
        assert not again.requires_grad


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("copy", [None, True, False])
def test_conj_and_neg_bits_are_refused(torch: Any, call: Any, copy: Any) -> None:
    z = torch.complex(torch.ones(3, 4, 5), torch.ones(3, 4, 5))
    with pytest.raises(pixview.Error, match="resolve_conj"):
        call(z.conj(), copy=copy)
    negated = z.conj().imag
    assert negated.is_neg()
    with pytest.raises(pixview.Error, match="resolve_neg"):
        call(negated, copy=copy)
    assert address(pixview.as_numpy(z)) == z.data_ptr()
    np.testing.assert_array_equal(pixview.as_numpy(negated.resolve_neg()), -1)


@pytest.mark.parametrize("call", CALLS)
def test_tensors_without_strides_are_refused(torch: Any, call: Any) -> None:
    dense = torch.eye(4)
    for t in (dense.to_sparse(), dense.to_sparse_csr(), torch.empty(4, 5, device="meta")):
        with pytest.raises(pixview.Error) as raised:
            call(t)
        assert str(raised.value)


def test_quantized_tensors_are_refused(torch: Any) -> None:
    q = torch.quantize_per_tensor(torch.rand(3, 4, 5), 0.1, 10, torch.quint8)
    for call in CALLS[1:]:
        with pytest.raises(pixview.Error):
            call(q)


def test_subclasses_of_tensor_and_ndarray(torch: Any) -> None:
    class Mine(torch.Tensor):
        pass

    t = torch.arange(60.0).reshape(3, 4, 5).as_subclass(Mine)
    assert address(pixview.as_numpy(t)) == t.data_ptr()

    class Array(np.ndarray):
        pass

    a = image(4, 5, 3).view(Array)
    assert pixview.as_torch(a).data_ptr() == address(a)
    assert pixview.view(a).layout == "HWC"


def test_views_see_each_other_s_writes(torch: Any) -> None:
    a = image(4, 5, 3)
    t, v = pixview.as_torch(a), pixview.view(a)
    t += 1
    np.testing.assert_array_equal(np.asarray(v), a)
    assert a[0, 0, 0] == 4


# ---- without torch's exchange table ----


@pytest.fixture
def no_table(torch: Any) -> Any:
    pixview._core._force(torch_table=False)
    yield
    pixview._core._force(torch_table=True)


def test_without_the_exchange_table(torch: Any, no_table: None) -> None:
    for name in ("uint8", "float32", "int64", "bool", "complex64"):
        a = image(4, 5, 3, dtype=name)
        t = pixview.as_torch(a)
        assert t.data_ptr() == address(a) and t.dtype == getattr(torch, name)
        n = pixview.as_numpy(t)
        assert address(n) == address(a) and n.strides == a.strides
        np.testing.assert_array_equal(pixview.as_torch(a, copy=True).numpy(), a.transpose(2, 0, 1))
    assert pixview.as_torch(t) is t
    with pytest.raises(pixview.Error, match="resolve_conj"):
        pixview.as_numpy(torch.zeros(3, 4, 5, dtype=torch.complex64).conj())
    leaf = torch.zeros(3, 4, 5, requires_grad=True)
    assert address(pixview.as_numpy(leaf)) == leaf.data_ptr()
    with pytest.raises(pixview.Error):
        pixview.view(torch.eye(4).to_sparse())
    assert pixview.as_torch(np.zeros((0, 5, 3)), src_layout="HWC").shape == (3, 0, 5)


# ---- memory ----


@pytest.mark.parametrize("table", [True, False])
def test_conversions_leave_nothing_behind(torch: Any, table: bool) -> None:
    a, t = image(8, 9, 3), torch.zeros(3, 8, 9)
    pixview._core._force(torch_table=table)
    try:
        check_flat(lambda: pixview.as_torch(a))
        check_flat(lambda: pixview.as_numpy(t))
        check_flat(lambda: pixview.view(t))
        check_flat(lambda: pixview.as_torch(a, copy=True))
        check_flat(lambda: pixview.as_numpy(t, copy=True))
        check_flat(lambda: pixview.view(t, copy=True))
        check_flat(lambda: pixview.plan(t, "numpy"))
    finally:
        pixview._core._force(torch_table=True)


def test_errors_leave_nothing_behind(torch: Any) -> None:
    a = frozen(8, 9, 3)

    def refused() -> None:
        for bad, keywords in (
            (a, {"copy": False}),
            (a, {"layout": "HW"}),
            ("x", {}),
            (a, {"stream": "x"}),
        ):
            with pytest.raises((pixview.Error, TypeError)):
                pixview.as_torch(bad, **keywords)

    check_flat(refused, 2000)
