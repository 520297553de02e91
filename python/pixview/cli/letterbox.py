# SPDX-License-Identifier: Apache-2.0
"""The demo's letterbox: two pictures in one batch, and boxes there and back. Needs no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import pixview

from .steps import DemoError, Record

GREY = 114
COLOUR = (0, 229, 255)
BOXES = ((0.33, 0.26, 0.51, 0.51), (0.54, 0.73, 0.71, 0.90))  # the cat's eye and nose: x, y, x, y
TOLERANCE = 1e-3  # pixels


def run(record: Record, photo: np.ndarray) -> None:
    """photo: H,W,C of uint8. Not changed."""
    height, width = photo.shape[:2]
    left, side = width // 4, min(height, width)
    images = [photo[:, left : left + width // 2], photo]

    def stack() -> tuple[np.ndarray, pixview.Placements]:
        batch, placements = pixview.stack(
            images,
            to="numpy",
            src_layout="HWC",
            size=(side, side),
            fit="letterbox",
            pad_value=GREY,
            return_placements=True,
        )
        return batch, placements

    batch, placements = stack()
    pixels = np.full((len(images), side, side, 3), GREY, np.uint8)
    for canvas, image, p in zip(pixels, images, placements, strict=True):
        canvas[p.y : p.y + p.h, p.x : p.x + p.w] = np.rint(_scaled(image, p.h, p.w))
    name = "stack(2 images, letterbox) -> NumPy"
    record.add(name, photo, batch, "copy", pixels, stack, tolerance=1)

    boxes = np.array([BOXES, BOXES]) * (width, height, width, height)
    boxes[0] -= (left, 0, left, 0)
    moved = _there_and_back(images, placements, boxes)
    canvases = list(batch.transpose(0, 2, 3, 1))
    record.panel(
        _in_rows([_outlined(images, boxes), _outlined(canvases, moved)]),
        "Boxes follow a letterbox",
        'stack(images, fit="letterbox")',
        "copy",
    )


def _there_and_back(
    images: Sequence[np.ndarray], placements: pixview.Placements, boxes: np.ndarray
) -> np.ndarray:
    """The boxes on the canvases. An image's own frame must become its rectangle there."""
    frames = np.array([[(0.0, 0.0, image.shape[1], image.shape[0])] for image in images])
    rectangles = np.array([[(p.x, p.y, p.x + p.w, p.y + p.h)] for p in placements])
    _check("to_canvas", placements.to_canvas(frames, clip=False), rectangles)
    moved = placements.to_canvas(boxes)
    _check("to_source", placements.to_source(moved), boxes)
    return moved


def _scaled(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Linear interpolation between the centres of the pixels."""
    pixels: Any = image.astype(np.float32)
    for axis, extent in enumerate((height, width)):
        last = image.shape[axis] - 1
        at = ((np.arange(extent) + 0.5) * (last + 1) / extent - 0.5).clip(0, last)
        low = at.astype(np.intp)
        share = np.expand_dims((at - low).astype(np.float32), (1 - axis, 2))
        high: Any = pixels.take((low + 1).clip(max=last), axis)
        pixels = pixels.take(low, axis)
        pixels += (high - pixels) * share
    return pixels


def _check(name: str, got: np.ndarray, boxes: np.ndarray) -> None:
    error = float(np.abs(got - boxes).max())
    if not error <= TOLERANCE:
        raise DemoError(f"{name}: a box is {error:.3g} pixels off, at most {TOLERANCE:g} is right")


def _outlined(images: Sequence[np.ndarray], boxes: np.ndarray) -> list[Image.Image]:
    """Each image with its boxes."""
    pictures = [Image.fromarray(np.ascontiguousarray(image)) for image in images]
    for picture, own in zip(pictures, boxes, strict=True):
        edge = max(1, picture.height // 60)
        for box in own:
            ImageDraw.Draw(picture).rectangle(box.tolist(), outline=COLOUR, width=edge)
    return pictures


def _in_rows(rows: Sequence[Sequence[Image.Image]]) -> np.ndarray:
    """Pictures of any size in rows, on white."""
    gap = max(1, rows[-1][0].height // 60)
    heights = [max(picture.height for picture in row) for row in rows]
    widths = [sum(picture.width + gap for picture in row) for row in rows]
    sheet = Image.new("RGB", (max(widths) - gap, sum(heights) + gap * (len(rows) - 1)), "white")
    y = 0
    for row, height in zip(rows, heights, strict=True):
        x = 0
        for picture in row:
            sheet.paste(picture, (x, y))
            x += picture.width + gap
        y += height + gap
    return np.asarray(sheet)
