# SPDX-License-Identifier: Apache-2.0
"""The demo on a GPU: GpuMat <-> torch <-> CuPy, with work on every side.

Everything runs on the legacy default stream, so no stream has to be ordered. A download waits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core
from .machine import cannot_compile
from .steps import Record, check_pixels


def run(record: Record, photo: np.ndarray, here: dict[str, Any]) -> None:
    """photo: H,W,C of uint8. here: the modules torch, cupy and cv2 that can use a GPU; at least one."""
    torch, cupy, cv2 = here.get("torch"), here.get("cupy"), here.get("cv2")
    if torch:
        record.wait = torch.cuda.synchronize
    elif cupy:
        record.wait = cupy.cuda.runtime.deviceSynchronize
    kernels = _core._doctor()["driver"]["devices"][0]["kernels"]
    if kernels is not True:
        record.skipped.append(f"copies on the GPU: no kernels ({kernels})")
    if cupy and not _computes(cupy, record):
        cupy = None
    _transfers(record, photo, torch, cupy)
    if cv2:
        _through_gpumat(record, photo, torch, cupy, cv2)
    if cv2 and torch:
        _torch_to_gpumat(record, photo, torch, cv2, kernels is True)
    if cv2 and cupy:
        _cupy_to_gpumat(record, photo, cupy, cv2)
    if torch and cupy:
        _torch_and_cupy(record, photo, torch)


def _transfers(record: Record, photo: np.ndarray, torch: Any, cupy: Any) -> None:
    """Between host and GPU, which needs copy=True."""
    if torch:
        tensor = torch.from_numpy(photo).cuda().permute(2, 0, 1)
        record.convert("torch (GPU) -> NumPy, download", tensor, "numpy", photo, copy=True)
    if cupy:
        record.convert("NumPy -> CuPy, upload", photo, "cupy", photo, copy=True)


def _through_gpumat(record: Record, photo: np.ndarray, torch: Any, cupy: Any, cv2: Any) -> None:
    """One GpuMat, written by OpenCV, torch and CuPy in turn."""
    pixels = photo.copy()
    height, width = pixels.shape[:2]
    mat = record.convert("NumPy -> GpuMat, upload", photo, "gpumat", pixels, copy=True)

    y, x, h, w = height // 5, width // 3, height // 3, width // 3
    roi = cv2.cuda.GpuMat(mat, (x, y, w, h))
    cv2.cuda.bitwise_not(roi, roi)
    pixels[y : y + h, x : x + w] = 255 - pixels[y : y + h, x : x + w]
    check_pixels("OpenCV in a region", mat.download(), pixels)
    record.panel(
        mat.download(), "OpenCV inverts a region", "mat = as_gpumat(frame, copy=True)", "copy"
    )

    if torch:
        chw = record.convert("GpuMat -> torch", mat, "torch", pixels)
        record.convert("GpuMat (region) -> torch", roi, "torch", pixels[y : y + h, x : x + w])
        left = chw[:, :, : width // 3]
        left.copy_(left.flip(0))
        pixels[:, : width // 3] = pixels[:, : width // 3, ::-1]
        check_pixels("torch in the GpuMat", mat.download(), pixels)
        record.panel(mat.download(), "torch swaps R and B", "as_torch(mat)", "view")
    if cupy:
        hwc = record.convert("GpuMat -> CuPy", mat, "cupy", pixels)
        hwc //= _vignette(cupy, height, width)
        pixels //= _vignette(np, height, width)
        check_pixels("CuPy in the GpuMat", mat.download(), pixels)
        record.panel(mat.download(), "CuPy darkens the corners", "as_cupy(mat)", "view")
    record.convert("GpuMat -> NumPy, download", mat, "numpy", pixels, copy=True)


def _torch_to_gpumat(
    record: Record, photo: np.ndarray, torch: Any, cv2: Any, kernels: bool
) -> None:
    """Interleaved and planar tensors as GpuMats, with an OpenCV operation on each."""
    chw = torch.from_numpy(photo).cuda().permute(2, 0, 1)
    mat = record.convert("torch (interleaved) -> GpuMat", chw, "gpumat", photo)
    grey = cv2.cuda.cvtColor(mat, cv2.COLOR_RGB2GRAY)
    seen = record.convert("GpuMat, one channel -> torch", grey, "torch", grey.download())
    weights = np.array([0.299, 0.587, 0.114])
    check_pixels("cvtColor", seen.cpu().numpy(), np.rint(photo @ weights), tolerance=1)
    record.panel(seen.cpu().numpy(), "OpenCV makes a tensor grey", "as_gpumat(tensor)", "view")
    if not kernels:
        return
    planar = chw.contiguous()
    mat = record.convert("torch (planar) -> GpuMat", planar, "gpumat", photo)
    flipped = cv2.cuda.flip(mat, 1)
    seen = record.convert("GpuMat (flipped) -> torch", flipped, "torch", photo[:, ::-1])
    record.panel(
        seen.permute(1, 2, 0).cpu().numpy(),
        "OpenCV mirrors a planar tensor",
        "as_gpumat(planar)",
        "copy",
    )
    record.convert("GpuMat -> torch, dense", mat, "torch", photo, contiguous=True)


def _cupy_to_gpumat(record: Record, photo: np.ndarray, cupy: Any, cv2: Any) -> None:
    hwc = cupy.asarray(photo)
    mat = record.convert("CuPy -> GpuMat", hwc, "gpumat", photo)
    height, width = photo.shape[:2]
    size = (2 * width, 2 * height)
    twice = cv2.cuda.resize(mat, size, interpolation=cv2.INTER_NEAREST)
    pixels = photo.repeat(2, 0).repeat(2, 1)
    seen = record.convert("GpuMat (resized) -> CuPy", twice, "cupy", pixels)
    record.panel(
        seen[height // 2 : -(height // 2), width // 2 : -(width // 2)].get(),
        "OpenCV doubles a CuPy array",
        "as_gpumat(array)",
        "view",
    )


def _torch_and_cupy(record: Record, photo: np.ndarray, torch: Any) -> None:
    chw = torch.from_numpy(photo).cuda().permute(2, 0, 1)
    hwc = record.convert("torch -> CuPy", chw, "cupy", photo)
    record.convert("CuPy -> torch", hwc, "torch", photo)
    hwc[::8] = 255
    pixels = photo.copy()
    pixels[::8] = 255
    check_pixels("CuPy in the tensor", chw.permute(1, 2, 0).cpu().numpy(), pixels)
    record.panel(
        chw.permute(1, 2, 0).cpu().numpy(),
        "CuPy writes rows of a tensor",
        "as_cupy(tensor)",
        "view",
    )


def _vignette(xp: Any, height: int, width: int) -> Any:
    """1 inside the ellipse that fills the picture, 3 outside; H,W,1 of uint8. Integers only."""
    y, x = xp.arange(height)[:, None], xp.arange(width)[None, :]
    far = (2 * x - width) ** 2 * height**2 + (2 * y - height) ** 2 * width**2
    return xp.where(far > (height * width) ** 2, 3, 1).astype(xp.uint8)[:, :, None]


def _computes(cupy: Any, record: Record) -> bool:
    reason = cannot_compile(cupy)
    if reason:
        record.skipped.append(f"CuPy on the GPU: it cannot compile a kernel ({reason})")
    return not reason
