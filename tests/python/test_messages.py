# SPDX-License-Identifier: Apache-2.0
"""Messages of refusals: each names the value, the limit and what to do instead."""

from __future__ import annotations

import contextlib
import gc
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pixview
import pytest
from support import image

A = image(4, 5, 3)
PAIR = [A, A]
BIG = A.astype(">f4")
CURE = r"astype\(a\.dtype\.newbyteorder\('='\)\)"
HINT = "pixview.stack"


def stack(**keywords: Any) -> Any:
    return pixview.stack(PAIR, **{"to": "numpy", **keywords})


def pointer(**keywords: Any) -> Any:
    arguments = {"ptr": A.ctypes.data, "shape": A.shape, "dtype": "uint8", "device": "cpu"}
    return pixview.from_pointer(**{**arguments, **keywords})


class Wordless:
    """Its repr() fails."""

    def __repr__(self) -> str:
        raise KeyError("repr")


def read_only() -> Any:
    out = np.zeros((2, 3, 4, 5), np.uint8)
    out.flags.writeable = False
    return out


class OddStream:
    """A stream object that does not keep to the protocol."""

    def __init__(self, protocol: Any) -> None:
        self.__cuda_stream__ = protocol


class Endless:
    def __len__(self) -> int:
        return 2**60

    def __getitem__(self, i: int) -> Any:
        return A


HUGE = pixview.view(np.broadcast_to(np.zeros(1, np.uint8), (10**8, 10**10)))

Row = tuple[str, Callable[[], Any], type[Exception], str]

