# SPDX-License-Identifier: Apache-2.0
"""savant.utils.memory_repr and memory_repr_pytorch: both sets of names, by position and by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pixview
import pytest
from support import address, cuda_array_interface, image, pitched, wrap

pytestmark = pytest.mark.cv2


@pytest.fixture
def memory_repr() -> Any:
    return pytest.importorskip("savant.utils.memory_repr")


@pytest.fixture
def memory_repr_pytorch() -> Any:
    return pytest.importorskip("savant.utils.memory_repr_pytorch")


DTYPES = ["int8", "uint8", "float32"]
CHANNELS = [None, 1, 3, 4]


def picture(
    fake: Any, channels: int | None, dtype: str, h: int = 10, w: int = 20
) -> np.ndarray[Any, Any]:
    shape = (h, w) if channels is None else (h, w, channels)
    return fake.register(image(*shape, dtype=dtype))


def device(a: np.ndarray[Any, Any], **keywords: Any) -> pixview.Image:
    keywords = {"strides": a.strides, "device": 0, "owner": a} | keywords
    return pixview.from_pointer(address(a), a.shape, a.dtype, **keywords)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_tensor_to_gpumat(
    cv2: Any,
    fake: Any,
    torch: Any,
    memory_repr_pytorch: Any,
    gpumat: Any,
    channels: Any,
    dtype: str,
) -> None:
    a = picture(fake, channels, dtype)
    t = pixview.as_torch(device(a))  # C,H,W or H,W, interleaved in memory
    convert = memory_repr_pytorch.pytorch_tensor_as_opencv_gpu_mat
    for g in (convert(t), convert(tensor=t)):
        assert isinstance(g, cv2.cuda.GpuMat) and isinstance(g, cv2.cuda_GpuMat)
        assert (
            g.cudaPtr() == address(a) and g.size() == (20, 10) and g.channels() == (channels or 1)
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_gpumat_to_tensor(
    cv2: Any,
    fake: Any,
    torch: Any,
    memory_repr_pytorch: Any,
    gpumat: Any,
    channels: Any,
    dtype: str,
) -> None:
    g = wrap(cv2, picture(fake, channels, dtype))
    planes, pixels = (
        memory_repr_pytorch.opencv_gpu_mat_as_pytorch,
        memory_repr_pytorch.opencv_gpu_mat_as_pytorch_tensor,
    )
    flat = channels in (None, 1)
    for t in (planes(g), planes(gpu_mat=g)):
        assert tuple(t.shape) == ((10, 20) if flat else (channels, 10, 20))
        assert t.dtype == getattr(torch, dtype) and t.data_ptr() == g.cudaPtr() and t.is_cuda
    for t in (pixels(g), pixels(gpu_mat=g)):
        assert tuple(t.shape) == ((10, 20) if flat else (10, 20, channels))
        assert t.data_ptr() == g.cudaPtr()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_cupy_both_ways(
    cv2: Any, fake: Any, cupy: Any, memory_repr: Any, gpumat: Any, channels: Any, dtype: str
) -> None:
    a = picture(fake, channels, dtype)
    c = pixview.as_cupy(device(a))
    for convert in (memory_repr.cupy_as_opencv_gpu_mat, memory_repr.cupy_array_as_opencv_gpu_mat):
        for g in (convert(c), convert(arr=c)):
            assert isinstance(g, cv2.cuda.GpuMat)
            assert (
                g.cudaPtr() == address(a)
                and g.size() == (20, 10)
                and g.channels() == (channels or 1)
            )
    flat = channels in (None, 1)
    for convert in (memory_repr.opencv_gpu_mat_as_cupy, memory_repr.opencv_gpu_mat_as_cupy_array):
        for back in (convert(g), convert(gpu_mat=g)):
            assert type(back) is cupy.ndarray and back.dtype == a.dtype
            assert back.shape == ((10, 20) if flat else a.shape) and back.data.ptr == address(a)


def test_regions_and_pitch(
    cv2: Any,
    fake: Any,
    cupy: Any,
    torch: Any,
    memory_repr: Any,
    memory_repr_pytorch: Any,
    gpumat: Any,
) -> None:
    a = fake.register(pitched(10, 20))
    part = cv2.cuda.GpuMat(wrap(cv2, a), (3, 2, 5, 4))
    expected = a[2:6, 3:8]
    t = memory_repr_pytorch.opencv_gpu_mat_as_pytorch(part)
    assert t.data_ptr() == address(expected) and t.stride() == (1, a.strides[0], 3)
    c = memory_repr.opencv_gpu_mat_as_cupy(part)
    assert c.strides == expected.strides
    back = memory_repr_pytorch.pytorch_tensor_as_opencv_gpu_mat(t)
    assert back.step == a.strides[0] and back.cudaPtr() == address(expected)


def test_any_cuda_array(cv2: Any, fake: Any, torch: Any, memory_repr: Any, gpumat: Any) -> None:
    for a in (pitched(10, 20), image(10, 20)):
        fake.register(a)
        for x in (
            cuda_array_interface(a),
            device(a),
            pixview.as_torch(device(a), layout="HWC"[: a.ndim]),
        ):
            for g in (
                memory_repr.cuda_array_as_opencv_gpu_mat(x),
                memory_repr.cuda_array_as_opencv_gpu_mat(arr=x),
            ):
                assert g.cudaPtr() == address(a) and g.size() == (20, 10)


def test_the_interface_class(cv2: Any, fake: Any, memory_repr: Any, gpumat: Any) -> None:
    for a in (pitched(10, 20), image(10, 20)):
        g = wrap(cv2, fake.register(a))
        for x in (
            memory_repr.OpenCVGpuMatCudaArrayInterface(g),
            memory_repr.OpenCVGpuMatCudaArrayInterface(gpu_mat=g),
        ):
            interface = x.__cuda_array_interface__
            assert interface["shape"] == a.shape and interface["data"][0] == address(a)
            assert interface["typestr"] == "|u1"
            v = pixview.view(x)
            assert address(v) == address(a) and v.strides == a.strides


def test_planes_are_interleaved(
    cv2: Any, fake: Any, cupy: Any, memory_repr: Any, gpumat: Any, kernels: None
) -> None:
    a = fake.register(image(3, 10, 20))
    c = pixview.as_cupy(device(a, layout="CHW"))  # a permuted view, H,W,C
    g = memory_repr.cupy_as_opencv_gpu_mat(c)
    np.testing.assert_array_equal(pixview.as_numpy(g, copy=True), a.transpose(1, 2, 0))


def test_errors_are_built_in_types(
    cv2: Any, fake: Any, torch: Any, memory_repr: Any, memory_repr_pytorch: Any, gpumat: Any
) -> None:
    to = memory_repr_pytorch.pytorch_tensor_as_opencv_gpu_mat
    with pytest.raises(RuntimeError, match="copy=True"):
        to(torch.zeros(3, 4, 5))
    with pytest.raises(ValueError, match="src_layout"):
        to(pixview.as_torch(device(fake.register(image(20, 30, 3))), layout="HWC"))
    for convert in (to, memory_repr.opencv_gpu_mat_as_cupy, memory_repr.cupy_as_opencv_gpu_mat):
        with pytest.raises(TypeError):
            convert("image.png")
        with pytest.raises(TypeError):
            convert()


def test_the_modules_are_short() -> None:
    """Nothing of a real Savant is hidden by ours."""
    import savant
    import savant.utils

    assert getattr(savant, "__file__", None) is None
    assert getattr(savant.utils, "__file__", None) is None
