# SPDX-License-Identifier: Apache-2.0
"""An Image as a Python object that is copied, pickled and sent to another process."""

from __future__ import annotations

import copy
import pickle
import sys
from typing import Any

import numpy as np
import pixview
import pytest
from support import DTYPES, address, check_flat, check_python, image

PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)
CUTS = {"dense": (), "pitched": np.s_[:, 1:4], "flipped": np.s_[::-1, :, ::-1], "empty": np.s_[:0]}


def same(got: pixview.Image, x: pixview.Image) -> None:
    assert (got.shape, got.layout, got.dtype) == (x.shape, x.layout, x.dtype)
    assert (got.device, got.readonly) == (("cpu", 0), x.readonly)
    assert got.tobytes() == x.tobytes()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("cut", CUTS)
def test_pickle(cut: str, protocol: int) -> None:
    for dtype in ("uint8", "float64"):
        a = image(4, 5, 3, dtype=dtype)
        for layout in ("HWC", "CHW", "NCHW"):
            v = pixview.view(a[CUTS[cut]], layout=layout)
            before = v.tobytes()
            got = pickle.loads(pickle.dumps(v, protocol))
            same(got, v)
            np.asarray(got)[...] = 0  # memory of its own
            assert v.tobytes() == before


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_pickle_every_dtype(dtype: str, protocol: int) -> None:
    a = image(6, 8, 16)
    v = pixview.from_pointer(address(a), (6, 8), dtype, device="cpu", owner=a)
    same(pickle.loads(pickle.dumps(v, protocol)), v)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_read_only_stays_so(protocol: int) -> None:
    a = image(4, 5, 3)
    a.flags.writeable = False
    got = pickle.loads(pickle.dumps(pixview.view(a), protocol))
    same(got, pixview.view(a))
    assert not np.asarray(got).flags.writeable


def test_out_of_band() -> None:
    """Dense memory travels as it is, and is used where it arrives."""
    a = image(4, 5, 3)
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(pixview.view(a), 5, buffer_callback=buffers.append)
    assert len(buffers) == 1 and len(data) < 200
    raw = buffers[0].raw()
    assert raw.nbytes == a.nbytes and np.shares_memory(np.frombuffer(raw, np.uint8), a)
    got = pickle.loads(data, buffers=buffers)
    assert got.ptr == address(a)
    count = sys.getrefcount(a)
    del raw, buffers
    assert sys.getrefcount(a) == count  # the Image holds it
    del got
    assert sys.getrefcount(a) < count


def test_out_of_band_in_memory_that_does_not_fit() -> None:
    """Read-only bytes of a writable Image, and an odd address, are copied."""
    a = image(4, 5, dtype="float32")
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(pixview.view(a), 5, buffer_callback=buffers.append)
    odd = memoryview(bytearray(b"x" + a.tobytes()))[1:]
    for arrived in (a.tobytes(), odd, odd.toreadonly()):
        got = pickle.loads(data, buffers=[arrived])
        same(got, pixview.view(a))
        np.asarray(got)[0] = 7
        assert bytes(arrived) == a.tobytes()


@pytest.mark.parametrize(
    "arguments",
    [
        (b"x" * 59, (4, 5, 3), "uint8", "HWC", False),
        (b"x" * 60, (4, 5, 3), "uint8", "HW", False),
        (b"x" * 60, (4, 5, 3), "uint8", None, False),
        (b"x" * 60, (4, -5, 3), "uint8", "HWC", False),
        (b"x" * 60, (2**62, 2**62, 3), "uint8", "HWC", False),
        (b"x" * 60, (4, 5, 3), "float8", "HWC", False),
        (b"x" * 60, (4, 5, 3), "uint8", "HWC", 7),
        (b"x" * 60, 60, "uint8", "HWC", False),
        ([1], (4, 5, 3), "uint8", "HWC", False),
        (b"x" * 60,),
    ],
)
def test_a_broken_pickle(arguments: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        pixview._core._image_from_pickle(*arguments)


def test_copy_and_deepcopy() -> None:
    a = image(4, 5, 3)[::2]
    v = pixview.view(a)
    shallow, deep = copy.copy(v), copy.deepcopy([v, v])
    same(shallow, v)
    assert shallow is not v and shallow.ptr == v.ptr and shallow.strides == v.strides
    same(deep[0], v)
    assert deep[0] is deep[1] and deep[0].ptr != v.ptr
    a.flags.writeable = False
    assert not copy.deepcopy(pixview.view(a)).readonly  # as NumPy's


def test_of_device_memory(fake: Any, kernels: None) -> None:
    a = image(4, 5, 3)
    v = fake.image(a, stream=fake.stream)
    for protocol in PROTOCOLS:  # by a share: test_share_device.py
        got = pickle.loads(pickle.dumps(v, protocol))
        np.testing.assert_array_equal(pixview.as_numpy(got, copy=True), a)
    assert copy.copy(v).ptr == v.ptr
    assert pixview.stream_of(copy.copy(v)) == fake.stream
    deep = copy.deepcopy(v)
    assert deep.device == ("cuda", 0) and deep.ptr != v.ptr
    np.testing.assert_array_equal(pixview.as_numpy(deep, copy=True), a)


def test_leaves_nothing_behind() -> None:
    v = pixview.view(image(4, 5, 3)[::2])
    for protocol in PROTOCOLS:
        check_flat(lambda p=protocol: pickle.loads(pickle.dumps(v, p)), 2000)
    check_flat(lambda: (copy.copy(v), copy.deepcopy(v), v.tobytes()), 2000)


def test_to_a_spawned_process_and_back() -> None:
    check_python("""
import copy, multiprocessing, numpy as np, pixview
from support import image
if __name__ == "__main__":
    a = image(40, 50, 3)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        back = pool.apply(copy.copy, (pixview.view(a[::2], layout="CHW"),))
        assert back.layout == "CHW" and (np.asarray(back) == a[::2].transpose(2, 0, 1)).all()
""")
