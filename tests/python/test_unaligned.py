# SPDX-License-Identifier: Apache-2.0
"""Memory that is not aligned to its element: no view, but every copy of it is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pixview
import pytest
from support import Dlpack, array_interface, check_flat, cuda_array_interface, image, wrap

SHAPE = (5, 7, 3)


def unaligned(*shape: int, dtype: Any = "float32", offset: int = 1, pad: int = 0) -> Any:
    """An array at an odd address; `pad`: more bytes in each row."""
    a = image(*shape, dtype=dtype)
    row = a.itemsize * int(np.prod(shape[1:])) + pad
    raw = np.zeros(shape[0] * row + 64, np.uint8)
    strides = (row, *a.strides[1:])
    out = np.ndarray(shape, dtype, raw, offset - raw.ctypes.data % 16 + 16, strides)
    out[:] = a
    return out


ARRAYS: dict[str, Callable[[], Any]] = {
    "odd address": lambda: unaligned(*SHAPE),
    "odd rows": lambda: unaligned(*SHAPE, offset=0, pad=3),
    "both, flipped": lambda: unaligned(*SHAPE, pad=1)[::-1, ::2],
    "2 bytes": lambda: unaligned(*SHAPE, dtype="uint16"),
    "8 bytes": lambda: unaligned(*SHAPE, dtype="float64", offset=4),
    "complex64 of floats": lambda: np.zeros(31, np.float32)[1:].view(np.complex64).reshape(3, 5),
    "complex128": lambda: unaligned(4, 5, dtype="complex128", offset=5),
    "a batch": lambda: unaligned(2, *SHAPE),
    "a batch of planes": lambda: unaligned(2, 3, 5, 7).transpose(0, 2, 3, 1),
}
each = pytest.mark.parametrize("name", ARRAYS)


@each
def test_conversions(torch: Any, name: str) -> None:
    a = ARRAYS[name]()
    layout = pixview.view(a).layout
    for x in (a, array_interface(a), Through(a)):
        for keywords in ({}, {"copy": True}, {"contiguous": True}):
            n = pixview.as_numpy(x, **keywords)
            np.testing.assert_array_equal(n, a)
            assert n.flags.aligned and not np.shares_memory(n, a)
            t = pixview.as_torch(x, layout=layout, **keywords)
            np.testing.assert_array_equal(t.numpy(), a)
        np.testing.assert_array_equal(np.asarray(pixview.view(x)), a)
        for call in (pixview.as_numpy, pixview.as_torch, pixview.view):
            with pytest.raises(pixview.LayoutError, match="alignment"):
                call(x, copy=False)
        kind, reason = pixview.plan(x, "torch")
        assert kind == "copy" and "alignment" in reason


class Through:
    """Known by the buffer of its array alone."""

    def __init__(self, a: Any) -> None:
        self.__array_interface__ = {
            "shape": a.shape,
            "typestr": a.dtype.str,
            "strides": a.strides,
            "data": (a.ctypes.data, True),  # read-only
            "version": 3,
        }
        self.a = a


def test_torch_and_dlpack(torch: Any) -> None:
    raw = bytearray(image(64).tobytes())
    t = torch.frombuffer(raw, dtype=torch.float32, offset=1, count=12).reshape(1, 3, 4)
    for table in (True, False):
        pixview._core._force(torch_table=table)
        np.testing.assert_array_equal(pixview.as_numpy(t), t.numpy().transpose(1, 2, 0))
    pixview._core._force(torch_table=True)
    a = image(4, 5, 3, dtype="float32")
    for versioned in (True, False):
        p = Dlpack(a, versioned=versioned, byte_offset=2, shape=(4, 5, 2), strides=(15, 3, 1))
        expected = np.ndarray((4, 5, 2), np.float32, a, 2, a.strides)
        np.testing.assert_array_equal(pixview.as_numpy(p), expected)
        assert p.settled() and p.deleted == 1


def test_a_file_with_an_odd_header(tmp_path: Any) -> None:
    a = image(4, 5, dtype="uint16")
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 5 4 65535 \n\n" + a.tobytes())
    mapped = np.memmap(path, np.uint16, "r", offset=15, shape=(4, 5))
    np.testing.assert_array_equal(pixview.as_numpy(mapped, copy=True), a)


@each
def test_copy_into_and_back(name: str) -> None:
    a = ARRAYS[name]()
    out = np.zeros(a.shape, a.dtype)
    pixview.copy_into(out, a)
    np.testing.assert_array_equal(out, a)
    before = a.copy()
    with pytest.raises(pixview.LayoutError, match="dst.*alignment"):
        pixview.copy_into(a, np.ones(a.shape, a.dtype))
    np.testing.assert_array_equal(a, before)


def test_batches() -> None:
    batch = unaligned(3, *SHAPE)
    options: dict[str, Any] = {"to": "numpy", "layout": "NHWC"}
    for images in (batch, list(batch), [batch[0], batch[1].copy(), array_interface(batch[2])]):
        np.testing.assert_array_equal(pixview.stack(images, **options), batch)
        scaled = pixview.stack(images, scale=0.5, **options)
        np.testing.assert_array_equal(scaled, batch * np.float32(0.5))
    for to in ("numpy", "image"):
        for found, expected in zip(pixview.unstack(batch, to=to), batch, strict=True):
            np.testing.assert_array_equal(np.asarray(found), expected)
    with pytest.raises(pixview.LayoutError, match="out.*alignment"):
        pixview.stack([batch[0]], out=unaligned(1, *SHAPE), layout="NHWC")


def test_nothing_is_left_behind() -> None:
    a = unaligned(*SHAPE)
    check_flat(lambda: pixview.as_numpy(a), 5000)
    check_flat(lambda: pixview.stack([a], to="numpy"), 5000)


# ---- on a GPU ----


@pytest.mark.usefixtures("kernels")
@each
def test_on_a_gpu(fake: Any, cupy: Any, name: str) -> None:
    a = fake.register(ARRAYS[name]())
    memory = cupy.cuda.MemoryPointer(cupy.cuda.UnownedMemory(a.ctypes.data, 1 << 20, a, 0), 0)
    sources = [cuda_array_interface(a), cuda_array_interface(a, stream=fake.stream)]
    if a.strides[0] > 0:
        sources.append(cupy.ndarray(a.shape, a.dtype, memory, a.strides))
    for x in sources:
        np.testing.assert_array_equal(pixview.as_numpy(x, copy=True), a)
        v = pixview.view(x)
        assert v.device == ("cuda", 0)
        np.testing.assert_array_equal(pixview.as_numpy(v, copy=True), a)
        out = np.zeros(a.shape, a.dtype)
        pixview.copy_into(fake.image(out), x)
        np.testing.assert_array_equal(out, a)
        with pytest.raises(pixview.LayoutError, match="alignment"):
            pixview.view(x, copy=False)


@pytest.mark.usefixtures("kernels")
def test_lists_on_a_gpu(fake: Any) -> None:
    a = [fake.register(unaligned(*SHAPE)) for _ in range(3)]
    batch = pixview.stack([cuda_array_interface(x) for x in a], to="image", layout="NHWC")
    np.testing.assert_array_equal(pixview.as_numpy(batch, copy=True), np.stack(a))


@pytest.mark.usefixtures("kernels")
def test_a_producer_that_orders_its_data(fake: Any) -> None:
    """The bytes are read on the stream that the producer was told, not before it."""
    a = fake.register(unaligned(*SHAPE))
    p = Dlpack(a, device=(2, 0), strides=(21, 3, 1))
    v = pixview.view(p, stream=fake.stream)
    assert p.asked[-1]["stream"] == fake.stream
    assert v.__cuda_array_interface__["stream"] == fake.stream
    np.testing.assert_array_equal(pixview.as_numpy(v, copy=True), a)
    del v
    assert p.settled()


@pytest.mark.cv2
@pytest.mark.usefixtures("kernels")
def test_gpumats(fake: Any, gpumat: Any, cv2: Any) -> None:
    a = fake.register(unaligned(*SHAPE, pad=2))
    g = wrap(cv2, a)
    np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), a)
    np.testing.assert_array_equal(
        pixview.stack([g, g], to="image", layout="NHWC").shape, (2, *SHAPE)
    )
    assert pixview.plan(g, "torch").kind == "copy"
