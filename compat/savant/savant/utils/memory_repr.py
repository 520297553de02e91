# SPDX-License-Identifier: Apache-2.0
"""Images between OpenCV's GpuMat and CuPy: H,W,C arrays, or H,W for one channel.

Each result shares memory with its source and keeps it alive, except where a docstring names a copy.
Errors are pixview's: ``LayoutError`` (a ValueError), ``DtypeError`` (a TypeError), ``DeviceError`` (a
RuntimeError) if the memory is not on a GPU, ``UnsupportedError`` (a TypeError) for an object of an
unknown type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pixview

if TYPE_CHECKING:
    import cupy
    import cv2


def opencv_gpu_mat_as_cupy(gpu_mat: cv2.cuda.GpuMat) -> cupy.ndarray:
    """GpuMat of any pitch and ROI -> CuPy array of shape H,W,C (H,W for one channel); a view."""
    return pixview.as_cupy(gpu_mat)


def cupy_as_opencv_gpu_mat(arr: cupy.ndarray) -> cv2.cuda.GpuMat:
    """CuPy array of shape H,W,C or H,W -> GpuMat; a view if each row is packed, else one copy."""
    return pixview.as_gpumat(arr)


def opencv_gpu_mat_as_cupy_array(gpu_mat: cv2.cuda.GpuMat) -> cupy.ndarray:
    """The later name of ``opencv_gpu_mat_as_cupy``."""
    return pixview.as_cupy(gpu_mat)


def cupy_array_as_opencv_gpu_mat(arr: cupy.ndarray) -> cv2.cuda.GpuMat:
    """The later name of ``cupy_as_opencv_gpu_mat``."""
    return pixview.as_gpumat(arr)


def cuda_array_as_opencv_gpu_mat(arr: Any) -> cv2.cuda.GpuMat:
    """Any CUDA array of shape H,W,C or H,W -> GpuMat; a view if each row is packed, else one copy.

    A torch tensor is taken as H,W,C too.
    """
    return pixview.as_gpumat(arr, src_layout="HWC" if getattr(arr, "ndim", 0) == 3 else None)


class OpenCVGpuMatCudaArrayInterface:
    """GpuMat -> object with ``__cuda_array_interface__``, H,W,C (H,W for one channel); a view."""

    def __init__(self, gpu_mat: cv2.cuda.GpuMat) -> None:
        self._image = pixview.view(gpu_mat)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self._image.__cuda_array_interface__
