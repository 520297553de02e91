# SPDX-License-Identifier: Apache-2.0
"""The functions of the savant modules as a user writes them, compared with NumPy."""

import pytest
from savant.utils import memory_repr, memory_repr_pytorch
from savant.utils.memory_repr import cupy_as_opencv_gpu_mat, opencv_gpu_mat_as_cupy
from savant.utils.memory_repr_pytorch import (
    opencv_gpu_mat_as_pytorch,
    pytorch_tensor_as_opencv_gpu_mat,
)

from .util import cp, cv2, np, torch

RANGES = {"int8": (-128, 128), "uint8": (0, 256), "float32": (-1000, 1000)}
SIZES = [(10, 20), (1080, 1920)]

each_dtype = pytest.mark.parametrize("dtype", RANGES)
each_size = pytest.mark.parametrize("size", SIZES, ids=lambda s: "x".join(map(str, s)))
each_channels = pytest.mark.parametrize("channels", [None, 1, 3, 4])


def numpy_image(size, channels, dtype):
    shape = size if channels is None else (*size, channels)
    return np.random.randint(*RANGES[dtype], shape).astype(dtype)


def torch_image(size, channels, dtype):
    shape = size if channels is None else (channels, *size)
    return torch.randint(*RANGES[dtype], shape, device="cuda").to(getattr(torch, dtype))


def squeezed(array):
    """H,W where H,W,C has one channel: OpenCV makes no difference."""
    return array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array


@each_dtype
@each_size
@each_channels
def test_gpu_mat_as_pytorch(size, channels, dtype):
    image = numpy_image(size, channels, dtype)
    gpu_mat = cv2.cuda_GpuMat()
    gpu_mat.upload(image)
    for tensor in (opencv_gpu_mat_as_pytorch(gpu_mat), opencv_gpu_mat_as_pytorch(gpu_mat=gpu_mat)):
        expected = squeezed(image)
        if expected.ndim == 3:
            expected = expected.transpose(2, 0, 1)
        assert tensor.is_cuda and tensor.dtype == getattr(torch, dtype)
        assert tuple(tensor.shape) == expected.shape
        assert tensor.data_ptr() == gpu_mat.cudaPtr()
        np.testing.assert_array_equal(tensor.cpu().numpy(), expected)
    tensor.fill_(9)
    assert (gpu_mat.download() == 9).all(), "the tensor is no view"


@each_dtype
@each_size
@each_channels
def test_pytorch_as_gpu_mat(size, channels, dtype):
    tensor = torch_image(size, channels, dtype)
    expected = tensor.cpu().numpy()
    if expected.ndim == 3:
        expected = squeezed(expected.transpose(1, 2, 0))
    for gpu_mat in (
        pytorch_tensor_as_opencv_gpu_mat(tensor),
        pytorch_tensor_as_opencv_gpu_mat(tensor=tensor),
    ):
        assert type(gpu_mat) is cv2.cuda.GpuMat
        assert gpu_mat.size() == size[::-1] and gpu_mat.channels() == (channels or 1)
        np.testing.assert_array_equal(gpu_mat.download(), expected)
        assert (gpu_mat.cudaPtr() == tensor.data_ptr()) == (channels in (None, 1))


@each_dtype
@each_size
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("how", ["permute", "channels_last"])
def test_interleaved_pytorch_as_gpu_mat_is_a_view(size, channels, dtype, how):
    if how == "permute":
        tensor = torch_image(size, channels, dtype).permute(1, 2, 0).contiguous().permute(2, 0, 1)
    else:
        batch = torch_image(size, channels, dtype)[None]
        tensor = batch.contiguous(memory_format=torch.channels_last)[0]
    gpu_mat = pytorch_tensor_as_opencv_gpu_mat(tensor)
    assert gpu_mat.cudaPtr() == tensor.data_ptr()
    expected = squeezed(tensor.permute(1, 2, 0).cpu().numpy())
    np.testing.assert_array_equal(gpu_mat.download(), expected)
    gpu_mat.setTo((7, 7, 7, 7))
    assert (tensor == 7).all(), "the GpuMat is no view"


@each_dtype
@each_size
@each_channels
def test_gpu_mat_as_cupy(size, channels, dtype):
    image = numpy_image(size, channels, dtype)
    gpu_mat = cv2.cuda.GpuMat()
    gpu_mat.upload(image)
    for array in (opencv_gpu_mat_as_cupy(gpu_mat), opencv_gpu_mat_as_cupy(gpu_mat=gpu_mat)):
        assert type(array) is cp.ndarray and array.dtype == dtype
        assert array.data.ptr == gpu_mat.cudaPtr()
        np.testing.assert_array_equal(array.get(), squeezed(image))
    array.fill(9)
    assert (gpu_mat.download() == 9).all(), "the array is no view"


