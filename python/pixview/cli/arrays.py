# SPDX-License-Identifier: Apache-2.0
"""The demo in host memory without torch: NumPy, DLPack and buffers. And what both demos draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import pixview

from .steps import Record, check_pixels, to_host

BLOCK = 10  # pixels; edge of the tiles of the mosaic
FRAME = ((0, 0), (1, 1), (1, 1), (0, 0))  # pixels; white around each image of the batch


def run(record: Record, photo: np.ndarray) -> None:
    """photo: H,W,C of uint8. Not changed."""
    shared, pixels = photo.copy(), photo.copy()
    _work_on_views(record, shared, pixels)
    _work_on_a_crop(record, shared, pixels)
    _copies(record, shared, photo)
    height, width = photo.shape[:2]
    images = [
        shared,
        photo[:, width // 3 :],
        pixview.view(photo[: 2 * height // 3]),
        pixview.view(photo).crop(height // 5, width // 4, height // 2, width // 2),
    ]
    batch(record, shared, photo, images, "numpy")


def _work_on_views(record: Record, shared: np.ndarray, pixels: np.ndarray) -> None:
    """NumPy writes, DLPack and the buffer protocol see it, and the reverse. pixels: the expected result."""
    width = pixels.shape[1]
    image = record.convert("NumPy -> Image", shared, "image", pixels)
    seen = exchange(record, image, pixels)
    right = slice(2 * width // 3, None)
    shared[:, right] = 255 - shared[:, right]
    pixels[:, right] = 255 - pixels[:, right]
    check_pixels("DLPack after NumPy's work", seen, pixels)
    record.panel(seen, "NumPy inverts the right", "np.from_dlpack(view(frame))", "view")

    def over() -> np.ndarray:
        return np.asarray(memoryview(image))

    buffer = over()
    record.add("Image -> memoryview -> NumPy", image, buffer, "view", pixels, over)
    left = slice(None, width // 3)
    buffer[:, left] = buffer[:, left, ::-1].copy()
    pixels[:, left] = pixels[:, left, ::-1].copy()
    check_pixels("NumPy after the buffer's work", shared, pixels)
    record.panel(shared, "A buffer swaps R and B", "memoryview(view(frame))", "view")


def _work_on_a_crop(record: Record, shared: np.ndarray, pixels: np.ndarray) -> None:
    """A mosaic in one part of the photograph, made through a view of the crop."""
    y, x, h, w = crop_of(pixels)
    crop = pixview.view(shared).crop(y, x, h, w)
    area = pixels[y : y + h, x : x + w]
    part = record.convert("Image.crop -> NumPy", crop, "numpy", area)
    part[:] = mosaic(area)
    area[:] = mosaic(area)
    check_pixels("NumPy in the crop", shared, pixels)
    record.panel(shared, "NumPy pixelates a crop", "as_numpy(image.crop(y, x, h, w))", "view")


def _copies(record: Record, shared: np.ndarray, photo: np.ndarray) -> None:
    """To planes and back, and a copy into existing memory."""
    name = "NumPy -> NumPy, planes"
    planar = record.convert(name, photo, "numpy", photo, layout="CHW", contiguous=True)
    record.panel(cards(planar), "Planes R, G and B", 'as_numpy(frame, layout="CHW", ...)', "copy")
    mirrored = planar[:, :, ::-1]
    name, pixels = "NumPy (planar) -> NumPy, dense", photo[:, ::-1]
    back = record.convert(name, mirrored, "numpy", pixels, src_layout="CHW", contiguous=True)
    record.panel(back, "Mirrored planes, interleaved", "as_numpy(planes, contiguous=True)", "copy")
    small = pixview.view(planar[:, ::3, ::3], src_layout="CHW")
    into_corner(record, "copy_into(NumPy, planes)", shared, small, photo[::3, ::3])


# ---- of both demos ----


def crop_of(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """y, x, h, w of the crop that the demo turns into a mosaic: whole tiles."""
    height, width = pixels.shape[:2]
    h, w = height // 3 // BLOCK * BLOCK, width // 3 // BLOCK * BLOCK
    return height // 5, (width - w) // 2, h, w


def mosaic(area: np.ndarray) -> np.ndarray:
    """Each tile filled with its mean."""
    h, w = area.shape[:2]
    tiles = area.reshape(h // BLOCK, BLOCK, w // BLOCK, BLOCK, 3)
    means: np.ndarray = tiles.sum((1, 3)) // BLOCK**2
    return means.repeat(BLOCK, 0).repeat(BLOCK, 1)


def into_corner(
    record: Record, name: str, shared: np.ndarray, small: Any, colours: np.ndarray
) -> None:
    """Copy planes into a corner of the photograph. colours: their pixels, H,W,C."""
    h, w = colours.shape[:2]
    pixels = shared.copy()
    pixels[-h:, :w] = colours
    corner = shared[-h:, :w]
    pixview.copy_into(corner, small)
    record.add(
        name, small, corner, "copy", pixels[-h:, :w], lambda: pixview.copy_into(corner, small)
    )
    check_pixels("around copy_into", shared, pixels)
    record.panel(shared, "Planes into a corner", "copy_into(corner, planes)", "copy")


def batch(
    record: Record, shared: np.ndarray, photo: np.ndarray, images: Sequence[Any], to: str
) -> None:
    """Four images of different sizes and kinds as one padded batch."""
    height, width = photo.shape[:2]
    pixels = np.full((len(images), height, width, 3), 114, np.uint8)
    for canvas, image in zip(pixels, images, strict=True):
        part = np.asarray(image)
        canvas[: part.shape[0], : part.shape[1]] = part

    def stack() -> Any:
        size = (height, width)
        stacked: Any = pixview.stack  # `to` is a name that no overload knows
        return stacked(images, to=to, src_layout="HWC", size=size, pad_value=114)

    made = stack()
    name = {"numpy": "NumPy"}.get(to, to)
    record.add(f"stack(4 images) -> {name}", shared, made, "copy", pixels, stack)
    small = np.pad(to_host(made, "NCHW")[:, ::2, ::2], FRAME, constant_values=255)
    h, w = small.shape[1:3]
    sheet = small.reshape(2, 2, h, w, 3).swapaxes(1, 2).reshape(2 * h, 2 * w, 3)
    record.panel(sheet, "Four sizes, one batch", "stack(images, size=(h, w))", "copy")


def exchange(record: Record, image: pixview.Image, pixels: np.ndarray) -> np.ndarray:
    """An Image that NumPy itself reads, by DLPack."""
    again = np.from_dlpack(image)
    name = "Image -> numpy.from_dlpack"
    record.add(name, image, again, "view", pixels, lambda: np.from_dlpack(image))
    return again


def cards(planes: np.ndarray) -> np.ndarray:
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
