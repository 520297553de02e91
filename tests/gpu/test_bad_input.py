# SPDX-License-Identifier: Apache-2.0
"""Wrong input on real objects: a typed error that says what to do, nothing lost, nothing leaked."""

import os
import subprocess
import sys
import textwrap

import pytest

from .util import (
    OPENCV5,
    cp,
    cv2,
    host,
    new_mat,
    np,
    pixels,
    pixview,
    settle,
    torch,
)

CN_MAX = 128 if OPENCV5 else 512


def cuda(*shape, **keywords):
    return torch.zeros(*shape, device="cuda", **keywords)


def conj():
    return torch.randn(3, 4, 5, dtype=torch.complex64, device="cuda").conj()


# name: (function, argument, error, what the message must name)
CASES = {
    "CPU tensor": (pixview.as_gpumat, lambda: torch.zeros(3, 4, 5), "DeviceError", "copy=True"),
    "NumPy array": (pixview.as_gpumat, lambda: np.zeros((4, 5, 3)), "DeviceError", "copy=True"),
    "5-D": (pixview.as_gpumat, lambda: cuda(1, 1, 3, 4, 5), "LayoutError", "5"),
    "1-D": (pixview.as_gpumat, lambda: cp.zeros(7), "LayoutError", "1"),
    "0-D": (pixview.as_torch, lambda: cp.zeros(()), "LayoutError", "0"),
    "a batch": (pixview.as_gpumat, lambda: cuda(2, 3, 4, 5), "LayoutError", "2"),
    "5000 channels": (pixview.as_gpumat, lambda: cuda(5000, 8, 8), "LayoutError", str(CN_MAX)),
    "H,W,C as C,H,W": (pixview.as_gpumat, lambda: cuda(480, 640, 3), "LayoutError", "src_layout"),
    "C,H,W as H,W,C": (
        pixview.as_gpumat,
        lambda: cp.zeros((3, 480, 640)),
        "LayoutError",
        "src_layout",
    ),
    "sparse": (pixview.as_gpumat, lambda: cuda(4, 5).to_sparse(), None, ""),
    "sparse to CuPy": (pixview.as_cupy, lambda: cuda(4, 5).to_sparse_csr(), None, ""),
    "conj": (pixview.as_cupy, conj, None, "resolve_conj"),
    "neg": (pixview.as_gpumat, lambda: conj().imag, None, "resolve_neg"),
    "complex": (
        pixview.as_gpumat,
        lambda: cp.zeros((4, 5, 3), "complex64"),
        "DtypeError",
        "complex",
    ),
    "float8": (
        pixview.as_gpumat,
        lambda: cuda(3, 4, 5).to(torch.float8_e4m3fn),
        "DtypeError",
        "",
    ),
    "a string": (pixview.as_gpumat, lambda: "image.png", "UnsupportedError", "__dlpack__"),
    "None": (pixview.as_torch, lambda: None, "UnsupportedError", "__dlpack__"),
    "a list": (pixview.as_cupy, lambda: [[1, 2], [3, 4]], "UnsupportedError", "__dlpack__"),
    "the type": (pixview.as_torch, lambda: cv2.cuda.GpuMat, None, ""),
    "a Stream": (pixview.as_torch, lambda: cv2.cuda.Stream(), "UnsupportedError", ""),
    "broadcast, no copy": (
        lambda x: pixview.as_gpumat(x, copy=False),
        lambda: cuda(3, 1, 5).expand(3, 4, 5),
        "LayoutError",
        "",
    ),
    "planes, no copy": (
        lambda x: pixview.as_gpumat(x, copy=False),
        lambda: cuda(3, 4, 5),
        "LayoutError",
        "",
    ),
    "a drop of channels": (
        lambda x: pixview.as_torch(x, layout="HW"),
        lambda: cp.zeros((4, 5, 3)),
        "LayoutError",
        "",
    ),
    "an unknown layout": (
        lambda x: pixview.as_torch(x, layout="CWH"),
        lambda: cp.zeros((4, 5, 3)),
        "ValueError",
        "CWH",
    ),
    "GpuMat to NumPy": (
        pixview.as_numpy,
        lambda: new_mat(pixels((4, 5))),
        "DeviceError",
        "copy=True",
    ),
}
if not OPENCV5:
    CASES |= {
        "uint64": (pixview.as_gpumat, lambda: cp.zeros((4, 5), "uint64"), "DtypeError", "uint64"),
        "int64": (pixview.as_gpumat, lambda: cuda(4, 5).long(), "DtypeError", "int64"),
        "bool": (pixview.as_gpumat, lambda: cuda(4, 5) > 0, "DtypeError", r"torch\.uint8"),
    }


def expect(name):
    function, make, error, match = CASES[name]
    kind = {None: pixview.Error, "ValueError": ValueError}.get(error) or getattr(pixview, error)
    x = make()
    with pytest.raises(kind, match=match) as caught:
        function(x)
    assert len(str(caught.value)) > 20, "says too little"


@pytest.mark.parametrize("name", CASES)
def test_typed_error(name):
    expect(name)


@pytest.mark.parametrize("name", CASES)
def test_nothing_leaks(name):
    function, make, _, _ = CASES[name]
    x = make()

    def many(count):
        for _ in range(count):
            try:
                function(x)
            except Exception:
                pass

    many(50)
    settle()
    device, count = torch.cuda.memory_allocated(), sys.getrefcount(x)
    blocks = sys.getallocatedblocks()
    many(1000)
    settle()
    assert torch.cuda.memory_allocated() == device
    assert abs(sys.getrefcount(x) - count) < 10
    assert sys.getallocatedblocks() < blocks + 500


def test_a_dead_gpumat():
    """Made without __init__, as pickle and copy do, it has no header at all."""
    program = textwrap.dedent("""
        import cv2, torch, cupy, pixview
        mat = cv2.cuda.GpuMat.__new__(cv2.cuda.GpuMat)
        for convert in (pixview.as_torch, pixview.as_cupy, pixview.view):
            try:
                convert(mat)
            except pixview.Error as error:
                assert str(error)
            else:
                raise SystemExit(f"{convert.__name__}: no error")
        print("passed")
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert done.stdout.strip() == "passed", (done.returncode, done.stderr)


def test_sources_are_untouched():
    leaf = torch.ones(3, 4, 5, device="cuda", requires_grad=True)
    mat = pixview.as_gpumat(leaf)
    array = pixview.as_cupy(leaf)
    assert leaf.requires_grad and leaf.is_leaf and leaf.grad is None
    assert (host(mat, "float32") == 1).all() and (array == 1).all()
    planes = torch.randn(3, 4, 5, device="cuda")
    before = planes.clone(), planes.stride(), planes.data_ptr()
    pixview.as_gpumat(planes)
    assert torch.equal(planes, before[0]) and (planes.stride(), planes.data_ptr()) == before[1:]


def test_explicit_src_layout_is_obeyed():
    assert pixview.as_gpumat(cuda(480, 640, 3), src_layout="HWC").size() == (640, 480)
    few = pixview.as_gpumat(cuda(64, 10, 3), src_layout="CHW")
    assert few.size() == (3, 10) and few.channels() == 64


def test_exporters_own_exception_is_the_cause():
    class Broken:
        def __dlpack_device__(self):
            return (2, 0)

        def __dlpack__(self, **keywords):
            raise BufferError("not today")

    for convert in (pixview.as_torch, pixview.as_cupy, pixview.as_gpumat):
        with pytest.raises(pixview.Error) as caught:
            convert(Broken())
        assert "not today" in str(caught.value.__cause__ or caught.value)
