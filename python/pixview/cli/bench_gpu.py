# SPDX-License-Identifier: Apache-2.0
"""The cases of ``pixview bench`` on a GPU: views between GpuMat, torch and CuPy, and one stack.

The usual ways are those of bench/usual.py. All work is on the legacy default stream.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pixview

from .bench import BenchError, Case
from .bench_host import HEIGHT, MEAN, STD, WIDTH
from .steps import describe

COUNT = 32
FRAME = HEIGHT * WIDTH * 3
# Bytes for each frame in batch() at its most, torch's intermediate results included; measured.
NEEDS = 24 * FRAME
WHERE = "GPU"


def cases(here: dict[str, Any], copies: bool) -> list[Case]:
    """here: the modules torch, cupy and cv2 that can use the GPU. copies: do the kernels load."""
    torch, cupy, cv2 = (here.get(name) for name in ("torch", "cupy", "cv2"))
    found = []
    if torch and cv2:
        mat = cv2.cuda.GpuMat(HEIGHT, WIDTH, cv2.CV_8UC3)
        found.append(gpumat_to_torch(mat, torch))
        pixels = torch.zeros(HEIGHT, WIDTH, 3, dtype=torch.uint8, device="cuda")
        found.append(torch_to_gpumat(pixels.permute(2, 0, 1), cv2))
    if cupy and cv2:
        found.append(gpumat_to_cupy(cv2.cuda.GpuMat(HEIGHT, WIDTH, cv2.CV_8UC3), cupy))
    if torch and cupy:
        pixels = torch.zeros(HEIGHT, WIDTH, 3, dtype=torch.uint8, device="cuda")
        found.append(torch_to_cupy(pixels.permute(2, 0, 1), cupy))
    if torch and copies:
        free, _ = torch.cuda.mem_get_info()
        found.append(batch(torch, "cuda", torch.cuda.synchronize, frames_in(free)))
    return found


class Interface:
    """A GpuMat with the CUDA array interface: the dict that everybody writes by hand."""

    def __init__(self, mat: Any) -> None:
        width, height = mat.size()
        self.__cuda_array_interface__ = {
            "version": 3,
            "shape": (height, width, 3),
            "strides": (mat.step, 3, 1),
            "typestr": "|u1",
            "data": (mat.cudaPtr(), False),
        }


def gpumat_to_torch(mat: Any, torch: Any) -> Case:
    def usual() -> Any:
        return torch.as_tensor(Interface(mat), device="cuda").permute(2, 0, 1)

    return Case(
        "GpuMat -> torch, C,H,W",
        WHERE,
        {"pixview.as_torch(mat)": lambda: pixview.as_torch(mat), "array interface by hand": usual},
        _at(mat.cudaPtr()),
    )


def torch_to_gpumat(tensor: Any, cv2: Any) -> Case:
    """tensor: C,H,W whose memory is H,W,C."""

    def usual() -> Any:  # owns nothing: it dangles once the tensor is gone
        interface = tensor.permute(1, 2, 0).__cuda_array_interface__
        size = interface["shape"][1::-1]
        return cv2.cuda.createGpuMatFromCudaMemory(size, cv2.CV_8UC3, interface["data"][0])

    return Case(
        "torch, C,H,W -> GpuMat",
        WHERE,
        {"pixview.as_gpumat(tensor)": lambda: pixview.as_gpumat(tensor), "by hand, unowned": usual},
        _at(tensor.data_ptr()),
    )


def gpumat_to_cupy(mat: Any, cupy: Any) -> Case:
    return Case(
        "GpuMat -> CuPy, H,W,C",
        WHERE,
        {
            "pixview.as_cupy(mat)": lambda: pixview.as_cupy(mat),
            "array interface by hand": lambda: cupy.asarray(Interface(mat)),
        },
        _at(mat.cudaPtr()),
    )


def torch_to_cupy(tensor: Any, cupy: Any) -> Case:
    """tensor: C,H,W whose memory is H,W,C."""

    def usual() -> Any:
        return cupy.from_dlpack(tensor.permute(1, 2, 0))

    return Case(
        "torch, C,H,W -> CuPy",
        WHERE,
        {"pixview.as_cupy(tensor)": lambda: pixview.as_cupy(tensor), "cupy.from_dlpack": usual},
        _at(tensor.data_ptr()),
    )


def frames_in(free: int) -> int:
    """How many frames, up to COUNT, go into that much memory."""
    return min(COUNT, max(1, free // NEEDS))


def batch(torch: Any, device: str, wait: Callable[[], object], count: int = COUNT) -> Case:
    """Frames in H,W,C to float32 N,C,H,W, normalised, beside torch and a plain copy of as many bytes."""
    shape = (HEIGHT, WIDTH, 3)
    frames = [torch.randint(0, 256, shape, dtype=torch.uint8, device=device) for _ in range(count)]
    images = [frame.permute(2, 0, 1) for frame in frames]
    out = torch.zeros(count, 3, HEIGHT, WIDTH, device=device)
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    nbytes = sum(frame.nbytes for frame in frames) + out.nbytes
    source, target = (torch.zeros(nbytes // 2, dtype=torch.uint8, device=device) for _ in "ab")

    def ours() -> Any:
        return pixview.stack(images, out=out, scale=1 / 255, mean=MEAN, std=STD)

    def usual() -> Any:
        planes = torch.stack(frames).permute(0, 3, 1, 2).contiguous()
        return planes.float().div_(255).sub_(mean).div_(std)

    def check(way: str, result: Any) -> None:
        pairs = zip(result, expected, strict=True) if result is not target else ()
        if not all(torch.allclose(*pair, atol=1e-4) for pair in pairs):  # each: it takes memory
            raise BenchError(f"{way}: another result than torch's")

    expected = usual()
    ways = {
        "pixview.stack": ours,
        "torch, step by step": usual,
        "a plain copy, the same bytes": lambda: target.copy_(source),
    }
    few = f" (not {COUNT}: little memory is free)" if count < COUNT else ""
    name = f"{count} frames of 1080p{few} -> a normalised batch"
    return Case(name, WHERE, ways, check, nbytes, wait)


def _at(address: int) -> Callable[[str, Any], None]:
    def check(way: str, result: Any) -> None:
        if describe(result)[2] != address:
            raise BenchError(f"{way}: not a view of its source")

    return check
