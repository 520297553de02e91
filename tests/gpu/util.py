# SPDX-License-Identifier: Apache-2.0
"""Helpers that do not go through pixview: they make images and read them back independently.

Importing this skips the importing test module where something is missing.
"""

import gc

import pytest

try:
    import cupy as cp
    import cv2
    import numpy as np
    import pixview
    import torch

    if not torch.cuda.is_available():
        missing = f"torch {torch.__version__} sees no GPU"
    elif cv2.cuda.getCudaEnabledDeviceCount() < 1:
        missing = f"cv2 {cv2.__version__} in {cv2.__path__[0]} is built without CUDA"
    else:
        missing = None
except ImportError as error:
    missing = str(error)
if missing:
    pytest.skip(f"GPU tests NOT RUN: {missing}", allow_module_level=True)

__all__ = ["cp", "cv2", "np", "pixview", "torch"]

OPENCV5 = int(cv2.__version__.split(".")[0]) >= 5
DEPTHS = {
    "uint8": cv2.CV_8U,
    "int8": cv2.CV_8S,
    "uint16": cv2.CV_16U,
    "int16": cv2.CV_16S,
    "int32": cv2.CV_32S,
    "float32": cv2.CV_32F,
    "float64": cv2.CV_64F,
    "float16": cv2.CV_16F,
}
DTYPES = tuple(DEPTHS)
AS = {
    "torch": pixview.as_torch,
    "cupy": pixview.as_cupy,
    "gpumat": pixview.as_gpumat,
    "numpy": pixview.as_numpy,
}


def pixels(shape, dtype="uint8", seed=0):
    """Random values over the whole range of an integer type, normal ones for floats."""
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    values = rng.standard_normal(shape)
    if dtype.kind == "c":
        values = values + 1j * rng.standard_normal(shape)
    return values.astype(dtype)


def cv_type(dtype, channels):
    return cv2.CV_MAKETYPE(DEPTHS[np.dtype(dtype).name], channels)


def raw_view(ptr, shape, strides, dtype, owner=None):
    """A CuPy array over any device memory, built by hand. Strides in bytes, not negative."""
    dtype = np.dtype(dtype)
    extent = sum((n - 1) * s for n, s in zip(shape, strides, strict=True)) + dtype.itemsize
    memory = cp.cuda.UnownedMemory(ptr, extent, owner)
    return cp.ndarray(shape, dtype, cp.cuda.MemoryPointer(memory, 0), strides)


def mat_view(mat, dtype):
    """The pixels of a GpuMat as a CuPy array H,W,C."""
    width, height = mat.size()
    shape = (height, width, mat.channels())
    if 0 in shape:
        return cp.empty(shape, dtype)
    strides = (mat.step, mat.elemSize(), mat.elemSize1())
    return raw_view(mat.cudaPtr(), shape, strides, dtype, mat)


def new_mat(image):
    """A GpuMat with OpenCV's own memory and pitch, holding `image` (H,W or H,W,C, any dtype)."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    mat = cv2.cuda.GpuMat(image.shape[0], image.shape[1], cv_type(image.dtype, channels))
    mat_view(mat, image.dtype)[...] = cp.asarray(image.reshape(*image.shape[:2], channels))
    return mat


def bare_mat(array, channels=None):
    """An unowned GpuMat header over a CuPy array H,W,C; the caller keeps the array."""
    height, width, channels = array.shape
    return cv2.cuda.createGpuMatFromCudaMemory(
        height, width, cv_type(array.dtype, channels), array.data.ptr, array.strides[0]
    )


def host(x, dtype=None):
    """Any of the four kinds as a NumPy array; a GpuMat as H,W,C."""
    if isinstance(x, cv2.cuda.GpuMat):
        return mat_view(x, dtype).get()
    if isinstance(x, torch.Tensor):
        return x.detach().cpu().numpy()
    if isinstance(x, cp.ndarray):
        with x.device:
            return x.get()
    return x


def address(x):
    """The first pixel's address."""
    if isinstance(x, cv2.cuda.GpuMat):
        return x.cudaPtr()
    if isinstance(x, torch.Tensor):
        return x.data_ptr()
    if isinstance(x, cp.ndarray):
        return x.data.ptr
    return x.__array_interface__["data"][0]


def make(kind, image):
    """A source of `kind` that holds `image` (H,W,C): nothing else refers to its memory."""
    if kind == "gpumat":
        return new_mat(image)
    if kind == "torch":
        return torch.from_numpy(image.copy()).cuda()
    return cp.array(image)


def convert(x, to, **keywords):
    """H,W,C on both sides, whatever the kinds."""
    if isinstance(x, torch.Tensor):
        keywords.setdefault("src_layout", "HWC")
    if to == "torch":
        keywords.setdefault("layout", "HWC")
    return AS[to](x, **keywords)


def churn(image, count=24, value=0xA5):
    """Takes and fills as much memory of the size of `image` as the pools would give back first."""
    nbytes = image.nbytes
    filled = [torch.full((nbytes,), value, dtype=torch.uint8, device="cuda") for _ in range(count)]
    filled += [cp.full(nbytes, value, cp.uint8) for _ in range(count)]
    channels = 1 if image.ndim == 2 else image.shape[2]
    for _ in range(4):
        mat = cv2.cuda.GpuMat(image.shape[0], image.shape[1], cv_type(image.dtype, channels))
        mat.setTo((value,) * 4)
        filled.append(mat)
    torch.cuda.synchronize()
    return filled


def settle():
    """Lets go of everything that nothing refers to any more, and waits for the GPU."""
    gc.collect()
    pixview.view(np.zeros((2, 2), np.uint8))  # owners whose last view died without the GIL
    gc.collect()
    torch.cuda.synchronize()


def free_memory():
    return torch.cuda.mem_get_info()[0]


def busy(stream=None, milliseconds=50):
    """Keeps a torch stream (the current one) occupied: work queued after it comes late."""
    with torch.cuda.stream(stream or torch.cuda.current_stream()):
        torch.cuda._sleep(int(milliseconds * 1.5e6))
