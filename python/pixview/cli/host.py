"""The demo in host memory: NumPy <-> torch, each view and copy with a visible change."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import pixview

from . import letterbox
from .steps import Record, check_pixels

BLOCK = 10  # pixels; edge of the tiles of the mosaic
FRAME = ((0, 0), (1, 1), (1, 1), (0, 0))  # pixels; white around each image of the batch


def run(record: Record, photo: np.ndarray) -> None:
    """photo: H,W,C of uint8. Not changed."""
    record.panel(photo, "A photograph in NumPy", "frame: H,W,C of uint8")
    shared, pixels = photo.copy(), photo.copy()
    _work_on_views(record, shared, pixels)
    _work_on_a_crop(record, shared, pixels)
    _copies(record, shared, photo)
    _one_channel(record, photo)
    _batch(record, shared, photo)
    letterbox.run(record, photo)
    _exchange(record, photo)


def _work_on_views(record: Record, shared: np.ndarray, pixels: np.ndarray) -> None:
    """torch writes, NumPy sees it, and the reverse. pixels: the expected result."""
    height, width = pixels.shape[:2]
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
    height, width = pixels.shape[:2]
    h, w = height // 3 // BLOCK * BLOCK, width // 3 // BLOCK * BLOCK
    y, x = height // 5, (width - w) // 2
    crop = pixview.view(shared).crop(y, x, h, w)
    part = record.convert("Image.crop -> torch", crop, "torch", pixels[y : y + h, x : x + w])
    tiles = part.reshape(3, h // BLOCK, BLOCK, w // BLOCK, BLOCK).sum((2, 4)) // BLOCK**2
    part.copy_(tiles.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2))

    area = pixels[y : y + h, x : x + w]
    mean = area.reshape(h // BLOCK, BLOCK, w // BLOCK, BLOCK, 3).sum((1, 3)) // BLOCK**2
    area[:] = mean.repeat(BLOCK, 0).repeat(BLOCK, 1)
    check_pixels("torch in the crop", shared, pixels)
    record.panel(shared, "torch pixelates a crop", "as_torch(image.crop(y, x, h, w))", "view")


def _copies(record: Record, shared: np.ndarray, photo: np.ndarray) -> None:
    """To planes and back, and a copy into existing memory."""
    height, width = photo.shape[:2]
    planar = record.convert("NumPy -> torch, dense", photo, "torch", photo, contiguous=True)
    record.panel(
        _cards(planar.numpy()),
        "Planes R, G and B",
        "as_torch(frame, contiguous=True)",
        "copy",
    )
    mirrored = planar.flip(2)
    back = record.convert(
        "torch (planar) -> NumPy, dense", mirrored, "numpy", photo[:, ::-1], contiguous=True
    )
    record.panel(back, "Mirrored planes, interleaved", "as_numpy(planar, contiguous=True)", "copy")

    small = planar[:, ::3, ::3]
    h, w = small.shape[1:]
    pixels = shared.copy()
    pixels[-h:, :w] = photo[::3, ::3]
    corner = shared[-h:, :w]
    pixview.copy_into(corner, small)
    record.add(
        "copy_into(NumPy, torch)",
        small,
        corner,
        "copy",
        pixels[-h:, :w],
        lambda: pixview.copy_into(corner, small),
    )
    check_pixels("around copy_into", shared, pixels)
    record.panel(shared, "Planes into a corner", "copy_into(corner, planes)", "copy")


def _one_channel(record: Record, photo: np.ndarray) -> None:
    pixels = (photo.astype(np.int64) @ np.array([299, 587, 114]) // 1000).astype(np.uint8)
    chw = pixview.as_torch(photo).to(torch.int64)
    gray = ((chw[0] * 299 + chw[1] * 587 + chw[2] * 114) // 1000).to(torch.uint8)
    record.convert("torch -> NumPy, one channel", gray, "numpy", pixels)


def _batch(record: Record, shared: np.ndarray, photo: np.ndarray) -> None:
    """Four images of different sizes and kinds as one padded batch."""
    height, width = photo.shape[:2]
    images: list[Any] = [
        shared,
        photo[:, width // 3 :],
        torch.from_numpy(photo[: 2 * height // 3]),
        pixview.view(photo).crop(height // 5, width // 4, height // 2, width // 2),
    ]
    pixels = np.full((len(images), height, width, 3), 114, np.uint8)
    for canvas, image in zip(pixels, images, strict=True):
        part = np.asarray(image)
        canvas[: part.shape[0], : part.shape[1]] = part

    def stack() -> torch.Tensor:
        size = (height, width)
        return pixview.stack(images, src_layout="HWC", size=size, pad_value=114)

    batch = stack()
    record.add("stack(4 images) -> torch", shared, batch, "copy", pixels, stack)
    small = np.pad(batch.permute(0, 2, 3, 1).numpy()[:, ::2, ::2], FRAME, constant_values=255)
    h, w = small.shape[1:3]
    sheet = small.reshape(2, 2, h, w, 3).swapaxes(1, 2).reshape(2 * h, 2 * w, 3)
    record.panel(sheet, "Four sizes, one batch", "stack(images, size=(h, w))", "copy")


def _cards(planes: np.ndarray) -> np.ndarray:
    """The planes of R,G,B, each in its colour, fanned out like cards."""
    height, width = planes.shape[1:]
    sheet = np.full((height, width, 3), 255, np.uint8)
    for channel, plane in enumerate(planes[:, ::3, ::3].repeat(2, 1).repeat(2, 2)):
        h, w = plane.shape
        y, x = channel * (height - h) // 2, channel * (width - w) // 2
        sheet[y : y + h, x : x + w] = 255  # a white edge between two cards
        sheet[y + 2 : y + h, x + 2 : x + w] = 0
        sheet[y + 2 : y + h, x + 2 : x + w, channel] = plane[2:, 2:]
    return sheet


def _exchange(record: Record, photo: np.ndarray) -> None:
    """Read-only memory, and pixview.Image read by NumPy itself."""
    readonly = photo.copy()
    readonly.flags.writeable = False
    record.convert("NumPy (read-only) -> torch", readonly, "torch", photo)
    image = record.convert("NumPy -> Image", photo, "image", photo)
    again = np.from_dlpack(image)
    record.add(
        "Image -> numpy.from_dlpack", image, again, "view", photo, lambda: np.from_dlpack(image)
    )
