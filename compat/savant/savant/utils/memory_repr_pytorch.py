# SPDX-License-Identifier: Apache-2.0
"""Images between OpenCV's GpuMat and PyTorch.

Each result shares memory with its source and keeps it alive, except where a docstring names a copy.
Errors are pixview's: ``LayoutError`` (a ValueError), ``DtypeError`` (a TypeError), ``DeviceError`` (a
RuntimeError) if the memory is not on a GPU, ``UnsupportedError`` (a TypeError) for an object of an
unknown type.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pixview

if TYPE_CHECKING:
    import cv2
    import torch


def pytorch_tensor_as_opencv_gpu_mat(tensor: torch.Tensor) -> cv2.cuda.GpuMat:
    """CUDA tensor of shape C,H,W or H,W -> GpuMat.

    It is a view if the pixels are interleaved in memory (a permuted H,W,C or channels_last tensor, H,W,
    or C = 1), otherwise one interleaving copy. For a tensor of shape H,W,C call
    ``pixview.as_gpumat(tensor, src_layout="HWC")``.
    """
    return pixview.as_gpumat(tensor)


def opencv_gpu_mat_as_pytorch(gpu_mat: cv2.cuda.GpuMat) -> torch.Tensor:
    """GpuMat of any pitch and ROI -> tensor of shape C,H,W (H,W for one channel); a view."""
    return pixview.as_torch(gpu_mat)


def opencv_gpu_mat_as_pytorch_tensor(gpu_mat: cv2.cuda.GpuMat) -> torch.Tensor:
    """GpuMat of any pitch and ROI -> tensor of shape H,W,C (H,W for one channel); a view."""
    image = pixview.view(gpu_mat)
    return pixview.as_torch(image, layout=image.layout)
