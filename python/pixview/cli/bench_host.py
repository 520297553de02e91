# SPDX-License-Identifier: Apache-2.0
"""The cases of ``pixview bench`` in host memory: NumPy alone, and what torch and OpenCV add."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import pixview

from .bench import BenchError, Case

HEIGHT, WIDTH, COUNT, SIDE = 1080, 1920, 4, 640
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WHERE = "host memory"


def cases(torch: Any, cv2: Any) -> list[Case]:
    """torch, cv2: the module, or None."""
    shape = (COUNT, HEIGHT, WIDTH, 3)
    frames = list(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
    found = _views(frames[0])
    if torch:
        found += _torch_views(frames[0], torch)
    found.append(_planes(frames[0]))
    found.append(_batch(frames, torch))
    found.append(_letterbox(frames, cv2))
    return found


def same_address(expected: np.ndarray) -> Callable[[str, Any], None]:
    """A view has the shape, the strides and the address of this array."""

    def check(way: str, result: Any) -> None:
        array = np.asarray(result)
        right = expected.__array_interface__["data"][0], expected.shape, expected.strides
        if (array.__array_interface__["data"][0], array.shape, array.strides) != right:
            raise BenchError(f"{way}: not a view of its source")

    return check


def same_values(out: Any, expected: np.ndarray, tolerance: float) -> Callable[[str, Any], None]:
    """The result is in ``out``, or is what a way returned. ``out`` is emptied for the next way."""

    def check(way: str, result: Any) -> None:
        array = out if result is None else result
        values = array.cpu().numpy() if hasattr(array, "cpu") else np.asarray(array)
        if values.shape != expected.shape or np.abs(values - expected).max() > tolerance:
            raise BenchError(f"{way}: another result than the first way's")
        out[:] = 0

    return check


def _views(frame: Any) -> list[Case]:
    image = pixview.view(frame)
    return [
        Case(
            "NumPy -> Image",
            WHERE,
            {
                "pixview.view(array)": lambda: pixview.view(frame),
                "memoryview(array)": lambda: memoryview(frame),
            },
            same_address(frame),
        ),
        Case(
            "Image -> NumPy",
            WHERE,
            {
                "pixview.as_numpy(image)": lambda: pixview.as_numpy(image),
                "np.from_dlpack(image)": lambda: np.from_dlpack(image),
            },
            same_address(frame),
        ),
    ]


def _torch_views(frame: np.ndarray, torch: Any) -> list[Case]:
    tensor = torch.from_numpy(frame).permute(2, 0, 1)
    return [
        Case(
            "NumPy -> torch, C,H,W",
            WHERE,
            {
                "pixview.as_torch(array)": lambda: pixview.as_torch(frame),
                "torch.from_numpy, permute": lambda: torch.from_numpy(frame).permute(2, 0, 1),
            },
            same_address(frame.transpose(2, 0, 1)),
        ),
        Case(
            "torch -> NumPy, H,W,C",
            WHERE,
            {
                "pixview.as_numpy(tensor)": lambda: pixview.as_numpy(tensor),
                "tensor.permute, numpy": lambda: tensor.permute(1, 2, 0).numpy(),
            },
            same_address(frame),
        ),
    ]


def _planes(frame: np.ndarray) -> Case:
    planes: np.ndarray = np.zeros((3, HEIGHT, WIDTH), np.uint8)
    out = pixview.view(planes, src_layout="CHW")
    pixels = frame.transpose(2, 0, 1)

    def ours() -> None:
        pixview.copy_into(out, frame)

    return Case(
        "1080p, H,W,C -> C,H,W",
        WHERE,
        {"pixview.copy_into": ours, "np.copyto, transpose": lambda: np.copyto(planes, pixels)},
        same_values(planes, pixels.astype(np.int16), 0),
        2 * frame.nbytes,
    )


def _batch(frames: list[np.ndarray], torch: Any) -> Case:
    """To float32 N,C,H,W, normalised: what a model takes."""
    out: np.ndarray = np.zeros((COUNT, 3, HEIGHT, WIDTH), np.float32)
    mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)

    def ours() -> None:
        pixview.stack(frames, out=out, layout="NCHW", scale=1 / 255, mean=MEAN, std=STD)

    def numpy() -> None:
        batch = (np.stack(frames) * np.float32(1 / 255) - mean) / std
        np.copyto(out, batch.transpose(0, 3, 1, 2))

    numpy()
    ways: dict[str, Callable[[], Any]] = {"pixview.stack": ours, "NumPy, step by step": numpy}
    if torch:
        tensors = [torch.from_numpy(frame) for frame in frames]
        shift = torch.from_numpy(mean).view(1, 3, 1, 1), torch.from_numpy(std).view(1, 3, 1, 1)

        def by_torch() -> Any:
            batch = torch.stack(tensors).permute(0, 3, 1, 2).contiguous()
            return batch.float().div_(255).sub_(shift[0]).div_(shift[1])

        ways["torch, step by step"] = by_torch
    nbytes = sum(frame.nbytes for frame in frames) + out.nbytes
    name = f"{COUNT} frames of 1080p -> a normalised batch"
    return Case(name, WHERE, ways, same_values(out, out.copy(), 1e-4), nbytes)


def _letterbox(frames: list[np.ndarray], cv2: Any) -> Case:
    out: np.ndarray = np.zeros((COUNT, 3, SIDE, SIDE), np.float32)
    height = SIDE * HEIGHT // WIDTH
    top = (SIDE - height) // 2

    def ours() -> None:
        options: dict[str, Any] = {"fit": "letterbox", "pad_value": 114, "scale": 1 / 255}
        pixview.stack(frames, out=out, layout="NCHW", size=(SIDE, SIDE), **options)

    def opencv() -> None:
        for image, frame in zip(out, frames, strict=True):
            canvas: np.ndarray = np.full((SIDE, SIDE, 3), 114, np.uint8)
            canvas[top : top + height] = cv2.resize(frame, (SIDE, height))
            np.multiply(canvas.transpose(2, 0, 1), np.float32(1 / 255), out=image)

    ours()
    ways: dict[str, Callable[[], Any]] = {"pixview.stack": ours}
    if cv2 and hasattr(cv2, "resize"):
        ways["cv2.resize, NumPy"] = opencv
    nbytes = sum(frame.nbytes for frame in frames) + out.nbytes
    name = f"{COUNT} frames of 1080p -> a letterboxed batch, {SIDE} x {SIDE}"
    # OpenCV rounds to uint8 before the division, pixview after it.
    return Case(name, WHERE, ways, same_values(out, out.copy(), 1.01 / 255), nbytes)
