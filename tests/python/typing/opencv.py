# SPDX-License-Identifier: Apache-2.0
"""Checked, never run, with OpenCV's own types, and what they are among the overloads of.

Without them pyright calls all of an overloaded function unknown.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pixview
import torch
from typing_extensions import assert_type


def conversions(mat: cv2.cuda.GpuMat, tensor: torch.Tensor, stream: cv2.cuda.Stream) -> None:
    assert_type(pixview.as_gpumat(tensor), cv2.cuda.GpuMat)
    assert_type(pixview.as_torch(mat), torch.Tensor)
    assert_type(pixview.as_torch(mat, stream=stream), torch.Tensor)
    assert_type(pixview.copy_into(mat, tensor, stream=stream), cv2.cuda.GpuMat)
    with pixview.using_stream(stream) as yielded:
        assert_type(yielded, cv2.cuda.Stream | None)
    pixview.as_gpumat(tensor, layout="HWC")  # type: ignore[call-arg]
    pixview.as_gpumat(tensor, contiguous=True)  # type: ignore[call-arg]
    pixview.view(stream)  # type: ignore[arg-type]
    pixview.view(mat, stream=mat)  # type: ignore[arg-type]


def batches(tensor: torch.Tensor, arrays: list[np.ndarray[Any, Any]]) -> None:
    assert_type(pixview.stack(arrays), torch.Tensor)
    assert_type(pixview.stack([tensor, arrays[0]], to="numpy"), np.ndarray[Any, Any])
    assert_type(pixview.stack(tensor, to="image", dtype="float32", scale=1 / 255), pixview.Image)
    assert_type(pixview.stack(arrays, out=tensor, mean=(1, 2, 3), std=0.5), torch.Tensor)
    assert_type(pixview.unstack(tensor, to="torch"), list[torch.Tensor])
    assert_type(pixview.unstack(tensor, to="image"), list[pixview.Image])
    assert_type(pixview.unstack(tensor), list[cv2.cuda.GpuMat])
    pixview.stack(5)  # type: ignore[call-overload]
    pixview.stack(arrays, layout="CHW")  # type: ignore[call-overload]
    pixview.stack(arrays, size=640)  # type: ignore[call-overload]
    pixview.unstack(tensor, to="list")  # type: ignore[call-overload]
