# SPDX-License-Identifier: Apache-2.0
"""Libraries that take an Image of host memory, each for real. A library that is missing is skipped."""

from __future__ import annotations

import gc
import os
import sys
from typing import Any

import numpy as np
import pixview
import pytest
from support import address, check_flat, eventually, image

os.environ.setdefault("JAX_PLATFORMS", "cpu")  # before anybody imports it


@pytest.fixture(scope="session")  # it remembers every type that it has met
def tvm_ffi() -> Any:
    ffi = pytest.importorskip("tvm_ffi", reason="no tvm_ffi: pip install apache-tvm-ffi")
    ffi.convert(lambda x: x)(frozen())
    return ffi


@pytest.fixture
def jax() -> Any:
    return pytest.importorskip("jax", reason="no jax (85 MB): pip install jax")


@pytest.fixture(scope="session")  # it remembers every type that it has met
def memory_view() -> Any:
    pytest.importorskip("cuda.bindings", reason="no cuda.core: pip install cuda-core cuda-python")
    core = pytest.importorskip("cuda.core.utils", reason="no cuda.core: pip install cuda-core")
    core.StridedMemoryView.from_dlpack(frozen(), stream_ptr=-1)
    return core.StridedMemoryView


def frozen() -> pixview.Image:
    return pixview.view(memoryview(bytes(60)).cast("B", (4, 5, 3)))


def test_tvm_ffi_takes_an_image(tvm_ffi: Any) -> None:
    a = image(4, 5, 3)
    for v in (pixview.view(a), pixview.view(a, layout="CHW"), pixview.view(a).crop(1, 1, 2, 2)):
        t = tvm_ffi.from_dlpack(v)
        assert tuple(t.shape) == v.shape and tuple(t.strides) == v.strides
        assert t.data_ptr() == address(v)
        assert pixview.view(t, src_layout=v.layout).strides == v.strides
    count = sys.getrefcount(a)
    del t, v
    assert eventually(lambda: sys.getrefcount(a) < count)


def test_tvm_ffi_gives_an_image_back(tvm_ffi: Any) -> None:
    """A function is called through the table, and its result is of the type of its argument."""
    seen: list[Any] = []

    def body(x: Any) -> Any:
        seen.append((type(x), tuple(x.shape), x.data_ptr()))
        return x

    v = pixview.view(image(4, 5, 3))
    result = tvm_ffi.convert(body)(v)
    assert type(result) is pixview.Image and address(result) == address(v)
    assert seen == [(tvm_ffi.Tensor, (4, 5, 3), address(v))]
    call = tvm_ffi.convert(lambda x: x)
    check_flat(lambda: call(v), n=5000)


def test_tvm_ffi_uses_the_table(tvm_ffi: Any) -> None:
    """It does not ask for the flag, so that __dlpack__ without a version would refuse this."""
    with pytest.raises(BufferError):
        frozen().__dlpack__()
    v = frozen()
    assert tvm_ffi.from_dlpack(v).data_ptr() == address(v)


def test_jax_takes_an_image(jax: Any) -> None:
    raw = np.zeros(4 * 16 * 4 + 64, np.uint8)
    start = -raw.ctypes.data % 64  # JAX copies what lies otherwise
    a = raw[start : start + 256].view(np.float32).reshape(4, 4, 4)
    a[:] = image(4, 4, 4)
    x = jax.dlpack.from_dlpack(pixview.view(a))
    assert x.unsafe_buffer_pointer() == a.ctypes.data
    np.testing.assert_array_equal(np.asarray(x), a)
    odd = image(4, 5, 3)
    for v in (pixview.view(odd), pixview.view(odd, layout="CHW")):
        np.testing.assert_array_equal(np.asarray(jax.dlpack.from_dlpack(v)), np.asarray(v))
    np.testing.assert_array_equal(np.asarray(jax.numpy.asarray(frozen())), np.zeros((4, 5, 3)))


def test_jax_gives_arrays_that_never_change(jax: Any, torch: Any) -> None:
    """Its capsules are of the old kind and cannot say so; an alias for writing would break JAX."""
    a = image(4, 5, 3)
    x = jax.numpy.asarray(a)
    assert pixview.view(x).readonly
    assert not pixview.as_numpy(x).flags.writeable
    t = pixview.as_torch(x)
    t.zero_()
    np.testing.assert_array_equal(np.asarray(x), a)
    with pytest.raises(pixview.ReadOnlyError):
        pixview.as_torch(x, copy=False)


def test_cuda_core_takes_an_image(memory_view: Any) -> None:
    a = image(4, 5, 3, dtype="float32")
    for v in (pixview.view(a), pixview.view(a).crop(1, 1, 2, 2)):
        for make in (memory_view.from_dlpack, memory_view.from_any_interface):
            m = make(v, stream_ptr=-1)
            assert m.ptr == address(v) and m.shape == v.shape and not m.readonly
            assert m.strides == tuple(s // 4 for s in v.strides)
            assert m.dtype == np.float32 and not m.is_device_accessible
    assert memory_view.from_dlpack(frozen(), stream_ptr=-1).readonly


def test_cuda_core_has_a_table_of_its_own(memory_view: Any) -> None:
    v = pixview.view(image(4, 5, 3))
    m = memory_view.from_dlpack(v, stream_ptr=-1)
    assert hasattr(memory_view, "__dlpack_c_exchange_api__")
    back = pixview.view(m)
    assert address(back) == address(v) and back.strides == v.strides
    assert pixview.view(memory_view.from_dlpack(frozen(), stream_ptr=-1)).readonly
    del v, m
    gc.collect()
    assert np.asarray(back).shape == (4, 5, 3)


# Not torch.asarray: it knows DLPack capsules but not __dlpack__, and reads any buffer as flat float32.
@pytest.mark.parametrize("take", ["from_dlpack", "as_tensor", "frombuffer"])
def test_torch_takes_an_image(torch: Any, take: str) -> None:
    v = pixview.view(image(4, 5, 3))
    x = torch.frombuffer(v, dtype=torch.uint8) if take == "frombuffer" else getattr(torch, take)(v)
    assert x.data_ptr() == address(v) and x.numel() == 60


@pytest.mark.parametrize("take", ["from_dlpack", "asarray", "frombuffer"])
def test_numpy_takes_an_image(take: str) -> None:
    v = pixview.view(image(4, 5, 3))
    x = np.frombuffer(v, np.uint8) if take == "frombuffer" else getattr(np, take)(v)
    assert address(x) == address(v) and x.size == 60