ROWS: list[Row] = [
    # byte order
    ("big-endian array", lambda: pixview.view(BIG), pixview.DtypeError, f"'>f'.*big-endian.*{CURE}"),
    ("big-endian in a list", lambda: pixview.stack([BIG], to="numpy"), pixview.DtypeError, rf"images\[0\].*{CURE}"),
    ("dtype '>f4'", lambda: stack(dtype=">f4"), pixview.DtypeError, "'>f4'.*big-endian.*'float32'"),
    ("dtype of NumPy", lambda: pointer(dtype=np.dtype(">u2")), pixview.DtypeError, "'>u2'.*big-endian.*'uint16'"),
    # names of dtypes
    ("float", lambda: stack(dtype="float"), pixview.DtypeError, "'float'.*bfloat16.*did you mean 'float32' or 'float64'"),
    ("u8", lambda: stack(dtype="u8"), pixview.DtypeError, "'u8'.*bfloat16.*did you mean 'uint8'.*'uint64'"),
    ("f4", lambda: pointer(dtype="f4"), pixview.DtypeError, "'f4'.*did you mean 'float32'"),
    ("f16", lambda: stack(dtype="f16"), pixview.DtypeError, "did you mean 'float16'"),
    ("half", lambda: stack(dtype="half"), pixview.DtypeError, "did you mean 'float16'"),
    ("bf16", lambda: stack(dtype="bf16"), pixview.DtypeError, "did you mean 'bfloat16'"),
    ("capitals", lambda: stack(dtype="Float32"), pixview.DtypeError, "did you mean 'float32'"),
    ("banana", lambda: stack(dtype="banana"), pixview.DtypeError, r"^(?!.*mean).*banana.*bfloat16"),
    ("NUL in a name", lambda: pointer(dtype="uint8\0"), pixview.DtypeError, r"^(?!.*mean).*'uint8.x00' is no element type"),
    ("NUL in a typestr", lambda: stack(dtype="<f4\0!"), pixview.DtypeError, r"^(?!.*mean).*is no element type"),
    # values that cannot be told
    ("wordless dtype", lambda: pointer(dtype=Wordless()), pixview.DtypeError, r"^dtype=\(its repr\(\) fails\) is no element"),
    ("wordless layout", lambda: stack(layout=Wordless()), TypeError, r"^layout=\(its repr\(\) fails\) is not a string"),
    ("wordless size", lambda: stack(size=(2, Wordless())), TypeError, r"^size\[1\] = \(its repr\(\) fails\) is not"),
    # views
    ("upwards", lambda: pixview.as_torch(A[::-1], copy=False), pixview.LayoutError, "-15 bytes.*NumPy.*copy=None"),
    ("not dense", lambda: pixview.as_torch(A, contiguous=True, copy=False), pixview.LayoutError, "dense as CHW.*copy=None"),
    # arguments of Image, and streams
    ("crop 0.0", lambda: pixview.view(A).crop(0.0, 0, 1, 1), TypeError, r"^crop: y=0\.0 is not an integer"),
    ("crop 2**70", lambda: pixview.view(A).crop(0, 0, h=2**70, w=1), pixview.LayoutError, "^crop: h=1180.* 64 bits"),
    ("max_version (1,)", lambda: pixview.view(A).__dlpack__(max_version=(1,)), pixview.UnsupportedError, "max_version=.1,. is not"),
    ("stream of text", lambda: pixview.view(A, stream=OddStream(lambda: (0, "abc"))), TypeError, "gave .0, 'abc'. instead of"),
    ("stream of a tuple", lambda: pixview.view(A, stream=OddStream((0, 5))), TypeError, "__cuda_stream__ is .0, 5. instead of a method"),
    ("long dtype", lambda: stack(dtype="x" * 5000), pixview.DtypeError, "^dtype='x{99} is no element.*complex128"),
    ("pickle without layout", lambda: pixview._core._image_from_pickle(b"0" * 60, (4, 5, 3), "uint8", None, False),
     pixview.LayoutError, "no layout"),
    # more than there is memory
    ("tobytes", lambda: HUGE.tobytes(), MemoryError, "10{18} bytes"),
    ("pickle", lambda: pickle.dumps(HUGE), MemoryError, "10{18} bytes"),
    ("endless list", lambda: pixview.stack(Endless()), MemoryError, "images that a Endless object .*has"),
    # padding
    ("pad 300", lambda: stack(size=(8, 8), pad_value=300), pixview.DtypeError, "=300 .*uint8.* 0 to 255.*dtype='float32'"),
    ("pad -1", lambda: stack(size=(8, 8), pad_value=-1), pixview.DtypeError, "=-1 .*0 to 255"),
    ("pad of int16", lambda: pixview.stack([A.astype("i2")], to="numpy", size=(8, 8), pad_value=1e6),
     pixview.DtypeError, "=1e.06 .*int16.* -32768 to 32767.*dtype='float32'"),
    ("pad of int64", lambda: pixview.stack([A.astype("i8")], to="numpy", size=(8, 8), pad_value=0.5),
     pixview.DtypeError, "^(?!.*float32).*-9223372036854775808 to 9223372036854774784"),
    ("pad of uint64", lambda: pixview.stack([A.astype("u8")], to="numpy", size=(8, 8), pad_value=2.0**64),
     pixview.DtypeError, "uint64.* 0 to 18446744073709549568"),
    ("pad of 2**53 + 1", lambda: pixview.stack([A.astype("i8")], to="numpy", size=(8, 8), pad_value=2**53 + 1),
     pixview.DtypeError, "^pad_value=9007199254740993 .*float64.* nearest is 9007199254740992"),
    ("pad of NumPy's", lambda: stack(size=(8, 8), pad_value=np.uint64(2**64 - 1)),
     pixview.DtypeError, "^pad_value=.*18446744073709551615.* nearest is 18446744073709551616"),
    ("pad of bool", lambda: pixview.stack([A > 3], to="numpy", size=(8, 8), pad_value=2), pixview.DtypeError, "0 or 1"),
    ("pad of float16", lambda: pixview.stack([A.astype("f2")], to="numpy", size=(8, 8), pad_value=1e5),
     pixview.DtypeError, "float16.*65504.*dtype='float32'"),
    # out=
    ("out a list", lambda: stack(out=[1]), pixview.UnsupportedError, "out=.*list"),
    ("out of 3 axes", lambda: stack(out=A), pixview.LayoutError, "out=.*'NCHW' names 4 axes"),
    ("out read-only", lambda: stack(out=read_only()), pixview.ReadOnlyError, "out= is read-only.*writ"),
    ("out big-endian", lambda: stack(out=np.zeros((2, 3, 4, 5), ">u2")), pixview.DtypeError, "out=.*newbyteorder"),
    ("dst a list", lambda: pixview.copy_into([A], A), pixview.UnsupportedError, "dst.*list"),
    ("src a list", lambda: pixview.copy_into(A, [A]), pixview.UnsupportedError, "src.*list"),
    # lists of images
    ("list to torch", lambda: pixview.as_torch(PAIR), pixview.UnsupportedError, HINT),
    ("tuple to NumPy", lambda: pixview.as_numpy((A, A)), pixview.UnsupportedError, HINT),
    ("list to unstack", lambda: pixview.unstack(PAIR, to="numpy"), pixview.UnsupportedError, HINT),
    ("list to plan", lambda: pixview.plan(PAIR, "torch"), pixview.UnsupportedError, HINT),
    ("None", lambda: pixview.view(None), pixview.UnsupportedError, f"^(?!.*{HINT}).*__dlpack__.*cv2.imread"),
    ("name of a file", lambda: pixview.view("a.png"), pixview.UnsupportedError, "str .* read first, by cv2.imread"),
    ("path", lambda: pixview.as_numpy(Path("a.png")), pixview.UnsupportedError, "Path .* read first, by cv2.imread"),
    ("a number", lambda: pixview.view(3), pixview.UnsupportedError, "^(?!.*imread).*__dlpack__.*protocol$"),
    # two types
    ("copy to float32", lambda: pixview.copy_into(A.astype("f4"), A), pixview.DtypeError, "uint8.*float32.*stack"),
    ("list of two", lambda: pixview.stack([A, A.astype("f4")], to="numpy"), pixview.DtypeError, "convert them first"),
    # arguments of the wrong type, and of the right one
    ("layout 3", lambda: stack(layout=3), TypeError, "layout=3 .*'NCHW'"),
    ("layout nchw", lambda: stack(layout="nchw"), pixview.LayoutError, "'nchw' .*'NCHW'"),
    ("size 20", lambda: stack(size=20), TypeError, r"size=20 .*\(H, W\)"),
    ("size of text", lambda: stack(size="ab"), TypeError, r"size\[0\] = 'a'"),
    ("size of one", lambda: stack(size=(2,)), pixview.LayoutError, r"size=\(2,\) .*\(H, W\)"),
    ("size of three", lambda: stack(size=(1, 2, 3)), pixview.LayoutError, r"size=\(1, 2, 3\) .*\(H, W\)"),
    ("size of 2^70", lambda: stack(size=(2**70, 1)), pixview.LayoutError, "64 bits"),
    ("std 0", lambda: stack(std=0), pixview.LayoutError, "std.*0.*other than 0"),
    ("to 3", lambda: pixview.plan(A, 3), TypeError, "to=3 .*'torch'.*'gpumat'.*'image'$"),
    ("shape of floats", lambda: pointer(shape=(4.0, 5)), TypeError, r"shape\[0\] = 4.0"),
    ("strides a number", lambda: pointer(strides=3), TypeError, "strides=3"),
    ("device 1.5", lambda: pointer(device=1.5), TypeError, "device=1.5 .*'cuda:N'"),
    ("dtype= of as_torch", lambda: pixview.as_torch(A, dtype="float32"), TypeError, "'dtype': .*pixview.stack"),
    ("device= of as_numpy", lambda: pixview.as_numpy(A, device="cuda"), TypeError, "'device': copy=True moves"),
    ("unknown keyword", lambda: pixview.as_numpy(A, order="C"), TypeError, "keyword argument 'order'$"),
    ("batch to the GPU", lambda: pixview.unstack(np.stack(PAIR), to="cupy"), pixview.DeviceError, r"unstack\(x, copy=True\)"),
    ("four channels", lambda: pixview.stack([image(4, 5, 4)], to="numpy", mean=[1, 2, 3]),
     pixview.LayoutError, r"3 entries.*4 channels.*as_torch\(x\)\[:3\]"),
    ("grey and colour", lambda: pixview.stack([A, A[..., :1]], to="numpy"), pixview.LayoutError, "images.1.*slices"),
    ("larger than size", lambda: stack(size=(3, 3)), pixview.LayoutError, "crop or resize.*larger size"),
    ("copy_into two types", lambda: pixview.copy_into(A.astype("f4"), A), pixview.DtypeError, "pixview.stack does in Python"),
    ("stream on the host", lambda: pixview.view(A).__dlpack__(stream=1), ValueError, "host memory; pass None"),
    ("device tpu", lambda: pointer(device="tpu"), ValueError, "device='tpu' .*'cuda:N'"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_message(torch: Any, row: Row) -> None:
    _, call, error, words = row
    with pytest.raises(error, match=words) as raised:
        call()
    if issubclass(error, pixview.Error):
        assert raised.type is error
    else:
        assert not isinstance(raised.value, pixview.Error)


def test_a_tensor_without_memory(torch: Any) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        t = torch.zeros(3, 4, 5)
    with pytest.raises(pixview.UnsupportedError, match="has no memory"):
        pixview.view(t)


def test_no_memory_in_fake_mode(torch: Any) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    for call in (lambda: pixview.stack([A]), lambda: pixview.as_torch(A, copy=True)):
        with FakeTensorMode(), pytest.raises(pixview.UnsupportedError, match="register_fake"):
            call()


@pytest.mark.cv2
def test_umat_names_its_way_out(cv2: Any) -> None:
    with pytest.raises(pixview.UnsupportedError, match=r"x\.get\(\)"):
        pixview.as_numpy(cv2.UMat(A))


def test_host_images_to_cupy() -> None:
    pytest.importorskip("cupy")
    names = "to='torch'(?!.*'(cupy|gpumat)').*'numpy'.*'image', then upload"
    with pytest.raises(pixview.DeviceError, match=names):
        stack(to="cupy")


def test_the_cures_work(torch: Any) -> None:
    native = BIG.astype(BIG.dtype.newbyteorder("="))
    np.testing.assert_array_equal(pixview.as_torch(native, layout="HWC").numpy(), A)
    np.testing.assert_array_equal(pixview.as_torch(A[::-1], layout="HWC").numpy(), A[::-1])
    assert np.shares_memory(pixview.as_numpy(A[::-1], copy=False), A)
    padded = stack(size=(8, 8), pad_value=300, dtype="float32")
    assert padded[0, 0, 7, 7] == 300
    np.testing.assert_array_equal(pixview.stack(PAIR, to="numpy", layout="NHWC"), np.stack(PAIR))


def test_a_layout_error_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="nchw"):
        stack(layout="nchw")


@pytest.mark.cv2
def test_a_list_to_gpumat(cv2: Any, fake: Any) -> None:
    with pytest.raises(pixview.UnsupportedError, match=HINT):
        pixview.as_gpumat(PAIR)


class Recreated:
    """Garbage whose end calls pixview, and fails there; it leaves the same again."""

    left = 2000

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        with contextlib.suppress(pixview.Error):
            pixview.as_numpy(np.zeros((4, 6, 3), np.uint8)[:, ::2], copy=False, contiguous=True)
        if Recreated.left > 0:
            Recreated.left -= 1
            Recreated()


def test_a_collection_leaves_a_reason_alone() -> None:
    """What the core says stands in the module's state until it is read."""
    x = np.zeros((4, 5, 3), np.uint8)
    before = gc.get_threshold()
    Recreated()
    try:
        for threshold in range(1, 40):
            gc.set_threshold(threshold)
            for _ in range(50):
                assert pixview.plan(x, "numpy") == ("view", "")
    finally:
        gc.set_threshold(*before)
        Recreated.left = 0
        gc.collect()
