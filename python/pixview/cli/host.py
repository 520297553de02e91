# SPDX-License-Identifier: Apache-2.0
"""The demo in host memory with torch: NumPy <-> torch, each view and copy with a visible change."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import pixview

from .arrays import BLOCK, batch, cards, crop_of, exchange, into_corner, mosaic
from .steps import Record, check_pixels


def run(record: Record, photo: np.ndarray) -> None:
    """photo: H,W,C of uint8. Not changed."""
    shared, pixels = photo.copy(), photo.copy()
    _work_on_views(record, shared, pixels)
    _work_on_a_crop(record, shared, pixels)
    _copies(record, shared, photo)
    _one_channel(record, photo)
    height, width = photo.shape[:2]
    images: list[Any] = [
        shared,
        photo[:, width // 3 :],
        torch.from_numpy(photo[: 2 * height // 3]),
        pixview.view(photo).crop(height // 5, width // 4, height // 2, width // 2),
    ]
    batch(record, shared, photo, images, "torch")
    _exchange(record, photo)


def _work_on_views(record: Record, shared: np.ndarray, pixels: np.ndarray) -> None:
    """torch writes, NumPy sees it, and the reverse. pixels: the expected result."""
    width = pixels.shape[1]
    chw = record.convert("NumPy -> torch", shared, "torch", pixels)
    right = slice(2 * width // 3, None)
    chw[:, :, right] = 255 - chw[:, :, right]
    pixels[:, right] = 255 - pixels[:, right]
    check_pixels("torch in place", shared, pixels)
    record.panel(shared, "torch inverts the right", "tensor = as_torch(frame)", "view")

    back = record.convert("torch (view) -> NumPy", chw, "numpy", pixels)
    left = slice(None, width // 3)
    back[:, left] = back[:, left, ::-1]
    pixels[:, left] = pixels[:, left, ::-1]
    seen = chw.permute(1, 2, 0).numpy()
    check_pixels("NumPy in place", seen, pixels)
    record.panel(seen, "NumPy swaps R and B", "array = as_numpy(tensor)", "view")


def _work_on_a_crop(record: Record, shared: np.ndarray, pixels: np.ndarray) -> None:
    """A mosaic in one part of the photograph, made by torch through a view of the crop."""
    y, x, h, w = crop_of(pixels)
    crop = pixview.view(shared).crop(y, x, h, w)
    area = pixels[y : y + h, x : x + w]
    part = record.convert("Image.crop -> torch", crop, "torch", area)
    tiles = part.reshape(3, h // BLOCK, BLOCK, w // BLOCK, BLOCK).sum((2, 4)) // BLOCK**2
    part.copy_(tiles.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2))
    area[:] = mosaic(area)
    check_pixels("torch in the crop", shared, pixels)
    record.panel(shared, "torch pixelates a crop", "as_torch(image.crop(y, x, h, w))", "view")


def _copies(record: Record, shared: np.ndarray, photo: np.ndarray) -> None:
    """To planes and back, and a copy into existing memory."""
    planar = record.convert("NumPy -> torch, dense", photo, "torch", photo, contiguous=True)
    record.panel(
        cards(planar.numpy()),
        "Planes R, G and B",
        "as_torch(frame, contiguous=True)",
        "copy",
    )
    mirrored = planar.flip(2)
    back = record.convert(
        "torch (planar) -> NumPy, dense", mirrored, "numpy", photo[:, ::-1], contiguous=True
    )
    record.panel(back, "Mirrored planes, interleaved", "as_numpy(planar, contiguous=True)", "copy")
    into_corner(record, "copy_into(NumPy, torch)", shared, planar[:, ::3, ::3], photo[::3, ::3])


def _one_channel(record: Record, photo: np.ndarray) -> None:
    pixels = (photo.astype(np.int64) @ np.array([299, 587, 114]) // 1000).astype(np.uint8)
    chw = pixview.as_torch(photo).to(torch.int64)
    gray = ((chw[0] * 299 + chw[1] * 587 + chw[2] * 114) // 1000).to(torch.uint8)
    record.convert("torch -> NumPy, one channel", gray, "numpy", pixels)


def _exchange(record: Record, photo: np.ndarray) -> None:
    """Read-only memory, and pixview.Image read by NumPy itself."""
    readonly = photo.copy()
    readonly.flags.writeable = False
    record.convert("NumPy (read-only) -> torch", readonly, "torch", photo)
    exchange(record, record.convert("NumPy -> Image", photo, "image", photo), photo)