@each_dtype
@each_size
@each_channels
def test_cupy_as_gpu_mat(size, channels, dtype):
    shape = size if channels is None else (*size, channels)
    arr = cp.random.randint(*RANGES[dtype], size=shape).astype(dtype)
    for gpu_mat in (cupy_as_opencv_gpu_mat(arr), cupy_as_opencv_gpu_mat(arr=arr)):
        assert type(gpu_mat) is cv2.cuda.GpuMat
        assert gpu_mat.cudaPtr() == arr.data.ptr
        np.testing.assert_array_equal(gpu_mat.download(), squeezed(arr.get()))
    gpu_mat.setTo((7, 7, 7, 7))
    assert (arr == 7).all(), "the GpuMat is no view"


@each_dtype
@each_size
@pytest.mark.parametrize("channels", [3, 4])
def test_cupy_planes_as_gpu_mat(size, channels, dtype):
    planes = cp.random.randint(*RANGES[dtype], size=(channels, *size)).astype(dtype)
    gpu_mat = cupy_as_opencv_gpu_mat(planes.transpose(1, 2, 0))
    assert gpu_mat.cudaPtr() != planes.data.ptr
    np.testing.assert_array_equal(gpu_mat.download(), planes.get().transpose(1, 2, 0))


@each_dtype
@each_size
@each_channels
def test_there_and_back(size, channels, dtype):
    image = numpy_image(size, channels, dtype)
    gpu_mat = cv2.cuda_GpuMat()
    gpu_mat.upload(image)
    ptr = gpu_mat.cudaPtr()
    again = pytorch_tensor_as_opencv_gpu_mat(opencv_gpu_mat_as_pytorch(gpu_mat))
    again = cupy_as_opencv_gpu_mat(opencv_gpu_mat_as_cupy(again))
    assert again.cudaPtr() == ptr
    np.testing.assert_array_equal(again.download(), squeezed(image))


@each_dtype
@each_size
@each_channels
def test_frameworks_own_functions_take_our_results(size, channels, dtype):
    image = numpy_image(size, channels, dtype)
    gpu_mat = cv2.cuda_GpuMat()
    gpu_mat.upload(image)
    tensor = torch.as_tensor(opencv_gpu_mat_as_cupy(gpu_mat), device="cuda")
    np.testing.assert_array_equal(tensor.cpu().numpy(), squeezed(image))
    array = cp.asarray(opencv_gpu_mat_as_pytorch(gpu_mat))
    expected = squeezed(image)
    if expected.ndim == 3:
        expected = expected.transpose(2, 0, 1)
    np.testing.assert_array_equal(array.get(), expected)
    assert tensor.data_ptr() == array.data.ptr == gpu_mat.cudaPtr()


def test_roi():
    image = numpy_image((1080, 1920), 3, "uint8")
    gpu_mat = cv2.cuda_GpuMat()
    gpu_mat.upload(image)
    roi = cv2.cuda_GpuMat(gpu_mat, (101, 53, 641, 361))
    expected = image[53 : 53 + 361, 101 : 101 + 641]
    tensor = opencv_gpu_mat_as_pytorch(roi)
    assert tensor.data_ptr() == roi.cudaPtr() != gpu_mat.cudaPtr()
    np.testing.assert_array_equal(tensor.permute(1, 2, 0).cpu().numpy(), expected)
    np.testing.assert_array_equal(opencv_gpu_mat_as_cupy(roi).get(), expected)


@each_channels
def test_later_names(channels):
    image = numpy_image((10, 20), channels, "uint8")
    expected = squeezed(image)
    gpu_mat = cv2.cuda.GpuMat()
    gpu_mat.upload(image)

    tensor = memory_repr_pytorch.opencv_gpu_mat_as_pytorch_tensor(gpu_mat)  # H,W,C
    np.testing.assert_array_equal(tensor.cpu().numpy(), expected)
    array = memory_repr.opencv_gpu_mat_as_cupy_array(gpu_mat)
    np.testing.assert_array_equal(array.get(), expected)
    interface = memory_repr.OpenCVGpuMatCudaArrayInterface(gpu_mat)
    np.testing.assert_array_equal(cp.asarray(interface).get(), expected)
    assert tensor.data_ptr() == array.data.ptr == gpu_mat.cudaPtr()

    for source in (cp.array(image), torch.from_numpy(image).cuda()):
        mat = memory_repr.cuda_array_as_opencv_gpu_mat(source)
        np.testing.assert_array_equal(mat.download(), expected)
    arr = cp.array(image)
    mat = memory_repr.cupy_array_as_opencv_gpu_mat(arr)
    assert mat.cudaPtr() == arr.data.ptr
    np.testing.assert_array_equal(mat.download(), expected)


def test_design_example():
    """The before/after of a user: OpenCV work, torch work, OpenCV work, no copy between."""
    image = numpy_image((1080, 1920), 3, "uint8")
    gpu_mat = cv2.cuda_GpuMat()
    gpu_mat.upload(image)
    small = cv2.cuda.resize(gpu_mat, (640, 360))
    tensor = opencv_gpu_mat_as_pytorch(small)
    tensor.copy_(255 - tensor)
    np.testing.assert_array_equal(
        small.download(), 255 - cv2.cuda.resize(gpu_mat, (640, 360)).download()
    )
